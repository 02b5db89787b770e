package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"upstream"
)

// claimStates draws one state of a claim out of few ids, so that states meet.
func claimStates(first upstream.Day) *rapid.Generator[upstream.Claim] {
	return rapid.Custom(func(t *rapid.T) upstream.Claim {
		submitted := first + upstream.Day(rapid.IntRange(0, 80).Draw(t, "submitted"))
		c := pending(fmt.Sprint("C", rapid.IntRange(0, 30).Draw(t, "id")), submitted)
		c.Line = rapid.IntRange(1, 2).Draw(t, "line")
		c.Payer = rapid.SampledFrom([]string{"Aetna", "Cigna", "Medicare"}).Draw(t, "payer")
		c.CPT = rapid.SampledFrom([]string{"97110", "97140", "99213", "70551"}).Draw(t, "cpt")
		c.Filing = rapid.SampledFrom([]upstream.Filing{upstream.Primary, upstream.Primary, upstream.Secondary}).Draw(t, "filing")
		c.Billed = upstream.Money(rapid.Int64Range(-500, 20_000).Draw(t, "billed"))
		outcome := rapid.SampledFrom([]upstream.Outcome{upstream.Pending, upstream.Paid, upstream.Denied, upstream.Adjusted, upstream.Reversed}).Draw(t, "outcome")
		c.ReceivedDate = rapid.SampledFrom([]upstream.Day{0, 0, submitted, submitted + 3, submitted + 70}).Draw(t, "received")
		c.Units = rapid.SampledFrom([]int{1, 1, 2, 3, 0, -1}).Draw(t, "units")
		c.Location = rapid.SampledFrom([]string{"North", "South", ""}).Draw(t, "location")
		c.Modifiers = rapid.SampledFrom([]string{"", "25", "59 LT"}).Draw(t, "modifiers")
		c.PlaceOfService = rapid.SampledFrom([]string{"", "11"}).Draw(t, "place")
		if outcome == upstream.Pending {
			return c
		}
		c.Outcome = outcome
		c.DecidedDate = submitted + upstream.Day(rapid.IntRange(0, 60).Draw(t, "lag"))
		c.CARC = rapid.SampledFrom([]upstream.Codes{"", "CO-197", "PR-197 CO-45", "16"}).Draw(t, "carc")
		c.RARC = rapid.SampledFrom([]upstream.Codes{"", "N130", "N130 MA01"}).Draw(t, "rarc")
		if outcome == upstream.Paid || outcome == upstream.Adjusted {
			c.Allowed = upstream.Money(rapid.Int64Range(0, 20_000).Draw(t, "allowed"))
			c.Paid = c.Allowed / 2
			c.PaymentDate = rapid.SampledFrom([]upstream.Day{0, c.DecidedDate, c.DecidedDate + 3, c.DecidedDate - 1}).Draw(t, "payment")
		}
		c.Decide()
		return c
	})
}

func TestRollupsEqualClaimsWhateverHappens(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		number := 0
		rapid.Check(t, func(r *rapid.T) {
			number++
			tenant := customer(r, s, fmt.Sprint("customer ", number))
			steps := rapid.IntRange(1, 8).Draw(r, "steps")
			for step := range steps {
				doSomething(r, tenant, step)
			}
			consistent(r, tenant)
			sameFromRollupsAndClaims(r, tenant, nil)
			if rapid.Bool().Draw(r, "rebuild") {
				if err := tenant.RebuildRollup(context.Background()); err != nil {
					r.Fatal(err)
				}
				consistent(r, tenant)
				sameFromRollupsAndClaims(r, tenant, nil)
			}
		})
	})
}

func doSomething(r *rapid.T, tenant *Tenant, step int) {
	ctx := context.Background()
	switch rapid.IntRange(0, 5).Draw(r, "what") {
	case 0:
		if err := tenant.Fold(ctx); err != nil {
			r.Fatal(err)
		}
	case 1:
		ids := rapid.SliceOfN(rapid.IntRange(0, 30), 1, 4).Draw(r, "delete")
		var names []string
		for _, id := range ids {
			names = append(names, fmt.Sprint("C", id))
		}
		if _, err := tenant.DeleteClaims(ctx, names); err != nil {
			r.Fatal(err)
		}
	default:
		claims := rapid.SliceOfN(claimStates(20_000), 0, 40).Draw(r, "claims")
		src := source(fmt.Sprint("file ", step), claims...)
		src.FileDate = upstream.Day(20_000 + rapid.IntRange(0, 5).Draw(r, "file date"))
		u := load(r, tenant, src, rapid.IntRange(1, 30).Draw(r, "batch"))
		if u.Read != u.Inserted+u.Updated+u.Unchanged+u.Rejected || u.Read != int64(len(claims)) {
			r.Fatalf("tally %+v of %d claims", u.Tally, len(claims))
		}
	}
}

