package bench

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"upstream"
)

// small is a run of a second or two: three customers see every kind of null
// customer, the one that goes through the store among them.
func small(seed uint64) QualityOptions {
	return QualityOptions{
		Customers: 3, Seed: seed, Quick: true, Now: time.Now,
		size: &sizes{weekly: []int64{100}, cell: 1, rise: 1, slow: 1, fee: 1, calibration: 20_000, cost: 500},
	}
}

// single is one customer of each kind, without streams.
func single(seed uint64) QualityOptions {
	return QualityOptions{Customers: 1, Seed: seed, Quick: true, Now: time.Now, size: &sizes{weekly: []int64{300}, calibration: 1000}}
}

// complete is a run with everything in it, for all tests that only look at it.
var complete = sync.OnceValues(func() (*Quality, error) { return Measure(context.Background(), small(1)) })

func measure(t *testing.T, o QualityOptions) *Quality {
	t.Helper()
	q, err := Measure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// withoutTimes is the report as JSON, without what differs from run to run.
func withoutTimes(t *testing.T, q *Quality) string {
	t.Helper()
	c := *q
	c.Cost.EvaluateMS, c.Cost.ReplayS = 0, 0
	c.Table = nil
	b, err := json.Marshal(&c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFiguresDependOnTheSeedAndNotOnTheProcessors(t *testing.T) {
	first, err := complete()
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.GOMAXPROCS(1)
	again := measure(t, small(1))
	runtime.GOMAXPROCS(before)
	if a, b := withoutTimes(t, first), withoutTimes(t, again); a != b {
		t.Errorf("one seed, two reports:\n%s\n%s", a, b)
	}
	if !reflect.DeepEqual(first.Truths, again.Truths) || !reflect.DeepEqual(first.Told, again.Told) {
		t.Error("one seed, other truths or events")
	}
	if other := measure(t, single(2)); withoutTimes(t, first) == withoutTimes(t, other) {
		t.Error("another seed gives the same report")
	}
}

func TestTheReportHasTheNamesOfTheContract(t *testing.T) {
	q, err := complete()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Seed, Customers *int
		Detectors       map[string]map[string]any
		Per100          map[string]map[string]*float64 `json:"false_alarms_per_100_node_months"`
	}
	if err := json.Unmarshal(b, &report); err != nil {
		t.Fatal(err)
	}
	if report.Seed == nil || report.Customers == nil {
		t.Error("seed or customers is missing")
	}
	for _, name := range []string{"threshold", "chi-square", "chi-square+BH", "upstream"} {
		for _, key := range []string{
			"false_alarms_per_customer_month", "placebo_recall", "recall", "net_recall", "precision", "median_delay_days", "delay_over_oracle",
			"duplicates_per_incident", "right_level", "carc_right", "dollars_caught", "interval_coverage", "change_date_error_days",
		} {
			if _, ok := report.Detectors[name][key]; !ok {
				t.Errorf("%s has no %s", name, key)
			}
		}
	}
	for _, volume := range []string{"5", "15", "50", "150", "500"} {
		for _, icc := range []string{"0", "0.01", "0.03"} {
			if report.Per100[volume][icc] == nil {
				t.Errorf("no figure at %s claims a week, ICC %s", volume, icc)
			}
		}
	}
}

func TestWhatADetectorToldIsScoredAlikeFromAFile(t *testing.T) {
	o := single(3)
	o.size.weekly = []int64{900} // so many that all detectors tell something
	first := measure(t, o)
	var file strings.Builder
	if err := WriteLines(&file, first.Told); err != nil {
		t.Fatal(err)
	}
	outside, err := ReadTold(strings.NewReader(file.String()), o.Datasets())
	if err != nil {
		t.Fatal(err)
	}
	o.Outside = outside
	q := measure(t, o)
	for _, name := range []string{usualRule, chiSquare, ours} {
		if !slices.ContainsFunc(first.Told, func(a Told) bool { return a.Detector == name }) {
			t.Errorf("%s told nothing", name)
		}
		own, other := q.Detectors[name], q.Detectors[name+" (file)"]
		own.DelayOverOracle, other.DelayOverOracle = 0, 0
		a, err := json.Marshal(own)
		b, err2 := json.Marshal(other)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if string(a) != string(b) {
			t.Errorf("%s: from its own run\n%s\nfrom the file\n%s", name, a, b)
		}
	}
}

// everywhere alarms at each node of the usual rule in each run, never not at all.
type everywhere struct{}

func (everywhere) run(ctx context.Context, asOf upstream.Day, v view) ([]upstream.DriftEvent, error) {
	windows, err := v.windows(ctx, asOf)
	var events []upstream.DriftEvent
	for _, w := range windows {
		events = append(events, windowEvent(w, asOf))
	}
	return events, err
}

type never struct{}

func (never) run(context.Context, upstream.Day, view) ([]upstream.DriftEvent, error) { return nil, nil }

func TestABrokenDetectorIsOutOfBounds(t *testing.T) {
	for name, test := range map[string]struct {
		broken detector
		says   []string
	}{
		"alarms everywhere": {everywhere{}, []string{"false alarms per customer-month", "placebo recall", "duplicates an incident"}},
		"never alarms":      {never{}, []string{"net recall is 0.00, less than 0.4", "right level is –"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := single(1)
			o.contestants = contestants()
			for i := range o.contestants {
				if o.contestants[i].name == ours {
					o.contestants[i].start = func() detector { return test.broken }
				}
			}
			q := measure(t, o)
			err := q.Err()
			if upstream.ErrorCode(err) != upstream.Conflict {
				t.Fatalf("error %v", err)
			}
			for _, s := range test.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q is not in %q", s, err)
				}
			}
			var out strings.Builder
			q.Print(&out)
			if !strings.Contains(out.String(), "out of bounds: ") {
				t.Errorf("not printed as such:\n%s", &out)
			}
		})
	}
}

func TestMeasureStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := single(1)
	o.Progress = func(done, _ int64) {
		if done == 2 {
			cancel()
		}
	}
	q, err := Measure(ctx, o)
	if q != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("report %v, error %v", q, err)
	}
}

func TestMeasureRefusesWhatItCannotSimulate(t *testing.T) {
	for _, n := range []int{-1, maxCustomers + 1} {
		o := single(1)
		o.Customers = n
		if _, err := Measure(t.Context(), o); upstream.ErrorCode(err) != upstream.Invalid {
			t.Errorf("%d customers: %v", n, err)
		}
	}
	o := single(1)
	o.ClaimsDir = filepath.Join(t.TempDir(), "file", "below")
	if err := os.WriteFile(filepath.Dir(o.ClaimsDir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Measure(t.Context(), o); upstream.ErrorCode(err) != upstream.Unavailable {
		t.Errorf("a directory that can't be made: %v", err)
	}
}

func TestClaimsAreWrittenForEachCustomerAndTellNoTruth(t *testing.T) {
	o := single(1)
	o.ClaimsDir = t.TempDir()
	q := measure(t, o)
	files, err := filepath.Glob(filepath.Join(o.ClaimsDir, "customer-*.csv"))
	if err != nil || len(files) != o.Datasets() {
		t.Fatalf("%d files, %v; want %d", len(files), err, o.Datasets())
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines != 300*allWeeks+1 {
		t.Errorf("%d lines", lines)
	}
	for _, truth := range q.Truths {
		if truth.Customer < 1 || truth.Customer > len(files) || truth.Placebo > len(files) {
			t.Errorf("truth of customer %d, placebo %d", truth.Customer, truth.Placebo)
		}
	}
}

func TestTheTableSaysWhatIsMissed(t *testing.T) {
	q := Quality{
		Detectors: map[string]Figures{ours: {FalseAlarms: .31, PlaceboRecall: .05, NetRecall: .7, CARCRight: none, RightLevel: .9, Coverage: .99}},
		Per100:    map[string]map[string]figure{"5": {"0": .1, "0.01": .4}},
		FeeCut:    FeeCutFigures{Streams: 60, NextRun: 60},
	}
	want := map[string]bool{
		"false alarms per customer-month": false, "placebo recall": true, "net recall": true, "right level": true,
		"CARC named right": false, "dollar interval holds the truth": false,
		"false alarms per 100 node-months, volumes 5–500, ICC 0–.03": true,
	}
	seen := 0
	for _, r := range q.table() {
		if met, listed := want[r.Figure]; listed {
			seen++
			if r.Met != met {
				t.Errorf("%s: %s against %s, met %t", r.Figure, r.Ours, r.Target, r.Met)
			}
		}
	}
	if seen != len(want) {
		t.Errorf("%d of %d rows", seen, len(want))
	}
}

func TestFiguresWithoutAValueAreNull(t *testing.T) {
	for f, want := range map[figure]string{0.123456789: "0.123457", 2: "2", figure(math.Inf(1)): "null"} {
		if b, err := json.Marshal(f); err != nil || string(b) != want {
			t.Errorf("%v is %s, %v", float64(f), b, err)
		}
	}
	if b, err := json.Marshal(none); err != nil || string(b) != "null" {
		t.Errorf("nothing measured is %s, %v", b, err)
	}
}
