package store

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"
	"upstream"
	"upstream/internal/pgtest"
)

func TestMain(m *testing.M) {
	os.Exit(pgtest.MainWithoutLeaks(m))
}

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

var engines = pgtest.Engines

// onBoth runs a test on a fresh store of each engine.
func onBoth(t *testing.T, f func(t *testing.T, s *Store)) {
	for _, e := range engines {
		t.Run(e.Name, func(t *testing.T) { f(t, open(t, e.URL(t))) })
	}
}

func open(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// customer makes a customer and returns its door.
func customer(t rapid.TB, s *Store, name string) *Tenant {
	t.Helper()
	c, err := s.CreateCustomer(context.Background(), name, now)
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := s.Tenant(context.Background(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	return tenant
}

// damage runs one statement on a customer's data, behind the store's back.
func damage(t rapid.TB, tenant *Tenant, sql string) {
	t.Helper()
	err := tenant.s.write(context.Background(), tenant.id, func(x tx) error {
		n, err := x.exec(sql, tenant.id)
		if err == nil && n == 0 {
			err = fmt.Errorf("%s damaged nothing", sql)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// source makes a file of claims; its name is its identity.
func source(name string, claims ...upstream.Claim) Source {
	i := 0
	return Source{
		Filename: name, SHA256: "sha of " + name, FileDate: 20_000,
		Next: func(c *upstream.Claim) (*upstream.Reject, error) {
			if i == len(claims) {
				return nil, io.EOF
			}
			*c = claims[i]
			i++
			return nil, nil
		},
	}
}

func load(t rapid.TB, tenant *Tenant, src Source, batch int) upstream.Upload {
	t.Helper()
	u, err := tenant.Load(context.Background(), src, LoadOptions{BatchRows: batch, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// decided is a claim decided lag days after its submission on day.
func decided(id string, day, lag upstream.Day, outcome upstream.Outcome) upstream.Claim {
	c := upstream.Claim{
		ClaimID: id, Line: 1, Payer: "Aetna", CPT: "97110", Units: 1, Location: "North",
		SubmittedDate: day, FirstDecidedDate: day + lag, DecidedDate: day + lag,
		Outcome: outcome, FirstOutcome: outcome, Billed: 10_000, Allowed: 5_000, Paid: 4_000,
	}
	if outcome == upstream.Denied {
		c.Allowed, c.Paid, c.CARC = 0, 0, "CO-197"
	}
	c.Decide()
	return c
}

func pending(id string, day upstream.Day) upstream.Claim {
	c := decided(id, day, 0, upstream.Pending)
	c.DecidedDate, c.Allowed, c.Paid = 0, 0, 0
	c.Decide()
	return c
}

// stored reads a customer's claims by key, without what depends on the order of
// loading: the number in the customer.
func stored(t rapid.TB, tenant *Tenant) map[claimKey]upstream.Claim {
	t.Helper()
	out := map[claimKey]upstream.Claim{}
	err := tenant.s.read(context.Background(), func(x tx) error {
		var rows []claimRow
		err := x.query(selectClaimSQL, []any{tenant.id}, func(r row) error {
			var c claimRow
			c.scan(r)
			rows = append(rows, c)
			return nil
		})
		l := newTerms(tenant.id)
		for i := range rows {
			if err == nil {
				var c upstream.Claim
				c, err = l.decode(x, &rows[i])
				c.ID = 0
				out[rows[i].key()] = c
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// consistent fails the test unless the rollups equal the claims.
func consistent(t rapid.TB, tenant *Tenant) {
	t.Helper()
	check, err := tenant.VerifyRollup(context.Background())
	if err != nil || !check.OK() {
		t.Fatalf("rollup %+v, %v", check, err)
	}
}
