package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"upstream"
)

func TestFirstCustomerIsOneAndNamesAreUnique(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		a, err := s.CreateCustomer(ctx, "  North   Clinic ", now)
		if err != nil || a.ID != 1 || a.Name != "North Clinic" {
			t.Fatalf("first customer %+v, %v", a, err)
		}
		if _, err := s.CreateCustomer(ctx, "North Clinic", now); upstream.ErrorCode(err) != upstream.Conflict {
			t.Errorf("same name: %v, want a conflict", err)
		}
		for _, name := range []string{"", "  ", "a\x00b", string(make([]byte, 300))} {
			if _, err := s.CreateCustomer(ctx, name, now); upstream.ErrorCode(err) != upstream.Invalid {
				t.Errorf("name of %d bytes: %v, want invalid", len(name), err)
			}
		}
		b, err := s.CreateCustomer(ctx, "South", now)
		if err != nil || b.ID != 2 {
			t.Fatalf("second customer %+v, %v", b, err)
		}
		all, err := s.Customers(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]upstream.Customer{a, b}, all); diff != "" {
			t.Error(diff)
		}
		if _, err := s.Tenant(ctx, 3); upstream.ErrorCode(err) != upstream.NotFound {
			t.Errorf("customer 3: %v, want not found", err)
		}
	})
}

func TestLoadCountsWhatBecameOfEachRow(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		second := decided("A1", 20_000, 5, upstream.Paid)
		second.Line = 2
		u := load(t, tenant, source("one",
			decided("A1", 20_000, 5, upstream.Denied), second, pending("A2", 20_001),
			decided("A1", 20_000, 5, upstream.Denied), // again: unchanged
			decided("A1", 20_000, 9, upstream.Paid),   // overturned
		), 0)
		want := upstream.Tally{Read: 5, Inserted: 3, Updated: 1, Unchanged: 1}
		if u.Tally != want || u.Status != upstream.UploadSuccess || u.DateMin != 20_000 || u.DateMax != 20_001 {
			t.Errorf("upload %+v, want %+v", u, want)
		}
		u = load(t, tenant, source("two", decided("A2", 20_001, 7, upstream.Paid), pending("A1", 20_000), decided("A3", 20_002, 1, upstream.Adjusted)), 1)
		want = upstream.Tally{Read: 3, Inserted: 1, Updated: 1, Unchanged: 1}
		if u.Tally != want {
			t.Errorf("second upload %+v, want %+v", u.Tally, want)
		}
		c, err := tenant.Customer(context.Background())
		if err != nil || c.Claims != 4 {
			t.Errorf("customer %+v, %v; want 4 claims", c, err)
		}
		claim := stored(t, tenant)[claimKey{"A1", 1}]
		if claim.FirstOutcome != upstream.Denied || claim.FirstDecidedDate != 20_005 || claim.Outcome != upstream.Paid || claim.DecidedDate != 20_009 {
			t.Errorf("overturned claim %+v", claim)
		}
		if claim := stored(t, tenant)[claimKey{"A2", 1}]; claim.FirstDecidedDate != 20_008 || claim.FirstOutcome != upstream.Paid {
			t.Errorf("claim decided later %+v", claim)
		}
		consistent(t, tenant)
	})
}

func TestEveryFieldOfAClaimComesBack(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		full := upstream.Claim{
			ClaimID: "Ünïcode-1", Line: 3, Filing: upstream.Secondary, Payer: "Aetna", CPT: "J0131", Modifiers: "25 59", Units: 4,
			PlaceOfService: "11", Location: "North", ServiceDate: 19_990, SubmittedDate: 20_000, ReceivedDate: 20_001,
			FirstDecidedDate: 20_005, DecidedDate: 20_005, PaymentDate: 20_006, Outcome: upstream.Reversed, FirstOutcome: upstream.Reversed,
			Billed: -12_345, Allowed: 1 << 40, Paid: -1, CARC: "CO-45 PR-1", RARC: "N130", PayerControlNumber: "PCN/1", Upload: 1, Row: 1,
			FirstAllowed: 77, FirstCARC: "CO-197", FirstRARC: "MA01", FirstPaymentDate: 20_005, ReversedDate: 20_007, RepaidDate: 20_009,
		}
		empty := upstream.Claim{ClaimID: "E", Payer: "B", CPT: "99213", SubmittedDate: 20_000, Outcome: upstream.Pending, FirstOutcome: upstream.Pending, Upload: 1, Row: 2}
		load(t, tenant, source("one", full, empty), 0)
		want := map[claimKey]upstream.Claim{{"Ünïcode-1", 3}: full, {"E", 0}: empty}
		if diff := cmp.Diff(want, stored(t, tenant)); diff != "" {
			t.Error(diff)
		}
		consistent(t, tenant)
	})
}

func TestSameBytesAreReadOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		first := load(t, tenant, source("one", decided("A1", 20_000, 5, upstream.Paid)), 0)
		again := source("one")
		again.Next = func(*upstream.Claim) (*upstream.Reject, error) {
			t.Error("the source was read again")
			return nil, io.EOF
		}
		if u := load(t, tenant, again, 0); u != first {
			t.Errorf("second load %+v, first %+v", u, first)
		}
		if other := load(t, customer(t, s, "B"), source("one", decided("A1", 20_000, 5, upstream.Paid)), 0); other.Inserted != 1 {
			t.Errorf("another customer's upload of the same bytes %+v", other)
		}
	})
}

func TestRejectsAreKeptWithTheirPlace(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		rows := 0
		src := source("one")
		src.Next = func(c *upstream.Claim) (*upstream.Reject, error) {
			rows++
			switch rows {
			case 2, 4:
				return &upstream.Reject{Column: "paid", ValueClass: "text", Reason: "not an amount"}, nil
			case 6:
				return nil, io.EOF
			}
			*c = decided(fmt.Sprint("A", rows), 20_000, 1, upstream.Paid)
			return nil, nil
		}
		u := load(t, tenant, src, 2)
		if want := (upstream.Tally{Read: 5, Inserted: 3, Rejected: 2}); u.Tally != want {
			t.Errorf("tally %+v, want %+v", u.Tally, want)
		}
		got, err := tenant.Rejects(context.Background(), u.ID, upstream.Page{})
		want := []upstream.Reject{{Row: 2, Column: "paid", ValueClass: "text", Reason: "not an amount"}, {Row: 4, Column: "paid", ValueClass: "text", Reason: "not an amount"}}
		if diff := cmp.Diff(want, got.Items); diff != "" || err != nil || got.Count.N != 2 {
			t.Error(diff, err)
		}
	})
}

// many returns n claims with ids in no order.
func many(n int) []upstream.Claim {
	claims := make([]upstream.Claim, n)
	for i := range claims {
		outcome := []upstream.Outcome{upstream.Paid, upstream.Denied, upstream.Paid, upstream.Adjusted}[i%4]
		claims[i] = decided(fmt.Sprintf("C%05d", i*7919%n), upstream.Day(20_000+i%50), upstream.Day(i%20), outcome)
		claims[i].CPT = []string{"97110", "99213", "70551"}[i%3]
	}
	return claims
}

func TestLoadThatWasCutOffGoesOnWhereItWas(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		for _, cutAt := range []int{0, 1, 99, 100, 101, 555, 999} {
			tenant := customer(t, s, fmt.Sprint("cut at ", cutAt))
			broken := errors.New("the disk is gone")
			src := source("one", many(1000)...)
			whole, rows := src.Next, 0
			src.Next = func(c *upstream.Claim) (*upstream.Reject, error) {
				if rows == cutAt {
					return nil, broken
				}
				rows++
				return whole(c)
			}
			u, err := tenant.Load(context.Background(), src, LoadOptions{BatchRows: 20, Now: now})
			if !errors.Is(err, broken) || u.Status != upstream.UploadFailed || u.Read > int64(cutAt) || int64(cutAt)-u.Read > 100 {
				t.Fatalf("cut at %d: %+v, %v", cutAt, u, err)
			}
			consistent(t, tenant)
			if u = load(t, tenant, source("one", many(1000)...), 20); u.Read != 1000 || u.Inserted != 1000 || u.Status != upstream.UploadSuccess {
				t.Errorf("cut at %d, continued: %+v", cutAt, u)
			}
			consistent(t, tenant)
		}
	})
}

