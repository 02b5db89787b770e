package drift

import "upstream"

// weekLags are the starts of a cut that the statistic weighs, in whole weeks
// before the end of the data; a lag stands for all weeks since the one before it.
var weekLags = [...]int{1, 2, 3, 4, 6, 8, 10, 13}

const (
	feeLags  = len(weekLags)
	feeWeeks = 26                 // baseline before each lag, at most
	feeReach = feeWeeks + lastLag // what one evaluation looks at
	lastLag  = 13                 // the largest of weekLags

	rateLines = 5    // of the baseline, to read a contract rate from
	belowRate = .993 // of the rate: less is a cut, more is rounding
)

// calendar tells of each week, by its age before the end of the data, in which
// windows it is, as one of a few kinds: the kind k ≤ feeLags is in the baseline of
// the first k lags and in the current window of the others; feeLags + k is before
// the baseline of the first k lags, and in that of the others; noKind is in none.
type calendar struct {
	end  int // weeks before it are over
	lags int // the first ones, that may be used
	kind [feeReach]uint8
}

const noKind = 2 * feeLags

// newCalendar leaves out blocked weeks, bit i for the week of age i, and weeks
// before start. No current window reaches back over a blocked week: a change
// that began before it is another story.
func newCalendar(start, end int, blocked uint64) *calendar {
	c := &calendar{end: end}
	for c.lags < feeLags && weekLags[c.lags] <= end-start-baselineWeeks(end-start) && blocked&(1<<weekLags[c.lags]-1) == 0 {
		c.lags++
	}
	for age := range c.kind {
		c.kind[age] = uint8(noKind)
		if blocked>>age&1 == 1 || age >= end-start {
			continue
		}
		c.kind[age] = 0
		for _, lag := range weekLags {
			if lag <= age {
				c.kind[age]++
			}
			if lag+feeWeeks <= age {
				c.kind[age]++
			}
		}
	}
	return c
}

// baselineWeeks is what a history of some weeks leaves before every lag, as it
// does in business days for the denial rate.
func baselineWeeks(weeks int) int {
	if weeks*5 < coldStartDays {
		return coldBaselineDays / 5
	}
	return minBaselineDays / 5
}

// feeCounts are the lines of one key at one lag, and those below the rate that
// the baseline of the lag has; both are 0 where it has too few lines for one.
type feeCounts struct{ base, baseBelow, lines, below int32 }

// keyReader counts one key after another, without new memory for each.
type keyReader struct {
	cents []float64
	sums  []feeRow // of all amounts before the i-th; the first are none
	pile  pile
}

// feeRow are lines by lag, in the baseline and in the current window.
type feeRow struct{ base, current [feeLags]int32 }

// read returns the key's counts at every lag of the calendar.
func (r *keyReader) read(atoms []upstream.Atom, c *calendar, out *[feeLags]feeCounts) {
	*out = [feeLags]feeCounts{}
	if len(atoms) < 1 {
		return
	}
	r.sumUp(atoms, c)
	rows := len(r.cents)
	all := &r.sums[rows]
	at, below, rate := 0, 0, 0.
	for i := range c.lags {
		n := all.base[i]
		if n < rateLines {
			continue
		}
		if v := r.rate(i, n, &at); v != rate {
			rate, below = v, r.below(v)
		}
		if rate > 0 {
			out[i] = feeCounts{n, r.sums[below].base[i], all.current[i], r.sums[below].current[i]}
		}
	}
}

// sumUp fills the sums by amount, ascending as the atoms are.
func (r *keyReader) sumUp(atoms []upstream.Atom, c *calendar) {
	if len(r.sums) <= len(atoms) {
		r.sums = make([]feeRow, 2*len(atoms)+1)
		r.cents = make([]float64, 0, 2*len(atoms)+1)
	}
	r.cents = r.cents[:0]
	for i := 0; i < len(atoms); {
		var kinds [32]int32 // lines by the kind of their week
		cents := atoms[i].Cents
		for ; i < len(atoms) && atoms[i].Cents == cents; i++ {
			age := c.end - 1 - int(atoms[i].Week)
			if uint(age) < feeReach {
				kinds[c.kind[age]&31] += max(atoms[i].Lines, 0)
			}
		}
		if cents < 0 {
			continue
		}
		at := len(r.cents)
		before, after := &r.sums[at], &r.sums[at+1]
		current, base := int32(0), int32(0)
		for k := range feeLags + 1 {
			base += kinds[k]
		}
		for lag := range feeLags {
			current += kinds[lag]
			base -= kinds[lag]
			if lag > 0 {
				base += kinds[feeLags+lag]
			}
			after.base[lag] = before.base[lag] + base
			after.current[lag] = before.current[lag] + current
		}
		r.cents = append(r.cents, float64(cents))
	}
}

// rate is the half-sample mode of the n lines in the baseline of a lag. An amount
// with half of them is it at once: it holds one of the two middle lines, and a
// half of no width is the narrowest. at is where the lag before found its middle.
func (r *keyReader) rate(lag int, n int32, at *int) float64 {
	half := (n + 1) / 2
	for _, middle := range [...]int32{half - 1, n - half} {
		for *at > 0 && r.sums[*at].base[lag] > middle {
			*at--
		}
		for r.sums[*at+1].base[lag] <= middle {
			*at++
		}
		if r.sums[*at+1].base[lag]-r.sums[*at].base[lag] >= half {
			return r.cents[*at]
		}
	}
	r.pile = r.pile[:0]
	for i, cents := range r.cents {
		r.pile.add(cents, int64(r.sums[i+1].base[lag]-r.sums[i].base[lag]))
	}
	return r.pile.mode()
}

// below is the number of amounts below a rate.
func (r *keyReader) below(rate float64) int {
	i, j := 0, len(r.cents)
	for i < j {
		if m := (i + j) / 2; isBelow(r.cents[m], rate) {
			i = m + 1
		} else {
			j = m
		}
	}
	return i
}

func isBelow(cents, rate float64) bool { return cents < belowRate*rate }
