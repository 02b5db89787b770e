package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stage has a worker, its fleet and masters that a test plays, in time of its own.
type stage struct {
	t      *testing.T
	fleet  *stillFleet
	log    bytes.Buffer
	dials  chan net.Conn
	absent bool // nobody listens
	stop   context.CancelFunc
	ended  chan error
	gone   chan struct{}
	mu     sync.Mutex
}

// stillFleet sends nothing; tests say what it counts.
type stillFleet struct {
	mu     sync.Mutex
	users  map[string]int
	jobs   []SpawnJob
	delta  *Delta
	resets int
	slow   time.Duration // for its users to end
	late   int           // requests that end meanwhile
	broken error
}

func (f *stillFleet) Classes() []string { return []string{"Reader", "Writer"} }

func (f *stillFleet) Spawn(job SpawnJob) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	f.jobs = append(f.jobs, job)
	f.users = job.Users
	return nil
}

func (f *stillFleet) Stop() {
	f.mu.Lock()
	slow, late := f.slow, f.late
	f.late = 0
	f.mu.Unlock()
	time.Sleep(slow)
	f.count(late)
	f.mu.Lock()
	f.users = map[string]int{}
	f.mu.Unlock()
}

func (f *stillFleet) Reset() {
	f.Delta()
	f.resets++
}

func (f *stillFleet) Users() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.users)
}

func (f *stillFleet) Delta() *Delta {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.delta
	f.delta = NewDelta(time.Now())
	return d
}

func (f *stillFleet) Usage() (cpu float64, memory int64) { return 12.5, 99 }

// count has requests counted.
func (f *stillFleet) count(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		f.delta.Record("GET", "/", time.Now(), time.Millisecond, 1, "")
	}
}

func onStage(t *testing.T, play func(s *stage)) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, fleet: &stillFleet{users: map[string]int{}, delta: NewDelta(time.Now())}, dials: make(chan net.Conn), ended: make(chan error, 1), gone: make(chan struct{})}
		var ctx context.Context
		ctx, s.stop = context.WithCancel(context.Background())
		w := &LocustWorker{Master: "master:5557", ID: "node_1", Fleet: s.fleet, Log: slog.New(slog.NewTextHandler(&s.log, nil)), dial: s.dial}
		go func() {
			defer close(s.gone)
			s.ended <- w.Run(ctx)
		}()
		defer func() {
			s.stop()
			<-s.gone
			if t.Failed() {
				t.Logf("the worker said:\n%s", &s.log)
			}
		}()
		play(s)
	})
}

func (s *stage) setAbsent(absent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.absent = absent
}

func (s *stage) dial(ctx context.Context) (net.Conn, error) {
	s.mu.Lock()
	absent := s.absent
	s.mu.Unlock()
	if absent {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	select {
	case s.dials <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// end waits for the worker to end, and returns its error.
func (s *stage) end() error {
	s.t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(time.Hour):
		s.t.Fatal("the worker does not end")
		return nil
	}
}

// played is a connection of a worker to a master that a test plays.
type played struct {
	s        *stage
	conn     net.Conn
	messages chan []any // closed with the connection
	requests int64      // that stats messages told of
}

// master lets the worker connect, up to the end of the handshake.
func (s *stage) master() *played {
	s.t.Helper()
	select {
	case conn := <-s.dials:
		m := &played{s: s, conn: conn, messages: make(chan []any, 10_000)}
		go m.listen()
		return m
	case <-time.After(time.Hour):
		s.t.Fatal("the worker does not connect")
		return nil
	}
}

func (m *played) listen() {
	defer close(m.messages)
	r := bufio.NewReader(m.conn)
	var greeting [greetingSize]byte
	if _, err := io.ReadFull(r, greeting[:]); err != nil {
		return
	}
	go func() { _, _ = m.conn.Write(append(routerGreeting(), readyCommand("ROUTER")...)) }()
	for {
		flags, body, err := readFrame(r)
		if err != nil {
			return
		}
		if flags&frameCommand == 0 {
			m.messages <- asGeneric(m.s.t, body)
		}
	}
}

// send sends a message to the worker.
func (m *played) send(kind string, data any) {
	m.s.t.Helper()
	synctest.Wait() // so that what the worker sends before and after is told apart
	body := fromMaster(kind, data)
	frame := append([]byte{frameLong, 0, 0, 0, 0, 0, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	if _, err := m.conn.Write(frame); err != nil {
		m.s.t.Fatal(err)
	}
}

// next returns the worker's next message but for those of some kinds, nil at the end.
func (m *played) next(but ...string) []any {
	m.s.t.Helper()
	for {
		select {
		case got := <-m.messages:
			if got == nil {
				return nil
			}
			if got[2] != "node_1" {
				m.s.t.Errorf("%v is not of this node", got)
			}
			if got[0] == "stats" {
				m.requests += got[1].(object)["stats_total"].(object)["num_requests"].(int64)
			}
			if !strings.Contains(strings.Join(but, " "), got[0].(string)) {
				return got
			}
		case <-time.After(time.Hour):
			m.s.t.Fatal("the worker says nothing")
		}
	}
}

// expect checks the worker's next messages, heartbeats apart.
func (m *played) expect(kinds ...string) (last any) {
	m.s.t.Helper()
	for _, want := range kinds {
		got := m.next("heartbeat")
		if got == nil || got[0] != want {
			m.s.t.Fatalf("%v, want %s", got, want)
		}
		last = got[1]
	}
	return last
}

// pass lets time pass, and returns the kinds of messages that came meanwhile.
func (m *played) pass(d time.Duration) (kinds []string) {
	m.s.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	for {
		select {
		case got := <-m.messages:
			if got == nil {
				return append(kinds, "end")
			}
			if got[0] == "stats" {
				m.requests += got[1].(object)["stats_total"].(object)["num_requests"].(int64)
			}
			kinds = append(kinds, got[0].(string))
		default:
			return kinds
		}
	}
}

// welcomed is a master that has welcomed the worker.
func (s *stage) welcomed() *played {
	s.t.Helper()
	m := s.master()
	if v := m.expect("client_ready"); v != int64(-1) {
		s.t.Errorf("client_ready with %v, want -1: Locust complains of a version otherwise", v)
	}
	m.send("ack", map[string]any{"index": 0})
	return m
}

func job(at float64, users map[string]int) map[string]any {
	return map[string]any{"timestamp": at, "user_classes_count": users, "host": "http://target", "stop_timeout": 1.5, "parsed_options": map[string]any{"tags": []string{"quick"}, "exclude_tags": nil}}
}

// spawned is a master whose worker has users.
func (s *stage) spawned() *played {
	s.t.Helper()
	m := s.welcomed()
	m.send("spawn", job(1, map[string]int{"Reader": 2, "Writer": 1}))
	m.expect("spawning", "spawning_complete")
	return m
}

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
