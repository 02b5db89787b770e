package pgtest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) {
	code := Main(m)
	if left := leftover(); left != "" {
		println("the server left behind:", left)
		code = 1
	}
	os.Exit(code)
}

// leftover tells what a stopped server has left, if anything.
func leftover() string {
	switch {
	case started.directory == "":
		return ""
	case exists(started.directory):
		return started.directory
	case syscall.Kill(started.pid, 0) == nil:
		return "a process"
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// started is the server of this process, as a test found it running.
var started struct {
	directory string
	pid       int
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func value[T any](t *testing.T, c *pgx.Conn, sql string, args ...any) (v T) {
	t.Helper()
	if err := c.QueryRow(context.Background(), sql, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEveryTestHasAnEmptyDatabaseThatGoesWithIt(t *testing.T) {
	var first string
	t.Run("one", func(t *testing.T) {
		c := connect(t, URL(t))
		first = value[string](t, c, "SELECT current_database()")
		if n := value[int](t, c, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"); n != 0 {
			t.Errorf("%d tables in a fresh database", n)
		}
		if _, err := c.Exec(context.Background(), "CREATE TABLE mine (x int)"); err != nil {
			t.Fatal(err)
		}
	})
	c := connect(t, URL(t))
	if second := value[string](t, c, "SELECT current_database()"); second == first {
		t.Errorf("two tests share %s", second)
	}
	if n := value[int](t, c, "SELECT count(*) FROM pg_tables WHERE tablename = 'mine'"); n != 0 {
		t.Error("a table of the first test is seen by the second")
	}
	if n := value[int](t, c, "SELECT count(*) FROM pg_database WHERE datname = $1", first); n != 0 {
		t.Errorf("%s is still there after its test", first)
	}
}

func TestTheServerIsPrivate(t *testing.T) {
	url := URL(t)
	if os.Getenv(serverVariable) != "" {
		t.Skip("the server is not ours")
	}
	c := connect(t, url)
	if at := value[string](t, c, "SHOW listen_addresses"); at != "127.0.0.1" {
		t.Errorf("listens at %q", at)
	}
	data := value[string](t, c, "SHOW data_directory")
	if !strings.HasPrefix(data, os.TempDir()) {
		t.Errorf("data in %q", data)
	}
	if fsync := value[string](t, c, "SHOW fsync"); os.Getenv(fsyncVariable) == "" && fsync != "off" {
		t.Errorf("fsync %q", fsync)
	}
	started.directory = filepath.Dir(data)
	started.pid = postmaster(t, data)
}

// postmaster reads the id of the server's process.
func postmaster(t *testing.T, data string) (pid int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	for _, digit := range strings.SplitN(string(text), "\n", 2)[0] {
		pid = pid*10 + int(digit-'0')
	}
	return pid
}

func TestWithDatabaseKeepsTheRestOfTheURL(t *testing.T) {
	for _, test := range []struct{ server, want string }{
		{"postgres://u@h:1", "postgres://u@h:1/x"},
		{"postgres://u@h:1/", "postgres://u@h:1/x"},
		{"postgres://u:p%2Fw@h:1/postgres?sslmode=disable", "postgres://u:p%2Fw@h:1/x?sslmode=disable"},
		{"postgres:///postgres?host=/run/postgresql", "postgres:///x?host=/run/postgresql"},
	} {
		if got := withDatabase(test.server, "x"); got != test.want {
			t.Errorf("%s became %s, want %s", test.server, got, test.want)
		}
	}
}

// recorder is a test that notes how it ended.
type recorder struct {
	testing.TB
	skipped, failed string
}

func (*recorder) Helper() {}

func (r *recorder) Skipf(format string, _ ...any) { r.skipped = format }

func (r *recorder) Fatalf(format string, _ ...any) { r.failed = format }

func (r *recorder) ended() string { return r.skipped + r.failed }

func TestAMissingToolIsSkippedLoudlyAndFailsInCI(t *testing.T) {
	t.Setenv(NoSkip, "1")
	ci := &recorder{TB: t}
	Missing(ci, "PostgreSQL")
	if ci.failed == "" {
		t.Errorf("in CI a missing tool ends in %q, want a failure", ci.ended())
	}
	t.Setenv(NoSkip, "")
	here := &recorder{TB: t}
	Missing(here, "PostgreSQL")
	if here.failed != "" || !strings.HasPrefix(here.skipped, "SKIPPED") {
		t.Errorf("elsewhere it ends in %q, want SKIPPED…", here.ended())
	}
}

func TestBinariesAreFoundOutsideThePath(t *testing.T) {
	inPath := binary("initdb")
	if inPath == "" {
		Missing(t, "PostgreSQL")
	}
	t.Setenv("PATH", t.TempDir())
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 && binary("initdb") == "" {
		t.Error("initdb is not found where Debian keeps it")
	}
	if got := binary("no-such-program-of-postgresql"); got != "" {
		t.Errorf("found %s", got)
	}
}

func TestAPrivateServerKeepsWhatWasCommittedWhenItIsKilled(t *testing.T) {
	ctx := context.Background()
	s := Private(t)
	c := connect(t, s.URL)
	if _, err := c.Exec(ctx, "CREATE TABLE mine AS SELECT 7 AS x"); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := c.Ping(ctx); err == nil {
		t.Error("the connection outlives the server")
	}
	if again, err := pgx.Connect(ctx, s.URL); err == nil {
		again.Close(ctx)
		t.Error("a killed server takes connections")
	}
	s.Start(t)
	if x := value[int](t, connect(t, s.URL), "SELECT x FROM mine"); x != 7 {
		t.Errorf("%d after the crash, want 7", x)
	}
}
