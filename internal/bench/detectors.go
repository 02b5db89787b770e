package bench

import (
	"cmp"
	"context"
	"math"
	"slices"

	"upstream"
	"upstream/internal/drift"
)

// contestant is a detector to be scored.
type contestant struct {
	name  string
	start func() detector // for one customer
}

// detector runs week by week.
type detector interface {
	// run returns what is told for the first time as of the end of a day.
	run(ctx context.Context, asOf upstream.Day, v view) ([]upstream.DriftEvent, error)
}

// The names of the detectors.
const (
	usualRule     = "threshold"
	chiSquare     = "chi-square"
	chiSquareBH   = "chi-square+BH"
	ours          = "upstream"
	oursSparingly = "upstream B=0.1"
)

// sparingBudget is that at which precision is promised.
const sparingBudget = .1

func contestants() []contestant {
	return []contestant{
		{usualRule, func() detector {
			return &onWindows{flag: func(asOf upstream.Day, w []upstream.NodeWindow) []upstream.DriftEvent {
				return drift.Threshold(w, asOf).Events
			}}
		}},
		{chiSquare, func() detector { return &onWindows{flag: proportions(everyP)} }},
		{chiSquareBH, func() detector { return &onWindows{flag: proportions(benjaminiHochberg)} }},
		{ours, func() detector { return &incidents{budget: drift.DefaultBudget} }},
		{oursSparingly, func() detector { return &incidents{budget: sparingBudget} }},
	}
}

// quietDays is how long a node must have been silent before an alarm of a
// detector without memory counts as another one.
const quietDays = 28

// onWindows is a detector without memory on the windows of the usual rule: what
// it flags week after week is told once.
type onWindows struct {
	flag func(asOf upstream.Day, windows []upstream.NodeWindow) []upstream.DriftEvent
	last map[[2]string]upstream.Day // flagged, by payer and group
}

func (d *onWindows) run(ctx context.Context, asOf upstream.Day, v view) ([]upstream.DriftEvent, error) {
	windows, err := v.windows(ctx, asOf)
	if err != nil {
		return nil, err
	}
	if d.last == nil {
		d.last = map[[2]string]upstream.Day{}
	}
	var told []upstream.DriftEvent
	for _, e := range d.flag(asOf, windows) {
		node := [2]string{*e.Payer, *e.CPTGroup}
		if last, ok := d.last[node]; !ok || asOf-last > quietDays {
			told = append(told, e)
		}
		d.last[node] = asOf
	}
	return told, nil
}

// The two-sided test of two proportions, without continuity correction: its
// level, and the claims that both windows need.
const (
	testLevel  = .05
	testClaims = 30
)

// proportions flags the windows whose p-value select takes.
func proportions(choose func(p []float64) float64) func(upstream.Day, []upstream.NodeWindow) []upstream.DriftEvent {
	return func(asOf upstream.Day, windows []upstream.NodeWindow) []upstream.DriftEvent {
		var tested []upstream.NodeWindow
		var p []float64
		for _, w := range windows {
			if w.BaselineN >= testClaims && w.CurrentN >= testClaims {
				tested = append(tested, w)
				p = append(p, twoSided(w))
			}
		}
		level := choose(p)
		var events []upstream.DriftEvent
		for i, w := range tested {
			if p[i] < level {
				events = append(events, windowEvent(w, asOf))
			}
		}
		return events
	}
}

// everyP takes each node by itself.
func everyP([]float64) float64 { return testLevel }

// benjaminiHochberg bounds the false discovery rate of one run; it returns the
// level below which p-values are discoveries.
func benjaminiHochberg(p []float64) float64 {
	sorted := slices.Sorted(slices.Values(p))
	for k := len(sorted); k > 0; k-- {
		if sorted[k-1] <= testLevel*float64(k)/float64(len(sorted)) {
			return math.Nextafter(sorted[k-1], 2)
		}
	}
	return 0
}

// twoSided is the p-value of the same denial rate in both windows.
func twoSided(w upstream.NodeWindow) float64 {
	n0, n1 := float64(w.BaselineN), float64(w.CurrentN)
	pooled := float64(w.BaselineDenied+w.CurrentDenied) / (n0 + n1)
	variance := pooled * (1 - pooled) * (1/n0 + 1/n1)
	if variance <= 0 {
		return 1
	}
	return math.Erfc(math.Abs(rate(w.CurrentDenied, w.CurrentN)-rate(w.BaselineDenied, w.BaselineN)) / math.Sqrt(2*variance))
}

func rate(x, n int64) float64 { return float64(x) / float64(n) }

func windowEvent(w upstream.NodeWindow, asOf upstream.Day) upstream.DriftEvent {
	days := drift.ThresholdWindow(asOf)
	e := upstream.DriftEvent{
		Signal: upstream.DenialRate, Payer: new(w.Payer), CPTGroup: new(w.CPTGroup), Level: upstream.GroupLevel,
		Tier: upstream.Alert, Status: upstream.Open, Direction: upstream.Worse,
		BaselineValue: rate(w.BaselineDenied, w.BaselineN), CurrentValue: rate(w.CurrentDenied, w.CurrentN),
		BaselineN: w.BaselineN, CurrentN: w.CurrentN,
		BaselineFirst: days.BaselineFirst, BaselineLast: days.BaselineLast, CurrentFirst: days.CurrentFirst, CurrentLast: days.CurrentLast,
		ChangeDate: days.CurrentFirst, KnownAt: asOf,
	}
	if e.DeltaValue = e.CurrentValue - e.BaselineValue; e.DeltaValue < 0 {
		e.Direction = upstream.Better
	}
	return e
}

// incidents is the product's detector with its memory: each run is given what
// the runs before it told.
type incidents struct {
	budget float64
	known  []upstream.DriftEvent // by id, from 1
	told   []bool                // as an alert, or as an improvement
}

func (d *incidents) run(ctx context.Context, asOf upstream.Day, v view) ([]upstream.DriftEvent, error) {
	found, err := v.detect(ctx, asOf, d.budget, d.known)
	if err != nil {
		return nil, err
	}
	told := d.remember(found.Events)
	for i := range told {
		e := &told[i]
		if e.Signal != upstream.DenialRate || e.Payer == nil {
			continue
		}
		_, first, last := drift.DenialsToExplain(e)
		denials, err := v.denials(ctx, *e.Payer, first, last)
		if err != nil {
			return nil, err
		}
		drift.Explain(e, denials)
	}
	return told, nil
}

// remember keeps the incidents of a run, numbers new ones, and returns those
// that are alerts, or improvements, for the first time.
func (d *incidents) remember(events []upstream.DriftEvent) []upstream.DriftEvent {
	var told []upstream.DriftEvent
	for _, e := range events {
		if e.ID == 0 {
			e.ID = int64(len(d.known)) + 1
			d.known, d.told = append(d.known, e), append(d.told, false)
		}
		at := e.ID - 1
		d.known[at] = e
		if open := e.Status == upstream.Open || e.Status == upstream.Acknowledged; !open {
			continue
		}
		if !d.told[at] && (e.Tier == upstream.Alert || e.Direction == upstream.Better) {
			d.told[at] = true
			told = append(told, e)
		}
	}
	return told
}

// byDay orders what was told: by customer, detector, day, then the order of the run.
func byDay(told []Told) {
	slices.SortStableFunc(told, func(a, b Told) int {
		return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Detector, b.Detector), cmp.Compare(a.AsOf, b.AsOf))
	})
}
