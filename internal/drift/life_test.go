package drift

import (
	"slices"
	"testing"

	"upstream"

	"github.com/google/go-cmp/cmp"
)

// live replays weekly runs from a business day on, each with the incidents of
// those before, and returns all incidents at the end and how many alerts there
// were anew.
func live(det *Detector, first, step int, judge func(end int, known []upstream.DriftEvent)) []upstream.DriftEvent {
	var known []upstream.DriftEvent
	for end := first; end <= len(det.days); end += step {
		for _, e := range det.At(det.days[end-1], known).Events {
			if e.ID == 0 {
				e.ID = int64(len(known) + 1)
				known = append(known, e)
				continue
			}
			known[e.ID-1] = e
		}
		if judge != nil {
			judge(end, known)
		}
	}
	return known
}

func alerts(known []upstream.DriftEvent) []upstream.DriftEvent {
	return slices.DeleteFunc(slices.Clone(known), func(e upstream.DriftEvent) bool { return e.Tier != upstream.Alert })
}

// alertsAt leaves out the false alarms that a long replay has at other payers
// and, where a group is given, at their other groups.
func alertsAt(payer, group string, known []upstream.DriftEvent) []upstream.DriftEvent {
	return slices.DeleteFunc(alerts(known), func(e upstream.DriftEvent) bool {
		return name(e.Payer) != payer || group != "" && e.CPTGroup != nil && *e.CPTGroup != group
	})
}

// step is a simulation with a rise of points in one group from one day to another.
func step(seed uint64, days, from, to int, points float64) *upstream.Decisions {
	s := simulation{seed: seed, days: days, volume: even(8, 5, 200), logit: even(8, 5, logit(.1)), icc: .01, shock: .1}
	s.change = func(p, g, day int) (float64, float64, float64) {
		if p == 2 && g == 3 && day >= from && day < to {
			return 1, 0, points
		}
		return 1, 0, 0
	}
	return s.decisions()
}

func TestLastingDriftIsOneIncidentThatIsNeverAbsorbed(t *testing.T) {
	const changed = 150
	det := New(Data{Decisions: step(1, changed+300, changed, 1e6, .1)}, Options{})
	told := alertsAt("Payer C", "Group 03", live(det, changed, 5, nil))
	if len(told) != 1 {
		t.Fatalf("%d alerts, want one incident", len(told))
	}
	e := told[0]
	if e.Status != upstream.Open || e.EvidentAt != det.days[len(det.days)-1] {
		t.Errorf("after 300 days it is %s (%s), last evident %s", e.Status, e.Resolution, e.EvidentAt)
	}
	if e.BaselineValue > .13 || e.CurrentValue < .17 || e.BaselineLast >= e.ChangeDate+3 {
		t.Errorf("%.3f → %.3f against a baseline to %s, changed %s", e.BaselineValue, e.CurrentValue, e.BaselineLast, e.ChangeDate)
	}
	if off := det.dayIndex(e.ChangeDate) - changed; off < -8 || off > 8 {
		t.Errorf("the change is dated %d business days off", off)
	}
}

func TestIncidentEndsWhenTheNodeIsBack(t *testing.T) {
	const changed, ends = 150, 210
	det := New(Data{Decisions: step(2, changed+200, changed, ends, .15)}, Options{})
	closed := 0
	told := alertsAt("Payer C", "Group 03", live(det, changed, 5, func(end int, known []upstream.DriftEvent) {
		for _, e := range known {
			if closed == 0 && name(e.CPTGroup) == "Group 03" && e.Tier == upstream.Alert && e.Status == upstream.Resolved {
				closed = end
			}
		}
	}))
	if len(told) != 1 || told[0].Status != upstream.Resolved || told[0].Resolution != upstream.ResolvedBack {
		t.Fatalf("%d alerts, want one, resolved by the mirror: %+v", len(told), told)
	}
	if closed < ends || closed > ends+40 || told[0].ResolvedAt != det.days[closed-1] {
		t.Errorf("closed on business day %d (%s), it ended on %d", closed, told[0].ResolvedAt, ends)
	}
}