func TestSkipPassesOverWhatIsDone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		ctx, cancel := context.WithCancel(context.Background())
		_, err := tenant.Load(ctx, source("one", many(500)...), LoadOptions{BatchRows: 50, Now: now, Progress: func(int64) { cancel() }})
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		claims, skipped := many(500), int64(0)
		src := source("one")
		src.Skip = func(n int64) error {
			skipped = n
			claims = claims[n:]
			return nil
		}
		src.Next = func(c *upstream.Claim) (*upstream.Reject, error) {
			if len(claims) == 0 {
				return nil, io.EOF
			}
			*c, claims = claims[0], claims[1:]
			return nil, nil
		}
		if u := load(t, tenant, src, 50); u.Inserted != 500 || skipped == 0 {
			t.Errorf("%d skipped, upload %+v", skipped, u)
		}
		consistent(t, tenant)
	})
}

func TestWritersOfOneCustomerTakeTurns(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		var wg sync.WaitGroup
		for file := range 4 {
			wg.Go(func() {
				// The files overlap: half of each is in the next one too.
				claims := many(1200)[file*200 : file*200+400]
				if _, err := tenant.Load(context.Background(), source(fmt.Sprint("file ", file), claims...), LoadOptions{BatchRows: 10, Now: now}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		consistent(t, tenant)
		if c, err := tenant.Customer(context.Background()); err != nil || c.Claims != 1000 {
			t.Errorf("%+v, %v; want 1000 claims", c, err)
		}
	})
}

func TestOneFileLoadedTwiceAtOnceCountsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				_, err := tenant.Load(context.Background(), source("one", many(600)...), LoadOptions{BatchRows: 10, Now: now})
				if err != nil && upstream.ErrorCode(err) != upstream.Conflict {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		u := load(t, tenant, source("one", many(600)...), 10)
		if u.Read != 600 || u.Inserted != 600 {
			t.Errorf("upload %+v", u)
		}
		consistent(t, tenant)
	})
}

func TestNothingCrossesCustomers(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		a, b := customer(t, s, "A"), customer(t, s, "B")
		load(t, a, source("one", many(200)...), 0)
		load(t, b, source("two", decided("C00001", 20_300, 2, upstream.Denied)), 0)
		if got := stored(t, b); len(got) != 1 {
			t.Errorf("B has %d claims", len(got))
		}
		d, err := b.Decisions(ctx, 30_000, FromRollups)
		if err != nil || len(d.Nodes) != 1 || d.From != 20_302 || d.To != 20_302 {
			t.Errorf("B's decisions %+v, %v", d, err)
		}
		if _, err := b.Upload(ctx, "sha of one"); upstream.ErrorCode(err) != upstream.NotFound {
			t.Errorf("A's upload seen from B: %v", err)
		}
		all := event("Aetna", 20_100)
		all.CPTGroup, all.CurrentFirst, all.CurrentLast = nil, 1, 30_000
		if claims, err := b.EventClaims(ctx, &all, upstream.Page{}); err != nil || len(claims) != 1 || claims[0].ClaimID != "C00001" {
			t.Errorf("B's claims %v, %v", claims, err)
		}
		run := upstream.ReportRun{Detector: "upstream", AsOf: 20_400, StartedAt: now, FinishedAt: now, Status: upstream.RunSuccess}
		if err := a.SaveRun(ctx, &run, []upstream.DriftEvent{event("Aetna", 20_100)}, 0); err != nil {
			t.Fatal(err)
		}
		if events, err := b.Events(ctx, EventFilter{}, upstream.Page{}); err != nil || len(events.Items) != 0 || events.Count.N != 0 {
			t.Errorf("A's events seen from B: %v, %v", events, err)
		}
		if err := b.RebuildRollup(ctx); err != nil {
			t.Fatal(err)
		}
		if n, err := b.DeleteClaims(ctx, []string{"C00001", "C00002"}); n != 1 || err != nil {
			t.Errorf("%d deleted, %v", n, err)
		}
		if len(stored(t, a)) != 200 {
			t.Error("B's deletion reached A")
		}
		consistent(t, a)
		consistent(t, b)
	})
}

func event(payer string, change upstream.Day) upstream.DriftEvent {
	group := "Physical therapy"
	return upstream.DriftEvent{
		Signal: upstream.DenialRate, Payer: &payer, CPTGroup: &group, Level: upstream.GroupLevel, Tier: upstream.Alert,
		Status: upstream.Open, Direction: upstream.Worse, ChangeDate: change, ChangeDateLow: change - 3, ChangeDateHigh: change + 3, KnownAt: change + 10,
		RootCauses: []upstream.RootCause{}, SampleClaimIDs: []string{"A1"},
	}
}
