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