func TestSecondRiseAfterTheEndIsASecondIncident(t *testing.T) {
	const changed = 150
	s := simulation{seed: 3, days: changed + 250, volume: even(8, 5, 200), logit: even(8, 5, logit(.1)), icc: .01, shock: .1}
	s.change = func(p, g, day int) (float64, float64, float64) {
		if p == 2 && g == 3 && (day >= changed && day < changed+60 || day >= changed+170) {
			return 1, 0, .15
		}
		return 1, 0, 0
	}
	det := New(Data{Decisions: s.decisions()}, Options{})
	told := alertsAt("Payer C", "Group 03", live(det, changed, 5, nil))
	if len(told) != 2 || told[0].Status != upstream.Resolved || told[1].Status != upstream.Open {
		t.Fatalf("%d alerts, want a resolved and an open one", len(told))
	}
	if e := told[1]; e.BaselineValue > .13 {
		t.Errorf("the first incident is in the baseline of the second: %.3f", e.BaselineValue)
	}
}

func TestNoiseQuietsItsNodeAndNoOther(t *testing.T) {
	const changed = 150
	det := New(Data{Decisions: step(4, changed+60, changed, 1e6, .1)}, Options{})
	told := alertsAt("Payer C", "Group 03", live(det, changed, 5, nil))
	if len(told) != 1 {
		t.Fatalf("%d alerts", len(told))
	}
	noise := told[0]
	noise.Status = upstream.Noise
	last := det.days[len(det.days)-1]
	r := det.newRun(last, len(det.days), history{[]upstream.DriftEvent{noise}})
	for g := range det.groups {
		p := det.groups[g].payer
		quiet := p == 2 && det.groups[g].name == "Group 03"
		if got, want := r.groupShare(g)*map[bool]float64{true: 2, false: 1}[quiet], r.e.group[g]; got != want {
			t.Errorf("payer %d group %d has share %g, want %g", p, g, got, want)
		}
		if r.payerShare(p) != r.e.payer[p] {
			t.Errorf("payer %d is quieted", p)
		}
	}
	// What was called noise is normal from then on.
	for _, e := range det.At(last, []upstream.DriftEvent{noise}).Events {
		if e.Concerns(&noise) {
			t.Errorf("told again: %+v", e)
		}
	}
}

func TestFurtherRiseAfterAVerdictIsMeasuredFromTheAcceptedLevel(t *testing.T) {
	const changed = 150
	for name, verdict := range map[string]func(*upstream.DriftEvent){
		"noise": func(e *upstream.DriftEvent) { e.Status = upstream.Noise },
		"resolved by a person": func(e *upstream.DriftEvent) {
			e.Status, e.Resolution = upstream.Resolved, upstream.ResolvedPerson
		},
	} {
		s := simulation{seed: 12, days: changed + 160, volume: even(8, 5, 200), logit: even(8, 5, logit(.1)), icc: .01, shock: .1}
		s.change = func(p, g, day int) (float64, float64, float64) {
			switch {
			case p != 2 || g != 3 || day < changed:
				return 1, 0, 0
			case day < changed+90:
				return 1, 0, .1
			}
			return 1, 0, .25
		}
		det := New(Data{Decisions: s.decisions()}, Options{})
		told := alertsAt("Payer C", "Group 03", live(det, changed, 5, func(end int, known []upstream.DriftEvent) {
			for i := range known {
				if e := &known[i]; e.Tier == upstream.Alert && isOpen(e) && end < changed+90 && end > changed+40 {
					verdict(e)
				}
			}
		}))
		again, last := 0, &told[len(told)-1]
		for i := range told[1:] {
			if told[1+i].ChangeDate <= told[0].ChangeDateHigh {
				again++
			}
		}
		if again > 0 || len(told) < 2 || !isOpen(last) || last.BaselineValue < .16 || last.CurrentValue < .27 {
			t.Errorf("%s: the accepted change is told %d times again; the last of %d alerts: %+v", name, again, len(told), last)
		}
	}
}

// TestReplayGivesTheSameIncidents replays twice, once with a future that is cut
// off after each run: known incidents must carry no later fact either.
func TestReplayGivesTheSameIncidents(t *testing.T) {
	d, _ := simCustomer(900, true, false)
	det := New(Data{Decisions: d}, Options{})
	want := live(det, coldStartDays, 10, nil)
	if diff := cmp.Diff(want, live(New(Data{Decisions: d}, Options{}), coldStartDays, 10, nil)); diff != "" {
		t.Errorf("a replay differs:\n%s", diff)
	}
	var known []upstream.DriftEvent
	for end := coldStartDays; end <= len(det.days); end += 10 {
		cut := New(Data{Decisions: truncate(d, det.days[end-1])}, Options{})
		for _, e := range cut.At(det.days[end-1], known).Events {
			if e.ID == 0 {
				e.ID = int64(len(known) + 1)
				known = append(known, e)
				continue
			}
			known[e.ID-1] = e
		}
	}
	if diff := cmp.Diff(want, known); diff != "" {
		t.Errorf("the future shows in the incidents (- with it, + without):\n%s", diff)
	}
	if len(alerts(want)) == 0 {
		t.Error("no alert in a year of drifts")
	}
}

