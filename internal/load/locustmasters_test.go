package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"upstream/internal/pgtest"
)

// Two workers, a run of some seconds, and the master quits at its end: its count, those
// of the workers and the server's are the same.
func TestMasterAndWorkersCountTheSame(t *testing.T) {
	forEachMaster(t, func(t *testing.T, program string) {
		s := newTarget(t)
		m := startMaster(t, program, pgtest.FreePort(t), nil, "--headless", "--expect-workers", "2", "-u", "9", "-r", "6", "-t", "5s", "-H", s.URL)
		a, b := startWorker(t, m.address, Std), startWorker(t, m.address, Fast)
		waitFor(t, "all users", func() bool {
			users := a.fleet.Users()
			for class, n := range b.fleet.Users() {
				users[class] += n
			}
			return maps.Equal(users, map[string]int{"Reader": 6, "Writer": 3})
		})
		c := m.counted(t)
		a.end(t)
		b.end(t)
		s.equal(t, c, a, b)
		if len(c.Exceptions) > 0 || strings.Contains(m.out.String(), "Traceback") {
			t.Errorf("%v\n%s", c.Exceptions, &m.out)
		}
	})
}

// A worker that is stopped itself tells all before it goes, and the master ends with
// its last worker.
func TestAWorkerThatIsStoppedTellsAll(t *testing.T) {
	forEachMaster(t, func(t *testing.T, program string) {
		s := newTarget(t)
		m := startMaster(t, program, pgtest.FreePort(t), nil, "--headless", "--expect-workers", "1", "-u", "5", "-r", "5", "-H", s.URL)
		w := startWorker(t, m.address, Fast)
		waitFor(t, "requests", func() bool { return s.total.Load() > 500 })
		w.stop()
		w.end(t)
		s.equal(t, m.counted(t), w)
	})
}

// A master that is ended by Ctrl-C amid a run, at full speed, has counted all.
func TestAMasterThatIsInterrupted(t *testing.T) {
	forEachMaster(t, func(t *testing.T, program string) {
		s := newTarget(t)
		m := startMaster(t, program, pgtest.FreePort(t), nil, "--headless", "--expect-workers", "1", "-u", "6", "-r", "6", "-H", s.URL)
		classes := readerAndWriter()
		for _, c := range classes {
			c.Wait = nil
		}
		w := startWorkerOf(t, m.address, Fast, classes)
		waitFor(t, "requests", func() bool { return s.total.Load() > 20_000 })
		if err := m.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		c := m.counted(t)
		w.end(t)
		s.equal(t, c, w)
	})
}

// By its page a master starts, changes and stops runs.
func TestAMastersPageStartsChangesAndStops(t *testing.T) {
	forEachMaster(t, func(t *testing.T, program string) {
		s := newTarget(t)
		web := pgtest.FreePort(t)
		m := startMaster(t, program, pgtest.FreePort(t), nil, "--web-host", "127.0.0.1", "--web-port", web, "-H", s.URL, "--csv", "run")
		w := startWorker(t, m.address, Fast)
		base := "http://127.0.0.1:" + web
		swarm := func(users int) {
			t.Helper()
			answer, err := http.Post(base+"/swarm", "application/x-www-form-urlencoded", strings.NewReader(fmt.Sprintf("user_count=%d&spawn_rate=100&host=%s", users, s.URL)))
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			waitFor(t, "users", func() bool { return sum(w.fleet.Users()) == users })
		}
		waitFor(t, "a worker", func() bool { return strings.Contains(w.log.String(), "connected to the master") })
		state := func() (s struct {
			State string
			Users int `json:"user_count"`
			Stats []struct {
				Name     string
				Requests int64 `json:"num_requests"`
			}
		},
		) {
			answer, err := http.Get(base + "/stats/requests")
			if err != nil {
				return s
			}
			defer answer.Body.Close()
			_ = json.NewDecoder(answer.Body).Decode(&s)
			return s
		}
		var before int64
		for range 2 { // the second run counts from nothing
			before = s.total.Load()
			swarm(7)
			waitFor(t, "requests", func() bool { return s.total.Load() > before+200 })
			swarm(3)
			swarm(4)
			waitFor(t, "more requests", func() bool { return s.total.Load() > before+400 })
			for _, method := range []string{http.MethodGet, http.MethodPost} { // of old and of new ones
				q, _ := http.NewRequest(method, base+"/stop", nil)
				answer, err := http.DefaultClient.Do(q)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
			}
			waitFor(t, "the end of the users", func() bool { return sum(w.fleet.Users()) == 0 })
			var last any
			waitFor(t, "the master's count being the server's", func() bool {
				now := state()
				last = now
				n := len(now.Stats)
				return n == 3 && now.Users == 0 && now.Stats[n-1].Requests == s.total.Load()-before
			})
			t.Logf("%+v", last)
		}
		waitFor(t, "the master's CSV file having the server's count", func() bool { // it is written every ten seconds
			b, _ := os.ReadFile(filepath.Join(m.dir, "run_stats.csv"))
			return strings.Contains(string(b), fmt.Sprintf("Aggregated,%d,", s.total.Load()-before))
		})
		if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		m.counted(t)
		w.end(t)
	})
}

