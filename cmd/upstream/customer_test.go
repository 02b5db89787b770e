package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestFirstCustomerHasID1(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		r := w.run("customer", "list")
		if r.code != exitOK || r.stdout != "" || !strings.Contains(r.stderr, "`upstream customer create NAME`") {
			t.Errorf("an empty list: exit code %d, %q, %q", r.code, r.stdout, r.stderr)
		}
		if got := w.must("customer", "create", "Northside Orthopedics"); got != "customer 1: Northside Orthopedics\n" {
			t.Errorf("printed %q", got)
		}
		made := w.jsonOf("customer", "create", "Südstadt \"Physio\"", "--json")
		has(t, "the customer", made, "id", "name", "created_at", "claims", "data_version")
		if made["id"] != 2.0 || made["name"] != `Südstadt "Physio"` || made["created_at"] != "2026-07-01T08:00:00Z" {
			t.Errorf("customer %v", made)
		}
		w.must("ingest", "--customer", "2", sample("messy.csv"))
		list := w.must("customer", "list")
		contains(t, list, "id  name", "1   Northside Orthopedics", "2   Südstadt \"Physio\"", "21", "2026-07-01")
	})
}

func TestCustomerListAsJSONIsAListAlsoWhenEmpty(t *testing.T) {
	w := inSQLite(t)
	list := func() (out []parsed) {
		if err := json.Unmarshal([]byte(w.must("customer", "list", "--json")), &out); err != nil || out == nil {
			t.Fatalf("%v, %v", out, err)
		}
		return out
	}
	if n := len(list()); n != 0 {
		t.Errorf("%d customers before the first", n)
	}
	w.must("customer", "create", "North")
	if all := list(); len(all) != 1 || all[0]["name"] != "North" || all[0]["claims"] != 0.0 {
		t.Errorf("customers %v", all)
	}
}

func TestCustomerNamesAreHeldToOneForm(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	tests := []struct {
		name, practice string
		says           string
	}{
		{"taken", "North", "a customer of that name already"},
		{"taken, with spaces around", "  North ", "a customer of that name already"},
		{"empty", "", "needs a name"},
		{"only spaces", "   ", "needs a name"},
		{"too long", strings.Repeat("x", 201), "needs a name of 1 to 200 characters"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			contains(t, (&world{TB: t, dir: w.dir, database: w.database, now: w.now}).fails(exitFailed, "customer", "create", test.practice), test.says)
		})
	}
	if list := w.must("customer", "list"); strings.Count(list, "\n") != 2 {
		t.Errorf("a refused customer is there:\n%s", list)
	}
}
