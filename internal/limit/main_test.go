package limit

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"upstream/internal/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	ctx   = context.Background()
)

// clock is a time that tests advance.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: start} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// open opens a Redis that is closed with the test and fails it when it was lost,
// unless changes are looked at.
func open(t testing.TB, url string, c *clock, onChange func(bool, error)) *Redis {
	t.Helper()
	if onChange == nil {
		onChange = func(up bool, err error) { t.Errorf("Redis is up: %t, %v", up, err) }
	}
	r, err := OpenRedis(url, RedisOptions{Clock: c.Now, OnChange: onChange})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// mini starts a Redis written in Go.
func mini(t testing.TB) (m *miniredis.Miniredis, url string) {
	t.Helper()
	m = miniredis.RunT(t)
	return m, "redis://" + m.Addr()
}

// onAllLimiters runs a test over every implementation.
func onAllLimiters(t *testing.T, test func(t *testing.T, l Limiter)) {
	t.Run("memory", func(t *testing.T) { test(t, NewMemoryLimiter(100_000)) })
	t.Run("miniredis", func(t *testing.T) {
		_, url := mini(t)
		test(t, open(t, url, newClock(), nil))
	})
	t.Run("redis", func(t *testing.T) { test(t, open(t, redistest.URL(t), newClock(), nil)) })
}

// onAllCaches does, with a function that lets time pass.
func onAllCaches(t *testing.T, test func(t *testing.T, c Cache, pass func(time.Duration))) {
	t.Run("memory", func(t *testing.T) {
		clock := newClock()
		test(t, NewMemoryCache(1<<20, clock.Now), clock.Advance)
	})
	t.Run("miniredis", func(t *testing.T) {
		m, url := mini(t)
		test(t, open(t, url, newClock(), nil), m.FastForward)
	})
	t.Run("redis", func(t *testing.T) {
		test(t, open(t, redistest.URL(t), newClock(), nil), func(d time.Duration) { time.Sleep(d + 5*time.Millisecond) })
	})
}
