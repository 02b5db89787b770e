package api

import (
	"context"
	"sync"

	"upstream/internal/store"
)

// freshness tells the revisions of now to many requests at once. A request that
// comes while the database is being asked waits for the next asking, which the
// requests that wait with it share: an asking that began before a request came may
// have missed what was committed in between, and its answer would be stale.
//
//	requests   a   b c d       e
//	askings    |--a--||--bcd--||--e--|
type freshness struct {
	read func(ctx context.Context, customer int64) (store.Revisions, error)

	mu    sync.Mutex
	lines map[int64]*line // by customer
}

// line is where the requests of one customer wait.
type line struct {
	asking bool
	next   *asking // of those that came since the one under way began
}

type asking struct {
	done chan struct{}
	got  store.Revisions
	err  error
}

// of returns revisions that were read after the call began.
func (f *freshness) of(ctx context.Context, customer int64) (store.Revisions, error) {
	f.mu.Lock()
	if f.lines == nil {
		f.lines = map[int64]*line{}
	}
	l := f.lines[customer]
	if l == nil {
		l = &line{}
		f.lines[customer] = l
	}
	if !l.asking { // nobody to share with: the common case, without a goroutine
		l.asking = true
		f.mu.Unlock()
		defer f.handOver(customer, l)
		return f.read(ctx, customer)
	}
	if l.next == nil {
		l.next = &asking{done: make(chan struct{})}
	}
	mine := l.next
	f.mu.Unlock()
	select {
	case <-mine.done:
		return mine.got, mine.err
	case <-ctx.Done():
		return store.Revisions{}, ctx.Err()
	}
}

// handOver ends an asking and starts the next one, if somebody waits for it.
func (f *freshness) handOver(customer int64, l *line) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.next == nil {
		delete(f.lines, customer)
		return
	}
	mine := l.next
	l.next = nil
	go func() { // those who wait may each give up; the asking is for all of them
		ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
		defer cancel()
		defer f.handOver(customer, l)
		defer close(mine.done)
		mine.got, mine.err = f.read(ctx, customer)
	}()
}
