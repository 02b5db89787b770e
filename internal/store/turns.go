package store

import (
	"context"
	"errors"
	"sync"

	"upstream"
)

// turns let the writers of each customer in one after another, before they take a
// connection: those who waited with one would leave none to the readers.
type turns struct {
	mu sync.Mutex
	of map[int64]*turn // whose nobody has or waits for is forgotten
}

type turn struct {
	taken chan struct{} // holds one token while somebody has the turn
	users int           // who have it or wait for it
}

// take waits for the turn of a customer; the caller ends it with done.
func (all *turns) take(ctx context.Context, customer int64) (done func(), err error) {
	t := all.join(customer)
	select {
	case t.taken <- struct{}{}:
		return func() {
			<-t.taken
			all.leave(customer)
		}, nil
	case <-ctx.Done():
		all.leave(customer)
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, ctx.Err()
		}
		return nil, upstream.Errorf(upstream.Unavailable, "other changes have not ended in time; try again: %w", ctx.Err())
	}
}

func (all *turns) join(customer int64) *turn {
	all.mu.Lock()
	defer all.mu.Unlock()
	t := all.of[customer]
	if t == nil {
		if all.of == nil {
			all.of = map[int64]*turn{}
		}
		t = &turn{taken: make(chan struct{}, 1)}
		all.of[customer] = t
	}
	t.users++
	return t
}

func (all *turns) leave(customer int64) {
	all.mu.Lock()
	defer all.mu.Unlock()
	t := all.of[customer]
	if t.users--; t.users == 0 {
		delete(all.of, customer)
	}
}
