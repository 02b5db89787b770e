package store

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"upstream"
)

// evidence returns the claim ids of an event, read a page at a time.
func evidence(t *testing.T, tenant *Tenant, e *upstream.DriftEvent, size int) []string {
	t.Helper()
	ids, page := []string{}, upstream.Page{Size: size}
	for {
		claims, err := tenant.EventClaims(context.Background(), e, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range claims {
			ids = append(ids, c.ClaimID)
		}
		if len(claims) < size {
			return ids
		}
		page.After.ID = claims[len(claims)-1].ID
	}
}

// remember gives a claim the past that goes with its state.
func remember(c *upstream.Claim) {
	switch {
	case c.Outcome == c.FirstOutcome && c.DecidedDate == c.FirstDecidedDate:
		c.Decide()
	case c.Outcome == upstream.Reversed:
		c.ReversedDate = c.DecidedDate
	default:
		c.RepaidDate = c.DecidedDate
	}
}

func TestClaimsOfAnEventAreThoseThatProveIt(t *testing.T) {
	with := func(c upstream.Claim, change func(*upstream.Claim)) upstream.Claim {
		change(&c)
		return c
	}
	later := func(o upstream.Outcome, d upstream.Day) func(*upstream.Claim) {
		return func(c *upstream.Claim) { c.Outcome, c.DecidedDate = o, d }
	}
	base := upstream.DriftEvent{
		Payer: new("Aetna"), BaselineFirst: 19_900, BaselineLast: 19_999, CurrentFirst: 20_000, CurrentLast: 20_050,
	}
	const denied, paid = upstream.Denied, upstream.Paid
	tests := []struct {
		name   string
		event  func(*upstream.DriftEvent)
		claims []upstream.Claim
		want   []string // newest first
	}{
		{
			"denials of a payer", func(e *upstream.DriftEvent) { e.Signal = upstream.DenialRate },
			[]upstream.Claim{
				decided("first day", 19_990, 10, denied), decided("day before", 19_990, 9, denied), decided("last day", 20_040, 10, denied),
				decided("day after", 20_040, 11, denied), decided("paid", 20_000, 5, paid), pending("pending", 20_010),
				with(decided("other payer", 20_000, 5, denied), func(c *upstream.Claim) { c.Payer = "Cigna" }),
				with(decided("other group", 20_000, 5, denied), func(c *upstream.Claim) { c.CPT = "99213" }),
				with(decided("second payer", 20_000, 5, denied), func(c *upstream.Claim) { c.Filing = upstream.Secondary }),
				with(decided("overturned", 20_000, 6, denied), later(paid, 20_030)),
			},
			[]string{"last day", "overturned", "other group", "first day"},
		},
		{
			"denials of a group", func(e *upstream.DriftEvent) {
				e.Signal, e.CPTGroup = upstream.DenialRate, new(upstream.CPTGroup("97110"))
			},
			[]upstream.Claim{
				decided("own", 20_000, 5, denied), with(decided("other group", 20_000, 5, denied), func(c *upstream.Claim) { c.CPT = "99213" }),
			},
			[]string{"own"},
		},
		{
			"denials of the market", func(e *upstream.DriftEvent) { e.Signal, e.Payer = upstream.DenialRate, nil },
			[]upstream.Claim{
				decided("Aetna's", 20_000, 5, denied), with(decided("Cigna's", 20_000, 5, denied), func(c *upstream.Claim) { c.Payer = "Cigna" }),
				decided("paid", 20_000, 5, paid),
			},
			[]string{"Cigna's", "Aetna's"},
		},
		{
			"decisions", func(e *upstream.DriftEvent) {
				e.Signal, e.Clock, e.BaselineValue = upstream.DecisionTime, upstream.DecisionClock, 7
			},
			[]upstream.Claim{
				decided("late", 20_000, 15, paid), decided("denied late", 20_000, 20, denied), decided("in time", 20_000, 14, paid),
				decided("late before", 19_980, 19, paid), pending("overdue", 20_035), pending("waits", 20_036), pending("forgotten", 19_000),
				decided("still open then", 20_030, 30, paid),
			},
			[]string{"still open then", "overdue", "late", "denied late"},
		},
		{
			"payments", func(e *upstream.DriftEvent) {
				e.Signal, e.Clock, e.BaselineValue = upstream.DecisionTime, upstream.PaymentClock, 1.5
			},
			[]upstream.Claim{
				with(decided("late", 19_990, 5, paid), func(c *upstream.Claim) { c.PaymentDate = 20_010 }),
				with(decided("in time", 20_000, 5, paid), func(c *upstream.Claim) { c.PaymentDate = 20_008 }),
				decided("not paid yet", 20_000, 5, paid), decided("denied", 20_000, 5, denied),
			},
			[]string{"not paid yet", "late"},
		},
		{
			"allowed amounts", func(e *upstream.DriftEvent) {
				e.Signal = upstream.AllowedAmount
				e.Codes = []upstream.CodeChange{{CPT: "97110", Location: "North", Before: 5_100, After: 5_000, Since: 20_005}}
			},
			[]upstream.Claim{
				decided("below", 20_000, 5, paid), decided("before", 20_000, 4, paid), decided("denied", 20_000, 6, denied),
				with(decided("at the rate", 20_000, 6, paid), func(c *upstream.Claim) { c.Allowed = 5_070 }),
				with(decided("two units below", 20_000, 6, paid), func(c *upstream.Claim) { c.Allowed, c.Units = 10_000, 2 }),
				with(decided("two units", 20_000, 6, paid), func(c *upstream.Claim) { c.Allowed, c.Units = 10_200, 2 }),
				with(decided("elsewhere", 20_000, 6, paid), func(c *upstream.Claim) { c.Location = "South" }),
				with(decided("other code", 20_000, 6, paid), func(c *upstream.Claim) { c.CPT = "97112" }),
			},
			[]string{"two units below", "below"},
		},
		{
			"takebacks", func(e *upstream.DriftEvent) { e.Signal = upstream.Takeback },
			[]upstream.Claim{
				with(decided("taken back", 19_900, 5, paid), later(upstream.Reversed, 20_020)),
				with(decided("before", 19_900, 5, paid), later(upstream.Reversed, 19_999)),
				with(decided("after", 19_900, 5, paid), later(upstream.Reversed, 20_051)), decided("paid", 20_000, 5, paid),
			},
			[]string{"taken back"},
		},
		{
			"overturns", func(e *upstream.DriftEvent) { e.Signal = upstream.Overturn },
			[]upstream.Claim{
				decided("stands", 20_000, 5, denied), with(decided("overturned", 20_000, 6, denied), later(paid, 20_030)),
				with(decided("overturned since", 20_000, 7, denied), later(paid, 20_060)), decided("before", 19_980, 5, denied),
			},
			[]string{"overturned since", "stands"},
		},
	}
	onBoth(t, func(t *testing.T, s *Store) {
		for _, test := range tests {
			tenant := customer(t, s, test.name)
			claims := slices.Clone(test.claims)
			for i := range claims {
				remember(&claims[i])
			}
			load(t, tenant, source("claims", claims...), 0)
			e := base
			test.event(&e)
			for _, size := range []int{1, 2, 50} {
				got := evidence(t, tenant, &e, size)
				// Those that no index orders by day come in the order of loading,
				// which is by claim id in a batch.
				want := slices.Clone(test.want)
				if e.Payer == nil || e.Signal != upstream.DenialRate && e.Signal != upstream.Overturn {
					slices.Sort(want)
					slices.Reverse(want)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s, pages of %d (-want +got):\n%s", test.name, size, diff)
				}
			}
		}
	})
}

func TestClaimsOfAnEventNoNodeHasAreNone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		load(t, tenant, source("one", many(200)...), 0)
		for _, e := range []upstream.DriftEvent{
			{Signal: upstream.DenialRate, Payer: new("Nobody"), CurrentLast: 30_000},
			{Signal: upstream.DenialRate, Payer: new("Aetna"), CPTGroup: new("No group"), CurrentLast: 30_000},
			{Signal: upstream.AllowedAmount, Payer: new("Aetna"), CurrentLast: 30_000},
			{Signal: "UNHEARD_OF", Payer: new("Aetna"), CurrentLast: 30_000},
		} {
			if got := evidence(t, tenant, &e, 10); len(got) != 0 {
				t.Errorf("%+v: %v", e, got)
			}
		}
		e := upstream.DriftEvent{Signal: upstream.DenialRate, Payer: new("Aetna"), CurrentLast: 30_000}
		if _, err := tenant.EventClaims(context.Background(), &e, upstream.Page{After: upstream.Key{ID: 9999}}); upstream.ErrorCode(err) != upstream.NotFound {
			t.Errorf("a page after no claim: %v", err)
		}
	})
}

