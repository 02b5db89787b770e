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

const feeNodesBudget = .5

// scanAt scans at the end of a week, without history.
func scanAt(a *upstream.Amounts, week int) []upstream.DriftEvent {
	return newFees(a).scan(sundayOf(week), history{}, feeNodesBudget)
}

// exactCut has 10 lines a week of one code at a rate, from a week on at another,
// and 20 of a code that stays at its own.
func exactCut(before, after float64, cut, weeks int) *upstream.Amounts {
	var b feeBuilder
	for week := range weeks {
		cents := before
		if week >= cut {
			cents = after
		}
		b.add("Aetna", "99214", "South Clinic", cents, week, 10)
		b.add("Aetna", "99213", "South Clinic", 8900, week, 20)
	}
	return b.amounts(weeks)
}

func TestCutIsToldExactly(t *testing.T) {
	events := scanAt(exactCut(13120, 12726, 30, 33), 32)
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	e := events[0]
	want := []upstream.CodeChange{{
		CPT: "99214", Place: "11", Location: "South Clinic", Before: 13120, After: 12726,
		Since: sundayOf(29) + 1, Lines: 30, Short: 30 * 394,
	}}
	if diff := cmp.Diff(want, e.Codes); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
	if e.Signal != upstream.AllowedAmount || e.Level != upstream.GroupLevel || *e.Payer != "Aetna" || *e.CPTGroup != "E/M office visits" ||
		e.Status != upstream.Open || e.Direction != upstream.Worse || e.Tier != upstream.Alert {
		t.Errorf("event is %+v", e)
	}
	if e.ChangeDate != sundayOf(29)+1 || e.KnownAt != sundayOf(30) || e.CurrentLast != sundayOf(32) || e.BaselineLast != sundayOf(29) {
		t.Errorf("changed %s, known %s, baseline to %s, current to %s", e.ChangeDate, e.KnownAt, e.BaselineLast, e.CurrentLast)
	}
	if e.BaselineN != 26*30 || e.CurrentN != 3*30 || e.EvidenceClaims != 30 {
		t.Errorf("%d lines before, %d since, %d below", e.BaselineN, e.CurrentN, e.EvidenceClaims)
	}
	if current := (2 + 12726./13120) / 3; math.Abs(e.BaselineValue-1) > 1e-12 || math.Abs(e.CurrentValue-current) > 1e-12 {
		t.Errorf("allowed over the rate %g, then %g, want 1 and %g", e.BaselineValue, e.CurrentValue, current)
	}
	month := cents(10 * 394 * daysPerMonth / 7)
	if e.DollarsPerMonth < month*9/10 || e.DollarsPerMonth > month*11/10 || *e.DollarsLow > month || *e.DollarsHigh < month {
		t.Errorf("%s a month (%s to %s), the cut costs %s", e.DollarsPerMonth, *e.DollarsLow, *e.DollarsHigh, month)
	}
}

// A customer that has put the code that is cut into a group of its own is told of
// that group, and of no other.
func TestCutIsToldOfTheCustomersOwnGroup(t *testing.T) {
	a := exactCut(13120, 12726, 30, 33)
	a.Groups = upstream.CPTGroups{"99214": "Long visits"}
	events := scanAt(a, 32)
	if len(events) != 1 || events[0].CPTGroup == nil || *events[0].CPTGroup != "Long visits" || events[0].CurrentN != 30 {
		t.Errorf("events %+v", events)
	}
}

