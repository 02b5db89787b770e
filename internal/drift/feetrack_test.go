package drift

import (
	"math"
	"strings"
	"testing"

	"upstream"
)

// cutBetween cuts all lines from a week to before another.
func cutBetween(from, to int, cut float64) func(int) (float64, float64) {
	return func(week int) (float64, float64) {
		if week < from || week >= to {
			return 1, 0
		}
		return 1 - cut, 1
	}
}

func TestOpenIncidentIsTrackedUntilItIsOver(t *testing.T) {
	for seed := range uint64(20) {
		f := newFees(feeAmounts(500+seed, 104, onePayer(20, cutBetween(50, 70, .03)), feeStream{payer: "Payer B", codes: therapy, volume: 20}))
		events := f.scan(sundayOf(51), history{}, feeNodesBudget)
		if len(events) != 1 {
			t.Fatalf("seed %d: %d events", seed, len(events))
		}
		e := events[0]
		changed, known := e.ChangeDate, e.KnownAt
		ended := 0
		for week := 52; week < 100; week++ {
			got := f.track(&e, sundayOf(week))
			if week < 70 && got != present {
				t.Errorf("seed %d: standing %d in week %d of a cut from 50 to 70", seed, got, week)
			}
			if got == over {
				ended = week
				break
			}
		}
		if ended < 70 || ended > 73 {
			t.Errorf("seed %d: a cut to week 70 is over in week %d", seed, ended)
		}
		if e.ChangeDate != changed || e.KnownAt != known {
			t.Errorf("seed %d: the dates moved", seed)
		}
		if e.CurrentLast != sundayOf(ended) || e.CurrentN <= events[0].CurrentN || math.Abs(e.BaselineValue-events[0].BaselineValue) > 1e-12 {
			t.Errorf("seed %d: figures %+v", seed, e)
		}
	}
}

func TestIncidentWithoutItsBaselineIsAbsent(t *testing.T) {
	f := newFees(feeAmounts(1, 30, onePayer(20, nil)))
	for _, e := range []*upstream.DriftEvent{
		{Signal: upstream.AllowedAmount, Payer: new("Nobody"), ChangeDate: sundayOf(10) + 1},
		{Signal: upstream.AllowedAmount, Payer: new("Payer A"), CPTGroup: new("X-ray"), ChangeDate: sundayOf(10) + 1},
		{Signal: upstream.AllowedAmount, Payer: new("Payer A"), ChangeDate: feeStart},
		{Signal: upstream.AllowedAmount, Payer: new("Payer A"), ChangeDate: feeStart - 400},
		{Signal: upstream.AllowedAmount, Payer: new("Payer A"), ChangeDate: sundayOf(40)},
	} {
		if got := f.track(e, sundayOf(20)); got != absent {
			t.Errorf("%s since %s is %d", name(e.Payer), e.ChangeDate, got)
		}
	}
}

func TestOpenIncidentsAreNotToldAgain(t *testing.T) {
	cutAll := func(p, _ int) func(int) (float64, float64) {
		if p == 0 {
			return cutFrom(50, .05, 1)
		}
		return nil
	}
	cutOne := func(p, g int) func(int) (float64, float64) {
		if p == 0 && g == 0 {
			return cutFrom(50, .05, 1)
		}
		return nil
	}
	for name, change := range map[string]func(p, g int) func(int) (float64, float64){"a payer's": cutAll, "a group's": cutOne} {
		f := newFees(feeAmounts(7, 70, payersAlike(3, 20, change)...))
		events := f.scan(sundayOf(52), history{}, feeNodesBudget)
		if len(events) != 1 {
			t.Fatalf("%s: %d events", name, len(events))
		}
		events[0].Status = upstream.Acknowledged
		for week := 53; week < 70; week++ {
			if again := f.scan(sundayOf(week), history{events}, feeNodesBudget); len(again) != 0 {
				t.Errorf("%s: told again in week %d: %+v", name, week, again[0])
			}
		}
	}
}

func TestAnotherGroupOfThePayerIsStillWatched(t *testing.T) {
	f := newFees(feeAmounts(8, 70, payersAlike(3, 20, func(p, g int) func(int) (float64, float64) {
		switch {
		case p == 0 && g == 0:
			return cutFrom(50, .05, 1)
		case p == 0 && g == 1:
			return cutFrom(56, .05, 1)
		}
		return nil
	})...))
	first := f.scan(sundayOf(52), history{}, feeNodesBudget)
	second := f.scan(sundayOf(58), history{first}, feeNodesBudget)
	if len(first) != 1 || len(second) != 1 || name(second[0].CPTGroup) == name(first[0].CPTGroup) || second[0].CPTGroup == nil {
		t.Fatalf("first %+v, then %+v", first, second)
	}
}

func TestRecoveredIncidentIsNotToldAgain(t *testing.T) {
	f := newFees(feeAmounts(9, 104, onePayer(20, cutBetween(50, 62, .05)), feeStream{payer: "Payer B", codes: therapy, volume: 20}))
	events := f.scan(sundayOf(52), history{}, feeNodesBudget)
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	events[0].Status, events[0].ResolvedAt = upstream.Resolved, sundayOf(63)
	for week := 64; week < 90; week++ {
		for _, e := range f.scan(sundayOf(week), history{events}, .05) {
			if e.Tier == upstream.Alert {
				t.Fatalf("week %d: %+v", week, e)
			}
		}
	}
}

func TestNoiseVerdictsQuietTheirNode(t *testing.T) {
	f := newFees(exactCut(13120, 12726, 30, 33))
	events := f.scan(sundayOf(32), history{}, feeNodesBudget)
	for _, c := range []struct{ verdicts, want int }{{1, 1}, {200, 0}} {
		var h history
		for range c.verdicts {
			e := events[0]
			e.Status = upstream.Noise
			// An earlier change: what a verdict accepts is not told again at all.
			e.ChangeDate, e.ChangeDateHigh = sundayOf(4)-6, sundayOf(4)-6
			h.known = append(h.known, e)
		}
		again := f.scan(sundayOf(32), h, feeNodesBudget)
		if len(again) != c.want || c.want > 0 && again[0].Quieted != 2 {
			t.Errorf("after %d verdicts %+v", c.verdicts, again)
		}
		h.known[0].CPTGroup = new("X-ray")
		if again := f.scan(sundayOf(32), history{h.known[:1]}, feeNodesBudget); len(again) != 1 || again[0].Quieted != 0 {
			t.Errorf("a verdict elsewhere quiets: %+v", again)
		}
	}
}

func TestNotesTellWhatIsNotSeen(t *testing.T) {
	var b feeBuilder
	for week := range 20 {
		b.add("Aetna", "99213", "", 8900, week, 5)
	}
	b.add("Cigna", "99213", "", 8900, 19, 4)
	f := newFees(b.amounts(20))
	for week, want := range map[int]string{1: "there are 2", 10: "", 19: "1 of 2 payers"} {
		got := strings.Join(f.notes(sundayOf(week)), " ")
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("week %d: %q, want %q", week, got, want)
		}
	}
}
