package drift

import "math"

// blockDays is the length in business days of the blocks within which
// clustering is estimated: four weeks, so short that a drift or a season
// between blocks hardly looks like clustering within them.
const blockDays = 20

// minBlockClaims is what a stream needs in a block to count in it.
const minBlockClaims = 20

// moments are the excess variance of daily denials over the binomial, and what
// it would be at an intraclass correlation of one. They add up over streams and
// blocks.
type moments struct{ excess, slope float64 }

func (m moments) plus(o moments) moments {
	return moments{m.excess + o.excess, m.slope + o.slope}
}

// icc is the moments estimator of the intraclass correlation, within 0 to 0.5.
func (m moments) icc() float64 {
	if m.slope <= 0 {
		return 0
	}
	return math.Min(math.Max(m.excess/m.slope, 0), .5)
}

// blockMoments compares the days of one block of one stream with the block's
// own rate P. A day of n out of the block's N claims has, at correlation ρ,
// E(x − nP)² ≈ nP(1−P)(1+(n−1)ρ)(1−n/N).
func blockMoments(counts series, block int) (m moments) {
	first, last := block*blockDays, (block+1)*blockDays
	whole := counts.between(first, last)
	if whole.n < minBlockClaims {
		return m
	}
	rate := whole.rate()
	variance, share := rate*(1-rate), 1/whole.n
	before := counts.at(first)
	for i := first; i < last; i++ {
		next := counts.at(i + 1)
		day := next.minus(before)
		before = next
		off := day.x - day.n*rate
		binomial := day.n * variance * (1 - day.n*share)
		m.excess += off*off - binomial
		m.slope += (day.n - 1) * binomial
	}
	return m
}

// dispersion is how many times as much as a Poisson-binomial count the daily
// denials of all members together vary around what their own rates, over the
// same days, let expect: the mean of (O−E)²/V, within 1.05 to 20. It covers the
// common shocks of a payer's days, which no single group shows.
func dispersion(members []series, first, last int) float64 {
	excess := make([]tally, last-first) // O−E in x, V in n
	for _, counts := range members {
		whole := counts.between(first, last)
		if whole.n <= 0 {
			continue
		}
		rate := (whole.x + 1) / (whole.n + 10)
		before := counts.at(first)
		for i := range excess {
			next := counts.at(first + i + 1)
			day := next.minus(before)
			before = next
			excess[i].x += day.x - day.n*rate
			excess[i].n += day.n * rate * (1 - rate)
		}
	}
	sum, days := 0.0, 0
	for _, day := range excess {
		if day.n > 0 {
			sum += day.x * day.x / day.n
			days++
		}
	}
	if days == 0 {
		return 1.05
	}
	return math.Min(math.Max(sum/float64(days), 1.05), 20)
}
