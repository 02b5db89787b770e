package load

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAWorkerAsksUntilItIsWelcome(t *testing.T) {
	onStage(t, func(s *stage) {
		s.setAbsent(true)
		time.Sleep(90 * time.Second)
		s.setAbsent(false)
		began := time.Now()
		for range 3 { // masters that do not answer
			m := s.master()
			m.expect("client_ready")
			if m.next() != nil {
				t.Error("something was said to a master that does not answer")
			}
		}
		if took := time.Since(began); took < 15*time.Second || took > 25*time.Second {
			t.Errorf("three attempts took %v", took)
		}
		s.welcomed().expect("stats") // after 3 s
		if n := strings.Count(s.log.String(), "\n"); n != 2 {
			t.Errorf("%d lines were logged, want one for the absence and one for its end:\n%s", n, &s.log)
		}
	})
}

func TestHeartbeatsAndReportsHaveTheirTimes(t *testing.T) {
	onStage(t, func(s *stage) {
		m := s.welcomed()
		beat := m.next()
		if diff := cmp.Diff([]any{"heartbeat", object{"state": "ready", "current_cpu_usage": 12.5, "current_memory_usage": int64(99)}, "node_1"}, beat); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"heartbeat", "heartbeat", "stats", "heartbeat", "heartbeat", "heartbeat", "stats"}, m.pass(5*time.Second)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestARunFromSpawnToStop(t *testing.T) {
	onStage(t, func(s *stage) {
		m := s.welcomed()
		s.fleet.count(5) // of before: not of this run
		m.send("spawn", job(1, map[string]int{"Reader": 2, "Writer": 1}))
		m.expect("spawning")
		if diff := cmp.Diff(object{"user_classes_count": object{"Reader": int64(2), "Writer": int64(1)}, "user_count": int64(3)}, m.expect("spawning_complete")); diff != "" {
			t.Error(diff)
		}
		if beat := m.next("stats"); beat[1].(object)["state"] != "running" {
			t.Errorf("%v", beat)
		}
		m.send("spawn", job(2, map[string]int{"Reader": 1, "Writer": 1}))
		m.expect("spawning", "spawning_complete")
		want := []SpawnJob{
			{Users: map[string]int{"Reader": 2, "Writer": 1}, Host: "http://target", StopTimeout: 1500 * time.Millisecond, Tags: []string{"quick"}},
			{Users: map[string]int{"Reader": 1, "Writer": 1}, Host: "http://target", StopTimeout: 1500 * time.Millisecond, Tags: []string{"quick"}},
		}
		if diff := cmp.Diff(want, s.fleet.jobs); diff != "" || s.fleet.resets != 1 {
			t.Errorf("%d resets %s", s.fleet.resets, diff)
		}
		s.fleet.count(7)
		s.fleet.slow, s.fleet.late = 1100*time.Millisecond, 3
		m.send("stop", nil)
		// While users end the master hears of them, and that the worker lives.
		if diff := cmp.Diff([]string{"stats", "stats", "stats", "stats", "stats", "heartbeat", "stats", "client_stopped", "client_ready", "heartbeat", "stats"}, m.pass(1200*time.Millisecond)); diff != "" {
			t.Error(diff)
		}
		if m.requests != 10 {
			t.Errorf("%d requests were told, want 10", m.requests)
		}
		m.send("ack", nil)
		if beat := m.next("stats"); beat[1].(object)["state"] != "ready" {
			t.Errorf("%v", beat)
		}
		m.send("spawn", job(3, map[string]int{"Reader": 1}))
		m.expect("spawning", "spawning_complete")
		if s.fleet.resets != 2 {
			t.Errorf("%d resets, want one a run", s.fleet.resets)
		}
	})
}

func TestAnOlderSpawnMessageIsIgnored(t *testing.T) {
	onStage(t, func(s *stage) {
		m := s.spawned()
		for _, at := range []float64{1, 0.5} {
			m.send("spawn", job(at, map[string]int{"Reader": 9}))
			m.expect("spawning")
		}
		if kinds := m.pass(1500 * time.Millisecond); cmp.Diff([]string{"heartbeat"}, kinds) != "" || sum(s.fleet.Users()) != 3 {
			t.Errorf("%v %v", kinds, s.fleet.Users())
		}
	})
}

func TestAClassThatIsNotHereIsToldOnceARun(t *testing.T) {
	onStage(t, func(s *stage) {
		m := s.welcomed()
		m.send("spawn", job(1, map[string]int{"Reader": 1, "Stranger": 0}))
		m.expect("spawning", "spawning_complete") // nobody is wanted of it yet
		m.send("spawn", job(2, map[string]int{"Reader": 1, "Stranger": 1}))
		x := m.expect("spawning", "exception").(object)
		if want := `there is no user class "Stranger" here; there are Reader, Writer: the master's locustfile must name these`; x["msg"] != want || x["traceback"] != want || !strings.Contains(s.log.String(), "level=ERROR") {
			t.Errorf("%v\n%s", x, &s.log)
		}
		m.expect("spawning_complete")
		m.send("spawn", job(3, map[string]int{"Reader": 2, "Stranger": 2}))
		m.expect("spawning", "spawning_complete")
		if !maps.Equal(s.fleet.Users(), map[string]int{"Reader": 2}) {
			t.Errorf("%v", s.fleet.Users())
		}
	})
}

func TestAFleetThatCantSpawnIsToldToTheMaster(t *testing.T) {
	onStage(t, func(s *stage) {
		s.fleet.broken = errors.New("nobody can sign in")
		m := s.welcomed()
		m.send("spawn", job(1, map[string]int{"Reader": 1}))
		if x := m.expect("spawning", "exception").(object); x["msg"] != "users can't be spawned: nobody can sign in" {
			t.Errorf("%v", x)
		}
		if x := m.expect("spawning_complete").(object); x["user_count"] != int64(0) {
			t.Errorf("%v", x)
		}
	})
}

func TestExceptionsOfTasksAreToldOneByOne(t *testing.T) {
	onStage(t, func(s *stage) {
		m := s.spawned()
		s.fleet.delta.Exceptions, s.fleet.delta.More = []DeltaException{{"m", "a"}, {"n", "b"}}, 4
		m.expect("exception", "exception", "exception", "stats", "stats")
	})
}

// What there is to tell comes at once when the master quits: it listens for half a
// second. What ends later no master hears of, and that is an error.
func TestAMasterThatQuits(t *testing.T) {
	for name, c := range map[string]struct {
		slow time.Duration
		want int64
		says string
	}{
		"soon": {100 * time.Millisecond, 10, ""},
		"late": {2 * time.Second, 7, "no master heard of 3 requests that were made"},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(s *stage) {
				m := s.spawned()
				s.fleet.count(7)
				s.fleet.slow, s.fleet.late = c.slow, 3
				m.send("quit", nil)
				m.expect("stats")
				if m.requests != 7 {
					t.Errorf("%d requests were told at once, want 7", m.requests)
				}
				err := s.end()
				if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %q", err, c.says)
				}
				kinds := m.pass(0)
				if n := len(kinds); n < 3 || kinds[n-2] != "quit" || kinds[n-1] != "end" || m.requests != c.want {
					t.Errorf("%v, %d requests, want %d", kinds, m.requests, c.want)
				}
				if sum(s.fleet.Users()) != 0 {
					t.Error("users are left")
				}
			})
		})
	}
}