// answers are what all readers say as of a day.
type answers struct {
	Decisions *upstream.Decisions
	Windows   []upstream.NodeWindow
	Waits     *upstream.Waits
	Amounts   []*upstream.Amounts // of several numbers of weeks
	Denials   map[string]*upstream.Denials
}

var (
	someWeeks  = []int{1, 5, 39}
	somePayers = []string{"Aetna", "Cigna", "Medicare", "nobody"}
)

func readAll(t rapid.TB, tenant *Tenant, asOf upstream.Day, from From) (a answers) {
	t.Helper()
	ctx := context.Background()
	var err, errs error
	a.Decisions, err = tenant.Decisions(ctx, asOf, from)
	errs = errors.Join(errs, err)
	a.Windows, err = tenant.SubmittedWindows(ctx, asOf-60, asOf-14, asOf, from)
	errs = errors.Join(errs, err)
	a.Waits, err = tenant.Waits(ctx, asOf, from)
	errs = errors.Join(errs, err)
	for _, weeks := range someWeeks {
		amounts, err := tenant.Amounts(ctx, asOf, weeks, from)
		errs = errors.Join(errs, err)
		a.Amounts = append(a.Amounts, amounts)
	}
	a.Denials = map[string]*upstream.Denials{}
	for _, payer := range somePayers {
		a.Denials[payer], err = tenant.Denials(ctx, payer, nil, asOf-40, asOf, from)
		errs = errors.Join(errs, err)
	}
	if errs != nil {
		t.Fatal(errs)
	}
	return a
}

// sameFromRollupsAndClaims compares what readers say with the claims; own are the
// customer's procedure groups in force, nil for none.
func sameFromRollupsAndClaims(r *rapid.T, tenant *Tenant, own upstream.CPTGroups) {
	asOf := upstream.Day(20_000 + rapid.IntRange(-5, 200).Draw(r, "as of"))
	fast := readAll(r, tenant, asOf, FromRollups)
	if diff := cmp.Diff(readAll(r, tenant, asOf, FromClaims), fast); diff != "" {
		r.Fatalf("as of %s: claims -, rollups +\n%s", asOf, diff)
	}
	claims := slices.Collect(maps.Values(stored(r, tenant)))
	if diff := cmp.Diff(naiveDecisions(claims, own, asOf), flat(fast.Decisions)); diff != "" {
		r.Fatalf("decisions as of %s: by definition -, read +\n%s", asOf, diff)
	}
	if diff := cmp.Diff(naiveWaits(claims, asOf), fast.Waits); diff != "" {
		r.Fatalf("waits as of %s: by definition -, read +\n%s", asOf, diff)
	}
	for i, weeks := range someWeeks {
		want := naiveAmounts(claims, asOf, weeks)
		want.Groups = own
		if diff := cmp.Diff(want, fast.Amounts[i]); diff != "" {
			r.Fatalf("amounts of %d weeks as of %s: by definition -, read +\n%s", weeks, asOf, diff)
		}
	}
	someGroups(r, tenant, own, claims, asOf, fast.Denials)
	for _, payer := range somePayers {
		if diff := cmp.Diff(naiveDenials(claims, own, payer, asOf-40, asOf), spelled(fast.Denials[payer]), cmp.AllowUnexported(denial{})); diff != "" {
			r.Fatalf("denials of %s as of %s: by definition -, read +\n%s", payer, asOf, diff)
		}
	}
}

func TestDamagedRollupIsFoundAndMended(t *testing.T) {
	tests := []struct {
		sql   string
		wrong []string // kinds
	}{
		{"DELETE FROM rollup WHERE customer_id = $1 AND kind = 1 AND period = 20000", []string{"days"}},
		{"DELETE FROM rollup WHERE customer_id = $1 AND kind = 2 AND period = 625", []string{"series"}},
		{"DELETE FROM rollup WHERE customer_id = $1 AND kind = 3 AND period = 625", []string{"waits"}},
		{"DELETE FROM rollup WHERE customer_id = $1 AND kind = 4 AND period = 625", []string{"aftermath"}},
		{"DELETE FROM rollup WHERE customer_id = $1 AND kind = 5", []string{"amounts"}},
		{"DELETE FROM rollup WHERE customer_id = $1 AND kind = 6", []string{"denials"}},
		{"DELETE FROM rollup WHERE customer_id = $1 AND kind = 7 AND period = 625", []string{"states"}},
		{"UPDATE customer SET claims = claims + 1 WHERE id = $1", nil},
		{"UPDATE claim SET location_id = location_id + 1 WHERE customer_id = $1 AND claim_id = 'C00001'", []string{"denials"}},
		{"UPDATE claim SET submitted_date = submitted_date - 1 WHERE customer_id = $1 AND claim_id = 'C00001'", []string{"days", "waits"}},
		{"UPDATE claim_past SET first_allowed = first_allowed + 100 WHERE customer_id = $1", []string{"days", "series", "amounts"}},
		{"UPDATE claim_past SET repaid_date = 0 WHERE customer_id = $1", []string{"aftermath"}},
		{"DELETE FROM claim WHERE customer_id = $1 AND claim_id = 'C00001'", []string{"days", "series", "waits", "aftermath", "denials", "states"}},
	}
	onBoth(t, func(t *testing.T, s *Store) {
		for i, test := range tests {
			tenant := customer(t, s, fmt.Sprint("customer ", i))
			claims := many(300)
			claims[0].ClaimID, claims[1].ClaimID = "C00000", "C00001" // paid and denied
			load(t, tenant, source("one", append(claims, correctedClaims()...)...), 50)
			if err := tenant.Fold(context.Background()); err != nil {
				t.Fatal(err)
			}
			consistent(t, tenant)
			damage(t, tenant, test.sql)
			check, err := tenant.VerifyRollup(context.Background())
			var wrong []string
			for _, k := range check.Kinds {
				if k.Wrong > 0 {
					wrong = append(wrong, k.Kind)
				}
			}
			if err != nil || check.OK() || !slices.Equal(wrong, test.wrong) {
				t.Errorf("after %s: %+v, %v; want wrong %v", test.sql, check, err, test.wrong)
			}
			if err := tenant.RebuildRollup(context.Background()); err != nil {
				t.Fatal(err)
			}
			consistent(t, tenant)
		}
	})
}

