package store

import (
	"context"
	"fmt"
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
		if outcome == upstream.Pending {
			return c
		}
		c.Outcome, c.FirstOutcome = outcome, outcome
		c.DecidedDate = submitted + upstream.Day(rapid.IntRange(0, 60).Draw(t, "lag"))
		c.FirstDecidedDate = c.DecidedDate
		if outcome == upstream.Paid {
			c.Allowed = upstream.Money(rapid.Int64Range(0, 20_000).Draw(t, "allowed"))
			c.Paid = c.Allowed / 2
		}
		return c
	})
}

func TestRollupsEqualClaimsWhateverHappens(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		number := 0
		rapid.Check(t, func(r *rapid.T) {
			number++
			tenant := customer(t, s, fmt.Sprint("customer ", number))
			steps := rapid.IntRange(1, 8).Draw(r, "steps")
			for step := range steps {
				doSomething(t, r, tenant, step)
			}
			consistent(t, tenant)
			sameFromRollupsAndClaims(t, r, tenant)
			if rapid.Bool().Draw(r, "rebuild") {
				if err := tenant.RebuildRollup(context.Background()); err != nil {
					t.Fatal(err)
				}
				consistent(t, tenant)
				sameFromRollupsAndClaims(t, r, tenant)
			}
		})
	})
}

func doSomething(t *testing.T, r *rapid.T, tenant *Tenant, step int) {
	ctx := context.Background()
	switch rapid.IntRange(0, 5).Draw(r, "what") {
	case 0:
		if err := tenant.Fold(ctx); err != nil {
			t.Fatal(err)
		}
	case 1:
		ids := rapid.SliceOfN(rapid.IntRange(0, 30), 1, 4).Draw(r, "delete")
		var names []string
		for _, id := range ids {
			names = append(names, fmt.Sprint("C", id))
		}
		if _, err := tenant.DeleteClaims(ctx, names); err != nil {
			t.Fatal(err)
		}
	default:
		claims := rapid.SliceOfN(claimStates(20_000), 0, 40).Draw(r, "claims")
		src := source(fmt.Sprint("file ", step), claims...)
		src.FileDate = upstream.Day(20_000 + rapid.IntRange(0, 5).Draw(r, "file date"))
		u := load(t, tenant, src, rapid.IntRange(1, 30).Draw(r, "batch"))
		if u.Read != u.Inserted+u.Updated+u.Unchanged+u.Rejected || u.Read != int64(len(claims)) {
			t.Fatalf("tally %+v of %d claims", u.Tally, len(claims))
		}
	}
}

func sameFromRollupsAndClaims(t *testing.T, r *rapid.T, tenant *Tenant) {
	ctx := context.Background()
	asOf := upstream.Day(20_000 + rapid.IntRange(-5, 200).Draw(r, "as of"))
	fast, err := tenant.Decisions(ctx, asOf, FromRollups)
	if err != nil {
		t.Fatal(err)
	}
	slow, err := tenant.Decisions(ctx, asOf, FromClaims)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slow, fast); diff != "" {
		t.Fatalf("decisions until %s: claims -, rollups +\n%s", asOf, diff)
	}
	windowFast, err := tenant.SubmittedWindows(ctx, asOf-60, asOf-14, asOf, FromRollups)
	if err != nil {
		t.Fatal(err)
	}
	windowSlow, err := tenant.SubmittedWindows(ctx, asOf-60, asOf-14, asOf, FromClaims)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(windowSlow, windowFast); diff != "" {
		t.Fatalf("windows as of %s: claims -, rollups +\n%s", asOf, diff)
	}
}

// The order in which files arrive changes neither the first decision nor the
// current state of a claim.
func TestOrderOfFilesDoesNotMatter(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		number := 0
		rapid.Check(t, func(r *rapid.T) {
			// Days differ, so that no state ties with another.
			days := rapid.Permutation([]upstream.Day{1, 2, 3, 4, 5, 6}).Draw(r, "order")
			outcomes := map[upstream.Day]upstream.Outcome{
				1: upstream.Denied, 2: upstream.Paid, 3: upstream.Reversed, 4: upstream.Denied, 5: upstream.Adjusted, 6: upstream.Paid,
			}
			number++
			tenant := customer(t, s, fmt.Sprint("customer ", number))
			for i, lag := range days {
				load(t, tenant, source(fmt.Sprint("file ", i), decided("C1", 20_000, lag, outcomes[lag]), pending("C1", 20_000)), 0)
			}
			c := stored(t, tenant)[claimKey{"C1", 1}]
			if c.FirstDecidedDate != 20_001 || c.FirstOutcome != upstream.Denied || c.DecidedDate != 20_006 || c.Outcome != upstream.Paid {
				t.Fatalf("order %v: %+v", days, c)
			}
			consistent(t, tenant)
		})
	})
}

