package upstream

import "time"

// RunStatus is the state of a report run.
type RunStatus string

// The states of a report run.
const (
	RunRunning RunStatus = "running"
	RunSuccess RunStatus = "success"
	RunFailed  RunStatus = "failed"
)

// ReportRun is one detection as of a date, with its inputs and counts.
type ReportRun struct {
	ID         int64      `json:"id"`
	RunType    string     `json:"run_type"` // weekly, monthly or custom
	Status     RunStatus  `json:"status"`
	Detector   string     `json:"detector"`
	AsOf       Day        `json:"as_of"`
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt time.Time  `json:"finished_at,omitzero"`
	EventCount int        `json:"drift_event_count"`
	Summary    RunSummary `json:"summary"`
	Error      string     `json:"error,omitempty"`
}

// RunSummary tells what a run looked at.
type RunSummary struct {
	FirstDay        Day            `json:"first_day"` // first and last decision day used
	LastDay         Day            `json:"last_day"`
	Windows         int            `json:"windows"`          // node × lag windows evaluated
	NodesConsidered int            `json:"nodes_considered"` // nodes with enough history
	Alarms          int            `json:"alarms"`           // nodes over their threshold, before stories are told once
	Parameters      map[string]any `json:"parameters"`
	DataVersion     int64          `json:"data_version"`
	// Notes tell a person what this run could not see, and why.
	Notes     []string    `json:"notes,omitempty"`
	PromptPay []PromptPay `json:"prompt_pay,omitempty"`
}

// PromptPay counts a payer's breaches of the state's limit on the time to
// decide. They are facts, not statistics.
type PromptPay struct {
	Payer     string `json:"payer"`
	LimitDays int    `json:"limit_days"`
	FirstDay  Day    `json:"first_day"` // the days looked at, first and last inclusive
	LastDay   Day    `json:"last_day"`
	Decided   int64  `json:"decided"` // claims decided in these days
	Late      int64  `json:"late"`    // of these, after the limit
	Overdue   int64  `json:"overdue"` // claims open beyond the limit on the last day
}
