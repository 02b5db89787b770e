package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"upstream"
)

// claimsFile writes a file of denied claims, one of each payer and code.
func (w *world) claimsFile(name string, of ...[2]string) string {
	w.Helper()
	text := "claim_id,payer,cpt,submitted_date,decided_date,outcome,billed,paid,carc\n"
	for i, k := range of {
		text += fmt.Sprintf("%s-%d,%s,%s,2026-03-02,2026-03-20,denied,100.00,0.00,CO-197\n", name, i, k[0], k[1])
	}
	return w.file(name+".csv", text)
}

func TestMappingsAreSetListedAppliedAndRemoved(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.must("customer", "create", "North")
		w.must("ingest", "--customer", "1", w.claimsFile("early", [2]string{"Lake Cnty", "99999"}, [2]string{"Lake Cnty", "97110"}, [2]string{"Brook", "97110"}, [2]string{"UHC", "97110"}))
		contains(t, w.must("mapping", "unmatched", "--customer", "1"), "payer  Lake Cnty  2", "payer  Brook      1", "code   99999      1")

		contains(t, w.must("mapping", "payer", "set", "LAKE CNTY, Inc.", "Lake Trust", "--customer", "1"), "LAKE CNTY, Inc. is Lake Trust", "`upstream mapping apply --customer 1`")
		w.must("mapping", "payer", "set", "lake cnty", "Lake County Trust", "--customer", "1") // changes it
		w.must("mapping", "cpt", "set", "99999", "Measures", "--customer", "1")
		list := w.must("mapping", "payer", "list", "--customer", "1")
		if contains(t, list, "id  spelling", "1   lake cnty  Lake County Trust"); strings.Count(list, "\n") != 2 {
			t.Errorf("mappings:\n%s", list)
		}
		contains(t, w.must("mapping", "cpt", "list", "--customer", "1"), "1   99999  Measures")

		if got := w.must("mapping", "apply", "--customer", "1"); got != "3 claims changed\n" {
			t.Errorf("applied: %q", got)
		}
		if got := w.must("mapping", "apply", "--customer", "1"); got != "0 claims changed\n" {
			t.Errorf("applied again: %q", got)
		}
		var rest unmatched
		if err := json.Unmarshal([]byte(w.must("mapping", "unmatched", "--customer", "1", "--json")), &rest); err != nil {
			t.Fatal(err)
		}
		if len(rest.Payers) != 1 || rest.Payers[0] != (upstream.UnmatchedPayer{Payer: "Brook", Claims: 1}) || rest.Codes == nil || len(rest.Codes) != 0 {
			t.Errorf("unmatched %+v", rest)
		}
		w.must("ingest", "--customer", "1", w.claimsFile("late", [2]string{"lake cnty", "97110"}))
		contains(t, w.must("trend", "--customer", "1", "--payer", "Lake Cnty"), "Lake County Trust\n")
		contains(t, w.must("rollup", "verify"), "5 claims")

		contains(t, w.must("mapping", "payer", "remove", "lake cnty", "--customer", "1"), "removed: lake cnty as Lake County Trust")
		contains(t, w.must("mapping", "cpt", "remove", "99999", "--customer", "1"), "it is in Other")
		contains(t, w.must("mapping", "apply", "--customer", "1"), "1 claim changed")
		contains(t, w.must("rollup", "verify"), "5 claims")
	})
}

func TestMappingListsAreListsAlsoWhenEmpty(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	for _, kind := range []string{"payer", "cpt"} {
		if got := w.must("mapping", kind, "list", "--customer", "1", "--json"); got != "[]\n" {
			t.Errorf("%s: %q", kind, got)
		}
		r := w.run("mapping", kind, "list", "--customer", "1")
		if contains(t, r.stderr, "`upstream mapping unmatched --customer 1`"); r.code != exitOK || r.stdout != "" {
			t.Errorf("%s: exit code %d, %q", kind, r.code, r.stdout)
		}
	}
	if r := w.run("mapping", "unmatched", "--customer", "1"); r.code != exitOK || r.stdout != "" || !strings.Contains(r.stderr, "is known") {
		t.Errorf("nothing unmatched: %+v", r)
	}
}

func TestMappingListHasAllPages(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	s, err := (&app{Context: t.Context(), database: w.database}).open()
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := s.Tenant(t.Context(), 1)
	for i := range 2*upstream.MaxPageSize + 1 {
		if err == nil {
			_, err = tenant.CreateCPTMapping(t.Context(), upstream.CPTMapping{Code: fmt.Sprint(10_000 + i), CPTGroup: "Ours"})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(w.must("mapping", "cpt", "list", "--customer", "1"), "Ours\n"); n != 2*upstream.MaxPageSize+1 {
		t.Errorf("%d mappings", n)
	}
}

func TestMappingSaysWhatIsWrong(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	w.must("mapping", "payer", "set", "Lake", "Brook", "--customer", "1")
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"payer", "set", "...", "Lake"}, "letters or digits"},
		{[]string{"payer", "set", "Acme", "=1+1"}, "formula"},
		{[]string{"payer", "set", "Brook", "Lake"}, "list of payer mappings"},
		{[]string{"payer", "remove", "Acme"}, "no such mapping"},
		{[]string{"cpt", "set", "visit", "Visits"}, "five characters"},
		{[]string{"cpt", "set", "99213", " "}, "1 to 100 characters"},
		{[]string{"cpt", "remove", "99213"}, "the list of mappings"},
	} {
		args := append(append([]string{"mapping"}, test.args...), "--customer", "1")
		contains(t, w.fails(exitFailed, args...), test.says)
	}
	for _, args := range [][]string{{"payer", "list"}, {"payer", "set", "a", "b"}, {"unmatched"}, {"apply"}} {
		contains(t, w.fails(exitFailed, append(append([]string{"mapping"}, args...), "--customer", "9")...), "there is no customer 9")
	}
	if r := w.run("mapping", "payer", "list"); r.code != exitUsage {
		t.Errorf("without a customer: exit code %d", r.code)
	}
}
