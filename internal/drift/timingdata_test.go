package drift

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"upstream"
)

func TestMissingDataIsNoSlowDown(t *testing.T) {
	sim := waitSim{seed: 4, days: 420, payers: []waitPayer{{weekly: 100}, {weekly: 80}, {weekly: 60}}}
	drop := func(w *upstream.Waits, payers, from, to int) *upstream.Waits {
		for i := range payers {
			var kept []upstream.Wait
			for _, e := range w.Payers[i].Ended {
				if end := int(e.Start + e.Lag); end < from || end >= to {
					kept = append(kept, e)
				}
			}
			w.Payers[i].Ended = kept
		}
		return w
	}
	t.Run("nothing is loaded any more", func(t *testing.T) {
		s := newTiming(drop(sim.waits(), 3, 380, 420), upstream.DecisionClock)
		if after, e := firstAlert(s, 370, 420, .5); after >= 0 {
			t.Errorf("alarms after %d days: %+v", after, e)
		}
		notes := s.notes(simDay(415))
		if len(notes) != 1 || !strings.Contains(notes[0], "Nothing was decided by any payer after") {
			t.Errorf("notes: %q", notes)
		}
		if notes := s.notes(simDay(370)); len(notes) != 0 {
			t.Errorf("notes before: %q", notes)
		}
	})
	t.Run("three weeks of decisions are lost", func(t *testing.T) {
		s := newTiming(drop(sim.waits(), 3, 330, 351), upstream.DecisionClock)
		if after, e := firstAlert(s, 320, 420, .03); after >= 0 {
			t.Errorf("alarms after %d days: %+v", after, e)
		}
	})
	t.Run("one payer stops deciding", func(t *testing.T) {
		s := newTiming(drop(sim.waits(), 1, 380, 420), upstream.DecisionClock)
		after, e := firstAlert(s, 380, 420, .05)
		if after < 0 || after > 14 || name(e.Payer) != "Payer A" {
			t.Errorf("alarms after %d days: %+v", after, e)
		}
	})
	for blind, allowed := range map[bool]int{false: 0, true: 1} {
		t.Run("nothing is submitted any more, decided claims only: "+strconv.FormatBool(blind), func(t *testing.T) {
			found := 0
			for seed := range uint64(20) {
				stopped := waitSim{seed: seed, days: 500, payers: []waitPayer{{weekly: 100, stop: 300, blind: blind}, {weekly: 80, blind: blind}, {weekly: 60, blind: blind}}}
				if after, e := firstAlert(newTiming(stopped.waits(), upstream.DecisionClock), 300, 500, .05); after >= 0 {
					t.Logf("seed %d: alarms after %d days: %+v", seed, after, e)
					found++
				}
			}
			if found > allowed {
				t.Errorf("%d of 20 payers that end bring an alarm, want at most %d", found, allowed)
			}
		})
	}
	t.Run("after the last day of the data", func(t *testing.T) {
		slow := waitSim{seed: 3, days: 400, payers: slowPayer(100, 1.5)}
		s := newTiming(slow.waits(), upstream.DecisionClock)
		if a, b := s.scan(simDay(399), history{}, .05), s.scan(simDay(600), history{}, .05); len(a) != 1 || !reflect.DeepEqual(a, b) {
			t.Errorf("%+v at the end of the data, %+v later", a, b)
		}
	})
}

