package drift

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"upstream"
)

func simDay(day int) upstream.Day { return simStart + upstream.Day(day) }

// asKnown are the waits as they were known at the end of a day.
func asKnown(w *upstream.Waits, asOf upstream.Day) *upstream.Waits {
	out := &upstream.Waits{From: w.From, To: asOf}
	days := int32(asOf - w.From)
	for _, p := range w.Payers {
		known := p
		known.Ended = nil
		known.Started = slices.Clone(p.Started[:min(len(p.Started), int(days)+1)])
		if !p.Undecided && p.Clock == upstream.DecisionClock {
			clear(known.Started) // a claim isn't known before it is decided
		}
		for _, e := range p.Ended {
			if e.Start+max(e.Lag, 0) <= days {
				known.Ended = append(known.Ended, e)
				if !p.Undecided && p.Clock == upstream.DecisionClock {
					known.Started[e.Start] += e.Count
				}
			}
		}
		out.Payers = append(out.Payers, known)
	}
	return out
}

func slowPayer(weekly, factor float64) []waitPayer {
	return []waitPayer{{weekly: weekly, change: 350, factor: factor}, {weekly: 80}, {weekly: 60, median: 9}}
}

func TestSlowDownIsToldWithItsFigures(t *testing.T) {
	sim := waitSim{seed: 3, days: 420, payers: slowPayer(100, 1.5)}
	w := sim.waits()
	s := newTiming(w, upstream.DecisionClock)
	after, first := firstAlert(s, 350, 420, .05)
	if after < 0 {
		t.Fatal("not found")
	}
	if want := simDay(350 + after); first.KnownAt != want || first.EvidentAt != want {
		t.Errorf("first known %s, evident %s; found on %s", first.KnownAt, first.EvidentAt, want)
	}
	e := s.scan(simDay(400), history{}, .05)[0]
	switch {
	case e.Signal != upstream.DecisionTime || e.Clock != upstream.DecisionClock || name(e.Payer) != "Payer A" || e.CPTGroup != nil || e.Level != upstream.PayerLevel:
		t.Errorf("told of %s %s %s %s", e.Signal, e.Clock, name(e.Payer), e.Level)
	case e.Tier != upstream.Alert || e.Status != upstream.Open || e.Direction != upstream.Worse:
		t.Errorf("told as %s %s %s", e.Tier, e.Status, e.Direction)
	case math.Abs(e.BaselineValue-19.5) > 1.5:
		t.Errorf("the median of the baseline is %.1f days", e.BaselineValue)
	case e.CurrentValue < e.BaselineValue+4 || e.CurrentValue > e.BaselineValue+14 || e.DeltaValue != e.CurrentValue-e.BaselineValue:
		t.Errorf("the current median is %.1f days, %+.1f", e.CurrentValue, e.DeltaValue)
	case e.ChangeDateLow > simDay(350)+5 || e.ChangeDateHigh < simDay(350)-5 || e.ChangeDate < e.ChangeDateLow || e.ChangeDate > e.ChangeDateHigh:
		t.Errorf("changed on %s, from %s to %s; it was %s", e.ChangeDate, e.ChangeDateLow, e.ChangeDateHigh, simDay(350))
	case e.KnownAt > first.KnownAt || e.KnownAt < e.ChangeDateLow:
		t.Errorf("known on %s, told first on %s", e.KnownAt, first.KnownAt)
	case e.BaselineLast+1 != e.CurrentFirst || e.BaselineFirst >= e.BaselineLast || e.CurrentLast > simDay(400):
		t.Errorf("compares %s to %s with %s to %s", e.BaselineFirst, e.BaselineLast, e.CurrentFirst, e.CurrentLast)
	case e.BaselineN < 2000 || e.CurrentN < 500 || e.CurrentN > 2000 || e.EvidenceClaims < 50 || e.EvidenceClaims > e.CurrentN:
		t.Errorf("stands on %d and %d waits, %d late", e.BaselineN, e.CurrentN, e.EvidenceClaims)
	case e.Confidence <= .9 || e.Confidence > 1 || e.RootCauses == nil || e.SampleClaimIDs == nil || e.DollarsLow != nil || e.Severity != 0:
		t.Errorf("confidence %g", e.Confidence)
	}
}

func TestNothingLaterShowsInTiming(t *testing.T) {
	sim := waitSim{seed: 9, days: 520, payers: append(slowPayer(100, 1.6), waitPayer{weekly: 150, blind: true, change: 300, factor: 1.6})}
	w := sim.waits()
	for _, clock := range []upstream.Clock{upstream.DecisionClock, upstream.PaymentClock} {
		for i := range w.Payers {
			w.Payers[i].Clock = clock
		}
		full := newTiming(w, clock)
		found := 0
		for day := 30; day < 430; day += 9 {
			asOf := simDay(day)
			known := asKnown(w, asOf)
			then := newTiming(known, clock)
			a, b := full.scan(asOf, history{}, .5), then.scan(asOf, history{}, .5)
			if !reflect.DeepEqual(a, b) {
				t.Fatalf("%s, %s: with what came later\n%+v\nwithout\n%+v", clock, asOf, a, b)
			}
			if !reflect.DeepEqual(full.notes(asOf), then.notes(asOf)) {
				t.Errorf("%s: notes differ", asOf)
			}
			if !reflect.DeepEqual(promptPay(w, asOf, 30), promptPay(known, asOf, 30)) {
				t.Errorf("%s: prompt pay differs", asOf)
			}
			found += len(a)
			for _, e := range a {
				x, y := e, e
				if full.track(&x, asOf) != then.track(&y, asOf) || !reflect.DeepEqual(x, y) {
					t.Errorf("%s: tracked differently", asOf)
				}
			}
		}
		if found == 0 {
			t.Error("nothing was found, so nothing was tested")
		}
	}
}

