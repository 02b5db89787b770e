package drift

import "math"

// historyBlocks is the history in blocks.
const historyBlocks = historyDays / blockDays

// era is what the customer's history as of one block boundary says about
// clustering and volumes; it serves all evaluations up to the next boundary.
// So estimates don't flicker from day to day, and a replay shares their cost.
type era struct {
	start, end   int       // business days of whole blocks it was learned from
	icc          []float64 // by payer, within groups; 0: not yet estimated
	dispersion   []float64 // by payer, all groups together; 0: not yet estimated
	group        []float64 // share of the false-alarm budget, adding up to groupBudget
	payer        []float64 // the same, with market adding up to payerBudget
	market       float64
	marketSpread float64  // dispersion of all payers together; 0: not yet estimated
	pooled       []series // effective counts of whole payers; nil: not yet computed
}

// frame is the evaluation at the end of a business day.
func frameAt(end int) frame {
	f := frame{max(0, end-historyDays), end, minBaselineDays}
	if end < coldStartDays {
		f.baseline = coldBaselineDays
	}
	return f
}

// era returns the estimates that an evaluation at business day end uses; end is
// at least one block.
func (d *Detector) era(end int) *era {
	k := end / blockDays
	if d.eras[k] != nil {
		return d.eras[k]
	}
	e := &era{
		start:      max(0, k-historyBlocks) * blockDays,
		end:        k * blockDays,
		icc:        make([]float64, len(d.payers)),
		dispersion: make([]float64, len(d.payers)),
		group:      make([]float64, len(d.groups)),
		payer:      make([]float64, len(d.payers)),
	}
	d.share(e)
	d.eras[k] = e
	return e
}

// share splits the budget: over groups by the root of their volume, since the
// larger ones have more to lose and need less evidence lost on them, and over
// payers evenly.
func (d *Detector) share(e *era) {
	roots, payers := 0.0, 0.0
	for g := range d.groups {
		e.group[g] = math.Sqrt(d.groups[g].counts.between(e.start, e.end).n)
		roots += e.group[g]
	}
	for p := range d.payers {
		if d.payers[p].counts.between(e.start, e.end).n > 0 {
			e.payer[p] = 1
			payers++
		}
	}
	if payers == 0 {
		return
	}
	for g := range e.group {
		e.group[g] *= groupBudget / roots
	}
	e.market = payerBudget / (payers + 1)
	for p := range e.payer {
		e.payer[p] *= e.market
	}
}

// clustering is the intraclass correlation within a payer's groups.
func (d *Detector) clustering(e *era, p int) float64 {
	if e.icc[p] == 0 {
		var m moments
		for block := e.start / blockDays; block < e.end/blockDays; block++ {
			m = m.plus(d.payerMoments(p, block))
		}
		e.icc[p] = math.Max(m.icc(), minICC)
	}
	return e.icc[p]
}

// payerMoments are those of one block, over all groups of the payer. They are
// kept: thirteen eras share every block.
func (d *Detector) payerMoments(p, block int) moments {
	at := &d.moments[p][block]
	if !at.known {
		for _, counts := range d.payers[p].members {
			at.moments = at.plus(blockMoments(counts, block))
		}
		at.known = true
	}
	return at.moments
}

// spread is the dispersion of a payer's days, from the first half of the
// history: the second half is where a change would be.
func (d *Detector) spread(e *era, p int) float64 {
	if e.dispersion[p] == 0 {
		half := max((e.end-e.start)/2, min(blockDays, e.end-e.start))
		e.dispersion[p] = dispersion(d.payers[p].members, e.start, e.start+half)
	}
	return e.dispersion[p]
}

// pooled are the effective counts of all payers, each as one stream.
func (d *Detector) pooled(e *era) []series {
	if e.pooled == nil {
		e.pooled = make([]series, len(d.payers))
		for p := range e.pooled {
			counts := d.payers[p].counts
			var m moments
			for block := e.start / blockDays; block < e.end/blockDays; block++ {
				m = m.plus(blockMoments(counts, block))
			}
			from, to := d.reach(e)
			e.pooled[p] = weigh(make([]tally, to-from+1), counts, math.Max(m.icc(), minPooledICC), from, to)
		}
	}
	return e.pooled
}

// reach is the stretch of business days that evaluations of an era read.
func (d *Detector) reach(e *era) (from, to int) {
	return max(0, e.end-historyDays), min(len(d.days), e.end+blockDays-1)
}

// effective are the effective counts of one group.
func (d *Detector) effective(e *era, g int, buf []tally) series {
	from, to := d.reach(e)
	return weigh(buf, d.groups[g].counts, d.clustering(e, d.groups[g].payer), from, to)
}

// current are the effective counts of all groups. Only those of one era are
// kept, in one piece of memory: a replay moves on and never comes back.
func (d *Detector) current(e *era) []series {
	if d.cachedFor == e {
		return d.cached
	}
	const width = historyDays + blockDays
	if d.cached == nil {
		d.cached = make([]series, len(d.groups))
		d.buffer = make([]tally, len(d.groups)*width)
	}
	for g := range d.groups {
		d.cached[g] = d.effective(e, g, d.buffer[g*width:(g+1)*width])
	}
	d.cachedFor = e
	return d.cached
}
