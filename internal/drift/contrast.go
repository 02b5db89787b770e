package drift

import "math"

// contrast compares the ends of waits in a window with what a baseline expects of
// the waits that were open in it.
type contrast struct {
	observed float64 // ends
	expected float64 // the same, were the hazards still those of the baseline
	known    float64 // so many ends in the baseline would tell the expectation as well as it is known
	phi      float64 // variance of observed over expected
	unlike   float64 // squared relative error of the expectation that no number of claims takes away
}

// lnRatio is the ln likelihood ratio of hazards θ times those of the baseline
// against the same. Both are averaged over what the baseline leaves unknown, a
// gamma posterior of its level:
//
//	O ln θ − (D+O)(ln(D+θE) − ln(D+E)),
//
// which is O ln θ + (1−θ)E for D without bound. Dividing the counts by φ
// corrects for their clustering.
func (c *contrast) lnRatio(theta float64) float64 {
	if c.expected <= 0 || c.phi <= 0 || c.known <= 0 {
		return 0
	}
	o, e := c.observed/c.phi, c.expected/c.phi
	d := 1 / (c.phi/c.known + c.unlike)
	return o*math.Log(theta) - (d+o)*math.Log1p((theta-1)*e/(d+e))
}

// ratio of the ends to what was expected, with half an end added to both so that
// it stays off 0.
func (c *contrast) ratio() float64 { return (c.observed + .5) / (c.expected + .5) }

// lnVariance is the variance of ln of the ratio.
func (c *contrast) lnVariance() float64 {
	return c.phi/(c.expected+.5) + c.phi/max(c.known, 1) + c.unlike
}

// thetas are the hazard ratios that an alternative mixes in equal parts.
type thetas [3]float64

var (
	slower = thetas{.9, .75, .5}
	more   = thetas{1.5, 2, 4}
)

// mirror are the ratios that undo these.
func (t thetas) mirror() thetas { return thetas{1 / t[0], 1 / t[1], 1 / t[2]} }

// lnMixture is the ln of the mean likelihood ratio over the alternatives.
func (c *contrast) lnMixture(t thetas) float64 {
	terms := [...]float64{c.lnRatio(t[0]), c.lnRatio(t[1]), c.lnRatio(t[2]), math.Inf(-1)}
	return lnMean(&terms) + ln43
}

var ln43 = math.Log(4. / 3) // a mean of three is that of four with a zero, times 4/3

// weighContrasts is the Shiryaev–Roberts statistic over windows of the first lags.
func weighContrasts(c []contrast, t thetas) scan {
	r := scan{used: len(c)}
	for i := range c {
		r.ln[i] = c[i].lnMixture(t)
	}
	r.combine()
	return r
}
