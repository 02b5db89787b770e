package store

import (
	"slices"

	"upstream"
)

// past is what a claim's first decision said, and when the claim was reversed
// and repaid. For most claims the current state shows it all: only where it
// doesn't, the claim has a row in claim_past.
type past [pastInts]int64

// The columns of past, in the order of pastColumns.
const (
	pastAllowed = iota
	pastCARC
	pastRARC
	pastPayment
	pastReversed
	pastRepaid
	pastInts
)

const pastColumns = "first_allowed, first_carc_id, first_rarc_id, first_payment_date, reversed_date, repaid_date"

var insertPastSQL = "INSERT INTO claim_past (id, customer_id, " + pastColumns + ") VALUES (" + placeholders(1, pastInts+2) + ")"

// shown is the past of a claim without a row in claim_past, as far as its
// current state shows it. A claim that was corrected before there was such a
// table has none either: its first payment is taken to have allowed what the
// current state does.
func (r *claimRow) shown() past {
	v := &r.ints
	first, now := upstream.Outcome(v[colFirstOutcome]), upstream.Outcome(v[colOutcome])
	if first == upstream.Pending {
		return past{}
	}
	p := past{pastAllowed: v[colAllowed]}
	if now == upstream.Reversed {
		p[pastReversed] = v[colDecided]
	}
	if first == now && v[colFirstDecided] == v[colDecided] {
		p[pastCARC], p[pastRARC], p[pastPayment] = v[colCARC], v[colRARC], v[colPayment]
		return p
	}
	if first == upstream.Denied {
		p[pastAllowed] = 0
		if now == upstream.Paid || now == upstream.Adjusted {
			p[pastRepaid] = v[colDecided]
		}
	}
	return p
}

// corrected reports whether the claim needs a row in claim_past.
func (r *claimRow) corrected() bool { return r.past != r.shown() }

// insertPast writes the past of those rows that need it.
func insertPast(t tx, rows []*claimRow) error {
	rows = slices.DeleteFunc(rows, func(r *claimRow) bool { return !r.corrected() })
	return t.execMany(insertPastSQL, len(rows), func(i int, p []any) {
		r := rows[i]
		p[0], p[1] = r.ints[colID], r.ints[colCustomer]
		for k, v := range r.past {
			p[2+k] = v
		}
	})
}

// deletePast removes what insertPast wrote.
func deletePast(t tx, rows []*claimRow) error {
	return t.execMany("DELETE FROM claim_past WHERE customer_id = $1 AND id = $2", len(rows), func(i int, p []any) {
		p[0], p[1] = rows[i].ints[colCustomer], rows[i].ints[colID]
	})
}