func TestClaimsOfAnEventAreListedOnceAndAll(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		load(t, tenant, source("one", many(1000)...), 0)
		e := upstream.DriftEvent{Signal: upstream.DenialRate, Payer: new("Aetna"), CurrentFirst: 20_000, CurrentLast: 20_100}
		got := evidence(t, tenant, &e, 7)
		slices.Sort(got)
		if n := len(slices.Compact(slices.Clone(got))); n != 250 || len(got) != 250 {
			t.Errorf("%d claims, %d of them different; want 250: %s", len(got), n, fmt.Sprint(got[:min(5, len(got))]))
		}
	})
}

func TestLinesOfClaimsAreTheCustomersOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a, b := customer(t, s, "A"), customer(t, s, "B")
		var claims []upstream.Claim
		for i := range 2*lineChunk + 10 {
			c := pending(fmt.Sprint("claim ", i), 20_000)
			claims = append(claims, c)
			c.Line = 2
			claims = append(claims, c)
		}
		load(t, a, source("a", claims...), 0)
		load(t, b, source("b", pending("of B", 20_000), claims[0]), 0)
		ids := func(x *Tenant, names ...string) []int64 {
			got, err := x.LinesOf(t.Context(), names)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		all := []string{"claim 0"}
		for i := range claims {
			all = append(all, claims[i].ClaimID)
		}
		if got := ids(a, all...); len(got) != len(claims) || got[0] != 1 || got[len(got)-1] != int64(len(claims)) {
			t.Errorf("%d ids of %d lines", len(got), len(claims))
		}
		if got := ids(b, "claim 0", "claim 1", "of B"); len(got) != 2 {
			t.Errorf("B has lines %v", got)
		}
		if got := ids(a, "of B", "nobody's"); len(got) != 0 {
			t.Errorf("A sees lines %v of B", got)
		}
		if got := ids(a); got != nil {
			t.Errorf("lines of no claims: %v", got)
		}
	})
}
