package load

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden holds a text against a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-file +now; -update writes it anew):\n%s", path, diff)
	}
}

// began is when runs of tests began.
var began = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// ran returns what a run of some length comes to that met these samples, steady from
// one second on. It is put together by the code that does it for real runs.
func ran(t testing.TB, p Plan, lasted time.Duration, samples []sample) *Snapshot {
	t.Helper()
	r := &run{Plan: p, began: began, stats: newStats(), state: Stopped, endedAt: lasted}
	r.stats.steadyFrom(time.Second)
	r.stats.steadyTo(lasted)
	r.stats.add(samples)
	s := r.snapshot()
	s.Taken = began.Add(lasted) // the one thing that a clock has to do with
	return s
}

// asked makes n samples of one endpoint, evenly over a run from its second second on,
// with response times from 1 to n times a step; the service took a tenth of that.
func asked(name string, n int, lasted, step time.Duration) (samples []sample) {
	for i := range n {
		response := time.Duration(i+1) * step
		ended := time.Second + time.Duration(i)*(lasted-time.Second)/time.Duration(n) + response
		samples = append(samples, sample{method: "GET", name: name, ended: ended, response: response, service: response / 10, slip: 100 * time.Microsecond, size: 1000})
	}
	return samples
}

// failing has each k-th sample fail.
func failing(samples []sample, k int, reason string) []sample {
	for i := range samples {
		if i%k == 0 {
			samples[i].failure = reason
		}
	}
	return samples
}
