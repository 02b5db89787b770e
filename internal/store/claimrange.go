package store

import (
	"cmp"
	"math"
)

// ranges writes the conditions that the index fulfils: from where to where the walk
// goes, as ranges that are walked side by side. Of two bounds on one side only the
// tighter one is written, as SQLite begins at any one of them and passes over the rest.
func (w *claimWalk) ranges(s step, p *params) []string {
	_, sign := w.order.direction(w.back)
	low, high, above, below := s.after, s.until, " > ", " <= "
	if sign == " < " {
		low, high, above, below = s.until, s.after, " >= ", " < "
	}
	switch {
	case w.order.column == "id":
		return []string{w.idLimits(low, high, above, below, p)}
	case w.order.column == "claim_id":
		return []string{w.searchLimits(low, high, above, below, p)}
	case s.part == pendingPart:
		return []string{" AND decided_date IS NULL" + w.idLimits(low, high, above, below, p)}
	}
	d := w.c.submitted
	if w.order.column == "decided_date" {
		d = w.c.decided
	}
	return w.dayRanges(d, low, high, above, below, p)
}

// dayRanges makes the day of a place a range of its own, because SQLite can't begin
// in the middle of a day otherwise. A place may be of a list with other days: the
// range of a day outside of these isn't walked.
func (w *claimWalk) dayRanges(d days, low, high *place, above, below string, p *params) (all []string) {
	column := " AND " + w.order.column
	if low != nil && low.Value < d.first {
		low = nil
	}
	if high != nil && d.last != 0 && high.Value > d.last {
		high = nil
	}
	if low != nil && high != nil && low.Value == high.Value {
		return []string{column + " = " + p.add(low.Value) + w.idLimits(low, high, above, below, p)}
	}
	if w.t.s.Engine() == "postgres" {
		return []string{w.rowRange(d, low, high, above, below, p)}
	}
	// Without a first day SQLite would go through all pending claims.
	between, first := " >= ", cmp.Or(d.first, math.MinInt32)
	if low != nil {
		if d.last == 0 || low.Value <= d.last {
			all = append(all, column+" = "+p.add(low.Value)+" AND id"+above+p.add(storedID(w.t.id, low.ID)))
		}
		between, first = " > ", low.Value
	}
	rest := column + between + p.add(first)
	switch {
	case high != nil:
		if high.Value >= d.first {
			all = append(all, column+" = "+p.add(high.Value)+" AND id"+below+p.add(storedID(w.t.id, high.ID)))
		}
		rest += column + " < " + p.add(high.Value)
	case d.last != 0:
		rest += column + " <= " + p.add(d.last)
	}
	return append(all, rest)
}

// rowRange does it with comparisons of rows: PostgreSQL begins there, but would sort
// what several ranges hold.
func (w *claimWalk) rowRange(d days, low, high *place, above, below string, p *params) string {
	at := func(k *place, sign string) string {
		return " AND (" + w.order.column + ", id)" + sign + "(" + p.add(k.Value) + ", " + p.add(storedID(w.t.id, k.ID)) + ")"
	}
	text, open := "", days{cmp.Or(d.first, math.MinInt32), d.last}
	if low != nil {
		text, open.first = at(low, above), 0
	}
	if high != nil {
		text, open.last = text+at(high, below), 0
	}
	return text + open.within(w.order.column, p)
}

func (w *claimWalk) idLimits(low, high *place, above, below string, p *params) string {
	first, last := storedID(w.t.id, 0), storedID(w.t.id+1, 0)
	if low != nil {
		first = storedID(w.t.id, low.ID)
	}
	if high != nil {
		last = storedID(w.t.id, high.ID)
	}
	return " AND id" + above + p.add(first) + " AND id" + below + p.add(last)
}

func (w *claimWalk) searchLimits(low, high *place, above, below string, p *params) (text string) {
	const last = "\U0010FFFF" // comes after all that a claim id may go on with
	key := func(at *place, sign string) string {
		return " AND (claim_id, line)" + sign + "(" + p.add(at.claimID) + ", " + p.add(at.line) + ")"
	}
	switch {
	case low != nil && low.claimID >= w.c.search:
		text = key(low, above)
	case w.c.search != "":
		text = " AND claim_id >= " + p.add(w.c.search)
	}
	switch {
	case high != nil && (w.c.search == "" || high.claimID < w.c.search+last):
		text += key(high, below)
	case w.c.search != "":
		text += " AND claim_id < " + p.add(w.c.search+last)
	}
	return text
}
