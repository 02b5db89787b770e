package drift

import (
	"slices"

	"upstream"
)

// signal is one kind of change, watched at its own nodes.
type signal interface {
	// scan returns an event for every node that is over a threshold as of the
	// end of a day, dearest or strongest first: complete but for its id, with a
	// tier, open. budget is what its alerts may cost together, in false alarms a
	// customer-month. Nothing that ended or was decided later may show in it.
	scan(asOf upstream.Day, h history, budget float64) []upstream.DriftEvent
	// track brings the figures of an open event up to asOf, against the baseline
	// frozen before its change date, and tells how the event stands. The change
	// date, its interval and KnownAt stay as they are.
	track(e *upstream.DriftEvent, asOf upstream.Day) standing
	// notes tell a person what the signal can't see as of a day, and why.
	notes(asOf upstream.Day) []string
}

// standing is how an open event stands on a later day.
type standing uint8

const (
	present standing = iota // the last days still show the change
	absent                  // they show it no longer, or too few claims to tell
	over                    // the mirror is over the node's threshold: it is back at its baseline
)

// span are calendar days, first and last inclusive.
type span struct{ first, last upstream.Day }

// history is what earlier runs told, as far as a run must know of it.
type history struct{ known []upstream.DriftEvent }

// spans are the days that are no baseline for a node. Those of its incidents are
// none, from the change on: a baseline would absorb it. Where a person has called
// an incident resolved or noise, the level it came to is normal, and the days
// until the change was over for sure are none. An open incident has no last day yet: asOf stands
// for it. node names signal, clock, payer and group; the direction doesn't matter.
// The spans are sorted by their first day.
func (h history) spans(node *upstream.DriftEvent, asOf upstream.Day) []span {
	var out []span
	for i := range h.known {
		e := &h.known[i]
		if !sameNode(e, node) {
			continue
		}
		if s, ok := leftOut(e, asOf); ok {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b span) int { return int(a.first - b.first) })
	return out
}

// leftOut are the days of one incident that are no baseline.
func leftOut(e *upstream.DriftEvent, asOf upstream.Day) (s span, ok bool) {
	switch {
	case accepted(e):
		s = span{1, e.ChangeDateHigh}
	case !freezes(e):
		return s, false
	case isOpen(e):
		s = span{e.ChangeDate, asOf}
	default:
		s = span{e.ChangeDate, min(e.ResolvedAt, asOf)}
	}
	return s, s.first <= s.last
}

// accepted reports whether a person has said that the level an incident came to
// is normal.
func accepted(e *upstream.DriftEvent) bool {
	return e.Status == upstream.Noise || e.Status == upstream.Resolved && e.Resolution == upstream.ResolvedPerson
}

// quieted is the factor by which noise verdicts at a node have raised its average
// run length: 2 for each, 1 without any. No other node is touched.
func (h history) quieted(node *upstream.DriftEvent) float64 {
	factor := 1.0
	for i := range h.known {
		if e := &h.known[i]; e.Status == upstream.Noise && sameNode(e, node) {
			factor *= 2
		}
	}
	return factor
}

// open reports whether an incident that freezes the baseline is open at a node.
func (h history) open(node *upstream.DriftEvent) bool {
	return slices.ContainsFunc(h.known, func(e upstream.DriftEvent) bool {
		return isOpen(&e) && freezes(&e) && sameNode(&e, node)
	})
}

func sameNode(a, b *upstream.DriftEvent) bool {
	return a.Signal == b.Signal && a.Clock == b.Clock && name(a.Payer) == name(b.Payer) && name(a.CPTGroup) == name(b.CPTGroup)
}
