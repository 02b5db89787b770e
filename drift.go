package upstream

import "time"

// Signal is what changed at a node.
type Signal string

// The signals.
const (
	DenialRate    Signal = "DENIAL_RATE"
	DecisionTime  Signal = "DECISION_TIME"
	AllowedAmount Signal = "ALLOWED_AMOUNT"
	Takeback      Signal = "TAKEBACK"
	Overturn      Signal = "OVERTURN" // denials overturned less often, or later
)

// Level is the kind of node an event stands at.
type Level string

// The levels.
const (
	GroupLevel  Level = "group"  // payer × CPT group
	PayerLevel  Level = "payer"  // a whole payer
	MarketLevel Level = "market" // most payers at once: the market or the practice's own front end
)

// Tier tells how an event is told.
type Tier string

// The tiers: an alert is within the false-alarm budget and pages somebody, a
// watch is listed only.
const (
	Alert Tier = "alert"
	Watch Tier = "watch"
)

// EventStatus is where an event is in its life.
type EventStatus string

// The statuses.
const (
	Open         EventStatus = "open"
	Acknowledged EventStatus = "acknowledged"
	Resolved     EventStatus = "resolved"
	Noise        EventStatus = "noise"
)

// ActiveStatuses are those of events that go on.
var ActiveStatuses = []EventStatus{Open, Acknowledged}

// Direction tells whether a change hurts the practice.
type Direction string

// The directions.
const (
	Worse  Direction = "worse"
	Better Direction = "better"
)

// DriftEvent is one change of one signal at one node, with its evidence: an
// incident, once a run has told it and until it is judged or over.
//
// Values are fractions 0–1 of a DENIAL_RATE (share of decisions), TAKEBACK (share
// of payments taken back within a year), OVERTURN (share of denials overturned
// within 180 days); days of a DECISION_TIME (median wait); and of an
// ALLOWED_AMOUNT the mean of allowed over the contract's rate. N counts the
// claims behind each value. Dates are the first day of the new regime.
type DriftEvent struct {
	ID       int64   `json:"id"`
	Signal   Signal  `json:"drift_type"`
	Clock    Clock   `json:"clock,omitempty"` // which wait, of DECISION_TIME
	Payer    *string `json:"payer"`           // nil at market level
	CPTGroup *string `json:"cpt_group"`       // nil above group level
	Level    Level   `json:"level"`
	Tier     Tier    `json:"tier"`

	Status    EventStatus `json:"status"`
	Owner     string      `json:"owner,omitempty"`
	Note      string      `json:"note,omitempty"`
	Direction Direction   `json:"direction"`

	BaselineValue float64 `json:"baseline_value"`
	CurrentValue  float64 `json:"current_value"`
	DeltaValue    float64 `json:"delta_value"`
	BaselineN     int64   `json:"baseline_n"`
	CurrentN      int64   `json:"current_n"`

	// The calendar days that are compared, first and last inclusive.
	BaselineFirst Day `json:"baseline_first"`
	BaselineLast  Day `json:"baseline_last"`
	CurrentFirst  Day `json:"current_first"`
	CurrentLast   Day `json:"current_last"`

	Severity   float64 `json:"severity"`    // the low end of the dollars over the customer's monthly allowed, 0–1
	Confidence float64 `json:"confidence"`  // posterior probability that a change happened
	LnEvidence float64 `json:"ln_evidence"` // ln of the Shiryaev–Roberts statistic

	ChangeDate     Day    `json:"change_date"`
	ChangeDateLow  Day    `json:"change_date_low"` // 90 % posterior interval
	ChangeDateHigh Day    `json:"change_date_high"`
	KnownAt        Day    `json:"known_at"`             // the first day the data said so
	EvidentAt      Day    `json:"evident_at"`           // the last as-of date on which it still did
	ResolvedAt     Day    `json:"resolved_at"`          // of a resolved one, the as-of date that closed it
	Resolution     string `json:"resolution,omitempty"` // how: one of the Resolved… words

	DollarsPerMonth Money  `json:"dollars_per_month_cents"`
	DollarsLow      *Money `json:"dollars_low_cents"` // 90 % interval; nil: no interval was computed
	DollarsHigh     *Money `json:"dollars_high_cents"`

	// EvidenceClaims counts the claims that prove the event, which can be
	// listed: denials, claims decided late or overdue, lines paid below the
	// rate, payments taken back, denials that still stand; in the current days.
	EvidenceClaims int64       `json:"evidence_claims"`
	RootCauses     []RootCause `json:"root_causes"`
	// JointShare is the share of the excess on the denials that carry the values
	// of all root causes that aren't minor; 0 without one.
	JointShare float64 `json:"joint_share,omitempty"`
	// Spread says over what the excess is spread where nothing explains most of it.
	Spread         string       `json:"spread,omitempty"`
	Codes          []CodeChange `json:"codes,omitempty"` // of ALLOWED_AMOUNT: the rates that changed, dearest first
	SampleClaimIDs []string     `json:"sample_claim_ids"`
	// Quieted is by how much former noise verdicts at this node have raised the
	// evidence that it needs: 2 for each; 0 for none.
	Quieted float64 `json:"quieted,omitempty"`

	ReportRun int64     `json:"report_run"` // the run that saw it last
	CreatedAt time.Time `json:"created_at"`
}

