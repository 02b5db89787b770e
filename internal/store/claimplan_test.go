package store

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"upstream"
)

// Whatever is asked for, SQLite begins in an index where the page begins and never
// sorts.
func TestListsOfClaimsAreReadInTheOrderOfAnIndex(t *testing.T) {
	s := open(t, engines[0].URL(t))
	tenant := customer(t, s, "A")
	load(t, tenant, source("one", many(300)...), 0)
	payers := ClaimFilter{Payers: []string{"Aetna", "Cigna", "Medicare"}}
	filters := []ClaimFilter{
		{},
		payers,
		{Payers: []string{"Aetna"}, Outcomes: []upstream.Outcome{upstream.Denied}, DecidedFrom: 20_001, DecidedTo: 20_050},
		{Outcomes: []upstream.Outcome{upstream.Pending}},
		{CPT: "97110", CARC: "197", Location: "North"},
		{SubmittedFrom: 20_001, SubmittedTo: 20_050, ServiceFrom: 20_001},
		{DecidedFrom: 20_001},
	}
	for _, name := range claimOrders {
		for _, f := range filters {
			for _, back := range []bool{false, true} {
				order, err := parseOrdering(name, claimOrders...)
				if err != nil {
					t.Fatal(err)
				}
				err = s.read(context.Background(), func(x tx) error {
					l, err := tenant.terms(x)
					if err != nil {
						return err
					}
					c, _ := f.conditions(l)
					w := newWalk(tenant, order, back, &c)
					for _, part := range w.parts {
						at := &place{upstream.Key{Value: 20_020, ID: 5}, "C5", 1}
						other := &place{upstream.Key{Value: 20_030, ID: 7}, "C7", 1}
						for _, s := range []step{{}, {after: at}, {after: at, until: at}, {after: at, until: other, pass: true}, {after: other, until: at}} {
							s.part, s.limit = part, 5
							checkPlan(t, x, w, s)
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func checkPlan(t *testing.T, x tx, w *claimWalk, s step) {
	t.Helper()
	plan := map[string]string{
		"decided_date":   `claim_decided \(customer_id=\? AND (decided_date=\? AND id[<>]|decided_date[<>])`,
		"submitted_date": `claim_submitted \(customer_id=\? AND (submitted_date=\? AND id[<>]|submitted_date[<>])`,
		"id":             `INTEGER PRIMARY KEY \(rowid>\? AND rowid<`,
		"claim_id":       `claim_key \(customer_id=\?( AND \(claim_id,line\)[<>]|\))`,
	}[w.order.column]
	if s.part == pendingPart {
		plan = `claim_decided \(customer_id=\? AND decided_date=\? AND id>\? AND id<`
	}
	if w.legs != nil {
		plan = strings.ReplaceAll(plan, `claim_decided \(customer_id=\?`, `claim_payer \(customer_id=\? AND payer_id=\?`)
	}
	want := regexp.MustCompile(`^(SEARCH claim USING (COVERING )?(INDEX )?` + plan + `|COMPOUND|MERGE|LEFT|RIGHT)`)
	text, args := w.statement(s)
	err := x.query("EXPLAIN QUERY PLAN "+text, args, func(r row) error {
		if got := r.text(3); !want.MatchString(got) {
			t.Errorf("%s\n%s\nwant %s", text, got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
