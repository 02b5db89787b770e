package store

import (
	"context"
	"encoding/json"
	"time"

	"upstream"
)

// RunRequest asks for a detection, which a job carries out.
type RunRequest struct {
	Type     string       // weekly, monthly or custom
	Detector string       // by its name
	AsOf     upstream.Day // zero: the last decision known when it is evaluated
	// Key names what asks for the run, at most once: "night 2026-03-04". A person's
	// request has none.
	Key string
}

// RequestRun makes a run that is still to be evaluated: it is shown as running and
// ends by the job that it is given to. A request whose key has a run already returns
// that one, and created is false.
func (t *Tenant) RequestRun(ctx context.Context, r RunRequest, now time.Time) (run upstream.ReportRun, created bool, err error) {
	switch r.Type {
	case "weekly", "monthly", "custom":
	default:
		return run, false, upstream.Errorf(upstream.Invalid, "a run is weekly, monthly or custom")
	}
	err = t.s.write(ctx, t.id, func(x tx) error {
		run, created = upstream.ReportRun{}, false
		if r.Key != "" {
			run, err = t.runWhere(x, "request", r.Key)
			if err != nil || run.ID != 0 {
				return err
			}
		}
		created = true
		run = upstream.ReportRun{RunType: r.Type, Status: upstream.RunRunning, Detector: r.Detector, AsOf: r.AsOf, StartedAt: now.UTC().Truncate(time.Microsecond), Summary: upstream.RunSummary{Parameters: map[string]any{}}}
		if err := t.insertRun(x, &run, 0, 0); err != nil {
			return err
		}
		nameAuditTarget(ctx, run.ID)
		_, err := x.exec("UPDATE report_run SET turn = 1, request = $1 WHERE customer_id = $2 AND id = $3", r.Key, t.id, run.ID)
		return err
	})
	return run, created, err
}

// ReportRun returns a run, or NotFound.
func (t *Tenant) ReportRun(ctx context.Context, id int64) (run upstream.ReportRun, err error) {
	err = t.s.read(ctx, func(x tx) error {
		run, err = t.runWhere(x, "id", id)
		return err
	})
	if err == nil && run.ID == 0 {
		err = upstream.Errorf(upstream.NotFound, "there is no report run %d", id)
	}
	return run, err
}

// LastRun returns the run of a detector that was saved last, or one without an id.
func (t *Tenant) LastRun(ctx context.Context, detector string) (run upstream.ReportRun, err error) {
	err = t.s.read(ctx, func(x tx) error {
		saved, _, err := t.newestRun(x, detector)
		if err == nil && saved > 0 {
			run, err = t.runWhere(x, "saved", saved)
		}
		return err
	})
	return run, err
}

const runColumns = "id, run_type, status, detector, as_of, started_at, finished_at, event_count, summary, error"

func scanRun(r row) (run upstream.ReportRun, err error) {
	run = upstream.ReportRun{
		ID: r.int(0), RunType: r.text(1), Status: upstream.RunStatus(r.text(2)), Detector: r.text(3), AsOf: upstream.Day(r.int(4)),
		StartedAt: instant(r.int(5)), EventCount: int(r.int(7)), Error: r.text(9),
	}
	if at := r.int(6); at != 0 {
		run.FinishedAt = instant(at)
	}
	err = json.Unmarshal([]byte(r.text(8)), &run.Summary)
	if run.Summary.Parameters == nil { // of a run that has not begun
		run.Summary.Parameters = map[string]any{}
	}
	return run, err
}

// runWhere returns the run that a column chooses, or one without an id.
func (t *Tenant) runWhere(x tx, column string, value any) (run upstream.ReportRun, err error) {
	err = x.query("SELECT "+runColumns+" FROM report_run WHERE customer_id = $1 AND "+column+" = $2", []any{t.id, value}, func(r row) error {
		run, err = scanRun(r)
		return err
	})
	return run, err
}

// endRun stores a run that was evaluated: a new row, or that of its request.
func (t *Tenant) endRun(x tx, run *upstream.ReportRun, events int) error {
	saved, err := one(x, "SELECT COALESCE(MAX(saved), 0) + 1 FROM report_run WHERE customer_id = $1", t.id)
	if err != nil {
		return err
	}
	if run.ID == 0 {
		return t.insertRun(x, run, events, saved)
	}
	summary, err := json.Marshal(run.Summary)
	if err != nil {
		return err
	}
	n, err := x.exec(`UPDATE report_run SET status = $1, as_of = $2, started_at = $3, finished_at = $4, event_count = $5, summary = $6, error = $7, saved = $8, seen_at = 0
		WHERE customer_id = $9 AND id = $10 AND status = 'running'`,
		string(run.Status), int64(run.AsOf), run.StartedAt.UnixMicro(), run.FinishedAt.UnixMicro(), events, string(summary), run.Error, saved, t.id, run.ID)
	return changed(n, err)
}

func (t *Tenant) insertRun(x tx, run *upstream.ReportRun, events int, saved int64) error {
	id, err := one(x, "SELECT COALESCE(MAX(id), 0) + 1 FROM report_run WHERE customer_id = $1", t.id)
	if err != nil {
		return err
	}
	run.ID = id
	if run.Summary.Parameters == nil {
		run.Summary.Parameters = map[string]any{} // as it is read again
	}
	summary, err := json.Marshal(run.Summary)
	if err != nil {
		return err
	}
	finished := int64(0)
	if !run.FinishedAt.IsZero() {
		finished = run.FinishedAt.UnixMicro()
	}
	_, err = x.exec(`INSERT INTO report_run (customer_id, id, run_type, status, detector, as_of, started_at, finished_at, event_count, summary, error, saved)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		t.id, id, run.RunType, string(run.Status), run.Detector, int64(run.AsOf),
		run.StartedAt.UnixMicro(), finished, events, string(summary), run.Error, saved)
	return err
}