func TestDecidedClaimsOnlyStillTellSlowDowns(t *testing.T) {
	sim := waitSim{seed: 6, days: 480, payers: []waitPayer{{weekly: 150, change: 350, factor: 1.5, blind: true}, {weekly: 100, blind: true}, {weekly: 100}}}
	s := newTiming(sim.waits(), upstream.DecisionClock)
	notes := strings.Join(s.notes(simDay(340)), "\n")
	if !strings.Contains(notes, "Payer A's and Payer B's data hold no undecided claims") || strings.Contains(notes, "Payer C") {
		t.Errorf("notes: %s", notes)
	}
	if after, e := firstAlert(s, 200, 350, .01); after >= 0 {
		t.Errorf("alarms without a change: %+v", e)
	}
	after, e := firstAlert(s, 350, 480, .05)
	if after < 0 || after > 60 || name(e.Payer) != "Payer A" || e.CurrentValue <= e.BaselineValue || e.EvidenceClaims == 0 {
		t.Errorf("found after %d days: %+v", after, e)
	}
	if got := s.track(&e, e.KnownAt); got != present {
		t.Errorf("stands %d on the day it was found", got)
	}
	if got := newTiming(sim.waits(), upstream.PaymentClock).notes(simDay(340)); len(got) != 0 {
		t.Errorf("notes of another clock: %q", got)
	}
}

func TestHistoryShapesWhatIsScanned(t *testing.T) {
	sim := waitSim{seed: 3, days: 470, payers: slowPayer(100, 1.5)}
	s := newTiming(sim.waits(), upstream.DecisionClock)
	asOf := simDay(400)
	e := s.scan(asOf, history{}, .05)[0]
	if got := s.scan(asOf, history{[]upstream.DriftEvent{e}}, .05); len(got) != 0 {
		t.Errorf("an open incident is told again: %+v", got)
	}
	noise := e
	noise.Status = upstream.Noise
	if again := s.scan(asOf, history{[]upstream.DriftEvent{noise}}, .05); len(again) != 0 {
		t.Errorf("what was called noise is told again: %+v", again)
	}
	earlier := noise
	earlier.ChangeDate, earlier.ChangeDateHigh = simDay(100), simDay(100)
	quiet := s.scan(asOf, history{[]upstream.DriftEvent{earlier}}, .05)
	if len(quiet) != 1 || quiet[0].Quieted != 2 {
		t.Errorf("after an earlier verdict of noise: %+v", quiet)
	}
	other := noise
	other.Clock = upstream.PaymentClock
	if got := s.scan(asOf, history{[]upstream.DriftEvent{other}}, .05); !reflect.DeepEqual(got, []upstream.DriftEvent{e}) {
		t.Errorf("a verdict on another clock matters: %+v", got)
	}
	sim.payers[0].back = 400
	back := newTiming(sim.waits(), upstream.DecisionClock)
	resolved := e
	resolved.Status, resolved.ResolvedAt = upstream.Resolved, simDay(425)
	for day := 426; day < 470; day++ {
		if got := back.scan(simDay(day), history{[]upstream.DriftEvent{resolved}}, .05); len(got) != 0 {
			t.Errorf("day %d: a change that ended is told again: %+v", day, got)
		}
	}
}

func TestIncidentIsTrackedAgainstItsFrozenBaseline(t *testing.T) {
	sim := waitSim{seed: 12, days: 700, payers: slowPayer(100, 1.6)}
	sim.payers[0].back = 500
	s := newTiming(sim.waits(), upstream.DecisionClock)
	after, e := firstAlert(s, 350, 400, .05)
	if after < 0 {
		t.Fatal("not found")
	}
	change := e
	for day := 350 + after; day < 500; day++ {
		if got := s.track(&e, simDay(day)); got != present {
			t.Fatalf("day %d: stands %d; %+v", day, got, e)
		}
	}
	if e.ChangeDate != change.ChangeDate || e.KnownAt != change.KnownAt || e.BaselineValue != change.BaselineValue || e.BaselineFirst != change.BaselineFirst {
		t.Errorf("the change or its baseline moved: %+v, was %+v", e, change)
	}
	if e.CurrentValue < 25 || e.CurrentValue > 36 || e.CurrentLast < simDay(490) {
		t.Errorf("now %.1f days through %s", e.CurrentValue, e.CurrentLast)
	}
	day := 500
	for ; day < 600 && s.track(&e, simDay(day)) != over; day++ {
	}
	if day > 545 {
		t.Errorf("over on day %d", day)
	}
	unknown := e
	unknown.Payer = new("Nobody")
	if got := s.track(&unknown, simDay(520)); got != absent {
		t.Errorf("an unknown payer stands %d", got)
	}
}

