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

// Direction tells whether a change hurts the practice.
type Direction string

// The directions.
const (
	Worse  Direction = "worse"
	Better Direction = "better"
)

// DriftEvent is one change of one signal at one node, with its evidence. Rates
// are fractions 0–1, dates are the first day of the new regime.
type DriftEvent struct {
	ID       int64   `json:"id"`
	Signal   Signal  `json:"drift_type"`
	Payer    *string `json:"payer"`     // nil at market level
	CPTGroup *string `json:"cpt_group"` // nil above group level
	Level    Level   `json:"level"`
	Tier     Tier    `json:"tier"`

	Status    EventStatus `json:"status"`
	Direction Direction   `json:"direction"`

	BaselineValue float64 `json:"baseline_value"`
	CurrentValue  float64 `json:"current_value"`
	DeltaValue    float64 `json:"delta_value"`
	BaselineN     int64   `json:"baseline_n"`
	CurrentN      int64   `json:"current_n"`

	Severity   float64 `json:"severity"`    // dollars over the customer's monthly allowed, 0–1
	Confidence float64 `json:"confidence"`  // posterior probability that a change happened
	LnEvidence float64 `json:"ln_evidence"` // ln of the Shiryaev–Roberts statistic

	ChangeDate     Day `json:"change_date"`
	ChangeDateLow  Day `json:"change_date_low"` // 90 % posterior interval
	ChangeDateHigh Day `json:"change_date_high"`
	KnownAt        Day `json:"known_at"` // the first day the data said so

	DollarsPerMonth Money  `json:"dollars_per_month_cents"`
	DollarsLow      *Money `json:"dollars_low_cents"` // nil: no interval was computed
	DollarsHigh     *Money `json:"dollars_high_cents"`

	RootCauses     []RootCause `json:"root_causes"`
	SampleClaimIDs []string    `json:"sample_claim_ids"`

	ReportRun int64     `json:"report_run"` // the run that saw it last
	CreatedAt time.Time `json:"created_at"`
}

// RootCause is one value of one dimension and the share of the excess it explains.
type RootCause struct {
	Dimension     string  `json:"dimension"`
	Value         string  `json:"value"`
	ShareOfExcess float64 `json:"share_of_excess"`
	G             float64 `json:"g"` // deviance of the value against its baseline share
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
	Allowed         []int64 // cents allowed on the others
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
