package synth

import (
	"math"

	"upstream"
)

// States appends the states of claim i that a practice's files would have told
// by the as-of date, in their order: the first decision, its reversal, the
// correction; each is the claim as it stood after that decision. The last one
// is what Claim says; a claim that is still pending has no other.
func (g *Generator) States(i int64, states []upstream.Claim) []upstream.Claim {
	from := len(states)
	var c upstream.Claim
	g.make(i, &c, &states)
	states = append(states, c)
	for k := range states[from:] {
		s := &states[from+k]
		s.ClaimID, s.PayerControlNumber = c.ClaimID, c.PayerControlNumber
	}
	return states
}

// fixed is a probability in units of 1/scale.
func fixed(p float64) int64 { return int64(math.Round(p * scale)) }

var (
	overturnChance = fixed(overturnShare)
	reversalChance = fixed(reversalShare)
	restoreChance  = fixed(restoredShare)
)

// overturn pays a denial after all, if the payer does so by the as-of date.
func (g *Generator) overturn(c *upstream.Claim, l *line, d *draws, denied int32, past *[]upstream.Claim) {
	limit := overturnChance
	for k := range l.node.overturns {
		limit += times(limit, l.node.overturns[k].on(denied, l.location))
		limit = min(limit, highestChance)
	}
	if int64(d.overturned) >= limit {
		return
	}
	day, ok := l.payer.remittanceFrom(denied + int32(at(g.overturnLag, d.overturnLag)))
	if !ok {
		return
	}
	g.move(c, upstream.Paid, day, past)
	c.RARC = ""
	c.RepaidDate = c.DecidedDate
	g.pay(c, l, d, day)
}

// takeBack reverses a payment, and restores it where the reversal only made way
// for a correction, as far as that happens by the as-of date. A wave takes back
// for good what has not been reversed before it.
func (g *Generator) takeBack(c *upstream.Claim, l *line, d *draws, paid int32, past *[]upstream.Claim) {
	day, reversed := int32(0), false
	restored := int64(d.restored) < restoreChance
	if int64(d.reversed) < reversalChance {
		day, reversed = l.payer.remittanceFrom(paid + int32(at(g.reversalLag, d.reversalLag)))
	}
	for k := range l.node.waves {
		if w, hit := l.node.waves[k].takes(l, d, paid); hit && (!reversed || w < day) {
			day, reversed, restored = w, true, false
		}
	}
	if !reversed {
		return
	}
	allowed, payment, carc := c.Allowed, c.Paid, c.CARC
	g.move(c, upstream.Reversed, day, past)
	c.Allowed, c.Paid, c.CARC = 0, 0, ""
	c.ReversedDate = c.DecidedDate
	if !restored {
		return
	}
	if day, restored = l.payer.remittanceFrom(day + g.restoreLag.pick(d.restoreLag)); !restored {
		return
	}
	g.move(c, upstream.Paid, day, past)
	c.Allowed, c.Paid, c.CARC = allowed, payment, carc
	c.RepaidDate = c.DecidedDate
}

// move notes the state that c leaves and dates the one it enters.
func (g *Generator) move(c *upstream.Claim, to upstream.Outcome, day int32, past *[]upstream.Claim) {
	if past != nil {
		*past = append(*past, *c)
	}
	c.Outcome = to
	c.DecidedDate = g.first + upstream.Day(day)
	c.PaymentDate = c.DecidedDate
}

// takes tells whether a wave takes a payment of that day back by the as-of
// date, and in which remittance. The wave is spread evenly over its days.
func (e *effect) takes(l *line, d *draws, paid int32) (day int32, hit bool) {
	if paid >= e.first || paid < e.first-waveReach || e.location >= 0 && l.location != e.location || int64(d.wave) >= e.full {
		return 0, false
	}
	days := uint64(e.last - e.first + 1)
	day, hit = l.payer.remittanceFrom(e.first + int32(uint64(d.waveDay)*days>>32))
	if hit && day > e.last { // past its last remittance day: in its first one
		day, hit = l.payer.remittanceFrom(e.first)
	}
	return day, hit
}
