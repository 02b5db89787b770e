package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"upstream"
	"upstream/internal/pgtest"
	"zombiezen.com/go/sqlite"
)

// calls are the ways into a database.
func calls(s *Store) map[string]func(context.Context) error {
	nothing := func(x tx) error {
		_, err := one(x, "SELECT COUNT(*) FROM customer")
		return err
	}
	return map[string]func(context.Context) error{
		"read":  func(ctx context.Context) error { return s.read(ctx, nothing) },
		"scan":  func(ctx context.Context) error { return s.scan(ctx, nothing) },
		"write": func(ctx context.Context) error { return s.writeQuietly(ctx, 0, nothing) },
		"peek": func(ctx context.Context) error {
			_, err := s.Revisions(ctx, 1)
			return err
		},
		"ping": s.Ping,
	}
}

func allUnavailable(t *testing.T, s *Store) {
	t.Helper()
	for name, call := range calls(s) {
		if err := call(t.Context()); upstream.ErrorCode(err) != upstream.Unavailable {
			t.Errorf("%s: %v (%s), want unavailable", name, err, upstream.ErrorCode(err))
		}
	}
}

func allWork(t *testing.T, s *Store) {
	t.Helper()
	for name, call := range calls(s) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPostgresThatDiesIsUnavailableUntilItIsBack(t *testing.T) {
	server := pgtest.Private(t)
	s := open(t, server.URL+"?pool_max_conns=8")
	tenant := customer(t, s, "A")
	load(t, tenant, source("one", many(100)...), 50)

	for round := range 2 {
		crowd(t, s) // eight connections lie idle when the server dies
		server.Kill()
		allUnavailable(t, s)
		server.Start(t)
		// The first requests after it find no dead connection.
		crowd(t, s)
		allWork(t, s)

		crowd(t, s)
		server.Kill()
		server.Start(t) // before anybody noticed
		crowd(t, s)
		allWork(t, s)
		consistent(t, tenant)
		load(t, tenant, source(fmt.Sprint("more", round), decided(fmt.Sprint("X", round), 20_000, 5, upstream.Paid)), 0)
	}
}

// crowd has eight requests at once, of which none fails.
func crowd(t *testing.T, s *Store) {
	t.Helper()
	var arrived, wg sync.WaitGroup
	arrived.Add(8)
	for range 8 {
		wg.Go(func() {
			err := s.read(t.Context(), func(x tx) error {
				_, err := one(x, "SELECT COUNT(*) FROM customer")
				arrived.Done()
				arrived.Wait() // each holds a connection of its own
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestAPostgresThatDiesInTheMiddleIsUnavailable(t *testing.T) {
	server := pgtest.Private(t)
	s := open(t, server.URL)
	load(t, customer(t, s, "A"), source("one", many(1)...), 0)
	count := func(x tx) error {
		_, err := one(x, "SELECT COUNT(*) FROM customer")
		return err
	}
	middle := map[string]func(die func()) error{
		"between two statements": func(die func()) error {
			return s.read(t.Context(), func(x tx) error {
				die()
				return count(x)
			})
		},
		"in a statement": func(die func()) error {
			return s.read(t.Context(), func(x tx) error {
				time.AfterFunc(100*time.Millisecond, die)
				return x.query("SELECT pg_sleep(60)", nil, func(row) error { return nil })
			})
		},
		"while rows come": func(die func()) error {
			return s.read(t.Context(), func(x tx) error {
				n := 0
				return x.query("SELECT repeat('x', 10000) FROM generate_series(1, 100000)", nil, func(row) error {
					if n++; n == 10 {
						die()
					}
					return nil
				})
			})
		},
		"before the commit": func(die func()) error {
			return s.write(t.Context(), 1, func(tx) error {
				die()
				return nil
			})
		},
		"in many inserts": func(die func()) error {
			return s.write(t.Context(), 1, func(x tx) error {
				return x.execMany("INSERT INTO upload_reject (customer_id, upload_id, row_number, column_name, value_class, reason) VALUES (1, 1, $1, '', '', '')", 3000, func(i int, p []any) {
					if i == 1500 {
						die()
					}
					p[0] = i
				})
			})
		},
	}
	for name, call := range middle {
		t.Run(name, func(t *testing.T) {
			var died sync.Mutex // by another goroutine, perhaps
			killed := false
			err := call(func() {
				died.Lock()
				defer died.Unlock()
				server.Kill()
				killed = true
			})
			died.Lock()
			defer died.Unlock()
			if !killed {
				t.Fatalf("it ended before the server died: %v", err)
			}
			if upstream.ErrorCode(err) != upstream.Unavailable {
				t.Errorf("%v (%s), want unavailable", err, upstream.ErrorCode(err))
			}
			server.Start(t)
			allWork(t, s)
		})
	}
}

func TestAClosedStoreIsUnavailable(t *testing.T) {
	for _, e := range engines {
		t.Run(e.Name, func(t *testing.T) {
			s, err := Open(t.Context(), e.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // to close it once more does nothing
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				allUnavailable(t, s)
			}
		})
	}
}

func TestAnEndedContextIsNoFaultOfTheDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for name, call := range calls(s) {
			if err := call(ctx); !errors.Is(err, context.Canceled) {
				// SQLite finds the deleted file first, and nothing else, in a ping.
				t.Errorf("%s: %v, want canceled", name, err)
			}
		}
		allWork(t, s)
	})
}

func TestWaitingInVainForAConnectionIsUnavailable(t *testing.T) {
	for _, e := range engines {
		t.Run(e.Name, func(t *testing.T) {
			url := e.URL(t)
			if e.Name == "postgres" {
				url += "?pool_max_conns=4"
			}
			s := open(t, url)
			release := make(chan struct{})
			var holding, wg sync.WaitGroup
			readers := s.Pool().Max
			if e.Name == "sqlite" {
				readers-- // the other one writes
			}
			holding.Add(readers)
			for range readers {
				wg.Go(func() {
					err := s.read(t.Context(), func(x tx) error {
						_, err := one(x, "SELECT COUNT(*) FROM customer")
						holding.Done()
						<-release
						return err
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			holding.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := s.Revisions(ctx, 1)
			if upstream.ErrorCode(err) != upstream.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v (%s), want unavailable by the deadline", err, upstream.ErrorCode(err))
			}
			pool := s.Pool()
			if pool.Busy != readers || pool.Waiting != 0 {
				t.Errorf("%+v, want %d busy", pool, readers)
			}
			before := pool.Waits
			waiting := make(chan error)
			go func() {
				_, err := s.Revisions(t.Context(), 1)
				waiting <- err
			}()
			for s.Pool().Waiting == 0 {
				time.Sleep(time.Millisecond)
			}
			close(release)
			if err := <-waiting; err != nil {
				t.Error(err)
			}
			wg.Wait()
			pool = s.Pool()
			if pool.Busy != 0 || pool.Waiting != 0 || pool.Waits <= before || pool.Waited <= 0 || pool.Open < readers || pool.Open > pool.Max {
				t.Errorf("%+v after all have gone", pool)
			}
		})
	}
}

func TestADeletedSQLiteFileTakesNoMoreWrites(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"deleted": os.Remove,
		"moved":   func(path string) error { return os.Rename(path, path+".old") },
		"replaced": func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "test.db")
			s := open(t, "sqlite:"+path)
			customer(t, s, "A")
			allWork(t, s)
			if err := lose(path); err != nil {
				t.Fatal(err)
			}
			_, err := s.CreateCustomer(t.Context(), "B", now)
			for what, err := range map[string]error{"write": err, "ping": s.Ping(t.Context())} {
				if upstream.ErrorCode(err) != upstream.Unavailable || !strings.Contains(fmt.Sprint(err), "deleted") {
					t.Errorf("%s: %v (%s), want unavailable", what, err, upstream.ErrorCode(err))
				}
			}
		})
	}
}

func TestCodesOfDatabasesHaveCodesOfOurs(t *testing.T) {
	type told = map[string]upstream.Code
	got := told{}
	want := told{
		"57P01": upstream.Unavailable, "57P02": upstream.Unavailable, "57P03": upstream.Unavailable, "57014": upstream.Unavailable,
		"08006": upstream.Unavailable, "53100": upstream.Unavailable, "53300": upstream.Unavailable, "58030": upstream.Unavailable,
		"25006": upstream.Unavailable, "42501": upstream.Unavailable, "XX001": upstream.Corrupt, "XX002": upstream.Corrupt,
		"XX000": upstream.Internal, "23505": upstream.Internal, "42703": upstream.Internal,
	}
	for code := range want {
		err := postgresError(fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code, Message: "m", Detail: "Key (claim_id)=(C1)"}), false)
		got[code] = upstream.ErrorCode(err)
		if strings.Contains(err.Error(), "C1") {
			t.Errorf("%s tells a row: %v", code, err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("PostgreSQL (-want +got):\n%s", diff)
	}
	got, want = told{}, told{}
	for code, ours := range map[sqlite.ResultCode]upstream.Code{
		sqlite.ResultIOErr: upstream.Unavailable, sqlite.ResultIOErrRead: upstream.Unavailable, sqlite.ResultIOErrFsync: upstream.Unavailable,
		sqlite.ResultFull: upstream.Unavailable, sqlite.ResultCantOpen: upstream.Unavailable, sqlite.ResultReadOnly: upstream.Unavailable,
		sqlite.ResultNoMem: upstream.Unavailable, sqlite.ResultInterrupt: upstream.Unavailable,
		sqlite.ResultBusy: upstream.Unavailable, sqlite.ResultLocked: upstream.Unavailable, sqlite.ResultCorrupt: upstream.Corrupt, sqlite.ResultNotADB: upstream.Invalid,
		sqlite.ResultConstraint: upstream.Internal, sqlite.ResultError: upstream.Internal,
	} {
		want[code.String()] = ours
		got[code.String()] = upstream.ErrorCode(sqliteError("x.db", fmt.Errorf("wrapped: %w", code.ToError())))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("SQLite (-want +got):\n%s", diff)
	}
}
