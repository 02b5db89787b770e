package main

import (
	"slices"
	"strings"
	"testing"
)

// audited checks what commands have left in a customer's audit log, newest first,
// and that the log is whole.
func (w *world) audited(customer string, want ...string) {
	w.Helper()
	got := []string{}
	for _, e := range w.listOf("audit", "list", "--customer", customer, "--actor", "cli", "--json") {
		entry := e["action"].(string) + " " + e["target"].(string)
		if detail := e["detail"].(string); detail != "" {
			entry += ": " + detail
		}
		got = append(got, entry)
	}
	if !slices.Equal(got, want) {
		w.Errorf("audited\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	w.must("audit", "verify")
}

func TestCommandsThatChangeSomethingAreAudited(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.must("customer", "create", "North")
		w.audited("0", "customer.create 1: North")
		claims := w.file("claims.csv", "claim_id,payer,cpt,submitted_date,decided_date,outcome,billed,allowed,paid\n"+
			"C1,Lake Cnty Trust,97110,2026-03-02,2026-03-20,paid,100.00,80.00,80.00\n")
		w.must("ingest", "--customer", "1", claims)
		w.must("ingest", "--customer", "1", claims) // loaded before: nothing changes
		w.must("mapping", "payer", "set", "Lake Cnty Trust", "Lake Cty", "--customer", "1")
		w.must("mapping", "payer", "set", "Lake Cnty Trust", "Lake County Trust", "--customer", "1")
		w.must("mapping", "cpt", "set", "97110", "Therapy", "--customer", "1")
		w.must("mapping", "cpt", "set", "97110", "Rehab", "--customer", "1")
		contains(t, w.must("mapping", "apply", "--customer", "1"), "changed")
		w.must("mapping", "apply", "--customer", "1") // nothing is left to change
		w.must("mapping", "payer", "remove", "Lake Cnty Trust", "--customer", "1")
		w.must("mapping", "cpt", "remove", "97110", "--customer", "1")
		w.fails(exitFailed, "mapping", "cpt", "remove", "97110", "--customer", "1")
		w.audited("1",
			"cpt_mapping.remove 1: 97110 in Rehab", "payer_mapping.remove 1: Lake Cnty Trust as Lake County Trust", "mapping.apply ",
			"cpt_mapping.change 1: 97110 in Rehab", "cpt_mapping.create 1: 97110 in Therapy",
			"payer_mapping.change 1: Lake Cnty Trust as Lake County Trust", "payer_mapping.create 1: Lake Cnty Trust as Lake Cty",
			"upload.load 1: claims.csv")
	})
}
