package drift

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upstream"
)

// anyDecisions draws customers of every odd shape: nothing at all, nodes that
// deny nothing or everything, gaps of weeks, one claim a day or a million.
func anyDecisions(t *rapid.T) *upstream.Decisions {
	d := &upstream.Decisions{From: upstream.MakeDay(2024, 1, rapid.IntRange(1, 40).Draw(t, "from"))}
	days := rapid.SampledFrom([]int{1, 20, 60, 150, 300, 600}).Draw(t, "days") + rapid.IntRange(0, 30).Draw(t, "more days")
	d.To = d.From + upstream.Day(days-1)
	for p := range rapid.IntRange(0, 6).Draw(t, "payers") {
		for g := range rapid.IntRange(1, 4).Draw(t, "groups") {
			n := newNode(fmt.Sprintf("P%d", p), fmt.Sprintf("G%d", g), d)
			fillNode(t, &n)
			d.Nodes = append(d.Nodes, n)
		}
	}
	return d
}

func fillNode(t *rapid.T, n *upstream.NodeDecisions) {
	volume := rapid.SampledFrom([]int{0, 1, 1, 5, 30, 1000, 1_000_000}).Draw(t, "volume")
	percent := rapid.SampledFrom([]int{0, 1, 10, 50, 99, 100}).Draw(t, "percent")
	later := rapid.SampledFrom([]int{0, percent, percent, 25, 100}).Draw(t, "later")
	changed := len(n.Decided) - rapid.IntRange(0, len(n.Decided)).Draw(t, "changed, days before the end")
	gap, resume := rapid.IntRange(0, len(n.Decided)).Draw(t, "gap"), rapid.IntRange(0, len(n.Decided)).Draw(t, "resume")
	noise := uint32(rapid.IntRange(1, math.MaxInt32).Draw(t, "noise"))
	for i := range n.Decided {
		if i >= gap && i < resume {
			continue
		}
		noise = noise*1664525 + 1013904223 // many draws of rapid itself would be slow
		decided := volume
		if volume > 1 {
			decided = volume/2 + int(noise>>8)%volume
		}
		share := percent
		if i >= changed {
			share = later
		}
		denied := decided * share / 100
		if decided > 0 && share > 0 && share < 100 && int(noise>>16)%100 < share {
			denied = min(denied+1, decided)
		}
		n.Decided[i], n.Denied[i] = int32(decided), int32(denied)
		n.Allowed[i] = int64(decided-denied) * int64(noise>>20)
	}
}

func TestEveryFigureIsFiniteAndInRange(t *testing.T) {
	events := 0
	defer func() {
		if events == 0 {
			t.Error("no customer drawn had an event: the test judges nothing")
		}
		t.Logf("%d events judged", events)
	}()
	rapid.Check(t, func(t *rapid.T) {
		d := anyDecisions(t)
		asOf := d.To - upstream.Day(rapid.IntRange(-10, int(d.To-d.From)+10).Draw(t, "as of, days before the end"))
		budget := rapid.SampledFrom([]float64{0, .05, .5, 100, -1, math.NaN(), math.Inf(1)}).Draw(t, "budget")
		r := New(Data{Decisions: d}, Options{Budget: budget}).At(asOf, nil)
		if _, err := json.Marshal(r); err != nil { // refuses NaN and Inf
			t.Fatalf("the result is no JSON: %v", err)
		}
		events += len(r.Events)
		for i := range r.Events {
			checkEvent(t, &r.Events[i], asOf)
		}
	})
}

