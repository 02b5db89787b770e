package main

import (
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

func TestRollupVerifyAndRebuildSpeakForEachCustomer(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		if got := w.must("rollup", "verify"); got != "" {
			t.Errorf("without customers: %q", got)
		}
		w.year(5_000)
		w.must("customer", "create", "Empty")
		both := w.must("rollup", "verify")
		contains(t, both, "customer 1: 5,000 claims", "customer 2: 0 claims", "all equal")
		if one := w.must("rollup", "verify", "--customer", "1"); !strings.HasPrefix(both, one) || strings.Contains(one, "customer 2") {
			t.Errorf("one customer: %q", one)
		}
		before := w.events()
		contains(t, w.must("rollup", "rebuild", "--customer", "1"), "customer 1: rollups made again from 5,000 claims")
		if after := w.must("rollup", "verify"); after != both {
			t.Errorf("before %q, after %q", both, after)
		}
		if len(before) != len(w.events()) {
			t.Error("the rebuilt rollups tell other events")
		}
		for _, command := range []string{"verify", "rebuild"} {
			contains(t, w.fails(exitFailed, "rollup", command, "--customer", "3"), "there is no customer 3")
		}
	})
}

// damage changes the database behind the program's back.
func (w *world) damage(statements ...string) {
	w.Helper()
	c, err := sqlite.OpenConn(strings.TrimPrefix(w.database, "sqlite:"), sqlite.OpenReadWrite)
	if err != nil {
		w.Fatal(err)
	}
	defer c.Close()
	for _, sql := range statements {
		if err := sqlitex.ExecuteTransient(c, sql, nil); err != nil {
			w.Fatal(err)
		}
	}
	if c.Changes() == 0 {
		w.Fatalf("%q change nothing", statements)
	}
}

func TestRollupVerifySeesDamageAndRebuildMendsIt(t *testing.T) {
	tests := []struct{ name, sql string }{
		{"a claim is lost", "DELETE FROM claim WHERE id = (SELECT MIN(id) FROM claim WHERE customer_id = 1)"},
		{"a payment is taken for a denial", "UPDATE claim SET first_outcome = 3 WHERE id = (SELECT MIN(id) FROM claim WHERE customer_id = 1 AND first_outcome = 2)"},
		{"a decision is a day later", "UPDATE claim SET first_decided_date = first_decided_date + 1 WHERE id = (SELECT MIN(id) FROM claim WHERE customer_id = 1 AND first_outcome = 2)"},
		{"a day of the rollups is lost", "DELETE FROM rollup WHERE customer_id = 1 AND kind = 1 AND period = (SELECT MIN(period) FROM rollup WHERE customer_id = 1 AND kind = 1)"},
		{"the series is lost", "DELETE FROM rollup WHERE customer_id = 1 AND kind = 2"},
		{"a cent is missing", "UPDATE claim SET allowed = allowed - 1 WHERE id = (SELECT MIN(id) FROM claim WHERE customer_id = 1 AND allowed > 0)"},
		{"the count of claims is wrong", "UPDATE customer SET claims = claims + 1 WHERE id = 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := inSQLite(t)
			w.must("customer", "create", "North")
			w.must("customer", "create", "Sound")
			for _, customer := range []string{"1", "2"} {
				w.must("ingest", "--customer", customer, sample("pm-export.csv"))
			}
			w.damage(test.sql)
			r := w.run("rollup", "verify")
			if r.code != exitFailed {
				t.Fatalf("exit code %d", r.code)
			}
			contains(t, w.line(r.stderr), "customer 1:", "`upstream rollup rebuild --customer 1` mends them")
			contains(t, r.stdout, "customer 2: 400 claims") // the others are checked all the same
			w.must("rollup", "rebuild", "--customer", "1")
			contains(t, w.must("rollup", "verify"), "customer 1: ")
		})
	}
}
