package store

import (
	"math"

	"upstream"
)

// kinds are all rollups, in the order of their ids.
var kinds = [...]*kind{dayKind, seriesKind, waitKind, aftermathKind, amountKind, denialKind, stateKind}

// dayKind is the (submitted, decided) matrix: rates by either date, open
// inventory and maturation come out of it exactly. Its buckets are submitted days.
var dayKind = &kind{id: 1, name: "days", fields: 5, sums: 5, of: dayOf}

// Fields of dayKind. The class is filing << 4 | first outcome. The sums are of
// the current amounts; the last is what the first decision allowed beyond the
// current one.
const (
	daySubmitted = iota
	dayPayer
	dayGroup
	dayLag // to the first decision
	dayClass
)

const (
	dayCount = iota
	dayBilled
	dayAllowed
	dayPaid
	dayFirstAllowed
)

func dayOf(f *facts) (cell, bool) {
	v := &f.ints
	k := key{
		daySubmitted: int32(v[colSubmitted]), dayPayer: int32(v[colPayer]), dayGroup: int32(f.group),
		dayClass: int32(v[colFiling])<<4 | int32(v[colFirstOutcome]),
	}
	if v[colFirstDecided] != 0 {
		k[dayLag] = packLag(v[colFirstDecided] - v[colSubmitted])
	}
	return cell{k, sum{dayCount: 1, dayBilled: v[colBilled], dayAllowed: v[colAllowed], dayPaid: v[colPaid], dayFirstAllowed: f.past[pastAllowed] - v[colAllowed]}}, true
}

// A lag is stored as one more than its days, so that zero means none. A negative
// one is stored as it is.
func packLag(days int64) int32 {
	if days < 0 {
		return int32(days)
	}
	return int32(days + 1)
}

func unpackLag(v int32) (days int32, ok bool) {
	if v < 0 {
		return v, true
	}
	return v - 1, v != 0
}

// packWait is packLag for a wait, which can't end before it starts.
func packWait(start, end int64) int32 { return packLag(max(end-start, 0)) }

// seriesKind is what the denial signal reads: the decisions of one payer and CPT
// group by day. Its buckets are periods of 32 days.
var seriesKind = &kind{id: 2, name: "series", fields: 4, sums: 3, of: seriesOf}

// periodBits makes a period of 32 days.
const periodBits = 5

// Fields and sums of seriesKind.
const (
	seriesPeriod = iota
	seriesPayer
	seriesGroup
	seriesDay // of the first decision
)

const (
	seriesDecided = iota
	seriesDenied
	seriesAllowed // by the first decisions of the others
)

func seriesOf(f *facts) (cell, bool) {
	v := &f.ints
	if !f.decided() {
		return cell{}, false
	}
	day := int32(v[colFirstDecided])
	k := key{seriesPeriod: day >> periodBits, seriesPayer: int32(v[colPayer]), seriesGroup: int32(f.group), seriesDay: day}
	if f.denied() {
		return cell{k, sum{seriesDecided: 1, seriesDenied: 1}}, true
	}
	return cell{k, sum{seriesDecided: 1, seriesAllowed: f.past[pastAllowed]}}, true
}

// decided reports whether the claim has a day in a denial rate.
func (f *facts) decided() bool {
	v := &f.ints
	return v[colFirstDecided] != 0 && upstream.IsDecided(upstream.Filing(v[colFiling]), upstream.Outcome(v[colFirstOutcome]))
}

func (r *claimRow) denied() bool {
	v := &r.ints
	return v[colFirstDecided] != 0 && upstream.IsDenial(upstream.Filing(v[colFiling]), upstream.Outcome(v[colFirstOutcome]))
}

// waitKind counts primary claims by how long they waited for their first
// decision. Its buckets are periods of start days.
var waitKind = &kind{id: 3, name: "waits", fields: 5, sums: 1, of: waitOf}

// Fields of waitKind.
const (
	waitPeriod = iota
	waitPayer
	waitStart
	waitLag
	waitEnd // how it ended
)

// How a wait ended. A takeback that comes first ends the wait for a decision
// that was never seen: it counts as neither.
const (
	endPaid = iota
	endDenied
	endTakeback
)

func waitOf(f *facts) (cell, bool) {
	v := &f.ints
	if upstream.Filing(v[colFiling]) != upstream.Primary {
		return cell{}, false
	}
	start := v[colSubmitted]
	k := key{waitPeriod: int32(start) >> periodBits, waitPayer: int32(v[colPayer]), waitStart: int32(start)}
	if first := upstream.Outcome(v[colFirstOutcome]); first != upstream.Pending && v[colFirstDecided] != 0 {
		k[waitLag] = packWait(start, v[colFirstDecided])
		switch first {
		case upstream.Denied:
			k[waitEnd] = endDenied
		case upstream.Reversed:
			k[waitEnd] = endTakeback
		}
	}
	return cell{k, sum{1}}, true
}

