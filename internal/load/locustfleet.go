package load

import (
	"errors"
	"fmt"
	runtimemetrics "runtime/metrics"
	"time"
)

// RunnerFleet has a master of Locust command a Runner. The plan says all that the
// master does not: its host and stop timeout are used where the master has none.
type RunnerFleet struct {
	Runner *Runner
	Plan   Plan

	fresh bool // a new run may begin
	told  *run // whose end the master was told the reason of
}

var _ Fleet = (*RunnerFleet)(nil)

// Classes names the plan's classes.
func (f *RunnerFleet) Classes() []string { return classNames(f.Plan.Classes) }

// Spawn starts a run or changes its users, and returns when the new ones are there. A
// run that ended by itself stays so until Reset: where users can't sign in, those that
// a master adds every second can't either.
func (f *RunnerFleet) Spawn(job SpawnJob) error {
	if last := f.Runner.run(); last != nil && !f.fresh {
		select {
		case <-last.ended:
			return errors.New("the run has ended; stop it at the master before the next")
		default:
		}
	}
	p := f.Plan
	p.Deltas, p.Arrivals, p.RunTime, p.SpawnRate = true, nil, 0, 0 // the master keeps the time, and spawns step by step
	if p.Users = sum(job.Users); job.Host != "" {
		p.Host = job.Host
	}
	if job.StopTimeout > 0 {
		p.StopTimeout = job.StopTimeout
	}
	var err error
	if p.Classes, err = Tagged(p.Classes, job.Tags, job.ExcludeTags); err != nil {
		return err
	}
	if err := f.Runner.Spawn(p, job.Users); err != nil {
		return err
	}
	f.fresh = false
	for f.Runner.run().current() == Spawning {
		time.Sleep(time.Millisecond)
	}
	return nil
}

// Stop ends the run.
func (f *RunnerFleet) Stop() { f.Runner.Stop() }

// Reset allows a new run, which counts from nothing.
func (f *RunnerFleet) Reset() {
	f.Delta()
	f.fresh = true
}

// Users tells how many users there are.
func (f *RunnerFleet) Users() map[string]int {
	users := map[string]int{}
	for _, name := range f.Classes() {
		users[name] = 0
	}
	if last := f.Runner.run(); last != nil {
		for name, n := range last.counts() {
			users[name] = n
		}
	}
	return users
}

// Delta takes what was counted, and why a run ended by itself.
func (f *RunnerFleet) Delta() *Delta {
	last := f.Runner.run()
	if last == nil {
		return NewDelta(time.Now())
	}
	last.drain()
	last.stats.mu.Lock()
	d := last.stats.delta.take()
	last.stats.mu.Unlock()
	last.mu.Lock()
	defer last.mu.Unlock()
	if last.reason != nil && f.told != last {
		f.told = last
		text := fmt.Sprintf("the run ends at this worker: %v", last.reason)
		d.Raise(text, text)
	}
	return d
}

// Usage is a share of all processors: a master warns above 90 %, which is where the
// worker falls behind.
func (f *RunnerFleet) Usage() (cpu float64, memory int64) {
	if last := f.Runner.run(); last != nil && last.current() != Stopped {
		cpu = 100 * last.cpu.last()
	}
	return cpu, residentBytes()
}

// residentBytes is the memory that the runtime holds: nearly all of the process's.
func residentBytes() int64 {
	samples := []runtimemetrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	runtimemetrics.Read(samples)
	return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}
