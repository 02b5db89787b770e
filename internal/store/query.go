package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"upstream"
)

// QueryCount counts the statements run under a context.
type QueryCount struct{ n atomic.Int64 }

// N returns how many statements have been run so far.
func (c *QueryCount) N() int64 { return c.n.Load() }

type queryCountKey struct{}

// CountQueries returns a context under which every statement is counted, so that
// a request which asks once for each row shows.
func CountQueries(ctx context.Context) (context.Context, *QueryCount) {
	c := &QueryCount{}
	return context.WithValue(ctx, queryCountKey{}, c), c
}

// OnSlow has f told of each statement that takes longer than the threshold, after
// its transaction has ended and before the call that ran it returns. The plan
// comes with it once a minute for each text. Call it before the store is used;
// f must be safe for use by many goroutines.
func (s *Store) OnSlow(threshold time.Duration, f func(upstream.SlowQuery)) {
	s.slow = &slowLog{threshold: threshold, tell: f, explained: map[string]time.Time{}}
}

// Pool returns what the connections to the database do now.
func (s *Store) Pool() upstream.PoolStats { return s.db.pool() }

// Ping reports whether the database answers and is still the one that was
// opened; if not, the error is Unavailable.
func (s *Store) Ping(ctx context.Context) error { return s.db.ping(ctx) }

// slowLog tells of slow statements. It measures with the clock of the machine:
// how long a statement takes is no part of any answer.
type slowLog struct {
	threshold time.Duration
	tell      func(upstream.SlowQuery)
	mu        sync.Mutex
	explained map[string]time.Time
}

// The limits of explaining: how often each text, how many texts are known, how
// long it may take, and how many slow statements of one transaction are told.
const (
	explainEvery  = time.Minute
	explainTexts  = 1000
	explainLimit  = time.Second
	slowPerChange = 100
)

// due reports whether it is time to explain a text, and takes it as done.
func (l *slowLog) due(sql string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.explained[sql]; ok && now.Sub(last) < explainEvery {
		return false
	}
	if len(l.explained) >= explainTexts {
		clear(l.explained)
	}
	l.explained[sql] = now
	return true
}

// statements counts what one transaction runs and notes what was slow.
type statements struct {
	s       *Store
	request *QueryCount
	slow    []upstream.SlowQuery
}

func (s *Store) statements(ctx context.Context) *statements {
	request, _ := ctx.Value(queryCountKey{}).(*QueryCount)
	return &statements{s: s, request: request}
}

func (w *statements) begin() (start time.Time) {
	w.s.queries.Add(1)
	if w.request != nil {
		w.request.n.Add(1)
	}
	if w.s.slow != nil {
		start = time.Now()
	}
	return start
}

func (w *statements) end(sql string, start time.Time, rows int64) {
	if w.s.slow == nil {
		return
	}
	if took := time.Since(start); took > w.s.slow.threshold && len(w.slow) < slowPerChange {
		w.slow = append(w.slow, upstream.SlowQuery{SQL: sql, Took: took, Rows: rows})
	}
}

// told tells what was slow, when the transaction no longer holds anything. The
// request may have been given up because of it, and is explained all the same.
func (w *statements) told(ctx context.Context) {
	for _, q := range w.slow {
		if w.s.slow.due(q.SQL, time.Now()) {
			limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainLimit)
			// A text that can't be explained, or not now, is told without a plan.
			q.Plan, _ = w.s.db.explain(limited, q.SQL)
			cancel()
		}
		w.s.slow.tell(q)
	}
}

// in runs f with counted statements.
func (w *statements) in(f func(tx) error) func(tx) error {
	return func(t tx) error { return f(counted{t, w}) }
}

// counted is a transaction whose statements are counted; those for many rows
// count once.
type counted struct {
	tx
	w *statements
}

func (c counted) query(sql string, args []any, each func(row) error) error {
	start, rows := c.w.begin(), int64(0)
	err := c.tx.query(sql, args, func(r row) error {
		rows++
		return each(r)
	})
	c.w.end(sql, start, rows)
	return err
}

func (c counted) exec(sql string, args ...any) (int64, error) {
	start := c.w.begin()
	n, err := c.tx.exec(sql, args...)
	c.w.end(sql, start, n)
	return n, err
}

func (c counted) execMany(sql string, n int, args func(i int, params []any)) error {
	start := c.w.begin()
	err := c.tx.execMany(sql, n, args)
	c.w.end(sql, start, int64(n))
	return err
}

func (c counted) insertClaims(rows []claimRow) ([]int, error) {
	start := c.w.begin()
	taken, err := c.tx.insertClaims(rows)
	c.w.end(insertClaimSQL, start, int64(len(rows)-len(taken)))
	return taken, err
}