func TestRollupThatCannotBeReadIsMended(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		for i, sql := range []string{
			"UPDATE rollup SET cells = (SELECT cells FROM rollup WHERE customer_id = $1 AND kind = 1 AND period = 20001) WHERE customer_id = $1 AND kind = 1 AND period = 20000",
			"UPDATE rollup SET cells = (SELECT cells FROM rollup WHERE customer_id = $1 AND kind = 1 AND period = 20001) WHERE customer_id = $1 AND kind = 5",
			"UPDATE rollup SET part = part + 7 WHERE customer_id = $1 AND kind = 6",
		} {
			tenant := customer(t, s, fmt.Sprint("customer ", i))
			load(t, tenant, source("one", many(300)...), 50)
			damage(t, tenant, sql)
			if check, err := tenant.VerifyRollup(context.Background()); upstream.ErrorCode(err) != upstream.Corrupt {
				t.Errorf("after %s: %+v, %v", sql, check, err)
			}
			if err := tenant.RebuildRollup(context.Background()); err != nil {
				t.Fatal(err)
			}
			consistent(t, tenant)
		}
	})
}

// someGroups compares the denials of some CPT groups, one of which the payer doesn't
// have, with those of the definition.
func someGroups(r *rapid.T, tenant *Tenant, own upstream.CPTGroups, claims []upstream.Claim, asOf upstream.Day, all map[string]*upstream.Denials) {
	for payer, denials := range all {
		groups := []string{"no such group"}
		for _, group := range denials.Values[upstream.ByGroup] {
			if rapid.Bool().Draw(r, group) {
				groups = append(groups, group)
			}
		}
		want := naiveDenials(claims, own, payer, asOf-40, asOf)
		maps.DeleteFunc(want, func(d denial, _ int32) bool { return !slices.Contains(groups, d.values[upstream.ByGroup]) })
		for _, from := range []From{FromRollups, FromClaims} {
			its, err := tenant.Denials(context.Background(), payer, groups, asOf-40, asOf, from)
			if err != nil {
				r.Fatal(err)
			}
			if diff := cmp.Diff(want, spelled(its), cmp.AllowUnexported(denial{})); diff != "" {
				r.Fatalf("denials of %s, %q, from %s: by definition -, read +\n%s", payer, groups, from, diff)
			}
		}
	}
}

// An amounts rollup that no fold wrote is refused, and no reader panics.
func TestAmountsThatAreNoneAreRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		load(t, tenant, source("one", many(300)...), 300)
		week := weekOf(20_100)
		period := int32(week >> amountWeekBits)
		for name, k := range map[string]key{
			"a week outside its period": {1, period, 1, 1, 1, 1, 100, 40},
			"a week before all":         {1, period, 1, 1, 1, 1, 100, -1},
			"a payer not in the terms":  {900, period, 1, 1, 1, 1, 100, 3},
			"a code not in the terms":   {1, period, 900, 1, 1, 1, 100, int32(week & 15)},
		} {
			err := s.write(t.Context(), tenant.id, func(x tx) error {
				if _, err := x.exec("DELETE FROM rollup WHERE customer_id = $1 AND kind = $2 AND (part = 900 OR period = $3)", tenant.id, amountKind.id, int64(period)); err != nil {
					return err
				}
				return tenant.putBlob(x, amountKind, amountKind.bucket(&k), []cell{{k, sum{1}}})
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tenant.Amounts(t.Context(), 20_100, 52, FromRollups); upstream.ErrorCode(err) != upstream.Corrupt {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
