package load

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

// Fleet is what a master commands by way of a worker: the users of this process.
type Fleet interface {
	// Classes names the classes of users that it has.
	Classes() []string
	// Spawn makes the users as many as a job says, and does not wait for those to end
	// that are too many. Without a run it starts one.
	Spawn(SpawnJob) error
	// Stop ends the run and returns when no user is left; without a run, at once.
	Stop()
	// Reset forgets what was counted, before a new run.
	Reset()
	// Users tells how many users of each class there are.
	Users() map[string]int
	// Delta returns what was counted since the last call or Reset: nothing twice, and
	// nothing is lost.
	Delta() *Delta
	// Usage is that of this process: per cent of one processor, and bytes.
	Usage() (cpu float64, memory int64)
}

// SpawnJob is how many users a master wants, in all and not in addition.
type SpawnJob struct {
	Users             map[string]int // by class; only classes that the fleet has
	Host              string         // "" when the master has none
	StopTimeout       time.Duration  // how long a task may go on when its user is to end
	Tags, ExcludeTags []string
}

// LocustWorker has a fleet work for a master of Locust, of version 2.12 or newer.
// It tells all that the fleet counts, exactly once: what could not be sent is kept
// until a master is back.
type LocustWorker struct {
	Master string // host:port
	ID     string // unlike that of any other worker; NewWorkerID makes one
	Fleet  Fleet
	Log    *slog.Logger

	dial func(context.Context) (net.Conn, error) // of tests

	events     chan masterEvent
	backlog    []masterEvent // came while users were ending
	conn       *dealer       // nil without a connection
	state      string
	beats      int
	asked      time.Time // when we last said that we are ready
	absent     time.Time // since when no master answers; zero while one does
	complained bool      // about that
	problem    error     // why none does
	echoed     time.Time // the last heartbeat that came back; zero when the master sends none back
	until      time.Time // when users end that no master answers for; zero without such
	deaf       time.Time // when a master that quits stops to listen; zero without such
	spawned    float64   // the master's time of its last spawn message
	unsent     [][]byte  // what is to be sent first
	owed       int64     // requests in there
	said       []string  // what we complained of in this run
}

// The states that Locust's workers tell; a master knows others by itself.
const (
	workerReady    = "ready"
	workerSpawning = "spawning"
	workerRunning  = "running"
)

// Times as Locust's workers have them, apart from strandedTimeout and claimTimeout:
// theirs go on for a minute at most, and quit.
const (
	heartbeatInterval = time.Second
	reportBeats       = 3 // heartbeats a report
	ackTimeout        = 5 * time.Second
	absenceTimeout    = 60 * ackTimeout
	echoTimeout       = time.Minute
	strandedTimeout   = time.Minute     // users end that have no master
	claimTimeout      = 5 * time.Second // users end that a master, back again, has no use for
	redialInterval    = time.Second
	stopReports       = 200 * time.Millisecond // between reports while users end
	quitTimeout       = 400 * time.Millisecond // a master that quits listens for half a second
)

// NewWorkerID makes an ID as Locust does: masters show it, and tell machines by what
// stands before the first underscore.
func NewWorkerID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "upstream"
	}
	return fmt.Sprintf("%.200s_%s", host, strings.ToLower(rand.Text()))
}

// Run works until the master quits or ctx ends, which is nil, or no master answers for
// five minutes. No user is left then. Requests that no master heard of are an error.
func (w *LocustWorker) Run(ctx context.Context) error {
	if w.dial == nil {
		d := net.Dialer{Timeout: wireTimeout}
		w.dial = func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", w.Master) }
	}
	link, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	w.events, w.state, w.absent = make(chan masterEvent), workerReady, time.Now()
	go w.keepConnected(link)
	err := w.serve(ctx)
	w.complained = true // of a master that goes as we do there is nothing to say
	w.report()
	w.halt()
	w.report()
	w.tell("quit", nil)
	if w.conn != nil {
		w.conn.finish()
		for e := range w.events {
			if e.err != nil {
				break
			}
		}
	}
	hangUp()
	for range w.events { // until it has ended
	}
	if w.owed += w.Fleet.Delta().Total.NumRequests; w.owed > 0 {
		err = errors.Join(err, fmt.Errorf("no master heard of %d requests that were made: its figures lack them", w.owed))
	}
	return err
}

// serve returns nil when it is time to go.
func (w *LocustWorker) serve(ctx context.Context) error {
	beat := time.NewTicker(heartbeatInterval)
	defer beat.Stop()
	for {
		for len(w.backlog) > 0 {
			e := w.backlog[0]
			w.backlog = w.backlog[1:]
			if w.meet(e) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case e := <-w.events:
			w.backlog = append(w.backlog, e)
		case <-beat.C:
			w.beat()
			if err := w.expire(time.Now()); err != nil {
				return err
			}
		}
	}
}

// meet does what an event asks; quit is true when the master quits.
func (w *LocustWorker) meet(e masterEvent) (quit bool) {
	switch {
	case e.err != nil:
		w.lose(e.err)
	case e.up != nil:
		w.conn, w.echoed, w.spawned = e.up, time.Time{}, 0
		// What an earlier master did not hear comes first: with our being ready a new
		// run may begin, to which it does not belong.
		w.report()
		w.ready()
	case w.conn != nil: // else from a connection that we gave up
		m, err := decodeMessage(e.message)
		if err != nil {
			w.Log.Warn("a message of the master is ignored", "error", err)
			return false
		}
		return w.obey(m)
	}
	return false
}

