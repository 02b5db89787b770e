package load

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"upstream/internal/pgtest"
)

// locustPrograms are real masters: the first Locust in the PATH, and a recent one that
// scripts/install-test-tools.sh puts beside it.
var locustPrograms = []string{"locust", recentLocust}

const recentLocust = "locust-recent"

// forEachMaster runs a test with each of them.
func forEachMaster(t *testing.T, test func(t *testing.T, program string)) {
	if testing.Short() {
		t.Skip("real masters take seconds")
	}
	for _, name := range locustPrograms {
		t.Run(name, func(t *testing.T) {
			program, err := exec.LookPath(name)
			if err != nil {
				if program, err = filepath.Abs("../../bin/" + name); err == nil {
					_, err = os.Stat(program)
				}
			}
			if err != nil && name == recentLocust { // PyPI is not everywhere
				t.Skip("WITHOUT A RECENT LOCUST: scripts/install-test-tools.sh installs it where it can")
			}
			if err != nil {
				pgtest.Missing(t, name+" (scripts/install-test-tools.sh installs it)")
			}
			t.Parallel()
			test(t, program)
		})
	}
}

// The master's locustfile names the classes, and writes what it has counted at its end
// to a file: its own CSV files lack what comes in late.
const mastersFile = `
import json, os
from locust import HttpUser, events, task

class Reader(HttpUser):
    weight = 2
    @task
    def read(self): pass

class Writer(HttpUser):
    @task
    def write(self): pass

if os.environ.get("WITH_STRANGER"):
    class Stranger(HttpUser):
        @task
        def work(self): pass

environment = None

@events.init.add_listener
def begin(environment, **_):
    globals()["environment"] = environment

@events.quit.add_listener
def end(**_):
    s = environment.stats
    with open(os.environ["COUNTED"], "w") as f:
        json.dump({
            "total": s.total.num_requests,
            "failures": s.total.num_failures,
            "bytes": s.total.total_content_length,
            "times": sum(s.total.response_times.values()),
            "seconds": sum(s.total.num_reqs_per_sec.values()),
            "entries": {e.method + " " + e.name: e.num_requests for e in s.entries.values()},
            "errors": {e.error: e.occurrences for e in s.errors.values()},
            "exceptions": {e["msg"]: e["count"] for e in environment.runner.exceptions.values()},
        }, f)
`

// counted is what a master counted.
type counted struct {
	Total, Failures, Bytes, Times, Seconds int64
	Entries, Errors, Exceptions            map[string]int64
}

// master is a running master of Locust.
type master struct {
	cmd     *exec.Cmd
	address string
	port    string
	dir     string
	out     pgtest.Output
	ended   chan error
}

func startMaster(t *testing.T, program, port string, env []string, args ...string) *master {
	t.Helper()
	m := &master{dir: t.TempDir(), port: port, address: "127.0.0.1:" + port, ended: make(chan error, 1)}
	if err := os.WriteFile(filepath.Join(m.dir, "locustfile.py"), []byte(mastersFile), 0o600); err != nil {
		t.Fatal(err)
	}
	m.cmd = exec.Command(program, append([]string{"--master", "-f", "locustfile.py", "--master-bind-host", "127.0.0.1", "--master-bind-port", port}, args...)...)
	m.cmd.Dir, m.cmd.Stdout, m.cmd.Stderr = m.dir, &m.out, &m.out
	m.cmd.Env = append(append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "COUNTED=counted.json"), env...)
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { m.ended <- m.cmd.Wait() }()
	t.Cleanup(func() {
		m.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("the master said:\n%s", &m.out)
		}
	})
	return m
}

// counted waits for the master's end.
func (m *master) counted(t *testing.T) (c counted) {
	t.Helper()
	select {
	case <-m.ended:
	case <-time.After(time.Minute):
		t.Fatal("the master does not end")
	}
	b, err := os.ReadFile(filepath.Join(m.dir, "counted.json"))
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// target counts the requests that it answers.
type target struct {
	*httptest.Server
	total, failed, bytes atomic.Int64
}

func newTarget(t *testing.T) *target {
	s := &target{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := s.total.Add(1)
		if r.URL.Path == "/write" && n%10 == 0 {
			s.failed.Add(1)
			w.WriteHeader(http.StatusInternalServerError)
		}
		k, _ := fmt.Fprintf(w, "answer %d", n)
		s.bytes.Add(int64(k))
	}))
	t.Cleanup(s.Close)
	return s
}

// readerAndWriter are classes of users that ask a target over and over.
func readerAndWriter() []*Class {
	ask := func(path string) []Task { return []Task{{Run: func(u *User) { u.Get(path) }}} }
	return []*Class{
		{Name: "Reader", Wait: Constant(3 * time.Millisecond), Tasks: ask("/read")},
		{Name: "Writer", Wait: Constant(3 * time.Millisecond), Tasks: ask("/write")},
	}
}

// running is a worker at work.
type running struct {
	fleet *RunnerFleet
	log   *pgtest.Output
	stop  context.CancelFunc
	ended chan error
}

func startWorker(t *testing.T, address string, engine Engine) *running {
	t.Helper()
	return startWorkerOf(t, address, engine, readerAndWriter())
}

func startWorkerOf(t *testing.T, address string, engine Engine, classes []*Class) *running {
	t.Helper()
	r := &running{log: &pgtest.Output{}, ended: make(chan error, 1)}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	log := slog.New(slog.NewTextHandler(r.log, nil))
	r.fleet = &RunnerFleet{Runner: NewRunner(ctx, log), Plan: Plan{Classes: classes, Engine: engine, Timeout: 10 * time.Second, StopTimeout: 5 * time.Second}}
	w := &LocustWorker{Master: address, ID: NewWorkerID(), Fleet: r.fleet, Log: log}
	go func() { r.ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		r.stop()
		if t.Failed() {
			t.Logf("a worker said:\n%s", r.log)
		}
	})
	return r
}

// requests is what the worker itself counts in its last run.
func (r *running) requests() int64 { return r.fleet.Runner.Snapshot().Total.Requests }

func (r *running) end(t *testing.T) {
	t.Helper()
	select {
	case err := <-r.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the worker does not end")
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 600 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("never: " + what)
}

// equal checks that nobody counted anything else than the server did.
func (s *target) equal(t *testing.T, c counted, workers ...*running) {
	t.Helper()
	var all int64
	for _, r := range workers {
		all += r.requests()
	}
	n := s.total.Load()
	if n == 0 || c.Total != n || all != n || c.Times != n || c.Seconds != n {
		t.Errorf("the server answered %d requests, the workers count %d, the master %+v", n, all, c)
	}
	if c.Bytes != s.bytes.Load() || c.Failures != s.failed.Load() || c.Errors["status 500"] != s.failed.Load() {
		t.Errorf("the server sent %d bytes and failed %d times, the master counts %+v", s.bytes.Load(), s.failed.Load(), c)
	}
	if c.Entries["GET /read"]+c.Entries["GET /write"] != n || len(c.Entries) != 2 {
		t.Errorf("the master counts by name %v", c.Entries)
	}
	t.Logf("server %d, workers %d, master %d", n, all, c.Total)
}
