package store

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"upstream"
	"upstream/internal/pgtest"
)

// waiters returns how many have a customer's turn or wait for it.
func (all *turns) waiters(customer int64) int {
	all.mu.Lock()
	defer all.mu.Unlock()
	if t := all.of[customer]; t != nil {
		return t.users
	}
	return 0
}

// Writers of one customer who wait for each other take no connection from readers.
func TestWritersWhoWaitLeaveReadersTheirConnections(t *testing.T) {
	s := open(t, pgtest.URL(t)+"?pool_max_conns=4")
	e := s.db.(*postgresEngine)
	a, b := customer(t, s, "A"), customer(t, s, "B")
	held, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := s.write(t.Context(), a.id, func(tx) error {
			close(held)
			<-release
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	const writers = 20
	for range writers {
		wg.Go(func() {
			if err := a.SaveSettings(t.Context(), upstream.DefaultSettings(), now); err != nil {
				t.Error(err)
			}
		})
	}
	for e.writers.waiters(a.id) <= writers {
		runtime.Gosched()
	}
	if _, err := b.Customer(t.Context()); err != nil { // opens a connection
		t.Fatal(err)
	}
	before := s.Pool()
	if before.Busy != 1 {
		t.Errorf("%d connections are taken by writers of whom one may write", before.Busy)
	}
	for range 50 {
		if _, err := b.Customer(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if after := s.Pool(); after.Waits != before.Waits {
		t.Errorf("readers have waited %d times", after.Waits-before.Waits)
	}
	close(release)
	wg.Wait()
	if n := len(e.writers.of); n != 0 {
		t.Errorf("%d turns are remembered that nobody waits for", n)
	}
}

func TestATurnIsWaitedForNoLongerThanItsContext(t *testing.T) {
	var all turns
	done, err := all.take(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	other, err := all.take(t.Context(), 2) // another customer's is free
	if err != nil {
		t.Fatal(err)
	}
	other()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := all.take(gone, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("%v of a context that was cancelled", err)
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if _, err := all.take(late, 1); upstream.ErrorCode(err) != upstream.Unavailable {
		t.Errorf("%v of a context that has ended", err)
	}
	if n := all.waiters(1); n != 1 {
		t.Errorf("%d have the turn or wait for it", n)
	}
	done()
	if done, err = all.take(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	done()
	if len(all.of) != 0 {
		t.Errorf("%d turns are remembered", len(all.of))
	}
}

func TestATurnIsOnesAtATime(t *testing.T) {
	var all turns
	var wg sync.WaitGroup
	count := 0
	for range 8 {
		wg.Go(func() {
			for range 200 {
				done, err := all.take(context.Background(), 1)
				if err != nil {
					t.Error(err)
					return
				}
				count++ // the race detector looks on
				done()
			}
		})
	}
	wg.Wait()
	if count != 8*200 || len(all.of) != 0 {
		t.Errorf("%d turns, %d remembered", count, len(all.of))
	}
}
