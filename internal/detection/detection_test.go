package detection_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"upstream"
	"upstream/internal/detection"
	"upstream/internal/pgtest"
	"upstream/internal/store"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// clock moves on a second each time it is read.
func clock() func() time.Time {
	now := start
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

// onBoth runs a test on a fresh customer on each engine.
func onBoth(t *testing.T, f func(t *testing.T, c *store.Tenant)) {
	for _, e := range pgtest.Engines {
		t.Run(e.Name, func(t *testing.T) {
			ctx := context.Background()
			s, err := store.Open(ctx, e.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			made, err := s.CreateCustomer(ctx, "A", start)
			if err != nil {
				t.Fatal(err)
			}
			tenant, err := s.Tenant(ctx, made.ID)
			if err != nil {
				t.Fatal(err)
			}
			f(t, tenant)
		})
	}
}

// firstDay is the first day of submissions.
const firstDay = upstream.Day(20_000)

// changed loads 20 claims a day, each decided after 10 days, of which a fifth is
// denied and from a day on four fifths.
func changed(t *testing.T, c *store.Tenant, days, from int) {
	t.Helper()
	n := 0
	_, err := c.Load(context.Background(), store.Source{
		Filename: "claims", SHA256: "of the claims", FileDate: firstDay,
		Next: func(claim *upstream.Claim) (*upstream.Reject, error) {
			if n == 20*days {
				return nil, io.EOF
			}
			day := n / 20
			*claim = upstream.Claim{
				ClaimID: fmt.Sprint(n), Line: 1, Payer: "Aetna", CPT: "97110", Units: 1, Location: "North",
				SubmittedDate: firstDay + upstream.Day(day), DecidedDate: firstDay + upstream.Day(day) + 10,
				Outcome: upstream.Paid, Billed: 10_000, Allowed: 5_000, Paid: 4_000,
			}
			if n%5 == 0 || day >= from && n%5 < 4 {
				claim.Outcome, claim.Allowed, claim.Paid, claim.CARC = upstream.Denied, 0, 0, "CO-197"
				if day >= from {
					claim.CARC = "CO-50"
				}
			}
			claim.FirstDecidedDate, claim.FirstOutcome = claim.DecidedDate, claim.Outcome
			claim.Decide()
			n++
			return nil, nil
		},
	}, store.LoadOptions{Now: start})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnEvaluationIsSavedOnceWithItsCauseItsSamplesAndItsTimes(t *testing.T) {
	onBoth(t, func(t *testing.T, c *store.Tenant) {
		ctx := context.Background()
		changed(t, c, 300, 270)
		d := detection.Detection{Detector: detection.Upstream, Today: firstDay + 400, From: store.FromRollups}
		found, err := detection.Save(ctx, c, clock(), func() (detection.Finding, error) { return d.Evaluate(ctx, c) })
		if err != nil {
			t.Fatal(err)
		}
		if r := found.Run; r.ID != 1 || r.AsOf != firstDay+309 || r.RunType != "custom" || r.Status != upstream.RunSuccess ||
			!r.StartedAt.Equal(start.Add(time.Second)) || !r.FinishedAt.Equal(start.Add(2*time.Second)) || r.EventCount != len(found.Events) {
			t.Errorf("run %+v", r)
		}
		if found.ClaimsInWindows == 0 || len(found.Events) == 0 {
			t.Fatalf("%d claims, %d events", found.ClaimsInWindows, len(found.Events))
		}
		e := found.Events[0]
		if e.Signal != upstream.DenialRate || e.ID == 0 || len(e.SampleClaimIDs) != 5 || e.Payer == nil || len(e.RootCauses) != 1 || e.RootCauses[0].Value != "50" {
			t.Errorf("event %+v", e)
		}
		again, err := detection.Save(ctx, c, clock(), func() (detection.Finding, error) { return d.Evaluate(ctx, c) })
		if err != nil || again.Run.ID != 2 || len(again.Events) != len(found.Events) || again.Events[0].ID != e.ID {
			t.Errorf("run again: run %d, %d events, %v", again.Run.ID, len(again.Events), err)
		}
	})
}

func TestRollupsAndClaimsAndAPartOfTheSignalsGiveTheSameDenialEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, c *store.Tenant) {
		changed(t, c, 300, 270)
		evaluate := func(d detection.Detection) []upstream.DriftEvent {
			t.Helper()
			d.Detector, d.Today = detection.Upstream, firstDay+400
			f, err := d.Evaluate(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			var denials []upstream.DriftEvent
			for _, e := range f.Events {
				if e.Signal == upstream.DenialRate {
					denials = append(denials, e)
				}
			}
			return denials
		}
		want := evaluate(detection.Detection{From: store.FromRollups})
		if len(want) == 0 {
			t.Fatal("no event")
		}
		if diff := cmp.Diff(want, evaluate(detection.Detection{From: store.FromClaims})); diff != "" {
			t.Error(diff)
		}
		alone := evaluate(detection.Detection{From: store.FromRollups, Without: detection.Signals{Timing: true, Amounts: true}})
		if len(alone) != len(want) || alone[0].ChangeDate != want[0].ChangeDate {
			t.Errorf("the denial rate alone finds %+v", alone)
		}
	})
}

func TestARunThatLosesToOthersIsEvaluatedAgainAndGivesUp(t *testing.T) {
	onBoth(t, func(t *testing.T, c *store.Tenant) {
		ctx := context.Background()
		changed(t, c, 300, 270)
		d := detection.Detection{Detector: detection.Threshold, Today: firstDay + 400, From: store.FromRollups}
		save := func(losses int) (evaluated int, err error) {
			_, err = detection.Save(ctx, c, clock(), func() (detection.Finding, error) {
				f, err := d.Evaluate(ctx, c)
				if err == nil && evaluated < losses {
					_, err = detection.Save(ctx, c, clock(), func() (detection.Finding, error) { return d.Evaluate(ctx, c) })
				}
				evaluated++
				return f, err
			})
			return evaluated, err
		}
		if n, err := save(2); n != 3 || err != nil {
			t.Errorf("after two losses: %d evaluations, %v", n, err)
		}
		if n, err := save(9); n != 3 || upstream.ErrorCode(err) != upstream.Conflict {
			t.Errorf("always lost: %d evaluations, %v", n, err)
		}
	})
}

func TestWhatCanNotBeEvaluatedSaysWhy(t *testing.T) {
	onBoth(t, func(t *testing.T, c *store.Tenant) {
		d := detection.Detection{Detector: detection.Upstream, Today: firstDay + 5, From: store.FromRollups}
		fails := func(want string) {
			t.Helper()
			_, err := d.Evaluate(context.Background(), c)
			if upstream.ErrorCode(err) != upstream.Invalid || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		fails("has no claims yet")
		changed(t, c, 30, 30)
		fails("known to be decided by today")
		d.AsOf = firstDay + 3
		fails("choose a later")
		stopped, stop := context.WithCancel(context.Background())
		stop()
		if _, err := d.Evaluate(stopped, c); !errors.Is(err, context.Canceled) {
			t.Errorf("stopped: %v", err)
		}
	})
}
