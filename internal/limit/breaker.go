package limit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// How long a breaker leaves alone what has failed: at first, and at most.
const (
	firstPause = time.Second
	mostPause  = 10 * time.Second
)

// breaker keeps requests from waiting for what doesn't answer. A failure opens it;
// from then on it is tried again beside the requests, never by one of them, each
// pause twice as long as the one before:
//
//	        failure                          tried: fails         tried: answers
//	closed ────┤ open, 1 s ├───────────────────┤ open, 2 s ├─ … ──┤ closed
type breaker struct {
	clock    func() time.Time
	try      func(context.Context) error // tells whether it is back
	onChange func(up bool, err error)

	down     atomic.Bool
	failures atomic.Int64
	tries    sync.WaitGroup

	mu      sync.Mutex
	pause   time.Duration
	retryAt time.Time
	trying  bool
	stopped bool
}

// closed tells whether to ask. It has another try made when the time has come.
func (b *breaker) closed() bool {
	if !b.down.Load() {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down.Load() && !b.trying && !b.stopped && !b.clock().Before(b.retryAt) {
		b.trying = true
		b.tries.Go(b.tryAgain)
	}
	return false
}

// failed opens the breaker. Others that failed with the first change nothing.
func (b *breaker) failed(err error) {
	b.failures.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down.Load() {
		return
	}
	b.down.Store(true)
	b.pause = firstPause
	b.retryAt = b.clock().Add(b.pause)
	b.onChange(false, err)
}

func (b *breaker) tryAgain() {
	err := b.try(context.Background())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
	if err != nil {
		b.failures.Add(1)
		b.pause = min(2*b.pause, mostPause)
		b.retryAt = b.clock().Add(b.pause)
		return
	}
	b.down.Store(false)
	b.onChange(true, nil)
}

// stop makes no further try and waits for the one that is made.
func (b *breaker) stop() {
	b.mu.Lock()
	b.stopped = true
	b.mu.Unlock()
	b.tries.Wait()
}
