package api

import (
	"context"

	"upstream"
)

type settingsInput struct{ OfCustomer }

type settingsOutput struct{ Body upstream.Settings }

func (s *Server) getSettings(ctx context.Context, _ *settingsInput) (*settingsOutput, error) {
	k, err := of(ctx).tenant.Settings(ctx)
	return &settingsOutput{k}, err
}

type changeSettingsInput struct {
	OfCustomer
	Body struct {
		AlertBudget          *float64 `json:"alert_budget,omitempty" doc:"False alarms a month that alerts may cost, 0.01 to 30."`
		DetectionAfterUpload *bool    `json:"detection_after_upload,omitempty"`
		NightlyDetection     *bool    `json:"nightly_detection,omitempty"`
		WeeklyReport         *bool    `json:"weekly_report,omitempty"`
		WeeklyReportDay      *string  `json:"weekly_report_day,omitempty" enum:"monday,tuesday,wednesday,thursday,friday,saturday,sunday"`
	}
}

func (s *Server) changeSettings(ctx context.Context, in *changeSettingsInput) (*settingsOutput, error) {
	c := of(ctx)
	k, err := c.tenant.Settings(ctx)
	if err != nil {
		return nil, err
	}
	set(&k.AlertBudget, in.Body.AlertBudget)
	set(&k.DetectionAfterUpload, in.Body.DetectionAfterUpload)
	set(&k.NightlyDetection, in.Body.NightlyDetection)
	set(&k.WeeklyReport, in.Body.WeeklyReport)
	set(&k.WeeklyReportDay, in.Body.WeeklyReportDay)
	var wrong invalids
	for _, p := range k.Validate() {
		wrong.add("body."+p.Field, p.Message)
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	return &settingsOutput{k}, c.tenant.SaveSettings(ctx, k, c.started)
}

// set changes what a request gives.
func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}
