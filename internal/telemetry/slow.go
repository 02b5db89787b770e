package telemetry

import (
	"slices"
	"sync"
	"time"

	"upstream"
)

// slowKept is how many slow queries are kept to be shown.
const slowKept = 100

// slowLog is a ring of the last slow queries.
type slowLog struct {
	mu   sync.Mutex
	ring []slowEntry
	next int
}

type slowEntry struct {
	At           time.Time `json:"at"`
	Milliseconds float64   `json:"ms"`
	Rows         int64     `json:"rows"`
	SQL          string    `json:"sql"`
	Plan         string    `json:"plan,omitempty"`
}

// SlowQuery counts a slow query and keeps it for /debug/slow.
func (m *Metrics) SlowQuery(q upstream.SlowQuery, now time.Time) {
	m.slowQueries.Inc()
	m.slow.add(slowEntry{now.UTC(), q.Took.Seconds() * 1e3, q.Rows, q.SQL, q.Plan})
}

func (l *slowLog) add(e slowEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) < slowKept {
		l.ring = append(l.ring, e)
		return
	}
	l.ring[l.next] = e
	l.next = (l.next + 1) % slowKept
}

// last returns what is kept, the newest first.
func (l *slowLog) last() []slowEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := append([]slowEntry{}, l.ring[l.next:]...)
	out = append(out, l.ring[:l.next]...)
	slices.Reverse(out)
	return out
}
