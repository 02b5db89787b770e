package store

import (
	"fmt"
	"strings"

	"upstream"
)

// The integer columns of a claim, in the order of claimColumns; the two texts follow.
const (
	colID = iota
	colCustomer
	colLine
	colFiling
	colPayer
	colCode
	colModifiers
	colUnits
	colPlace
	colLocation
	colOutcome
	colFirstOutcome
	colBilled
	colAllowed
	colPaid
	colCARC
	colRARC
	colUpload
	colRow
	colSubmitted
	colService
	colReceived
	colFirstDecided
	colDecided
	colPayment
	claimInts
)

const claimColumns = "id, customer_id, line, filing, payer_id, code_id, modifiers_id, units, place_id, location_id, " +
	"outcome, first_outcome, billed, allowed, paid, carc_id, rarc_id, upload_id, row_number, submitted_date, " +
	"service_date, received_date, first_decided_date, decided_date, payment_date, claim_id, payer_control_number"

// isDateColumn tells the columns in which zero is stored as NULL.
func isDateColumn(i int) bool { return i >= colService && i <= colPayment }

var (
	insertClaimSQL = "INSERT INTO claim (" + claimColumns + ") VALUES (" + placeholders(1, claimInts+2) + ")"
	updateClaimSQL = updateClaim()
	// selectClaimSQL reads what claimRow.scan takes; a condition on c follows.
	selectClaimSQL = selectWithPast("claim") + " WHERE c.customer_id = $1"
)

// selectWithPast reads what claimRow.scan takes from claims, as c, with their past.
func selectWithPast(claims string) string {
	return "SELECT c." + strings.ReplaceAll(claimColumns, ", ", ", c.") + ", p.id, p." + strings.ReplaceAll(pastColumns, ", ", ", p.") +
		" FROM " + claims + " c LEFT JOIN claim_past p ON p.customer_id = c.customer_id AND p.id = c.id"
}

// placeholders returns "$from, …" for n parameters.
func placeholders(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", from+i)
	}
	return b.String()
}

// updateClaim sets every column but the keys; the keys are parameters 1 and 2.
func updateClaim() string {
	var set []string
	for i, column := range strings.Split(claimColumns, ", ") {
		if i != colID && i != colCustomer {
			set = append(set, fmt.Sprintf("%s = $%d", column, i+1))
		}
	}
	return "UPDATE claim SET " + strings.Join(set, ", ") + " WHERE id = $1 AND customer_id = $2"
}

// claimRow is a claim as stored: terms as their ids, dates as day numbers.
type claimRow struct {
	ints                        [claimInts]int64
	claimID, payerControlNumber string
	past                        past
}

// claimKey is what is unique in a customer.
type claimKey struct {
	claimID string
	line    int64
}

func (r *claimRow) key() claimKey { return claimKey{r.claimID, r.ints[colLine]} }

// values fills the parameters of an insert or update.
func (r *claimRow) values(out []any) {
	for i, v := range &r.ints {
		if v == 0 && isDateColumn(i) {
			out[i] = nil
		} else {
			out[i] = v
		}
	}
	out[claimInts], out[claimInts+1] = r.claimID, r.payerControlNumber
}

func (r *claimRow) scan(from row) {
	r.scanInts(from)
	r.claimID, r.payerControlNumber = from.text(claimInts), from.text(claimInts+1)
}

// scanInts leaves out the texts, which no rollup needs.
func (r *claimRow) scanInts(from row) {
	for i := range r.ints {
		r.ints[i] = from.int(i)
	}
	const first = claimInts + 2
	if from.int(first) == 0 {
		r.past = r.shown()
		return
	}
	for i := range r.past {
		r.past[i] = from.int(first + 1 + i)
	}
}

// Claim numbers count from 1 in a customer; the stored id carries the customer
// in its high bits.
const claimBits = 40

func storedID(customer, id int64) int64 { return customer<<claimBits | id }
func claimNumber(stored int64) int64    { return stored & (1<<claimBits - 1) }

