package load

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// State is where a run is, in Locust's words.
type State string

// The states.
const (
	Ready    State = "ready"
	Spawning State = "spawning"
	Running  State = "running"
	Stopping State = "stopping"
	Stopped  State = "stopped"
)

// Aggregated is the name of all requests together, as Locust has it.
const Aggregated = "Aggregated"

// Quantiles are the percentiles that are told, in percent.
var Quantiles = []float64{50, 66, 75, 80, 90, 95, 98, 99, 99.9, 99.99, 100}

// Latency is what a distribution of times comes to, in milliseconds.
type Latency struct {
	Count          int64
	Mean, Min, Max float64
	At             []float64 // of Quantiles; none is above Max
}

// Quantile returns one of Quantiles, in milliseconds.
func (l *Latency) Quantile(percent float64) float64 {
	if i := slices.Index(Quantiles, percent); i >= 0 && l.Count > 0 {
		return l.At[i]
	}
	return 0
}

func milliseconds(us int64) float64 { return float64(us) / 1000 }

func (l *latency) summary() Latency {
	s := Latency{Count: l.h.TotalCount(), At: make([]float64, len(Quantiles))}
	if s.Count == 0 {
		return s
	}
	s.Mean, s.Min, s.Max = milliseconds(l.sum)/float64(s.Count), milliseconds(l.min), milliseconds(l.max)
	values := l.h.ValueAtPercentiles(Quantiles)
	for i, q := range Quantiles {
		s.At[i] = milliseconds(l.bounded(values[q]))
	}
	return s
}

// bounded keeps what a histogram rounded within what was seen.
func (l *latency) bounded(us int64) int64 { return min(max(us, l.min), l.max) }

// Figures are of one method and name, or of all together.
type Figures struct {
	Method, Name                string
	Requests, Failures          int64
	Throttled                   int64 // of Failures, those answered 429
	Bytes                       int64 // of bodies, as they were sent
	Response, Service           Latency
	RPS, FailuresPerSecond      float64 // over the run, or since a reset
	CurrentRPS, CurrentFailures float64 // a second, over the last ten
	Current                     Latency // response times of the last ten seconds
	FirstRequest, LastRequest   time.Time
	Steady                      Window
}

// Window is what happened in the steady window: all users there, and none leaving.
type Window struct {
	Requests, Failures int64
	RPS                float64
	Response, Service  Latency
	response           *hdrhistogram.Histogram // for intervals of quantiles; nil without requests
}

// Failure is how often requests of an endpoint failed for one reason.
type Failure struct {
	Method, Name, Error string
	Occurrences         int64
	First, Last         time.Time
}

// Exception is how often a task failed by itself.
type Exception struct {
	Count              int64
	Message, Traceback string
}

// Snapshot is all that is known of a run at one moment.
type Snapshot struct {
	State        State
	Plan         Plan
	Started      time.Time // zero before the first run
	Ended        time.Time // zero while it runs
	Taken        time.Time
	SteadyFrom   time.Time // zero before all users are there
	SteadyTo     time.Time // Taken while it runs
	Users        map[string]int
	UserCount    int
	Endpoints    []Figures // by name and method
	Total        Figures
	Failures     []Failure
	Exceptions   []Exception
	Slip         Latency // how late the generator itself was, in the steady window
	GeneratorCPU float64 // its share of the processors, from 0 to 1, in the steady window
	CPU          float64 // that share in the last second
	Unsent       int64   // arrivals that were due and never made: no user was free
	Reason       string  // why the run ended by itself; "" for time or a stop
	Rows         int     // how many rows of charts there are
}

// Elapsed is how long the run has gone on.
func (s *Snapshot) Elapsed() time.Duration {
	if s.Started.IsZero() {
		return 0
	}
	return cmp.Or(s.Ended, s.Taken).Sub(s.Started)
}

func (r *run) snapshot() *Snapshot {
	r.drain()
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	at := func(d time.Duration) time.Time { return r.began.Add(d) }
	s := &Snapshot{State: r.state, Plan: r.Plan, Started: r.began, Taken: at(now), Users: map[string]int{}, Unsent: r.unsent, CPU: r.cpu.last()}
	for name, users := range r.users {
		s.Users[name] = len(users)
		s.UserCount += len(users)
	}
	if r.state == Stopping || r.state == Stopped {
		s.Ended = at(r.endedAt)
		now = r.endedAt
	}
	if r.reason != nil {
		s.Reason = r.reason.Error()
	}
	r.stats.mu.Lock()
	defer r.stats.mu.Unlock()
	steady := time.Duration(0)
	if r.stats.from != forever {
		s.SteadyFrom, s.SteadyTo = at(r.stats.from), at(min(now, r.stats.to))
		steady = min(now, r.stats.to) - r.stats.from
	}
	s.GeneratorCPU = r.cpu.share(now)
	for _, e := range r.stats.all() {
		f := e.figures(r.stats.second, r.stats.seconds, now-r.stats.since, steady)
		f.FirstRequest, f.LastRequest = at(e.first), at(e.last)
		s.Endpoints = append(s.Endpoints, f)
	}
	s.Total, s.Endpoints = s.Endpoints[len(s.Endpoints)-1], s.Endpoints[:len(s.Endpoints)-1]
	s.Failures, s.Exceptions = r.stats.faults(at)
	s.Slip, s.Rows = r.stats.slips.summary(), len(r.stats.rows)
	return s
}

// faults lists failures and exceptions, the most frequent first.
func (s *stats) faults(at func(time.Duration) time.Time) (failures []Failure, exceptions []Exception) {
	for k, o := range s.failures {
		failures = append(failures, Failure{k.method, k.name, k.reason, o.n, at(o.first), at(o.last)})
	}
	slices.SortFunc(failures, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Occurrences, a.Occurrences), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Error, b.Error))
	})
	for _, message := range slices.Sorted(maps.Keys(s.exceptions)) {
		exceptions = append(exceptions, Exception{s.exceptions[message].n, message, s.exceptions[message].traceback})
	}
	slices.SortStableFunc(exceptions, func(a, b Exception) int { return cmp.Compare(b.Count, a.Count) })
	return failures, exceptions
}

func perSecond(n int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

func (e *entry) figures(second, passed int, counted, steady time.Duration) Figures {
	f := Figures{
		Method: e.method, Name: e.name, Requests: e.whole.requests, Failures: e.whole.failures, Throttled: e.whole.throttled, Bytes: e.whole.bytes,
		Response: e.whole.response.summary(), Service: e.service.summary(), RPS: perSecond(e.whole.requests, counted), FailuresPerSecond: perSecond(e.whole.failures, counted),
		Steady: Window{Requests: e.steady.requests, Failures: e.steady.failures, RPS: perSecond(e.steady.requests, steady), Response: e.steady.response.summary(), Service: e.steadyServed.summary()},
	}
	if e.steady.requests > 0 {
		f.Steady.response = hdrhistogram.Import(e.steady.response.h.Export())
	}
	recent := tally{response: newLatency(2)}
	for i := range e.recent {
		if i != second { // the present second is not over
			recent.requests += e.recent[i].requests
			recent.failures += e.recent[i].failures
			recent.response.merge(e.recent[i].response)
		}
	}
	span := time.Duration(min(passed, recentSeconds)) * time.Second
	f.CurrentRPS, f.CurrentFailures, f.Current = perSecond(recent.requests, span), perSecond(recent.failures, span), recent.response.summary()
	return f
}
