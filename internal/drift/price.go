package drift

import (
	"math"

	"upstream"
)

// price fills in what a change of the timing signals comes to in a month. A
// slow-down loses no money for good: its price is the cash that is held back at
// any time, the payer's daily allowed amount times the further days. Payments
// taken back and denials no longer overturned are lost.
//
// Allowed amounts come priced; for them only the severity is left to tell.
func (d *Detector) price(e *upstream.DriftEvent, end int) {
	if e.Signal == upstream.AllowedAmount {
		e.Severity = severityOf(e, d.allowedRate(max(0, end-historyDays), end))
		return
	}
	p := d.payerIndex(name(e.Payer))
	j := d.through(e.CurrentLast)
	i := max(min(d.dayIndex(e.CurrentFirst), j-volumeDays), 0)
	if p < 0 || i >= j {
		return
	}
	claims, cents := tally{}, int64(0)
	for g := d.payers[p].from; g < d.payers[p].to; g++ {
		claims = claims.plus(d.groups[g].counts.between(i, j))
		cents += d.cents(g, i, j)
	}
	if paid(claims) <= 0 {
		return
	}
	monthly := float64(cents) / float64(j-i) * businessDaysPerMonth
	dollars := 0.0
	switch e.Signal {
	case upstream.DecisionTime:
		dollars = monthly * e.DeltaValue / calendarDaysPerMonth
	case upstream.Takeback:
		dollars = monthly * e.DeltaValue
	case upstream.Overturn:
		dollars = monthly * claims.x / paid(claims) * -e.DeltaValue
	}
	e.DollarsPerMonth = upstream.Money(math.Round(max(dollars, 0)))
	e.Severity = severityOf(e, d.allowedRate(i, j))
}

// severityOf is the low end of an event's dollars, or the dollars themselves where
// there is no interval, over the customer's monthly allowed.
func severityOf(e *upstream.DriftEvent, allowed float64) float64 {
	cents := e.DollarsPerMonth
	if e.DollarsLow != nil {
		cents = *e.DollarsLow
	}
	return severity(float64(cents), allowed)
}

// The cohort whose overturned share prices denials: those first denied so long
// before the as-of date that an appeal has had its time, in calendar days.
const (
	overturnFrom = 540
	overturnTo   = 180
	// overturnDenials are the fewest that give a payer a share of its own.
	overturnDenials = 50
)

// overturnRate is the share of a payer's denials that were overturned within
// overturnTo days, as known at the end of a day; of all payers where the payer
// has too few, and 0 where nobody has enough.
func overturnRate(w *upstream.Waits, payer string, asOf upstream.Day) float64 {
	if w == nil {
		return 0
	}
	var own, all tally
	for i := range w.Payers {
		c := &w.Payers[i]
		if c.Clock != upstream.OverturnClock {
			continue
		}
		t := overturned(c, int(asOf-w.From)-overturnFrom, int(asOf-w.From)-overturnTo)
		all = all.plus(t)
		if c.Payer == payer {
			own = t
		}
	}
	switch {
	case own.n >= overturnDenials:
		return own.rate()
	case all.n >= overturnDenials:
		return all.rate()
	}
	return 0
}

// overturned counts the denials that started from day from to before day to, and
// of these the ones overturned in time.
func overturned(c *upstream.PayerWaits, from, to int) (t tally) {
	for day := max(from, 0); day < min(to, len(c.Started)); day++ {
		t.n += float64(c.Started[day])
	}
	for _, e := range c.Ended {
		if int(e.Start) >= from && int(e.Start) < to && e.Lag <= overturnTo {
			t.x += float64(e.Count)
		}
	}
	return t
}