func TestCutIsToldOnceAtItsLevel(t *testing.T) {
	cut := cutFrom(50, .05, 1)
	for _, c := range []struct {
		name   string
		change func(p, g int) func(int) (float64, float64)
		want   []string
	}{
		{"nothing", nil, nil},
		{"one group", func(p, g int) func(int) (float64, float64) {
			if p == 1 && g == 2 {
				return cut
			}
			return nil
		}, []string{"Payer B X-ray"}},
		{"one payer", func(p, _ int) func(int) (float64, float64) {
			if p == 1 {
				return cut
			}
			return nil
		}, []string{"Payer B "}},
		{"two groups of one payer at other times", func(p, g int) func(int) (float64, float64) {
			switch {
			case p == 1 && g == 2:
				return cut
			case p == 1 && g == 0:
				return cutFrom(52, .05, 1)
			}
			return nil
		}, []string{"Payer B "}},
		{"one group of two payers", func(p, g int) func(int) (float64, float64) {
			if p < 2 && g == 1 {
				return cut
			}
			return nil
		}, []string{"Payer A Physical therapy", "Payer B Physical therapy"}},
		{"most payers", func(p, _ int) func(int) (float64, float64) {
			if p < 4 {
				return cut
			}
			return nil
		}, []string{" "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, e := range scanAt(feeAmounts(5, 56, payersAlike(5, 20, c.change)...), 53) {
				if e.Tier == upstream.Alert {
					got = append(got, name(e.Payer)+" "+name(e.CPTGroup))
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("stories (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRaiseIsNoCut(t *testing.T) {
	// In January the rate goes up by 3 %; for two months some lines are of services
	// before, at the old rate.
	raise := func(week int) (float64, float64) {
		switch {
		case week < 40:
			return 1, 0
		case week < 48:
			return 1.03, .3 + .08*float64(week-40)
		}
		return 1.03, 1
	}
	for seed := range uint64(10) {
		f := newFees(feeAmounts(300+seed, 104, onePayer(40, raise)))
		for week := 35; week < 104; week++ {
			// A budget at which a customer of one node alarms of its own once in 20 years.
			if events := f.scan(sundayOf(week), history{}, .005); len(events) > 0 && events[0].Tier == upstream.Alert {
				t.Errorf("seed %d, week %d: a raise raises %s, ln R %g", seed, week, events[0].Tier, events[0].LnEvidence)
				break
			}
		}
	}
}

func TestShiftToCodesPaidLessIsNoCut(t *testing.T) {
	var b feeBuilder
	for week := range 60 {
		many, few := 20, 2
		if week >= 50 {
			many, few = few, many
		}
		b.add("Aetna", "97110", "", 3000, week, many)
		b.add("Aetna", "97140", "", 2700, week, 6*few) // a multiple-procedure cut on four of ten
		b.add("Aetna", "97140", "", 2100, week, 4*few)
	}
	for week := 50; week < 60; week++ {
		if events := scanAt(b.amounts(60), week); len(events) > 0 {
			t.Fatalf("week %d: a shift of volume raises %+v", week, events)
		}
	}
}

func TestNewCodesAndPayersAreNoCut(t *testing.T) {
	old, other := onePayer(20, nil), feeStream{payer: "Payer B", codes: therapy, volume: 30}
	codes := feeStream{payer: "Payer A", codes: xrays, volume: 30}
	two, more := feeAmounts(17, 104, old, other), feeAmounts(19, 104, old, codes)
	isNew := func(k *upstream.AmountKey) bool { return k.CPT[0] == '7' }
	for _, c := range []struct {
		name string
		a    *upstream.Amounts
	}{
		{"a payer appears", keep(two, func(k *upstream.AmountKey, week int) bool { return k.Payer == "Payer A" || week >= 50 })},
		{"a payer disappears", keep(two, func(k *upstream.AmountKey, week int) bool { return k.Payer == "Payer A" || week < 50 })},
		{"codes appear", keep(more, func(k *upstream.AmountKey, week int) bool { return !isNew(k) || week >= 50 })},
		{"codes disappear", keep(more, func(k *upstream.AmountKey, week int) bool { return !isNew(k) || week < 50 })},
		{"a gap of weeks", keep(two, func(_ *upstream.AmountKey, week int) bool { return week < 40 || week >= 52 })},
		{"history of four weeks", feeAmounts(18, 12, onePayer(60, nil))},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFees(c.a)
			for week := range c.a.Weeks {
				for _, e := range f.scan(sundayOf(week), history{}, .02) {
					if e.Tier == upstream.Alert {
						t.Fatalf("week %d: %s %s, ln R %g", week, name(e.Payer), name(e.CPTGroup), e.LnEvidence)
					}
				}
			}
		})
	}
}

// keep copies the lines of some weeks.
func keep(a *upstream.Amounts, want func(k *upstream.AmountKey, week int) bool) *upstream.Amounts {
	out := &upstream.Amounts{First: a.First, Weeks: a.Weeks}
	for i := range a.Keys {
		k := a.Keys[i]
		k.Atoms = slices.DeleteFunc(slices.Clone(k.Atoms), func(at upstream.Atom) bool { return !want(&k, int(at.Week)) })
		if len(k.Atoms) > 0 {
			out.Keys = append(out.Keys, k)
		}
	}
	return out
}

func TestCutIsFoundAfterFourWeeks(t *testing.T) {
	a := exactCut(13120, 12726, 3, 4)
	if events := scanAt(a, 3); len(events) != 1 || events[0].ChangeDate != sundayOf(2)+1 {
		t.Errorf("events %+v", events)
	}
	if events := scanAt(a, 2); len(events) != 0 {
		t.Errorf("three weeks of history tell of %+v", events)
	}
}

func TestNothingLaterShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := anyAmounts(t)
		week := rapid.IntRange(0, a.Weeks).Draw(t, "week") - 1
		day := sundayOf(week) + upstream.Day(rapid.IntRange(0, 6).Draw(t, "weekday"))
		known := keep(a, func(_ *upstream.AmountKey, w int) bool { return w <= week })
		known.Weeks = min(a.Weeks, week+1)
		h := anyFeeHistory(t, a)
		got, want := newFees(a).scan(day, h, feeNodesBudget), newFees(known).scan(day, h, feeNodesBudget)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("later facts show as of %s (-without +with):\n%s", day, diff)
		}
		for i := range h.known {
			one, other := h.known[i], h.known[i]
			s, o := newFees(a).track(&one, day), newFees(known).track(&other, day)
			if diff := cmp.Diff(other, one); diff != "" || s != o {
				t.Fatalf("later facts show in an open event as of %s (-without +with):\n%s", day, diff)
			}
		}
	})
}

