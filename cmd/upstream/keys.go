package main

import (
	"bufio"
	"context"
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"upstream/internal/load"
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
			t.changeUsers(by)
		}
	}
}

// changeUsers adds users to a run, or takes some away.
func (t *loadtest) changeUsers(by int) {
	s := t.runner.Snapshot()
	if s.State != load.Spawning && s.State != load.Running {
		return
	}
	p := s.Plan
	p.Users, p.SpawnRate = min(max(p.Users+by, 1), load.MaxUsers), max(p.SpawnRate, keySpawnRate)
	if err := t.runner.Start(p); err != nil {
		t.log.Warn("users don't change", "error", err)
	}
}
