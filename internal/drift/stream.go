package drift

// stream is what one payer shows on one clock, by business day.
type stream interface {
	// firstSlot is the first business day with anything to compare.
	firstSlot() int
	// active reports whether anything waited or ended from a slot to before another.
	active(from, to int) bool
	// lastEnd is the last slot with an end before a slot, -1 for none.
	lastEnd(slot int) int
	// contrasts compares, for each of the first lags that leave enough baseline,
	// the days of the lag before end with a baseline before them.
	contrasts(end int, out *[len(lags)]contrast, past []slots) int
	// compare does it for any two stretches of days.
	compare(baseline, window slots, past []slots) contrast
	// describe gives the event's value in two stretches of days, and how many
	// waits stand behind each.
	describe(baseline, current slots, past []slots) figures
	// confirms reports whether slower ends in the current days can't just come of
	// fewer claims than in the baseline.
	confirms(baseline, current slots, past []slots) bool
}

// slots are business days, from one to before another.
type slots struct{ from, to int }

// figures are an event's values in its two windows, and the waits behind each:
// those that ended in it or were open on its last day.
type figures struct {
	baseline, current   float64
	baselineN, currentN int64
}

const (
	fastBaselineDays = 130 // what hazards are taken from before a lag: 26 weeks,
	slowBaselineDays = 260 // and a year where ends are rare
	// leastEnds are the fewest ends of a baseline that lets a lag count, where
	// ends aren't rare.
	leastEnds = 10
)

// baselineLeft is how many days before a lag a stream that began at first must
// leave for its baseline.
func baselineLeft(first, end int) int {
	if end-first < coldStartDays {
		return coldBaselineDays
	}
	return minBaselineDays
}

// floor is where the history that a run may use begins: after the last day of
// the past incidents, if that lies before end. A change that began in one has
// been told.
func floor(past []slots) int {
	last := 0
	for _, s := range past {
		last = max(last, s.to)
	}
	return last
}

func inSlots(past []slots, slot int) bool {
	for _, s := range past {
		if slot >= s.from && slot < s.to {
			return true
		}
	}
	return false
}

// waiting is a stream of open waits and their ends.
type waiting struct {
	*inventory
	cal      *workdays
	bins     *ageBins
	baseline int // days a baseline has at most
	rhythms  []*rhythm
	pool     *pool // all payers together, where ends are rare
}

func newWaiting(v *inventory, cal *workdays, bins *ageBins, baseline int, pool *pool) *waiting {
	return &waiting{inventory: v, cal: cal, bins: bins, baseline: baseline, pool: pool, rhythms: make([]*rhythm, len(cal.days)/blockDays+1)}
}

func (w *waiting) firstSlot() int           { return w.first }
func (w *waiting) active(from, to int) bool { return w.busy[to] > w.busy[max(from, 0)] }
func (w *waiting) lastEnd(slot int) int     { return int(w.last[slot]) }

// rhythm as of the last block boundary at or before end: so it doesn't flicker
// from day to day, and a replay shares its cost.
func (w *waiting) rhythm(end int) *rhythm {
	block := end / blockDays
	if w.rhythms[block] == nil {
		last := block * blockDays
		r := w.learnRhythm(w.cal, max(last-historyDays, 0), last)
		w.rhythms[block] = &r
	}
	return w.rhythms[block]
}

// contrasts sums up the days from end backwards, once for all lags: a baseline is
// the difference of two such sums.
func (w *waiting) contrasts(end int, out *[len(lags)]contrast, past []slots) int {
	var windows, whole [len(lags)]exposure
	used := w.gather(end, &windows, &whole, past)
	r := w.rhythm(end)
	var pool *[len(lags)]hazards
	if w.pool != nil {
		pool = w.pool.at(end)
	}
	for i := range used {
		base := whole[i].minus(&windows[i])
		var h hazards
		switch {
		case pool != nil:
			h = base.hazards(&pool[i])
		case base.sum() < leastEnds:
			return i
		default:
			h = base.hazards(nil)
			h.withoutTail(w.bins)
		}
		out[i] = windows[i].against(&h)
		out[i].phi = r.phi(lags[i])
	}
	return used
}

// gather sums up the windows of the lags, and each window with its baseline.
func (w *waiting) gather(end int, windows, whole *[len(lags)]exposure, past []slots) (used int) {
	first, left, from := w.first, baselineLeft(w.first, end), floor(past)
	for used < len(lags) && end-lags[used]-first >= left && end-lags[used] >= from {
		used++
	}
	if used == 0 {
		return 0
	}
	r := w.rhythm(end)
	var sum exposure
	cut, start := 0, 0
	for t := end - 1; start < used; t-- {
		if k := r.factor(w.cal, t); k > 0 && !inSlots(past, t) {
			sum.add(w.row(t), k)
		}
		for cut < used && t == end-lags[cut] {
			windows[cut] = sum
			cut++
		}
		for start < used && t == max(end-lags[start]-w.baseline, first) {
			whole[start] = sum
			start++
		}
	}
	return used
}

// sum of some days but those of past incidents.
func (w *waiting) sum(s slots, r *rhythm, past []slots) (x exposure) {
	for t := max(s.from, 0); t < s.to; t++ {
		if k := r.factor(w.cal, t); k > 0 && !inSlots(past, t) {
			x.add(w.row(t), k)
		}
	}
	return x
}

func (w *waiting) compare(baseline, window slots, past []slots) contrast {
	r := w.rhythm(max(baseline.to, blockDays))
	h := w.hazardsOf(baseline, r, past)
	if w.pool == nil {
		h.withoutTail(w.bins)
	}
	x := w.sum(window, r, nil)
	c := x.against(&h)
	c.phi = r.phi(window.to - window.from)
	return c
}

func (w *waiting) hazardsOf(baseline slots, r *rhythm, past []slots) hazards {
	base := w.sum(baseline, r, past)
	if w.pool == nil {
		return base.hazards(nil)
	}
	prior := w.pool.over(baseline)
	return base.hazards(&prior)
}

// atRisk counts the waits that ended in some days or were open on the last of them.
func (w *waiting) atRisk(s slots) (n int64) {
	for t := max(s.from, 0); t < s.to; t++ {
		for _, c := range w.row(t) {
			n += int64(c.ends)
			if t == s.to-1 {
				n += int64(max(c.risk-c.ends, 0))
			}
		}
	}
	return n
}

// confirms is always true: few claims have few open waits, and little is expected.
func (w *waiting) confirms(_, _ slots, _ []slots) bool { return true }

var _ stream = (*waiting)(nil)
