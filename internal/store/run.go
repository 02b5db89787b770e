package store

import (
	"context"
	"encoding/json"
	"slices"

	"upstream"
)

// Incidents returns what an evaluation as of a day must know of earlier runs of a
// detector, by id, and the newest of its runs, which SaveRun wants back.
//
// Where the detector has run as of that day or a later one already, the incidents
// are those that runs of earlier days left behind, as they left them: looking
// back uses nothing of later days, and a run that is repeated finds the same. Of
// the newest day it uses verdicts that people gave since.
func (t *Tenant) Incidents(ctx context.Context, detector string, asOf upstream.Day) (events []upstream.DriftEvent, basis int64, err error) {
	err = t.s.read(ctx, func(x tx) error {
		var newest upstream.Day
		if basis, newest, err = t.newestRun(x, detector); err != nil {
			return err
		}
		stored, err := t.incidents(x, detector)
		if err != nil {
			return err
		}
		told := map[int64]upstream.DriftEvent{}
		if asOf <= newest {
			if told, err = t.toldBefore(x, detector, asOf); err != nil {
				return err
			}
		}
		events = []upstream.DriftEvent{}
		for _, e := range stored {
			if asOf < newest || asOf == newest && !closedByPerson(&e) {
				e = told[e.ID]
			}
			if e.ID != 0 && e.KnownAt <= asOf {
				events = append(events, e)
			}
		}
		return nil
	})
	return events, basis, err
}

// newestRun tells which of a detector's runs was saved last, in the customer's order
// of saving, and the latest day that any of them was made as of; zeros without a run.
func (t *Tenant) newestRun(x tx, detector string) (saved int64, asOf upstream.Day, err error) {
	err = x.query("SELECT COALESCE(MAX(saved), 0), COALESCE(MAX(as_of), 0) FROM report_run WHERE customer_id = $1 AND detector = $2 AND saved > 0",
		[]any{t.id, detector}, func(r row) error {
			saved, asOf = r.int(0), upstream.Day(r.int(1))
			return nil
		})
	return saved, asOf, err
}

// incidents returns a detector's incidents as they stand now, by id.
func (t *Tenant) incidents(x tx, detector string) (out []upstream.DriftEvent, err error) {
	err = x.query("SELECT "+eventColumns+" FROM drift_event WHERE customer_id = $1 AND detector = $2 ORDER BY id", []any{t.id, detector}, func(r row) error {
		e, err := scanEvent(r)
		out = append(out, e)
		return err
	})
	return out, err
}

// toldBefore returns a detector's incidents as runs of days before asOf left them.
func (t *Tenant) toldBefore(x tx, detector string, asOf upstream.Day) (map[int64]upstream.DriftEvent, error) {
	out := map[int64]upstream.DriftEvent{}
	err := x.query(`SELECT t.evidence, t.as_of FROM drift_event e JOIN drift_event_told t ON t.customer_id = e.customer_id AND t.event_id = e.id
			AND t.as_of = (SELECT MAX(as_of) FROM drift_event_told WHERE customer_id = e.customer_id AND event_id = e.id AND as_of < $3)
		WHERE e.customer_id = $1 AND e.detector = $2`,
		[]any{t.id, detector, int64(asOf)}, func(r row) error {
			e, err := scanEvent(r)
			out[e.ID] = e
			return err
		})
	return out, err
}

// toldOn returns a detector's incidents as runs as of a day left them.
func (t *Tenant) toldOn(x tx, detector string, asOf upstream.Day) (out []upstream.DriftEvent, err error) {
	err = x.query(`SELECT t.evidence, t.as_of FROM drift_event e JOIN drift_event_told t ON t.customer_id = e.customer_id AND t.event_id = e.id
		WHERE e.customer_id = $1 AND e.detector = $2 AND t.as_of = $3 ORDER BY e.id`,
		[]any{t.id, detector, int64(asOf)}, func(r row) error {
			e, err := scanEvent(r)
			out = append(out, e)
			return err
		})
	return out, err
}

