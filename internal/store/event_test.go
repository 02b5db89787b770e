package store

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"upstream"
)

// detect saves a run as of a day that starts from the stored incidents and
// returns its events; evaluate stands for the detector.
func detect(t *testing.T, tenant *Tenant, asOf upstream.Day, evaluate func(known []upstream.DriftEvent) []upstream.DriftEvent) []upstream.DriftEvent {
	t.Helper()
	known, basis, err := tenant.Incidents(context.Background(), "upstream", asOf)
	if err != nil {
		t.Fatal(err)
	}
	run := aRun(asOf)
	events := evaluate(known)
	if err := tenant.SaveRun(context.Background(), &run, events, basis); err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if run.ID == 0 || e.ReportRun != run.ID {
			t.Errorf("event %d is of run %d, the run has the id %d", e.ID, e.ReportRun, run.ID)
		}
	}
	return events
}

func aRun(asOf upstream.Day) upstream.ReportRun {
	return upstream.ReportRun{Detector: "upstream", AsOf: asOf, StartedAt: now.Add(time.Duration(asOf) * time.Hour), FinishedAt: now, Status: upstream.RunSuccess}
}

// telling is a detector that finds events whatever was known.
func telling(events ...upstream.DriftEvent) func([]upstream.DriftEvent) []upstream.DriftEvent {
	return func([]upstream.DriftEvent) []upstream.DriftEvent { return events }
}

// updating is a detector that changes what was known.
func updating(change func(e *upstream.DriftEvent)) func([]upstream.DriftEvent) []upstream.DriftEvent {
	return func(known []upstream.DriftEvent) []upstream.DriftEvent {
		known = slices.Clone(known)
		for i := range known {
			change(&known[i])
		}
		return known
	}
}

func theEvent(t *testing.T, tenant *Tenant, id int64) upstream.DriftEvent {
	t.Helper()
	e, err := tenant.Event(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func judge(t *testing.T, tenant *Tenant, id int64, v Verdict) upstream.DriftEvent {
	t.Helper()
	e, err := tenant.Judge(context.Background(), id, v, now)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestIncidentsKeepTheirIDsAndNewOnesGetTheNext(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		first := detect(t, tenant, 20_112, telling(event("Aetna", 20_100)))[0]
		if first.ID != 1 || first.CreatedAt.IsZero() || first.EvidentAt != 20_112 {
			t.Fatalf("first %+v", first)
		}
		again := detect(t, tenant, 20_119, func(known []upstream.DriftEvent) []upstream.DriftEvent {
			if len(known) != 1 || known[0].ID != first.ID {
				t.Fatalf("known %+v", known)
			}
			known[0].CurrentValue, known[0].Level, known[0].CPTGroup = .2, upstream.PayerLevel, nil
			return append(known, event("Cigna", 20_110))
		})
		if again[0].ID != 1 || again[1].ID != 2 || !again[0].CreatedAt.Equal(first.CreatedAt) {
			t.Errorf("told again %+v", again)
		}
		if e := theEvent(t, tenant, 1); e.CurrentValue != .2 || e.Level != upstream.PayerLevel || e.ReportRun != again[0].ReportRun {
			t.Errorf("stored %+v", e)
		}
		// The usual rule knows nothing of earlier runs: what it tells again is one story.
		if e := detect(t, tenant, 20_126, telling(event("Cigna", 20_108)))[0]; e.ID != 2 {
			t.Errorf("the same story got the id %d", e.ID)
		}
		if e := detect(t, tenant, 20_300, telling(event("Cigna", 20_290)))[0]; e.ID != 3 {
			t.Errorf("a later change got the id %d", e.ID)
		}
		known, _, err := tenant.Incidents(context.Background(), "threshold", 20_400)
		if err != nil || len(known) != 0 {
			t.Errorf("another detector's incidents %v, %v", known, err)
		}
	})
}

func TestARunThatOvertookAnotherIsEvaluatedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		_, basis, err := tenant.Incidents(ctx, "upstream", 20_112)
		if err != nil {
			t.Fatal(err)
		}
		detect(t, tenant, 20_112, telling(event("Aetna", 20_100)))
		run := aRun(20_112)
		if err := tenant.SaveRun(ctx, &run, []upstream.DriftEvent{event("Cigna", 20_100)}, basis); upstream.ErrorCode(err) != upstream.Conflict {
			t.Errorf("%v, want a conflict", err)
		}
		other := aRun(20_112)
		other.Detector = "threshold"
		if err := tenant.SaveRun(ctx, &other, nil, 0); err != nil {
			t.Errorf("another detector's run: %v", err)
		}
		if all, err := tenant.Events(ctx, EventFilter{}, upstream.Page{}); err != nil || len(all.Items) != 1 {
			t.Errorf("events %v, %v; want the first run's alone", all, err)
		}
	})
}

