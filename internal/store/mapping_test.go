package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"upstream"
)

func mapPayer(t *testing.T, tenant *Tenant, raw, payer string) upstream.PayerMapping {
	t.Helper()
	m, err := tenant.CreatePayerMapping(context.Background(), upstream.PayerMapping{Raw: raw, Payer: payer})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mapCode(t *testing.T, tenant *Tenant, code, group string) upstream.CPTMapping {
	t.Helper()
	m, err := tenant.CreateCPTMapping(context.Background(), upstream.CPTMapping{Code: code, CPTGroup: group})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func apply(t *testing.T, tenant *Tenant, want int64) {
	t.Helper()
	if n, err := tenant.ApplyMappings(context.Background()); err != nil || n != want {
		t.Fatalf("%d claims changed, %v; want %d", n, err, want)
	}
	consistent(t, tenant)
}

// code checks the code of an error.
func code(t *testing.T, what string, err error, want upstream.Code) {
	t.Helper()
	if upstream.ErrorCode(err) != want {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

func TestMappingsAreMadeChangedListedAndDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		a, b := customer(t, s, "A"), customer(t, s, "B")
		var want []upstream.PayerMapping
		for i := range 5 {
			m := mapPayer(t, a, fmt.Sprint("Lake, ", i), "Lake Trust")
			if m.ID != int64(i+1) || m.Key != fmt.Sprint("LAKE ", i) {
				t.Fatalf("made %+v", m)
			}
			want = append(want, m)
		}
		page, err := a.PayerMappings(ctx, upstream.Page{Size: 2, After: upstream.Key{ID: 2}})
		if diff := cmp.Diff(want[2:4], page.Items); diff != "" || page.Count.N != 5 || err != nil {
			t.Errorf("%d, %v\n%s", page.Count.N, err, diff)
		}
		want[1].Payer = "Lake County Trust"
		changed, err := a.ChangePayerMapping(ctx, want[1])
		if read, _ := a.PayerMapping(ctx, 2); err != nil || changed != want[1] || read != want[1] {
			t.Errorf("%+v, read %+v, %v", changed, read, err)
		}
		if m, err := a.PayerMappingOf(ctx, "lake 3, Inc."); err != nil || m != want[3] {
			t.Errorf("found %+v, %v", m, err)
		}
		if err := a.DeletePayerMapping(ctx, 2); err != nil {
			t.Fatal(err)
		}
		_, err = a.PayerMapping(ctx, 2)
		code(t, "deleted", err, upstream.NotFound)

		group := mapCode(t, a, "j1100", "Our drugs")
		if group.ID != 1 || group.Code != "J1100" {
			t.Errorf("made %+v", group)
		}
		group.CPTGroup = "Drugs of ours"
		if _, err := a.ChangeCPTMapping(ctx, group); err != nil {
			t.Fatal(err)
		}
		if m, err := a.CPTMappingOf(ctx, " j1100"); err != nil || m != group {
			t.Errorf("found %+v, %v", m, err)
		}
		if m, err := a.CPTMapping(ctx, 1); err != nil || m != group {
			t.Errorf("read %+v, %v", m, err)
		}
		all, err := a.CPTMappings(ctx, upstream.Page{})
		if err != nil || all.Count.N != 1 || !slices.Equal(all.Items, []upstream.CPTMapping{group}) {
			t.Errorf("%+v, %v", all, err)
		}
		// The other customer has none of it.
		payers, err := b.PayerMappings(ctx, upstream.Page{})
		if err != nil || payers.Count.N != 0 || payers.Items == nil || len(payers.Items) != 0 {
			t.Errorf("%+v, %v", payers, err)
		}
		_, err = b.PayerMapping(ctx, 1)
		code(t, "another customer's", err, upstream.NotFound)
		_, err = b.ChangePayerMapping(ctx, want[0])
		code(t, "changing another customer's", err, upstream.NotFound)
		code(t, "deleting another customer's", b.DeleteCPTMapping(ctx, 1), upstream.NotFound)
		if err := a.DeleteCPTMapping(ctx, 1); err != nil {
			t.Fatal(err)
		}
		code(t, "deleted twice", a.DeleteCPTMapping(ctx, 1), upstream.NotFound)
	})
}

func TestMappingsThatCannotBeAreRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		lake := mapPayer(t, tenant, "Lake", "Lake Trust")
		trust := mapPayer(t, tenant, "Lake Trust", "Ohio Trust")
		for _, test := range []struct {
			name string
			m    upstream.PayerMapping
			want upstream.Code
			says string
		}{
			{"taken, spelled otherwise", upstream.PayerMapping{Raw: "LAKE, Inc.", Payer: "X"}, upstream.Conflict, fmt.Sprint("mapping ", lake.ID)},
			{"back to its start", upstream.PayerMapping{Raw: "Ohio Trust", Payer: "Lake"}, upstream.Invalid, "back to this spelling"},
			{"no spelling", upstream.PayerMapping{Payer: "X"}, upstream.Invalid, "a spelling has"},
		} {
			_, err := tenant.CreatePayerMapping(ctx, test.m)
			if code(t, test.name, err, test.want); !strings.Contains(fmt.Sprint(err), test.says) {
				t.Errorf("%s: %v", test.name, err)
			}
		}
		trust.Raw = "Lake"
		_, err := tenant.ChangePayerMapping(ctx, trust)
		code(t, "changed to one that is taken", err, upstream.Conflict)
		_, err = tenant.ChangePayerMapping(ctx, upstream.PayerMapping{Raw: "new", Payer: "X"})
		code(t, "changed without an id", err, upstream.NotFound)
		mapCode(t, tenant, "99213", "Visits")
		_, err = tenant.CreateCPTMapping(ctx, upstream.CPTMapping{Code: "99213", CPTGroup: "X"})
		code(t, "a taken code", err, upstream.Conflict)
		_, err = tenant.CreateCPTMapping(ctx, upstream.CPTMapping{Code: "visit", CPTGroup: "X"})
		code(t, "no code", err, upstream.Invalid)
		payers, err := tenant.PayerMappings(ctx, upstream.Page{})
		codes, failed := tenant.CPTMappings(ctx, upstream.Page{})
		if payers.Count.N != 2 || codes.Count.N != 1 || err != nil || failed != nil {
			t.Errorf("%d and %d mappings, %v, %v", payers.Count.N, codes.Count.N, err, failed)
		}
	})
}

