package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"upstream"
)

// later is a further state of a claim, decided on a day.
func later(r *rapid.T, c upstream.Claim, day upstream.Day) upstream.Claim {
	if c.ReceivedDate != 0 {
		c.ReceivedDate = max(c.ReceivedDate, day-1) // of a resubmission
	}
	c.Outcome = rapid.SampledFrom([]upstream.Outcome{upstream.Paid, upstream.Denied, upstream.Adjusted, upstream.Reversed}).Draw(r, "later outcome")
	c.DecidedDate, c.PaymentDate = day, 0
	c.Allowed, c.Paid, c.CARC, c.RARC = 0, 0, "CO-45", ""
	switch c.Outcome {
	case upstream.Denied:
		c.CARC, c.RARC = "CO-29", "N130"
	case upstream.Reversed:
		c.Billed, c.Units = -c.Billed, -c.Units
	default:
		c.Allowed = upstream.Money(rapid.Int64Range(1, 20_000).Draw(r, "later allowed"))
		c.Paid, c.PaymentDate = c.Allowed, day+2
	}
	c.Decide()
	return c
}

// What becomes known later must not show as of an earlier day: neither decision,
// nor correction, nor reversal, whether it is folded or waits.
func TestNoAnswerKnowsTheFuture(t *testing.T) {
	const until = upstream.Day(20_100)
	onBoth(t, func(t *testing.T, s *Store) {
		number := 0
		rapid.Check(t, func(r *rapid.T) {
			number++
			tenant := customer(r, s, fmt.Sprint("customer ", number))
			// One claim a payer stays undecided: where none is, decisions are all
			// that is known, also now.
			var known []upstream.Claim
			for i, payer := range somePayers {
				open := pending(fmt.Sprint("open ", i), 20_000)
				open.Payer = payer
				known = append(known, open)
			}
			claims := rapid.SliceOfN(claimStates(20_000), 1, 40).Draw(r, "claims")
			for _, c := range claims {
				if c.DecidedDate <= until {
					known = append(known, c)
				}
			}
			load(r, tenant, source("known", known...), 0)
			before := readAll(r, tenant, until, FromRollups)
			var future []upstream.Claim
			now := stored(r, tenant)
			for _, c := range known[len(somePayers):] {
				c = now[claimKey{c.ClaimID, int64(c.Line)}]
				for range rapid.IntRange(0, 2).Draw(r, "later states") {
					future = append(future, later(r, c, until+upstream.Day(rapid.IntRange(1, 60).Draw(r, "later day"))))
				}
			}
			// Files come in any order.
			load(r, tenant, source("future", rapid.Permutation(future).Draw(r, "order")...), rapid.IntRange(1, 20).Draw(r, "batch"))
			if rapid.Bool().Draw(r, "fold") {
				if err := tenant.Fold(context.Background()); err != nil {
					r.Fatal(err)
				}
			}
			for _, from := range []From{FromRollups, FromClaims} {
				if diff := cmp.Diff(before, readAll(r, tenant, until, from)); diff != "" {
					r.Fatalf("from %s: before -, now +\n%s", from, diff)
				}
			}
		})
	})
}

// corrected returns a claim that was denied and then paid, and one that was paid
// and then taken back, each in the order of their states.
func correctedClaims() []upstream.Claim {
	overturned := decided("D1", 20_000, 10, upstream.Denied)
	overturned.RARC = "N130"
	overturned.Decide()
	paid := decided("P1", 20_001, 10, upstream.Paid)
	paid.PaymentDate = 20_013
	paid.Decide()
	taken := decided("P1", 20_001, 40, upstream.Reversed)
	taken.Allowed, taken.Paid = 0, 0
	taken.Decide()
	return []upstream.Claim{overturned, paid, decided("D1", 20_000, 30, upstream.Paid), taken}
}