// A master that is killed comes back, and the worker works for it, without being
// started again.
func TestAMasterComesBack(t *testing.T) {
	forEachMaster(t, func(t *testing.T, program string) {
		s := newTarget(t)
		port := pgtest.FreePort(t)
		args := []string{"--headless", "--expect-workers", "1", "-u", "4", "-r", "4", "-t", "4s", "-H", s.URL}
		m := startMaster(t, program, port, nil, args...)
		w := startWorker(t, m.address, Fast)
		waitFor(t, "requests", func() bool { return s.total.Load() > 200 })
		if err := m.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-m.ended
		waitFor(t, "the loss being told", func() bool { return strings.Contains(w.log.String(), "no connection to the master") })
		before := s.total.Load()
		waitFor(t, "users going on", func() bool { return s.total.Load() > before+50 })
		m = startMaster(t, program, port, nil, args...)
		c := m.counted(t)
		w.end(t)
		if c.Total < 200 || c.Total > s.total.Load() {
			t.Errorf("the new master counts %d, the server has answered %d", c.Total, s.total.Load())
		}
		t.Logf("server %d, workers %d, the second master %d", s.total.Load(), w.requests(), c.Total)
	})
}

// A worker that leaves tells all before, and the other one takes its users over.
func TestOneOfTwoWorkersLeaves(t *testing.T) {
	forEachMaster(t, func(t *testing.T, program string) {
		s := newTarget(t)
		m := startMaster(t, program, pgtest.FreePort(t), nil, "--headless", "--expect-workers", "2", "-u", "6", "-r", "6", "-t", "12s", "-H", s.URL)
		a, b := startWorker(t, m.address, Std), startWorker(t, m.address, Fast)
		waitFor(t, "all users", func() bool { return sum(a.fleet.Users()) == 3 && sum(b.fleet.Users()) == 3 })
		// A master that hasn't heard so gives the users of one that leaves to nobody.
		waitFor(t, "that the master knows", func() bool { return strings.Contains(m.out.String(), "All users spawned") })
		a.stop()
		a.end(t)
		waitFor(t, "the other's users", func() bool { return sum(b.fleet.Users()) == 6 })
		c := m.counted(t)
		b.end(t)
		s.equal(t, c, a, b)
	})
}

// breaker passes a connection on, until it is told to break it.
type breaker struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func newBreaker(t *testing.T, to string) *breaker {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &breaker{Listener: l}
	t.Cleanup(func() {
		l.Close()
		b.breakUp()
	})
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			on, err := net.Dial("tcp", to)
			if err != nil {
				from.Close()
				continue
			}
			b.mu.Lock()
			b.conns = append(b.conns, from, on)
			b.mu.Unlock()
			for _, pair := range [][2]net.Conn{{from, on}, {on, from}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					from.Close()
					on.Close()
				}()
			}
		}
	}()
	return b
}

func (b *breaker) breakUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		c.Close()
	}
	b.conns = nil
}

