// Package upstream is the vocabulary of Upstream: the words its users use, as
// types, with the rules that belong to the words themselves. It imports only
// the standard library and does no I/O.
package upstream

import "cmp"

// Claim is one billed service line, the unit of every rate in this program.
// (ClaimID, Line) is unique in a customer.
type Claim struct {
	ID      int64  // assigned by the store, unique in a customer
	ClaimID string // the provider's claim number: 837 CLM01, 835 CLP01
	Line    int    // 1 when the source has no lines
	Filing  Filing

	Payer          string // as stored one name a payer, see PayerNames; in a file any spelling
	CPT            string // CPT or HCPCS code, five characters
	Modifiers      string // two-character modifiers separated by a space
	Units          int
	PlaceOfService string // CMS place-of-service code, as "11"
	Location       string // the practice's site

	ServiceDate      Day
	SubmittedDate    Day
	ReceivedDate     Day // the payer's receipt, when known
	FirstDecidedDate Day // zero while pending
	DecidedDate      Day // of the current state; zero while pending
	PaymentDate      Day

	Outcome      Outcome // current state
	FirstOutcome Outcome // of the first decision; Pending until there is one

	// What the first decision said beside its outcome and date; a correction
	// never edits it.
	FirstAllowed     Money
	FirstCARC        Codes
	FirstRARC        Codes
	FirstPaymentDate Day
	// ReversedDate is the first day the payer took a payment back. RepaidDate is
	// the first day after a denial, or from a reversal on, on which it paid:
	// the denial was overturned, the payment restored.
	ReversedDate, RepaidDate Day

	Billed, Allowed, Paid Money
	CARC, RARC            Codes

	PayerControlNumber string // the payer's own number: 835 CLP07

	Upload int64 // the upload and its row that the current state came from
	Row    int64
}

// Outcome is what a payer decided about a claim.
type Outcome uint8

// The outcomes. The numbers are stored: never renumber them.
const (
	Pending  Outcome = 1
	Paid     Outcome = 2
	Denied   Outcome = 3
	Adjusted Outcome = 4 // decided, with less than the whole line paid
	Reversed Outcome = 5 // taken back
)

var outcomeNames = [...]string{"", "pending", "paid", "denied", "adjusted", "reversed"}

func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "invalid"
}

// Filing tells whether the payer was billed first, or after another one.
// Secondary and tertiary claims form a stream of their own: their zero payments
// mostly mean that the primary payer had paid enough.
type Filing uint8

// The filings. The numbers are stored: never renumber them.
const (
	Primary   Filing = 0
	Secondary Filing = 1
	Tertiary  Filing = 2
)

// IsDenial reports whether the claim counts as a denial, anywhere in this
// program: its first decision, as a primary claim, was Denied, which
// Settle grants only to a line with nothing paid and a denial-class CARC, or no
// CARC at all and the source's word for it.
func (c *Claim) IsDenial() bool { return IsDenial(c.Filing, c.FirstOutcome) }

// IsDecided reports whether the claim counts in the denominator of a denial
// rate: a primary claim with a first decision that is no mere takeback.
func (c *Claim) IsDecided() bool { return IsDecided(c.Filing, c.FirstOutcome) }

// IsDenial is Claim.IsDenial for a rollup cell, which has no claim at hand.
func IsDenial(f Filing, first Outcome) bool { return f == Primary && first == Denied }

// IsDecided is Claim.IsDecided for a rollup cell.
func IsDecided(f Filing, first Outcome) bool {
	return f == Primary && (first == Paid || first == Denied || first == Adjusted)
}

// Settle turns the word a source uses for a line's outcome into the outcome by
// the definition of a denial: nothing paid, and a denial-class CARC. A line
// unpaid only because of a deductible or contract (PR-1, CO-45, …) is paid,
// whatever the source calls it; without any CARC the source's word holds.
// A negative charge is a takeback.
func Settle(said Outcome, billed, paid Money, carc Codes) Outcome {
	switch {
	case said == Pending:
		return Pending
	case billed < 0 || paid < 0 || said == Reversed:
		return Reversed
	case paid > 0 && said == Denied:
		return Adjusted
	case paid > 0:
		return said
	case carc.HasDenial():
		return Denied
	case said == Denied && carc != "":
		return Paid
	}
	return said
}

// Decide makes the current state the first decision too: it is all that a
// reader knows who has seen one state of a claim.
func (c *Claim) Decide() {
	c.FirstOutcome, c.FirstDecidedDate = c.Outcome, c.DecidedDate
	c.FirstAllowed, c.FirstCARC, c.FirstRARC, c.FirstPaymentDate = 0, "", "", 0
	c.ReversedDate, c.RepaidDate = 0, 0
	switch c.Outcome {
	case Paid, Denied, Adjusted:
	case Reversed:
		c.ReversedDate = c.DecidedDate
	default:
		return
	}
	c.FirstAllowed, c.FirstCARC, c.FirstRARC, c.FirstPaymentDate = c.Allowed, c.CARC, c.RARC, c.PaymentDate
}

// stamp orders the states of one claim. Undecided is older than decided; of two
// states decided on one day the newer file wins, then the later upload and row.
type stamp struct {
	decided, file Day
	upload, row   int64
}

func (a stamp) newerThan(b stamp) bool {
	switch {
	case a.decided != b.decided:
		return a.decided > b.decided
	case a.file != b.file:
		return a.file > b.file
	case a.upload != b.upload:
		return a.upload > b.upload
	}
	return a.row > b.row
}

