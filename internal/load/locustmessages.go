package load

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// Delta is what a fleet has counted since it was last asked, as Locust's workers tell
// it: runners.py and stats.py of Locust 2.12 and 2.47 agree on all of this.
type Delta struct {
	Since      time.Time // when counting began
	Total      *DeltaEntry
	Exceptions []DeltaException // each time that one was raised

	entries map[deltaKey]*DeltaEntry
	errors  map[deltaErrorKey]*DeltaError
}

type deltaKey struct{ method, name string }

type deltaErrorKey struct {
	deltaKey
	text string
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
		Since: since, Total: newDeltaEntry(deltaKey{name: Aggregated}, since),
		entries: map[deltaKey]*DeltaEntry{}, errors: map[deltaErrorKey]*DeltaError{},
	}
}

func newDeltaEntry(k deltaKey, since time.Time) *DeltaEntry {
	return &DeltaEntry{
		Name: k.name, Method: k.method, StartTime: unixSeconds(since),
		ResponseTimes: map[int64]int64{}, NumReqsPerSec: map[int64]int64{}, NumFailPerSec: map[int64]int64{},
	}
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// Record counts a request that ended at some time; failure is "" for success.
func (d *Delta) Record(method, name string, at time.Time, response time.Duration, size int64, failure string) {
	k := deltaKey{method, name}
	e, ok := d.entries[k]
	if !ok {
		e = newDeltaEntry(k, d.Since)
		d.entries[k] = e
	}
	for _, e := range []*DeltaEntry{e, d.Total} {
		e.record(at, float64(response)/float64(time.Millisecond), size, failure != "")
	}
	if failure == "" {
		return
	}
	ek := deltaErrorKey{k, failure}
	x, ok := d.errors[ek]
	if !ok {
		x = &DeltaError{Name: name, Method: method, Error: failure, FirstSeen: unixSeconds(at)}
		d.errors[ek] = x
	}
	x.Occurrences++
	x.LastSeen = unixSeconds(at)
}

func (e *DeltaEntry) record(at time.Time, ms float64, size int64, failed bool) {
	second := at.Unix()
	e.NumRequests++
	e.NumReqsPerSec[second]++
	if failed {
		e.NumFailures++
		e.NumFailPerSec[second]++
	}
	last := unixSeconds(at)
	if e.LastRequest == nil || *e.LastRequest < last {
		e.LastRequest = &last
	}
	if e.MinResponseTime == nil || *e.MinResponseTime > ms {
		e.MinResponseTime = &ms
	}
	e.TotalResponseTime += ms
	e.MaxResponseTime = max(e.MaxResponseTime, ms)
	e.ContentLength += size
	e.ResponseTimes[locustRounded(ms)]++
}

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

// statsData is what a stats message holds.
type statsData struct {
	Stats            []*DeltaEntry          `msgpack:"stats"`
	StatsTotal       *DeltaEntry            `msgpack:"stats_total"`
	Errors           map[string]*DeltaError `msgpack:"errors"`
	UserClassesCount map[string]int         `msgpack:"user_classes_count"`
	UserCount        int                    `msgpack:"user_count"`
}

func (d *Delta) stats(users map[string]int) *statsData {
	s := &statsData{Stats: []*DeltaEntry{}, StatsTotal: d.Total, Errors: map[string]*DeltaError{}, UserClassesCount: users, UserCount: sum(users)}
	for _, e := range d.entries {
		s.Stats = append(s.Stats, e)
	}
	for k, e := range d.errors {
		// Workers must agree on the key, and it must tell errors apart; Locust has a
		// hash too.
		h := sha256.Sum256([]byte(k.method + "." + k.name + "." + k.text))
		s.Errors[hex.EncodeToString(h[:])] = e
	}
	return s
}

func sum(users map[string]int) (n int) {
	for _, c := range users {
		n += c
	}
	return n
}

type heartbeatData struct {
	State  string  `msgpack:"state"`
	CPU    float64 `msgpack:"current_cpu_usage"`
	Memory int64   `msgpack:"current_memory_usage"`
}

type spawnedData struct {
	UserClassesCount map[string]int `msgpack:"user_classes_count"`
	UserCount        int            `msgpack:"user_count"`
}

// encodeMessage puts a message into the form of Locust's protocol.py.
func encodeMessage(kind string, data any, node string) []byte {
	var b bytes.Buffer
	e := msgpack.NewEncoder(&b)
	e.UseCompactInts(true)
	if err := e.EncodeMulti(messageHead(3), kind, data, node); err != nil {
		panic(err) // data is of our own making
	}
	return b.Bytes()
}

// messageHead begins an array.
type messageHead int

// EncodeMsgpack writes how long the array is.
func (n messageHead) EncodeMsgpack(e *msgpack.Encoder) error { return e.EncodeArrayLen(int(n)) }

// masterMessage is a message of a master.
type masterMessage struct {
	kind  string
	index int // of ack: which of its workers the master takes us for; -1 when it does not say
	spawn spawnData
}

type spawnData struct {
	Timestamp        float64        `msgpack:"timestamp"`
	UserClassesCount map[string]int `msgpack:"user_classes_count"`
	Host             *string        `msgpack:"host"`
	StopTimeout      *float64       `msgpack:"stop_timeout"` // seconds
	ParsedOptions    struct {
		Tags        []string `msgpack:"tags"`
		ExcludeTags []string `msgpack:"exclude_tags"`
	} `msgpack:"parsed_options"`
}

// maxDecoded bounds what is decoded: a list in a list takes a byte of it, and hundreds
// of the stack, which must not overflow.
const maxDecoded = 1 << 20

// decodeMessage reads a message of a master. Of kinds that we don't know the data is
// not looked at: programs that use Locust send their own.
func decodeMessage(b []byte) (m masterMessage, err error) {
	d := msgpack.NewDecoder(bytes.NewReader(b))
	n, err := d.DecodeArrayLen()
	if err != nil {
		return m, fmt.Errorf("what the master sent is no message of Locust's: %w", err)
	}
	if n != 3 {
		return m, fmt.Errorf("what the master sent has %d parts; messages of Locust's have 3", n)
	}
	if m.kind, err = d.DecodeString(); err != nil {
		return m, fmt.Errorf("what the master sent has no kind: %w", err)
	}
	m.index = -1
	if kinds := []string{"ack", "spawn"}; len(b) > maxDecoded && slices.Contains(kinds, m.kind) {
		return m, fmt.Errorf("the master's message %q has %d bytes; Locust's are far below %d", m.kind, len(b), maxDecoded)
	}
	switch m.kind {
	case "ack":
		var data *struct {
			Index *int `msgpack:"index"`
		}
		if err = d.Decode(&data); err == nil && data != nil && data.Index != nil {
			m.index = *data.Index
		}
	case "spawn":
		err = d.Decode(&m.spawn)
	}
	if err != nil {
		return m, fmt.Errorf("the master's message %q is not as Locust's: %w", m.kind, err)
	}
	return m, nil
}
