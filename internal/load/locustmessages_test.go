package load

import (
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

// As stats.py rounds: the values are those of Python's round().
func TestResponseTimesAreRoundedAsLocusts(t *testing.T) {
	for ms, want := range map[float64]int64{
		0: 0, 0.4: 0, 0.5: 0, 1.5: 2, 2.5: 2, 3.49: 3, 99.4: 99, 99.7: 100, 100: 100, 104.9: 100, 105: 100, 115: 120, 147: 150,
		999: 1000, 1049.9: 1000, 1050: 1000, 1150: 1200, 3432: 3400, 9999: 10000, 10_499: 10_000, 10_500: 10_000, 11_500: 12_000, 58_760: 59_000, 600_000: 600_000,
	} {
		if got := locustRounded(ms); got != want {
			t.Errorf("%v: %d, want %d", ms, got, want)
		}
	}
}

// asGeneric encodes a message and decodes it as Python would see it.
func asGeneric(t *testing.T, b []byte) []any {
	t.Helper()
	d := msgpack.NewDecoder(strings.NewReader(string(b)))
	d.UseLooseInterfaceDecoding(true)
	d.SetMapDecoder(func(d *msgpack.Decoder) (any, error) {
		m, err := d.DecodeUntypedMap()
		for k, v := range m {
			if n, ok := k.(uint64); ok { // a number of Python has no sign of its own
				delete(m, k)
				m[int64(n)] = v
			}
		}
		return m, err
	})
	v, err := d.DecodeInterfaceLoose()
	if err != nil {
		t.Fatal(err)
	}
	return v.([]any)
}

type object = map[any]any

// A stats message has the keys, and values of the types, that stats.py of Locust reads.
func TestAStatsMessageIsAsLocusts(t *testing.T) {
	began := time.Unix(1_800_000_000, 0)
	d := NewDelta(began)
	d.Record("GET", "/a", began.Add(1500*time.Millisecond), 2500*time.Microsecond, 10, "")
	d.Record("GET", "/a", began.Add(1600*time.Millisecond), 147*time.Millisecond, 20, "status 500")
	d.Record("GET", "/a", began.Add(2*time.Second), 147*time.Millisecond, 30, "status 500")
	got := asGeneric(t, encodeMessage("stats", d.stats(map[string]int{"Reader": 2, "Writer": 1}), "node_1"))
	entry := func(method, name string) object {
		return object{
			"name": name, "method": method, "last_request_timestamp": 1_800_000_002.0, "start_time": 1_800_000_000.0,
			"num_requests": int64(3), "num_none_requests": int64(0), "num_failures": int64(2),
			"total_response_time": 296.5, "max_response_time": 147.0, "min_response_time": 2.5, "total_content_length": int64(60),
			"response_times":   object{int64(2): int64(1), int64(150): int64(2)},
			"num_reqs_per_sec": object{int64(1_800_000_001): int64(2), int64(1_800_000_002): int64(1)},
			"num_fail_per_sec": object{int64(1_800_000_001): int64(1), int64(1_800_000_002): int64(1)},
		}
	}
	want := []any{"stats", object{
		"stats":       []any{entry("GET", "/a")},
		"stats_total": entry("", "Aggregated"),
		"errors": object{"d7294310dae8d250d0e637bc405a5ceab1d450690f4771493ffbe2b53ac30a6e": object{
			"name": "/a", "method": "GET", "error": "status 500", "occurrences": int64(2),
			"first_seen": 1_800_000_001.6, "last_seen": 1_800_000_002.0,
		}},
		"user_classes_count": object{"Reader": int64(2), "Writer": int64(1)}, "user_count": int64(3),
	}, "node_1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Without requests there are no least and last values, and the rest is zero.
func TestAStatsMessageOfNothing(t *testing.T) {
	got := asGeneric(t, encodeMessage("stats", NewDelta(time.Unix(9, 0)).stats(map[string]int{}), "n"))[1].(object)
	total := got["stats_total"].(object)
	if total["min_response_time"] != nil || total["last_request_timestamp"] != nil || total["start_time"] != 9.0 || total["num_requests"] != int64(0) {
		t.Errorf("%v", total)
	}
	if len(got["stats"].([]any)) != 0 || len(got["errors"].(object)) != 0 || len(total["response_times"].(object)) != 0 {
		t.Errorf("%v", got)
	}
}

func TestOtherMessagesAreAsLocusts(t *testing.T) {
	for _, c := range []struct {
		kind string
		data any
		want any
	}{
		{"client_ready", -1, int64(-1)},
		{"quit", nil, nil},
		{"heartbeat", heartbeatData{"running", 12.5, 99}, object{"state": "running", "current_cpu_usage": 12.5, "current_memory_usage": int64(99)}},
		{"spawning_complete", spawnedData{map[string]int{"A": 1}, 1}, object{"user_classes_count": object{"A": int64(1)}, "user_count": int64(1)}},
		{"exception", DeltaException{"m", "t"}, object{"msg": "m", "traceback": "t"}},
	} {
		if diff := cmp.Diff([]any{c.kind, c.want, "n"}, asGeneric(t, encodeMessage(c.kind, c.data, "n"))); diff != "" {
			t.Errorf("%s: %s", c.kind, diff)
		}
	}
}

// What is recorded is found again, by name and in all.
func TestADeltaLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		began := time.Unix(1_800_000_000, 0)
		d := NewDelta(began)
		n, failed, bytes := int64(0), int64(0), int64(0)
		for range rapid.IntRange(0, 50).Draw(t, "requests") {
			failure := rapid.SampledFrom([]string{"", "status 500", "no answer"}).Draw(t, "failure")
			size := rapid.Int64Range(0, 1000).Draw(t, "size")
			took := time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "took"))
			at := began.Add(time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "at")))
			d.Record("GET", rapid.SampledFrom([]string{"/a", "/b"}).Draw(t, "name"), at, took, size, failure)
			n, bytes = n+1, bytes+size
			if failure != "" {
				failed++
			}
		}
		s := d.stats(nil)
		var parts DeltaEntry
		for _, e := range s.Stats {
			parts.NumRequests += e.NumRequests
			parts.NumFailures += e.NumFailures
			parts.ContentLength += e.ContentLength
			parts.TotalResponseTime += e.TotalResponseTime
			parts.MaxResponseTime = max(parts.MaxResponseTime, e.MaxResponseTime)
		}
		for _, e := range []DeltaEntry{parts, *s.StatsTotal} {
			if e.NumRequests != n || e.NumFailures != failed || e.ContentLength != bytes || e.MaxResponseTime != parts.MaxResponseTime || math.Abs(e.TotalResponseTime-parts.TotalResponseTime) > 1e-6 {
				t.Fatalf("%+v: want %d requests, %d failures, %d bytes", e, n, failed, bytes)
			}
		}
		for _, e := range append(s.Stats, s.StatsTotal) {
			if all(e.ResponseTimes) != e.NumRequests || all(e.NumReqsPerSec) != e.NumRequests || all(e.NumFailPerSec) != e.NumFailures {
				t.Fatalf("%+v", e)
			}
			if e.NumRequests > 0 && (*e.MinResponseTime > e.MaxResponseTime || *e.LastRequest < e.StartTime) {
				t.Fatalf("%+v", e)
			}
		}
		var occurrences int64
		for _, e := range s.Errors {
			occurrences += e.Occurrences
		}
		if occurrences != failed {
			t.Fatalf("%d errors, %d failed", occurrences, failed)
		}
	})
}