// The master does not end a run for a connection that breaks, and all is counted.
func TestAConnectionThatBreaks(t *testing.T) {
	forEachMaster(t, func(t *testing.T, program string) {
		s := newTarget(t)
		m := startMaster(t, program, pgtest.FreePort(t), nil, "--headless", "--expect-workers", "1", "-u", "4", "-r", "4", "-t", "9s", "-H", s.URL)
		waitFor(t, "the master", func() bool {
			c, err := net.Dial("tcp", m.address)
			if err == nil {
				c.Close()
			}
			return err == nil
		})
		between := newBreaker(t, m.address)
		w := startWorker(t, between.Addr().String(), Std)
		waitFor(t, "all users", func() bool { return sum(w.fleet.Users()) == 4 })
		time.Sleep(1500 * time.Millisecond) // between two reports: what the breaker holds would be lost
		between.breakUp()
		waitFor(t, "a new connection", func() bool { return strings.Count(w.log.String(), "connected to the master") == 2 })
		c := m.counted(t)
		w.end(t)
		s.equal(t, c, w)
		if !strings.Contains(m.out.String(), "4 total users") {
			t.Error("not all users were there")
		}
	})
}

// Users that can't sign in end the run with the reason, at the master too, and are not
// spawned again.
func TestUsersThatCantSignIn(t *testing.T) {
	forEachMaster(t, func(t *testing.T, program string) {
		s := newTarget(t)
		m := startMaster(t, program, pgtest.FreePort(t), nil, "--headless", "--expect-workers", "1", "-u", "6", "-r", "2", "-t", "5s", "-H", s.URL)
		classes := readerAndWriter()
		for _, c := range classes {
			c.OnStart = func(u *User) error {
				u.Get("/read")
				return errors.New("the password is wrong")
			}
		}
		w := startWorkerOf(t, m.address, Fast, classes)
		c := m.counted(t)
		w.end(t)
		if n := s.total.Load(); n < 1 || n > 2 || c.Total != n {
			t.Errorf("the server was asked %d times, the master counts %d; want once for each user of the first second", n, c.Total)
		}
		var told []string
		for text := range c.Exceptions {
			told = append(told, text)
		}
		slices.Sort(told)
		want := []string{"the run ends at this worker: the password is wrong", "users can't be spawned: the run has ended; stop it at the master before the next"}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Error(diff)
		}
	})
}

// A class that only the master has is told to both sides, and the others run.
func TestAClassThatOnlyTheMasterHas(t *testing.T) {
	forEachMaster(t, func(t *testing.T, program string) {
		s := newTarget(t)
		m := startMaster(t, program, pgtest.FreePort(t), []string{"WITH_STRANGER=1"}, "--headless", "--expect-workers", "1", "-u", "4", "-r", "4", "-t", "3s", "-H", s.URL)
		w := startWorker(t, m.address, Fast)
		c := m.counted(t)
		w.end(t)
		s.equal(t, c, w)
		want := map[string]int64{`there is no user class "Stranger" here; there are Reader, Writer: the master's locustfile must name these`: 1}
		if diff := cmp.Diff(want, c.Exceptions); diff != "" {
			t.Error(diff)
		}
	})
}

// The project's own locustfile has the classes and tasks that our workers have, in the
// same shares.
func TestTheLocustfileHasOurClassesAndTasks(t *testing.T) {
	want := map[string]map[string]float64{}
	for _, c := range Classes(Accounts{}) {
		want[c.Name] = map[string]float64{}
		sum := 0
		for _, task := range c.Tasks {
			sum += weight(task.Weight)
		}
		for _, task := range c.Tasks {
			want[c.Name][task.Name] = float64(weight(task.Weight)) / float64(sum)
		}
	}
	forEachMaster(t, func(t *testing.T, program string) {
		cmd := exec.Command(program, "-f", "../../loadtest/locustfile.py", "--show-task-ratio-json")
		cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var told struct {
			Classes map[string]struct {
				Tasks map[string]struct{ Ratio float64 }
			} `json:"per_class"`
		}
		text := string(out)
		if err := json.Unmarshal([]byte(text[strings.Index(text, "{"):]), &told); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		got := map[string]map[string]float64{}
		for name, c := range told.Classes {
			got[name] = map[string]float64{}
			for task, share := range c.Tasks {
				got[name][task] = share.Ratio
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("-ours +%s:\n%s", program, diff)
		}
	})
}
