package upstream

// MatureDays is the age at which nearly all claims are decided, so that the
// denial rates of weeks can be compared.
const MatureDays = 45

// WeekRate is the denial rate of the claims of one week, by the day on which they
// were submitted.
type WeekRate struct {
	Week      Day   `json:"week"` // its Monday
	Submitted int64 `json:"submitted"`
	// DecidedShare is the share of them decided within MatureDays, as far as known.
	DecidedShare float64 `json:"decided_share"`
	// DenialRate is the share of denials among decisions within MatureDays,
	// estimated as if no claim were too young to have one; 0 without decisions.
	DenialRate float64 `json:"denial_rate"`
	// Immature tells that some claims of the week are younger than MatureDays.
	Immature bool `json:"immature"`
}
