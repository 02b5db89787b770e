package drift

import (
	"cmp"
	"math"
	"slices"

	"upstream"
)

// timing watches how fast payers decide or pay (a slow-down), how often denials
// are overturned (less often is worse) or payments taken back (more often is).
//
// Slow-downs show in what is still open, so nothing waits for the late claims.
// On every business day so many of the open waits are expected to end as by age
// and weekday ended in the baseline; what ended is weighed against that by a
// Shiryaev–Roberts statistic over the lags and hazard ratios (the log-rank CUSUM
// of Biswas and Kalbfleisch 2008 is its relative). Each lag has its own baseline,
// which ends where the lag begins: a change is never part of what it is compared
// with, and little history is used as well as it can be.
type timing struct {
	data   *upstream.Waits
	clock  upstream.Clock
	cal    workdays
	all    activity
	payers []timedPayer
}

type timedPayer struct {
	waits *upstream.PayerWaits
	stream
}

var _ signal = (*timing)(nil)

// lateFiles is for how many business days a payer's silence may just mean that
// its remittance isn't in yet.
const lateFiles = 3

// newTiming counts the waits of one clock by day and age, once for any number of
// scans; they must not change afterwards.
func newTiming(w *upstream.Waits, clock upstream.Clock) *timing {
	s := &timing{data: w, clock: clock, cal: newWorkdays(w.From, w.To)}
	s.all = newActivity(s.daily())
	b := newInventoryBuilder(&s.cal, s.bins(), s.all.hush, s.isFast())
	var inventories []*inventory
	for i := range w.Payers {
		p := &w.Payers[i]
		if p.Clock != clock {
			continue
		}
		s.payers = append(s.payers, timedPayer{waits: p})
		if s.isBlind(p) {
			s.payers[len(s.payers)-1].stream = newDecided(p, &s.cal)
			continue
		}
		inventories = append(inventories, b.build(p))
	}
	var all *pool
	baseline := fastBaselineDays
	if !s.isFast() {
		all, baseline = newPool(inventories, len(s.cal.days), len(b.bins.from)), slowBaselineDays
	}
	for i := range s.payers {
		if s.payers[i].stream == nil {
			s.payers[i].stream = newWaiting(inventories[0], &s.cal, &b.bins, baseline, all)
			inventories = inventories[1:]
		}
	}
	return s
}

// isFast reports whether most waits of the clock end.
func (s *timing) isFast() bool {
	return s.clock == upstream.DecisionClock || s.clock == upstream.PaymentClock
}

// isBlind reports whether open waits of a payer aren't known.
func (s *timing) isBlind(p *upstream.PayerWaits) bool {
	return s.clock == upstream.DecisionClock && !p.Undecided
}

func (s *timing) bins() ageBins {
	switch s.clock {
	case upstream.OverturnClock:
		return overturnBins
	case upstream.TakebackClock:
		return takebackBins
	}
	return fastBins
}

func (s *timing) worse() thetas {
	if s.clock == upstream.TakebackClock {
		return more
	}
	return slower
}

func (s *timing) signal() upstream.Signal {
	switch s.clock {
	case upstream.OverturnClock:
		return upstream.Overturn
	case upstream.TakebackClock:
		return upstream.Takeback
	}
	return upstream.DecisionTime
}

// daily are the ends at all payers by business day: the pulse of the data. Where
// ends are rare decisions tell it as well.
func (s *timing) daily() []float64 {
	out := make([]float64, len(s.cal.days))
	for i := range s.data.Payers {
		p := &s.data.Payers[i]
		if p.Clock != s.clock && (s.isFast() || p.Clock != upstream.DecisionClock) {
			continue
		}
		for _, w := range p.Ended {
			if t := s.cal.ended(w); w.Count > 0 && t >= 0 {
				out[t] += float64(w.Count)
			}
		}
	}
	return out
}

// node names an event's node.
func (s *timing) node(p int) upstream.DriftEvent {
	e := upstream.DriftEvent{
		Signal: s.signal(), Level: upstream.PayerLevel, Payer: new(s.payers[p].waits.Payer),
		Status: upstream.Open, Direction: upstream.Worse,
		RootCauses: []upstream.RootCause{}, SampleClaimIDs: []string{},
	}
	if e.Signal == upstream.DecisionTime {
		e.Clock = s.clock
	}
	return e
}

