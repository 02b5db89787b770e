package drift

import (
	"math"
	"slices"
	"time"

	"upstream"
)

// law is how one clock is watched.
type law struct {
	clock upstream.Clock
	what  string // in notes
	// signal of its events, and whether more ends than expected are the worse.
	signal upstream.Signal
	more   bool
	// maxAge is how long an open wait is watched, and width the bins of age, in
	// days: slow clocks have few ends a day.
	maxAge, width int
	smooth        int // bins over which the hazard is smoothed, odd
	// history are the business days a baseline reaches back.
	history int
	// pooled takes the shape of the hazard from all payers, and only its level
	// from the payer's own.
	pooled bool
	// least are the business days of history that it takes: what takes months to
	// end can't be judged by weeks.
	least  int
	ratios [3]float64 // alternatives, as ratios of ends observed to expected
}

var laws = [...]law{
	{upstream.DecisionClock, "Decision times", upstream.DecisionTime, false, 120, 1, 5, 130, false, firstAlarmDays, [3]float64{.9, .75, .5}},
	{upstream.PaymentClock, "Payment times", upstream.DecisionTime, false, 60, 1, 5, 130, false, firstAlarmDays, [3]float64{.9, .75, .5}},
	{upstream.OverturnClock, "Overturned denials", upstream.Overturn, false, 182, 7, 5, 260, true, coldStartDays, [3]float64{.75, .5, .25}},
	{upstream.TakebackClock, "Takebacks", upstream.Takeback, true, 364, 7, 5, 260, true, coldStartDays, [3]float64{1.5, 2, 4}},
}

// waits are one payer's waits on one clock, ready for sums over any days: for
// each day and bin of age how many were open at its begin, and how many ended on
// it. Sums are cumulative over the days.
type waits struct {
	*upstream.PayerWaits
	law   *law
	ages  int       // bins
	open  [][]int32 // by day: sums over the days before
	ended [][]int32
	first int       // the first day with a start
	lags  []lagSums // by day of decision; nil until asked for
}

func newWaits(w *upstream.PayerWaits, l *law) *waits {
	days := len(w.Started)
	o := &waits{PayerWaits: w, law: l, ages: l.maxAge/l.width + 1, first: days}
	flat := make([]int32, 2*(days+1)*o.ages)
	o.open, o.ended = make([][]int32, days+1), make([][]int32, days+1)
	for d := range days + 1 {
		o.open[d] = flat[2*d*o.ages : (2*d+1)*o.ages]
		o.ended[d] = flat[(2*d+1)*o.ages : (2*d+2)*o.ages]
	}
	left := make([]int32, days) // open waits by start
	for day, n := range w.Started {
		left[day] = max(n, 0)
		if n > 0 {
			o.first = min(o.first, day)
		}
	}
	byDay := o.endsByDay()
	now := make([]int32, o.ages) // open waits by age, at the begin of the day
	for day := range days {
		o.grow(now, left, day)
		row, ends := o.open[day+1], o.ended[day+1]
		for age, n := range o.open[day] {
			row[age] = n + now[age]
		}
		copy(ends, o.ended[day])
		for _, e := range byDay[day] {
			left[e.Start] -= e.Count
			if bin := int(e.Lag) / l.width; bin < o.ages {
				ends[bin] += e.Count
				now[bin] -= e.Count
			}
		}
	}
	return o
}

// grow makes the open waits a day older: those whose age enters a bin leave the
// one before, and the day's own starts come in.
func (o *waits) grow(now, left []int32, day int) {
	for bin := o.ages; bin >= 0; bin-- {
		start := day - bin*o.law.width
		if start < 0 || left[start] == 0 {
			continue
		}
		if bin < o.ages {
			now[bin] += left[start]
		}
		if bin > 0 {
			now[bin-1] -= left[start]
		}
	}
}

// endsByDay sorts the waits by the day they ended. Those that ended before they
// started, or after the last day, are none.
func (o *waits) endsByDay() [][]upstream.Wait {
	byDay := make([][]upstream.Wait, len(o.Started))
	counts := make([]int32, len(o.Started))
	usable := func(e upstream.Wait) (day int, ok bool) {
		day = int(e.Start) + int(e.Lag)
		return day, e.Lag >= 0 && e.Start >= 0 && day < len(o.Started) && e.Count > 0
	}
	total := 0
	for _, e := range o.Ended {
		if day, ok := usable(e); ok {
			counts[day]++
			total++
		}
	}
	flat := make([]upstream.Wait, total)
	for day, n := range counts {
		byDay[day], flat = flat[:0:n], flat[n:]
	}
	for _, e := range o.Ended {
		if day, ok := usable(e); ok {
			byDay[day] = append(byDay[day], e)
		}
	}
	return byDay
}

// hazard is what a baseline says about the ends on one clock: their chance on a
// day by age, and how much likelier they are on each weekday.
type hazard struct {
	byAge   []float64
	weekday [7]float64
	events  float64 // ends in the baseline
	// Dispersion of the ends of single days and of whole weeks. A day's surplus is
	// often the next one's lack, so that days vary more than weeks.
	daily, weekly float64
}

// phi is the dispersion of a window of so many business days.
func (h *hazard) phi(days int) float64 {
	if days < 5 {
		return max(h.daily, h.weekly)
	}
	return h.weekly
}