func TestARunRepeatedOnItsDayStartsAndEndsTheSame(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		detect(t, tenant, 20_112, telling(event("Aetna", 20_100)))
		evaluate := func(known []upstream.DriftEvent) []upstream.DriftEvent {
			if len(known) != 1 || known[0].EvidentAt != 20_112 {
				t.Errorf("known %+v", known)
			}
			known[0].EvidentAt = 20_119
			return append(known, event("Cigna", 20_110))
		}
		first := detect(t, tenant, 20_119, evaluate)
		second := detect(t, tenant, 20_119, evaluate)
		for i := range second {
			first[i].ReportRun = second[i].ReportRun
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("(-first +second):\n%s", diff)
		}
	})
}

func TestAVerdictThatCameInBetweenStays(t *testing.T) {
	tests := []struct {
		name    string
		verdict upstream.EventStatus
		run     upstream.EventStatus // what the run makes of it
		want    upstream.EventStatus
	}{
		{"noise", upstream.Noise, upstream.Open, upstream.Noise},
		{"noise, and over", upstream.Noise, upstream.Resolved, upstream.Noise},
		{"resolved", upstream.Resolved, upstream.Open, upstream.Resolved},
		{"acknowledged", upstream.Acknowledged, upstream.Open, upstream.Acknowledged},
		{"acknowledged, and over", upstream.Acknowledged, upstream.Resolved, upstream.Resolved},
	}
	onBoth(t, func(t *testing.T, s *Store) {
		for _, test := range tests {
			tenant := customer(t, s, test.name)
			detect(t, tenant, 20_112, telling(event("Aetna", 20_100)))
			events := detect(t, tenant, 20_119, updating(func(e *upstream.DriftEvent) {
				judge(t, tenant, e.ID, Verdict{Status: test.verdict, Owner: new("ann"), Note: new("seen"), Who: "ann"})
				e.CurrentValue = .3
				if e.Status = test.run; e.Status == upstream.Resolved {
					e.ResolvedAt, e.Resolution = 20_119, upstream.ResolvedBack
				}
			}))
			got := theEvent(t, tenant, 1)
			if got.Status != test.want || got.Owner != "ann" || got.Note != "seen" || got.CurrentValue != .3 {
				t.Errorf("%s: stored %+v", test.name, got)
			}
			if (got.Status == upstream.Resolved) != (got.Resolution != "") || (got.Resolution == upstream.ResolvedPerson) != (test.verdict == upstream.Resolved) {
				t.Errorf("%s: resolved as %q", test.name, got.Resolution)
			}
			if diff := cmp.Diff(got, events[0]); diff != "" {
				t.Errorf("%s: the run tells otherwise (-stored +told):\n%s", test.name, diff)
			}
		}
	})
}

func TestLookingBackUsesNothingLaterAndChangesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		detect(t, tenant, 20_112, telling(event("Aetna", 20_100)))
		detect(t, tenant, 20_119, updating(func(e *upstream.DriftEvent) { e.CurrentValue, e.EvidentAt = .2, 20_119 }))
		detect(t, tenant, 20_126, func(known []upstream.DriftEvent) []upstream.DriftEvent {
			known[0].Status, known[0].ResolvedAt, known[0].Resolution = upstream.Resolved, 20_126, upstream.ResolvedBack
			return append(known, event("Cigna", 20_100))
		})
		judge(t, tenant, 2, Verdict{Status: upstream.Noise})
		before, err := tenant.Events(ctx, EventFilter{}, upstream.Page{})
		if err != nil {
			t.Fatal(err)
		}
		back := detect(t, tenant, 20_119, func(known []upstream.DriftEvent) []upstream.DriftEvent {
			if len(known) != 1 || known[0].Status != upstream.Open || known[0].CurrentValue != 0 || known[0].EvidentAt != 20_112 {
				t.Errorf("known on 20,119: %+v", known)
			}
			known[0].CurrentValue = .9
			return append(known, event("Cigna", 20_104), event("Humana", 20_104))
		})
		if back[0].ID != 1 || back[1].ID != 2 || back[2].ID != 0 {
			t.Errorf("ids %d, %d, %d", back[0].ID, back[1].ID, back[2].ID)
		}
		if first := detect(t, tenant, 20_112, telling(event("Aetna", 20_100)))[0]; first.ID != 1 || first.Status != upstream.Open {
			t.Errorf("as of the first day: %+v", first)
		}
		after, err := tenant.Events(ctx, EventFilter{}, upstream.Page{})
		if diff := cmp.Diff(before, after); diff != "" || err != nil {
			t.Errorf("looking back changed the incidents, %v:\n%s", err, diff)
		}
	})
}