// past are the slots of a node's incidents.
func (s *timing) past(h history, e *upstream.DriftEvent, asOf upstream.Day) []slots {
	var out []slots
	for _, d := range h.spans(e, asOf) {
		from, _ := slices.BinarySearch(s.cal.days, d.first)
		out = append(out, slots{from, s.cal.through(d.last)})
	}
	return out
}

// end of what an evaluation at the end of a slot looks at at one payer: the data
// may have stopped before, and the last remittance may not be in yet.
func (s *timing) end(p *timedPayer, end int) int {
	end = min(end, int(s.all.last[end])+1)
	if own := p.lastEnd(end); s.isFast() && own >= 0 && end-own-1 <= lateFiles {
		return own + 1
	}
	return end
}

// reading is one evaluation of a node.
type reading struct {
	scan
	end  int
	tier upstream.Tier
}

// read evaluates a node at the end of a slot.
func (s *timing) read(p *timedPayer, slot int, past []slots, arl, watch float64) (r reading) {
	r.end = s.end(p, slot)
	if r.end-p.firstSlot() < firstAlarmDays {
		return r
	}
	var c [len(lags)]contrast
	used := p.contrasts(r.end, &c, past)
	if used == 0 {
		return r
	}
	r.scan = weighContrasts(c[:used], s.worse())
	switch {
	case r.lnR >= math.Log(arl):
		r.tier = upstream.Alert
	case r.lnR >= math.Log(watch):
		r.tier = upstream.Watch
	}
	return r
}

// scan implements signal. The budget is split evenly over the payers with
// anything in the history.
func (s *timing) scan(asOf upstream.Day, h history, budget float64) []upstream.DriftEvent {
	end := s.cal.through(asOf)
	payers := 0.0
	for i := range s.payers {
		if s.payers[i].active(end-historyDays, end) {
			payers++
		}
	}
	if end < firstAlarmDays || payers == 0 || !(budget > 0) {
		return nil
	}
	var events []upstream.DriftEvent
	for i := range s.payers {
		e := s.node(i)
		if !s.payers[i].active(end-historyDays, end) || h.open(&e) {
			continue
		}
		past, quieted := s.past(h, &e, asOf), h.quieted(&e)
		arl := max(businessDaysPerMonth*payers/budget, minARL) * quieted
		told := func(slot int) (r reading, ok bool) {
			r = s.read(&s.payers[i], slot, past, arl, watchARL*quieted)
			return r, r.tier != "" && s.standsOut(i, &r, slot) && s.confirmed(i, &r, past)
		}
		r, ok := told(end)
		if !ok {
			continue
		}
		if quieted > 1 {
			e.Quieted = quieted
		}
		e.Confidence = posterior(r.lnR, min(budget/DefaultBudget, 1)/payers)
		s.tell(&e, i, &r, past, func(slot int) bool {
			then, ok := told(slot)
			return ok && (then.tier == upstream.Alert || r.tier == upstream.Watch)
		})
		e.EvidentAt = s.cal.days[end-1]
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b upstream.DriftEvent) int {
		return cmp.Or(cmp.Compare(b.LnEvidence, a.LnEvidence), cmp.Compare(name(a.Payer), name(b.Payer)))
	})
	return events
}

// timingGate is the z by which a payer's pace must differ from the others'.
const timingGate = 2.5

// standsOut is the gate: ln(O/E) over the payer's lag, less the median of the
// other payers, over the standard error of both. What all payers do at once,
// around Christmas or when the practice's files come late, stands out nowhere.
func (s *timing) standsOut(i int, r *reading, end int) bool {
	var c [len(lags)]contrast
	if s.payers[i].contrasts(r.end, &c, nil) <= r.best {
		return true
	}
	own := c[r.best]
	var others []float64
	for q := range s.payers {
		p := &s.payers[q]
		if q != i && p.contrasts(s.end(p, end), &c, nil) > r.best && c[r.best].expected > 0 {
			others = append(others, math.Log(c[r.best].ratio()))
		}
	}
	middle, off := 0.0, 0.0
	if len(others) >= gatePayers {
		middle, off = consensus(others)
	}
	apart := math.Log(own.ratio()) - middle
	if s.clock != upstream.TakebackClock {
		apart = -apart
	}
	return apart >= timingGate*math.Sqrt(own.lnVariance()+off*off)
}

