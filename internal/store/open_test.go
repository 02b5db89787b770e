package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"upstream"
	"upstream/internal/pgtest"
)

func TestOpenSaysWhatIsWrongWithADatabase(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name, url string
		code      upstream.Code
		says      string
	}{
		{"nothing", "", upstream.Invalid, "sqlite:FILE"},
		{"a bare path", "claims.db", upstream.Invalid, "--database"},
		{"no file name", "sqlite:", upstream.Invalid, "sqlite:FILE"},
		{"another scheme", "mysql://localhost/x", upstream.Invalid, "postgres://"},
		{"no such directory", "sqlite:" + dir + "/none/x.db", upstream.NotFound, "directory"},
		{"a directory", "sqlite:" + dir, upstream.Invalid, "is a directory"},
		{"another file", "sqlite:" + file("text.db", strings.Repeat("no database ", 1000)), upstream.Invalid, "not an Upstream database"},
		{"nobody listens", "postgres://me:secret@127.0.0.1:1/x", upstream.Unavailable, "can't reach PostgreSQL"},
		{"malformed", "postgres://me:secret@127.0.0.1:port/x", upstream.Invalid, "postgres://user:password@host"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := Open(context.Background(), test.url)
			if err == nil {
				s.Close()
			}
			if upstream.ErrorCode(err) != test.code || !strings.Contains(fmt.Sprint(err), test.says) {
				t.Errorf("%v (%s), want %q (%s)", err, upstream.ErrorCode(err), test.says, test.code)
			}
			if strings.Contains(fmt.Sprint(err), "secret") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}

func TestSchemaIsMadeOnceAndNeverBackwards(t *testing.T) {
	for _, e := range engines {
		t.Run(e.Name, func(t *testing.T) {
			url := e.URL(t)
			ctx := context.Background()
			var wg sync.WaitGroup
			for range 4 { // several processes start at once
				wg.Go(func() {
					s, err := Open(ctx, url)
					if err != nil {
						t.Error(err)
						return
					}
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			s := open(t, url)
			all, err := migrations()
			if err != nil {
				t.Fatal(err)
			}
			if v, err := s.SchemaVersion(ctx); err != nil || v != int64(len(all)) {
				t.Errorf("schema %d, %v; want %d", v, err, len(all))
			}
			refuses := func(change, why string) {
				t.Helper()
				err := s.write(ctx, 0, func(x tx) error {
					_, err := x.exec(change)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				again, err := Open(ctx, url)
				if err == nil {
					again.Close()
				}
				if upstream.ErrorCode(err) != upstream.Conflict || !strings.Contains(fmt.Sprint(err), why) {
					t.Errorf("after %s: %v, want %q", change, err, why)
				}
			}
			refuses("INSERT INTO schema_migration (version, name, checksum) VALUES (99, '0099_future.sql', 'x')", "newer upstream")
			refuses("UPDATE schema_migration SET checksum = 'x' WHERE version = 1", "not the one of this upstream")
		})
	}
}

// A full disk keeps what was acknowledged and loses nothing of it.
func TestFullDiskLosesNothingThatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	if err := mountTmpfs(dir, "6m"); err != nil {
		pgtest.Missing(t, "the right to mount a small disk ("+err.Error()+")")
	}
	t.Cleanup(func() { unmount(t, dir) })
	s := open(t, "sqlite:"+filepath.Join(dir, "test.db"))
	tenant := customer(t, s, "A")
	const rows = 60_000
	u, err := tenant.Load(context.Background(), source("one", many(rows)...), LoadOptions{BatchRows: 500, Now: now})
	if upstream.ErrorCode(err) != upstream.Unavailable || !strings.Contains(fmt.Sprint(err), "full") {
		t.Fatalf("loading onto a full disk: %v, %+v", err, u)
	}
	acknowledged := int64(len(stored(t, tenant)))
	if acknowledged == 0 || acknowledged < u.Inserted {
		t.Errorf("%d claims are there, %d were acknowledged", acknowledged, u.Inserted)
	}
	consistent(t, tenant)
	if err := remountTmpfs(dir, "200m"); err != nil {
		t.Fatal(err)
	}
	if u := load(t, tenant, source("one", many(rows)...), 5000); u.Read != rows || u.Inserted != rows {
		t.Errorf("continued: %+v", u)
	}
	consistent(t, tenant)
}

func TestTextsFitTheirEngine(t *testing.T) {
	if got, _ := new(texts).text("a = $1 AND b = $12"); got != "a = ?1 AND b = ?12" {
		t.Error(got)
	}
	if got := placeholders(2, 3); got != "$2, $3, $4" {
		t.Error(got)
	}
	text := "a BLOB NOT NULL\nid INTEGER -- sqlite\nid BIGINT -- postgres\nx -- a remark\n"
	if got := dialect(text, "sqlite"); got != "a BLOB NOT NULL\nid INTEGER\nx -- a remark\n" {
		t.Errorf("%q", got)
	}
	if got := dialect(text, "postgres"); got != "a BYTEA NOT NULL\nid BIGINT\nx -- a remark\n" {
		t.Errorf("%q", got)
	}
}

// A pooler's usual setting asks for answers in text; ours are read as binary.
func TestPostgresModesForPoolersReadTheSame(t *testing.T) {
	for _, mode := range []string{"simple_protocol", "exec", "describe_exec", "cache_describe"} {
		s := open(t, pgtest.URL(t)+"?default_query_exec_mode="+mode)
		tenant := customer(t, s, "A")
		if u := load(t, tenant, source("one", many(300)...), 100); u.Inserted != 300 {
			t.Errorf("%s: %+v", mode, u)
		}
		consistent(t, tenant)
		if len(stored(t, tenant)) != 300 {
			t.Errorf("%s: %d claims", mode, len(stored(t, tenant)))
		}
	}
}

// Until autovacuum comes PostgreSQL takes a new customer for a small one, and a load
// gets slower with each claim: 80 s for a million instead of 15.
func TestLoadTellsPostgresThatTheTableHasGrown(t *testing.T) {
	s := open(t, pgtest.URL(t))
	load(t, customer(t, s, "A"), generated(t, firstAnalysis), 2500)
	var rows int64
	err := s.read(t.Context(), func(x tx) (err error) {
		rows, err = one(x, "SELECT reltuples::bigint FROM pg_class WHERE oid = 'claim'::regclass")
		return err
	})
	if err != nil || rows < firstAnalysis {
		t.Errorf("%d rows, %v: the planner knows less than were loaded", rows, err)
	}
}
