// Package bench measures. Run repeats a piece of work, of which it knows nothing,
// and judges its speed by the performance guide. Measure judges how well
// detection works: it plants changes in simulated customers (scenario.go), lets
// detectors run week by week (replay.go, detectors.go) and scores what they told
// against the truth (score.go); streams of counts (streams.go, oracle.go,
// trials.go) try one thing at a time.
package bench

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"upstream"
)

// Options tell what is measured and how often.
type Options struct {
	Customer int64
	Claims   int64 // all the customer's claims: the guide's denominator
	From     string
	Detector string
	Runs     int
}

// Work is what one run did.
type Work struct {
	Events          int
	ClaimsInWindows int64 // claims decided in the days that were compared
	Reads           int64 // database statements
}

// Report holds the figures of a benchmark; its JSON is the baseline of a later one.
type Report struct {
	Customer        int64        `json:"customer"`
	Claims          int64        `json:"claims"`
	ClaimsInWindows int64        `json:"claims_in_windows"`
	From            string       `json:"from"`
	Detector        string       `json:"detector"`
	Runs            []RunFigures `json:"runs"`
	MedianRuntimeMS float64      `json:"median_runtime_ms"`
	MinRuntimeMS    float64      `json:"min_runtime_ms"`
	MaxRuntimeMS    float64      `json:"max_runtime_ms"`
	// Signals are the medians with one signal alone and with all: reading, which
	// goes on side by side, evaluating and explaining.
	Signals []SignalFigures `json:"signals,omitempty"`
	Verdict string          `json:"verdict"`
	Target  Target          `json:"target"`
}

// SignalFigures are the cost of detection with some of its signals.
type SignalFigures struct {
	Signals  string  `json:"signals"`
	MedianMS float64 `json:"median_runtime_ms"`
}

// RunFigures are the figures of one run.
type RunFigures struct {
	RuntimeMS             float64 `json:"runtime_ms"`
	PeakHeapBytes         int64   `json:"peak_heap_bytes"`
	PeakRSSBytes          int64   `json:"peak_rss_bytes"`
	Events                int     `json:"events"`
	DatabaseReads         int64   `json:"database_reads"`
	ClaimsPerSecond       float64 `json:"claims_per_second"`
	WindowClaimsPerSecond float64 `json:"window_claims_per_second"`
}

// Run measures work o.Runs times, after one run that is not counted.
func Run(ctx context.Context, o Options, work func(context.Context) (Work, error)) (Report, error) {
	if o.Runs < 1 || o.Runs > 10_000 {
		return Report{}, upstream.Errorf(upstream.Invalid, "--runs must be 1 to 10,000")
	}
	r := Report{Customer: o.Customer, Claims: o.Claims, From: o.From, Detector: o.Detector, Target: targetFor(o.Claims)}
	if _, err := work(ctx); err != nil {
		return r, err
	}
	var runtimes []float64
	for range o.Runs {
		memory := watchMemory()
		start := time.Now()
		done, err := work(ctx)
		took := time.Since(start)
		heap, rss := memory.stop()
		if err != nil {
			return r, err
		}
		r.ClaimsInWindows = done.ClaimsInWindows
		r.Runs = append(r.Runs, RunFigures{
			RuntimeMS: took.Seconds() * 1000, PeakHeapBytes: heap, PeakRSSBytes: rss, Events: done.Events, DatabaseReads: done.Reads,
			ClaimsPerSecond: float64(o.Claims) / took.Seconds(), WindowClaimsPerSecond: float64(done.ClaimsInWindows) / took.Seconds(),
		})
		runtimes = append(runtimes, took.Seconds()*1000)
	}
	slices.Sort(runtimes)
	r.MinRuntimeMS, r.MedianRuntimeMS, r.MaxRuntimeMS = runtimes[0], median(runtimes), runtimes[len(runtimes)-1]
	r.Verdict = verdict(float64(o.Claims) / (r.MedianRuntimeMS / 1000))
	return r, nil
}

// Median is the median runtime of work in milliseconds, after one run that is not
// counted.
func Median(ctx context.Context, runs int, work func(context.Context) error) (float64, error) {
	if err := work(ctx); err != nil {
		return 0, err
	}
	runtimes := make([]float64, max(runs, 1))
	for i := range runtimes {
		start := time.Now()
		if err := work(ctx); err != nil {
			return 0, err
		}
		runtimes[i] = time.Since(start).Seconds() * 1000
	}
	slices.Sort(runtimes)
	return median(runtimes), nil
}

// median of sorted figures.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Target is a row of the guide's table "Expected Performance".
type Target struct {
	Dataset         string  `json:"dataset"`
	ClaimsPerSecond float64 `json:"claims_per_second"` // more than
	MemoryBytes     int64   `json:"memory_bytes"`      // less than
}

const mega = 1_000_000

var targets = []struct {
	upTo int64
	Target
}{
	{10_000, Target{"10K claims", 10_000, 50 * mega}},
	{100_000, Target{"100K claims", 5_000, 200 * mega}},
	{500_000, Target{"500K claims", 2_000, 500 * mega}},
}

// targetFor returns the row of the smallest data set not smaller than the
// customer's; the last row holds for all above it.
func targetFor(claims int64) Target {
	for _, t := range targets {
		if claims <= t.upTo {
			return t.Target
		}
	}
	return Target{"1M claims", 1_000, 1000 * mega}
}

// verdict is the guide's word for a throughput.
func verdict(claimsPerSecond float64) string {
	switch {
	case claimsPerSecond > 10_000:
		return "Excellent"
	case claimsPerSecond > 5_000:
		return "Good"
	case claimsPerSecond > 1_000:
		return "Acceptable"
	}
	return "Needs optimization"
}

// Compare returns an error when the median is slower than the baseline's by
// more than limit (0.1 is a tenth), or when the two measure different things.
func (r Report) Compare(baseline Report, limit float64) error {
	if r.From != baseline.From || r.Detector != baseline.Detector || r.Claims != baseline.Claims {
		return upstream.Errorf(upstream.Invalid, "the baseline measures other work: %d claims from %s by %s; make one with the same data and options",
			baseline.Claims, baseline.From, baseline.Detector)
	}
	if change := r.MedianRuntimeMS/baseline.MedianRuntimeMS - 1; change > limit+1e-9 {
		return upstream.Errorf(upstream.Conflict, "the median of %.2f ms is %.0f %% slower than the baseline's %.2f ms; %.0f %% is allowed",
			r.MedianRuntimeMS, 100*change, baseline.MedianRuntimeMS, 100*limit)
	}
	return nil
}

// ReadReport reads the JSON of an earlier benchmark.
func ReadReport(path string) (*Report, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, upstream.Errorf(upstream.NotFound, "can't read the baseline %s; make one with --json %s", path, path)
	}
	var r Report
	if err := json.Unmarshal(b, &r); err != nil || !(r.MedianRuntimeMS > 0) {
		return nil, upstream.Errorf(upstream.Invalid, "%s is no benchmark report; make one with --json %s", path, path)
	}
	return &r, nil
}

// ParsePercent reads "10%" or "10" as 0.1.
func ParsePercent(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "%")), 64)
	if err != nil || !(v >= 0 && v <= 10_000) {
		return 0, upstream.Errorf(upstream.Invalid, "a regression is written as 10%%, between 0%% and 10000%%")
	}
	return v / 100, nil
}