func TestPeopleJudgeOnlyAsAnEventsLifeAllows(t *testing.T) {
	const o, a, r, n = upstream.Open, upstream.Acknowledged, upstream.Resolved, upstream.Noise
	legal := map[upstream.EventStatus][]upstream.EventStatus{o: {o, a, r, n}, a: {o, a, r, n}, r: {o, r}, n: {o, n}}
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		id := int64(0)
		for from := range legal {
			for _, to := range []upstream.EventStatus{o, a, r, n} {
				id++
				day := upstream.Day(20_000 + 100*id)
				detect(t, tenant, day+12, telling(event(fmt.Sprint("payer ", id), day)))
				judge(t, tenant, id, Verdict{Status: from})
				e, err := tenant.Judge(context.Background(), id, Verdict{Status: to}, now)
				if want := slices.Contains(legal[from], to); want != (err == nil) || !want && upstream.ErrorCode(err) != upstream.Conflict {
					t.Errorf("%s → %s: %v, allowed %t", from, to, err, want)
				}
				if err != nil {
					if got := theEvent(t, tenant, id); got.Status != from {
						t.Errorf("%s → %s was refused and left %s", from, to, got.Status)
					}
					continue
				}
				if person := e.Resolution == upstream.ResolvedPerson; e.Status != to || person != (to == r) || (e.ResolvedAt != 0) != (to == r) {
					t.Errorf("%s → %s: %+v", from, to, e)
				}
			}
		}
		for _, v := range []Verdict{{Status: "gone"}, {Note: new("a\x00b")}, {Owner: new(string(make([]byte, 9000)))}} {
			if _, err := tenant.Judge(context.Background(), 1, v, now); upstream.ErrorCode(err) != upstream.Invalid {
				t.Errorf("%+v: %v", v.Status, err)
			}
		}
		if _, err := tenant.Judge(context.Background(), 99, Verdict{Status: n}, now); upstream.ErrorCode(err) != upstream.NotFound {
			t.Errorf("an event that is not there: %v", err)
		}
	})
}

func TestHistoryTellsWhoDidWhat(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		detect(t, tenant, 20_112, telling(event("Aetna", 20_100)))
		judge(t, tenant, 1, Verdict{Status: upstream.Acknowledged, Owner: new("ben"), Who: "ann"})
		judge(t, tenant, 1, Verdict{Status: upstream.Acknowledged, Owner: new("ben"), Who: "ann"}) // says nothing new
		judge(t, tenant, 1, Verdict{Note: new("called"), Who: "ben"})
		detect(t, tenant, 20_119, updating(func(e *upstream.DriftEvent) { e.EvidentAt = 20_119 }))
		detect(t, tenant, 20_126, updating(func(e *upstream.DriftEvent) {
			e.Status, e.ResolvedAt, e.Resolution = upstream.Resolved, 20_126, upstream.ResolvedBack
		}))
		got, err := tenant.EventHistory(ctx, 1)
		want := []EventChange{
			{ID: 1, At: aRun(20_112).StartedAt, Run: 1, Status: upstream.Open},
			{ID: 2, At: now, Who: "ann", Status: upstream.Acknowledged, Owner: "ben"},
			{ID: 3, At: now, Who: "ben", Status: upstream.Acknowledged, Owner: "ben", Note: "called"},
			{ID: 4, At: aRun(20_126).StartedAt, Run: 3, Status: upstream.Resolved, Resolution: upstream.ResolvedBack, Owner: "ben", Note: "called"},
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
		if _, err := tenant.EventHistory(ctx, 2); upstream.ErrorCode(err) != upstream.NotFound {
			t.Errorf("the history of no event: %v", err)
		}
	})
}
