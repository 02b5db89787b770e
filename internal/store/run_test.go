package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"upstream"
)

func event(payer string, change upstream.Day) upstream.DriftEvent {
	group := "Physical therapy"
	return upstream.DriftEvent{
		Signal: upstream.DenialRate, Payer: &payer, CPTGroup: &group, Level: upstream.GroupLevel, Tier: upstream.Alert,
		Status: upstream.Open, Direction: upstream.Worse, ChangeDate: change, ChangeDateLow: change - 3, ChangeDateHigh: change + 3, KnownAt: change + 10,
		RootCauses: []upstream.RootCause{}, SampleClaimIDs: []string{"A1"},
	}
}

func TestStoryToldAgainKeepsItsIdentity(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		tell := func(asOf upstream.Day, e upstream.DriftEvent) upstream.DriftEvent {
			t.Helper()
			run := upstream.ReportRun{Detector: "upstream", AsOf: asOf, StartedAt: now.Add(time.Duration(asOf) * time.Hour), FinishedAt: now, Status: upstream.RunSuccess}
			events := []upstream.DriftEvent{e}
			if err := tenant.SaveRun(ctx, &run, events); err != nil {
				t.Fatal(err)
			}
			return events[0]
		}
		first := tell(20_112, event("Aetna", 20_100))
		later := event("Aetna", 20_104)
		later.KnownAt = 20_115
		second := tell(20_119, later)
		if second.ID != first.ID || !second.CreatedAt.Equal(first.CreatedAt) || second.KnownAt != first.KnownAt || second.ChangeDate != 20_104 || second.ReportRun == first.ReportRun {
			t.Errorf("told again: %+v, first %+v", second, first)
		}
		// Seen from months later the windows no longer reach the change.
		far := event("Aetna", 20_118)
		far.KnownAt = 20_130
		if third := tell(20_200, far); third.ID != first.ID || third.ChangeDate != 20_104 {
			t.Errorf("told from far: %+v", third)
		}
		if other := tell(20_300, event("Aetna", 20_280)); other.ID == first.ID {
			t.Error("a change after the story was last told is another story")
		}
		if other := tell(20_119, event("Cigna", 20_104)); other.ID == first.ID {
			t.Error("another payer's change is another story")
		}
		page := upstream.Page{Size: 2}
		one, err := tenant.Events(ctx, "upstream", page)
		if err != nil || len(one) != 2 || one[0].ID != first.ID {
			t.Fatalf("first page %+v, %v", one, err)
		}
		page.After = one[1].ID
		two, err := tenant.Events(ctx, "upstream", page)
		if err != nil || len(two) != 1 {
			t.Errorf("second page %+v, %v", two, err)
		}
		if none, err := tenant.Events(ctx, "threshold", upstream.Page{}); err != nil || len(none) != 0 {
			t.Errorf("another detector's events %+v, %v", none, err)
		}
	})
}

// tell stores one run with its events and returns them.
func tell(t *testing.T, tenant *Tenant, asOf upstream.Day, events ...upstream.DriftEvent) []upstream.DriftEvent {
	t.Helper()
	run := upstream.ReportRun{Detector: "upstream", AsOf: asOf, StartedAt: now, FinishedAt: now, Status: upstream.RunSuccess}
	if err := tenant.SaveRun(context.Background(), &run, events); err != nil {
		t.Fatal(err)
	}
	return events
}

