package drift

import "math"

// lags are the starts of change that the statistic weighs, in business days
// before the end of the data; a lag stands for all days since the one before it.
var lags = [...]int{1, 2, 3, 4, 5, 7, 10, 13, 17, 22, 30, 40, 55, 75, 100, 125}

// shifts are the rises of the denial rate, as fractions, that the alternative
// mixes in equal parts.
var shifts = [...]float64{.03, .06, .12, .25}

// highestRate bounds the alternatives below 1, where one paid claim would
// disprove any of them for ever.
const highestRate = .97

// lowestRate bounds those of improvements above 0, likewise.
const lowestRate = .003

// negligible is the distance in ln below which a term can't change a sum of
// doubles that holds a 1: e^-40 is a hundredth of half a unit in the last place.
const negligible = 40

var lnGaps = func() (g [len(lags)]float64) {
	before := 0
	for i, lag := range lags {
		g[i] = math.Log(float64(lag - before))
		before = lag
	}
	return g
}()

// tally counts claims: n decided, x of these denied. Corrected for clustering
// both are effective claims, which need not be whole.
type tally struct{ n, x float64 }

func (t tally) minus(o tally) tally { return tally{t.n - o.n, t.x - o.x} }

// rate is the share denied, 0 without claims.
func (t tally) rate() float64 {
	if t.n <= 0 {
		return 0
	}
	return t.x / t.n
}

// series are cumulative tallies by business day: at(i) covers all days before
// i, counted from some day before every i that is asked for.
type series struct {
	from int
	sum  []tally
}

func (s series) at(i int) tally { return s.sum[i-s.from] }

// between is the tally of the business days from i to before j.
func (s series) between(i, j int) tally { return s.at(j).minus(s.at(i)) }

// weigh turns whole counts into effective ones: a day's n decisions come in
// batches with intraclass correlation icc and tell as much as
// n/(1+(n−1)icc) independent ones (the design effect of Kish). It covers the
// days from to before to, and fills buf, which is as long as counts.sum at most.
func weigh(buf []tally, counts series, icc float64, from, to int) series {
	buf = buf[:to-from+1]
	var sum tally
	buf[0] = sum
	before := counts.at(from)
	for i := from; i < to; i++ {
		next := counts.at(i + 1)
		if n := next.n - before.n; n > 0 {
			deflate := 1 / (1 + (n-1)*icc)
			sum.n += n * deflate
			sum.x += (next.x - before.x) * deflate
		}
		buf[i+1-from] = sum
		before = next
	}
	return series{from, buf}
}

// frame is one evaluation in time: business days start to before end are
// history, of which the first baseline days are never part of a lag window.
type frame struct{ start, end, baseline int }

// windows splits the history at a lag: the baseline before, the current after.
func (f frame) windows(s series, lag int) (baseline, current tally) {
	return s.between(f.start, f.end-lag), s.between(f.end-lag, f.end)
}

// beta is a prior of a rate: a denied and b not denied among a+b claims.
type beta struct{ a, b float64 }

// scan is the evidence for a change at one node, by lag.
type scan struct {
	lnR  float64 // ln of the Shiryaev–Roberts statistic, -Inf without lags
	used int     // lags with enough baseline, the first ones
	best int     // index of the lag with the largest likelihood ratio
	ln   [len(lags)]float64
}

// lag is the likeliest age of the change in business days.
func (s *scan) lag() int { return lags[s.best] }

// combine sums the likelihood ratios, each for as many days as its lag stands
// for: the Shiryaev–Roberts statistic with a few representative start days.
func (s *scan) combine() {
	s.lnR, s.best = math.Inf(-1), 0
	if s.used == 0 {
		return
	}
	var top float64
	for i, ratio := range s.ln[:s.used] {
		if ratio > s.ln[s.best] {
			s.best = i
		}
		if i == 0 || ratio+lnGaps[i] > top {
			top = ratio + lnGaps[i]
		}
	}
	sum := 0.0
	for i, ratio := range s.ln[:s.used] {
		if d := ratio + lnGaps[i] - top; d > -negligible {
			sum += exp(d)
		}
	}
	s.lnR = top + ln(sum)
}

// interval returns the youngest and oldest age of the change, in business days,
// between which its posterior puts mass, leaving the same on either side, given
// that there was one. All days a lag stands for are equally likely.
func (s *scan) interval(mass float64) (youngest, oldest int) {
	youngest, oldest = ageInterval(s.ln[:s.used], lags[:], s.lnR, mass)
	return min(youngest, s.lag()), max(oldest, s.lag())
}

// ageInterval returns the ages between which the posterior puts mass, leaving the
// same on either side; ln are the evidences of the lags, that of each age, and lnR
// that of all. All ages a lag stands for are equally likely.
func ageInterval(ln []float64, lags []int, lnR, mass float64) (youngest, oldest int) {
	tail, below, before := (1-mass)/2, 0.0, 0
	for i, ratio := range ln {
		each := math.Exp(ratio - lnR)
		for age := before + 1; age <= lags[i]; age++ {
			below += each
			if youngest == 0 && below >= tail {
				youngest = age
			}
			if oldest == 0 && below >= 1-tail {
				oldest = age
			}
		}
		before = lags[i]
	}
	if oldest == 0 { // the sum fell short of 1-tail by rounding
		oldest = before
	}
	return youngest, oldest
}