func TestAWorkerThatEndsTellsAllAndQuits(t *testing.T) {
	onStage(t, func(s *stage) {
		m := s.spawned()
		s.fleet.count(7)
		s.fleet.slow, s.fleet.late = 3*time.Second, 3
		s.stop()
		if err := s.end(); err != nil {
			t.Error(err)
		}
		kinds := m.pass(0)
		if n := len(kinds); n < 3 || kinds[n-3] != "stats" || kinds[n-2] != "quit" || m.requests != 10 || sum(s.fleet.Users()) != 0 {
			t.Errorf("%v, %d requests, users %v", kinds, m.requests, s.fleet.Users())
		}
	})
}

func TestAWorkerEndsWhateverItIsAt(t *testing.T) {
	for name, reach := range map[string]func(*stage){
		"nobody listens": func(s *stage) { s.setAbsent(true); time.Sleep(time.Minute) },
		"dialing":        func(*stage) { synctest.Wait() },
		"a silent peer":  func(s *stage) { <-s.dials },
		"not welcomed":   func(s *stage) { s.master().expect("client_ready") },
		"ready":          func(s *stage) { s.welcomed() },
		"running":        func(s *stage) { s.spawned() },
		"stopping": func(s *stage) {
			m := s.spawned()
			s.fleet.slow = time.Minute
			m.send("stop", nil)
			time.Sleep(time.Second)
		},
		"a lost master":         func(s *stage) { m := s.spawned(); s.setAbsent(true); m.conn.Close(); time.Sleep(time.Second) },
		"a master deaf to all":  func(s *stage) { m := s.spawned(); m.send("quit", nil); m.conn.Close() },
		"a message half in way": func(s *stage) { m := s.spawned(); _, _ = m.conn.Write([]byte{0, 9, 1}) },
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(s *stage) { // which fails where a goroutine is left
				reach(s)
				s.stop()
				if err := s.end(); err != nil || sum(s.fleet.Users()) != 0 {
					t.Errorf("%v, users %v", err, s.fleet.Users())
				}
			})
		})
	}
}

