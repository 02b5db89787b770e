package store

import (
	"context"

	"upstream"
)

// RunFilter chooses report runs; what is empty chooses all.
type RunFilter struct {
	Detector string
	RunType  string
	Status   upstream.RunStatus
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
