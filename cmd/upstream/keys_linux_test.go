package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upstream/internal/pgtest"
)

// terminal is one of the kernel's own.
func terminal(t *testing.T) (f *os.File, shows func() bool) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		pgtest.Missing(t, "/dev/ptmx, for terminals")
	}
	t.Cleanup(func() { _ = master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		f, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, func() bool {
		now, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
		return err == nil && now.Lflag&unix.ECHO != 0
	}
}

// A second Ctrl-C leaves no time to.
func TestCtrlCGivesTheTerminalBackBeforeTheRunHasStopped(t *testing.T) {
	keys, shows := terminal(t)
	asked, answer := make(chan struct{}, 1), make(chan struct{})
	s := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			asked <- struct{}{}
			<-answer
		}
		_, _ = io.WriteString(w, `{"access":"token"}`)
	})
	ctx, interrupt := context.WithCancel(context.Background())
	ended := make(chan int)
	go func() {
		ended <- run(ctx, []string{"loadtest", "--headless", "--host", s.URL, "-T", "health", "-s", "10m"}, environment{stdin: keys, stdout: io.Discard, stderr: io.Discard})
	}()
	<-asked
	if shows() {
		t.Error("keys are shown while the run goes on")
	}
	interrupt()
	for !shows() {
		time.Sleep(time.Millisecond)
	}
	close(answer)
	<-ended
}
