package store

import (
	"context"
	"encoding/json"

	"upstream"
)

// SaveRun stores a report run with its events and gives both their ids. An event
// that tells the story of a stored one again (same detector, signal, node and
// direction, and a change no later than the day the story was last told) takes
// over its id, status, creation and the earlier of the days it was known, and
// replaces its evidence. A change date later than that day is the old change seen
// from too far away: the stored date stays.
func (t *Tenant) SaveRun(ctx context.Context, run *upstream.ReportRun, events []upstream.DriftEvent) error {
	return t.s.write(ctx, t.id, func(x tx) error {
		id, err := one(x, "SELECT COALESCE(MAX(id), 0) + 1 FROM report_run WHERE customer_id = $1", t.id)
		if err != nil {
			return err
		}
		run.ID = id
		summary, err := json.Marshal(run.Summary)
		if err != nil {
			return err
		}
		_, err = x.exec(`INSERT INTO report_run (customer_id, id, run_type, status, detector, as_of, started_at, finished_at, event_count, summary, error)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			t.id, id, run.RunType, string(run.Status), run.Detector, int64(run.AsOf),
			run.StartedAt.UnixMicro(), run.FinishedAt.UnixMicro(), len(events), string(summary), run.Error)
		if err != nil {
			return err
		}
		for i := range events {
			if err := t.saveEvent(x, run, &events[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *Tenant) saveEvent(x tx, run *upstream.ReportRun, e *upstream.DriftEvent) error {
	e.CreatedAt = run.StartedAt
	toldThrough, err := t.takeOver(x, run, e)
	if err != nil {
		return err
	}
	e.ReportRun = run.ID
	again := e.ID != 0
	if !again {
		if e.ID, err = one(x, "SELECT COALESCE(MAX(id), 0) + 1 FROM drift_event WHERE customer_id = $1", t.id); err != nil {
			return err
		}
	}
	evidence, err := json.Marshal(e)
	if err != nil {
		return err
	}
	toldThrough = max(toldThrough, run.AsOf)
	if again {
		_, err = x.exec(`UPDATE drift_event SET level = $1, tier = $2, change_low = $3, told_through = $4, known_at = $5, report_run_id = $6, evidence = $7
			WHERE customer_id = $8 AND id = $9`,
			string(e.Level), string(e.Tier), int64(e.ChangeDateLow), int64(toldThrough), int64(e.KnownAt), run.ID, string(evidence), t.id, e.ID)
		return err
	}
	_, err = x.exec(`INSERT INTO drift_event (customer_id, id, detector, signal, level, payer, cpt_group, direction, tier, status,
			change_low, told_through, known_at, report_run_id, created_at, evidence)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		t.id, e.ID, run.Detector, string(e.Signal), string(e.Level), orEmpty(e.Payer), orEmpty(e.CPTGroup), string(e.Direction), string(e.Tier), string(e.Status),
		int64(e.ChangeDateLow), int64(toldThrough), int64(e.KnownAt), run.ID, e.CreatedAt.UnixMicro(), string(evidence))
	return err
}

// takeOver finds the stored event that e tells again and fills in what e takes
// over from it; it returns the day that one was last told.
func (t *Tenant) takeOver(x tx, run *upstream.ReportRun, e *upstream.DriftEvent) (toldThrough upstream.Day, err error) {
	args := []any{t.id, run.Detector, string(e.Signal), orEmpty(e.Payer), orEmpty(e.CPTGroup), string(e.Direction), int64(e.ChangeDateLow), int64(run.AsOf)}
	err = x.query(`SELECT id, status, told_through, created_at, evidence FROM drift_event
		WHERE customer_id = $1 AND detector = $2 AND signal = $3 AND payer = $4 AND cpt_group = $5 AND direction = $6
			AND told_through >= $7 AND change_low <= $8 AND status IN ('open', 'acknowledged') ORDER BY id DESC LIMIT 1`,
		args, func(r row) error {
			var known upstream.DriftEvent
			if err := json.Unmarshal([]byte(r.text(4)), &known); err != nil {
				return err
			}
			e.ID, e.Status, e.CreatedAt = r.int(0), upstream.EventStatus(r.text(1)), instant(r.int(3))
			toldThrough = upstream.Day(r.int(2))
			e.KnownAt = min(e.KnownAt, known.KnownAt)
			if e.ChangeDate > e.KnownAt {
				e.ChangeDate, e.ChangeDateLow, e.ChangeDateHigh = known.ChangeDate, known.ChangeDateLow, known.ChangeDateHigh
			}
			return nil
		})
	return toldThrough, err
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Events lists drift events of a detector by id, one page at a time.
func (t *Tenant) Events(ctx context.Context, detector string, page upstream.Page) ([]upstream.DriftEvent, error) {
	out := []upstream.DriftEvent{}
	err := t.s.read(ctx, func(x tx) error {
		return x.query("SELECT evidence, status FROM drift_event WHERE customer_id = $1 AND detector = $2 AND id > $3 ORDER BY id LIMIT $4",
			[]any{t.id, detector, page.After, page.Limit()}, func(r row) error {
				var e upstream.DriftEvent
				if err := json.Unmarshal([]byte(r.text(0)), &e); err != nil {
					return err
				}
				e.Status = upstream.EventStatus(r.text(1))
				out = append(out, e)
				return nil
			})
	})
	return out, err
}