// anyAmounts draws customers of every odd shape.
func anyAmounts(t *rapid.T) *upstream.Amounts {
	var b feeBuilder
	weeks := rapid.SampledFrom([]int{0, 1, 4, 10, 39, 60, 90}).Draw(t, "weeks")
	noise := uint32(rapid.IntRange(1, math.MaxInt32).Draw(t, "noise"))
	for p := range rapid.IntRange(0, 5).Draw(t, "payers") {
		for _, cpt := range []string{"99213", "99214", "97110", "bogus"}[:rapid.IntRange(1, 4).Draw(t, "codes")] {
			volume := rapid.SampledFrom([]int{0, 1, 5, 5, 40, 1_000_000}).Draw(t, "volume")
			rate := rapid.SampledFrom([]int{0, 1, 131_20, 1e9}).Draw(t, "rate")
			cut := rapid.IntRange(0, weeks).Draw(t, "cut")
			factor := rapid.SampledFrom([]float64{0, .5, .97, 1, 1.1}).Draw(t, "factor")
			scatter := rapid.SampledFrom([]uint32{1, 1, 5}).Draw(t, "scatter")
			for week := range weeks {
				noise = noise*1664525 + 1013904223
				if volume == 0 || noise>>30 == 0 {
					continue
				}
				cents := float64(rate)
				if week >= cut {
					cents *= factor
				}
				b.add(fmt.Sprintf("P%d", p), cpt, "", cents, week, 1+int(noise>>8)%volume)
				b.add(fmt.Sprintf("P%d", p), cpt, "", cents*float64(1+noise>>16%scatter)/2, week, 1)
			}
		}
	}
	return b.amounts(weeks)
}

// anyFeeHistory draws incidents at the nodes of the amounts.
func anyFeeHistory(t *rapid.T, a *upstream.Amounts) (h history) {
	f := newFees(a)
	for range rapid.IntRange(0, 2).Draw(t, "incidents") {
		p := rapid.IntRange(-1, len(f.payers)-1).Draw(t, "payer")
		g := -1
		if p >= 0 {
			g = rapid.SampledFrom([]int{-1, f.payers[p].from}).Draw(t, "group")
		}
		e := *f.node(p, g)
		e.ChangeDate = sundayOf(rapid.IntRange(-2, a.Weeks).Draw(t, "changed")) + 1
		e.Status = rapid.SampledFrom([]upstream.EventStatus{upstream.Open, upstream.Acknowledged, upstream.Resolved, upstream.Noise}).Draw(t, "status")
		e.ResolvedAt = e.ChangeDate + upstream.Day(rapid.IntRange(0, 200).Draw(t, "open for"))
		h.known = append(h.known, e)
	}
	return h
}