func (w *LocustWorker) obey(m masterMessage) (quit bool) {
	switch m.kind {
	case "ack":
		w.welcome(m.index)
	case "heartbeat":
		w.echoed = time.Now()
	case "spawn":
		w.spawn(m.spawn)
	case "stop":
		w.halt()
		w.report()
		w.tell("client_stopped", nil)
		w.ready()
	case "reconnect":
		w.lose(errors.New("the master asks for a new one"))
	case "quit":
		w.Log.Info("the master quits")
		w.deaf = time.Now().Add(quitTimeout)
		return true
	default: // for workers that run a locustfile
		w.Log.Debug("a message of the master is ignored", "kind", m.kind)
	}
	return false
}

// ready asks the master to count on us. A master that knows us takes us for new.
func (w *LocustWorker) ready() {
	w.asked = time.Now()
	w.tell("client_ready", -1) // -1 is a worker of any version
}

func (w *LocustWorker) welcome(index int) {
	if w.absent.IsZero() {
		return // after a stop
	}
	w.Log.Info("connected to the master", "master", w.Master, "worker", index, "id", w.ID)
	w.absent, w.complained = time.Time{}, false
	if claimed := time.Now().Add(claimTimeout); claimed.Before(w.until) {
		w.until = claimed
	}
}

func (w *LocustWorker) spawn(s spawnData) {
	w.tell("spawning", nil)
	if s.Timestamp <= w.spawned {
		w.Log.Info("an older spawn message of the master is ignored")
		return
	}
	w.spawned, w.until = s.Timestamp, time.Time{}
	if w.state == workerReady {
		w.Fleet.Reset()
		w.said = nil
	}
	w.state = workerSpawning
	job := SpawnJob{Users: w.known(s.UserClassesCount), Tags: s.ParsedOptions.Tags, ExcludeTags: s.ParsedOptions.ExcludeTags}
	if s.Host != nil {
		job.Host = *s.Host
	}
	if s.StopTimeout != nil {
		job.StopTimeout = time.Duration(*s.StopTimeout * float64(time.Second))
	}
	if err := w.Fleet.Spawn(job); err != nil {
		w.complain(fmt.Sprintf("users can't be spawned: %v", err))
	}
	users := w.Fleet.Users()
	w.tell("spawning_complete", spawnedData{users, sum(users)})
	w.state = workerRunning
}

// known leaves out classes that we don't have, and says so.
func (w *LocustWorker) known(users map[string]int) map[string]int {
	ours := w.Fleet.Classes()
	have := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(users)) {
		switch {
		case slices.Contains(ours, name):
			have[name] = users[name]
		case users[name] > 0:
			w.complain(fmt.Sprintf("there is no user class %q here; there are %s: the master's locustfile must name these", name, strings.Join(ours, ", ")))
		}
	}
	return have
}

// complain tells who is at this machine and who is at the master's, once a run: spawn
// messages come every second.
func (w *LocustWorker) complain(text string) {
	if slices.Contains(w.said, text) {
		return
	}
	w.said = append(w.said, text)
	w.Log.Error(text)
	// A master takes exceptions with the same traceback for one.
	w.tell("exception", DeltaException{text, text})
}

// beat is what is due each second.
func (w *LocustWorker) beat() {
	now := time.Now()
	switch {
	case w.conn == nil:
	case w.echoed.Before(now.Add(-echoTimeout)) && !w.echoed.IsZero():
		w.lose(fmt.Errorf("silent for %v", echoTimeout))
	case !w.absent.IsZero():
		if now.Sub(w.asked) >= ackTimeout {
			w.lose(fmt.Errorf("no answer within %v", ackTimeout))
		}
	default:
		state := w.state
		if !w.until.IsZero() { // a master waits for workers that are ready, whatever users they still have
			state = workerReady
		}
		cpu, memory := w.Fleet.Usage()
		w.tell("heartbeat", heartbeatData{state, cpu, memory})
		if w.beats++; w.beats%reportBeats == 0 {
			w.report()
		}
	}
}

// expire ends what has waited long enough for a master.
func (w *LocustWorker) expire(now time.Time) error {
	if !w.until.IsZero() && !now.Before(w.until) {
		w.Log.Warn("users end: no master asks for them any more", "users", sum(w.Fleet.Users()))
		w.halt()
		w.report()
	}
	if !w.absent.IsZero() && now.Sub(w.absent) >= absenceTimeout {
		return fmt.Errorf("no master of Locust answers at %s for %v (%w); `locust --master` starts one, --master-host and --master-port say where", w.Master, absenceTimeout, w.problem)
	}
	return nil
}

// halt ends all users, and keeps the master informed meanwhile. What it asks for in
// that time waits.
func (w *LocustWorker) halt() {
	done := make(chan struct{})
	go func() {
		w.Fleet.Stop()
		close(done)
	}()
	soon := time.NewTicker(stopReports)
	defer soon.Stop()
	for n := 1; ; n++ {
		select {
		case <-done:
			w.state, w.until = workerReady, time.Time{}
			return
		case e := <-w.events:
			w.backlog = append(w.backlog, e)
			if e.err != nil { // and what came before is void
				w.backlog = nil
				w.lose(e.err)
			}
		case <-soon.C:
			w.report()
			if n%int(heartbeatInterval/stopReports) == 0 {
				w.beat()
			}
		}
	}
}
