package drift

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"upstream"
)

// waitStudy makes the waits of one payer: claims arrive on weekdays, take
// lognormal times until they are denied or paid, and are decided on the payer's
// remittance days, Tuesdays and Fridays.
type waitStudy struct {
	volume       float64 // claims a week
	denial       float64 // share of denials
	payIn, denIn float64 // median days
	days, change int     // days of the study; from the change on:
	points       float64 // added to the share of denials,
	slower       float64 // times the rest of the wait,
	onlyPayments bool    // of the claims that are paid
}

type waitingClaim struct {
	start, end int
	denied     bool
}

func (s *waitStudy) claims(rng *rand.Rand) (claims []waitingClaim) {
	for day := range s.days {
		if (simulationStart+upstream.Day(day)).Weekday()%6 == 0 {
			continue
		}
		for range poisson(rng, s.volume/5) {
			claims = append(claims, s.claim(rng, day))
		}
	}
	return claims
}

func (s *waitStudy) claim(rng *rand.Rand, day int) waitingClaim {
	denied := rng.Float64() < s.denial
	median := s.payIn
	if denied {
		median = s.denIn
	}
	end := float64(day) + max(2, median*math.Exp(.45*rng.NormFloat64()))
	if s.change > 0 && end >= float64(s.change) {
		denied = denied || rng.Float64() < s.points/(1-s.denial)
		if s.slower > 0 && (!s.onlyPayments || !denied) {
			from := float64(max(day, s.change))
			end = from + (end-from)*s.slower
		}
	}
	decided := simulationStart + upstream.Day(math.Ceil(end))
	for w := decided.Weekday(); w != 2 && w != 5; w = decided.Weekday() {
		decided++
	}
	return waitingClaim{day, int(decided - simulationStart), denied}
}

// waits sums claims up as they were known at the end of a day.
func waitsFrom(claims []waitingClaim, last int) *upstream.PayerWaits {
	w := &upstream.PayerWaits{Payer: "Payer", Clock: upstream.DecisionClock, Undecided: true, Started: make([]int32, last+1)}
	for _, c := range claims {
		if c.start > last {
			continue
		}
		w.Started[c.start]++
		if c.end > last {
			continue
		}
		ended := upstream.Wait{Start: int32(c.start), Lag: int32(c.end - c.start), Count: 1}
		if c.denied {
			ended.Denied = 1
		}
		w.Ended = append(w.Ended, ended)
	}
	slices.SortStableFunc(w.Ended, func(a, b upstream.Wait) int {
		if a.Start != b.Start {
			return int(a.Start - b.Start)
		}
		return int(a.Lag - b.Lag)
	})
	return w
}

// decidedShare is the share of denials among the decisions from day first
// through last.
func decidedShare(claims []waitingClaim, first, last int) float64 {
	n, denied := 0, 0
	for _, c := range claims {
		if c.end >= first && c.end <= last {
			n++
			if c.denied {
				denied++
			}
		}
	}
	return float64(denied) / float64(n)
}

