package store

import (
	"context"
	"errors"
	"os"
	"time"

	"upstream"
	"zombiezen.com/go/sqlite"
)

func (e *sqliteEngine) pool() upstream.PoolStats {
	reading, writing := int(e.reading.Load()), int(e.writes.Load())
	return upstream.PoolStats{
		Open: e.size + 1, Max: e.size + 1, Busy: min(reading, e.size) + min(writing, 1),
		Waiting: max(0, reading-e.size) + max(0, writing-1),
		Waits:   e.waits.Load(), Waited: time.Duration(e.waited.Load()),
	}
}

// ping also finds out that the file has been deleted: to those who have it open
// it is there as before.
func (e *sqliteEngine) ping(ctx context.Context) error {
	if err := e.present(); err != nil {
		return err
	}
	return e.peek(ctx, "SELECT COUNT(*) FROM schema_migration", nil, func(row) error { return nil })
}

// present reports whether the file at the path is the one that was opened.
func (e *sqliteEngine) present() error {
	file, err := os.Stat(e.path)
	if err != nil || !os.SameFile(file, e.file) {
		return upstream.Errorf(upstream.Unavailable, "the database %s has been moved, deleted or replaced while it was open; put it back and start upstream again", e.path)
	}
	return nil
}

// reader takes a connection; the caller puts it back with done.
func (e *sqliteEngine) reader(ctx context.Context) (c *sqlite.Conn, done func(), err error) {
	if n := e.reading.Add(1); n > int64(e.size) {
		defer e.wait(time.Now())
	}
	c, err = e.readers.Take(ctx)
	if err == nil {
		return c, func() {
			e.readers.Put(c)
			e.reading.Add(-1)
		}, nil
	}
	e.reading.Add(-1)
	return nil, nil, e.unavailable(ctx, err)
}

// takeTurn waits for the writer; endTurn lets the next one have it.
func (e *sqliteEngine) takeTurn(ctx context.Context) error {
	if n := e.writes.Add(1); n > 1 {
		defer e.wait(time.Now())
	}
	select {
	case <-e.turn:
		return nil
	case <-e.closed:
		e.writes.Add(-1)
		return errClosed
	case <-ctx.Done():
		e.writes.Add(-1)
		return e.unavailable(ctx, ctx.Err())
	}
}

func (e *sqliteEngine) endTurn() {
	e.writes.Add(-1)
	e.turn <- struct{}{}
}

// wait counts a wait for a connection that began at start.
func (e *sqliteEngine) wait(start time.Time) {
	e.waits.Add(1)
	e.waited.Add(int64(time.Since(start)))
}

// unavailable tells why there is no connection.
func (e *sqliteEngine) unavailable(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case ctx.Err() != nil:
		return upstream.Errorf(upstream.Unavailable, "no connection to the database became free in time; try again: %w", ctx.Err())
	}
	select {
	case <-e.closed:
		return errClosed
	default:
		return sqliteError(e.path, err)
	}
}
