package drift

import (
	"math"

	"upstream"
)

// reworkCents is what a denial costs a practice to work again (Premier 2024: $57.23).
const reworkCents = 57_23

// maxShift is the largest change of the denial rate that the price weighs, in
// points; each of 1 to maxShift is, and a larger one is less likely beforehand,
// as 1/(1 + shift/shiftScale)². The likelihood counts with the power trust: lags
// are coarse, baselines have errors and days common shocks that it leaves out, and
// in simulation its 90 % intervals covered 80 to 97 % at full power.
const (
	maxShift   = 40
	shiftScale = .05
	trust      = .75
)

// shift is the posterior of a change of the denial rate, as points of the rate:
// its mean, and 5 % and 95 % quantiles.
type shift struct{ mean, low, high float64 }

// shiftOf weighs start lags and shifts of a series by their likelihood ratio
// against the baseline's own rate. Testing chose the days that look worst;
// weighing all lags that could be, and small shifts more than large ones, takes
// out most of that. sign -1 prices a fall.
func shiftOf(s series, f frame, sign float64) shift {
	var weights [len(lags)][maxShift]float64
	top := math.Inf(-1)
	used := 0
	start, end := s.at(f.start), s.at(f.end)
	for i, lag := range lags {
		if lag > f.end-f.baseline || lag > f.end-f.start {
			break
		}
		cut := s.at(f.end - lag)
		base, current := cut.minus(start), end.minus(cut)
		used = i + 1
		mean := (base.x + 2) / (base.n + 20)
		for j := range maxShift {
			by := points(j)
			q := min(max(mean+sign*by, lowestRate), highestRate)
			weights[i][j] = lnGaps[i] + trust*(current.x*math.Log(q/mean)+paid(current)*math.Log((1-q)/(1-mean))) - 2*math.Log(1+by/shiftScale)
			top = max(top, weights[i][j])
		}
	}
	var mass [maxShift]float64
	for i := range used {
		for j, w := range weights[i] {
			mass[j] += math.Exp(w - top)
		}
	}
	return quantiles(mass[:], sign)
}

// shiftOfPayer is shiftOf for groups together: an excess ratio of denials over
// the expected ones stands for the shift, in points of the mean expected rate.
func shiftOfPayer(members []series, overall tally, f frame, dispersion, sign float64) shift {
	var windows [len(lags)]expectation
	var decided [len(lags)]float64
	used := expectations(members, overall, f, lags[:], windows[:])
	for _, counts := range members {
		for i, lag := range lags[:used] {
			if baseline, current := f.windows(counts, lag); baseline.n >= shrinkClaims {
				decided[i] += current.n
			}
		}
	}
	var mass [maxShift]float64
	var weights [len(lags)][maxShift]float64
	top := math.Inf(-1)
	for i, w := range windows[:used] {
		for j := range maxShift {
			by := points(j)
			weights[i][j] = math.Inf(-1)
			if w.expected <= 0 || decided[i] <= 0 {
				continue
			}
			ratio := max(1+sign*by*decided[i]/w.expected, .02)
			weights[i][j] = lnGaps[i] + trust*w.lnRatio(ratio, math.Log(ratio), dispersion) - 2*math.Log(1+by/shiftScale)
			top = max(top, weights[i][j])
		}
	}
	if math.IsInf(top, -1) {
		return shift{}
	}
	for i := range used {
		for j, w := range weights[i] {
			mass[j] += math.Exp(w - top)
		}
	}
	return quantiles(mass[:], sign)
}

// points is the change at a place of the grid.
func points(j int) float64 { return float64(j+1) / 100 }

// quantiles reads a posterior over the grid; the mass of each change is spread
// over the point around it.
func quantiles(mass []float64, sign float64) shift {
	total, mean := 0.0, 0.0
	for j, m := range mass {
		total += m
		mean += m * points(j)
	}
	if total <= 0 {
		return shift{}
	}
	at := func(q float64) float64 {
		below := 0.0
		for j, m := range mass {
			if below+m >= q*total {
				return points(j) - .005 + .01*(q*total-below)/m
			}
			below += m
		}
		return points(len(mass)-1) + .005
	}
	mean /= total
	s := shift{mean, min(at((1-intervalMass)/2), mean), max(at((1+intervalMass)/2), mean)}
	if sign < 0 {
		s = shift{-s.mean, -s.high, -s.low}
	}
	return s
}

// worth is what a shift costs a month: its excess denials, each with the mean
// allowed amount that is not won back by overturning, and its rework.
func (s shift) worth(monthlyClaims, meanAllowed, overturned float64) (mid, low, high upstream.Money) {
	each := monthlyClaims * (meanAllowed*(1-overturned) + reworkCents)
	cents := func(points float64) upstream.Money { return upstream.Money(math.Round(points * each)) }
	return cents(s.mean), cents(s.low), cents(s.high)
}
