package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upstream/internal/pgtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// world is what a command is run in: a directory, a database, a date.
type world struct {
	testing.TB
	dir, database string
	now           time.Time
	typed         string // what is typed into the next command
}

// inSQLite makes a world on an embedded database.
func inSQLite(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	return &world{TB: t, dir: dir, database: "sqlite:" + filepath.Join(dir, "upstream.db"), now: time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)}
}

// onBoth runs a test in a world of each engine; in SQLite alone with -short.
func onBoth(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) { f(t, inSQLite(t)) })
	t.Run("postgres", func(t *testing.T) {
		if testing.Short() {
			t.Skip("PostgreSQL is left to the run without -short")
		}
		w := inSQLite(t)
		w.database = pgtest.URL(t)
		f(t, w)
	})
}

// result is what came of a command.
type result struct {
	code           int
	stdout, stderr string
}

// run runs a command in this process.
func (w *world) run(args ...string) result {
	return w.runWith(context.Background(), []string{"UPSTREAM_DATABASE=" + w.database}, args...)
}

func (w *world) runWith(ctx context.Context, vars []string, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, environment{vars: vars, stdin: strings.NewReader(w.typed), stdout: &stdout, stderr: &stderr, now: func() time.Time { return w.now }})
	return result{code, stdout.String(), stderr.String()}
}

// must runs a command that has to succeed and returns what it printed.
func (w *world) must(args ...string) string {
	w.Helper()
	r := w.run(args...)
	if r.code != exitOK {
		w.Fatalf("%q: exit code %d\n%s", args, r.code, r.stderr)
	}
	return r.stdout
}

// fails runs a command that has to fail with a code, and returns its one line.
func (w *world) fails(code int, args ...string) string {
	w.Helper()
	r := w.run(args...)
	if r.code != code {
		w.Fatalf("%q: exit code %d, want %d\n%s%s", args, r.code, code, r.stdout, r.stderr)
	}
	return w.line(r.stderr)
}

// line checks that an error is told in one line that begins with our name.
func (w *world) line(stderr string) string {
	w.Helper()
	if !strings.HasPrefix(stderr, "upstream: ") || strings.Count(stderr, "\n") != 1 {
		w.Fatalf("the error is not told in one line:\n%s", stderr)
	}
	return strings.TrimSpace(stderr)
}

// file writes a file and returns its path.
func (w *world) file(name, text string) string {
	w.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	return path
}

func (w *world) read(path string) string {
	w.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		w.Fatal(err)
	}
	return string(b)
}

// parsed is a JSON object; numbers are float64.
type parsed = map[string]any

// jsonOf runs a command that prints a JSON object.
func (w *world) jsonOf(args ...string) parsed {
	w.Helper()
	return parse(w, w.must(args...))
}

func parse(t testing.TB, text string) parsed {
	t.Helper()
	var out parsed
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("not a JSON object: %v\n%s", err, text)
	}
	return out
}

// has checks that a JSON object has all the keys.
func has(t testing.TB, what string, object any, keys ...string) parsed {
	t.Helper()
	o, ok := object.(parsed)
	if !ok {
		t.Fatalf("%s is a %T, want an object", what, object)
	}
	for _, k := range keys {
		if _, ok := o[k]; !ok {
			t.Errorf("%s has no %q: %v", what, k, o)
		}
	}
	return o
}

// contains checks that a text has all the parts.
func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is missing in:\n%s", p, text)
		}
	}
}

// sample is a file of the reader's own samples.
func sample(name string) string {
	return filepath.Join("..", "..", "internal", "ingest", "testdata", name)
}