func all(counts map[int64]int64) (n int64) {
	for c := range maps.Values(counts) {
		n += c
	}
	return n
}

// fromMaster encodes a message as a master's Python does.
func fromMaster(kind string, data any) []byte {
	b, err := msgpack.Marshal([]any{kind, data, "node_1"})
	if err != nil {
		panic(err)
	}
	return b
}

func TestASpawnMessageIsRead(t *testing.T) {
	host, timeout := "http://h", 2.0
	for name, c := range map[string]struct {
		data map[string]any
		want spawnData
	}{
		"of 2.12": {
			map[string]any{"timestamp": 1.5, "user_classes_count": map[string]any{"A": 2}, "host": "http://h", "stop_timeout": 2, "parsed_options": map[string]any{"tags": nil, "users": 3, "csv_prefix": nil, "own": []any{1, map[string]any{}}}},
			spawnData{Timestamp: 1.5, UserClassesCount: map[string]int{"A": 2}, Host: &host, StopTimeout: &timeout},
		},
		"without": {
			map[string]any{"timestamp": 2, "user_classes_count": map[string]any{}, "host": nil, "stop_timeout": nil, "parsed_options": map[string]any{}},
			spawnData{Timestamp: 2, UserClassesCount: map[string]int{}},
		},
	} {
		m, err := decodeMessage(fromMaster("spawn", c.data))
		if err != nil || m.kind != "spawn" || m.index != -1 {
			t.Errorf("%s: %+v %v", name, m, err)
		}
		if diff := cmp.Diff(c.want, m.spawn); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	m, err := decodeMessage(fromMaster("spawn", map[string]any{"parsed_options": map[string]any{"tags": []any{"a", "b"}, "exclude_tags": []any{"c"}}}))
	if diff := cmp.Diff([][]string{{"a", "b"}, {"c"}}, [][]string{m.spawn.ParsedOptions.Tags, m.spawn.ParsedOptions.ExcludeTags}); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestAnAckIsReadWithAndWithoutAnIndex(t *testing.T) {
	for index, data := range map[int]any{-1: nil, 3: map[string]any{"index": 3}} {
		if m, err := decodeMessage(fromMaster("ack", data)); err != nil || m.index != index {
			t.Errorf("%v: %+v %v", data, m, err)
		}
	}
	if m, err := decodeMessage(fromMaster("ack", map[string]any{})); err != nil || m.index != -1 {
		t.Errorf("%+v %v", m, err)
	}
}

func TestWhatIsNoMessageIsAnError(t *testing.T) {
	for _, b := range []string{"", "\xc0", "\x92\xa3ack\xc0", "\x93\x01\xc0\xc0", "\x93\xa5spawn\x01\xc0", "\x93\xa5spawn\xc1", "\x93\xa3ack\xa1x", "hello"} {
		if m, err := decodeMessage([]byte(b)); err == nil || strings.Contains(err.Error(), "%!") {
			t.Errorf("%q: %+v %v", b, m, err)
		}
	}
	if m, err := decodeMessage([]byte("\x93\xa4mine\xc1")); err != nil || m.kind != "mine" {
		t.Errorf("a message of a kind that is not ours: %+v %v", m, err)
	}
}

func TestMessagesThatAreTooDeepOrTooLongAreErrors(t *testing.T) {
	for _, list := range []string{"\x91", "\x81\xa1a"} {
		head := "\x93\xa5spawn\x81\xaeparsed_options\x81\xa1x"
		for size, says := range map[int]string{maxDecoded - 100: "not as Locust's", maxDecoded + 100: "has 1048"} {
			if _, err := decodeMessage([]byte(head + strings.Repeat(list, size/len(list)))); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%d bytes: %v, want %q", size, err, says)
			}
		}
	}
	if _, err := decodeMessage([]byte("\x93\xa4mine" + strings.Repeat("\x91", maxDecoded))); err != nil {
		t.Error(err)
	}
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add(fromMaster("ack", map[string]any{"index": 1}))
	f.Add(fromMaster("spawn", map[string]any{"timestamp": 1.5, "user_classes_count": map[string]any{"A": 2}, "host": "h", "stop_timeout": nil, "parsed_options": map[string]any{"tags": []any{"a"}}}))
	f.Add(fromMaster("custom", []any{1, 2}))
	f.Add([]byte("\x93\xa5spawn\xdf\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMessage(b)
		if err == nil && m.kind != "spawn" && m.spawn.UserClassesCount != nil {
			t.Fatalf("%q: %+v", b, m)
		}
	})
}
