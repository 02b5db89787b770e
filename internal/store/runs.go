package store

import (
	"context"
	"encoding/json"

	"upstream"
)

// RunFilter chooses report runs; what is empty chooses all.
type RunFilter struct {
	Detector string
	RunType  string
	Status   upstream.RunStatus
}

const runColumns = "id, run_type, status, detector, as_of, started_at, finished_at, event_count, summary, error"

func scanRun(r row) (run upstream.ReportRun, err error) {
	run = upstream.ReportRun{
		ID: r.int(0), RunType: r.text(1), Status: upstream.RunStatus(r.text(2)), Detector: r.text(3), AsOf: upstream.Day(r.int(4)),
		StartedAt: instant(r.int(5)), FinishedAt: instant(r.int(6)), EventCount: int(r.int(7)), Error: r.text(9),
	}
	return run, json.Unmarshal([]byte(r.text(8)), &run.Summary)
}

// Runs lists report runs, the newest first.
func (t *Tenant) Runs(ctx context.Context, f RunFilter, page upstream.Page) (list upstream.List[upstream.ReportRun], err error) {
	l := &listing{table: "report_run", columns: runColumns, id: "id", order: ordering{"id", true}, args: params{t.id}}
	for _, c := range []struct{ column, value string }{{"detector", f.Detector}, {"run_type", f.RunType}, {"status", string(f.Status)}} {
		if c.value != "" {
			l.where += " AND " + c.column + " = " + l.args.add(c.value)
		}
	}
	err = t.s.read(ctx, func(x tx) error {
		list, err = readList(x, l, page, scanRun)
		return err
	})
	return list, err
}

// Run returns a report run, or NotFound.
func (t *Tenant) Run(ctx context.Context, id int64) (run upstream.ReportRun, err error) {
	err = t.s.read(ctx, func(x tx) error {
		return x.query("SELECT "+runColumns+" FROM report_run WHERE customer_id = $1 AND id = $2", []any{t.id, id}, func(r row) error {
			run, err = scanRun(r)
			return err
		})
	})
	if err == nil && run.ID == 0 {
		err = upstream.Errorf(upstream.NotFound, "there is no report run %d", id)
	}
	return run, err
}
