package drift

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"upstream"
)

// waitSim makes the waits of payers claim by claim: submissions from Monday to
// Friday, lognormal lags of calendar days, decisions on two remittance days a
// week, and from a day on the remaining time of every claim times a factor.
type waitSim struct {
	seed   uint64
	days   int // calendar days
	payers []waitPayer
}

type waitPayer struct {
	weekly float64 // claims
	median float64 // days, 18 when zero
	change int     // day of the change, 0 for never
	back   int     // day on which it ends, 0 for never
	factor float64 // of the remaining time
	remits []time.Weekday
	blind  bool
	stop   int // day from which on nothing is submitted
}

// simStart is a Monday.
var simStart = upstream.MakeDay(2023, 1, 2)

func (s *waitSim) waits() *upstream.Waits {
	w := &upstream.Waits{From: simStart, To: simStart + upstream.Day(s.days-1)}
	for i := range s.payers {
		rng := rand.New(rand.NewPCG(s.seed, uint64(i)+100))
		w.Payers = append(w.Payers, s.payers[i].waits(rng, fmt.Sprintf("Payer %c", 'A'+i), s.days))
	}
	return w
}

func (p *waitPayer) waits(rng *rand.Rand, name string, days int) upstream.PayerWaits {
	out := upstream.PayerWaits{Payer: name, Clock: upstream.DecisionClock, Undecided: !p.blind, Started: make([]int32, days)}
	median := cmp.Or(p.median, 18)
	for day := range days {
		if wd := (simStart + upstream.Day(day)).Weekday(); wd == time.Saturday || wd == time.Sunday || p.stop > 0 && day >= p.stop {
			continue
		}
		for range poisson(rng, p.weekly/5) {
			lag := max(math.Exp(math.Log(median)+.45*rng.NormFloat64()), 2)
			end := p.remit(p.late(float64(day), lag))
			if p.blind && end >= days {
				continue
			}
			out.Started[day]++
			if end < days {
				out.Ended = append(out.Ended, upstream.Wait{Start: int32(day), Lag: int32(end - day), Count: 1})
			}
		}
	}
	out.Ended = sumWaits(out.Ended)
	return out
}

// late is when a wait ends, given the payer's changes.
func (p *waitPayer) late(start, lag float64) float64 {
	end := start + lag
	change, back := float64(p.change), float64(p.back)
	if p.change == 0 || end < change {
		return end
	}
	from := max(start, change)
	if p.back > 0 && from >= back {
		return end
	}
	end = from + (end-from)*p.factor
	if p.back > 0 && end > back {
		end = back + (end-back)/p.factor
	}
	return end
}

// remit is the day of the next remittance.
func (p *waitPayer) remit(end float64) int {
	day := simStart + upstream.Day(math.Ceil(end))
	remits := p.remits
	if remits == nil {
		remits = []time.Weekday{time.Tuesday, time.Friday}
	}
	for !slices.Contains(remits, day.Weekday()) {
		day++
	}
	return int(day.NextBusiness() - simStart)
}

func sumWaits(w []upstream.Wait) []upstream.Wait {
	slices.SortFunc(w, func(a, b upstream.Wait) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Lag, b.Lag))
	})
	out := w[:0]
	for _, v := range w {
		if last := len(out) - 1; last >= 0 && out[last].Start == v.Start && out[last].Lag == v.Lag {
			out[last].Count += v.Count
			continue
		}
		out = append(out, v)
	}
	return out
}

// firstAlert evaluates daily from a day on and returns the days until the first
// alert, or -1.
func firstAlert(s *timing, from, to int, budget float64) (int, upstream.DriftEvent) {
	for day := from; day < to; day++ {
		asOf := simStart + upstream.Day(day)
		if !asOf.IsBusiness() {
			continue
		}
		for _, e := range s.scan(asOf, history{}, budget) {
			if e.Tier == upstream.Alert {
				return day - from, e
			}
		}
	}
	return -1, upstream.DriftEvent{}
}

var weekdays = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