func TestDamagedRollupIsFoundAndMended(t *testing.T) {
	damages := []string{
		"DELETE FROM rollup_day WHERE customer_id = $1 AND day = 20000",
		"DELETE FROM rollup_series WHERE customer_id = $1 AND period = 625",
		"UPDATE rollup_day SET cells = (SELECT cells FROM rollup_day WHERE customer_id = $1 AND day = 20001) WHERE customer_id = $1 AND day = 20000",
		"UPDATE customer SET claims = claims + 1 WHERE id = $1",
		"DELETE FROM claim WHERE customer_id = $1 AND claim_id = 'C00007'",
	}
	onBoth(t, func(t *testing.T, s *Store) {
		for i, damage := range damages {
			tenant := customer(t, s, fmt.Sprint("customer ", i))
			load(t, tenant, source("one", many(300)...), 50)
			if err := tenant.Fold(context.Background()); err != nil {
				t.Fatal(err)
			}
			consistent(t, tenant)
			err := s.write(context.Background(), tenant.id, func(x tx) error {
				n, err := x.exec(damage, tenant.id)
				if n == 0 {
					t.Errorf("%s damaged nothing", damage)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if check, err := tenant.VerifyRollup(context.Background()); err != nil || check.OK() {
				t.Errorf("after %s: %+v, %v", damage, check, err)
			}
			if err := tenant.RebuildRollup(context.Background()); err != nil {
				t.Fatal(err)
			}
			consistent(t, tenant)
		}
	})
}

func TestBlobsComeBackAsTheyWere(t *testing.T) {
	small := rapid.Int64Range(-1<<40, 1<<40)
	rapid.Check(t, func(r *rapid.T) {
		cells := combine(rapid.SliceOf(rapid.Custom(func(r *rapid.T) cell {
			return cell{
				cellKey{
					rapid.Int32Range(0, 40_000).Draw(r, "day"), rapid.Uint32().Draw(r, "payer"), rapid.Uint32Range(0, 5).Draw(r, "group"),
					rapid.Int32Range(noLag, 4000).Draw(r, "lag"), rapid.Uint8().Draw(r, "class"),
				},
				cellSum{rapid.Int64Range(-3, 3).Draw(r, "count"), small.Draw(r, "billed"), small.Draw(r, "allowed"), small.Draw(r, "paid")},
			}
		})).Draw(r, "cells"))
		var back []cell
		if err := decodeCells(encodeCells(cells), func(c cell) { back = append(back, c) }); err != nil || !equal(cells, back) {
			t.Fatalf("%v\n%v\n%v", err, cells, back)
		}
		points := combinePoints(rapid.SliceOf(rapid.Custom(func(r *rapid.T) point {
			return point{rapid.Uint32().Draw(r, "payer"), rapid.Uint32Range(0, 5).Draw(r, "group"), rapid.Int32Range(64, 95).Draw(r, "day"), pointSum{small.Draw(r, "decided"), small.Draw(r, "denied"), small.Draw(r, "allowed")}}
		})).Draw(r, "points"))
		var pointsBack []point
		err := decodePoints(2, encodePoints(points), func(payer, group uint32) func(int32, pointSum) {
			return func(day int32, s pointSum) { pointsBack = append(pointsBack, point{payer, group, day, s}) }
		})
		if err != nil || !equal(points, pointsBack) {
			t.Fatalf("%v\n%v\n%v", err, points, pointsBack)
		}
	})
}

func equal[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func FuzzDecodeCells(f *testing.F) {
	f.Add(encodeCells([]cell{{cellKey{20_000, 1, 2, noLag, 1}, cellSum{1, 2, 3, 4}}, {cellKey{20_001, 300, 2, 14, 3}, cellSum{-1, -2, 0, 1 << 40}}}))
	f.Add([]byte{cellFormat})
	f.Add([]byte{9, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var cells []cell
		if err := decodeCells(b, func(c cell) { cells = append(cells, c) }); err == nil {
			var back []cell
			if err := decodeCells(encodeCells(cells), func(c cell) { back = append(back, c) }); err != nil || !equal(cells, back) {
				t.Errorf("%v: %v became %v", err, cells, back)
			}
		}
	})
}

func FuzzDecodePoints(f *testing.F) {
	f.Add(encodePoints([]point{{1, 2, 20_000, pointSum{3, 1, 500}}, {1, 3, 20_001, pointSum{3, 1, 500}}}))
	f.Add([]byte{pointFormat, 1, 1, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		err := decodePoints(20_000>>periodBits, b, func(uint32, uint32) func(int32, pointSum) {
			return func(int32, pointSum) { n++ }
		})
		if err == nil && n > len(b) {
			t.Errorf("%d points out of %d bytes", n, len(b))
		}
	})
}

// The formats are stored: other bytes for the same cells need another first byte.
func TestFormatsAreTheDocumentedOnes(t *testing.T) {
	cells := []cell{{cellKey{3, 1, 2, noLag, 1}, cellSum{1, 2, 3, -1}}, {cellKey{4, 300, 2, 14, 0x13}, cellSum{2, 0, 0, 0}}}
	if got, want := fmt.Sprintf("%x", encodeCells(cells)), "01"+"0601020001"+"02040601"+"02ac02020f13"+"04000000"; got != want {
		t.Errorf("cells %s, want %s", got, want)
	}
	points := []point{{1, 2, 65, pointSum{3, 1, 64}}, {1, 2, 66, pointSum{1, 0, 0}}, {7, 1, 95, pointSum{-1, 0, 0}}}
	if got, want := fmt.Sprintf("%x", encodePoints(points)), "01"+"010202"+"0106028001"+"02020000"+"070101"+"1f010000"; got != want {
		t.Errorf("points %s, want %s", got, want)
	}
}