func TestBadWaitsAreSurvived(t *testing.T) {
	good := waitSim{seed: 2, days: 300, payers: []waitPayer{{weekly: 40}}}
	with := func(change func(p *upstream.PayerWaits)) *upstream.Waits {
		w := good.waits()
		change(&w.Payers[0])
		return w
	}
	for what, w := range map[string]*upstream.Waits{
		"nothing":               {},
		"no payer":              {From: simStart, To: simDay(100)},
		"ends before it starts": {From: simDay(10), To: simStart, Payers: good.waits().Payers},
		"a weekend":             {From: simStart - 2, To: simStart - 1, Payers: []upstream.PayerWaits{{Payer: "A", Clock: upstream.DecisionClock, Undecided: true, Started: []int32{4, 4}}}},
		"one day":               {From: simStart, To: simStart, Payers: []upstream.PayerWaits{{Payer: "A", Clock: upstream.DecisionClock, Undecided: true, Started: []int32{4}}}},
		"all pending":           with(func(p *upstream.PayerWaits) { p.Ended = nil }),
		"decided first": with(func(p *upstream.PayerWaits) {
			for i := range p.Ended {
				p.Ended[i].Lag *= -1
			}
		}),
		"clocks in the future": with(func(p *upstream.PayerWaits) {
			p.Ended = append(p.Ended, upstream.Wait{Start: 290, Lag: 5000, Count: 3}, upstream.Wait{Start: 5000, Lag: 1, Count: 3}, upstream.Wait{Start: 10, Lag: math.MaxInt32, Count: 1}, upstream.Wait{Start: -4, Lag: 10, Count: 1})
		}),
		"too many started": with(func(p *upstream.PayerWaits) { p.Started = append(p.Started, p.Started...) }),
		"too few started":  with(func(p *upstream.PayerWaits) { p.Started = p.Started[:40] }),
		"negative counts": with(func(p *upstream.PayerWaits) {
			for i := range p.Started {
				p.Started[i] *= -1
			}
			for i := range p.Ended {
				p.Ended[i].Count *= -1
			}
		}),
		"huge counts": with(func(p *upstream.PayerWaits) {
			for i := range p.Ended {
				p.Ended[i].Count = math.MaxInt32
			}
		}),
		"the same day": with(func(p *upstream.PayerWaits) {
			for i := range p.Ended {
				p.Ended[i].Lag = 0
			}
		}),
	} {
		for _, undecided := range []bool{true, false} {
			for i := range w.Payers {
				w.Payers[i].Undecided = undecided
			}
			for _, clock := range allClocks {
				for i := range w.Payers {
					w.Payers[i].Clock = clock
				}
				s := newTiming(w, clock)
				for _, day := range []int{-5, 0, 30, 100, 299, 400} {
					for _, e := range s.scan(simDay(day), history{}, .5) {
						finite(t, what, &e)
						s.track(&e, simDay(day+20))
						finite(t, what, &e)
					}
					s.track(&upstream.DriftEvent{Payer: new("Payer A"), ChangeDate: simDay(day / 2)}, simDay(day))
					s.notes(simDay(day))
					promptPay(w, simDay(day), day)
				}
			}
		}
	}
}

func finite(t *testing.T, what string, e *upstream.DriftEvent) {
	t.Helper()
	for _, v := range []float64{e.BaselineValue, e.CurrentValue, e.DeltaValue, e.Confidence, e.LnEvidence} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Errorf("%s: %+v", what, e)
			return
		}
	}
	if e.EvidenceClaims < 0 || e.BaselineN < 0 || e.CurrentN < 0 || e.Confidence > 1 {
		t.Errorf("%s: %+v", what, e)
	}
}

func TestMillionClaimsOnADayAreNoSlowDown(t *testing.T) {
	sim := waitSim{seed: 14, days: 420, payers: []waitPayer{{weekly: 60}, {weekly: 60}}}
	w := sim.waits()
	rng := rand.New(rand.NewPCG(1, 1))
	p := &w.Payers[0]
	p.Started[350] += 1_000_000
	var one waitPayer
	for range 10_000 { // a hundred claims each
		lag := math.Exp(math.Log(18) + .45*rng.NormFloat64())
		if end := one.remit(350 + lag); end < 420 {
			p.Ended = append(p.Ended, upstream.Wait{Start: 350, Lag: int32(end - 350), Count: 100})
		}
	}
	p.Ended = sumWaits(p.Ended)
	if after, e := firstAlert(newTiming(w, upstream.DecisionClock), 340, 420, .05); after >= 0 {
		t.Errorf("alarms after %d days: %+v", after, e)
	}
}

func TestNewPayerIsComparedWithItself(t *testing.T) {
	for seed := range uint64(10) {
		sim := waitSim{seed: seed, days: 500, payers: []waitPayer{{weekly: 100, median: 8}, {weekly: 150, median: 30}}}
		w := sim.waits()
		for day := range 250 { // the second payer appears on day 250
			w.Payers[1].Started[day] = 0
		}
		var kept []upstream.Wait
		for _, e := range w.Payers[1].Ended {
			if e.Start >= 250 {
				kept = append(kept, e)
			}
		}
		w.Payers[1].Ended = kept
		for _, clock := range []upstream.Clock{upstream.DecisionClock, upstream.PaymentClock} {
			for i := range w.Payers {
				w.Payers[i].Clock = clock
			}
			if after, e := firstAlert(newTiming(w, clock), 20, 500, .01); after >= 0 {
				t.Errorf("seed %d, %s alarms on day %d: %+v", seed, clock, 20+after, e)
			}
		}
	}
}
