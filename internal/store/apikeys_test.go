package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"upstream"
)

func apiKey(t testing.TB, s *Store, customer int64, name string) upstream.APIKey {
	t.Helper()
	k, err := s.CreateAPIKey(t.Context(), upstream.APIKey{Customer: customer, Name: name, Role: upstream.Viewer, Prefix: "ups_" + name}, fmt.Sprintf("hash of %d %s", customer, name), now)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestEveryFieldOfAnAPIKeyComesBack(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		later := now.Add(time.Hour)
		made, err := s.CreateAPIKey(t.Context(), upstream.APIKey{
			Customer: a.id, Name: " Nightly Exporté ", Prefix: "ups_ab12", Role: upstream.Analyst, Scopes: []string{"claims", "drift-events"}, CreatedBy: "ann", ExpiresAt: &later,
			RevokedAt: &now,
		}, "h", now)
		if err != nil {
			t.Fatal(err)
		}
		want := upstream.APIKey{
			ID: 1, Customer: a.id, Name: "Nightly Exporté", Prefix: "ups_ab12", Role: upstream.Analyst, Scopes: []string{"claims", "drift-events"},
			CreatedBy: "ann", CreatedAt: now, ExpiresAt: &later,
		}
		got, found, err := s.APIKeyByHash(t.Context(), "h")
		if err != nil || !found {
			t.Fatalf("%t, %v", found, err)
		}
		if diff := cmp.Diff([]upstream.APIKey{want, want}, []upstream.APIKey{made, got}); diff != "" {
			t.Error(diff)
		}
		if !got.Live(later.Add(-1)) || got.Live(later) {
			t.Error("a key lives until it expires")
		}
		for _, hash := range []string{"", "x", "h\x00", "\xff", strings.Repeat("h", 10_000)} {
			if k, found, err := s.APIKeyByHash(t.Context(), hash); found || err != nil {
				t.Errorf("%.10q opens %+v, %v", hash, k, err)
			}
		}
	})
}

func TestARevokedKeyOpensNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		k := apiKey(t, s, a.id, "k")
		if !k.Live(now) {
			t.Error("a new key opens nothing")
		}
		for _, at := range []time.Time{now, now.Add(time.Hour)} { // again changes nothing
			got, err := s.RevokeAPIKey(t.Context(), a.id, k.ID, at)
			if err != nil || got.RevokedAt == nil || !got.RevokedAt.Equal(now) {
				t.Errorf("%+v, %v", got, err)
			}
		}
		if got, found, err := s.APIKeyByHash(t.Context(), "hash of 1 k"); err != nil || !found || got.Live(now) {
			t.Errorf("a revoked key is %+v, %t, %v", got, found, err)
		}
	})
}

func TestAPIKeysDoNotCrossCustomers(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a, b := customer(t, s, "A"), customer(t, s, "B")
		first, second, other := apiKey(t, s, a.id, "one"), apiKey(t, s, a.id, "two"), apiKey(t, s, b.id, "one")
		if other.ID != 1 {
			t.Errorf("B's first key is %d", other.ID)
		}
		list := func(customer int64, page upstream.Page) []upstream.APIKey {
			t.Helper()
			keys, err := s.APIKeys(t.Context(), customer, page)
			if err != nil {
				t.Fatal(err)
			}
			return keys.Items
		}
		if diff := cmp.Diff([]upstream.APIKey{first, second}, list(a.id, upstream.Page{})); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]upstream.APIKey{second}, list(a.id, upstream.Page{Size: 1, After: upstream.Key{ID: first.ID}})); diff != "" {
			t.Error(diff)
		}
		_, err := s.RevokeAPIKey(t.Context(), b.id, second.ID, now)
		is(t, "A's key by B", err, upstream.NotFound)
		if diff := cmp.Diff([]upstream.APIKey{other}, list(b.id, upstream.Page{})); diff != "" {
			t.Error(diff)
		}
		if k, _, err := s.APIKeyByHash(t.Context(), "hash of 1 two"); err != nil || !k.Live(now) || k.Customer != a.id {
			t.Errorf("%+v, %v", k, err)
		}
	})
}

func TestAnAPIKeyIsRefusedThatCouldNotBe(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		tests := []struct {
			name   string
			code   upstream.Code
			change func(*upstream.APIKey)
		}{
			{"no name", upstream.Invalid, func(k *upstream.APIKey) { k.Name = "  " }},
			{"long name", upstream.Invalid, func(k *upstream.APIKey) { k.Name = strings.Repeat("é", 101) }},
			{"NUL", upstream.Invalid, func(k *upstream.APIKey) { k.Name = "a\x00b" }},
			{"line end", upstream.Invalid, func(k *upstream.APIKey) { k.Name = "a\nb" }},
			{"no role", upstream.Invalid, func(k *upstream.APIKey) { k.Role = "" }},
			{"expired", upstream.Invalid, func(k *upstream.APIKey) { k.ExpiresAt = &now }},
			{"a scope with a space", upstream.Invalid, func(k *upstream.APIKey) { k.Scopes = []string{"claims", "a b"} }},
			{"an empty scope", upstream.Invalid, func(k *upstream.APIKey) { k.Scopes = []string{""} }},
			{"too many scopes", upstream.Invalid, func(k *upstream.APIKey) { k.Scopes = strings.Fields(strings.Repeat("claims ", 51)) }},
			{"no customer", upstream.NotFound, func(k *upstream.APIKey) { k.Customer = 0 }},
			{"another customer", upstream.NotFound, func(k *upstream.APIKey) { k.Customer = 99 }},
		}
		for _, test := range tests {
			k := upstream.APIKey{Customer: a.id, Name: "k", Role: upstream.Viewer}
			test.change(&k)
			_, err := s.CreateAPIKey(t.Context(), k, "h", now)
			is(t, test.name, err, test.code)
		}
		if _, err := s.CreateAPIKey(t.Context(), upstream.APIKey{Customer: a.id, Name: strings.Repeat("é", 100), Role: upstream.Viewer}, "h", now); err != nil {
			t.Error(err)
		}
		_, err := s.CreateAPIKey(t.Context(), upstream.APIKey{Customer: a.id, Name: "k", Role: upstream.Viewer}, "", now)
		is(t, "no hash", err, upstream.Internal)
	})
}
