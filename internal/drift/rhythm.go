package drift

import "upstream"

// rhythm is how the ends of a payer's waits come: on which weekdays, and how
// clustered.
type rhythm struct {
	weekday [5]float64 // factors of the hazard, Monday first
	// carried are the weekdays, as bits, on which ends usually come. Where a holiday
	// falls on one, some payers do its work on the next business day, which then
	// takes from the next usual day as well, and some on that one: neither is
	// compared with anything. rests tells these slots.
	carried uint8
	rests   []bool
	// Variances of the ends over their expectation, of single days and of weeks:
	// below 1 where most of those at risk end, for that is a binomial; above it
	// where ends come in batches that don't keep to the weekday.
	day, week float64
}

const (
	// weekdayEnds is the weight of a factor of 1 in that of a weekday, in ends.
	weekdayEnds = 5
	// Before a stream has shown its clustering, φ is priorPhi, which weighs as
	// much as so many weeks.
	priorPhi      = 1.2
	priorPhiWeeks = 4
	// fullBlockEnds is how many ends a block needs to tell of clustering; with
	// fewer it counts in proportion, for one end alone is never clustered.
	fullBlockEnds = 10
	// usualDay is the factor from which on ends usually come on a weekday.
	usualDay      = .25
	leastBinomial = .35 // no variance over expectation is below it
)

func weekdayOf(day upstream.Day) int { return int(day.Weekday()) - 1 }

// factor of the hazard on a slot, 0 when it isn't to be compared.
func (r *rhythm) factor(cal *workdays, slot int) float64 {
	if r.rests[slot] {
		return 0
	}
	return r.weekday[weekdayOf(cal.days[slot])]
}

// findRests marks the first slot after each holiday on a usual weekday, and the
// usual one after it.
func (r *rhythm) findRests(cal *workdays) {
	r.rests = make([]bool, len(cal.days))
	for slot, due := range cal.due {
		if due&r.carried == 0 {
			continue
		}
		r.rests[slot] = true
		for next := slot + 1; next < min(slot+5, len(r.rests)); next++ {
			r.rests[next] = true
			if r.carried&(1<<weekdayOf(cal.days[next])) != 0 {
				break
			}
		}
	}
}

// learnRhythm reads the slots from first to before last, whole blocks as a rule.
// Clustering is measured within blocks, around their own level, so that a change
// of speed between them is none; the last two blocks, where a change may have
// begun, are left out if two others remain.
func (v *inventory) learnRhythm(cal *workdays, first, last int) rhythm {
	r := rhythm{weekday: [5]float64{1, 1, 1, 1, 1}}
	var days [5]exposure
	for t := first; t < last; t++ {
		if cal.due[t] != 0 || t > 0 && cal.due[t-1] != 0 {
			continue
		}
		days[weekdayOf(cal.days[t])].add(v.row(t), 1)
	}
	var all exposure
	for i := range days {
		all.plus(&days[i])
	}
	plain := all.hazards(nil)
	for i := range days {
		c := days[i].against(&plain)
		r.weekday[i] = (c.observed + weekdayEnds) / (c.expected + weekdayEnds)
		if r.weekday[i] >= usualDay {
			r.carried |= 1 << i
		}
	}
	r.findRests(cal)
	all = exposure{}
	for i := range days {
		for b := range days[i].risk {
			days[i].risk[b] *= r.weekday[i]
		}
		all.plus(&days[i])
	}
	if (last-first)/blockDays >= 4 {
		last -= 2 * blockDays
	}
	h := all.hazards(nil)
	var c clusters
	for t := first; t+blockDays <= last; t += blockDays {
		c.addBlock(v, cal, &r, &h, t)
	}
	r.day, r.week = c.phis()
	return r
}

func (x *exposure) plus(o *exposure) {
	for i := range x.ends {
		x.ends[i] += o.ends[i]
		x.risk[i] += o.risk[i]
	}
}

// clusters sum up how far days and weeks lie from what is expected.
type clusters struct {
	dayX, dayN, weekX, weekN float64 // chi-squares and degrees of freedom
	expected, variance       float64
}

// addBlock adds the days of a block and its four weeks.
func (c *clusters) addBlock(v *inventory, cal *workdays, r *rhythm, h *hazards, first int) {
	var o, e, s [blockDays]float64 // ends, expectation, variance
	sumO, sumE := 0.0, 0.0
	for i := range o {
		k := r.factor(cal, first+i)
		if k == 0 {
			continue
		}
		for b, cell := range v.row(first + i) {
			if h.known[b] {
				p := min(h.rate[b]*k, surest)
				o[i] += float64(cell.ends)
				e[i] += p * float64(cell.risk)
				s[i] += p * (1 - p) * float64(cell.risk)
			}
		}
		sumO += o[i]
		sumE += e[i]
		c.expected += e[i]
		c.variance += s[i]
	}
	weight := min((sumO-1)/fullBlockEnds, 1)
	if weight <= 0 || sumE <= 0 {
		return
	}
	level := sumO / sumE
	x, n := chiSquare(o[:], e[:], s[:], level, 1)
	c.dayX, c.dayN = c.dayX+weight*x, c.dayN+weight*n
	x, n = chiSquare(o[:], e[:], s[:], level, 5)
	c.weekX, c.weekN = c.weekX+weight*x, c.weekN+weight*n
}

// chiSquare compares sums of so many days, with its degrees of freedom.
func chiSquare(o, e, s []float64, level float64, days int) (x, n float64) {
	n = -1
	for i := 0; i < len(o); i += days {
		var sumO, sumE, sumS float64
		for j := i; j < i+days; j++ {
			sumO, sumE, sumS = sumO+o[j], sumE+e[j], sumS+s[j]
		}
		if sumS <= 0 || sumE <= 0 {
			continue
		}
		d := sumO - level*sumE
		x += d * d / (level * max(sumS, leastBinomial*sumE))
		n++
	}
	return x, max(n, 0)
}

// phis are the variances over the expectation of days and weeks.
func (c *clusters) phis() (day, week float64) {
	binomial := 1.0
	if c.expected > 0 {
		binomial = min(max(c.variance/c.expected, leastBinomial), 1)
	}
	week = max((priorPhi*priorPhiWeeks+c.weekX)/(priorPhiWeeks+c.weekN), 1)
	day = max((priorPhi*priorPhiWeeks+c.dayX)/(priorPhiWeeks+c.dayN), week)
	return binomial * day, binomial * week
}

// phi is the variance over the expectation of a window of so many days.
func (r *rhythm) phi(days int) float64 {
	if days < 5 {
		return r.day
	}
	return r.week
}
