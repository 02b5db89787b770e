package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"upstream/internal/jobs"
	"upstream/internal/store"
)

type workerCmd struct {
	Workers   int           `placeholder:"N" help:"Jobs at once; one a processor if not given."`
	StopAfter time.Duration `default:"30s" help:"How long jobs may go on after a signal to stop, before they are given back."`
}

func (*workerCmd) Help() string {
	return `Works on what servers and other programs have queued in the database: uploads, report runs, the detections of each night and week. Any number of workers may share a PostgreSQL database. Logs go to standard error as JSON.

Stopped by Ctrl-C or SIGTERM it takes no more jobs, waits for those that run, and gives back those that take too long: they go on where they were.

Example:  upstream worker --database postgres://upstream@db/upstream`
}

func (c *workerCmd) Run(a *app) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	return errors.Join(c.work(a, s), s.Close())
}

// work works until the context ends, which is how a worker is meant to end.
func (c *workerCmd) work(a *app, s *store.Store) error {
	log := slog.New(slog.NewJSONHandler(a.stderr, nil))
	j, err := jobs.Open(a, a.database, s, jobs.Options{Work: true, Workers: c.Workers, Now: a.now, Log: log})
	if err != nil {
		return err
	}
	if err = j.Start(a); err == nil {
		log.Info("working", "version", version)
		<-a.Done()
		log.Info("stopping")
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(a), c.StopAfter)
	defer cancel()
	return errors.Join(err, j.Stop(stopping))
}