// stretch are days, from the first to before the last.
type stretch struct{ from, to int }

// between sums a matrix over stretches, by age.
func (o *waits) between(m [][]int32, days []stretch) []float64 {
	sum := make([]float64, o.ages)
	for _, s := range days {
		for age := range sum {
			sum[age] += float64(m[s.to][age] - m[s.from][age])
		}
	}
	return sum
}

// learn estimates the hazard in the days of a baseline. shape, where given, is
// that of all payers: only its level is fitted.
func (o *waits) learn(days []stretch, shape []float64, from upstream.Day) *hazard {
	h := &hazard{daily: 1, weekly: 1}
	risk, ends := o.between(o.open, days), o.between(o.ended, days)
	for _, n := range ends {
		h.events += n
	}
	if shape != nil {
		expected := 0.0
		for age, r := range risk {
			expected += r * shape[age]
		}
		level := (h.events + levelPrior) / (expected + levelPrior)
		h.byAge = make([]float64, o.ages)
		for age := range h.byAge {
			h.byAge[age] = shape[age] * level
		}
	} else {
		h.byAge = hazardOf(risk, ends, o.law.smooth)
	}
	o.learnWeeks(h, days, from)
	return h
}

// levelPrior is the weight of all payers' level in a payer's own, in ends.
const levelPrior = 5

// hazardOf are ends over the waits at risk, smoothed over neighbouring ages.
func hazardOf(risk, ends []float64, smooth int) []float64 {
	out := make([]float64, len(risk))
	half := smooth / 2
	for age := range out {
		r, e := 0.0, 0.0
		for k := max(age-half, 0); k <= min(age+half, len(risk)-1); k++ {
			r += risk[k]
			e += ends[k]
		}
		if r > 0 {
			out[age] = min(e/r, .98)
		}
	}
	return out
}

// learnWeeks fits the weekday pattern, and the dispersion of whole weeks around it.
func (o *waits) learnWeeks(h *hazard, days []stretch, from upstream.Day) {
	var observed, expected [7]float64
	for _, s := range days {
		for day := s.from; day < s.to; day++ {
			date := from + upstream.Day(day)
			if x, e := o.day(h, day); x > 0 || !isHoliday(date) {
				observed[date.Weekday()] += x
				expected[date.Weekday()] += e
			}
		}
	}
	for w := range h.weekday {
		if expected[w] > 0 {
			h.weekday[w] = observed[w] / expected[w]
		}
	}
	h.daily, h.weekly = o.dispersion(h, days, from, 1), o.dispersion(h, days, from, 7)
}

// dispersion is the mean of (O−E)²/E over stretches of so many calendar days; at
// least 1.
func (o *waits) dispersion(h *hazard, days []stretch, from upstream.Day, length int) float64 {
	var off []float64
	for _, s := range days {
		for day := s.from; day+length <= s.to; day += length {
			x, e := 0.0, 0.0
			for d := day; d < day+length; d++ {
				observed, expected := o.expect(h, d, from)
				x += observed
				e += expected
			}
			if e > 0 {
				off = append(off, (x-e)*(x-e)/e)
			}
		}
	}
	return max(mostlyMean(off), 1)
}

// mostlyMean is the mean without the largest tenth: one week of missing files
// must not make all others look usual.
func mostlyMean(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	v = v[:len(v)-len(v)/10]
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// day are the ends of one day, and those expected before the weekday's factor. At
// ages without a hazard neither counts: what a short history never saw is no news.
func (o *waits) day(h *hazard, day int) (observed, expected float64) {
	open, before := o.open[day+1], o.open[day]
	ends, endsBefore := o.ended[day+1], o.ended[day]
	for age, rate := range h.byAge {
		if rate > 0 {
			expected += rate * float64(open[age]-before[age])
			observed += float64(ends[age] - endsBefore[age])
		}
	}
	return observed, expected
}

// expect are the ends of one day and those expected, none on a holiday that is kept.
func (o *waits) expect(h *hazard, day int, from upstream.Day) (observed, expected float64) {
	date := from + upstream.Day(day)
	observed, expected = o.day(h, day)
	if observed == 0 && isHoliday(date) {
		return 0, 0
	}
	return observed, expected * h.weekday[date.Weekday()]
}

// isHoliday reports whether a day from Monday to Friday is none of business.
func isHoliday(day upstream.Day) bool {
	w := day.Weekday()
	return w != time.Saturday && w != time.Sunday && !day.IsBusiness()
}

// quantile is the age in days by which a share of the waits has ended, when the
// hazard is multiplied by ratio; maxAge where fewer end.
func (o *waits) quantile(h *hazard, share, ratio float64) float64 {
	left := 1.0
	for age, rate := range h.byAge {
		daily := min(rate*ratio, .99)
		next := left * math.Pow(1-daily, float64(o.law.width))
		if next <= 1-share {
			part := (left - (1 - share)) / (left - next)
			return (float64(age) + part) * float64(o.law.width)
		}
		left = next
	}
	return float64(o.law.maxAge)
}

// by is the share of waits that have ended by an age in days.
func (o *waits) by(h *hazard, days int, ratio float64) float64 {
	left := 1.0
	for age, rate := range h.byAge {
		if age*o.law.width >= days {
			break
		}
		left *= math.Pow(1-min(rate*ratio, .99), float64(o.law.width))
	}
	return 1 - left
}