// Denials and payments take different times, so the fast decisions of a young
// week hold too many or too few denials. The estimate doesn't bend with them.
func TestWeeksMatureWithoutBias(t *testing.T) {
	const asOf = 300
	for _, c := range []struct{ payIn, denIn float64 }{{14, 14}, {18, 9}, {18, 30}, {10, 21}} {
		s := waitStudy{volume: 300, denial: .1, payIn: c.payIn, denIn: c.denIn, days: 400}
		var estimated, weeks float64
		var known, inTheEnd tally
		for r := range simulations(20) {
			claims := s.claims(rand.New(rand.NewPCG(51, r)))
			rates := Mature(waitsFrom(claims, 399), simulationStart, simulationStart+asOf)
			young := rates[len(rates)-7 : len(rates)-2] // five weeks that ended two weeks ago
			for _, w := range young {
				weeks++
				estimated += w.DenialRate
			}
			for _, claim := range claims {
				first := int(young[0].Week - simulationStart)
				if claim.start < first || claim.start >= first+35 || claim.end > claim.start+upstream.MatureDays {
					continue
				}
				inTheEnd = inTheEnd.plus(tally{1, b2f(claim.denied)})
				if claim.end <= asOf {
					known = known.plus(tally{1, b2f(claim.denied)})
				}
			}
		}
		t.Logf("paid in %g days, denied in %g: %.1f %% estimated, %.1f %% of the decisions known, %.1f %% in the end",
			c.payIn, c.denIn, 100*estimated/weeks, 100*known.rate(), 100*inTheEnd.rate())
		if math.Abs(estimated/weeks-inTheEnd.rate()) > .008 {
			t.Error("the estimate is off")
		}
	}
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func TestWeeksAreCountedAsKnown(t *testing.T) {
	from := upstream.MakeDay(2025, 3, 5) // a Wednesday
	w := &upstream.PayerWaits{Undecided: true, Started: make([]int32, 100)}
	w.Started[0], w.Started[1], w.Started[7], w.Started[20] = 4, 2, 3, 5
	w.Ended = []upstream.Wait{
		{Start: 0, Lag: 3, Count: 2, Denied: 1},
		{Start: 0, Lag: 30, Count: 1, Denied: 1},
		{Start: 1, Lag: 60, Count: 2, Denied: 2}, // too old to count
		{Start: 7, Lag: 10, Count: 1, Denied: 0},
		{Start: 20, Lag: 1, Count: 5, Denied: 5},
	}
	at := func(days int) []upstream.WeekRate { return Mature(w, from, from+upstream.Day(days)) }
	for _, c := range []struct {
		name string
		day  int
		want []upstream.WeekRate
	}{
		{"the first day", 0, []upstream.WeekRate{{Week: from - 2, Submitted: 4, Immature: true}}},
		// At three days six were at risk, two of them young; so 2 of 6 are decided, half of them denied.
		{"a first decision", 3, []upstream.WeekRate{{Week: from - 2, Submitted: 6, DecidedShare: 2. / 6, DenialRate: .5, Immature: true}}},
		{"the second week", 7, []upstream.WeekRate{{Week: from - 2, Submitted: 6, DecidedShare: 2. / 6, DenialRate: .5, Immature: true}, {Week: from + 5, Submitted: 3, Immature: true}}},
	} {
		if got := at(c.day); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	all := at(99)
	if len(all) != 15 || all[0].Immature || all[0].DecidedShare != .5 || math.Abs(all[0].DenialRate-2./3) > 1e-12 || all[14] != (upstream.WeekRate{Week: from + 96, Immature: true}) {
		t.Errorf("in the end: %+v", all)
	}
	if got := at(500); !slices.Equal(got, all) {
		t.Errorf("after the last day known the answer changes: %+v", got)
	}
	if got := at(-1); got != nil {
		t.Errorf("before the first day: %+v", got)
	}
	w.Undecided = false
	if got := at(7); got[0].Submitted != 2 || got[0].DecidedShare != 1 || len(got) != 2 {
		t.Errorf("claims not known before their decision: %+v", got)
	}
	if got := Mature(&upstream.PayerWaits{}, from, from); got != nil {
		t.Errorf("without waits: %+v", got)
	}
}

func TestFridayFallsInTheWeekOfItsMonday(t *testing.T) {
	monday := upstream.MakeDay(2025, 3, 3)
	for day := range upstream.Day(7) {
		if got := mondayOf(monday + day); got != monday {
			t.Errorf("%s is of the week of %s", monday+day, got)
		}
	}
}

// What happens after the as-of date shows in nothing.
func TestMaturationDoesNotKnowTheFuture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		claims, asOf := anyClaims(t), rapid.IntRange(0, 60).Draw(t, "as of")
		undecided := rapid.Bool().Draw(t, "undecided")
		then, later := waitsFrom(claims, asOf), waitsFrom(claims, 99)
		then.Undecided, later.Undecided = undecided, undecided
		last := simulationStart + upstream.Day(asOf)
		a, b := Mature(then, simulationStart, last), Mature(later, simulationStart, last)
		if !slices.Equal(a, b) {
			t.Errorf("known then %+v, later %+v", a, b)
		}
		for _, w := range a {
			if !(w.DenialRate >= 0 && w.DenialRate <= 1 && w.DecidedShare >= 0 && w.DecidedShare <= 1) {
				t.Errorf("%+v", w)
			}
		}
		start, first := rapid.IntRange(-5, 60).Draw(t, "baseline"), rapid.IntRange(-5, 60).Draw(t, "first")
		flow := func(w *upstream.PayerWaits) expectation {
			return denialFlow(w, simulationStart, simulationStart+upstream.Day(start), simulationStart+upstream.Day(first), last)
		}
		if a, b := flow(then), flow(later); a != b || math.IsNaN(a.z()) || math.IsNaN(a.expected) {
			t.Errorf("known then %+v, later %+v", a, b)
		}
	})
}

func anyClaims(t *rapid.T) (claims []waitingClaim) {
	for range rapid.IntRange(0, 60).Draw(t, "claims") {
		start := rapid.IntRange(0, 59).Draw(t, "start")
		claims = append(claims, waitingClaim{start, start + rapid.IntRange(0, 60).Draw(t, "lag"), rapid.Bool().Draw(t, "denied")})
	}
	return claims
}
