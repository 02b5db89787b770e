package drift

import (
	"math"
	"slices"
)

// A node's shift must stand out from what the other payers did over the same
// days by so many standard errors. Payer-wide streams are long, so smaller and
// commoner things than a change of policy become significant in them.
const (
	groupGate = 3.0
	payerGate = 3.5
)

// marketMoved is from how many standard errors on the other payers have shifted
// themselves. A node's statistic is then high for what all did, so its own
// shift must carry the whole evidence: e^(z²/2), the likelihood ratio of a shift
// of z standard errors, as large as the node's average run length. The share of
// the budget gives that length.
const marketMoved = 3

// gatePayers is how many other payers the gate needs: the median of fewer is
// the shift of a single payer. Without them the market is taken to stand still,
// and a January in which every payer denies more looks like a change at each.
// Even so a node's own shift must pass: its statistic alone may also rise
// because its baseline is short and its rate unlike its payer's.
const gatePayers = 3

// standsOut is the difference-in-differences gate: the node's shift in log-odds
// of denial, minus the median shift of all other payers in the same two
// windows, over the standard error of both. When all payers shift together, for
// the season or for an error of the practice's own, none stands out.
func (r *run) standsOut(own series, p, lag int, gate, share float64) bool {
	return r.Detector.standsOut(r.e, own, p, r.f, lag, gate, share, +1)
}

// standsOut with sign -1 is the same for falls.
func (d *Detector) standsOut(e *era, own series, p int, f frame, lag int, gate, share, sign float64) bool {
	market, marketError := d.market(e, p, f, lag)
	baseline, current := f.windows(own, lag)
	variance := logOddsVariance(baseline) + logOddsVariance(current) + marketError*marketError
	if sign*market > marketMoved*marketError {
		gate = max(gate, math.Sqrt(2*math.Log(d.arl(share))))
	}
	return sign*(logOdds(current)-logOdds(baseline)-market) >= gate*math.Sqrt(variance)
}

// market is the median shift in log-odds of all payers but one at a lag, and its
// standard error; zero where there are too few. No payer is left out with p < 0.
func (r *run) market(p, lag int) (middle, standardError float64) {
	return r.Detector.market(r.e, p, r.f, lag)
}

func (d *Detector) market(e *era, p int, f frame, lag int) (middle, standardError float64) {
	var buf [64]float64
	others := d.shifts(buf[:0], e, p, f, lag)
	if len(others) < gatePayers {
		return 0, 0
	}
	return consensus(others)
}

// shifts appends the shift in log-odds of every payer but one.
func (d *Detector) shifts(others []float64, e *era, p int, f frame, lag int) []float64 {
	for q, s := range d.pooled(e) {
		if q == p {
			continue
		}
		if baseline, current := f.windows(s, lag); baseline.n > 0 && current.n > 0 {
			others = append(others, logOdds(current)-logOdds(baseline))
		}
	}
	return others
}

// consensus is the median of shifts and its standard error; it reorders them.
func consensus(shifts []float64) (middle, standardError float64) {
	middle = median(shifts)
	for i := range shifts {
		shifts[i] = math.Abs(shifts[i] - middle)
	}
	// 1.4826 MAD estimates a standard deviation, 1.25 of it over √n the error of a median.
	return middle, 1.25 * 1.4826 * median(shifts) / math.Sqrt(float64(len(shifts)))
}

// logOdds of denial, with half a claim added to either side (Haldane, Anscombe).
func logOdds(t tally) float64 { return math.Log((t.x + .5) / (paid(t) + .5)) }

func logOddsVariance(t tally) float64 { return 1/(t.x+.5) + 1/(paid(t)+.5) }

// paid are the claims not denied, which rounding must not make negative.
func paid(t tally) float64 { return max(t.n-t.x, 0) }

// median sorts v.
func median(v []float64) float64 {
	slices.Sort(v)
	mid := len(v) / 2
	if len(v)%2 == 1 {
		return v[mid]
	}
	return (v[mid-1] + v[mid]) / 2
}

// likelihoodRatio is the largest ln likelihood ratio over the lags of a rise
// against one rate throughout, and the index of its lag. Unlike the
// Shiryaev–Roberts statistic it assumes no size of the rise, so it compares
// groups with one another.
func likelihoodRatio(s series, f frame) (largest float64, best int) {
	all := f.end - f.start
	for i, lag := range lags {
		if lag > f.end-f.baseline || lag > all {
			break
		}
		baseline, current := f.windows(s, lag)
		if baseline.n < priorClaims {
			break
		}
		if current.rate() <= baseline.rate() {
			continue
		}
		both := tally{baseline.n + current.n, baseline.x + current.x}
		if v := lnBinomial(current) + lnBinomial(baseline) - lnBinomial(both); v > largest {
			largest, best = v, i
		}
	}
	return largest, best
}

// lnBinomial is the ln likelihood of a tally at its own rate.
func lnBinomial(t tally) float64 {
	sum := 0.0
	if t.x > 0 {
		sum += t.x * math.Log(t.x/t.n)
	}
	if rest := paid(t); rest > 0 {
		sum += rest * math.Log(rest/t.n)
	}
	return sum
}