// confirmed is stream.confirms for the windows of a reading.
func (s *timing) confirmed(i int, r *reading, past []slots) bool {
	p, cut := &s.payers[i], r.end-r.lag()
	return p.confirms(slots{s.baselineFrom(p, cut), cut}, slots{cut, r.end}, past)
}

// tell completes an event; holds repeats its test at the end of an earlier slot.
func (s *timing) tell(e *upstream.DriftEvent, p int, r *reading, past []slots, holds func(int) bool) {
	days, cut := s.cal.days, r.end-r.lag()
	youngest, oldest := r.interval(intervalMass)
	e.Tier, e.LnEvidence = r.tier, r.lnR
	e.ChangeDate, e.ChangeDateLow, e.ChangeDateHigh = days[cut], days[r.end-oldest], days[r.end-youngest]
	slot := max(cut+1, firstAlarmDays)
	for slot < r.end && !holds(slot) {
		slot++
	}
	e.KnownAt = days[slot-1]
	s.fill(e, &s.payers[p], slots{s.baselineFrom(&s.payers[p], cut), cut}, slots{cut, r.end}, past)
}

// baselineFrom is where the baseline of a change at a slot begins.
func (s *timing) baselineFrom(p *timedPayer, cut int) int {
	days := fastBaselineDays
	if !s.isFast() {
		days = slowBaselineDays
	}
	return max(cut-days, p.firstSlot(), 0)
}

// fill sets the windows of an event and their figures.
func (s *timing) fill(e *upstream.DriftEvent, p *timedPayer, baseline, current slots, past []slots) {
	f := p.describe(baseline, current, past)
	e.BaselineValue, e.CurrentValue, e.DeltaValue = f.baseline, f.current, f.current-f.baseline
	e.BaselineN, e.CurrentN = f.baselineN, f.currentN
	e.BaselineFirst, e.BaselineLast = s.cal.opens(baseline.from), s.cal.days[baseline.to-1]
	e.CurrentFirst, e.CurrentLast = s.cal.opens(current.from), s.cal.days[current.to-1]
	e.EvidenceClaims = s.evidence(e, p.waits)
}

// evidence counts the claims that prove an event, in its current days: taken
// back; denials that still stand on the last day; decided or paid late, or open so
// long then, see upstream.LateClaim. Forgotten claims are left out.
func (s *timing) evidence(e *upstream.DriftEvent, p *upstream.PayerWaits) (n int64) {
	first, last := int64(e.CurrentFirst-s.data.From), int64(e.CurrentLast-s.data.From)
	late := int64(math.Floor(2 * e.BaselineValue))
	switch s.clock {
	case upstream.OverturnClock:
		return openSince(p, first, last+1, last)
	case upstream.TakebackClock:
		late = -1
	default:
		if !s.isBlind(p) {
			n = openSince(p, last-upstream.ForgottenDays, last-late, last)
		}
	}
	for _, w := range p.Ended {
		lag := int64(max(w.Lag, 0))
		if end := int64(w.Start) + lag; w.Count > 0 && w.Start >= 0 && end >= first && end <= last && lag > late {
			n += int64(w.Count)
		}
	}
	return n
}

// openSince counts the waits that began from one day to before another and were
// open at the end of a day, all counted from Waits.From.
func openSince(p *upstream.PayerWaits, from, before, day int64) (n int64) {
	from, before = max(from, 0), min(before, int64(len(p.Started)))
	for start := from; start < before; start++ {
		n += int64(max(p.Started[start], 0))
	}
	for _, w := range p.Ended {
		if start := int64(w.Start); w.Count > 0 && start >= from && start < before && start+int64(max(w.Lag, 0)) <= day {
			n -= int64(w.Count)
		}
	}
	return max(n, 0)
}
