package drift

import "math"

// oddsRatios are the payer-wide rises, as ratios of observed to expected
// denials, that the payer's alternative mixes in equal parts.
var oddsRatios = [...]float64{1.15, 1.3, 1.6, 2.2}

// shrinkClaims is the weight of the payer's overall rate in the expected rate
// of each of its groups, in claims. As with priorClaims, a group counts in a
// lag only where its own baseline weighs at least as much.
const shrinkClaims = 10

// expectation is a current window: denials observed, and expected from each
// group's own baseline, with the variance of the difference, and the claims decided.
type expectation struct{ observed, expected, variance, decided float64 }

func (w expectation) plus(o expectation) expectation {
	return expectation{w.observed + o.observed, w.expected + o.expected, w.variance + o.variance, w.decided + o.decided}
}

// phi is how much more denials vary than Poisson ones: the daily dispersion times
// the variance of the difference over the expectation.
func (w *expectation) phi(dispersion float64) float64 {
	return max(w.variance/w.expected, .5) * dispersion
}

// lnRatio weighs a rise of denials to ratio times the expected ones by the
// Poisson likelihood, (O ln ratio − (ratio−1)E)/φ.
func (w expectation) lnRatio(ratio, lnRatio, dispersion float64) float64 {
	return (w.observed*lnRatio - (ratio-1)*w.expected) / w.phi(dispersion)
}

// lnRisen is ln of the mean likelihood ratio of oddsRatios; 0 where nothing is expected.
func (w expectation) lnRisen(dispersion float64) float64 {
	if w.expected <= 0 {
		return 0
	}
	var terms [len(oddsRatios)]float64
	for j, theta := range oddsRatios {
		terms[j] = w.lnRatio(theta, lnOddsRatios[j], dispersion)
	}
	return lnMean(&terms)
}

// lnFallen is lnRisen for falls by the same ratios.
func (w expectation) lnFallen(dispersion float64) float64 {
	if w.expected <= 0 {
		return 0
	}
	var terms [len(oddsRatios)]float64
	for j, theta := range oddsRatios {
		terms[j] = w.lnRatio(1/theta, -lnOddsRatios[j], dispersion)
	}
	return lnMean(&terms)
}

// standardised weighs a rise of the denial rate across the groups of a payer, or
// of all payers. Denials are indirectly standardised: what is expected is each
// group's own baseline rate on its current volume, so a shift of volume towards
// procedures that are always denied more is no rise. fell weighs a fall instead.
func standardised(members []series, overall tally, f frame, dispersion float64, fell bool) scan {
	var r scan
	var windows [len(lags)]expectation
	r.used = expectations(members, overall, f, lags[:], windows[:])
	for i, w := range windows[:r.used] {
		if fell {
			r.ln[i] = w.lnFallen(dispersion)
		} else {
			r.ln[i] = w.lnRisen(dispersion)
		}
	}
	r.combine()
	return r
}

var lnOddsRatios = func() (ln [len(oddsRatios)]float64) {
	for i, theta := range oddsRatios {
		ln[i] = math.Log(theta)
	}
	return ln
}()

// expectations sums over groups into windows, one a lag; the lags ascend. used
// is the number of lags with enough days before them and at least one group with
// enough claims.
func expectations(members []series, overall tally, f frame, lags []int, windows []expectation) (used int) {
	shrink := shrinkClaims * overall.rate()
	for _, counts := range members {
		start, end := counts.at(f.start), counts.at(f.end)
		for i, lag := range lags {
			if lag > f.end-f.baseline || lag > f.end-f.start {
				break
			}
			cut := counts.at(f.end - lag)
			base := cut.minus(start)
			if base.n < shrinkClaims {
				break
			}
			used = max(used, i+1)
			current := end.minus(cut)
			if current.n <= 0 {
				continue
			}
			windows[i] = windows[i].plus(expect(base, current, shrink))
		}
	}
	return used
}

// expect is one group's expectation; shrink are the denials among shrinkClaims
// claims at the rate it is shrunk towards.
func expect(base, current tally, shrink float64) expectation {
	weight := base.n + shrinkClaims
	rate := (base.x + shrink) / weight
	expected := current.n * rate
	return expectation{current.x, expected, expected * (1 - rate) * (1 + current.n/weight), current.n}
}
