package load

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Runner holds at most one run at a time, and what the last one came to.
type Runner struct {
	ctx context.Context
	log *slog.Logger

	mu   sync.Mutex
	last *run // nil before the first
}

// NewRunner makes a Runner; its runs end when the context does.
func NewRunner(ctx context.Context, log *slog.Logger) *Runner { return &Runner{ctx: ctx, log: log} }

// The bounds of a plan.
const (
	MaxUsers     = 100_000
	maxSpawnRate = 1_000_000
)

// Check tells what is wrong with a plan, all at once.
func (p *Plan) Check() error {
	var wrong []error
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if err := CheckHost(p.Host); err != nil {
		wrong = append(wrong, err)
	}
	if p.Users < 1 || p.Users > MaxUsers {
		add("%d users: give 1 to %d; more take more machines, as workers of one master", p.Users, MaxUsers)
	}
	if !(p.SpawnRate > 0 && p.SpawnRate <= maxSpawnRate) {
		add("a spawn rate of %v: give more than 0 users a second, at most %d", p.SpawnRate, maxSpawnRate)
	}
	if p.MaxSlip < 0 {
		add("a slip of at most %v: give more than 0", p.MaxSlip)
	}
	if p.RunTime < 0 {
		add("a run time of %v: give more than 0", p.RunTime)
	}
	if len(p.Classes) == 0 {
		add("no user classes: name at least one")
	}
	if p.Engine != Std && p.Engine != Fast {
		add("there is no engine %q: it is std or fast", p.Engine)
	}
	return errors.Join(wrong...)
}

// CheckHost tells what is wrong with the address of a server.
func CheckHost(host string) error {
	if strings.Contains(host, "@") { // a password is not for logs
		return errors.New("host: give an address without a name and a password, like http://localhost:8000")
	}
	u, err := url.Parse(host)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("host %q: give an address like http://localhost:8000", host)
	}
	return nil
}

// Start begins a run; while there is one it changes the number of its users and the
// spawn rate instead, as Locust does.
func (r *Runner) Start(p Plan) error {
	if err := p.Check(); err != nil {
		return err
	}
	return r.begin(p, Distribute(p.Classes, p.Users))
}

// Spawn is Start with a number of users for each class.
func (r *Runner) Spawn(p Plan, counts map[string]int) error {
	if err := CheckHost(p.Host); err != nil {
		return err
	}
	for name, n := range counts {
		if n > 0 && !slices.Contains(classNames(p.Classes), name) {
			return fmt.Errorf("there is no user class %q here; there are %s", name, strings.Join(classNames(p.Classes), ", "))
		}
	}
	return r.begin(p, counts)
}

// AddUsers changes the number of users of the present run, by so many more or fewer, one
// at least; without one that goes on it does nothing. They change at the run's spawn rate
// or, if that is less, at atLeast a second.
func (r *Runner) AddUsers(by int, atLeast float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		return
	}
	p := r.last.plan()
	users, rate := min(max(p.Users+by, 1), MaxUsers), max(p.SpawnRate, atLeast)
	if users != p.Users && r.last.edit(users, Distribute(p.Classes, users), rate) {
		r.log.Info("users change", "users", users, "spawn_rate", rate)
	}
}

func (r *Runner) begin(p Plan, counts map[string]int) error {
	p.Host = strings.TrimSuffix(p.Host, "/")
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last != nil {
		switch r.last.current() {
		case Stopping:
			return errors.New("the last run is still stopping; try again in a moment")
		case Spawning, Running:
			r.log.Info("users change", "users", p.Users, "spawn_rate", p.SpawnRate)
			r.last.edit(p.Users, counts, p.SpawnRate)
			return nil
		}
	}
	r.log.Info("ramping", "users", p.Users, "spawn_rate", p.SpawnRate, "host", p.Host)
	r.last = newRun(r.ctx, r.log, p, counts)
	return nil
}

// Stop ends the run and waits for its users.
func (r *Runner) Stop() {
	if last := r.run(); last != nil {
		last.end(nil)
		<-last.done
	}
}

// Reset forgets what was counted.
func (r *Runner) Reset() {
	if last := r.run(); last != nil {
		last.mu.Lock()
		defer last.mu.Unlock()
		last.forget()
		if goes := last.state == Spawning || last.state == Running; goes && last.stats.isSteady() {
			last.steady()
		}
	}
}

// Done is closed when the present run is over; nil without one.
func (r *Runner) Done() <-chan struct{} {
	if last := r.run(); last != nil {
		return last.done
	}
	return nil
}

func (r *Runner) run() *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *run) plan() Plan {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Plan
}

func (r *run) current() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// Snapshot tells what is known of the present run, or of the last.
func (r *Runner) Snapshot() *Snapshot {
	if last := r.run(); last != nil {
		return last.snapshot()
	}
	empty := newStats()
	return &Snapshot{State: Ready, Taken: time.Now(), Users: map[string]int{}, Total: empty.total.figures(0, 0, 0, 0)}
}

// Rows returns the rows of charts from one on. Where a long run halved them there are
// fewer than before: begin at 0 again.
func (r *Runner) Rows(from int) []Row {
	last := r.run()
	if last == nil {
		return nil
	}
	last.stats.mu.Lock()
	defer last.stats.mu.Unlock()
	return slices.Clone(last.stats.rows[min(from, len(last.stats.rows)):])
}
