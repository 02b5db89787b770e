package store

import (
	"context"
	"testing"

	"upstream"
)

func TestRevisionsAdvanceWithWhatBelongsToThem(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a, b := customer(t, s, "A"), customer(t, s, "B")
		read := func(k *Tenant) Revisions {
			t.Helper()
			r, err := s.Revisions(context.Background(), k.id)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		beforeA, beforeB := read(a), read(b)
		load(t, a, source("f", decided("1", 20_000, 5, upstream.Paid)), 10)
		afterA, afterB := read(a), read(b)
		if afterA.Data <= beforeA.Data || afterB != beforeB || afterA.Access != beforeA.Access {
			t.Errorf("a load made %v of %v and %v of the other customer's %v", afterA, beforeA, afterB, beforeB)
		}
		if err := a.Fold(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := read(a); got != afterA {
			t.Errorf("a fold made %v of %v: it changes no answer", got, afterA)
		}
		customer(t, s, "C")
		if got := read(a); got.Access != afterA.Access+1 || got.Data != afterA.Data {
			t.Errorf("a new customer made %v of %v", got, afterA)
		}
		if got, err := s.Revisions(context.Background(), 99); err != nil || got.Data != 0 || got.Access == 0 {
			t.Errorf("nobody's revisions: %v, %v", got, err)
		}
	})
}
