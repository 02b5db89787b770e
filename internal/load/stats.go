package load

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// sample is what one request came to. Times count from the beginning of the run.
type sample struct {
	method, name      string
	ended             time.Duration
	response, service time.Duration // from the intended start, from sending
	slip              time.Duration // how late the generator itself was; none below 0
	size              int64
	failure           string // "" for success
	throttled         bool
}

// shard gathers samples of some users, so that few of them meet at the statistics.
type shard struct {
	stats *stats
	mu    sync.Mutex
	batch []sample
}

const batchSize = 256

func (s *shard) record(m *sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.batch = append(s.batch, *m); len(s.batch) == batchSize {
		s.stats.add(s.batch)
		s.batch = s.batch[:0]
	}
}

func (s *shard) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.add(s.batch)
	s.batch = s.batch[:0]
}

// latency is a distribution of times, from 1 µs to 10 minutes with 3 digits; sum, least
// and greatest are exact to the microsecond.
type latency struct {
	h             *hdrhistogram.Histogram
	sum, min, max int64 // µs
}

const maxLatency = 600_000_000 // µs

func newLatency(digits int) *latency { return &latency{h: hdrhistogram.New(1, maxLatency, digits)} }

func (l *latency) add(d time.Duration) {
	us := min(max(d.Microseconds(), 0), maxLatency)
	if l.h.TotalCount() == 0 {
		l.min, l.max = us, us
	}
	_ = l.h.RecordValue(us) // within bounds
	l.sum, l.min, l.max = l.sum+us, min(l.min, us), max(l.max, us)
}

func (l *latency) reset() {
	l.h.Reset()
	l.sum, l.min, l.max = 0, 0, 0
}

func (l *latency) merge(o *latency) {
	if o.h.TotalCount() == 0 {
		return
	}
	if l.h.TotalCount() == 0 {
		l.min = o.min
	}
	l.h.Merge(o.h)
	l.sum, l.min, l.max = l.sum+o.sum, min(l.min, o.min), max(l.max, o.max)
}

// counts are of requests.
type counts struct{ requests, failures, throttled, bytes int64 }

func (c *counts) add(m *sample) {
	c.requests++
	c.bytes += m.size
	if m.failure != "" {
		c.failures++
	}
	if m.throttled {
		c.throttled++
	}
}

// tally is counts and response times of some stretch of time.
type tally struct {
	counts
	response *latency
}

func (t *tally) add(m *sample) {
	t.counts.add(m)
	t.response.add(m.response)
}

func (t *tally) reset() {
	t.counts = counts{}
	t.response.reset()
}

// recentSeconds is how far "current" figures reach back, as in Locust.
const recentSeconds = 10

// entry is what is known of one method and name, or of all together.
type entry struct {
	method, name string
	whole        tally
	service      *latency
	steady       tally
	steadyServed *latency                 // service times of the steady window
	recent       [recentSeconds + 1]tally // the present second, and those before it
	first, last  time.Duration
}

func newEntry(method, name string) *entry {
	e := &entry{method: method, name: name, whole: tally{response: newLatency(3)}, service: newLatency(3), steady: tally{response: newLatency(3)}, steadyServed: newLatency(3)}
	for i := range e.recent {
		e.recent[i].response = newLatency(2)
	}
	return e
}

func (e *entry) add(m *sample, second int, steady bool) {
	if e.whole.requests == 0 {
		e.first = m.ended - m.service
	}
	e.last = max(e.last, m.ended)
	e.whole.add(m)
	e.service.add(m.service)
	e.recent[second].add(m)
	if steady {
		e.steady.add(m)
		e.steadyServed.add(m.service)
	}
}

type endpoint struct{ method, name string }

type failureKey struct {
	endpoint
	reason string
}

type occurrences struct {
	n           int64
	first, last time.Duration
	traceback   string
}

// Names that come from outside are bounded; what is beyond is counted as otherNames.
const (
	maxEndpoints = 100
	maxReasons   = 500
	otherNames   = "(others)"
)

// stats is all that is counted of a run.
type stats struct {
	mu         sync.Mutex
	entries    map[endpoint]*entry
	total      *entry
	failures   map[failureKey]*occurrences
	exceptions map[string]*occurrences
	slips      *latency      // of the steady window
	second     int           // which of recent is the present one
	seconds    int           // how many have passed
	heat       Heat          // of the present second
	since      time.Duration // when counting began: with the run, or a reset
	from, to   time.Duration // the steady window
	rows       []Row
	rowed      time.Duration // when the last row ended
	delta      *delta        // nil unless a master wants to know
}

// forever is a time no run reaches.
const forever = time.Duration(1<<63 - 1)

func newStats() *stats {
	s := &stats{from: forever, to: forever, slips: newLatency(3)}
	s.clear()
	return s
}

// clear forgets all but the rows of the charts.
func (s *stats) clear() {
	s.entries, s.failures, s.exceptions = map[endpoint]*entry{}, map[failureKey]*occurrences{}, map[string]*occurrences{}
	s.total = newEntry("", Aggregated)
	s.slips.reset()
	s.seconds, s.heat = 0, Heat{}
}

func (s *stats) reset(at time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = at
	s.clear()
}

// steadyFrom begins the steady window anew.
func (s *stats) steadyFrom(at time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from, s.to = at, forever
	s.slips.reset()
	for _, e := range s.all() {
		e.steady.reset()
		e.steadyServed.reset()
	}
}

// isSteady tells that the steady window has begun.
func (s *stats) isSteady() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.from != forever
}

// steadyTo ends the steady window, if it goes on.
func (s *stats) steadyTo(at time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = min(s.to, at)
}

// all returns the entries by name and method, and the total last.
func (s *stats) all() []*entry {
	all := slices.SortedFunc(maps.Values(s.entries), func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.method, b.method))
	})
	return append(all, s.total)
}

func (s *stats) entry(k endpoint) *entry {
	e, ok := s.entries[k]
	if ok {
		return e
	}
	if len(s.entries) >= maxEndpoints && k.name != otherNames {
		return s.entry(endpoint{k.method, otherNames})
	}
	e = newEntry(k.method, k.name)
	s.entries[k] = e
	return e
}

func (s *stats) add(batch []sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range batch {
		m := &batch[i]
		// By the intended start, so that those who had to wait belong where they came.
		steady := m.ended-m.response >= s.from && m.ended-m.response < s.to
		e := s.entry(endpoint{m.method, m.name})
		e.add(m, s.second, steady)
		s.total.add(m, s.second, steady)
		s.heat.add(m.response)
		if m.slip >= 0 && steady {
			s.slips.add(m.slip)
		}
		if m.failure != "" {
			count(s.failures, failureKey{endpoint{m.method, m.name}, m.failure}, failureKey{reason: otherNames}, m.ended)
		}
		if s.delta != nil {
			s.delta.add(e.name, m)
		}
	}
}

func (s *stats) exception(message, traceback string, at time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count(s.exceptions, message, otherNames, at).traceback = traceback
	if s.delta != nil {
		s.delta.Raise(message, traceback)
	}
}

func count[K comparable](all map[K]*occurrences, k, other K, at time.Duration) *occurrences {
	if _, ok := all[k]; !ok && len(all) >= maxReasons {
		k = other
	}
	o, ok := all[k]
	if !ok {
		o = &occurrences{first: at}
		all[k] = o
	}
	o.n++
	o.last = at
	return o
}
