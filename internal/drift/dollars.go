package drift

import (
	"math"

	"upstream"
)

// reworkCost is what a practice spends on working a denied claim again, in
// cents: $57.23 (Premier's survey of claim denials).
const reworkCost = 57_23

// likelyShift is the size of a shift at which its prior density has halved.
// Payers tune their edits far more often than they deny everything.
const likelyShift = .05

// size is a class of shifts of a denial rate that the posterior weighs as one,
// at its middle.
type size struct{ from, to, middle, lnPrior float64 }

// sizes cover shifts of up to 96 points, in steps that grow with what a window
// can tell apart. Their prior is the width over 1 + shift/likelyShift.
var sizes = func() (grid [73]size) {
	from := 0.0
	for i := range grid {
		to := .005 * float64(i+1)
		switch {
		case i >= 40:
			to = .3 + .02*float64(i-39)
		case i >= 20:
			to = .1 + .01*float64(i-19)
		}
		middle := (from + to) / 2
		grid[i] = size{from, to, middle, math.Log((to - from) / (1 + middle/likelyShift))}
		from = to
	}
	return grid
}()

// estimate is a posterior mean and the ends of its 90 % interval. Of a shift it
// is how far the rate moved in the direction of its event, never negative.
type estimate struct{ mean, low, high float64 }

// shiftPosterior is how far a node's denial rate has moved, as a fraction of its
// decisions, over all start days and sizes that its effective counts allow. A
// start day and a size weigh as much as the days the lag stands for, times
// their likelihood ratio, times the prior of the size. The ratio is that of
// shiryaevRoberts: a start day whose baseline already holds changed days fits
// the baseline badly, and so counts less. Choosing the likeliest start day
// alone would overstate the shift (its interval covers the truth in 62–85 %).
//
// Without a lag that has enough baseline all is 0.
func shiftPosterior(s series, f frame, prior beta, direction upstream.Direction) estimate {
	var p posteriorGrid
	for i, lag := range lags {
		if lag > f.end-f.baseline || lag > f.end-f.start {
			break
		}
		baseline, current := f.windows(s, lag)
		if baseline.n < priorClaims {
			break
		}
		p.weigh(lnGaps[i], baseline, current, prior, direction)
	}
	return p.estimate()
}

// shiftBetween is shiftPosterior where the day of the change is settled: of an
// incident against the baseline frozen before it.
func shiftBetween(baseline, current tally, prior beta, direction upstream.Direction) estimate {
	var p posteriorGrid
	if baseline.n >= priorClaims {
		p.weigh(0, baseline, current, prior, direction)
	}
	return p.estimate()
}

// excessPosterior is shiftPosterior of a whole payer, or of all: the excess of
// denials over what its groups' own baselines let expect, per claim decided. The
// likelihood is the Poisson one of standardised, so a shift of volume between
// groups is none of the rate.
func excessPosterior(members []series, overall tally, f frame, dispersion float64, direction upstream.Direction) estimate {
	var grid posteriorGrid
	var windows [len(lags)]expectation
	used := expectations(members, overall, f, lags[:], windows[:])
	for i := range windows[:used] {
		grid.weighExpected(lnGaps[i], &windows[i], dispersion, direction)
	}
	return grid.estimate()
}

// excessOf is excessPosterior where the day of the change is settled.
func excessOf(w expectation, dispersion float64, direction upstream.Direction) estimate {
	var grid posteriorGrid
	grid.weighExpected(0, &w, dispersion, direction)
	return grid.estimate()
}

// posteriorGrid holds ln of the weight of every size at the lags weighed so far.
type posteriorGrid struct {
	ln   [len(lags)][len(sizes)]float64
	used int
}

