// Package pgtest runs a private PostgreSQL for tests: one server a test process,
// one fresh database a test.
package pgtest

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
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
		Missing(t, "PostgreSQL ("+server.problem+"; scripts/install-test-tools.sh installs it)")
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

// Main runs the tests of a package and stops the server; call it from TestMain.
func Main(m *testing.M) int {
	code := m.Run()
	if server.stop != nil {
		server.stop()
	}
	return code
}

func start() {
	if server.url = os.Getenv(serverVariable); server.url != "" {
		return
	}
	initdb, postgres := binary("initdb"), binary("postgres")
	if initdb == "" || postgres == "" {
		server.problem = "not installed"
		return
	}
	if err := launch(initdb, postgres); err != nil {
		server.problem = err.Error()
	}
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

func launch(initdb, postgres string) error {
	dir, err := os.MkdirTemp("", "upstream-postgres-")
	if err != nil {
		return err
	}
	server.stop = func() { _ = os.RemoveAll(dir) }
	attributes, err := unprivileged(dir)
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	cmd := exec.Command(initdb, "-D", data, "-A", "trust", "-U", "upstream", "-E", "UTF8", "--no-locale", "--no-sync")
	cmd.SysProcAttr, cmd.Dir = attributes, dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	// A crash of the machine may lose a test's data; a crash of a client never does.
	fsync := cmp.Or(os.Getenv(fsyncVariable), "off")
	cmd = exec.Command(postgres, "-D", data, "-p", strconv.Itoa(port), "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync="+fsync, "-c", "max_connections=200")
	cmd.SysProcAttr, cmd.Dir = attributes, dir
	if err := cmd.Start(); err != nil {
		return err
	}
	server.url = fmt.Sprintf("postgres://upstream@127.0.0.1:%d/postgres", port)
	server.stop = func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}
	return ready()
}

// unprivileged gives the directory to the user postgres when we are root, as
// PostgreSQL refuses to run as root. The server dies with the test process.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		return attributes, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attributes, os.Chown(dir, uid, gid)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func ready() error {
	var err error
	for range 300 {
		var c *pgx.Conn
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		if c, err = pgx.Connect(ctx, server.url); err == nil {
			err = c.Close(ctx)
			cancel()
			return err
		}
		cancel()
		time.Sleep(100 * time.Millisecond)
	}
	return err
}
