package load

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
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

// spawnLoop brings the users to what is wanted, one at a time, at the spawn rate.
func (r *run) spawnLoop(wires context.Context) {
	next := r.now()
	for {
		class, by := r.step()
		if class == nil {
			r.settled()
			select {
			case <-r.changed:
				next = r.now()
				continue
			case <-r.ended:
				return
			}
		}
		if by > 0 {
			r.spawn(wires, class)
		} else {
			r.dismiss(class)
		}
		next += r.interval()
		if d := next - r.now(); d > 0 && !r.sleep(r.ended, d) || r.isEnded() {
			return
		}
	}
}

func (r *run) isEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

func (r *run) interval() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rate <= 0 {
		return 0
	}
	return seconds(1 / r.rate)
}

// step returns the class that is furthest from what is wanted of it, as a share of
// that, and which way; nil when all is as wanted.
func (r *run) step() (class *Class, by int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	furthest := 0.0
	for _, c := range r.Classes {
		want, have := r.want[c.Name], len(r.users[c.Name])
		if off := float64(want-have) / float64(max(want, have, 1)); off != 0 && max(off, -off) > furthest {
			class, by, furthest = c, want-have, max(off, -off)
		}
	}
	return class, by
}

// settled is called when all users are there that are wanted.
func (r *run) settled() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != Spawning {
		return
	}
	r.state = Running
	r.log.Info("all users spawned", "users", r.present())
	if r.schedule != nil {
		r.tryOpen()
		return
	}
	r.settle()
}

// settle begins the steady window now that all users are there, and tells when.
func (r *run) settle() time.Duration {
	if r.ResetStats {
		r.forget()
	}
	return r.steady()
}

// forget forgets what was counted; the caller holds mu.
func (r *run) forget() {
	r.drain()
	r.stats.reset(r.now())
}

// steady begins the window that targets are held against, and tells when that is.
func (r *run) steady() time.Duration {
	now := r.now()
	r.stats.steadyFrom(now)
	r.cpu.begin(now)
	return now
}

// started is called by a user that has begun.
func (r *run) started() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starting--
	r.tryOpen()
}

// tryOpen has the arrivals of the open model begin when all users are there and have
// signed in.
func (r *run) tryOpen() {
	if r.schedule == nil || r.state != Running || r.starting > 0 || r.opened > 0 {
		return
	}
	r.opened = r.settle()
	close(r.open)
}

func (r *run) spawn(wires context.Context, c *Class) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == Stopping {
		return
	}
	u := &User{
		Number: r.number, Class: c, Rand: rand.New(rand.NewPCG(r.Seed, uint64(r.number))), run: r, due: -1, slip: -1,
		wire:   newWire(wires, wireOptions{r.Engine, r.Timeout}),
		shard:  r.shards[r.number%len(r.shards)],
		header: http.Header{"User-Agent": {r.UserAgent}, "Accept-Encoding": {"gzip"}, "Accept": {"*/*"}},
		links:  map[string]*link{}, stop: make(chan struct{}),
	}
	r.number++
	r.users[c.Name] = append(r.users[c.Name], u)
	r.alive[u] = struct{}{}
	r.starting++
	r.living.Add(1)
	go func() {
		defer r.living.Done()
		u.live()
		u.wire.close()
		r.mu.Lock()
		delete(r.alive, u)
		r.mu.Unlock()
	}()
}

// dismiss ends the user of a class that came last; its task goes on to its end.
func (r *run) dismiss(c *Class) {
	r.mu.Lock()
	defer r.mu.Unlock()
	users := r.users[c.Name]
	users[len(users)-1].halt()
	r.users[c.Name] = users[:len(users)-1]
}

func (u *User) halt() { close(u.stop) }

// edit changes how many users are wanted.
func (r *run) edit(users int, want map[string]int, rate float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != Spawning && r.state != Running {
		return
	}
	r.Users, r.SpawnRate, r.want, r.rate, r.state = users, rate, want, rate, Spawning
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// present is how many users there are; the caller holds mu.
func (r *run) present() (n int) {
	for _, users := range r.users {
		n += len(users)
	}
	return n
}

func (r *run) counts() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := map[string]int{}
	for name, users := range r.users {
		counts[name] = len(users)
	}
	return counts
}

func (r *run) userCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.present()
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

// guard has a task's panic counted as an exception.
func (u *User) guard(f func()) {
	defer func() {
		if p := recover(); p != nil {
			u.run.stats.exception(fmt.Sprint(p), string(debug.Stack()), u.run.now())
		}
	}()
	f()
}

// arrival takes the next arrival. After the end those that were due before it are
// still taken, as they would be missing otherwise.
func (r *run) arrival() (due time.Duration, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.returned) > 0 {
		due, more = slices.Min(r.returned), true
		r.returned = slices.Delete(r.returned, slices.Index(r.returned, due), slices.Index(r.returned, due)+1)
	} else if due, more = r.schedule.Next(); more {
		due += r.opened
	}
	if more && (due >= r.limited() || r.state == Stopping && (due >= r.endedAt || r.over.Load())) {
		r.returned = append(r.returned, due)
		return 0, false
	}
	return due, more
}

// giveBack returns an arrival that was not made.
func (r *run) giveBack(due time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.returned = append(r.returned, due)
}

// overdue counts the arrivals that were due before the end and never made, because no
// user was free.
func (r *run) overdue() (n int64) {
	if r.schedule == nil || r.opened == 0 {
		return 0
	}
	for _, due := range r.returned {
		if due < r.endedAt {
			n++
		}
	}
	for {
		due, more := r.schedule.Next()
		if !more || due+r.opened >= r.endedAt {
			return n
		}
		n++
	}
}
