package upstream_test

import (
	"math"
	"strings"
	"testing"

	"upstream"
)

func TestSettingsTellAllTheirProblemsAtOnce(t *testing.T) {
	if p := upstream.DefaultSettings().Validate(); p != nil || upstream.AsError(p) != nil {
		t.Errorf("the defaults: %v", p)
	}
	for _, budget := range []float64{0, -1, 31, math.NaN(), math.Inf(1)} {
		s := upstream.DefaultSettings()
		s.AlertBudget = budget
		if p := s.Validate(); len(p) != 1 || p[0].Field != "alert_budget" {
			t.Errorf("%g: %v", budget, p)
		}
	}
	for _, budget := range []float64{0.01, 30} {
		s := upstream.DefaultSettings()
		s.AlertBudget = budget
		if p := s.Validate(); p != nil {
			t.Errorf("%g: %v", budget, p)
		}
	}
	p := upstream.Settings{WeeklyReportDay: "Monday\x00"}.Validate()
	err := upstream.AsError(p)
	if len(p) != 2 || upstream.ErrorCode(err) != upstream.Invalid || !strings.Contains(err.Error(), "alert budget") || !strings.Contains(err.Error(), "weekly report") {
		t.Errorf("%v, %v", p, err)
	}
}
