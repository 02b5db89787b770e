package upstream

// PayerSummary tells how a payer has dealt with the claims submitted in a period,
// by their first decisions as far as they are known: PaidCount + DeniedCount +
// PendingCount + OtherCount = TotalClaims. Of a period that has just ended many
// claims are pending still.
type PayerSummary struct {
	Payer        string `json:"payer"`
	TotalClaims  int64  `json:"total_claims"`
	PaidCount    int64  `json:"paid_count"`    // decided and not denied: see Claim.IsDecided
	DeniedCount  int64  `json:"denied_count"`  // see Claim.IsDenial
	PendingCount int64  `json:"pending_count"` // without a decision
	OtherCount   int64  `json:"other_count"`   // decided as secondary claims, or first seen taken back
	// DenialRate is DeniedCount / (PaidCount + DeniedCount), nil without decisions.
	DenialRate *float64 `json:"denial_rate"`
	// MedianDaysToDecision runs from submission to the first decision of the paid
	// and the denied claims.
	MedianDaysToDecision *float64 `json:"median_days_to_decision"`
	Allowed              Money    `json:"allowed_cents"` // of all claims, as it stands now
	Paid                 Money    `json:"paid_cents"`
	// AvgAllowed is the mean of what stands allowed on the paid claims.
	AvgAllowed *Money `json:"avg_allowed_cents"`
}

// PeriodUnit is what a trend is cut into.
type PeriodUnit string

// The units. Weeks begin on Monday.
const (
	Week  PeriodUnit = "week"
	Month PeriodUnit = "month"
)

// First returns the first day of the period that holds a day.
func (u PeriodUnit) First(d Day) Day {
	if u == Week {
		return d - Day((d.Weekday()+6)%7)
	}
	year, month, _ := d.Time().Date()
	return MakeDay(year, month, 1)
}

// Next returns the first day of the period after the one that holds a day.
func (u PeriodUnit) Next(d Day) Day {
	if u == Week {
		return u.First(d) + 7
	}
	year, month, _ := d.Time().Date()
	return MakeDay(year, month+1, 1)
}

// PeriodRate is the denial rate of the claims first decided in a week or month.
type PeriodRate struct {
	Period  Day   `json:"period"`       // its first day
	Decided int64 `json:"total_claims"` // see Claim.IsDecided
	Denied  int64 `json:"denied_claims"`
	// DenialRate is Denied / Decided, nil without decisions.
	DenialRate *float64 `json:"denial_rate"`
}

// Dashboard is what a customer sees first.
type Dashboard struct {
	TotalClaims  int64 `json:"total_claims"`
	TotalUploads int64 `json:"total_uploads"`
	// ActiveDriftEvents are the alerts that are open or acknowledged;
	// DollarsAtRisk sums those of them that are for the worse.
	ActiveDriftEvents int64 `json:"active_drift_events"`
	DollarsAtRisk     Money `json:"dollars_at_risk_cents_per_month"`
	LastReportDate    Day   `json:"last_report_date"` // the last as-of date of a run that succeeded
	// DenialRateTrend has this month and the eleven before it.
	DenialRateTrend []MonthRate  `json:"denial_rate_trend"`
	TopDriftPayers  []DriftPayer `json:"top_drift_payers"` // up to five
}

// MonthRate is a PeriodRate of a month, as the dashboard names it.
type MonthRate struct {
	Month      string   `json:"month"` // YYYY-MM
	DenialRate *float64 `json:"denial_rate"`
	Decided    int64    `json:"total_claims"`
	Denied     int64    `json:"denied_claims"`
}

// DriftPayer is a payer with the most severe of its active alerts for the worse.
type DriftPayer struct {
	Payer      string  `json:"payer"`
	Severity   float64 `json:"severity"`
	DeltaValue float64 `json:"delta_value"`
}