// encode turns a claim into its row; new terms are made in the transaction.
func (l *terms) encode(t tx, customer int64, c *upstream.Claim, r *claimRow) error {
	var err error
	term := func(kind termKind, value string) int64 {
		if value == "" || err != nil {
			return 0
		}
		var id int64
		id, err = l.id(t, kind, value)
		return id
	}
	v := &r.ints
	v[colID], v[colCustomer] = storedID(customer, c.ID), customer
	v[colLine], v[colFiling], v[colUnits] = int64(c.Line), int64(c.Filing), int64(c.Units)
	v[colPayer], v[colCode] = term(kindPayer, c.Payer), term(kindCode, c.CPT)
	v[colModifiers], v[colPlace], v[colLocation] = term(kindModifiers, c.Modifiers), term(kindPlace, c.PlaceOfService), term(kindLocation, c.Location)
	v[colCARC], v[colRARC] = term(kindCARC, string(c.CARC)), term(kindRARC, string(c.RARC))
	v[colService], v[colSubmitted], v[colReceived] = int64(c.ServiceDate), int64(c.SubmittedDate), int64(c.ReceivedDate)
	v[colFirstDecided], v[colDecided], v[colPayment] = int64(c.FirstDecidedDate), int64(c.DecidedDate), int64(c.PaymentDate)
	v[colOutcome], v[colFirstOutcome] = int64(c.Outcome), int64(c.FirstOutcome)
	v[colBilled], v[colAllowed], v[colPaid] = int64(c.Billed), int64(c.Allowed), int64(c.Paid)
	v[colUpload], v[colRow] = c.Upload, c.Row
	r.past = past{
		pastAllowed: int64(c.FirstAllowed), pastCARC: v[colCARC], pastRARC: v[colRARC],
		pastPayment: int64(c.FirstPaymentDate), pastReversed: int64(c.ReversedDate), pastRepaid: int64(c.RepaidDate),
	}
	if c.FirstCARC != c.CARC {
		r.past[pastCARC] = term(kindCARC, string(c.FirstCARC))
	}
	if c.FirstRARC != c.RARC {
		r.past[pastRARC] = term(kindRARC, string(c.FirstRARC))
	}
	r.claimID, r.payerControlNumber = c.ClaimID, c.PayerControlNumber
	return err
}

// decode is the inverse of encode.
func (l *terms) decode(t tx, r *claimRow) (upstream.Claim, error) {
	var err error
	term := func(kind termKind, id int64) string {
		if id == 0 || err != nil {
			return ""
		}
		var value string
		value, err = l.value(t, kind, id)
		return value
	}
	v, p := &r.ints, &r.past
	day := func(column int) upstream.Day { return upstream.Day(v[column]) }
	c := upstream.Claim{
		ID: claimNumber(v[colID]), ClaimID: r.claimID, Line: int(v[colLine]), Filing: upstream.Filing(v[colFiling]),
		Payer: term(kindPayer, v[colPayer]), CPT: term(kindCode, v[colCode]), Modifiers: term(kindModifiers, v[colModifiers]),
		Units: int(v[colUnits]), PlaceOfService: term(kindPlace, v[colPlace]), Location: term(kindLocation, v[colLocation]),
		ServiceDate: day(colService), SubmittedDate: day(colSubmitted), ReceivedDate: day(colReceived),
		FirstDecidedDate: day(colFirstDecided), DecidedDate: day(colDecided), PaymentDate: day(colPayment),
		Outcome: upstream.Outcome(v[colOutcome]), FirstOutcome: upstream.Outcome(v[colFirstOutcome]),
		Billed: upstream.Money(v[colBilled]), Allowed: upstream.Money(v[colAllowed]), Paid: upstream.Money(v[colPaid]),
		CARC: upstream.Codes(term(kindCARC, v[colCARC])), RARC: upstream.Codes(term(kindRARC, v[colRARC])),
		FirstAllowed: upstream.Money(p[pastAllowed]), FirstCARC: upstream.Codes(term(kindCARC, p[pastCARC])), FirstRARC: upstream.Codes(term(kindRARC, p[pastRARC])),
		FirstPaymentDate: upstream.Day(p[pastPayment]), ReversedDate: upstream.Day(p[pastReversed]), RepaidDate: upstream.Day(p[pastRepaid]),
		PayerControlNumber: r.payerControlNumber, Upload: v[colUpload], Row: v[colRow],
	}
	return c, err
}
