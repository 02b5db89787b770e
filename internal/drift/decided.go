package drift

import (
	"maps"
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
	f.baseline, f.baselineN = d.ends(baseline, past).median()
	f.current, f.currentN = d.ends(current, nil).median()
	return f
}

// confirmed is by how many standard errors late decisions must be more. Simulated,
// a payer that ends brings a false alarm in 599 of 600 cases without that, in 45 at
// 2, in 9 at 2.5; slow-downs are told 0 to 4 weeks later for it.
const confirmed = 2.5

// confirms implements stream. Where submissions dwindle, or a payer's stop, the
// fast decisions go missing first and those that are left are slow. So the
// decisions slower than the baseline's median must also be more a day. Whole
// calendar weeks are looked at, two at least: payers decide on some weekdays only.
func (d *decided) confirms(baseline, current slots, past []slots) bool {
	weeks := max((current.to-current.from+4)/5, 2)
	after := d.cal.days[current.to-1] - upstream.Day(7*weeks)
	current.from, _ = slices.BinarySearch(d.cal.days, after+1)
	baseline.to = min(baseline.to, current.from)
	if baseline.to <= baseline.from {
		return false
	}
	base := d.ends(baseline, past)
	typical, _ := base.median()
	before, late := base.over(typical), d.ends(current, nil).over(typical)
	days := 0.0
	for t := baseline.from + 1; t < baseline.to; t++ {
		if !inSlots(past, t) {
			days += float64(d.cal.days[t] - d.cal.days[t-1])
		}
	}
	expected := before * float64(7*weeks) / max(days, 1)
	phi := max(d.compare(baseline, current, past).phi, 1)
	return late-expected >= confirmed*math.Sqrt(phi*(expected+expected*expected/max(before, 1)))
}

// lagCounts are numbers of waits by their days.
type lagCounts map[int32]int64

// ends counts the waits that ended in some days but those of past incidents.
func (d *decided) ends(s slots, past []slots) lagCounts {
	counts := lagCounts{}
	for _, w := range d.waits.Ended {
		if t := d.cal.ended(w); w.Count > 0 && t >= s.from && t < s.to && !inSlots(past, t) {
			counts[max(w.Lag, 0)] += int64(w.Count)
		}
	}
	return counts
}

func (c lagCounts) median() (days float64, total int64) {
	for _, n := range c {
		total += n
	}
	below := int64(0)
	for _, lag := range slices.Sorted(maps.Keys(c)) {
		if below += c[lag]; 2*below >= total {
			return float64(lag), total
		}
	}
	return 0, 0
}

// over counts the waits of more than some days.
func (c lagCounts) over(days float64) (n float64) {
	for lag, count := range c {
		if float64(lag) > days {
			n += float64(count)
		}
	}
	return n
}

var _ stream = (*decided)(nil)
