package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"upstream"
)

func TestSettingsAreTheCustomersOwnAndDefaultUntilSaved(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a, b := customer(t, s, "A"), customer(t, s, "B")
		want := func(k *Tenant, want upstream.Settings) {
			t.Helper()
			if got, err := k.Settings(t.Context()); err != nil || got != want {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
		}
		want(a, upstream.DefaultSettings())
		chosen := upstream.Settings{AlertBudget: 2.25, NightlyDetection: true, WeeklyReportDay: "friday"}
		for _, settings := range []upstream.Settings{{AlertBudget: 1, WeeklyReportDay: "sunday"}, chosen} {
			if err := a.SaveSettings(t.Context(), settings, now); err != nil {
				t.Fatal(err)
			}
			want(a, settings)
		}
		want(b, upstream.DefaultSettings())
		is(t, "bad settings", a.SaveSettings(t.Context(), upstream.Settings{}, now), upstream.Invalid)
		want(a, chosen)
		// A setting that an older program did not store has its default.
		tamper(t, s, `UPDATE settings SET body = '{"alert_budget": 3}'`)
		older := upstream.DefaultSettings()
		older.AlertBudget = 3
		want(a, older)
	})
}

func TestSettingsAdvanceTheCustomersRevision(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		before, err := s.Revisions(t.Context(), a.id)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.SaveSettings(t.Context(), upstream.DefaultSettings(), now); err != nil {
			t.Fatal(err)
		}
		if after, err := s.Revisions(t.Context(), a.id); err != nil || after.Data != before.Data+1 || after.Access != before.Access {
			t.Errorf("%v after %v, %v", after, before, err)
		}
	})
}

func TestACustomerIsRenamed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a, b := customer(t, s, "A"), customer(t, s, "B")
		before, err := s.Revisions(t.Context(), a.id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.RenameCustomer(t.Context(), a.id, "  North   Clinic ")
		if err != nil || got.Name != "North Clinic" || got.ID != a.id {
			t.Errorf("%+v, %v", got, err)
		}
		// The name is shown with the list of customers and with the customer's own data.
		if after, err := s.Revisions(t.Context(), a.id); err != nil || after.Data != before.Data+1 || after.Access != before.Access+1 {
			t.Errorf("%v after %v, %v", after, before, err)
		}
		if _, err := s.RenameCustomer(t.Context(), a.id, "North Clinic"); err != nil {
			t.Errorf("its own name: %v", err)
		}
		for name, code := range map[string]upstream.Code{"North Clinic": upstream.Conflict, "": upstream.Invalid, "a\x00": upstream.Invalid, "\xff": upstream.Invalid, string(make([]byte, 300)): upstream.Invalid} {
			_, err := s.RenameCustomer(t.Context(), b.id, name)
			is(t, name, err, code)
		}
		_, err = s.RenameCustomer(t.Context(), 99, "C")
		is(t, "nobody", err, upstream.NotFound)
		if k, err := b.Customer(t.Context()); err != nil || k.Name != "B" {
			t.Errorf("%+v, %v", k, err)
		}
	})
}

func TestCustomersAreListedByPage(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		for _, name := range []string{"A", "B", "C"} {
			customer(t, s, name)
		}
		all, err := s.Customers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			page upstream.Page
			want []upstream.Customer
		}{{upstream.Page{}, all}, {upstream.Page{Size: 2}, all[:2]}, {upstream.Page{Size: 2, After: upstream.Key{ID: 2}}, all[2:]}, {upstream.Page{After: upstream.Key{ID: 3}}, []upstream.Customer{}}} {
			got, err := s.CustomersPage(t.Context(), test.page)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.Items); diff != "" {
				t.Errorf("%+v: %s", test.page, diff)
			}
		}
	})
}
