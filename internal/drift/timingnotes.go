package drift

import (
	"fmt"
	"strings"

	"upstream"
)

// notes implements signal.
func (s *timing) notes(asOf upstream.Day) []string {
	end := s.cal.through(asOf)
	if end == 0 {
		return nil
	}
	var out []string
	if blind := s.blind(end); len(blind) > 0 {
		out = append(out, possessive(blind)+" data hold no undecided claims: a slow-down of decisions there shows only once the late claims are decided, and claims that are overdue can't be counted.")
	}
	last := int(s.all.last[end])
	silent := end - last - 1
	if s.isFast() && last >= 0 && s.waiting(last+1) && (s.all.stopped(last+1, silent) || silent >= 2*hushedDays) {
		done := "decided"
		if s.clock == upstream.PaymentClock {
			done = "paid"
		}
		out = append(out, fmt.Sprintf("Nothing was %s by any payer after %s, though claims are open: the data seem to have stopped. How long claims wait is judged as of that day.", done, s.cal.days[last]))
	}
	return out
}

// blind are the payers whose open waits aren't known.
func (s *timing) blind(end int) (names []string) {
	for i := range s.payers {
		if p := &s.payers[i]; s.isBlind(p.waits) && p.active(0, end) {
			names = append(names, p.waits.Payer)
		}
	}
	return names
}

// waiting reports whether claims are open on a slot.
func (s *timing) waiting(slot int) bool {
	for i := range s.payers {
		if s.payers[i].active(slot, min(slot+1, len(s.cal.days))) {
			return true
		}
	}
	return false
}

// possessive joins names: "Aetna's and Cigna's".
func possessive(names []string) string {
	const shown = 5
	var b strings.Builder
	for i, n := range names {
		switch {
		case i == shown:
			fmt.Fprintf(&b, " and %d more payers'", len(names)-shown)
			return b.String()
		case i > 0 && i == len(names)-1:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(n)
		b.WriteString("'s")
	}
	return b.String()
}
