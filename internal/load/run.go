package load

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Plan is what a run is to be.
type Plan struct {
	Host        string // http://name:port, with a path before all others if need be
	Users       int
	SpawnRate   float64       // users a second
	RunTime     time.Duration // 0: until it is stopped
	Classes     []*Class
	Arrivals    *Arrivals // nil for the closed model
	Seed        uint64
	Engine      Engine
	Timeout     time.Duration // for an answer
	StopTimeout time.Duration // how long tasks may go on when the run is to end
	MaxSlip     time.Duration // how late the generator may be before a run says nothing; 0 is DefaultMaxSlip
	ResetStats  bool          // forget what was counted before all users were there
	UserAgent   string
	Deltas      bool // keep what a master is to be told
}

// run is one run, from the first user to the last.
type run struct {
	Plan
	log      *slog.Logger
	host     string
	began    time.Time
	stats    *stats
	shards   []*shard
	schedule Schedule // nil in the closed model
	cpu      cpuMeter

	over  atomic.Bool   // nothing is sent any more
	ended chan struct{} // closed when it is to end
	done  chan struct{} // closed when it has

	mu       sync.Mutex
	state    State
	want     map[string]int // users by class
	rate     float64
	users    map[string][]*User
	alive    map[*User]struct{} // those of users, and those dismissed that are not done yet
	starting int                // users that have not signed in yet
	number   int                // of users there have been
	changed  chan struct{}
	reason   error // why it ended by itself; nil for time or a stop
	endedAt  time.Duration
	living   sync.WaitGroup
	open     chan struct{} // closed when arrivals begin
	opened   time.Duration // when that was
	returned []time.Duration
	unsent   int64
}

func newRun(ctx context.Context, log *slog.Logger, p Plan, want map[string]int) *run {
	r := &run{
		Plan: p, log: log, host: p.Host, began: time.Now(), stats: newStats(), state: Spawning, want: want, rate: p.SpawnRate,
		users: map[string][]*User{}, alive: map[*User]struct{}{}, changed: make(chan struct{}, 1), ended: make(chan struct{}), done: make(chan struct{}), open: make(chan struct{}),
	}
	for range 2 * runtime.GOMAXPROCS(0) {
		r.shards = append(r.shards, &shard{stats: r.stats, batch: make([]sample, 0, batchSize)})
	}
	if p.Arrivals != nil {
		r.schedule = p.Arrivals.Schedule(p.Seed)
		if lasts := p.Arrivals.Lasts(); lasts > 0 && (r.RunTime == 0 || lasts < r.RunTime) {
			r.RunTime = lasts
		}
	}
	if p.Deltas {
		r.stats.delta = newDelta(r.began)
	}
	r.cpu.begin(0)
	go r.lead(ctx)
	return r
}

func (r *run) now() time.Duration { return time.Since(r.began) }

// failure is reason, where it isn't that the run cut the request off.
func (r *run) failure(err error) string {
	if r.over.Load() {
		return "cut off when the run ended: no answer within the stop timeout"
	}
	return reason(err, r.Timeout)
}

// lead spawns users, keeps the time, and ends the run.
func (r *run) lead(ctx context.Context) {
	defer close(r.done)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		r.watch()
	}()
	wires, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	spawner := make(chan struct{})
	go func() {
		defer close(spawner)
		r.spawnLoop(wires)
	}()
	select {
	case <-ctx.Done():
		r.end(nil)
	case <-r.ended:
	}
	<-spawner
	r.await(cut)
	<-watching
	r.finish()
}

// end has the run end now.
func (r *run) end(reason error) { r.endAt(r.now(), reason) }

// endAt has the run end, once; the first reason stays, and is logged if there is one.
func (r *run) endAt(at time.Duration, reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == Stopping || r.state == Stopped {
		return
	}
	if reason != nil {
		r.log.Error("the run ends", "reason", reason.Error())
	}
	r.state, r.reason, r.endedAt = Stopping, reason, at
	r.stats.steadyTo(r.endedAt)
	r.cpu.finish(r.endedAt)
	for _, users := range r.users {
		for _, u := range users {
			u.halt()
		}
	}
	close(r.ended)
}

// await waits for the users, and cuts off those that take too long.
func (r *run) await(cut func()) {
	gone := make(chan struct{})
	go func() {
		r.living.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return
	case <-time.After(r.StopTimeout):
	}
	r.over.Store(true)
	cut()
	r.mu.Lock()
	for u := range r.alive {
		u.wire.close()
	}
	r.mu.Unlock()
	<-gone
}

// finish makes the last row, so that nothing that was counted is in no row.
func (r *run) finish() {
	r.drain()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsent = r.overdue()
	r.stats.row(r.began, r.now(), 0)
	r.state = Stopped
	r.users = map[string][]*User{}
}

func (r *run) drain() {
	for _, s := range r.shards {
		s.flush()
	}
}

// flushEvery is how old a figure may be.
const flushEvery = 100 * time.Millisecond

// watch gathers what the users counted, and makes a row a second.
func (r *run) watch() {
	flush, second := time.NewTicker(flushEvery), time.NewTicker(time.Second)
	defer flush.Stop()
	defer second.Stop()
	var up <-chan time.Time
	for {
		limit := r.limit()
		if up == nil && limit != forever {
			up = time.After(limit - r.now())
		}
		select {
		case <-flush.C:
			r.drain()
		case <-second.C:
			r.drain()
			r.cpu.tick(r.now())
			r.stats.row(r.began, r.now(), r.userCount())
		case <-up:
			r.endAt(limit, nil)
		case <-r.ended:
			return
		}
	}
}

// limit is when the run time is up. It counts from the first user or, in the open
// model, from the first arrival: forever until that has come.
func (r *run) limit() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.limited()
}

func (r *run) limited() time.Duration {
	if r.RunTime == 0 || r.schedule != nil && r.opened == 0 {
		return forever
	}
	return r.opened + r.RunTime
}

// sleep waits until something is closed; false when it was, before the time was up.
func (r *run) sleep(until <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-until:
		return false
	}
}
