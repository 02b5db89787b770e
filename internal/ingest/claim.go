package ingest

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode"

	"upstream"
)

// claim reads the fields of the row into c.
func (r *CSVReader) claim(c *upstream.Claim) {
	*c = upstream.Claim{Row: r.row}
	c.ClaimID = r.number(claimID, true)
	c.Line = r.count(claimLine, 1, 9999)
	c.Payer = lookup(r, payer, &r.payers, "no payer")
	c.CPT = lookup(r, cpt, &r.cpts, "no CPT or HCPCS code")
	c.Modifiers = r.modifierList()
	c.Units = r.count(units, -99999, 99999)
	c.PlaceOfService = lookup(r, placeOfService, &r.places, "")
	c.Location = lookup(r, location, &r.locations, "")
	c.ServiceDate = r.date(serviceDate)
	c.SubmittedDate = r.date(submittedDate)
	c.ReceivedDate = r.date(receivedDate)
	c.DecidedDate = r.date(decidedDate)
	c.PaymentDate = r.date(paymentDate)
	said := lookup(r, outcome, &r.outcomes, "no outcome")
	c.Billed, c.Allowed, c.Paid = r.money(billed), r.money(allowed), r.money(paid)
	c.CARC = lookup(r, carc, &r.carcs, "")
	c.RARC = lookup(r, rarc, &r.rarcs, "")
	c.PayerControlNumber = r.number(payerControlNumber, false)
	c.Filing = lookup(r, filing, &r.filings, "")
	if r.reject == nil {
		r.settle(c, said)
	}
}

// settle checks the dates against the outcome and decides it. A pending row
// with a decision is rejected, not guessed at: taken for decided it would move
// a denial rate, taken for pending a decision time. A service keyed after its
// submission is let pass, nothing is reckoned from it.
func (r *CSVReader) settle(c *upstream.Claim, said upstream.Outcome) {
	decided := decidedDate
	if c.DecidedDate.IsZero() && r.layout.has(paymentDate) {
		c.DecidedDate = c.PaymentDate
		if !c.PaymentDate.IsZero() || !r.layout.has(decidedDate) {
			decided = paymentDate
		}
	}
	if c.SubmittedDate.IsZero() {
		c.SubmittedDate = c.ServiceDate
	}
	switch {
	case c.SubmittedDate.IsZero() && r.layout.has(submittedDate):
		r.fail(r.name(submittedDate), classEmpty, "no submission date, nor one of service")
	case c.SubmittedDate.IsZero():
		r.fail(r.name(serviceDate), classEmpty, "no service date")
	case said == upstream.Pending && !c.DecidedDate.IsZero():
		r.fail(r.name(decided), classDate, "the outcome is pending, yet here is a date of decision")
	case said != upstream.Pending && c.DecidedDate.IsZero():
		r.fail(r.name(decided), classEmpty, "the outcome is a decision, yet it has no date")
	case said != upstream.Pending && c.DecidedDate < c.SubmittedDate:
		r.fail(r.name(decided), classDate, "decided before it was submitted")
	}
	carc := c.CARC
	if !r.layout.has(paid) && (said == upstream.Paid || said == upstream.Adjusted) {
		carc = "" // an amount that is not given is not zero: the word holds
	}
	c.Outcome = upstream.Settle(said, c.Billed, c.Paid, carc)
	c.Decide()
}

// name is the header of a field's column, "" if the file has none.
func (r *CSVReader) name(f field) string {
	if !r.layout.has(f) {
		return ""
	}
	return r.layout.columns[r.layout.of[f]].Header
}

// at returns the text of a field in UTF-8 without space around it, empty if
// there is none or it can't be used.
func (r *CSVReader) at(f field) []byte {
	if i := r.layout.of[f]; i >= 0 {
		return r.text(f, i)
	}
	return nil
}

func (r *CSVReader) text(f field, column int) []byte {
	const longest = 1024 // more than any limit; a longer value is not looked at
	rule, b := &fieldTable[f], r.rows.fields[column]
	if len(b) <= longest {
		if r.latin {
			start := len(r.decoded)
			r.decoded = appendWindows1252(r.decoded, b)
			b = r.decoded[start:]
		}
		b = trim(b)
	}
	if len(b) > rule.limit {
		r.fail(r.layout.columns[column].Header, classTooLong, "longer than "+strconv.Itoa(rule.limit)+" bytes")
		return nil
	}
	if rule.stored && isFormula(b) {
		r.fail(r.layout.columns[column].Header, classFormula, "a spreadsheet formula; write the value itself")
		return nil
	}
	return b
}

// lookup reads a field of repeating values. absent is the reason to reject a row
// without it, "" where it may be missing.
func lookup[T any](r *CSVReader, f field, m *memo[T], absent string) T {
	b := r.at(f)
	if len(b) == 0 {
		if absent != "" {
			r.fail(r.name(f), classEmpty, absent)
		}
		var none T
		return none
	}
	v, flaw := m.value(b)
	if flaw != "" {
		r.fail(r.name(f), valueClass(b), flaw)
	}
	return v
}

// modifierList reads the modifiers from their column or columns.
func (r *CSVReader) modifierList() string {
	columns := r.layout.modifiers
	if len(columns) < 2 {
		return lookup(r, modifiers, &r.modifiers, "")
	}
	r.joined = r.joined[:0]
	for _, i := range columns {
		if b := r.text(modifiers, i); len(b) > 0 {
			r.joined = append(append(r.joined, b...), ' ')
		}
	}
	switch {
	case len(r.joined) == 0:
		return ""
	case len(r.joined) > fieldTable[modifiers].limit:
		r.fail(r.name(modifiers), classTooLong, "more than four modifiers")
		return ""
	}
	v, flaw := r.modifiers.value(r.joined)
	if flaw != "" {
		r.fail(r.name(modifiers), classText, flaw)
	}
	return v
}

// number reads a claim number, the claim's or the payer's. In a file without a
// column for the claim's it is made of the file and the row.
func (r *CSVReader) number(f field, required bool) string {
	if required && !r.layout.has(f) {
		return r.hash[:min(len(r.hash), 16)] + "-" + strconv.FormatInt(r.row, 10)
	}
	b := r.at(f)
	switch {
	case len(b) == 0 && required:
		r.fail(r.name(f), classEmpty, "no claim number")
	case bytes.ContainsFunc(b, unicode.IsControl):
		r.fail(r.name(f), classText, flawControl)
	case isRounded(b):
		r.fail(r.name(f), classNumber, "a spreadsheet has rounded this number; format the column as text and export it again")
	}
	return string(b)
}

// count reads a whole number; 1 if there is none, as X12 835 has it for units.
func (r *CSVReader) count(f field, least, most int) int {
	b := r.at(f)
	if len(b) == 0 {
		return 1
	}
	n, ok := parseCount(b)
	if !ok || n < least || n > most {
		r.fail(r.name(f), valueClass(b), fmt.Sprintf("not a whole number from %d to %d", least, most))
	}
	return n
}

func (r *CSVReader) date(f field) upstream.Day {
	b := r.at(f)
	if len(b) == 0 {
		return 0
	}
	d, ok := parseDate(b)
	if !ok {
		r.fail(r.name(f), valueClass(b), "not a date of 1990 to 2100; write it as 2026-03-31")
	}
	return d
}

func (r *CSVReader) money(f field) upstream.Money {
	b := r.at(f)
	if len(b) == 0 {
		return 0
	}
	m, err := upstream.ParseMoney(string(b))
	if err != nil {
		r.fail(r.name(f), valueClass(b), "not an amount of money; write it as 1234.50")
	}
	return m
}