func TestReadersTellWhatFollowedADecision(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		load(t, tenant, source("one", correctedClaims()...), 1)
		consistent(t, tenant)
		d, err := tenant.Decisions(ctx, 20_100, FromRollups)
		if err != nil || len(d.Nodes) != 1 || d.From != 20_010 || !slices.Equal(d.Nodes[0].Decided, []int32{1, 1}) || !slices.Equal(d.Nodes[0].Allowed, []int64{0, 5_000}) {
			t.Errorf("decisions %+v, %v", d, err)
		}
		waits := func(clock upstream.Clock, until upstream.Day) []upstream.Wait {
			t.Helper()
			w, err := tenant.Waits(ctx, until, FromRollups)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range w.Payers {
				if p.Clock == clock {
					return p.Ended
				}
			}
			return nil
		}
		// From is day 20 000, the first submission.
		for _, test := range []struct {
			clock upstream.Clock
			until upstream.Day
			want  []upstream.Wait
		}{
			{upstream.DecisionClock, 20_100, []upstream.Wait{{Start: 0, Lag: 10, Count: 1, Denied: 1}, {Start: 1, Lag: 10, Count: 1}}},
			{upstream.DecisionClock, 20_010, []upstream.Wait{{Start: 0, Lag: 10, Count: 1, Denied: 1}}},
			{upstream.PaymentClock, 20_100, []upstream.Wait{{Start: 11, Lag: 2, Count: 1}}},
			{upstream.OverturnClock, 20_100, []upstream.Wait{{Start: 10, Lag: 20, Count: 1}}},
			{upstream.OverturnClock, 20_029, nil},
			{upstream.TakebackClock, 20_071, []upstream.Wait{{Start: 11, Lag: 60, Count: 1}}},
			{upstream.TakebackClock, 20_070, nil}, // it may still be restored
		} {
			if got := waits(test.clock, test.until); !cmp.Equal(test.want, got) {
				t.Errorf("%s as of %d: %v, want %v", test.clock, test.until, got, test.want)
			}
		}
		// A correction within thirty days restores the payment.
		load(t, tenant, source("two", decided("P1", 20_001, 70, upstream.Adjusted)), 0)
		if got := waits(upstream.TakebackClock, 20_100); got != nil {
			t.Errorf("a restored payment is a takeback: %v", got)
		}
		denials, err := tenant.Denials(ctx, "Aetna", nil, 20_010, 20_010, FromRollups)
		want := &upstream.Denials{
			Values: [upstream.Dimensions][]string{{"Physical therapy"}, {"197"}, {"N130"}, {"North"}, {"97110"}, {""}, {""}},
			Cells:  []upstream.DenialCell{{Day: 20_010, Count: 1}},
		}
		if diff := cmp.Diff(want, denials); diff != "" || err != nil {
			t.Error(diff, err)
		}
		amounts, err := tenant.Amounts(ctx, 20_100, 39, FromRollups)
		if err != nil || len(amounts.Keys) != 1 || len(amounts.Keys[0].Atoms) != 1 || amounts.Keys[0].Atoms[0].Cents != 5_000 || amounts.Keys[0].Atoms[0].Lines != 1 {
			t.Errorf("amounts %+v, %v", amounts, err)
		}
		consistent(t, tenant)
	})
}

