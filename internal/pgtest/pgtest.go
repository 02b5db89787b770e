// Package pgtest runs a private PostgreSQL for tests: one server a test process,
// one fresh database a test.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

// NoSkip is the variable that makes a missing tool a failure: CI sets it to 1.
const NoSkip = "UPSTREAM_TEST_NO_SKIP"

// Missing skips a test that lacks a tool, loudly, or fails it in CI.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv(NoSkip) == "1" {
		t.Fatalf("%s is missing, and %s=1 forbids to skip", what, NoSkip)
	}
	t.Skipf("SKIPPED, NOT TESTED: %s is missing", what)
}

// The variables that choose the server: the URL of one that runs already, or
// "on" to have our own one flush to disk, as a benchmark wants it.
const (
	serverVariable = "UPSTREAM_TEST_POSTGRES"
	fsyncVariable  = "UPSTREAM_TEST_POSTGRES_FSYNC"
)

var server struct {
	once    sync.Once
	url     string
	problem string
	stop    func()
	count   atomic.Int64
}

// URL returns the address of a fresh, empty database that is dropped with the
// test. The server is the one of UPSTREAM_TEST_POSTGRES, whose user must be allowed
// to create databases, or one of our own.
func URL(t testing.TB) string {
	t.Helper()
	server.once.Do(start)
	if server.problem != "" {
		missing(t, server.problem)
	}
	name := fmt.Sprintf("upstream_test_%d_%d", os.Getpid(), server.count.Add(1))
	execute(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { execute(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return withDatabase(server.url, name)
}

// withDatabase replaces the database of a URL and keeps everything else of it.
func withDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server // connecting says what is wrong with it
	}
	u.Path = "/" + name
	return u.String()
}

func execute(t testing.TB, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, withDatabase(server.url, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
}

// missing skips or fails a test for want of a server.
func missing(t testing.TB, problem string) {
	t.Helper()
	Missing(t, "PostgreSQL ("+problem+"; scripts/install-test-tools.sh installs it)")
}

// Main runs the tests of a package and stops the server; call it from TestMain.
func Main(m *testing.M) int {
	code := m.Run()
	if server.stop != nil {
		server.stop()
	}
	return code
}

// MainWithoutLeaks is Main, and fails where goroutines are left behind.
func MainWithoutLeaks(m *testing.M) int {
	code := Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// Engine is a database that tests run on; URL is that of a fresh one.
type Engine struct {
	Name string
	URL  func(testing.TB) string
}

// Engines are both. PostgreSQL is told as missing where there is none.
var Engines = []Engine{
	{"sqlite", func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.db") }},
	{"postgres", URL},
}

func start() {
	if server.url = os.Getenv(serverVariable); server.url != "" {
		return
	}
	own, err := launch()
	if own != nil {
		server.stop = own.remove
	}
	if err != nil {
		server.problem = err.Error()
		return
	}
	server.url = own.URL
}

// binary finds a program of PostgreSQL in the PATH, or where Debian keeps it.
func binary(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return ""
	}
	return slices.Max(found)
}
