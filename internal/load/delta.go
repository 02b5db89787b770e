package load

import (
	"math"
	"regexp"
	"time"
)

// Delta is what a fleet has counted since it was last asked, as Locust's workers tell
// it; runners.py and stats.py of Locust 2.12 and 2.47 agree on all of this.
type Delta struct {
	Since      time.Time // when counting began
	Total      *DeltaEntry
	Exceptions []DeltaException // each time that one was raised, up to maxReasons
	More       int              // exceptions beyond these

	entries map[endpoint]*DeltaEntry
	errors  map[failureKey]*DeltaError
}

// DeltaEntry is Locust's StatsEntry. Response times are in milliseconds, other times
// in seconds since 1970, sizes in bytes.
type DeltaEntry struct {
	Name              string          `msgpack:"name"`
	Method            string          `msgpack:"method"`
	LastRequest       *float64        `msgpack:"last_request_timestamp"` // nil without any
	StartTime         float64         `msgpack:"start_time"`
	NumRequests       int64           `msgpack:"num_requests"`
	NumNoneRequests   int64           `msgpack:"num_none_requests"` // those without a response time: none
	NumFailures       int64           `msgpack:"num_failures"`
	TotalResponseTime float64         `msgpack:"total_response_time"`
	MaxResponseTime   float64         `msgpack:"max_response_time"`
	MinResponseTime   *float64        `msgpack:"min_response_time"` // nil without any
	ContentLength     int64           `msgpack:"total_content_length"`
	ResponseTimes     map[int64]int64 `msgpack:"response_times"` // requests by rounded time
	NumReqsPerSec     map[int64]int64 `msgpack:"num_reqs_per_sec"`
	NumFailPerSec     map[int64]int64 `msgpack:"num_fail_per_sec"`
}

// DeltaError is a reason why requests failed. 2.12 has no use for when.
type DeltaError struct {
	Name        string  `msgpack:"name"`
	Method      string  `msgpack:"method"`
	Error       string  `msgpack:"error"`
	Occurrences int64   `msgpack:"occurrences"`
	FirstSeen   float64 `msgpack:"first_seen"`
	LastSeen    float64 `msgpack:"last_seen"`
}

// DeltaException is an error of a task itself.
type DeltaException struct {
	Message   string `msgpack:"msg"`
	Traceback string `msgpack:"traceback"`
}

// NewDelta begins to count.
func NewDelta(since time.Time) *Delta {
	return &Delta{
		Since: since, Total: newDeltaEntry(endpoint{name: Aggregated}, since),
		entries: map[endpoint]*DeltaEntry{}, errors: map[failureKey]*DeltaError{},
	}
}

func newDeltaEntry(k endpoint, since time.Time) *DeltaEntry {
	return &DeltaEntry{
		Name: k.name, Method: k.method, StartTime: unixSeconds(since),
		ResponseTimes: map[int64]int64{}, NumReqsPerSec: map[int64]int64{}, NumFailPerSec: map[int64]int64{},
	}
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// Record counts a request that ended at some time; failure is "" for success.
func (d *Delta) Record(method, name string, at time.Time, response time.Duration, size int64, failure string) {
	k := endpoint{method, name}
	e, ok := d.entries[k]
	if !ok {
		e = newDeltaEntry(k, d.Since)
		d.entries[k] = e
	}
	for _, e := range []*DeltaEntry{e, d.Total} {
		e.record(at, float64(response)/float64(time.Millisecond), size, failure != "")
	}
	if failure != "" {
		d.error(failureKey{k, failure}).occurred(at)
	}
}

func (d *Delta) error(k failureKey) *DeltaError {
	if e, ok := d.errors[k]; ok {
		return e
	}
	if len(d.errors) >= maxReasons && k.reason != otherNames {
		return d.error(failureKey{reason: otherNames})
	}
	e := &DeltaError{Name: k.name, Method: k.method, Error: k.reason}
	d.errors[k] = e
	return e
}

func (e *DeltaError) occurred(at time.Time) {
	if e.Occurrences == 0 {
		e.FirstSeen = unixSeconds(at)
	}
	e.Occurrences++
	e.LastSeen = unixSeconds(at)
}

func (e *DeltaEntry) record(at time.Time, ms float64, size int64, failed bool) {
	second := at.Unix()
	e.NumRequests++
	e.NumReqsPerSec[second]++
	if failed {
		e.NumFailures++
		e.NumFailPerSec[second]++
	}
	if e.LastRequest == nil {
		e.LastRequest, e.MinResponseTime = new(float64), new(float64)
		*e.MinResponseTime = ms
	}
	*e.LastRequest = max(*e.LastRequest, unixSeconds(at))
	*e.MinResponseTime = min(*e.MinResponseTime, ms)
	e.TotalResponseTime += ms
	e.MaxResponseTime = max(e.MaxResponseTime, ms)
	e.ContentLength += size
	e.ResponseTimes[locustRounded(ms)]++
}

// Raise notes an exception of a task.
func (d *Delta) Raise(message, traceback string) {
	if len(d.Exceptions) >= maxReasons {
		d.More++
		return
	}
	d.Exceptions = append(d.Exceptions, DeltaException{message, varying.ReplaceAllString(traceback, "…")})
}

// varying is what differs between tracebacks of the same fault. A master takes those
// that are the same text for one.
var varying = regexp.MustCompile(`goroutine [0-9]+|0x[0-9a-f]+`)

// locustRounded is the key under which Locust counts a response time: a whole number of
// milliseconds with two digits that count, of halves the even one.
func locustRounded(ms float64) int64 {
	unit := 1.0
	switch {
	case ms >= 10_000:
		unit = 1000
	case ms >= 1000:
		unit = 100
	case ms >= 100:
		unit = 10
	}
	return int64(math.RoundToEven(ms/unit) * unit)
}

// delta gathers what a master is to be told of a run.
type delta struct {
	began time.Time // of the run
	*Delta
}

func newDelta(began time.Time) *delta { return &delta{began, NewDelta(began)} }

// add counts a sample under the name that the statistics have for it.
func (d *delta) add(name string, m *sample) {
	d.Record(m.method, name, d.began.Add(m.ended), m.response, m.size, m.failure)
}

// take returns what was counted since it was last called.
func (d *delta) take() *Delta {
	taken := d.Delta
	d.Delta = NewDelta(time.Now())
	return taken
}
