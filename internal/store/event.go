package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"upstream"
)

const eventColumns = "evidence, told_through"

func scanEvent(r row) (e upstream.DriftEvent, err error) {
	err = json.Unmarshal([]byte(r.text(0)), &e)
	if e.EvidentAt == 0 { // stored before incidents had it
		e.EvidentAt = upstream.Day(r.int(1))
	}
	return e, err
}

// Event returns a drift event, or NotFound.
func (t *Tenant) Event(ctx context.Context, id int64) (e upstream.DriftEvent, err error) {
	err = t.s.read(ctx, func(x tx) error {
		e, err = t.event(x, id)
		return err
	})
	return e, err
}

func (t *Tenant) event(x tx, id int64) (e upstream.DriftEvent, err error) {
	err = x.query("SELECT "+eventColumns+" FROM drift_event WHERE customer_id = $1 AND id = $2", []any{t.id, id}, func(r row) error {
		e, err = scanEvent(r)
		return err
	})
	if err == nil && e.ID == 0 {
		err = upstream.Errorf(upstream.NotFound, "customer %d has no drift event %d; `upstream event list --customer %d --all` shows those there are", t.id, id, t.id)
	}
	return e, err
}

// EventChange is one entry of an event's history: how it stood after a run or a
// person had changed its status, owner or note.
type EventChange struct {
	ID         int64                `json:"id"` // counts from 1 in an event
	At         time.Time            `json:"at"`
	Who        string               `json:"who,omitempty"`        // the person; "" for a run
	Run        int64                `json:"report_run,omitempty"` // the run; 0 for a person
	Status     upstream.EventStatus `json:"status"`
	Resolution string               `json:"resolution,omitempty"`
	Owner      string               `json:"owner,omitempty"`
	Note       string               `json:"note,omitempty"`
}

// EventHistory returns what was done with an event, oldest first.
func (t *Tenant) EventHistory(ctx context.Context, id int64) ([]EventChange, error) {
	out := []EventChange{}
	err := t.s.read(ctx, func(x tx) error {
		if _, err := t.event(x, id); err != nil {
			return err
		}
		return x.query("SELECT id, made_at, who, report_run_id, status, resolution, owner, note FROM drift_event_history WHERE customer_id = $1 AND event_id = $2 ORDER BY id",
			[]any{t.id, id}, func(r row) error {
				out = append(out, EventChange{
					ID: r.int(0), At: instant(r.int(1)), Who: r.text(2), Run: r.int(3),
					Status: upstream.EventStatus(r.text(4)), Resolution: r.text(5), Owner: r.text(6), Note: r.text(7),
				})
				return nil
			})
	})
	return out, err
}

// addHistory adds an entry that tells how an event stands now.
func (t *Tenant) addHistory(x tx, e *upstream.DriftEvent, c EventChange) error {
	_, err := x.exec(`INSERT INTO drift_event_history (customer_id, event_id, id, made_at, who, report_run_id, status, resolution, owner, note)
		SELECT $1, $2, COALESCE(MAX(id), 0) + 1, $3, $4, $5, $6, $7, $8, $9 FROM drift_event_history WHERE customer_id = $1 AND event_id = $2`,
		t.id, e.ID, c.At.UnixMicro(), c.Who, c.Run, string(e.Status), e.Resolution, e.Owner, e.Note)
	return err
}

// Verdict is what a person says about an event.
type Verdict struct {
	Status      upstream.EventStatus // "" leaves it as it is
	Owner, Note *string              // nil leaves it as it is
	Who         string
}

// transitions are the ways in which a person may change an event's status.
var transitions = map[upstream.EventStatus][]upstream.EventStatus{
	upstream.Open:         {upstream.Acknowledged, upstream.Resolved, upstream.Noise},
	upstream.Acknowledged: {upstream.Open, upstream.Resolved, upstream.Noise},
	upstream.Resolved:     {upstream.Open},
	upstream.Noise:        {upstream.Open},
}

// maxNote bounds what people write about an event, in bytes.
const maxNote = 4000

// Judge records a person's verdict and returns the event as it is then. A status
// that the event can't take from where it is, is a Conflict; the one it has
// already changes nothing.
func (t *Tenant) Judge(ctx context.Context, id int64, v Verdict, now time.Time) (e upstream.DriftEvent, err error) {
	for _, text := range []*string{v.Owner, v.Note, &v.Who} {
		if text != nil && (len(*text) > maxNote || strings.ContainsRune(*text, 0)) {
			return e, upstream.Errorf(upstream.Invalid, "owner, note and name may have up to %d characters", maxNote)
		}
	}
	err = t.s.write(ctx, t.id, func(x tx) error {
		if e, err = t.event(x, id); err != nil {
			return err
		}
		before := e
		if err := v.apply(&e, upstream.DayOf(now)); err != nil {
			return err
		}
		if e.Status == before.Status && e.Owner == before.Owner && e.Note == before.Note {
			return nil
		}
		if err := t.updateEvent(x, &e); err != nil {
			return err
		}
		return t.addHistory(x, &e, EventChange{At: now, Who: v.Who})
	})
	return e, err
}

// apply changes an event by a verdict given on a day.
func (v *Verdict) apply(e *upstream.DriftEvent, today upstream.Day) error {
	if v.Owner != nil {
		e.Owner = *v.Owner
	}
	if v.Note != nil {
		e.Note = *v.Note
	}
	if v.Status == "" || v.Status == e.Status {
		return nil
	}
	if _, known := transitions[v.Status]; !known {
		return upstream.Errorf(upstream.Invalid, "an event is open, acknowledged, resolved or noise")
	}
	if !slices.Contains(transitions[e.Status], v.Status) {
		return upstream.Errorf(upstream.Conflict, "drift event %d is %s; reopen it first: `upstream event reopen %d`", e.ID, e.Status, e.ID)
	}
	e.Status, e.ResolvedAt, e.Resolution = v.Status, 0, ""
	switch v.Status {
	case upstream.Resolved:
		e.ResolvedAt, e.Resolution = today, upstream.ResolvedPerson
	case upstream.Open: // somebody sees it: it has not faded
		e.EvidentAt = max(e.EvidentAt, today)
	}
	return nil
}