func TestEveryFeeFigureIsFiniteAndInRange(t *testing.T) {
	judged := 0
	check := func(t *rapid.T) {
		a := anyAmounts(t)
		f := newFees(a)
		day := feeStart + upstream.Day(rapid.IntRange(-10, 7*a.Weeks+20).Draw(t, "as of"))
		h := anyFeeHistory(t, a)
		budget := rapid.SampledFrom([]float64{.05, .5, 100}).Draw(t, "budget")
		events := f.scan(day, h, budget)
		for i := range events {
			judged++
			checkFeeEvent(t, &events[i], day)
		}
		for i := range h.known {
			f.track(&h.known[i], day)
			if _, err := json.Marshal(h.known[i]); err != nil {
				t.Fatalf("the tracked event is no JSON: %v", err)
			}
		}
		f.notes(day)
		if diff := cmp.Diff(newFees(a).scan(day, h, budget), events); len(h.known) == 0 && diff != "" {
			t.Fatalf("the same scan again (-again +first):\n%s", diff)
		}
	}
	// A hundred customers may have no event among them; two thousand have.
	for round := 0; round < 20 && (round == 0 || judged == 0); round++ {
		rapid.Check(t, check)
	}
	if judged == 0 && !testing.Short() { // which draws few
		t.Error("no customer drawn had an event: the test judges nothing")
	}
}

func checkFeeEvent(t *rapid.T, e *upstream.DriftEvent, asOf upstream.Day) {
	if _, err := json.Marshal(e); err != nil { // refuses NaN and Inf
		t.Fatalf("the event is no JSON: %v", err)
	}
	dates := []upstream.Day{e.BaselineFirst, e.BaselineLast, e.ChangeDate, e.KnownAt, e.CurrentLast, asOf}
	if !slices.IsSorted(dates) || e.CurrentFirst != e.ChangeDate || e.ChangeDateLow > e.ChangeDate || e.ChangeDateHigh < e.ChangeDate || e.ChangeDateHigh > e.CurrentLast {
		t.Fatalf("dates of %+v", e)
	}
	if e.Tier == "" || e.Confidence < 0 || e.Confidence > 1 || e.EvidenceClaims <= 0 || e.EvidenceClaims > e.CurrentN || e.BaselineN < rateLines {
		t.Fatalf("figures of %+v", e)
	}
	if *e.DollarsLow < 0 || *e.DollarsLow > e.DollarsPerMonth || *e.DollarsHigh < e.DollarsPerMonth {
		t.Fatalf("dollars of %+v", e)
	}
	if len(e.Codes) == 0 || len(e.Codes) > maxCodes || !slices.IsSortedFunc(e.Codes, func(a, b upstream.CodeChange) int { return int(b.Short - a.Short) }) {
		t.Fatalf("codes of %+v", e)
	}
	for _, c := range e.Codes {
		if c.After >= c.Before || c.Lines <= 0 || c.Short <= 0 || c.Since < e.ChangeDate || c.Since > e.CurrentLast {
			t.Fatalf("code %+v of %+v", c, e)
		}
	}
}

// Two groups of a payer that stays as a whole, each enough to be watched.
func TestWatchedGroupsAreNoChangeOfTheirPayer(t *testing.T) {
	pairs := 0
	for seed := range uint64(40) {
		streams := payersAlike(4, 5, func(p, g int) func(int) (float64, float64) {
			if p == 1 && g != 0 {
				return cutFrom(50+g, .05, .5)
			}
			return nil
		})
		streams = append(streams, feeStream{payer: "Payer B", codes: officeVisits, volume: 1500, exact: true})
		watched := 0
		// A budget so small that nothing is an alert.
		for _, e := range newFees(feeAmounts(seed, 56, streams...)).scan(sundayOf(54), history{}, 1e-9) {
			if e.Tier == "" {
				t.Errorf("seed %d: %s %s is told without a tier", seed, name(e.Payer), name(e.CPTGroup))
			}
			switch {
			case name(e.Payer) != "Payer B":
			case e.CPTGroup == nil:
				t.Errorf("seed %d: the whole payer is told", seed)
			default:
				watched++
			}
		}
		if watched > 1 {
			pairs++
		}
	}
	t.Logf("%d pairs", pairs)
	if pairs == 0 {
		t.Error("no pair of groups is watched: the test judges nothing")
	}
}

func TestHigherTier(t *testing.T) {
	for _, c := range []struct{ a, b, want upstream.Tier }{
		{"", "", ""},
		{"", upstream.Watch, upstream.Watch},
		{upstream.Watch, "", upstream.Watch},
		{upstream.Watch, upstream.Alert, upstream.Alert},
		{upstream.Alert, upstream.Watch, upstream.Alert},
		{"", upstream.Alert, upstream.Alert},
	} {
		if got := higher(c.a, c.b); got != c.want {
			t.Errorf("higher(%q, %q) = %q, want %q", c.a, c.b, got, c.want)
		}
	}
}
