package synth

import (
	"slices"

	"upstream"
)

// draws are the random numbers of one claim. Every claim takes all of them, used
// or not, so that a drift changes only the claims it touches; a further number
// goes to the end.
type draws struct {
	payer, procedure   uint32
	location, service  uint32
	lag, slow          uint32
	denied, reason     uint32
	remarked, remark   uint32
	contract, cut      uint32
	odd, received      uint32
	share, shareAmount uint32
	units, modifiers   uint32
	place, january     uint32
	control            uint64

	overturned, overturnLag uint32
	reversed, reversalLag   uint32
	restored, restoreLag    uint32
	wave, waveDay           uint32
}

func (g *Generator) draw(i int64) (d draws) {
	s := stream(mix(g.key ^ mix(uint64(i))))
	d.payer, d.procedure = s.pair()
	d.location, d.service = s.pair()
	d.lag, d.slow = s.pair()
	d.denied, d.reason = s.pair()
	d.remarked, d.remark = s.pair()
	d.contract, d.cut = s.pair()
	d.odd, d.received = s.pair()
	d.share, d.shareAmount = s.pair()
	d.units, d.modifiers = s.pair()
	d.place, d.january = s.pair()
	d.control = s.next()
	d.overturned, d.overturnLag = s.pair()
	d.reversed, d.reversalLag = s.pair()
	d.restored, d.restoreLag = s.pair()
	d.wave, d.waveDay = s.pair()
	return d
}

// below reports a draw that falls with the given probability.
func below(u uint32, p float64) bool { return int64(u) < int64(p*scale) }

// at looks a quantile up in a table of a power of two entries.
func at[T any](table []T, u uint32) T { return table[uint64(u)*uint64(len(table))>>32] }

// line is the claim in the making: its place in the tables.
type line struct {
	payer     *payer
	procedure *procedure
	node      *node
	location  int
	submitted int32          // day index
	received  int32          // day index
	rate      upstream.Money // the contract's, per unit
}

// Claim fills in claim i, 0 ≤ i < Records, as it stands on the as-of date.
// Claims ascend by submitted date. It overwrites *c and allocates nothing but
// the claim's two numbers.
func (g *Generator) Claim(i int64, c *upstream.Claim) { g.make(i, c, nil) }

// make is Claim, which also appends the states before the last one to past,
// their numbers left out, unless that is nil.
func (g *Generator) make(i int64, c *upstream.Claim, past *[]upstream.Claim) {
	d := g.draw(i)
	day, _ := slices.BinarySearch(g.until, i+1)
	k, j := g.whichPayer.pick(d.payer), g.whichProcedure.pick(d.procedure)
	if mixes := g.payers[k].mixes; len(mixes) > 0 {
		j = g.shift(mixes, j, int32(day), d.control)
	}
	l := line{payer: &g.payers[k], procedure: &g.procedures[j], submitted: int32(day)}
	l.node = &g.nodes[k*len(g.groups)+l.procedure.group]
	l.location = g.whichLocation.pick(d.location)
	l.rate = g.rates[k*len(g.procedures)+j]
	l.received = l.submitted
	if below(d.received, receivedNextDay) {
		l.received++
	}

	*c = upstream.Claim{
		Line:           1,
		Payer:          l.payer.name,
		CPT:            l.procedure.code,
		Modifiers:      l.procedure.modifiers.pick(d.modifiers),
		Units:          l.procedure.units.pick(d.units),
		PlaceOfService: l.procedure.places.pick(d.place),
		Location:       g.locations[l.location],
		SubmittedDate:  g.first + upstream.Day(day),
		Outcome:        upstream.Pending,
		FirstOutcome:   upstream.Pending,
	}
	c.ServiceDate = c.SubmittedDate - upstream.Day(at(g.serviceLag, d.service))
	if int(l.received) < g.options.Days { // else the payer has not got it yet
		c.ReceivedDate = g.first + upstream.Day(l.received)
	}
	c.Billed = l.procedure.charge * upstream.Money(c.Units)
	g.decide(c, &l, &d, past)
	g.number(c, i, d.control)
}

// decide settles the claim, if the payer does so by the as-of date, and goes on
// to what comes of the decision.
func (g *Generator) decide(c *upstream.Claim, l *line, d *draws, past *[]upstream.Claim) {
	ready := l.ready(d)
	day, ok := l.payer.remittance(ready)
	if !ok {
		return
	}
	why, denied := g.denial(l, d, day)
	if !denied {
		// Payments may have to wait for what denials do not know.
		ready = l.slowed(ready, l.node.payLater)
		ready = max(ready, int64(l.received+l.payer.floor)*lagUnit)
		if day, ok = l.payer.remittance(ready); !ok {
			return
		}
	}
	c.FirstDecidedDate = g.first + upstream.Day(day)
	c.DecidedDate, c.PaymentDate = c.FirstDecidedDate, c.FirstDecidedDate
	if denied {
		c.Outcome, c.CARC, c.RARC = upstream.Denied, why.carc, why.remark(d)
	} else {
		c.Outcome = upstream.Paid
		g.pay(c, l, d, day)
	}
	c.FirstOutcome, c.FirstPaymentDate = c.Outcome, c.PaymentDate
	c.FirstAllowed, c.FirstCARC, c.FirstRARC = c.Allowed, c.CARC, c.RARC
	if denied {
		g.overturn(c, l, d, day, past)
	} else {
		g.takeBack(c, l, d, day, past)
	}
}

