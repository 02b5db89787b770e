package store

import (
	"context"
	"time"

	"upstream"
)

// EventFilter chooses drift events; what is empty chooses all.
type EventFilter struct {
	Detector string
	Statuses []upstream.EventStatus
	Tier     upstream.Tier
	Signal   upstream.Signal
	Payer    string
	CPTGroup string
	// The severities that are wanted, both inclusive; they are compared in billionths.
	MinSeverity, MaxSeverity *float64
	ReportRun                int64     // the run that saw it last
	CreatedAfter             time.Time // inclusive
	CreatedBefore            time.Time // exclusive
	// Order is created_at, which is what an empty one is, severity or
	// dollars_per_month; with - before it the largest come first.
	Order string
}

// eventColumn are the columns of the orders by their names.
var eventColumn = map[string]string{"created_at": "created_at", "severity": "severity_e9", "dollars_per_month": "dollars"}

// Events lists drift events.
func (t *Tenant) Events(ctx context.Context, f EventFilter, page upstream.Page) (list upstream.List[upstream.DriftEvent], err error) {
	order, err := parseOrdering(f.Order, "created_at", "severity", "dollars_per_month")
	if err != nil {
		return list, err
	}
	order.column = eventColumn[order.column]
	l := &listing{table: "drift_event", columns: eventColumns, id: "id", order: order}
	l.where, l.args = f.where(t.id)
	err = t.s.read(ctx, func(x tx) error {
		list, err = readList(x, l, page, scanEvent)
		return err
	})
	return list, err
}

// where returns the conditions of a filter; the customer is the first parameter.
func (f *EventFilter) where(customer int64) (where string, args params) {
	args.add(customer)
	for _, c := range []struct{ column, value string }{
		{"detector", f.Detector}, {"tier", string(f.Tier)}, {"signal", string(f.Signal)}, {"payer", f.Payer}, {"cpt_group", f.CPTGroup},
	} {
		if c.value != "" {
			where += " AND " + c.column + " = " + args.add(c.value)
		}
	}
	if len(f.Statuses) > 0 {
		where += " AND status IN (" + placeholders(len(args)+1, len(f.Statuses)) + ")"
		for _, s := range f.Statuses {
			args.add(string(s))
		}
	}
	if f.MinSeverity != nil {
		where += " AND severity_e9 >= " + args.add(billionths(*f.MinSeverity))
	}
	if f.MaxSeverity != nil {
		where += " AND severity_e9 <= " + args.add(billionths(*f.MaxSeverity))
	}
	if f.ReportRun != 0 {
		where += " AND report_run_id = " + args.add(f.ReportRun)
	}
	if !f.CreatedAfter.IsZero() {
		where += " AND created_at >= " + args.add(f.CreatedAfter.UnixMicro())
	}
	if !f.CreatedBefore.IsZero() {
		where += " AND created_at < " + args.add(f.CreatedBefore.UnixMicro())
	}
	return where, args
}

// billionths turns a severity into the integer that is stored: both engines
// compare it alike. Migration 7 does the same.
func billionths(severity float64) int64 {
	const most = 1e9 // no severity is larger
	return int64(min(max(severity, 0), most)*1e9 + .5)
}
