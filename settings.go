package upstream

import (
	"slices"
	"strings"
)

// Settings are what a customer may choose.
type Settings struct {
	// AlertBudget is how many false alerts a month the customer accepts.
	AlertBudget          float64 `json:"alert_budget"`
	DetectionAfterUpload bool    `json:"detection_after_upload"`
	NightlyDetection     bool    `json:"nightly_detection"`
	WeeklyReport         bool    `json:"weekly_report"`
	WeeklyReportDay      string  `json:"weekly_report_day"` // "monday" to "sunday"
}

// DefaultSettings are those of a customer that has chosen nothing.
func DefaultSettings() Settings {
	return Settings{AlertBudget: 0.5, DetectionAfterUpload: true, NightlyDetection: true, WeeklyReport: true, WeeklyReportDay: "monday"}
}

// Problem is one thing that is wrong with what was sent: the field by its JSON
// name, and a sentence for a person.
type Problem struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// The bounds of the alert budget, in alerts a month.
const (
	minAlertBudget = 0.01
	maxAlertBudget = 30
)

var weekdays = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

// Validate returns all that is wrong with the settings; nothing when they may be saved.
func (s Settings) Validate() (problems []Problem) {
	if !(s.AlertBudget >= minAlertBudget && s.AlertBudget <= maxAlertBudget) { // NaN is neither
		problems = append(problems, Problem{"alert_budget", "the alert budget is a number from 0.01 to 30 alerts a month"})
	}
	if !slices.Contains(weekdays, s.WeeklyReportDay) {
		problems = append(problems, Problem{"weekly_report_day", "the day of the weekly report is one of " + strings.Join(weekdays, ", ")})
	}
	return problems
}

// AsError joins problems to one Invalid error; nil when there is none.
func AsError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.Message
	}
	return Errorf(Invalid, "%s", strings.Join(texts, "; "))
}
