package drift

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upstream"
)

// stepped is a customer without noise: 4 payers × 2 groups of 40 decisions a
// business day with 4 denied, and 8 from a day on at one group.
func stepped(days, changed int) *upstream.Decisions {
	s := simulation{days: days, volume: even(4, 2, 0), logit: even(4, 2, 0)}
	d := s.decisions()
	for i := range d.Nodes {
		n := &d.Nodes[i]
		business := 0
		for at := range n.Decided {
			if !(d.From + upstream.Day(at)).IsBusiness() {
				continue
			}
			n.Decided[at], n.Denied[at] = 40, 4
			if i == 3 && business >= changed {
				n.Denied[at] = 8
			}
			n.Allowed[at] = int64(n.Decided[at]-n.Denied[at]) * 120_00
			business++
		}
	}
	return d
}

func TestEventHasTheFiguresOfItsWindows(t *testing.T) {
	d := stepped(190, 177)
	det := New(Data{Decisions: d}, Options{})
	r := det.At(d.To, nil)
	if len(r.Events) != 1 {
		t.Fatalf("%d events", len(r.Events))
	}
	e := r.Events[0]
	changed := det.days[177]
	want := upstream.DriftEvent{
		Signal: upstream.DenialRate, Payer: new("Payer B"), CPTGroup: new("Group 01"), Level: upstream.GroupLevel,
		Tier: upstream.Alert, Status: upstream.Open, Direction: upstream.Worse,
		BaselineValue: .1, CurrentValue: .2, DeltaValue: .1, BaselineN: 177 * 40, CurrentN: 13 * 40,
		BaselineFirst: d.From, BaselineLast: det.days[176], CurrentFirst: det.days[176] + 1, CurrentLast: d.To,
		EvidenceClaims: 13 * 8,
		ChangeDate:     changed,
		// Judged below.
		DollarsPerMonth: e.DollarsPerMonth, DollarsLow: e.DollarsLow, DollarsHigh: e.DollarsHigh, Severity: e.Severity,
		RootCauses: []upstream.RootCause{}, SampleClaimIDs: []string{},
		// What the statistic alone decides is judged below.
		Confidence: e.Confidence, LnEvidence: e.LnEvidence, KnownAt: e.KnownAt, EvidentAt: d.To,
		ChangeDateLow: e.ChangeDateLow, ChangeDateHigh: e.ChangeDateHigh,
	}
	if diff := cmp.Diff(want, e, cmp.Comparer(close12)); diff != "" {
		t.Errorf("event (- want, + got):\n%s", diff)
	}
	worth := .1 * 40 * businessDaysPerMonth * (120_00 + reworkCost)
	if off := float64(e.DollarsPerMonth)/worth - 1; off < -.1 || off > .1 || float64(*e.DollarsLow) > worth || float64(*e.DollarsHigh) < worth {
		t.Errorf("%s a month (%s–%s), want about %s", e.DollarsPerMonth, e.DollarsLow, e.DollarsHigh, upstream.Money(worth))
	}
	// 8 groups of 36 paid at $120.
	if want := float64(*e.DollarsLow) / (8 * 36 * 120_00 * businessDaysPerMonth); !close12(e.Severity, want) {
		t.Errorf("severity %g, want %g", e.Severity, want)
	}
	if e.KnownAt <= changed || e.KnownAt > changed+14 || e.Confidence < .9 || e.LnEvidence < 8 {
		t.Errorf("known at %s, confidence %g, ln evidence %g", e.KnownAt, e.Confidence, e.LnEvidence)
	}
	claims := int64(0)
	for day := e.CurrentFirst; day <= e.CurrentLast; day++ {
		claims += int64(d.Nodes[3].Decided[day-d.From])
	}
	if claims != e.CurrentN {
		t.Errorf("%d claims were decided in the window, the event says %d", claims, e.CurrentN)
	}
}

func close12(a, b float64) bool { d := a - b; return d < 1e-12 && d > -1e-12 }

