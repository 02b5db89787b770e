package drift

import "upstream"

// slowFlow is the z below which a payer's denials flow as before.
const slowFlow = 2

// merelySlow reports whether a rise of the denial rate comes from payments that
// slowed down while the denials kept their time: the decided-date share rises,
// and no more is denied. A slow-down must be told at the payer, and the denials
// in the days of the rise must be what the open claims let expect.
func (r *run) merelySlow(e *upstream.DriftEvent, others []upstream.DriftEvent) bool {
	if e.Payer == nil || e.Direction == upstream.Better {
		return false
	}
	for i := range others {
		o := &others[i]
		slow := isOpen(o) && o.Signal == upstream.DecisionTime && o.Clock == upstream.DecisionClock && name(o.Payer) == *e.Payer
		if slow && sameDays(e, o) {
			if e.CPTGroup != nil && r.apart(e) {
				return false
			}
			z, ok := r.flow(*e.Payer, e.BaselineFirst, min(e.ChangeDate, o.ChangeDate), e.CurrentLast)
			return ok && z < slowFlow
		}
	}
	return false
}

// apart reports whether a group's rise is its own, and not its payer's.
func (r *run) apart(e *upstream.DriftEvent) bool {
	p := r.payerIndex(name(e.Payer))
	g := r.groupIndex(p, name(e.CPTGroup))
	return r.standsApart(p, g, r.f.end-r.dayIndex(e.ChangeDate), r.groupShare(g))
}

// flow is the z of a payer's denials from one day through another against what
// its open claims let expect.
func (r *run) flow(payer string, baselineFirst, first, last upstream.Day) (z float64, ok bool) {
	for i := range r.waits.Payers {
		w := &r.waits.Payers[i]
		if w.Payer != payer || w.Clock != upstream.DecisionClock {
			continue
		}
		e := denialFlow(w, r.waits.From, baselineFirst, first, last)
		return e.z(), e.variance > 0
	}
	return 0, false
}