// Merge folds an incoming state of a claim into the known one and reports
// whether anything changed. The current state is the newest seen and the first
// decision the earliest seen, so late and repeated files end in the same claim
// in whichever order they arrive. knownFile and newFile are the dates of the
// files the two states came from. Descriptive fields the newer state leaves
// empty keep what was known, and the claim was submitted and received when it
// first was.
// What the primary payer says stands alone: a secondary payer's word on the same
// line neither replaces it nor is its first decision.
func Merge(known, incoming Claim, knownFile, newFile Day) (Claim, bool) {
	if known.Filing != incoming.Filing {
		if incoming.Filing > known.Filing {
			return known, false
		}
		incoming.ID = known.ID
		return incoming, true
	}
	newer := stamp{incoming.DecidedDate, newFile, incoming.Upload, incoming.Row}.
		newerThan(stamp{known.DecidedDate, knownFile, known.Upload, known.Row})
	out, other := known, incoming
	if newer {
		out, other = incoming, known
	}
	out.ID = known.ID
	fill(&out.Modifiers, other.Modifiers)
	fill(&out.PlaceOfService, other.PlaceOfService)
	fill(&out.Location, other.Location)
	fill(&out.PayerControlNumber, other.PayerControlNumber)
	fill(&out.ServiceDate, other.ServiceDate)
	// A resubmission under the same number must not move the submission behind
	// the first decision.
	out.SubmittedDate = min(known.SubmittedDate, incoming.SubmittedDate)
	out.ReceivedDate = earliest(known.ReceivedDate, incoming.ReceivedDate)
	out.takeFirst(&known, &incoming)
	out.ReversedDate = earliest(known.reversedOn(), incoming.reversedOn())
	out.RepaidDate = out.repaidOn(&known, &incoming)
	// The same content again is no change, wherever it was read.
	same := out
	same.Upload, same.Row = known.Upload, known.Row
	if same == known {
		return known, false
	}
	return out, true
}

// takeFirst sets the first decision, which moves as one, to the earlier one of
// two. The payment of it may be told later than the decision.
func (c *Claim) takeFirst(a, b *Claim) {
	if compareFirst(b, a) < 0 {
		a, b = b, a
	}
	c.FirstDecidedDate, c.FirstOutcome = a.FirstDecidedDate, a.FirstOutcome
	c.FirstAllowed, c.FirstCARC, c.FirstRARC, c.FirstPaymentDate = a.FirstAllowed, a.FirstCARC, a.FirstRARC, a.FirstPaymentDate
	if a.FirstDecidedDate == b.FirstDecidedDate && a.FirstOutcome == b.FirstOutcome {
		c.FirstPaymentDate = earliest(a.FirstPaymentDate, b.FirstPaymentDate)
	}
}

// compareFirst orders first decisions by day; on one day a takeback never
// stands before the decision it takes back, and a denial stands before a
// payment. Of two accounts of one decision the fuller stands first: a file may
// lack the column.
func compareFirst(a, b *Claim) int {
	rank := [...]int{Denied: 1, Adjusted: 2, Paid: 3, Reversed: 4}
	return cmp.Or(
		compareDates(a.FirstDecidedDate, b.FirstDecidedDate),
		cmp.Compare(rank[a.FirstOutcome], rank[b.FirstOutcome]),
		cmp.Compare(b.FirstAllowed, a.FirstAllowed),
		cmp.Compare(b.FirstCARC, a.FirstCARC),
		cmp.Compare(b.FirstRARC, a.FirstRARC))
}

// reversedOn is the first day on which a payment is known to have been taken back.
func (c *Claim) reversedOn() Day {
	d := c.ReversedDate
	if c.Outcome == Reversed {
		d = earliest(d, c.DecidedDate)
	}
	if c.FirstOutcome == Reversed {
		d = earliest(d, c.FirstDecidedDate)
	}
	return d
}

// repaidOn is the RepaidDate of a claim that is merged from two accounts, its
// first decision and ReversedDate set. A payment on the day of a first one is
// that one restated, unless it is what stands after a reversal.
func (c *Claim) repaidOn(accounts ...*Claim) (first Day) {
	from, restated := c.FirstDecidedDate, Day(0)
	if c.FirstOutcome.pays() {
		if c.ReversedDate == 0 {
			return 0
		}
		from, restated = c.ReversedDate, c.FirstDecidedDate
	}
	consider := func(o Outcome, d Day) {
		if o.pays() && d >= from && d != restated {
			first = earliest(first, d)
		}
	}
	for _, a := range accounts {
		consider(a.Outcome, a.DecidedDate)
		consider(a.FirstOutcome, a.FirstDecidedDate)
		if a.RepaidDate >= from {
			first = earliest(first, a.RepaidDate)
		}
	}
	if c.Outcome.pays() && c.DecidedDate >= from {
		first = earliest(first, c.DecidedDate)
	}
	return first
}

func (o Outcome) pays() bool { return o == Paid || o == Adjusted }

// compareDates orders dates, a missing one last.
func compareDates(a, b Day) int {
	switch {
	case a == b:
		return 0
	case a == 0:
		return 1
	case b == 0:
		return -1
	}
	return cmp.Compare(a, b)
}

// earliest is the earlier of two dates of which either may be missing.
func earliest(a, b Day) Day {
	if compareDates(b, a) < 0 {
		return b
	}
	return a
}

func fill[T comparable](dst *T, from T) {
	var empty T
	if *dst == empty {
		*dst = from
	}
}
