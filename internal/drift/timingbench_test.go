package drift

import (
	"math/rand/v2"
	"testing"

	"upstream"
)

var allClocks = []upstream.Clock{upstream.DecisionClock, upstream.PaymentClock, upstream.OverturnClock, upstream.TakebackClock}

// practiceWaits are two years of waits of 10 payers on all four clocks, 100
// claims a week at each.
func practiceWaits(seed uint64) *upstream.Waits {
	sim := waitSim{seed: seed, days: 730}
	for range 10 {
		sim.payers = append(sim.payers, waitPayer{weekly: 100})
	}
	w := sim.waits()
	for i := range sim.payers {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		d := w.Payers[i]
		w.Payers = append(w.Payers,
			afterwards(rng, &d, upstream.PaymentClock, sim.days, 1, func() int { return 1 + rng.IntN(5) }),
			afterwards(rng, &d, upstream.OverturnClock, sim.days, .3, func() int { return 20 + rng.IntN(120) }),
			afterwards(rng, &d, upstream.TakebackClock, sim.days, .01, func() int { return 31 + rng.IntN(300) }))
	}
	return w
}

// afterwards starts a clock at every end of the decisions, of which a share ends.
func afterwards(rng *rand.Rand, d *upstream.PayerWaits, clock upstream.Clock, days int, share float64, lag func() int) upstream.PayerWaits {
	out := upstream.PayerWaits{Payer: d.Payer, Clock: clock, Undecided: true, Started: make([]int32, days)}
	for _, w := range d.Ended {
		start := int(w.Start + w.Lag)
		out.Started[start] += w.Count
		for range w.Count {
			if rng.Float64() < share {
				end := int((simStart + upstream.Day(start+lag())).NextBusiness() - simStart)
				if end < days {
					out.Ended = append(out.Ended, upstream.Wait{Start: int32(start), Lag: int32(end - start), Count: 1})
				}
			}
		}
	}
	out.Ended = sumWaits(out.Ended)
	return out
}

func BenchmarkNewTiming(b *testing.B) {
	w := practiceWaits(1)
	for b.Loop() {
		for _, c := range allClocks {
			newTiming(w, c)
		}
	}
}

// BenchmarkTiming is the first evaluation of 10 payers on four clocks.
func BenchmarkTiming(b *testing.B) {
	w := practiceWaits(1)
	for b.Loop() {
		b.StopTimer()
		var s []*timing
		for _, c := range allClocks {
			s = append(s, newTiming(w, c))
		}
		b.StartTimer()
		for _, s := range s {
			s.scan(w.To, history{}, .05)
		}
	}
}

// BenchmarkTimingYear evaluates every business day of a year.
func BenchmarkTimingYear(b *testing.B) {
	w := practiceWaits(1)
	for b.Loop() {
		for _, c := range allClocks {
			s := newTiming(w, c)
			for _, day := range s.cal.days[len(s.cal.days)-businessDaysPerYear:] {
				s.scan(day, history{}, .05)
			}
		}
	}
}
