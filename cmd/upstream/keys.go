package main

import (
	"bufio"
	"context"
	"io"
	"os"

	"github.com/mattn/go-isatty"
)

// userKeys are what keys do to the number of users, as in Locust.
var userKeys = map[byte]int{'w': 1, 'W': 10, 's': -1, 'S': -10}

// keySpawnRate is the least rate at which keys change users, as in Locust.
const keySpawnRate = 100

// watchKeys reads keys while the run goes on, if a person sits at a terminal. restore
// puts the terminal back.
func (t *loadtest) watchKeys() (restore func()) {
	f, isFile := t.stdin.(*os.File)
	if !isFile || !isatty.IsTerminal(f.Fd()) {
		return func() {}
	}
	restore, ok := singleKeys(f)
	if !ok {
		return restore
	}
	context.AfterFunc(t.app, restore) // a second Ctrl-C ends the process at once
	go t.readKeys(f)
	return restore
}

func (t *loadtest) readKeys(in io.Reader) {
	keys := bufio.NewReader(in)
	for {
		key, err := keys.ReadByte()
		if err != nil {
			return
		}
		if by, ok := userKeys[key]; ok {
			t.runner.AddUsers(by, keySpawnRate)
		}
	}
}