func TestAPayerIsNamedAsTheTableDoesUnlessThatIsWhatIsMapped(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		for _, test := range []struct{ raw, payer, want string }{
			{"Acme", "aetna ppo", "Aetna"},
			{"Aetna HMO", "Aetna HMO", "Aetna HMO"},         // kept apart
			{"Aetna HMO of Ohio", "Aetna HMO", "Aetna HMO"}, // the customer has one of that spelling
			{"UnitedHealthcare", "UHC", "UHC"},              // called otherwise
			{"Texas", "Texas Trust", "Texas Trust"},
		} {
			if m := mapPayer(t, tenant, test.raw, test.payer); m.Payer != test.want {
				t.Errorf("%s as %s is stored as %s, want %s", test.raw, test.payer, m.Payer, test.want)
			}
		}
		for raw, want := range map[string]string{"united health care": "UHC", "AETNA HMO OF OHIO": "Aetna HMO", "Acme": "Aetna", "Aetna PPO": "Aetna"} {
			if name, err := tenant.PayerName(context.Background(), raw); err != nil || name != want {
				t.Errorf("%s is %s, %v; want %s", raw, name, err, want)
			}
		}
	})
}

func TestEveryChangeOfAMappingAdvancesTheRevision(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		last := Revisions{}
		advanced := func(what string) {
			t.Helper()
			r, err := s.Revisions(ctx, tenant.id)
			if err != nil || r.Data <= last.Data {
				t.Errorf("%s: revision %d after %d, %v", what, r.Data, last.Data, err)
			}
			last = r
		}
		advanced("a customer")
		p := mapPayer(t, tenant, "Lake", "Lake Trust")
		advanced("a payer mapping")
		c := mapCode(t, tenant, "97110", "Ours")
		advanced("a CPT mapping")
		load(t, tenant, source("one", many(20)...), 10)
		advanced("a load")
		if err := tenant.DeleteCPTMapping(ctx, c.ID); err != nil {
			t.Fatal(err)
		}
		advanced("a CPT mapping that is gone")
		if err := tenant.DeletePayerMapping(ctx, p.ID); err != nil {
			t.Fatal(err)
		}
		advanced("a payer mapping that is gone")
		if _, err := tenant.ApplyMappings(ctx); err != nil {
			t.Fatal(err)
		}
		advanced("groups put into force")
		if _, err := tenant.ApplyMappings(ctx); err != nil {
			t.Fatal(err)
		}
		if r, _ := s.Revisions(ctx, tenant.id); r != last {
			t.Errorf("nothing to apply made %v of %v", r, last)
		}
	})
}

// The API and commands tell these alike.
func TestWhatIsWrongWithAMappingIsSaidWithoutACommandOrCustomer(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		tenant := customer(t, s, "A")
		_, missing := tenant.PayerMapping(ctx, 9)
		_, unknown := tenant.CPTMappingOf(ctx, "97110")
		_, changed := tenant.ChangeCPTMapping(ctx, upstream.CPTMapping{ID: 9, Code: "97110", CPTGroup: "Therapy"})
		if _, err := tenant.CreatePayerMapping(ctx, upstream.PayerMapping{Raw: "Lake Trust", Payer: "Brook Plan"}); err != nil {
			t.Fatal(err)
		}
		_, taken := tenant.CreatePayerMapping(ctx, upstream.PayerMapping{Raw: "Lake Trust", Payer: "Hill Plan"})
		_, circle := tenant.CreatePayerMapping(ctx, upstream.PayerMapping{Raw: "Brook Plan", Payer: "Lake Trust"})
		for _, test := range []struct {
			err  error
			code upstream.Code
		}{
			{missing, upstream.NotFound},
			{unknown, upstream.NotFound},
			{changed, upstream.NotFound},
			{tenant.DeletePayerMapping(ctx, 9), upstream.NotFound},
			{taken, upstream.Conflict},
			{circle, upstream.Invalid},
		} {
			if is(t, "a mapping", test.err, test.code); test.err != nil && strings.ContainsAny(test.err.Error(), "`") || strings.Contains(fmt.Sprint(test.err), "customer") {
				t.Error(test.err)
			}
		}
	})
}
