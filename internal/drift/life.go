package drift

import (
	"slices"

	"upstream"
)

// fadeDays is how many calendar days an incident stays open without evidence.
const fadeDays = 60

// mergeDays is how far the change dates of one story may lie apart, in calendar
// days, beyond their intervals.
const mergeDays = 21

func isOpen(e *upstream.DriftEvent) bool {
	return e.Status == upstream.Open || e.Status == upstream.Acknowledged
}

// freezes reports whether the days of an incident are no baseline. A watch is
// too weak for that, an improvement is welcome in it, and noise was no change.
func freezes(e *upstream.DriftEvent) bool {
	return e.Tier == upstream.Alert && e.Direction == upstream.Worse && e.Status != upstream.Noise
}

// advance brings the open incidents up to a day and adds what the day's run
// found at other nodes. An alert is tracked against its frozen baseline; a watch
// or an improvement lives as long as runs find it again.
func advance(known, found []upstream.DriftEvent, asOf upstream.Day, track func(*upstream.DriftEvent) standing) []upstream.DriftEvent {
	var out []upstream.DriftEvent
	for _, e := range known {
		if !isOpen(&e) { // merged by this run
			out = append(out, e)
			continue
		}
		stands := absent
		i := slices.IndexFunc(found, func(n upstream.DriftEvent) bool { return n.Concerns(&e) })
		switch {
		case i >= 0:
			retell(&e, &found[i])
			found = slices.Delete(slices.Clone(found), i, i+1)
			stands = present
		case freezes(&e):
			stands = track(&e)
		}
		switch {
		case stands == present:
			e.EvidentAt = asOf
		case stands == over:
			resolve(&e, asOf, upstream.ResolvedBack)
		case asOf-e.EvidentAt >= fadeDays:
			resolve(&e, asOf, upstream.ResolvedFaded)
		}
		out = append(out, e)
	}
	for _, e := range found {
		e.EvidentAt = asOf
		out = append(out, e)
	}
	return out
}

func resolve(e *upstream.DriftEvent, asOf upstream.Day, how string) {
	e.Status, e.ResolvedAt, e.Resolution = upstream.Resolved, asOf, how
}

// retell replaces the evidence of a known event by that of a run that found it
// again. What people did with it stays, and it can't become known later.
func retell(e, again *upstream.DriftEvent) {
	kept := *e
	*e = *again
	e.ID, e.Status, e.CreatedAt, e.ReportRun, e.Owner, e.Note = kept.ID, kept.Status, kept.CreatedAt, kept.ReportRun, kept.Owner, kept.Note
	e.KnownAt = min(e.KnownAt, kept.KnownAt)
	if kept.Tier == upstream.Alert {
		e.Tier = upstream.Alert
	}
	if e.ChangeDate > e.KnownAt { // the old change, seen from too far away
		e.ChangeDate, e.ChangeDateLow, e.ChangeDateHigh = kept.ChangeDate, kept.ChangeDateLow, kept.ChangeDateHigh
	}
}

// openKnown are copies of the incidents of one signal that are open.
func openKnown(known []upstream.DriftEvent, is func(*upstream.DriftEvent) bool) []upstream.DriftEvent {
	var out []upstream.DriftEvent
	for _, e := range known {
		if isOpen(&e) && is(&e) {
			out = append(out, e)
		}
	}
	return out
}

// absorb joins what a run found at a payer, or at all payers, to the open
// incidents below it that tell of the same days, and to that of the node itself.
// One lives on at the higher level, the others end as merged into it: the oldest
// alert, which has been told already, or the oldest where there is none.
func absorb(known, found []upstream.DriftEvent, asOf upstream.Day) (still, rest []upstream.DriftEvent) {
	for _, n := range found {
		heir, joined := -1, []int{}
		for i := range known {
			e := &known[i]
			weaker := e.Tier == upstream.Alert && n.Tier != upstream.Alert
			under := n.Level != upstream.GroupLevel && !weaker && below(e, &n) && sameDays(e, &n)
			if !isOpen(e) || !under && !e.Concerns(&n) {
				continue
			}
			if heir < 0 || e.Tier == upstream.Alert && known[heir].Tier != upstream.Alert {
				heir = i
			}
			joined = append(joined, i)
		}
		for _, i := range joined {
			if i != heir {
				resolve(&known[i], asOf, upstream.ResolvedMerged)
			}
		}
		if heir >= 0 && !known[heir].Concerns(&n) {
			raise(&known[heir], &n, asOf)
			continue
		}
		rest = append(rest, n) // to be told as new, or by advance as what it is
	}
	return known, rest
}

// below reports whether an incident's node is part of a payer's or the market's.
func below(e, whole *upstream.DriftEvent) bool {
	if e.Direction != whole.Direction || e.Signal != whole.Signal || e.Clock != whole.Clock {
		return false
	}
	if whole.Level == upstream.MarketLevel {
		return e.Level != upstream.MarketLevel
	}
	return e.Level == upstream.GroupLevel && name(e.Payer) == name(whole.Payer)
}

func sameDays(a, b *upstream.DriftEvent) bool {
	return a.ChangeDateLow-mergeDays <= b.ChangeDateHigh && b.ChangeDateLow-mergeDays <= a.ChangeDateHigh
}

// raise gives an incident the higher level at which a run now tells it.
func raise(e, whole *upstream.DriftEvent, asOf upstream.Day) {
	change, low, high := e.ChangeDate, e.ChangeDateLow, e.ChangeDateHigh
	retell(e, whole)
	e.EvidentAt = asOf
	if e.ChangeDate > change {
		e.ChangeDate, e.ChangeDateLow, e.ChangeDateHigh = change, low, high
	}
}