func listed(t *testing.T, tenant *Tenant) []upstream.DriftEvent {
	t.Helper()
	events, err := tenant.Events(context.Background(), "upstream", upstream.Page{})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestEventComesBackAsItWasStored(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		low, high := upstream.Money(-5), upstream.Money(700)
		full := event("Ünited", 20_100)
		full.BaselineValue, full.CurrentValue, full.DeltaValue = .08125, .172, .09075
		full.BaselineN, full.CurrentN, full.LnEvidence, full.Confidence, full.Severity = 900, 80, 12.5, .999, .25
		full.DollarsPerMonth, full.DollarsLow, full.DollarsHigh = 410_000, &low, &high
		full.RootCauses = []upstream.RootCause{{Dimension: "carc", Value: "CO-197", ShareOfExcess: .8, G: 31}}
		market := event("", 20_100)
		market.Payer, market.CPTGroup, market.Level, market.Tier, market.Direction = nil, nil, upstream.MarketLevel, upstream.Watch, upstream.Better
		told := tell(t, tenant, 20_112, full, market)
		if told[0].ID != 1 || told[1].ID != 2 || told[0].ReportRun != 1 || !told[0].CreatedAt.Equal(now) {
			t.Errorf("ids %d, %d of run %d made %s", told[0].ID, told[1].ID, told[0].ReportRun, told[0].CreatedAt)
		}
		if diff := cmp.Diff(told, listed(t, tenant)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStoryIsKnownSinceTheEarliestDayWhoeverToldItFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		late, early := event("Aetna", 20_100), event("Aetna", 20_100)
		late.KnownAt, early.KnownAt = 20_130, 20_111
		tell(t, tenant, 20_130, late)
		again := tell(t, tenant, 20_120, early) // an earlier as-of date, run later
		if again[0].ID != 1 || again[0].KnownAt != 20_111 {
			t.Errorf("told again: id %d, known %s", again[0].ID, again[0].KnownAt)
		}
		// Told through the later date still: an earlier run takes nothing back.
		if third := tell(t, tenant, 20_140, event("Aetna", 20_131)); third[0].ID != 1 {
			t.Errorf("a change within the told time became story %d", third[0].ID)
		}
	})
}

func TestClosedStoryIsNotToldAgain(t *testing.T) {
	for status, same := range map[upstream.EventStatus]bool{upstream.Acknowledged: true, upstream.Resolved: false, upstream.Noise: false} {
		t.Run(string(status), func(t *testing.T) {
			onBoth(t, func(t *testing.T, s *Store) {
				tenant := customer(t, s, "A")
				tell(t, tenant, 20_112, event("Aetna", 20_100))
				damage(t, tenant, "UPDATE drift_event SET status = '"+string(status)+"' WHERE customer_id = $1")
				if got := listed(t, tenant); got[0].Status != status {
					t.Errorf("listed as %s", got[0].Status)
				}
				again := tell(t, tenant, 20_119, event("Aetna", 20_100))
				if (again[0].ID == 1) != same || same && again[0].Status != status {
					t.Errorf("told again as %d, %s", again[0].ID, again[0].Status)
				}
			})
		})
	}
}

func TestOtherNodeSignalOrDirectionIsAnotherStory(t *testing.T) {
	changes := map[string]func(*upstream.DriftEvent){
		"signal":    func(e *upstream.DriftEvent) { e.Signal = upstream.DecisionTime },
		"direction": func(e *upstream.DriftEvent) { e.Direction = upstream.Better },
		"group":     func(e *upstream.DriftEvent) { e.CPTGroup = nil },
		"payer":     func(e *upstream.DriftEvent) { e.Payer = nil },
	}
	onBoth(t, func(t *testing.T, s *Store) {
		for name, change := range changes {
			tenant := customer(t, s, name)
			tell(t, tenant, 20_112, event("Aetna", 20_100))
			other := event("Aetna", 20_100)
			change(&other)
			if told := tell(t, tenant, 20_112, other); told[0].ID != 2 {
				t.Errorf("another %s is the same story", name)
			}
		}
	})
}

func TestEventsArePagedById(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		var events []upstream.DriftEvent
		for _, payer := range []string{"A", "B", "C", "D", "E", "F", "G"} {
			events = append(events, event(payer, 20_100))
		}
		tell(t, tenant, 20_112, events...)
		var ids []int64
		for page := (upstream.Page{Size: 3}); ; {
			some, err := tenant.Events(context.Background(), "upstream", page)
			if err != nil || len(some) > 3 {
				t.Fatal(len(some), err)
			}
			if len(some) == 0 {
				break
			}
			for _, e := range some {
				ids = append(ids, e.ID)
			}
			page.After = ids[len(ids)-1]
		}
		if diff := cmp.Diff([]int64{1, 2, 3, 4, 5, 6, 7}, ids); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRunThatFailsStoresNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		run := upstream.ReportRun{Detector: "upstream", AsOf: 20_112, StartedAt: now, FinishedAt: now, Status: upstream.RunSuccess}
		if err := tenant.SaveRun(ctx, &run, []upstream.DriftEvent{event("Aetna", 20_100)}); err == nil {
			t.Error("a cancelled run was stored")
		}
		if got := listed(t, tenant); len(got) != 0 {
			t.Errorf("%d events of a run that failed", len(got))
		}
	})
}