func TestOwnFrontEndErrorIsOneStoryOfTheMarket(t *testing.T) {
	const changed = 165 // June: no season
	one, more := 0, 0
	for seed := range uint64(6) {
		s := simulation{seed: 30 + seed, days: changed + 60, volume: even(8, 6, 120), logit: even(8, 6, logit(.1)), icc: .01, shock: .1}
		s.change = func(p, g, day int) (float64, float64, float64) {
			if day >= changed {
				return 1, 0, .06
			}
			return 1, 0, 0
		}
		det := New(Data{Decisions: s.decisions()}, Options{})
		for _, e := range alerts(live(det, changed-10, 5, nil)) {
			if e.Level == upstream.MarketLevel && e.Payer == nil && e.CPTGroup == nil {
				one++
			} else {
				more++
			}
		}
	}
	if one != 6 || more > 2 {
		t.Errorf("6 errors are told as %d events of the market and %d others", one, more)
	}
}

func TestGroupsIncidentGrowsIntoItsPayers(t *testing.T) {
	const changed = 150
	s := simulation{seed: 8, days: changed + 100, volume: even(8, 6, 150), logit: even(8, 6, logit(.1)), icc: .01, shock: .1}
	s.change = func(p, g, day int) (float64, float64, float64) {
		switch {
		case p == 2 && g == 3 && day >= changed: // first here
			return 1, 0, .08
		case p == 2 && day >= changed+12: // then everywhere
			return 1, 0, .08
		}
		return 1, 0, 0
	}
	told := alertsAt("Payer C", "", live(New(Data{Decisions: s.decisions()}, Options{}), changed, 5, nil))
	open := slices.DeleteFunc(slices.Clone(told), func(e upstream.DriftEvent) bool { return !isOpen(&e) })
	if len(open) != 1 || open[0].Level != upstream.PayerLevel || name(open[0].Payer) != "Payer C" {
		t.Errorf("%d open of %d alerts, want the payer's alone: %+v", len(open), len(told), open)
	}
}

// A group changes first and its payer follows: no node has two incidents at a time,
// and while a payer's improvement is open none of its groups gets one.
func TestGroupThatLeadsItsPayerIsNotToldTwice(t *testing.T) {
	for _, points := range []float64{.06, -.06} {
		raised := 0
		for seed := range simulations(100) {
			var before []upstream.DriftEvent
			live(New(Data{Decisions: leadingGroup(seed, points)}, Options{}), 140, 5, func(end int, known []upstream.DriftEvent) {
				for i := range known {
					e := &known[i]
					for k := range known[:i] {
						if isOpen(e) && isOpen(&known[k]) && e.Concerns(&known[k]) {
							t.Errorf("%+g, seed %d, day %d: #%d and #%d tell of one node", points, seed, end, known[k].ID, e.ID)
						}
					}
					for k := range before {
						whole := isOpen(&before[k]) && before[k].Level == upstream.PayerLevel && before[k].Direction == upstream.Better
						if i >= len(before) && whole && below(e, &before[k]) {
							t.Errorf("%+g, seed %d, day %d: #%d tells of a group of #%d", points, seed, end, e.ID, before[k].ID)
						}
					}
					if i < len(before) && before[i].Level == upstream.GroupLevel && e.Level == upstream.PayerLevel && (e.Direction == upstream.Better) == (points < 0) {
						raised++
					}
				}
				before = slices.Clone(known)
			})
		}
		if raised == 0 {
			t.Errorf("%+g: no group's incident is raised to its payer: the test judges nothing", points)
		}
	}
}

// leadingGroup is a practice where a group changes on day 150 and the rest of its
// payer 20 to 60 days later.
func leadingGroup(seed uint64, points float64) *upstream.Decisions {
	s := simulation{seed: seed, days: 300, volume: even(4, 5, 150), logit: even(4, 5, logit(.15)), icc: .01, shock: .1}
	follows := 170 + int(seed%5)*10
	s.change = func(p, g, day int) (float64, float64, float64) {
		if p == 1 && (g == 0 && day >= 150 || day >= follows) {
			return 1, 0, points
		}
		return 1, 0, 0
	}
	return s.decisions()
}
