package drift

import (
	"math"
	"slices"

	"upstream"
)

// decided is a stream of waits that are known only once they have ended: a
// slow-down shows when the late claims are decided. It compares the mean
// logarithm of the waits that end in a window with that of the baseline.
type decided struct {
	cal   *workdays
	waits *upstream.PayerWaits
	first int
	last  []int32
	sums  []lagSums // before each slot
}

// lagSums add up over the days of waits' ends: their number, the logarithms of
// their days, these squared; and for days and for blocks of five days that are
// over the square of the sum over the number, to tell their clustering.
type lagSums struct{ n, sum, squares, day, days, week, weeks float64 }

func (a lagSums) minus(b lagSums) lagSums {
	return lagSums{a.n - b.n, a.sum - b.sum, a.squares - b.squares, a.day - b.day, a.days - b.days, a.week - b.week, a.weeks - b.weeks}
}

// ripeDays is how long after the first start the ends are a fair sample of the
// waits, in business days: before, only short ones can have ended.
const ripeDays = 60

// speedError is by how much a payer's speed wanders without anybody's intent, as
// a fraction.
const speedError = .02

func newDecided(p *upstream.PayerWaits, cal *workdays) *decided {
	n := len(cal.days)
	d := &decided{cal: cal, waits: p, first: n, last: make([]int32, n+1), sums: make([]lagSums, n+1)}
	daily := make([]lagSums, n)
	begun := n
	for _, w := range p.Ended {
		s, t := cal.at(int64(w.Start)), cal.ended(w)
		if w.Count <= 0 || s < 0 || t < 0 {
			continue
		}
		begun = min(begun, s)
		count, x := float64(w.Count), math.Log(float64(max(w.Lag, 0))+1)
		daily[t].n += count
		daily[t].sum += count * x
		daily[t].squares += count * x * x
	}
	d.first = min(begun+ripeDays, n)
	d.add(daily)
	return d
}

func (d *decided) add(daily []lagSums) {
	var sum, week lagSums
	last := int32(-1)
	for t, v := range daily {
		d.sums[t], d.last[t] = sum, last
		if v.n > 0 {
			last = int32(t)
			v.day, v.days = v.sum*v.sum/v.n, 1
		}
		week.n, week.sum = week.n+v.n, week.sum+v.sum
		if t%5 == 4 {
			if week.n > 0 {
				v.week, v.weeks = week.sum*week.sum/week.n, 1
			}
			week = lagSums{}
		}
		sum = sum.minus(lagSums{-v.n, -v.sum, -v.squares, -v.day, -v.days, -v.week, -v.weeks})
	}
	d.sums[len(daily)], d.last[len(daily)] = sum, last
}

func (d *decided) firstSlot() int           { return d.first }
func (d *decided) active(from, to int) bool { return d.sums[to].n > d.sums[max(from, 0)].n }
func (d *decided) lastEnd(slot int) int     { return int(d.last[slot]) }

func (d *decided) between(s slots) lagSums {
	from := max(s.from, 0)
	return d.sums[max(s.to, from)].minus(d.sums[from])
}

func (d *decided) contrasts(end int, out *[len(lags)]contrast, past []slots) (used int) {
	left, from := baselineLeft(d.first, end), floor(past)
	for i, lag := range lags {
		cut := end - lag
		if cut-d.first < left || cut < from {
			break
		}
		base := slots{max(cut-fastBaselineDays, d.first), cut}
		out[i] = d.compare(base, slots{cut, end}, past)
		if out[i].known == 0 {
			break
		}
		used = i + 1
	}
	return used
}

// compare expresses the mean of n logarithms of waits, whose variance over φ the
// baseline tells, as that many ends of waits which tell as much: n/σ² of them
// have the same standard error of the logarithm of their ratio.
func (d *decided) compare(baseline, window slots, past []slots) (c contrast) {
	base, now := d.between(baseline), d.between(window)
	for _, p := range past {
		p = slots{max(p.from, baseline.from), min(p.to, baseline.to)}
		if p.from < p.to {
			base = base.minus(d.between(p))
		}
	}
	if base.n < leastEnds {
		return c
	}
	mean := base.sum / base.n
	variance := max(base.squares/base.n-mean*mean, .01)
	c.known, c.unlike = base.n/variance, speedError*speedError
	c.phi = base.phi(mean, variance)
	if now.n > 0 {
		c.expected = now.n / variance
		c.observed = c.expected * math.Exp(mean-now.sum/now.n)
	}
	return c
}

// phi is the variance of the means of days or weeks over that of independent waits.
func (s *lagSums) phi(mean, variance float64) float64 {
	level := s.n * mean * mean
	of := func(squares, groups float64) float64 {
		x := max(squares-level, 0) / variance
		return (priorPhi*priorPhiWeeks + x) / (priorPhiWeeks + max(groups-1, 0))
	}
	return max(of(s.day, s.days), of(s.week, s.weeks), 1)
}

// describe implements stream: the medians of what was decided.
func (d *decided) describe(baseline, current slots, past []slots) (f figures) {
	lags := func(s slots, past []slots) (float64, int64) {
		counts := map[int32]int64{}
		var days []int32
		total := int64(0)
		for _, w := range d.waits.Ended {
			t := d.cal.ended(w)
			if w.Count <= 0 || t < s.from || t >= s.to || inSlots(past, t) {
				continue
			}
			if counts[w.Lag] == 0 {
				days = append(days, w.Lag)
			}
			counts[w.Lag] += int64(w.Count)
			total += int64(w.Count)
		}
		slices.Sort(days)
		below := int64(0)
		for _, day := range days {
			if below += counts[day]; 2*below >= total {
				return float64(max(day, 0)), total
			}
		}
		return 0, 0
	}
	f.baseline, f.baselineN = lags(baseline, past)
	f.current, f.currentN = lags(current, nil)
	return f
}

var _ stream = (*decided)(nil)
