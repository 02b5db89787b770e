package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// singleKeys has a terminal hand on each key at once and not show it. Ctrl-C still is
// a signal. It is not ok in the background, where a process that touches its terminal
// is stopped.
func singleKeys(f *os.File) (restore func(), ok bool) {
	fd := int(f.Fd())
	if front, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err == nil && front != unix.Getpgrp() {
		return func() {}, false
	}
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return func() {}, false
	}
	now := *before
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	if unix.IoctlSetTermios(fd, unix.TCSETS, &now) != nil {
		return func() {}, false
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }, true
}