// aftermathKind counts primary claims by what followed their first decision: a
// payment of it; and the overturn of a denial, or the takeback of a payment once
// it is certain. Its buckets are periods of decision days.
var aftermathKind = &kind{id: 4, name: "aftermath", fields: 6, sums: 1, of: aftermathOf}

// Fields of aftermathKind.
const (
	aftermathPeriod = iota
	aftermathPayer
	aftermathDay
	aftermathDenied // 1 for a denial
	aftermathPayment
	aftermathTurn
)

func aftermathOf(f *facts) (cell, bool) {
	if !f.decided() {
		return cell{}, false
	}
	v := &f.ints
	day := v[colFirstDecided]
	k := key{aftermathPeriod: int32(day) >> periodBits, aftermathPayer: int32(v[colPayer]), aftermathDay: int32(day)}
	reversed, repaid := f.past[pastReversed], f.past[pastRepaid]
	certain := reversed + upstream.RestoreDays
	switch {
	case f.denied():
		k[aftermathDenied] = 1
		if repaid != 0 {
			k[aftermathTurn] = packWait(day, repaid)
		}
		return cell{k, sum{1}}, true
	case reversed != 0 && (repaid < reversed || repaid > certain):
		k[aftermathTurn] = packWait(day, certain)
	}
	if paid := f.past[pastPayment]; paid != 0 {
		k[aftermathPayment] = packWait(day, paid)
	}
	return cell{k, sum{1}}, true
}

// amountKind counts the lines that a first decision paid by what they allowed per
// unit, and by week. Its buckets are a payer's periods of 16 weeks.
var amountKind = &kind{id: 5, name: "amounts", fields: 8, sums: 1, of: amountOf, parted: true}

// Fields of amountKind. Weeks count from the Monday before 1970, and in a key from
// the first one of its period.
const (
	amountPayer = iota
	amountPeriod
	amountCode
	amountModifiers
	amountPlace
	amountLocation
	amountCents
	amountWeek
)

// amountWeekBits make a period of 16 weeks: a reader of two years merges eight.
const amountWeekBits = 4

// weekOf returns the number of a day's week.
func weekOf(day int64) int64 { return floorDiv(day+3, 7) }

// mondayOf returns the first day of a week.
func mondayOf(week int64) upstream.Day { return upstream.Day(week*7 - 3) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func amountOf(f *facts) (cell, bool) {
	v := &f.ints
	allowed, units := f.past[pastAllowed], v[colUnits]
	if units < 0 {
		units = -units // a takeback repeats them with a minus sign
	}
	if allowed <= 0 || units == 0 || !f.decided() || f.denied() {
		return cell{}, false
	}
	cents := (allowed + units/2) / units
	if cents > math.MaxInt32 { // twenty million dollars are no price
		return cell{}, false
	}
	week := weekOf(v[colFirstDecided])
	return cell{key{
		int32(v[colPayer]), int32(week >> amountWeekBits), int32(v[colCode]), int32(v[colModifiers]),
		int32(v[colPlace]), int32(v[colLocation]), int32(cents), int32(week & (1<<amountWeekBits - 1)),
	}, sum{1}}, true
}

// denialKind counts first denials by what may explain them. Its buckets are a
// payer's periods of 32 days.
var denialKind = &kind{
	id: 6, name: "denials", fields: 8, sums: 1, of: denialOf, parted: true, shift: periodBits,
	claims: "c.first_outcome = 3 AND c.payer_id BETWEEN $2 AND $3",
}

// Fields of denialKind; the CPT group follows from the code.
const (
	denialPayer = iota
	denialDay
	denialCode
	denialCARC
	denialRARC
	denialLocation
	denialModifiers
	denialPlace
)

func denialOf(f *facts) (cell, bool) {
	if !f.denied() {
		return cell{}, false
	}
	v := &f.ints
	return cell{key{
		int32(v[colPayer]), int32(v[colFirstDecided]), int32(v[colCode]), int32(f.carc),
		int32(f.rarc), int32(v[colLocation]), int32(v[colModifiers]), int32(v[colPlace]),
	}, sum{1}}, true
}

// stateKind counts all claims by their current state, for the counts of lists. Its
// buckets are periods of decided days; pending claims have none.
var stateKind = &kind{id: 7, name: "states", fields: 5, sums: 1, of: stateOf}

// Fields of stateKind.
const (
	statePeriod = iota
	statePayer
	stateGroup
	stateDay // of the current decision, zero while pending
	stateOutcome
)

func stateOf(f *facts) (cell, bool) {
	v := &f.ints
	day := int32(v[colDecided])
	return cell{key{
		statePeriod: day >> periodBits, statePayer: int32(v[colPayer]), stateGroup: int32(f.group), stateDay: day, stateOutcome: int32(v[colOutcome]),
	}, sum{1}}, true
}