// dating is what the evidence says about the age of a change in business days:
// the likeliest, and the youngest and oldest between which its posterior puts
// intervalMass, leaving the same on either side.
type dating struct{ likeliest, youngest, oldest int }

// date reads ln likelihood ratios by age, ln[i] of a change i+1 days old. All
// days are equally likely beforehand.
func date(ln []float64) dating {
	d := dating{likeliest: 1}
	top := math.Inf(-1)
	for i, ratio := range ln {
		if ratio > top {
			top, d.likeliest = ratio, i+1
		}
	}
	total := 0.0
	for _, ratio := range ln {
		total += math.Exp(ratio - top)
	}
	const tail = (1 - intervalMass) / 2
	below := 0.0
	for i, ratio := range ln {
		below += math.Exp(ratio-top) / total
		if d.youngest == 0 && below >= tail {
			d.youngest = i + 1
		}
		if d.oldest == 0 && below >= 1-tail {
			d.oldest = i + 1
		}
	}
	if d.oldest == 0 { // the sum fell short of 1-tail by rounding
		d.oldest = len(ln)
	}
	d.youngest, d.oldest = max(min(d.youngest, d.likeliest), 1), max(d.oldest, d.likeliest)
	return d
}

// ages are all ages that a change can be dated to: each day up to the largest lag.
var ages = func() (days [125]int) {
	for i := range days {
		days[i] = i + 1
	}
	return days
}()

// shiryaevRoberts weighs, for every lag that leaves f.baseline days and
// minClaims effective claims before it, a rate that rose at that lag against
// one that stayed (Shin, Ramdas, Rinaldo, "E-detectors", arXiv 2203.03532).
//
// The rate that stayed is unknown: its beta posterior from the baseline
// predicts the current window with probability B(a+y, b+n−y)/B(a, b). The
// numerator covers baseline and current together, whatever the lag, so it is
// computed once. The rate that rose is a mixture of shifts above the baseline's
// posterior mean; taking them below it finds improvements.
func shiryaevRoberts(s series, f frame, prior beta, minClaims float64) scan {
	var r scan
	r.used = lnRatios(s, f, prior, minClaims, lags[:], r.ln[:], lnRisen)
	r.combine()
	return r
}

// improved is shiryaevRoberts for a rate that fell.
func improved(s series, f frame, prior beta, minClaims float64) scan {
	var r scan
	r.used = lnRatios(s, f, prior, minClaims, lags[:], r.ln[:], lnFallen)
	r.combine()
	return r
}

// lnRatios computes the ln likelihood ratios of shiryaevRoberts at ascending
// lags, and returns how many of these can be used. changed is lnRisen or lnFallen.
func lnRatios(s series, f frame, prior beta, minClaims float64, lags []int, ratios []float64, changed func(tally, float64) float64) (used int) {
	start, end := s.at(f.start), s.at(f.end)
	all := end.minus(start)
	lnAll := lnBeta(prior.a+all.x, prior.b+paid(all))
	var split tally
	for i, lag := range lags {
		if lag > f.end-f.baseline || lag > f.end-f.start {
			break
		}
		cut := s.at(f.end - lag)
		base, current := cut.minus(start), end.minus(cut)
		if base.n < minClaims {
			break
		}
		used = i + 1
		switch {
		case current.n <= 0: // nothing decided says nothing
			ratios[i] = 0
		case i > 0 && cut == split: // nothing decided since the lag before
			ratios[i] = ratios[i-1]
		default:
			a, b := prior.a+base.x, prior.b+paid(base)
			ratios[i] = changed(current, a/(a+b)) - (lnAll - lnBeta(a, b))
		}
		split = cut
	}
	return used
}

// lnRisen is ln of the probability of the current window under the mixture of
// rates that lie one of the shifts above mean.
func lnRisen(current tally, mean float64) float64 {
	var terms [len(shifts)]float64
	rest := paid(current)
	for i, shift := range shifts {
		q := min(mean+shift, highestRate)
		terms[i] = rest * ln(1-q)
		if current.x > 0 {
			terms[i] += current.x * ln(q)
		}
	}
	return lnMean(&terms)
}

// lnFallen is lnRisen with rates that lie one of the shifts below mean.
func lnFallen(current tally, mean float64) float64 {
	var terms [len(shifts)]float64
	rest := paid(current)
	for i, shift := range shifts {
		q := max(mean-shift, lowestRate)
		terms[i] = rest * ln(1-q)
		if current.x > 0 {
			terms[i] += current.x * ln(q)
		}
	}
	return lnMean(&terms)
}

// lnMean is the ln of the mean of e^v over four terms.
func lnMean(terms *[4]float64) float64 {
	top := max(terms[0], terms[1], terms[2], terms[3])
	sum := 0.0
	for _, v := range terms {
		switch d := v - top; {
		case d == 0:
			sum++
		case d > -negligible:
			sum += exp(d)
		}
	}
	return top + ln(sum*.25)
}