func TestKnownAtStaysWhileTheEventIsOpen(t *testing.T) {
	d := stepped(200, 170)
	det := New(Data{Decisions: d}, Options{})
	var first upstream.Day
	for end := 171; end <= 200; end++ {
		r := det.At(det.days[end-1], nil)
		at := slices.IndexFunc(r.Events, func(e upstream.DriftEvent) bool { return e.Tier == upstream.Alert })
		if at < 0 {
			if first != 0 {
				t.Errorf("the alert of %s is gone on %s", first, det.days[end-1])
			}
			continue
		}
		if first == 0 {
			first = det.days[end-1]
		}
		if known := r.Events[at].KnownAt; known != first {
			t.Errorf("on %s known at %s, first seen %s", det.days[end-1], known, first)
		}
	}
	if first == 0 {
		t.Error("no alert")
	}
}

func TestSummarySaysWhatWasLookedAt(t *testing.T) {
	d := stepped(300, 290)
	det := New(Data{Decisions: d}, Options{Budget: .1})
	s := det.At(det.days[279], nil).Summary
	if s.FirstDay != det.days[19]+1 || s.LastDay != det.days[279] {
		t.Errorf("used %s to %s", s.FirstDay, s.LastDay)
	}
	if s.NodesConsidered != 8+4+1 || s.Windows != 13*len(lags) || s.Alarms != 0 {
		t.Errorf("%d nodes, %d windows, %d alarms", s.NodesConsidered, s.Windows, s.Alarms)
	}
	raw, err := json.Marshal(s.Parameters)
	if err != nil || !strings.Contains(string(raw), `"budget":0.1`) || !strings.Contains(string(raw), `"lags":[1,2,3`) {
		t.Errorf("parameters are %s, %v", raw, err)
	}
}

func TestNothingToLookAtIsNoEvent(t *testing.T) {
	d := stepped(100, 100)
	for name, r := range map[string]Result{
		"no nodes":        New(Data{Decisions: &upstream.Decisions{}}, Options{}).At(d.To, nil),
		"no decisions":    New(Data{Decisions: dayOf(d.From, d.To, nil)}, Options{}).At(d.To, nil),
		"before the data": New(Data{Decisions: d}, Options{}).At(d.From-1, nil),
		"the first day":   New(Data{Decisions: d}, Options{}).At(d.From, nil),
	} {
		if r.Events == nil || len(r.Events) != 0 || r.Summary.NodesConsidered != 0 || r.Summary.Parameters == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestAnswerEndsWithTheData(t *testing.T) {
	d := stepped(190, 177)
	det := New(Data{Decisions: d}, Options{})
	if diff := cmp.Diff(det.At(d.To+7, nil), det.At(d.To+700, nil)); diff != "" {
		t.Errorf("the result changes without data:\n%s", diff)
	}
}

func TestEventsAreInOrder(t *testing.T) {
	event := func(tier upstream.Tier, cents upstream.Money, payer string, group *string) upstream.DriftEvent {
		return upstream.DriftEvent{Tier: tier, DollarsPerMonth: cents, Payer: &payer, CPTGroup: group}
	}
	want := []upstream.DriftEvent{
		event(upstream.Alert, 9, "B", nil),
		event(upstream.Alert, 5, "A", nil),
		event(upstream.Alert, 5, "A", new("Imaging")),
		event(upstream.Alert, 5, "B", nil),
		event(upstream.Watch, 99, "A", nil),
	}
	r := Result{}
	for _, i := range []int{3, 4, 1, 0, 2} {
		r.Events = append(r.Events, want[i])
	}
	r.sort()
	if diff := cmp.Diff(want, r.Events); diff != "" {
		t.Error(diff)
	}
}

// TestPracticeReplaysToTheBit is TestNothingLaterLeaks and
// TestReplayEqualsSingleRuns on a customer with many events.
func TestPracticeReplaysToTheBit(t *testing.T) {
	s := practice(11, 8, 12, 330, 3000)
	s.change = func(p, g, day int) (float64, float64, float64) {
		if day >= 200 && (p == 1 || g == p) {
			return 1, 0, .06
		}
		return 1, 0, 0
	}
	d := s.decisions()
	det := New(Data{Decisions: d}, Options{})
	events := 0
	for _, back := range []int{0, 2, 17, 40, 41, 90, 5, 130, 300} {
		asOf := d.To - upstream.Day(back)
		full := det.At(asOf, nil)
		events += len(full.Events)
		if diff := cmp.Diff(New(Data{Decisions: truncate(d, asOf)}, Options{}).At(asOf, nil), full); diff != "" {
			t.Errorf("as of %s (- cut off there, + replay):\n%s", asOf, diff)
		}
	}
	if events < 20 {
		t.Errorf("%d events judge little", events)
	}
}