// How an event was resolved.
const (
	ResolvedBack   = "back"   // the mirror found the node back at its baseline
	ResolvedFaded  = "faded"  // 60 days without evidence
	ResolvedMerged = "merged" // a later event tells the same story at a higher level
	ResolvedPerson = "person" // somebody said so
)

// Concerns reports whether two events are about the same signal, clock, node and
// direction.
func (e *DriftEvent) Concerns(o *DriftEvent) bool {
	same := func(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }
	return e.Signal == o.Signal && e.Clock == o.Clock && e.Direction == o.Direction && same(e.Payer, o.Payer) && same(e.CPTGroup, o.CPTGroup)
}

// CodeChange is a contract rate that a payer stopped paying.
type CodeChange struct {
	CPT       string `json:"cpt"`
	Modifiers string `json:"modifiers,omitempty"`
	Place     string `json:"place_of_service,omitempty"`
	Location  string `json:"location,omitempty"`
	Before    Money  `json:"before_cents"` // allowed per unit
	After     Money  `json:"after_cents"`
	Since     Day    `json:"since"`       // Monday of the first week with it
	Lines     int64  `json:"lines"`       // paid below the rate since
	Short     Money  `json:"short_cents"` // what they came short of it
}

// RootCause is one value of one dimension and the share of the excess it explains.
type RootCause struct {
	Dimension     string  `json:"dimension"` // cpt_group, carc, rarc, location, cpt, modifier, place_of_service
	Value         string  `json:"value"`
	ShareOfExcess float64 `json:"share_of_excess"` // at most 1
	G             float64 `json:"g"`               // deviance of the value against its baseline share
	// New tells a value that wasn't seen in the 12 months before.
	New bool `json:"new,omitempty"`
	// Minor tells a value that is worth knowing but doesn't explain most of the
	// excess: the leading code, a new one, or a group of a payer.
	Minor bool `json:"minor,omitempty"`
}

// Decisions are the daily decision counts that detection reads, by day of
// first decision, primary claims only. Every slice of every node has one entry
// a calendar day, From through To.
type Decisions struct {
	From, To Day
	Nodes    []NodeDecisions // sorted by payer, then CPT group
}

// NodeDecisions are the counts of one payer × CPT group.
type NodeDecisions struct {
	Payer, CPTGroup string
	Decided         []int32 // claims with a first decision that day
	Denied          []int32 // of these, denials
	Allowed         []int64 // cents the first decision allowed on the others
}

// Days returns the number of calendar days covered.
func (d *Decisions) Days() int {
	if len(d.Nodes) == 0 {
		return 0
	}
	return int(d.To-d.From) + 1
}

// NodeWindow are the counts of one payer × CPT group in two windows of
// submitted days, of the claims whose first decision was known on the as-of
// date; claims undecided then are in none.
type NodeWindow struct {
	Payer, CPTGroup string

	BaselineN, BaselineDenied int64
	CurrentN, CurrentDenied   int64

	BaselineAllowed Money // of the baseline's claims that were not denied
}