// SaveRun stores a run with its events and gives both their ids; a run that RequestRun
// made has its id, and is ErrLost when it has ended already. basis is what
// Incidents returned beside the incidents that the run started from; when another
// run of the detector was saved since, SaveRun is a Conflict: evaluate again.
//
// An event with the id of an incident updates it; where a person closed the
// incident in between, or gave it an owner or a note, that stays. An event
// without an id is a new incident, unless one that is open tells the same story:
// a run repeated on its day finds again what it found.
//
// A run as of a day before that of the newest run looks back: it is stored, but
// no incident is made or changed by it. An event that tells the story of an
// incident carries its id, others have none.
func (t *Tenant) SaveRun(ctx context.Context, run *upstream.ReportRun, events []upstream.DriftEvent, basis int64) error {
	return t.s.write(ctx, t.id, func(x tx) error {
		newest, asOf, err := t.newestRun(x, run.Detector)
		if err != nil {
			return err
		}
		if newest != basis {
			return upstream.Errorf(upstream.Conflict, "another detection was saved in the meantime; run it again")
		}
		if err := t.endRun(x, run, len(events)); err != nil {
			return err
		}
		nameAuditTarget(ctx, run.ID)
		stored, err := t.incidents(x, run.Detector)
		if err != nil {
			return err
		}
		if run.AsOf < asOf {
			return t.lookBack(x, run, events, stored)
		}
		for i := range events {
			if err := t.saveEvent(x, run, &events[i], stored); err != nil {
				return err
			}
		}
		return nil
	})
}

// lookBack gives the events of a run on a past day the ids of the incidents whose
// story they tell: as a run as of that day told it, or else as it is told now.
func (t *Tenant) lookBack(x tx, run *upstream.ReportRun, events, stored []upstream.DriftEvent) error {
	then, err := t.toldOn(x, run.Detector, run.AsOf)
	if err != nil {
		return err
	}
	for i := range events {
		e := &events[i]
		e.ReportRun = run.ID
		if e.ID != 0 {
			continue
		}
		e.CreatedAt = instant(run.StartedAt.UnixMicro())
		for _, told := range [][]upstream.DriftEvent{then, stored} {
			if j := sameStory(told, e); j >= 0 {
				e.ID, e.CreatedAt = told[j].ID, told[j].CreatedAt
				break
			}
		}
	}
	return nil
}

// sameStory returns the last of the incidents that tells of an event's change,
// or -1: the same node, and a change no later than the incident was evident.
func sameStory(incidents []upstream.DriftEvent, e *upstream.DriftEvent) int {
	for i := len(incidents) - 1; i >= 0; i-- {
		k := &incidents[i]
		if k.Concerns(e) && e.ChangeDateLow <= max(k.EvidentAt, k.ChangeDateHigh) && k.ChangeDateLow <= max(e.EvidentAt, e.ChangeDateHigh) {
			return i
		}
	}
	return -1
}

// saveEvent updates or makes one incident; stored are those there were before.
func (t *Tenant) saveEvent(x tx, run *upstream.ReportRun, e *upstream.DriftEvent, stored []upstream.DriftEvent) error {
	e.ReportRun = run.ID
	if e.EvidentAt == 0 {
		e.EvidentAt = run.AsOf
	}
	known, err := find(stored, e)
	if err != nil {
		return err
	}
	if known != nil {
		takeOver(e, known)
		err = t.updateEvent(x, e)
	} else {
		e.CreatedAt = instant(run.StartedAt.UnixMicro())
		err = t.insertEvent(x, run.Detector, e)
	}
	if err != nil {
		return err
	}
	if err := t.tellEvent(x, e, run.AsOf); err != nil {
		return err
	}
	if known != nil && known.Status == e.Status {
		return nil
	}
	return t.addHistory(x, e, EventChange{At: instant(run.StartedAt.UnixMicro()), Run: run.ID})
}

