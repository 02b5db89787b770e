package drift

import (
	"math"

	"upstream"
)

// maxBins bounds the bins of ages.
const maxBins = 23

// ageBins are the ages, in calendar days, at which the hazard of an end is taken
// to be the same: the first age of each bin. Ages from horizon on are left out,
// for what is still open then is mostly forgotten, and ever more of it.
type ageBins struct {
	from    []int
	horizon int
}

var (
	// fastBins are narrow where decisions and payments mostly come: two or three
	// days smooth as much as a moving average of five.
	fastBins = ageBins{[]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 24, 28, 33, 40, 49, 60, 75, 95, 120}, upstream.ForgottenDays}
	// overturnBins reach 180 days, takebackBins a year.
	overturnBins = ageBins{[]int{0, 7, 14, 21, 30, 42, 63, 91, 126}, 181}
	takebackBins = ageBins{[]int{0, 28, 45, 63, 91, 126, 182, 252}, 366}
)

// width of a bin in days.
func (b *ageBins) width(i int) int {
	if i+1 < len(b.from) {
		return b.from[i+1] - b.from[i]
	}
	return b.horizon - b.from[i]
}

// lookup is the bin of every age before the horizon.
func (b *ageBins) lookup() []uint8 {
	out := make([]uint8, 0, b.horizon)
	for i := range b.from {
		for range b.width(i) {
			out = append(out, uint8(i))
		}
	}
	return out
}

// cell are the waits of one age bin on one business day: open when it began, or
// started on it, and of these ended on it.
type cell struct{ risk, ends int32 }

// inventory is who waited and who ended at one payer on one clock, by business
// day and age: [slots × bins]cell. What is known of a slot depends on what
// started and ended up to it alone.
type inventory struct {
	bins  int
	cells []cell
	first int     // slot of the first start, len(last)-1 for none
	last  []int32 // the last slot with an end before each slot, -1 for none
	busy  []int32 // the number of slots before each on which somebody waited
}

func (v *inventory) row(slot int) []cell { return v.cells[slot*v.bins : (slot+1)*v.bins] }

// inventoryBuilder counts the waits of one payer after the other. Cohorts are
// what started on one calendar day.
type inventoryBuilder struct {
	cal  *workdays
	bins ageBins
	bin  []uint8
	ends []int // the first age after each bin
	hush []bool
	gaps []int32 // by slot: how many gaps in the data had ended
	left []int64 // [(bins+1) × (cohorts+1)] of all cohorts before one, those that outlived the bins below
}

// newInventoryBuilder: where waits mostly end, those that were open in a gap of
// the data may have ended unseen, and would look forgotten for good: with censor
// they count no longer. Where few ever end, only the gap itself is left out.
func newInventoryBuilder(cal *workdays, bins ageBins, hush []bool, censor bool) *inventoryBuilder {
	b := &inventoryBuilder{
		cal: cal, bins: bins, bin: bins.lookup(), hush: hush, gaps: make([]int32, len(cal.days)),
		left: make([]int64, (len(cal.slot)+1)*(len(bins.from)+1)),
	}
	for i, from := range bins.from {
		b.ends = append(b.ends, from+bins.width(i))
	}
	for i := 1; i < len(b.gaps); i++ {
		b.gaps[i] = b.gaps[i-1]
		if censor && hush[i-1] && !hush[i] {
			b.gaps[i]++
		}
	}
	return b
}

func (b *inventoryBuilder) build(p *upstream.PayerWaits) *inventory {
	n, bins := len(b.cal.days), len(b.bins.from)
	v := &inventory{bins: bins, cells: make([]cell, n*bins), first: n, last: make([]int32, n+1), busy: make([]int32, n+1)}
	clear(b.left)
	for i := range v.last {
		v.last[i] = -1
	}
	for i, count := range p.Started[:min(len(p.Started), len(b.cal.slot))] {
		if count > 0 {
			b.left[i+1] = int64(count)
			v.first = min(v.first, int(b.cal.slot[i]))
		}
	}
	b.countEnds(p, v)
	for last, t := int32(-1), 0; t <= n; t++ { // from marks to the last mark before
		v.last[t], last = last, max(last, v.last[t])
	}
	b.countOpen(v)
	return v
}

// countEnds counts what ended by the day on which it counts and the age then,
// and leaves in left what had not ended.
func (b *inventoryBuilder) countEnds(p *upstream.PayerWaits, v *inventory) {
	width := len(b.cal.slot) + 1
	for _, w := range p.Ended {
		t := b.cal.ended(w)
		if w.Count <= 0 || w.Start < 0 || t < 0 {
			continue
		}
		age := b.cal.offset(t) - int(w.Start)
		if age >= b.bins.horizon || b.gaps[b.cal.slot[w.Start]] != b.gaps[t] {
			continue
		}
		at := int(b.bin[age])
		b.left[(at+1)*width+int(w.Start)+1] -= int64(w.Count)
		c := &v.row(t)[at]
		c.ends = plusClamped(c.ends, w.Count)
		v.last[t] = int32(t)
	}
	for at := 1; at <= v.bins; at++ {
		below, row := b.left[(at-1)*width:at*width], b.left[at*width:(at+1)*width]
		sum := int64(0)
		for i := range row {
			row[i] = max(row[i]+below[i], 0)
			sum += below[i]
			below[i] = sum
		}
	}
	sum, last := int64(0), b.left[v.bins*width:]
	for i, n := range last {
		sum += n
		last[i] = sum
	}
}