// pastRows counts the claims whose past is kept beside them.
func pastRows(t *testing.T, tenant *Tenant) (n int64) {
	t.Helper()
	err := tenant.s.read(context.Background(), func(x tx) (err error) {
		n, err = one(x, "SELECT COUNT(*) FROM claim_past WHERE customer_id = $1", tenant.id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOnlyCorrectedClaimsHaveAPast(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		load(t, tenant, source("one", many(400)...), 50)
		if n := pastRows(t, tenant); n != 0 {
			t.Errorf("%d rows of claims with one state", n)
		}
		load(t, tenant, source("two", correctedClaims()...), 0)
		if n := pastRows(t, tenant); n != 2 {
			t.Errorf("%d rows of two corrected claims", n)
		}
		// What the primary payer says replaces a secondary one's states.
		secondary := correctedClaims()
		for i := range secondary {
			secondary[i].Filing, secondary[i].ClaimID = upstream.Secondary, "S"+secondary[i].ClaimID
		}
		load(t, tenant, source("three", secondary...), 0)
		load(t, tenant, source("four", decided("SP1", 20_001, 10, upstream.Paid)), 0)
		if n := pastRows(t, tenant); n != 3 {
			t.Errorf("%d rows, want 3: one claim has one state again", n)
		}
		consistent(t, tenant)
		if _, err := tenant.DeleteClaims(context.Background(), []string{"D1", "P1", "SD1", "SP1"}); err != nil {
			t.Fatal(err)
		}
		if n := pastRows(t, tenant); n != 0 {
			t.Errorf("%d rows of deleted claims", n)
		}
		consistent(t, tenant)
	})
}

// earlier makes a database as the second migration left it, with the claims of a
// store of today.
func earlier(t *testing.T, url string, from *Store) {
	ctx := context.Background()
	db, err := openEngine(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	old := &Store{db: db}
	all, err := migrations()
	if err == nil {
		err = old.migrateTo(ctx, all[:2])
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []struct{ name, ints, texts, where string }{
		{"customer", "id, created_at, claims, last_claim, data_version", "name", "1 = 1"},
		{"term", "customer_id, kind, id", "value", "kind <= 8"},
		{"upload", "customer_id, id, file_date, checkpoint, rows_read, inserted, date_min, date_max, created_at", "sha256, filename, status", "1 = 1"},
		{"claim", strings.TrimSuffix(claimColumns, ", claim_id, payer_control_number"), "claim_id, payer_control_number", "1 = 1"},
	} {
		ints := strings.Count(table.ints, ",") + 1
		columns := table.ints + ", " + table.texts
		n := strings.Count(columns, ",") + 1
		var rows [][]any
		err := from.read(ctx, func(x tx) error {
			return x.query("SELECT "+columns+" FROM "+table.name+" WHERE "+table.where, nil, func(r row) error {
				values := make([]any, n)
				for i := range values {
					if values[i] = r.int(i); i >= ints {
						values[i] = r.text(i)
					}
				}
				rows = append(rows, values)
				return nil
			})
		})
		if err == nil {
			err = old.db.write(ctx, 0, func(x tx) error {
				return x.execMany("INSERT INTO "+table.name+" ("+columns+") VALUES ("+placeholders(1, n)+")", len(rows), func(i int, p []any) {
					copy(p, rows[i])
					for k := range p {
						if table.name == "claim" && k < claimInts && isDateColumn(k) && p[k] == int64(0) {
							p[k] = nil
						}
					}
				})
			})
		}
		if err != nil {
			t.Fatal(table.name, err)
		}
	}
	if err := db.close(); err != nil {
		t.Fatal(err)
	}
}

// A database of an earlier version has no past of its claims, and rollups that are
// made when it is opened.
func TestDatabaseOfAnEarlierVersionIsBroughtUpToDate(t *testing.T) {
	for _, e := range engines {
		t.Run(e.Name, func(t *testing.T) {
			ctx := context.Background()
			today := open(t, e.URL(t))
			tenant := customer(t, today, "A")
			load(t, tenant, source("one", append(many(300), correctedClaims()...)...), 100)
			url := e.URL(t)
			earlier(t, url, today)
			s := open(t, url)
			tenant, err := s.Tenant(ctx, tenant.id)
			if err != nil {
				t.Fatal(err)
			}
			consistent(t, tenant)
			claims := stored(t, tenant)
			if c := claims[claimKey{"C00000", 1}]; c.FirstAllowed != c.Allowed || c.FirstCARC != c.CARC || c.Outcome != c.FirstOutcome {
				t.Errorf("a claim with one state: %+v", c)
			}
			if c := claims[claimKey{"D1", 1}]; c.FirstAllowed != 0 || c.FirstCARC != "" || c.RepaidDate != 20_030 || c.FirstDecidedDate != 20_010 {
				t.Errorf("an overturned denial: %+v", c)
			}
			if c := claims[claimKey{"P1", 1}]; c.ReversedDate != 20_041 || c.RepaidDate != 0 {
				t.Errorf("a payment taken back: %+v", c)
			}
			// It goes on as any other.
			load(t, tenant, source("two", decided("D9", 20_000, 5, upstream.Denied)), 0)
			consistent(t, tenant)
			data, err := tenant.Customer(ctx)
			if err != nil {
				t.Fatal(err)
			}
			again := open(t, url)
			if k, err := again.Customers(ctx); err != nil || k[0].DataVersion != data.DataVersion {
				t.Errorf("opened once more: %+v, %v; want data version %d: nothing was made again", k, err, data.DataVersion)
			}
		})
	}
}
