package main

import (
	"context"
	"errors"
	"net"
	"runtime"
	"time"

	"upstream/internal/jobs"
	"upstream/internal/store"
	"upstream/internal/telemetry"
)

type workerCmd struct {
	Workers   int           `placeholder:"N" help:"Jobs at once; one a processor if not given."`
	StopAfter time.Duration `default:"30s" help:"How long jobs may go on after a signal to stop, before they are given back."`
	Admin     string        `default:"off" placeholder:"ADDRESS" help:"Where metrics and profiles are shown to anyone who can reach it, as 127.0.0.1:8001: keep it on loopback. off for nowhere."`
	LogLevel  string        `default:"info" enum:"debug,info,warn,error" help:"What is logged: debug, info, warn or error."`
}

func (*workerCmd) Help() string {
	return `Works on what servers and other programs have queued in the database: uploads, report runs, the detections of each night and week. Any number of workers may share a PostgreSQL database.

Stopped by Ctrl-C or SIGTERM it takes no more jobs, waits for those that run, and gives back those that take too long: they go on where they were.

Example:  upstream worker --database postgres://upstream@db/upstream`
}

func (c *workerCmd) Run(a *app) error {
	admin, err := listenAdmin(c.Admin)
	if err != nil {
		return err
	}
	if admin != nil {
		defer admin.Close()
	}
	s, err := a.open()
	if err != nil {
		return err
	}
	return errors.Join(c.work(a, s, admin), s.Close())
}

// work works until the context ends, which is how a worker is meant to end.
func (c *workerCmd) work(a *app, s *store.Store, admin net.Listener) error {
	log, err := a.logger(c.LogLevel)
	if err != nil {
		return err
	}
	workers := c.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	metrics := telemetry.NewMetrics(version)
	j, err := jobs.Open(a, a.database, s, jobOptions(a, workers, log, metrics))
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	if admin != nil {
		metrics.Watch(telemetry.Sources{Pool: s.Pool, Queries: s.Queries, Jobs: queueDepth(j)})
		server := adminServer(metrics, func(ctx context.Context) []telemetry.Check {
			return []telemetry.Check{{Name: "database", OK: s.Ping(ctx) == nil, Detail: "does not answer"}}
		}, log)
		defer server.Close()
		handOut(server, []net.Listener{admin}, failed)
	}
	if err = j.Start(a); err == nil {
		log.Info("working", "admin", addressOf(admin), "version", version)
		select {
		case err = <-failed:
		case <-a.Done():
		}
		log.Info("stopping")
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(a), c.StopAfter)
	defer cancel()
	return errors.Join(err, j.Stop(stopping))
}