// countOpen carries the open waits of each bin from one business day to the next:
// cohorts grow into it, grow out of it, and end in it. A bin counts once a first
// cohort has grown out of it: until then it holds only the younger of its ages,
// whose hazard is another.
func (b *inventoryBuilder) countOpen(v *inventory) {
	var open [maxBins]int64
	if v.first == len(b.gaps) {
		return
	}
	before, width := -1, len(b.cal.slot)+1
	since := 0 // the first cohort that counts
	full := b.cal.offset(v.first)
	for t := range b.gaps {
		if t > 0 && b.gaps[t] != b.gaps[t-1] {
			clear(open[:])
			since, full = before+1, before+1
		}
		today := b.cal.offset(t)
		row, waiting := v.row(t), int32(0)
		grown := outlived(b.left[:width], since, before, today)
		for i := range row {
			open[i] += grown
			end := b.ends[i]
			grown = outlived(b.left[(i+1)*width:(i+2)*width], since, before-end, today-end)
			open[i] -= grown
			if !b.hush[t] && today-full >= end {
				row[i].risk = int32(min(max(open[i], 0), math.MaxInt32))
			}
			open[i] = max(open[i]-int64(row[i].ends), 0)
			if row[i].risk == 0 {
				row[i].ends = 0
			} else {
				waiting = 1
			}
		}
		v.busy[t+1] = v.busy[t] + waiting
		before = today
	}
}

// outlived sums the cohorts after one and through another, but none before first.
func outlived(sums []int64, first, after, through int) int64 {
	from := max(after+1, first)
	if through < from {
		return 0
	}
	return sums[through+1] - sums[from]
}

func plusClamped(a, b int32) int32 { return int32(min(int64(a)+int64(b), math.MaxInt32)) }

// exposure are the ends, and the waits at risk weighted by weekday, of some days
// by age bin.
type exposure struct{ ends, risk [maxBins]float64 }

// add adds a day of weight k.
func (x *exposure) add(row []cell, k float64) {
	ends, risk := x.ends[:len(row)], x.risk[:len(row)]
	for i, c := range row {
		ends[i] += float64(c.ends)
		risk[i] += k * float64(c.risk)
	}
}

func (x *exposure) minus(o *exposure) (d exposure) {
	for i := range x.ends {
		d.ends[i] = x.ends[i] - o.ends[i]
		d.risk[i] = x.risk[i] - o.risk[i]
	}
	return d
}

// hazards are the daily probabilities of an end by age bin, on a day of weight 1,
// with the squared standard error of each.
type hazards struct {
	rate, variance [maxBins]float64
	known          [maxBins]bool
}

const (
	// minRisk is the number of waits at risk over the days of a baseline from
	// which on it tells the hazard of a bin.
	minRisk = 5
	// pooledEnds is how many ends at the hazard of all payers stand for what is
	// known beforehand of a bin whose ends are rare.
	pooledEnds = .25
	// surest is the highest probability that a wait ends today.
	surest = .98
	// binError is how far the hazard of a bin may be off, as a fraction, because
	// ages within it are not quite alike and a payer's speed wanders a little. It
	// averages out over bins, so only ends that all come from claims of one age,
	// as of a million submitted on a day, are poorly expected.
	binError = .06
)

// hazards of a baseline. prior are those of all payers, where ends are rare, or nil.
func (x *exposure) hazards(prior *hazards) (h hazards) {
	for i := range x.risk {
		d, r, least := x.ends[i], x.risk[i], float64(minRisk)
		if prior != nil {
			if prior.rate[i] <= 0 {
				continue
			}
			weight := pooledEnds / prior.rate[i]
			// What has not weighed as much itself would be compared with the
			// others, not with itself.
			d, r, least = d+pooledEnds, r+weight, 2*weight
		}
		if r < least || r == 0 {
			continue
		}
		h.known[i] = true
		h.rate[i] = d / r
		h.variance[i] = (d + .5) / (r * r)
	}
	return h
}

// tailShare is the share of the baseline's waits below which the ages beyond are
// not compared. Among the few that old are claims whose decision came in a late
// file; each would be expected to end every day.
const tailShare = .15

// withoutTail leaves out the ages that few of the baseline's waits reach.
func (h *hazards) withoutTail(bins *ageBins) {
	open := 1.0
	for i := range bins.from {
		if open < tailShare {
			h.known[i] = false
		}
		open *= math.Pow(1-min(max(h.rate[i], 0), 1), businessPerCalendar*float64(bins.width(i)))
	}
}

// against compares a window with a baseline's hazards, in the bins whose hazards
// these know.
func (x *exposure) against(h *hazards) (c contrast) {
	variance, squares := 0.0, 0.0
	for i := range x.risk {
		if h.known[i] {
			expected := h.rate[i] * x.risk[i]
			c.observed += x.ends[i]
			c.expected += expected
			squares += expected * expected
			variance += h.variance[i] * x.risk[i] * x.risk[i]
		}
	}
	if c.expected > 0 && variance > 0 {
		c.known = c.expected * c.expected / variance
		c.unlike = binError * binError * squares / (c.expected * c.expected)
	}
	return c
}

// sum of the ends in all bins.
func (x *exposure) sum() (ends float64) {
	for _, v := range x.ends {
		ends += v
	}
	return ends
}
