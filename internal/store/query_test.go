package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"upstream"
	"upstream/internal/pgtest"
)

func TestQueriesOfARequestAreCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		load(t, tenant, source("one", many(1)...), 0)
		ctx, count := CountQueries(t.Context())
		_, other := CountQueries(t.Context())
		steps := []struct {
			name string
			run  func() error
			n    int64
		}{
			{"a peek", func() error {
				_, err := s.Revisions(ctx, tenant.id)
				return err
			}, 1},
			{"a read", func() error {
				_, err := tenant.Customer(ctx)
				return err
			}, 1},
			{"two in a read", func() error {
				return s.read(ctx, func(x tx) error {
					_, err := one(x, "SELECT COUNT(*) FROM customer")
					if err == nil {
						_, err = one(x, "SELECT COUNT(*) FROM customer")
					}
					return err
				})
			}, 2},
			{"one for many rows, and the revision", func() error {
				return s.write(ctx, tenant.id, func(x tx) error {
					return x.execMany("INSERT INTO upload_reject (customer_id, upload_id, row_number, column_name, value_class, reason) VALUES ($1, 1, $2, '', '', '')", 10, func(i int, p []any) {
						p[0], p[1] = tenant.id, i
					})
				})
			}, 2},
		}
		for _, step := range steps {
			before, all := count.N(), s.Queries()
			if err := step.run(); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
			if got := count.N() - before; got != step.n || s.Queries()-all != step.n {
				t.Errorf("%s: %d statements, of all %d; want %d", step.name, got, s.Queries()-all, step.n)
			}
		}
		if other.N() != 0 {
			t.Errorf("%d statements of another request", other.N())
		}
	})
}

// slowTold collects what OnSlow tells.
type slowTold struct {
	mu   sync.Mutex
	told []upstream.SlowQuery
}

func (w *slowTold) tell(q upstream.SlowQuery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, q)
}

func TestSlowQueriesAreToldWithTheirPlanAndWithoutParameters(t *testing.T) {
	texts := []struct{ name, sql, plan string }{
		{"by an index", "SELECT name FROM customer WHERE name = $1", "customer"},
		{"over all rows", "SELECT name FROM customer WHERE claims < 10 AND name = $1 ORDER BY created_at", "customer"},
		{"a change", "UPDATE customer SET claims = claims WHERE name = $1", "customer"},
		{"without a table", "SELECT 1 WHERE $1 = 'secret'", ""},
	}
	onBoth(t, func(t *testing.T, s *Store) {
		customer(t, s, "secret")
		for _, text := range texts {
			var w slowTold
			s.OnSlow(-1, w.tell) // everything is slow
			run := func(x tx) error {
				if strings.HasPrefix(text.sql, "UPDATE") {
					n, err := x.exec(text.sql, "secret")
					if n != 1 {
						t.Errorf("%d rows changed", n)
					}
					return err
				}
				return x.query(text.sql, []any{"secret"}, func(row) error { return nil })
			}
			for range 2 {
				if err := s.writeQuietly(t.Context(), 1, run); err != nil {
					t.Fatal(text.name, err)
				}
			}
			if len(w.told) != 2 {
				t.Fatalf("%s: %+v, want two", text.name, w.told)
			}
			first, second := w.told[0], w.told[1]
			if first.SQL != text.sql || first.Rows != 1 || first.Took <= 0 || first.Plan == "" || !strings.Contains(first.Plan, text.plan) {
				t.Errorf("%s: %+v", text.name, first)
			}
			if second.SQL != text.sql || second.Plan != "" {
				t.Errorf("%s: explained again within a minute: %+v", text.name, second)
			}
			if told := fmt.Sprint(w.told); strings.Count(told, "secret") != strings.Count(text.sql, "secret")*2+strings.Count(first.Plan, "'secret'") {
				t.Errorf("%s: a parameter is told: %s", text.name, told)
			}
		}
		// The connection that explained is as it was.
		allWork(t, s)
	})
}

func TestASlowQueryIsToldOfARequestThatWasGivenUp(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		var w slowTold
		s.OnSlow(-1, w.tell)
		ctx, cancel := context.WithCancel(t.Context())
		err := s.read(ctx, func(x tx) error {
			defer cancel()
			_, err := one(x, "SELECT COUNT(*) FROM customer")
			return err
		})
		if err == nil {
			t.Log("the transaction ended before anybody noticed")
		}
		if len(w.told) != 1 || w.told[0].Plan == "" {
			t.Errorf("%+v", w.told)
		}
	})
}