// A master that is gone for a while hears of all that was counted meanwhile before it
// hears that the worker is ready: with that a new run may begin.
func TestAMasterThatComesBackHearsAll(t *testing.T) {
	onStage(t, func(s *stage) {
		m := s.spawned()
		s.fleet.count(7)
		m.expect("stats")
		s.setAbsent(true)
		m.conn.Close()
		s.fleet.count(5)
		time.Sleep(30 * time.Second)
		if sum(s.fleet.Users()) != 3 {
			t.Errorf("users end at once: %v", s.fleet.Users())
		}
		s.fleet.count(6)
		s.setAbsent(false)
		m = s.master()
		m.expect("stats")
		if m.requests != 11 {
			t.Errorf("%d requests were told, want 11", m.requests)
		}
		m.expect("client_ready")
		m.send("ack", nil)
		s.fleet.count(2)
		m.send("spawn", job(0.5, map[string]int{"Reader": 1})) // by a clock of its own
		m.expect("spawning", "spawning_complete", "stats")
		if m.requests != 13 || !maps.Equal(s.fleet.Users(), map[string]int{"Reader": 1}) || s.fleet.resets != 1 {
			t.Errorf("%d requests were told, want 13; users %v, %d resets", m.requests, s.fleet.Users(), s.fleet.resets)
		}
		if n := strings.Count(s.log.String(), "no connection"); n != 1 {
			t.Errorf("%d lines tell of one loss:\n%s", n, &s.log)
		}
		time.Sleep(5 * time.Minute)
		if sum(s.fleet.Users()) != 1 {
			t.Errorf("users that the master asked for have ended: %v", s.fleet.Users())
		}
	})
}

// A report that breaks off half way is sent again, whole, and counts once.
func TestAReportThatBreaksOffIsSentAgain(t *testing.T) {
	onStage(t, func(s *stage) {
		conn := s.stalls()
		if _, err := io.ReadFull(conn, make([]byte, 40)); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		s.fleet.count(4)
		m := s.master()
		m.expect("stats", "stats", "client_ready")
		if m.requests != 13 {
			t.Errorf("%d requests were told, want 13", m.requests)
		}
	})
}

// stalls is a master that takes no more in from the worker's first report on, which
// tells of 9 requests.
func (s *stage) stalls() net.Conn {
	conn := <-s.dials
	r := bufio.NewReaderSize(conn, 16)
	if _, err := io.ReadFull(r, make([]byte, greetingSize)); err != nil {
		s.t.Fatal(err)
	}
	if _, err := conn.Write(append(routerGreeting(), readyCommand("ROUTER")...)); err != nil {
		s.t.Fatal(err)
	}
	for range 2 { // READY and client_ready
		if _, _, err := readFrame(r); err != nil {
			s.t.Fatal(err)
		}
	}
	s.fleet.count(9)
	m := &played{s: s, conn: conn}
	m.send("ack", nil)
	for range reportBeats { // heartbeats, up to the first report
		if _, _, err := readFrame(r); err != nil {
			s.t.Fatal(err)
		}
	}
	return conn
}

// A master that takes nothing in is given up, not waited for.
func TestAMasterThatTakesNothingInIsGivenUp(t *testing.T) {
	onStage(t, func(s *stage) {
		s.stalls()
		m := s.master()
		m.expect("stats", "client_ready")
		if m.requests != 9 {
			t.Errorf("%d requests were told, want 9", m.requests)
		}
	})
}