// weigh adds a lag: the binomial probability of the current window at a rate
// that lies each shift from the baseline's, against that of a rate that stayed.
// The baseline's rate is as uncertain as its claims are few, which widens the
// likelihood around its peak as n₁ further claims at n₀ of the baseline widen a
// difference of two rates: by 1 + n₁/n₀ in variance.
func (p *posteriorGrid) weigh(lnDays float64, baseline, current tally, prior beta, direction upstream.Direction) {
	a, b := prior.a+baseline.x, prior.b+paid(baseline)
	mean, rest := a/(a+b), paid(current)
	stayed := lnBeta(a+current.x, b+rest) - lnBeta(a, b)
	if current.n <= 0 {
		p.add(lnDays, mean, direction, func(float64) float64 { return 0 })
		return
	}
	likelihood := func(rate float64) float64 { return times(current.x, rate) + times(rest, 1-rate) }
	likeliest := likelihood(current.x / current.n)
	known := (a + b) / (a + b + current.n)
	p.add(lnDays-stayed+ln(known)/2+likeliest, mean, direction, func(rate float64) float64 {
		return known * (likelihood(rate) - likeliest)
	})
}

// times is x ln(p), 0 without any x.
func times(x, p float64) float64 {
	if x <= 0 {
		return 0
	}
	return x * ln(p)
}

// weighExpected adds a lag of a payer.
func (p *posteriorGrid) weighExpected(lnDays float64, w *expectation, dispersion float64, direction upstream.Direction) {
	if w.expected <= 0 || w.decided <= 0 {
		return
	}
	mean, phi := w.expected/w.decided, w.phi(dispersion)
	p.add(lnDays, mean, direction, func(rate float64) float64 {
		return (w.observed*ln(rate/mean) - (rate-mean)*w.decided) / phi
	})
}

// add writes one lag. Sizes that would take the rate out of its bounds are impossible.
func (p *posteriorGrid) add(lnWeight, mean float64, direction upstream.Direction, lnLikelihood func(rate float64) float64) {
	row := &p.ln[p.used]
	p.used++
	for i := range sizes {
		rate := mean + sizes[i].middle
		if direction == upstream.Better {
			rate = mean - sizes[i].middle
		}
		row[i] = math.Inf(-1)
		if rate > 0 && rate <= highestRate {
			row[i] = lnWeight + sizes[i].lnPrior + lnLikelihood(rate)
		}
	}
}

// estimate sums over the lags.
func (p *posteriorGrid) estimate() estimate {
	top := math.Inf(-1)
	for l := range p.ln[:p.used] {
		for _, v := range p.ln[l] {
			top = max(top, v)
		}
	}
	if math.IsInf(top, -1) {
		return estimate{}
	}
	var mass [len(sizes)]float64
	sum, mean := 0.0, 0.0
	for l := range p.ln[:p.used] {
		for i, v := range p.ln[l] {
			if d := v - top; d > -negligible {
				mass[i] += exp(d)
			}
		}
	}
	for i, m := range mass {
		sum += m
		mean += m * sizes[i].middle
	}
	tail := (1 - intervalMass) / 2
	low, high := sizeAt(&mass, tail*sum), sizeAt(&mass, (1-tail)*sum)
	return estimate{min(max(mean/sum, low), high), low, high}
}

// sizeAt is the shift below which there is so much mass, spread evenly over each class.
func sizeAt(mass *[len(sizes)]float64, want float64) float64 {
	below, end := 0.0, 0.0
	for i, m := range mass {
		if m <= 0 {
			continue
		}
		if below+m >= want {
			return sizes[i].from + (sizes[i].to-sizes[i].from)*(want-below)/m
		}
		below += m
		end = sizes[i].to
	}
	return end // the sum fell short by rounding
}

// price is what the shift costs a month: so many claims decided a month, each
// excess denial at the mean allowed of the claims that were expected to be paid
// (in cents), less the share of denials that is overturned in the end, plus the
// work of a denial.
func (e estimate) price(monthly, allowed, overturned float64) (mid, low, high upstream.Money) {
	cents := max(monthly, 0) * (max(allowed, 0)*(1-min(max(overturned, 0), 1)) + reworkCost)
	money := func(shift float64) upstream.Money { return upstream.Money(math.Round(shift * cents)) }
	return money(e.mean), money(e.low), money(e.high)
}