// ready returns when the payer is done with the claim, in 1/lagUnit days from
// the first day on, before that waits for a remittance day.
func (l *line) ready(d *draws) int64 {
	lag := int64(at(l.payer.lag, d.lag))
	if below(d.slow, slowTailShare) {
		lag = min(lag*slowTailFactor, longestLag*lagUnit)
	}
	return l.slowed(int64(l.received)*lagUnit+lag, l.node.slower)
}

// slowed delays the end of the payer's work, begun when it received the claim.
func (l *line) slowed(ready int64, effects []effect) int64 {
	for k := range effects {
		ready = effects[k].delay(ready, l)
		// No pile of drifts overflows.
		ready = min(ready, int64(l.received+longestLag)*lagUnit)
	}
	return ready
}

// denial decides whether the claim is denied on that day, and why. One number u
// is held against a rising threshold: below the everyday chance the reason is
// an everyday one; between there and January's chance, one of January's;
// between there and a drift's, the drift's.
func (g *Generator) denial(l *line, d *draws, day int32) (reason, bool) {
	u := int64(d.denied)
	logit := l.node.logit + l.payer.shock[day]
	limit := chance(logit)
	var special upstream.Codes
	if s := g.season[day]; s > 0 {
		before := limit
		limit = chance(logit + s)
		if u >= before && u < limit {
			special = g.januaryCARC.pick(d.january)
		}
	}
	for k := range l.node.denials {
		e := &l.node.denials[k]
		before := limit
		limit = min(max(limit+e.on(day, l.location), 0), highestChance)
		if u >= before && u < limit {
			special = e.carc
		}
	}
	if u >= limit {
		return reason{}, false
	}
	if special != "" {
		return reason{carc: special}, true
	}
	return g.reasons.pick(d.reason), true
}

// highestChance keeps some claims paid under any drift.
const highestChance = scale * 97 / 100

func (r *reason) remark(d *draws) upstream.Codes {
	if len(r.remarks) == 0 || !below(d.remarked, r.remarkShare) {
		return ""
	}
	return r.remarks[uint64(d.remark)*uint64(len(r.remarks))>>32]
}

// pay prices a paid line: allowed from the contract, split between payer and
// patient, with the CARCs that explain both.
func (g *Generator) pay(c *upstream.Claim, l *line, d *draws, day int32) {
	rate := l.rate
	for k := range l.node.cuts {
		rate -= times(rate, l.node.cuts[k].on(day, l.location))
		rate = min(rate, l.procedure.charge) // a raise ends at the charge
	}
	c.Allowed = rate * upstream.Money(c.Units)
	if !below(d.contract, contractShare) {
		factor := g.cuts.pick(d.cut)
		if factor == 0 {
			factor = oddFloor + times(int64(d.odd), scale-oddFloor)
		}
		c.Allowed = times(c.Allowed, factor)
	}
	c.Allowed = max(c.Allowed, 1)

	share := l.payer.shares.pick(d.share)
	patient := upstream.Money(0)
	switch share {
	case deductible:
		patient = c.Allowed
	case copay:
		patient = min(g.copayAmount.pick(d.shareAmount), c.Allowed)
	case coinsurance:
		percent := int64(medicareCoinsurance)
		if l.payer.class != medicare {
			percent = g.coinsuranceOf.pick(d.shareAmount)
		}
		patient = c.Allowed * upstream.Money(percent) / 100
	}
	if patient == 0 {
		share = nothing
	}
	c.Paid = c.Allowed - patient
	written := 0
	if c.Allowed < c.Billed {
		written = 1
	}
	c.CARC = explanations[written][share]
}

const oddFloor = int64(oddLow*1000) * scale / 1000

// explanations are the CARCs of a paid line: whether something was written off
// under the contract, and what the patient owes.
var explanations = [2][4]upstream.Codes{
	{"", "PR-1", "PR-2", "PR-3"},
	{"CO-45", "CO-45 PR-1", "CO-45 PR-2", "CO-45 PR-3"},
}

// times multiplies by a factor in units of 1/scale, rounding half up; the
// product must fit 63 bits, which amounts under $10 million do.
func times[T ~int64](amount T, factor int64) T {
	return T((int64(amount)*factor + scale/2) >> 32)
}

// number gives the claim its id and, once decided, the payer's. One string
// holds both, because allocation is what a claim costs most.
func (g *Generator) number(c *upstream.Claim, i int64, control uint64) {
	var buf [48]byte
	b := g.appendID(buf[:0], i)
	n := len(b)
	if c.Outcome != upstream.Pending {
		b = append(b, firstLetters[control>>60])
		b = appendBase32(b, control, 12)
	}
	both := string(b)
	c.ClaimID, c.PayerControlNumber = both[:n], both[n:]
}