func TestFastQueriesAreNotTold(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		s.OnSlow(time.Hour, func(q upstream.SlowQuery) { t.Errorf("told: %+v", q) })
		allWork(t, s)
	})
}

func TestATextIsExplainedOnceAMinuteAndNotTooManyAreKnown(t *testing.T) {
	l := &slowLog{explained: map[string]time.Time{}}
	for _, step := range []struct {
		sql   string
		after time.Duration
		want  bool
	}{
		{"a", 0, true},
		{"a", 59 * time.Second, false},
		{"b", 59 * time.Second, true},
		{"a", 60 * time.Second, true},
		{"a", 119 * time.Second, false},
	} {
		if got := l.due(step.sql, now.Add(step.after)); got != step.want {
			t.Errorf("%s after %s: %t", step.sql, step.after, got)
		}
	}
	for i := range 3 * explainTexts {
		l.due(fmt.Sprint(i), now)
	}
	if len(l.explained) > explainTexts {
		t.Errorf("%d texts are known", len(l.explained))
	}
}

// Somebody waits for a read; what goes over all claims, and what writes, takes as
// long as it takes.
func TestOnlyReadsHaveATimeLimit(t *testing.T) {
	for _, test := range []struct{ parameter, read, write string }{
		{"", "30s", "0"},
		{"?statement_timeout=200", "200ms", "0"},
		{"?options=-c%20statement_timeout%3D1min", "1min", "0"},
	} {
		s := open(t, pgtest.URL(t)+test.parameter)
		limit := func(through func(context.Context, func(tx) error) error) (v string) {
			t.Helper()
			err := through(t.Context(), func(x tx) error {
				return x.query("SELECT current_setting('statement_timeout')", nil, func(r row) error {
					v = r.text(0)
					return nil
				})
			})
			if err != nil {
				t.Error(err)
			}
			return v
		}
		write := func(ctx context.Context, f func(tx) error) error { return s.writeQuietly(ctx, 1, f) }
		if read, scan, write := limit(s.read), limit(s.scan), limit(write); read != test.read || scan != "0" || write != test.write {
			t.Errorf("%q: read %s, scan %s, write %s", test.parameter, read, scan, write)
		}
		if test.read != "200ms" {
			continue
		}
		err := s.read(t.Context(), func(x tx) error {
			return x.query("SELECT pg_sleep(60)", nil, func(row) error { return nil })
		})
		if upstream.ErrorCode(err) != upstream.Unavailable || !strings.Contains(fmt.Sprint(err), "too long") {
			t.Errorf("%v (%s), want unavailable", err, upstream.ErrorCode(err))
		}
		allWork(t, s)
	}
}

func TestThePoolIsAsLargeAsTheURLSays(t *testing.T) {
	url := pgtest.URL(t)
	for parameter, want := range map[string]int{"": max(4, 4*runtime.NumCPU()), "?pool_max_conns=3": 3} {
		if got := open(t, url+parameter).Pool().Max; got != want {
			t.Errorf("%q: %d connections, want %d", parameter, got, want)
		}
	}
}

// Readers that overlap keep SQLite from starting its log anew.
func TestTheLogStaysSmallWhileReadersOverlap(t *testing.T) {
	const rows, limit = 5000, 1 << 19
	peak := func(limit int64) (peak int64) {
		path := filepath.Join(t.TempDir(), "test.db")
		s := open(t, "sqlite:"+path)
		tenant := customer(t, s, "A")
		e := s.db.(*sqliteEngine)
		e.walLimit, e.walNext = limit, limit
		ctx, cancel := context.WithCancel(t.Context())
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for ctx.Err() == nil {
					_ = s.read(ctx, func(x tx) error {
						_, err := one(x, "SELECT COUNT(*) FROM customer")
						time.Sleep(5 * time.Millisecond)
						return err
					})
				}
			})
		}
		_, err := tenant.Load(t.Context(), generated(t, rows), LoadOptions{BatchRows: 100, Now: now, Progress: func(int64) {
			if log, err := os.Stat(path + "-wal"); err == nil {
				peak = max(peak, log.Size())
			}
		}})
		if err != nil {
			t.Error(err)
		}
		cancel()
		readers.Wait()
		consistent(t, tenant)
		return peak
	}
	small, large := peak(limit), peak(1<<40)
	if small > 3*limit || large < 2*small {
		t.Errorf("the log grew to %d bytes with a limit of %d, to %d without", small, limit, large)
	}
}
