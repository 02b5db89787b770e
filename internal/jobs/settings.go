package jobs

import (
	"context"
	"time"

	"upstream/internal/store"
)

// settings are those of a customer that jobs heed.
type settings struct {
	budget      float64 // false alarms a month
	afterUpload bool    // detection follows an upload
	nightly     bool
	weekly      bool
	weekday     time.Weekday // of the weekly report
}

// settingsOf returns a customer's settings: for now, the same for all.
func settingsOf(context.Context, *store.Tenant) (settings, error) { //nolint:unparam // it will read the database
	return settings{budget: .5, afterUpload: true, nightly: true, weekly: true, weekday: time.Monday}, nil
}
