package upstream

// Clock is a wait that detection watches.
type Clock string

// The clocks, each from a start to an end that may not have come yet.
const (
	// DecisionClock runs from submission to the first decision. Not from receipt:
	// files tell that mostly with the decision, so that open claims would seem to
	// wait longer than decided ones, and every payer to slow down.
	DecisionClock Clock = "submitted_to_decided"
	// PaymentClock runs from a first decision to pay to its payment.
	PaymentClock Clock = "decided_to_paid"
	// OverturnClock runs from a first denial to the payment that overturns it.
	OverturnClock Clock = "denied_to_overturned"
	// TakebackClock runs from a first decision to pay to the day on which a
	// reversal is certain to be a takeback: RestoreDays without a correction.
	TakebackClock Clock = "paid_to_taken_back"
)

// RestoreDays is how long a payer has to make a reversal good before it counts
// as a takeback.
const RestoreDays = 30

// ForgottenDays is the age from which on an undecided claim is taken to be
// forgotten by somebody: it tells nothing of how fast a payer is.
const ForgottenDays = 168

// LateClaim reports whether a wait of so many days proves a slow-down from a
// typical wait: it is more than twice as long.
func LateClaim(days int, typical float64) bool { return float64(days) > 2*typical }

// Waits are how long a customer's primary claims waited, by payer and clock, as
// far as it was known at the end of To.
type Waits struct {
	From, To Day
	Payers   []PayerWaits // sorted by payer, then clock
}

// PayerWaits are the waits of one payer on one clock. Waits that started before
// From are left out; those that had not ended by To are still open.
type PayerWaits struct {
	Payer string
	Clock Clock
	// Undecided tells that the customer's data hold undecided claims of this
	// payer. Where they don't, a claim is not known before it is decided, and
	// the open waits of DecisionClock mean nothing.
	Undecided bool
	Started   []int32 // waits by the day they started, From through To
	Ended     []Wait  // sorted by Start, then Lag
}

// Wait counts the waits that started and ended on the same days.
type Wait struct {
	Start  int32 // days after From
	Lag    int32 // days until the end
	Count  int32
	Denied int32 // of these, how many ended in a denial (DecisionClock)
}
