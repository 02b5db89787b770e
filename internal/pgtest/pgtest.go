// Package pgtest runs a private PostgreSQL for tests: one server a test process,
// one fresh database a test.
package pgtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
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

var server struct {
	once    sync.Once
	url     string // without a database
	problem string
	stop    func()
	count   int
	mu      sync.Mutex
}

// URL returns the address of a fresh, empty database that is dropped with the
// test. The server is the one of UPSTREAM_TEST_POSTGRES, or one of our own.
func URL(t testing.TB) string {
	t.Helper()
	server.once.Do(start)
	if server.problem != "" {
		Missing(t, "PostgreSQL ("+server.problem+"; scripts/install-test-tools.sh installs it)")
	}
	server.mu.Lock()
	server.count++
	name := fmt.Sprintf("upstream_test_%d_%d", os.Getpid(), server.count)
	server.mu.Unlock()
	execute(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { execute(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return server.url + "/" + name
}

func execute(t testing.TB, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, server.url+"/postgres")
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
	if url := os.Getenv("UPSTREAM_TEST_POSTGRES"); url != "" {
		server.url = url
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
	cmd = exec.Command(postgres, "-D", data, "-p", strconv.Itoa(port), "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200")
	cmd.SysProcAttr, cmd.Dir = attributes, dir
	if err := cmd.Start(); err != nil {
		return err
	}
	server.url = fmt.Sprintf("postgres://upstream@127.0.0.1:%d", port)
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
		if c, err = pgx.Connect(ctx, server.url+"/postgres"); err == nil {
			err = c.Close(ctx)
			cancel()
			return err
		}
		cancel()
		time.Sleep(100 * time.Millisecond)
	}
	return err
}
