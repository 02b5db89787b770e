package store

import (
	"context"
	"reflect"
	"testing"

	"upstream"
	"zombiezen.com/go/sqlite"
)

// Each filter has a text of its own: a server that kept all their statements would
// grow until it was killed.
func TestStatementsOfManyFiltersAreNotKept(t *testing.T) {
	s := open(t, engines[0].URL(t))
	tenant := customer(t, s, "A")
	load(t, tenant, source("one", many(300)...), 0)
	all := wideFilters()
	if len(all) <= maxTexts {
		t.Fatalf("%d filters are too few to show it", len(all))
	}
	want, err := tenant.Claims(t.Context(), ClaimFilter{}, upstream.Page{Size: 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		got, err := tenant.Claims(t.Context(), f, upstream.Page{Size: 5})
		if err != nil || len(got.Items) != len(want.Items) {
			t.Fatalf("%+v: %d claims, %v", f, len(got.Items), err)
		}
	}
	load(t, tenant, source("two", many(900)...), 0) // statements for one use write, too
	consistent(t, tenant)
	known := 0
	sqliteTexts.known.Range(func(any, any) bool { known++; return true })
	if known > maxTexts {
		t.Errorf("%d texts are kept", known)
	}
	e := s.db.(*sqliteEngine)
	for range e.size {
		c, done, err := e.reader(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		if n := keptStatements(c); n > maxTexts {
			t.Errorf("a connection keeps %d statements", n)
		}
	}
}

// wideFilters are distinct filters that all claims of many pass.
func wideFilters() (all []ClaimFilter) {
	for _, order := range []string{"decided_date", "-decided_date", "submitted_date", "-submitted_date", "id", "-id", "claim_id", "-claim_id"} {
		for bits := range upstream.Day(1 << 5) {
			for _, payers := range [][]string{nil, {"Aetna"}} {
				for _, location := range []string{"", "North"} {
					all = append(all, ClaimFilter{
						Order: order, Payers: payers, Location: location,
						DecidedFrom: bits & 1, SubmittedFrom: bits >> 1 & 1, DecidedTo: 90_000 * (bits >> 2 & 1), SubmittedTo: 90_000 * (bits >> 3 & 1),
					})
					if bits>>4 == 1 {
						all[len(all)-1].Outcomes = []upstream.Outcome{upstream.Paid, upstream.Denied, upstream.Adjusted}
					}
				}
			}
		}
	}
	return all
}

// keptStatements counts the prepared statements that a connection keeps.
func keptStatements(c *sqlite.Conn) int {
	return reflect.ValueOf(c).Elem().FieldByName("stmts").Len()
}