// find returns the incident an event is of, by its id or else an open one by its
// story; nil for a new one.
func find(stored []upstream.DriftEvent, e *upstream.DriftEvent) (*upstream.DriftEvent, error) {
	if e.ID == 0 {
		open := slices.DeleteFunc(slices.Clone(stored), func(k upstream.DriftEvent) bool { return !isOpen(&k) })
		if i := sameStory(open, e); i >= 0 {
			return &open[i], nil
		}
		return nil, nil
	}
	i := slices.IndexFunc(stored, func(k upstream.DriftEvent) bool { return k.ID == e.ID })
	if i < 0 {
		return nil, upstream.Errorf(upstream.Internal, "a run tells of drift event %d, which is not stored", e.ID)
	}
	return &stored[i], nil
}

// takeOver lets stay, of an incident that a run tells again, what is older or a
// person's: a run may end what somebody has only acknowledged.
func takeOver(e, known *upstream.DriftEvent) {
	if e.ID == 0 {
		e.KnownAt = min(e.KnownAt, known.KnownAt)
		if e.ChangeDate > e.KnownAt { // the old change, seen from too far away
			e.ChangeDate, e.ChangeDateLow, e.ChangeDateHigh = known.ChangeDate, known.ChangeDateLow, known.ChangeDateHigh
		}
	}
	e.ID, e.CreatedAt, e.Owner, e.Note = known.ID, known.CreatedAt, known.Owner, known.Note
	if closedByPerson(known) || isOpen(known) && isOpen(e) {
		e.Status, e.ResolvedAt, e.Resolution = known.Status, known.ResolvedAt, known.Resolution
	}
}

// closedByPerson tells incidents that somebody closed from those a run did.
func closedByPerson(e *upstream.DriftEvent) bool {
	return e.Status == upstream.Noise || e.Status == upstream.Resolved && e.Resolution == upstream.ResolvedPerson
}

func isOpen(e *upstream.DriftEvent) bool {
	return e.Status == upstream.Open || e.Status == upstream.Acknowledged
}

// insertEvent makes an incident.
func (t *Tenant) insertEvent(x tx, detector string, e *upstream.DriftEvent) (err error) {
	if e.ID, err = one(x, "SELECT COALESCE(MAX(id), 0) + 1 FROM drift_event WHERE customer_id = $1", t.id); err != nil {
		return err
	}
	evidence, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = x.exec(`INSERT INTO drift_event (customer_id, id, detector, signal, level, payer, cpt_group, direction, tier, status,
			change_low, told_through, known_at, report_run_id, created_at, evidence, severity_e9, dollars)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		t.id, e.ID, detector, string(e.Signal), string(e.Level), orEmpty(e.Payer), orEmpty(e.CPTGroup), string(e.Direction), string(e.Tier), string(e.Status),
		int64(e.ChangeDateLow), int64(e.EvidentAt), int64(e.KnownAt), e.ReportRun, e.CreatedAt.UnixMicro(), string(evidence),
		billionths(e.Severity), int64(e.DollarsPerMonth))
	return err
}

// updateEvent replaces an incident; it may have moved to another level.
func (t *Tenant) updateEvent(x tx, e *upstream.DriftEvent) error {
	evidence, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = x.exec(`UPDATE drift_event SET level = $1, payer = $2, cpt_group = $3, tier = $4, status = $5, change_low = $6, told_through = $7,
			known_at = $8, report_run_id = $9, evidence = $10, severity_e9 = $11, dollars = $12
		WHERE customer_id = $13 AND id = $14`,
		string(e.Level), orEmpty(e.Payer), orEmpty(e.CPTGroup), string(e.Tier), string(e.Status), int64(e.ChangeDateLow), int64(e.EvidentAt),
		int64(e.KnownAt), e.ReportRun, string(evidence), billionths(e.Severity), int64(e.DollarsPerMonth), t.id, e.ID)
	return err
}

// tellEvent keeps how a run as of a day left an incident.
func (t *Tenant) tellEvent(x tx, e *upstream.DriftEvent, asOf upstream.Day) error {
	evidence, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = x.exec(`INSERT INTO drift_event_told (customer_id, event_id, as_of, evidence) VALUES ($1, $2, $3, $4)
		ON CONFLICT (customer_id, event_id, as_of) DO UPDATE SET evidence = excluded.evidence`,
		t.id, e.ID, int64(asOf), string(evidence))
	return err
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