func TestRareClocksFindTheirChanges(t *testing.T) {
	base := waitSim{seed: 21, days: 900}
	for range 4 {
		base.payers = append(base.payers, waitPayer{weekly: 300})
	}
	decisions := base.waits()
	make4 := func(clock upstream.Clock, share func(payer, day int) float64, lag func(*rand.Rand) int) *upstream.Waits {
		w := &upstream.Waits{From: decisions.From, To: decisions.To, Payers: append([]upstream.PayerWaits{}, decisions.Payers...)}
		for i := range decisions.Payers {
			rng := rand.New(rand.NewPCG(5, uint64(i)))
			w.Payers = append(w.Payers, rareWaits(rng, &decisions.Payers[i], clock, base.days, func(day int) float64 { return share(i, day) }, func() int { return lag(rng) }))
		}
		return w
	}
	for _, c := range []struct {
		clock        upstream.Clock
		signal       upstream.Signal
		before, then float64
		within       int
		lag          func(*rand.Rand) int
	}{
		{upstream.TakebackClock, upstream.Takeback, .01, .05, 75, func(r *rand.Rand) int { return 31 + r.IntN(60) }},
		{upstream.OverturnClock, upstream.Overturn, .4, .15, 100, func(r *rand.Rand) int { return 20 + r.IntN(80) }},
	} {
		quiet := newTiming(make4(c.clock, func(int, int) float64 { return c.before }, c.lag), c.clock)
		if after, e := firstAlert(quiet, 60, 900, .01); after >= 0 {
			t.Errorf("%s alarms without a change: %+v", c.clock, e)
		}
		s := newTiming(make4(c.clock, func(p, day int) float64 {
			if p == 2 && day >= 600 {
				return c.then
			}
			return c.before
		}, c.lag), c.clock)
		after, e := firstAlert(s, 600, 900, .03)
		if after < 0 || after > c.within+31 || name(e.Payer) != "Payer C" || e.Signal != c.signal || e.Clock != "" {
			t.Errorf("%s: found after %d days: %+v", c.clock, after, e)
			continue
		}
		later := e
		if got := s.track(&later, simDay(600+after+14)); got != present || (later.CurrentValue > later.BaselineValue) != (c.then > c.before) || later.EvidenceClaims == 0 {
			t.Errorf("%s: stands %d: %+v", c.clock, got, later)
		}
		if math.Abs(later.BaselineValue-c.before) > c.before/2 {
			t.Errorf("%s: the baseline is %.3f, want about %.3f", c.clock, later.BaselineValue, c.before)
		}
	}
}

// rareWaits starts a clock at every decision, of which a share by its day ends.
func rareWaits(rng *rand.Rand, d *upstream.PayerWaits, clock upstream.Clock, days int, share func(int) float64, lag func() int) upstream.PayerWaits {
	out := upstream.PayerWaits{Payer: d.Payer, Clock: clock, Undecided: true, Started: make([]int32, days)}
	for _, w := range d.Ended {
		start := int(w.Start + w.Lag)
		out.Started[start] += w.Count
		for range w.Count {
			if end := start + lag(); rng.Float64() < share(start) && end < days {
				out.Ended = append(out.Ended, upstream.Wait{Start: int32(start), Lag: int32(end - start), Count: 1})
			}
		}
	}
	out.Ended = sumWaits(out.Ended)
	return out
}

// anyWaits are few waits of one payer over up to three months.
func TestTimingIsReproducible(t *testing.T) {
	w := practiceWaits(3)
	for _, c := range allClocks {
		a, b := newTiming(w, c), newTiming(w, c)
		for day := 700; day < 730; day++ { // one by one, and the last alone
			a.scan(simDay(day), history{}, 5)
		}
		if x, y := a.scan(w.To, history{}, 5), b.scan(w.To, history{}, 5); !reflect.DeepEqual(x, y) {
			t.Errorf("%s: %+v, alone %+v", c, x, y)
		}
	}
}

// What all payers do at once is the season, the practice or its files.
func TestAllPayersSlowingAtOnceIsNoStoryOfOne(t *testing.T) {
	alarms, evaluations := 0, 0
	for seed := range uint64(6) {
		sim := waitSim{seed: 40 + seed, days: 420, payers: make([]waitPayer, 8)}
		for i := range sim.payers {
			sim.payers[i] = waitPayer{weekly: 200, median: 14, change: 350, factor: 1.4}
		}
		s := newTiming(sim.waits(), upstream.DecisionClock)
		for day := 350; day < 400; day += 7 {
			alarms += len(s.scan(simDay(day), history{}, .06))
			evaluations += len(sim.payers)
		}
	}
	if alarms > evaluations/40 {
		t.Errorf("%d events in %d evaluations", alarms, evaluations)
	}
}