func TestUsersWithoutAMasterEndAfterAMinute(t *testing.T) {
	onStage(t, func(s *stage) {
		m := s.spawned()
		s.setAbsent(true)
		m.conn.Close()
		time.Sleep(59 * time.Second)
		if sum(s.fleet.Users()) != 3 {
			t.Errorf("too soon: %v", s.fleet.Users())
		}
		s.fleet.count(8)
		time.Sleep(3 * time.Second)
		if sum(s.fleet.Users()) != 0 || !strings.Contains(s.log.String(), "users=3") {
			t.Errorf("users go on: %v\n%s", s.fleet.Users(), &s.log)
		}
		err := s.end()
		for _, part := range []string{"no master of Locust answers at master:5557 for 5m0s (connection refused)", "--master-host", "no master heard of 8 requests"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%v, want %q", err, part)
			}
		}
	})
}

func TestUsersEndThatAMasterBackAgainDoesNotAskFor(t *testing.T) {
	onStage(t, func(s *stage) {
		m := s.spawned()
		m.conn.Close()
		m = s.master()
		m.expect("client_ready")
		m.send("ack", nil)
		if beat := m.next("stats"); beat[1].(object)["state"] != "ready" {
			t.Errorf("%v: a master that waits for ready workers would wait for ever", beat)
		}
		m.pass(3 * time.Second)
		if sum(s.fleet.Users()) != 3 {
			t.Errorf("too soon: %v", s.fleet.Users())
		}
		m.pass(3 * time.Second)
		if sum(s.fleet.Users()) != 0 {
			t.Errorf("users go on: %v", s.fleet.Users())
		}
		if beat := m.next("stats"); beat[1].(object)["state"] != "ready" {
			t.Errorf("%v", beat)
		}
	})
}

func TestNoMasterForFiveMinutesIsAnError(t *testing.T) {
	onStage(t, func(s *stage) {
		s.setAbsent(true)
		began := time.Now()
		err := s.end()
		if took := time.Since(began); err == nil || took < 5*time.Minute || took > 6*time.Minute {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// A master that sends heartbeats back, as newer ones do, is lost when it stops to; one
// that never does is not.
func TestAMasterThatFallsSilentIsGivenUp(t *testing.T) {
	onStage(t, func(s *stage) {
		m := s.welcomed()
		for range 10 {
			m.pass(10 * time.Second)
		}
		m.send("heartbeat", nil)
		m.pass(58 * time.Second)
		m.send("heartbeat", nil)
		if kinds := m.pass(58 * time.Second); kinds[len(kinds)-1] == "end" {
			t.Error("given up too soon")
		}
		if kinds := m.pass(5 * time.Second); kinds[len(kinds)-1] != "end" {
			t.Errorf("%v", kinds)
		}
		s.master().expect("client_ready")
	})
}

func TestAMasterMayAskForANewConnection(t *testing.T) {
	onStage(t, func(s *stage) {
		m := s.welcomed()
		m.send("reconnect", nil)
		if m.next("heartbeat") != nil {
			t.Error("the connection goes on")
		}
		s.welcomed()
	})
}

func TestMessagesForOtherWorkersAreIgnored(t *testing.T) {
	onStage(t, func(s *stage) {
		m := s.welcomed()
		m.send("update_user_class", map[string]any{"user_class_name": "Reader"})
		m.send("spawning_complete", map[string]any{"user_count": 3})
		m.send("of_my_own", []int{1})
		m.send("spawn", 7)
		m.expect("stats")
		if !strings.Contains(s.log.String(), `the master's message \"spawn\" is not as Locust's`) {
			t.Errorf("%s", &s.log)
		}
	})
}

// What a master says while users end is done after that.
func TestASpawnWhileUsersEndComesAfter(t *testing.T) {
	onStage(t, func(s *stage) {
		m := s.spawned()
		s.fleet.slow = time.Second
		m.send("stop", nil)
		m.send("spawn", job(2, map[string]int{"Writer": 4}))
		for m.next("heartbeat", "stats")[0] != "client_ready" {
		}
		m.expect("spawning", "spawning_complete")
		if !maps.Equal(s.fleet.Users(), map[string]int{"Writer": 4}) || s.fleet.resets != 2 {
			t.Errorf("%v, %d resets", s.fleet.Users(), s.fleet.resets)
		}
	})
}
