package store

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"upstream"
)

// repeated is a request of a customer's user, sent some time after now.
func repeated(k *Tenant, key string, after time.Duration) IdempotentRequest {
	return IdempotentRequest{Customer: k.id, Actor: "user:ann", Key: key, BodyHash: "b", At: now.Add(after)}
}

var answer = SavedAnswer{Status: 201, Header: map[string][]string{"Location": {"/x"}, "Vary": {"a", "b"}}, Body: []byte("{\"id\":1}\x00\xff")}

func first(t testing.TB, s *Store, q IdempotentRequest) {
	t.Helper()
	if saved, err := s.BeginIdempotent(t.Context(), q); err != nil || saved != nil {
		t.Fatalf("the first request got %+v, %v", saved, err)
	}
}

func finish(t testing.TB, s *Store, q IdempotentRequest) {
	t.Helper()
	if err := s.FinishIdempotent(t.Context(), q, answer); err != nil {
		t.Fatal(err)
	}
}

func answered(t testing.TB, s *Store, q IdempotentRequest) {
	t.Helper()
	saved, err := s.BeginIdempotent(t.Context(), q)
	if err != nil || saved == nil {
		t.Fatalf("%+v, %v", saved, err)
	}
	if diff := cmp.Diff(answer, *saved); diff != "" {
		t.Error(diff)
	}
}

func TestARepeatedRequestGetsTheFirstAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		q := repeated(a, "k", 0)
		first(t, s, q)
		_, err := s.BeginIdempotent(t.Context(), repeated(a, "k", time.Minute))
		is(t, "while it is worked on", err, upstream.Conflict)
		if !strings.Contains(err.Error(), "try again later") {
			t.Error(err)
		}
		finish(t, s, q)
		answered(t, s, repeated(a, "k", time.Hour))
		other := repeated(a, "k", time.Hour)
		other.BodyHash = "c"
		_, err = s.BeginIdempotent(t.Context(), other)
		is(t, "another request", err, upstream.Conflict)
		if !strings.Contains(err.Error(), "another request") {
			t.Error(err)
		}
		answered(t, s, repeated(a, "k", 24*time.Hour-time.Microsecond))
		first(t, s, repeated(a, "k", 24*time.Hour)) // a day later the key is a new one
	})
}

func TestIdempotencyKeysAreAnActorsOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a, b := customer(t, s, "A"), customer(t, s, "B")
		q := repeated(a, "k", 0)
		first(t, s, q)
		finish(t, s, q)
		bob := q
		bob.Actor = "user:bob"
		first(t, s, bob)
		first(t, s, repeated(b, "k", 0))
		first(t, s, repeated(a, "K", 0))
		system := q
		system.Customer = 0
		first(t, s, system)
		answered(t, s, q)
	})
}

func TestAFailedRequestMayBeTriedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		q := repeated(a, "k", 0)
		first(t, s, q)
		if err := s.ForgetIdempotent(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		again := repeated(a, "k", time.Second)
		first(t, s, again)
		finish(t, s, again)
		if err := s.ForgetIdempotent(t.Context(), again); err != nil { // it has an answer
			t.Fatal(err)
		}
		answered(t, s, again)
	})
}

func TestARequestThatNobodyWorksOnIsTakenOver(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		lost, late := repeated(a, "k", 0), repeated(a, "k", 10*time.Minute)
		first(t, s, lost)
		_, err := s.BeginIdempotent(t.Context(), repeated(a, "k", 10*time.Minute-time.Microsecond))
		is(t, "before ten minutes", err, upstream.Conflict)
		other := late
		other.BodyHash = "c"
		_, err = s.BeginIdempotent(t.Context(), other)
		is(t, "another request", err, upstream.Conflict)
		first(t, s, late)
		// The one that was given up neither answers nor frees the key.
		wrong := SavedAnswer{Status: 500}
		if err := s.FinishIdempotent(t.Context(), lost, wrong); err != nil {
			t.Error(err)
		}
		if err := s.ForgetIdempotent(t.Context(), lost); err != nil {
			t.Error(err)
		}
		_, err = s.BeginIdempotent(t.Context(), repeated(a, "k", 11*time.Minute))
		is(t, "after it was taken over", err, upstream.Conflict)
		finish(t, s, late)
		answered(t, s, repeated(a, "k", 12*time.Minute))
	})
}

func TestOfRequestsAtTheSameMomentOneIsDone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		var done atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				saved, err := s.BeginIdempotent(t.Context(), repeated(a, "k", time.Duration(i)*time.Microsecond))
				switch {
				case err == nil && saved == nil:
					done.Add(1)
				default:
					is(t, "the others", err, upstream.Conflict)
				}
			})
		}
		wg.Wait()
		if done.Load() != 1 {
			t.Errorf("%d of eight requests were done", done.Load())
		}
	})
}

func TestIdempotencyRefusesWhatCantBeAKey(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		for _, key := range []string{"", "a\x00", "\xff", strings.Repeat("k", 256)} {
			_, err := s.BeginIdempotent(t.Context(), repeated(a, key, 0))
			is(t, key, err, upstream.Invalid)
		}
		first(t, s, repeated(a, strings.Repeat("k", 255), 0))
		is(t, "no status", s.FinishIdempotent(t.Context(), repeated(a, "k", 0), SavedAnswer{}), upstream.Internal)
	})
}

func TestAnswersOfYesterdayAreDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		for _, key := range []string{"one", "two"} {
			q := repeated(a, key, time.Duration(len(key))*time.Hour)
			first(t, s, q)
			if err := s.FinishIdempotent(t.Context(), q, SavedAnswer{Status: 204}); err != nil {
				t.Fatal(err)
			}
		}
		open := repeated(a, "other", 5*time.Hour)
		first(t, s, open)
		for _, step := range []struct{ hours, want int64 }{{26, 0}, {27, 2}, {28, 0}, {29, 1}} {
			if n, err := s.PruneIdempotent(t.Context(), now.Add(time.Duration(step.hours)*time.Hour)); err != nil || n != step.want {
				t.Errorf("after %d h: %d, %v; want %d", step.hours, n, err, step.want)
			}
		}
	})
}
