package drift

import (
	"math"

	"upstream"
)

// The windows of the usual rule, in calendar days by date of submission.
const (
	thresholdCurrentDays  = 14
	thresholdBaselineDays = 90
)

// The usual rule's constants: the claims it needs in either window, and the
// points or the share of the baseline by which rates must differ.
const (
	thresholdClaims = 30
	thresholdPoints = .05
	thresholdShare  = .5
)

// calendarDaysPerMonth is a twelfth of 365.25 days.
const calendarDaysPerMonth = 365.25 / 12

// Window are the calendar days of submission that Threshold compares, first and
// last inclusive.
type Window struct {
	BaselineFirst, BaselineLast upstream.Day
	CurrentFirst, CurrentLast   upstream.Day
}

// ThresholdWindow returns the calendar days of submission that Threshold
// compares: the last 14 up to asOf, with the 90 before them.
func ThresholdWindow(asOf upstream.Day) Window {
	first := asOf - thresholdCurrentDays + 1
	return Window{
		BaselineFirst: first - thresholdBaselineDays, BaselineLast: first - 1,
		CurrentFirst: first, CurrentLast: asOf,
	}
}

// Threshold is the usual rule, kept to be compared with: a group drifts when
// its rate differs by 5 points or by half, in either direction, with 30 claims
// in both windows. It corrects neither for clustering nor for the number of
// groups and runs looked at, nor for claims still undecided, so it has many
// false alarms.
//
// The rule has no statistic of its own. For a reader who compares, Confidence
// is one minus the two-sided p-value of the usual z of two proportions, which
// is no probability of a change, and LnEvidence is z²/2; both are 0 where z is
// not defined. There is no change date but the first day of the current window,
// and no interval. DollarsPerMonth is negative where fewer claims are denied.
func Threshold(nodes []upstream.NodeWindow, asOf upstream.Day) Result {
	r := Result{Events: []upstream.DriftEvent{}}
	window := ThresholdWindow(asOf)
	r.Summary.FirstDay, r.Summary.LastDay = window.BaselineFirst, window.CurrentLast
	r.Summary.Parameters = map[string]any{
		"method":            "threshold",
		"current_days":      thresholdCurrentDays,
		"baseline_days":     thresholdBaselineDays,
		"min_claims":        thresholdClaims,
		"min_points":        thresholdPoints,
		"min_baseline_part": thresholdShare,
	}
	allowed := 0.0
	for i := range nodes {
		allowed += float64(nodes[i].BaselineAllowed) / thresholdBaselineDays * calendarDaysPerMonth
	}
	for i := range nodes {
		baseline, current := tallies(&nodes[i])
		flagged, considered := overThreshold(baseline, current)
		if considered {
			r.Summary.NodesConsidered++
			r.Summary.Windows++
		}
		if flagged {
			r.Summary.Alarms++
			r.Events = append(r.Events, thresholdEvent(&nodes[i], window, allowed))
		}
	}
	r.sort()
	return r
}

func tallies(n *upstream.NodeWindow) (baseline, current tally) {
	return tally{float64(n.BaselineN), float64(n.BaselineDenied)},
		tally{float64(n.CurrentN), float64(n.CurrentDenied)}
}

// overThreshold applies the rule; considered is false with too few claims.
func overThreshold(baseline, current tally) (flagged, considered bool) {
	if baseline.n < thresholdClaims || current.n < thresholdClaims {
		return false, false
	}
	before := baseline.rate()
	change := math.Abs(current.rate() - before)
	return change >= thresholdPoints || before > 0 && change >= thresholdShare*before, true
}

func thresholdEvent(n *upstream.NodeWindow, w Window, allowed float64) upstream.DriftEvent {
	baseline, current := tallies(n)
	delta := current.rate() - baseline.rate()
	direction := upstream.Worse
	if delta < 0 {
		direction = upstream.Better
	}
	cents := 0.0
	if paid := baseline.n - baseline.x; paid > 0 {
		monthly := current.n / thresholdCurrentDays * calendarDaysPerMonth
		cents = delta * monthly * float64(n.BaselineAllowed) / paid
	}
	z := twoProportions(baseline, current)
	return upstream.DriftEvent{
		Signal:          upstream.DenialRate,
		Payer:           new(n.Payer),
		CPTGroup:        new(n.CPTGroup),
		Level:           upstream.GroupLevel,
		Tier:            upstream.Alert,
		Status:          upstream.Open,
		Direction:       direction,
		BaselineValue:   baseline.rate(),
		CurrentValue:    current.rate(),
		DeltaValue:      delta,
		BaselineN:       n.BaselineN,
		CurrentN:        n.CurrentN,
		BaselineFirst:   w.BaselineFirst,
		BaselineLast:    w.BaselineLast,
		CurrentFirst:    w.CurrentFirst,
		CurrentLast:     w.CurrentLast,
		EvidenceClaims:  n.CurrentDenied,
		Severity:        severity(cents, allowed),
		Confidence:      math.Erf(math.Abs(z) / math.Sqrt2),
		LnEvidence:      z * z / 2,
		ChangeDate:      w.CurrentFirst,
		KnownAt:         w.CurrentLast,
		DollarsPerMonth: upstream.Money(math.Round(cents)),
		RootCauses:      []upstream.RootCause{},
		SampleClaimIDs:  []string{},
	}
}

// twoProportions is the z of two proportions with the pooled variance, 0 when
// all claims or none are denied.
func twoProportions(baseline, current tally) float64 {
	pooled := (baseline.x + current.x) / (baseline.n + current.n)
	variance := pooled * (1 - pooled) * (1/baseline.n + 1/current.n)
	if variance <= 0 {
		return 0
	}
	return (current.rate() - baseline.rate()) / math.Sqrt(variance)
}
