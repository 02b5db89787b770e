package drift

import "math"

// businessPerCalendar is how many business days there are to a calendar day:
// hazards are those of a business day, ages calendar days.
const businessPerCalendar = 5. / 7

// median is the wait that half exceed, in calendar days, by the product-limit
// curve of the hazards (Kaplan and Meier 1958): waits still open count as far as
// they got. Beyond the horizon it is not known and the horizon returned. Ages in
// whole days stand for half a day on either side.
func (h *hazards) median(bins *ageBins) float64 {
	alive := 1.0
	for i, from := range bins.from {
		stays := math.Pow(1-min(max(h.rate[i], 0), 1), businessPerCalendar)
		for age := from; age < from+bins.width(i); age++ {
			next := alive * stays
			if next <= .5 {
				return max(float64(age)-.5+(alive-.5)/(alive-next), 0)
			}
			alive = next
		}
	}
	return float64(bins.horizon)
}

// share is the share of waits that end before the horizon, were all hazards so
// many times as high.
func (h *hazards) share(bins *ageBins, ratio float64) float64 {
	lnOpen := 0.0
	for i := range bins.from {
		rate := min(max(h.rate[i]*ratio, 0), surest)
		lnOpen += float64(bins.width(i)) * businessPerCalendar * math.Log1p(-rate)
	}
	return -math.Expm1(lnOpen)
}

// shrinkEnds is the weight, in ends, of the baseline's hazard times the overall
// ratio in the current hazard of a bin.
const shrinkEnds = 2

// current are the hazards of a window, each drawn towards the baseline's times
// the ratio of the whole window, for a window of few days leaves bins empty.
func (x *exposure) current(h *hazards, ratio float64) (out hazards) {
	for i, rate := range h.rate {
		expected := min(rate*ratio, 1)
		if expected <= 0 {
			if x.risk[i] >= minRisk {
				out.rate[i] = min(x.ends[i]/x.risk[i], 1)
			}
			continue
		}
		out.rate[i] = min((x.ends[i]+shrinkEnds)/(x.risk[i]+shrinkEnds/expected), 1)
	}
	return out
}

// describe implements stream: the median wait where most waits end, else the
// share that ends before the horizon.
func (w *waiting) describe(baseline, current slots, past []slots) figures {
	f := figures{baselineN: w.atRisk(baseline), currentN: w.atRisk(current)}
	r := w.rhythm(max(baseline.to, blockDays))
	h := w.hazardsOf(baseline, r, past)
	x := w.sum(current, r, nil)
	c := x.against(&h)
	if w.pool != nil {
		f.baseline, f.current = h.share(w.bins, 1), h.share(w.bins, c.ratio())
		return f
	}
	now := x.current(&h, c.ratio())
	f.baseline, f.current = h.median(w.bins), now.median(w.bins)
	return f
}
