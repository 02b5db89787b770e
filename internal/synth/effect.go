package synth

import (
	"math"
	"slices"
	"strings"

	"upstream"
)

// effect is a drift of one node, ready for claims.
type effect struct {
	first, last int32 // day indexes
	ramp        bool
	location    int // -1: all
	full        int64
	carc        upstream.Codes
}

// on returns what the effect adds on a day at a location, in units of 1/scale.
func (e *effect) on(day int32, location int) int64 {
	switch {
	case day < e.first || day > e.last || e.location >= 0 && location != e.location:
		return 0
	case e.ramp && day-e.first < rampDays:
		return e.full * int64(day-e.first+1) / rampDays
	}
	return e.full
}

// delay returns when a payer is done with a line, in 1/lagUnit days, that it
// would have been done with at ready. While the effect is on, what is left of
// the work takes its factor times as long; with the end of the effect the rest
// goes on at the old speed.
func (e *effect) delay(ready int64, l *line) int64 {
	day := max(l.received, e.first)
	from := int64(day) * lagUnit
	more := e.on(day, l.location)
	if more == 0 || ready <= from {
		return ready
	}
	left := ready - from
	done := ready + times(left, more)
	if over := (int64(e.last) + 1) * lagUnit; done > over {
		return over + left - (over-from)*scale/(scale+more)
	}
	return done
}

// add puts the effect of a drift where claims look for it.
func (c *changes) add(e effect, d Drift) {
	list := map[upstream.Signal]*[]effect{
		upstream.DenialRate: &c.denials, upstream.DecisionTime: &c.slower, upstream.AllowedAmount: &c.cuts,
		upstream.Takeback: &c.waves, upstream.Overturn: &c.overturns,
	}[d.Signal]
	if d.Only == OnlyPaid {
		list = &c.payLater
	}
	*list = append(*list, e)
}

// plant puts a validated drift into the nodes it concerns.
func (g *Generator) plant(d Drift) {
	if g.options.Placebo {
		return
	}
	e := effect{
		first: int32(d.Start - g.first), last: math.MaxInt32, ramp: d.Shape == Ramp,
		location: slices.Index(g.locations, d.Location), full: d.effect(), carc: carcOf(d.CARC),
	}
	if d.End != 0 {
		e.last = int32(d.End - g.first)
	}
	for k := range g.payers {
		if d.Payer != EveryPayer && d.Payer != g.payers[k].name {
			continue
		}
		for j, group := range g.groups {
			if d.CPTGroup != nil && *d.CPTGroup != group {
				continue
			}
			n := &g.nodes[k*len(g.groups)+j]
			if n.changes == none {
				n.changes = new(changes)
			}
			n.add(e, d)
		}
	}
}

// carcOf gives a bare CARC the group code it comes with in denialReasons, or CO.
func carcOf(s string) upstream.Codes {
	codes, _ := upstream.ParseCodes(s)
	if codes == "" || strings.Contains(string(codes), "-") {
		return codes
	}
	for _, r := range denialReasons {
		if _, number, _ := strings.Cut(string(r.value.carc), "-"); number == string(codes) {
			return r.value.carc
		}
	}
	return "CO-" + codes
}
