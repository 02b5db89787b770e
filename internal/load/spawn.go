package load

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"
)

// spawnLoop brings the users to what is wanted, one at a time, at the spawn rate. What is
// wanted may change at any time.
func (r *run) spawnLoop(wires context.Context) {
	next := r.now()
	for !r.isEnded() {
		class, by := r.step()
		wait := next - r.now()
		if class == nil {
			r.settled()
			wait = forever
		}
		if wait > 0 {
			if r.pause(wait) {
				next = r.now()
			}
			continue
		}
		if by > 0 {
			r.spawn(wires, class)
		} else {
			r.dismiss(class)
		}
		next += r.interval()
	}
}

// pause waits until the time is up, what is wanted changes, which it tells, or the run
// ends.
func (r *run) pause(d time.Duration) (changed bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ended:
	case <-r.changed:
		changed = true
	}
	return changed
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

// edit changes how many users are wanted. In the closed model they are what asks, so the
// steady window ends, until those that are wanted are there. It tells whether the run
// goes on.
func (r *run) edit(users int, want map[string]int, rate float64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != Spawning && r.state != Running {
		return false
	}
	if r.schedule == nil && r.state == Running {
		now := r.now()
		r.stats.steadyTo(now)
		r.cpu.finish(now)
	}
	r.Users, r.SpawnRate, r.want, r.rate, r.state = users, rate, want, rate, Spawning
	select {
	case r.changed <- struct{}{}:
	default:
	}
	return true
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
