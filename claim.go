// Package upstream is the vocabulary of Upstream: the words its users use, as
// types, with the rules that belong to the words themselves. It imports only
// the standard library and does no I/O.
package upstream

// Claim is one billed service line, the unit of every rate in this program.
// (ClaimID, Line) is unique in a customer.
type Claim struct {
	ID      int64  // assigned by the store, unique in a customer
	ClaimID string // the provider's claim number: 837 CLM01, 835 CLP01
	Line    int    // 1 when the source has no lines
	Filing  Filing

	Payer          string // one name a payer, see PayerName
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
// empty keep what was known, and the claim was submitted when it first was.
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
	fill(&out.ReceivedDate, other.ReceivedDate)
	// A resubmission under the same number must not move the submission behind
	// the first decision.
	out.SubmittedDate = min(known.SubmittedDate, incoming.SubmittedDate)
	out.FirstDecidedDate, out.FirstOutcome = known.FirstDecidedDate, known.FirstOutcome
	if earlierFirst(incoming, known) {
		out.FirstDecidedDate, out.FirstOutcome = incoming.FirstDecidedDate, incoming.FirstOutcome
	}
	// The same content again is no change, wherever it was read.
	same := out
	same.Upload, same.Row = known.Upload, known.Row
	if same == known {
		return known, false
	}
	return out, true
}

// earlierFirst orders first decisions by day; on one day a takeback never
// stands before the decision it takes back, and a denial stands before a payment.
func earlierFirst(a, b Claim) bool {
	switch {
	case a.FirstDecidedDate == 0:
		return false
	case b.FirstDecidedDate == 0:
		return true
	case a.FirstDecidedDate != b.FirstDecidedDate:
		return a.FirstDecidedDate < b.FirstDecidedDate
	}
	rank := [...]int{Denied: 1, Adjusted: 2, Paid: 3, Reversed: 4}
	return rank[a.FirstOutcome] < rank[b.FirstOutcome]
}

func fill[T comparable](dst *T, from T) {
	var empty T
	if *dst == empty {
		*dst = from
	}
}
