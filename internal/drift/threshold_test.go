package drift

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upstream"
)

func TestThresholdRule(t *testing.T) {
	for _, c := range []struct {
		name                string
		baseline, current   tally
		flagged, considered bool
	}{
		{"no change", tally{900, 90}, tally{140, 14}, false, true},
		{"six points up", tally{900, 90}, tally{100, 16}, true, true},
		{"six points down", tally{900, 90}, tally{100, 4}, true, true},
		{"half as much again of a low rate", tally{1000, 20}, tally{200, 7}, true, true},
		{"anything from zero needs points", tally{900, 0}, tally{100, 4}, false, true},
		{"29 claims are too few", tally{900, 90}, tally{29, 29}, false, false},
		{"also in the baseline", tally{29, 0}, tally{900, 900}, false, false},
		{"30 are enough", tally{30, 3}, tally{30, 9}, true, true},
		{"nothing at all", tally{}, tally{}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			flagged, considered := overThreshold(c.baseline, c.current)
			if flagged != c.flagged || considered != c.considered {
				t.Errorf("flagged %t, considered %t", flagged, considered)
			}
		})
	}
}

func TestThresholdWindowsAreFourteenAndNinetyDays(t *testing.T) {
	w := ThresholdWindow(upstream.MakeDay(2025, 6, 30))
	want := Window{
		BaselineFirst: upstream.MakeDay(2025, 3, 19), BaselineLast: upstream.MakeDay(2025, 6, 16),
		CurrentFirst: upstream.MakeDay(2025, 6, 17), CurrentLast: upstream.MakeDay(2025, 6, 30),
	}
	if w != want {
		t.Errorf("%+v, want %+v", w, want)
	}
	if current, baseline := w.CurrentLast-w.CurrentFirst+1, w.BaselineLast-w.BaselineFirst+1; current != 14 || baseline != 90 {
		t.Errorf("%d and %d days", current, baseline)
	}
}

func TestThresholdTellsBothDirections(t *testing.T) {
	asOf := upstream.MakeDay(2025, 6, 30)
	w := ThresholdWindow(asOf)
	r := Threshold([]upstream.NodeWindow{
		{Payer: "Aetna", CPTGroup: "Imaging", BaselineN: 900, BaselineDenied: 90, CurrentN: 140, CurrentDenied: 28, BaselineAllowed: 810 * 100_00},
		{Payer: "Aetna", CPTGroup: "Lab", BaselineN: 900, BaselineDenied: 90, CurrentN: 140, CurrentDenied: 14, BaselineAllowed: 810 * 100_00},
		{Payer: "Cigna", CPTGroup: "Imaging", BaselineN: 900, BaselineDenied: 180, CurrentN: 140, CurrentDenied: 14, BaselineAllowed: 720 * 100_00},
		{Payer: "Cigna", CPTGroup: "Lab", BaselineN: 9, BaselineDenied: 1, CurrentN: 140, CurrentDenied: 140, BaselineAllowed: 8 * 100_00},
	}, asOf)
	if len(r.Events) != 2 || r.Summary.NodesConsidered != 3 || r.Summary.Windows != 3 || r.Summary.Alarms != 2 {
		t.Fatalf("%d events, summary %+v", len(r.Events), r.Summary)
	}
	// pooled 118 of 1040: z = 0.1/√(p(1−p)(1/900+1/140))
	p := 118. / 1040
	z := .1 / math.Sqrt(p*(1-p)*(1./900+1./140))
	month := calendarDaysPerMonth
	cents := .1 * 140 / 14 * month * 100_00
	want := upstream.DriftEvent{
		Signal: upstream.DenialRate, Payer: new("Aetna"), CPTGroup: new("Imaging"), Level: upstream.GroupLevel,
		Tier: upstream.Alert, Status: upstream.Open, Direction: upstream.Worse,
		BaselineValue: .1, CurrentValue: .2, DeltaValue: .1, BaselineN: 900, CurrentN: 140, EvidenceClaims: 28,
		BaselineFirst: w.BaselineFirst, BaselineLast: w.BaselineLast, CurrentFirst: w.CurrentFirst, CurrentLast: w.CurrentLast,
		Severity:   cents / ((810 + 810 + 720 + 8) * 100_00 / 90. * month),
		Confidence: math.Erf(z / math.Sqrt2), LnEvidence: z * z / 2,
		ChangeDate: asOf - 13, KnownAt: asOf,
		DollarsPerMonth: upstream.Money(math.Round(cents)),
		RootCauses:      []upstream.RootCause{}, SampleClaimIDs: []string{},
	}
	if diff := cmp.Diff(want, r.Events[0], cmp.Comparer(close12)); diff != "" {
		t.Errorf("event (- want, + got):\n%s", diff)
	}
	better := r.Events[1]
	if *better.Payer != "Cigna" || better.Direction != upstream.Better || better.DollarsPerMonth >= 0 || better.Severity != 0 {
		t.Errorf("the fall is told as %+v", better)
	}
}

func TestThresholdHasNoStatisticWithoutVariance(t *testing.T) {
	if z := twoProportions(tally{50, 0}, tally{50, 0}); z != 0 {
		t.Errorf("z is %g without a denial", z)
	}
	if z := twoProportions(tally{50, 50}, tally{50, 50}); z != 0 {
		t.Errorf("z is %g without a payment", z)
	}
}
