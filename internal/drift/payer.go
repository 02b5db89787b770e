package drift

import "math"

// oddsRatios are the payer-wide rises, as ratios of observed to expected
// denials, that the payer's alternative mixes in equal parts.
var oddsRatios = [...]float64{1.15, 1.3, 1.6, 2.2}

// shrinkClaims is the weight of the payer's overall rate in the expected rate
// of each of its groups, in claims. As with priorClaims, a group counts in a
// lag only where its own baseline weighs at least as much.
const shrinkClaims = 10

// expectation is a payer's current window at one lag: denials observed, and
// expected from each group's own baseline, with the variance of the difference.
type expectation struct{ observed, expected, variance float64 }

// standardised weighs a rise of the denial rate across a payer. Denials are
// indirectly standardised: what is expected is each group's own baseline rate
// on its current volume, so a shift of volume towards procedures that are
// always denied more is no rise. The likelihood is Poisson, of ratio θ against
// 1: (O ln θ − (θ−1)E)/φ, where φ is the payer's daily dispersion times the
// variance of O over its expectation.
func standardised(p *payer, f frame, dispersion float64) scan {
	var r scan
	windows, used := expectations(p, f)
	r.used = used
	for i, w := range windows[:used] {
		if w.expected <= 0 {
			continue
		}
		phi := max(w.variance/w.expected, .5) * dispersion
		var terms [len(oddsRatios)]float64
		for j, theta := range oddsRatios {
			terms[j] = (w.observed*lnOddsRatios[j] - (theta-1)*w.expected) / phi
		}
		r.ln[i] = lnMean(&terms)
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

// expectations sums over the groups of a payer; used is the number of lags with
// enough days before them and at least one group with enough claims.
func expectations(p *payer, f frame) (windows [len(lags)]expectation, used int) {
	overall := p.counts.between(f.start, f.end)
	shrink := shrinkClaims * overall.rate()
	for _, counts := range p.members {
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
			weight := base.n + shrinkClaims
			rate := (base.x + shrink) / weight
			expected := current.n * rate
			w := &windows[i]
			w.observed += current.x
			w.expected += expected
			w.variance += expected * (1 - rate) * (1 + current.n/weight)
		}
	}
	return windows, used
}