func checkEvent(t *rapid.T, e *upstream.DriftEvent, asOf upstream.Day) {
	for name, v := range map[string]float64{
		"baseline": e.BaselineValue, "current": e.CurrentValue, "severity": e.Severity, "confidence": e.Confidence,
	} {
		if !(v >= 0 && v <= 1) {
			t.Errorf("%s is %g", name, v)
		}
	}
	dates := []upstream.Day{e.BaselineFirst, e.BaselineLast, e.CurrentFirst, e.ChangeDate, e.KnownAt, asOf}
	if !slices.IsSorted(dates) || e.BaselineLast+1 != e.CurrentFirst || e.CurrentLast > asOf {
		t.Errorf("days out of order: %v, current to %s", dates, e.CurrentLast)
	}
	if e.ChangeDateLow > e.ChangeDate || e.ChangeDate > e.ChangeDateHigh || e.ChangeDateHigh > asOf {
		t.Errorf("change date %s is not within %s to %s", e.ChangeDate, e.ChangeDateLow, e.ChangeDateHigh)
	}
	better := e.Direction == upstream.Better
	if e.BaselineN <= 0 || e.CurrentN <= 0 || e.DollarsPerMonth < 0 && !better {
		t.Errorf("baseline %d claims, current %d, %d cents", e.BaselineN, e.CurrentN, e.DollarsPerMonth)
	}
	if e.Level == upstream.GroupLevel && (e.DeltaValue < 0) != better {
		t.Errorf("a group is told of with a rate that changed by %g", e.DeltaValue)
	}
	names := map[upstream.Level][2]bool{upstream.GroupLevel: {true, true}, upstream.PayerLevel: {true, false}, upstream.MarketLevel: {}}
	if names[e.Level] != [2]bool{e.Payer != nil, e.CPTGroup != nil} || e.RootCauses == nil || e.SampleClaimIDs == nil {
		t.Error("names don't fit the level, or a list is null")
	}
}

// TestNothingLaterLeaks holds a run to what was known on its day, bit for bit.
func TestNothingLaterLeaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDecisions(t)
		asOf := d.To - upstream.Day(rapid.IntRange(0, int(d.To-d.From)).Draw(t, "as of, days before the end"))
		full, cut := New(Data{Decisions: d}, Options{}).At(asOf, nil), New(Data{Decisions: truncate(d, asOf)}, Options{}).At(asOf, nil)
		if diff := cmp.Diff(full, cut); diff != "" {
			t.Fatalf("the future changes the result (- with it, + without):\n%s", diff)
		}
	})
}

func truncate(d *upstream.Decisions, asOf upstream.Day) *upstream.Decisions {
	out := &upstream.Decisions{From: d.From, To: asOf}
	days := asOf - d.From + 1
	for _, n := range d.Nodes {
		out.Nodes = append(out.Nodes, upstream.NodeDecisions{
			Payer: n.Payer, CPTGroup: n.CPTGroup,
			Decided: n.Decided[:days:days], Denied: n.Denied[:days:days], Allowed: n.Allowed[:days:days],
		})
	}
	return out
}

// TestReplayEqualsSingleRuns holds that what a detector keeps between
// evaluations, in whatever order, never shows.
func TestReplayEqualsSingleRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDecisions(t)
		det := New(Data{Decisions: d}, Options{})
		for range 5 {
			asOf := d.To - upstream.Day(rapid.IntRange(-3, int(d.To-d.From)+3).Draw(t, "as of, days before the end"))
			if diff := cmp.Diff(New(Data{Decisions: d}, Options{}).At(asOf, nil), det.At(asOf, nil)); diff != "" {
				t.Fatalf("a replay differs (- single run, + replay):\n%s", diff)
			}
		}
	})
}

func TestThresholdIsFinite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var nodes []upstream.NodeWindow
		for i := range rapid.IntRange(0, 4).Draw(t, "nodes") {
			n := upstream.NodeWindow{Payer: "P", CPTGroup: fmt.Sprint(i)}
			n.BaselineN, n.CurrentN = rapid.Int64Range(0, 1e9).Draw(t, "baseline"), rapid.Int64Range(0, 200).Draw(t, "current")
			n.BaselineDenied = rapid.Int64Range(0, n.BaselineN).Draw(t, "denied before")
			n.CurrentDenied = rapid.Int64Range(0, n.CurrentN).Draw(t, "denied")
			n.BaselineAllowed = upstream.Money(n.BaselineN-n.BaselineDenied) * 9900
			nodes = append(nodes, n)
		}
		r := Threshold(nodes, upstream.MakeDay(2025, 6, 30))
		if _, err := json.Marshal(r); err != nil {
			t.Fatalf("the result is no JSON: %v", err)
		}
		for _, e := range r.Events {
			if !(e.Severity >= 0 && e.Severity <= 1 && e.Confidence >= 0 && e.Confidence <= 1) {
				t.Errorf("severity %g, confidence %g", e.Severity, e.Confidence)
			}
			if (e.Direction == upstream.Worse) != (e.DeltaValue > 0) {
				t.Errorf("%s with a change of %g", e.Direction, e.DeltaValue)
			}
		}
	})
}
