package store

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"upstream"
)

func signIn(t testing.TB, s *Store, user int64, kind upstream.SessionKind, secret string) upstream.Session {
	t.Helper()
	n, err := s.CreateSession(t.Context(), upstream.Session{User: user, Kind: kind, Address: "192.0.2.1", Agent: "test"}, secret, now)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// live fails the test unless a user's live sessions are those.
func live(t testing.TB, s *Store, user int64, at time.Time, want ...int64) {
	t.Helper()
	all, err := s.Sessions(t.Context(), user, at)
	if err != nil {
		t.Fatal(err)
	}
	got := []int64{}
	for _, n := range all {
		got = append(got, n.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("live sessions of user %d: %v, want %v", user, got, want)
	}
}

func TestASessionComesBackByIdAndBySecret(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ann := superuser(t, s, "ann")
		made := signIn(t, s, ann.ID, upstream.BrowserSession, "hash of a cookie")
		want := upstream.Session{
			ID: 1, User: ann.ID, Kind: upstream.BrowserSession, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(12 * time.Hour), Address: "192.0.2.1", Agent: "test", Generation: 1,
		}
		byID, err := s.SessionByID(t.Context(), made.ID)
		if err != nil {
			t.Fatal(err)
		}
		bySecret, err := s.SessionBySecret(t.Context(), "hash of a cookie")
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []upstream.Session{made, byID, bySecret} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
		signIn(t, s, ann.ID, upstream.TokenSession, "")
		for _, secret := range []string{"", "x", "hash of a cookie\x00", "\xff"} {
			if n, err := s.SessionBySecret(t.Context(), secret); err != nil || n.ID != 0 {
				t.Errorf("%q opens %+v, %v", secret, n, err)
			}
		}
		if n, err := s.SessionByID(t.Context(), 99); err != nil || n.ID != 0 || n.Live(now) {
			t.Errorf("no session is %+v, %v", n, err)
		}
	})
}

func TestASessionKeepsAShortCleanAgent(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ann := superuser(t, s, "ann")
		n, err := s.CreateSession(t.Context(), upstream.Session{
			User: ann.ID, Kind: upstream.TokenSession, Address: strings.Repeat("a", 1000), Agent: "a\x00b\xff" + strings.Repeat("é", 1000),
		}, "", now)
		if err != nil {
			t.Fatal(err)
		}
		if len(n.Agent) > maxAgent || len(n.Address) > maxAddress || !utf8.ValidString(n.Agent) || !strings.HasPrefix(n.Agent, "a\uFFFDb\uFFFDé") {
			t.Errorf("%q, %q", n.Address, n.Agent)
		}
		if stored, err := s.SessionByID(t.Context(), n.ID); err != nil || stored.Agent != n.Agent {
			t.Errorf("%+v, %v", stored, err)
		}
	})
}

func TestASessionNeedsAUserAndTheSecretOfItsKind(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ann := superuser(t, s, "ann")
		for _, test := range []struct {
			session upstream.Session
			secret  string
			code    upstream.Code
		}{
			{upstream.Session{User: 99, Kind: upstream.TokenSession}, "", upstream.SignedOut},
			{upstream.Session{User: ann.ID, Kind: upstream.TokenSession}, "x", upstream.Internal},
			{upstream.Session{User: ann.ID, Kind: upstream.BrowserSession}, "", upstream.Internal},
			{upstream.Session{User: ann.ID}, "", upstream.Internal},
		} {
			_, err := s.CreateSession(t.Context(), test.session, test.secret, now)
			is(t, "session", err, test.code)
		}
	})
}

func TestABrowserSessionEndsIdleAndAfterHalfADay(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ann := superuser(t, s, "ann")
		n := signIn(t, s, ann.ID, upstream.BrowserSession, "one")
		idle := signIn(t, s, ann.ID, upstream.BrowserSession, "two")
		at := now
		for at.Before(now.Add(12*time.Hour - 10*time.Minute)) {
			at = at.Add(10 * time.Minute)
			if err := s.TouchSession(t.Context(), n.ID, at); err != nil {
				t.Fatal(err)
			}
			if at.Sub(now) < 15*time.Minute {
				live(t, s, ann.ID, at, n.ID, idle.ID)
			} else {
				live(t, s, ann.ID, at, n.ID)
			}
		}
		// Neither wakes again.
		at = now.Add(12 * time.Hour)
		for _, id := range []int64{n.ID, idle.ID} {
			if err := s.TouchSession(t.Context(), id, at); err != nil {
				t.Error(err)
			}
		}
		live(t, s, ann.ID, at)
	})
}

func TestATouchWritesOnceAMinute(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ann := superuser(t, s, "ann")
		n := signIn(t, s, ann.ID, upstream.TokenSession, "")
		for _, step := range []struct{ after, seen time.Duration }{
			{59 * time.Second, 0}, {time.Minute, time.Minute}, {90 * time.Second, time.Minute}, {10 * time.Second, time.Minute}, {time.Hour, time.Hour},
		} {
			if err := s.TouchSession(t.Context(), n.ID, now.Add(step.after)); err != nil {
				t.Fatal(err)
			}
			got, err := s.SessionByID(t.Context(), n.ID)
			if err != nil || !got.SeenAt.Equal(now.Add(step.seen)) || !got.ExpiresAt.Equal(n.ExpiresAt) {
				t.Errorf("touched after %s: seen at %s, expires %s, %v", step.after, got.SeenAt, got.ExpiresAt, err)
			}
		}
		if err := s.TouchSession(t.Context(), 99, now); err != nil {
			t.Errorf("touch of no session: %v", err)
		}
	})
}

func TestRefreshTokensRotateAndReuseEndsTheFamily(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ann := superuser(t, s, "ann")
		n, other := signIn(t, s, ann.ID, upstream.TokenSession, ""), signIn(t, s, ann.ID, upstream.TokenSession, "")
		at := now
		for generation := int64(1); generation < 4; generation++ {
			at = at.Add(6 * 24 * time.Hour) // each rotation gives another seven days
			next, err := s.RotateSession(t.Context(), n.ID, generation, at)
			if err != nil || next != generation+1 {
				t.Fatalf("rotation of %d gave %d, %v", generation, next, err)
			}
		}
		_, err := s.RotateSession(t.Context(), n.ID, 2, at)
		is(t, "an old generation", err, upstream.SignedOut)
		_, err = s.RotateSession(t.Context(), n.ID, 4, at)
		is(t, "the current generation, after reuse", err, upstream.SignedOut)
		if got, err := s.SessionByID(t.Context(), n.ID); err != nil || got.RevokedAt == nil || !got.RevokedAt.Equal(at) {
			t.Errorf("after reuse %+v, %v", got, err)
		}
		_, err = s.RotateSession(t.Context(), other.ID, 1, now.Add(7*24*time.Hour))
		is(t, "an expired family", err, upstream.SignedOut)
		_, err = s.RotateSession(t.Context(), 99, 1, now)
		is(t, "no family", err, upstream.SignedOut)
		browser := signIn(t, s, ann.ID, upstream.BrowserSession, "cookie")
		_, err = s.RotateSession(t.Context(), browser.ID, 1, now)
		is(t, "a browser's session", err, upstream.SignedOut)
		if got, err := s.SessionByID(t.Context(), browser.ID); err != nil || !got.Live(now) {
			t.Errorf("a browser's session after it: %+v, %v", got, err)
		}
	})
}

func TestOfRotationsAtTheSameMomentExactlyOneWins(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ann := superuser(t, s, "ann")
		for range 5 {
			n := signIn(t, s, ann.ID, upstream.TokenSession, "")
			var won atomic.Int32
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					next, err := s.RotateSession(t.Context(), n.ID, 1, now)
					if err == nil && next == 2 {
						won.Add(1)
					} else {
						is(t, "lost rotation", err, upstream.SignedOut)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Errorf("%d of four rotations won", won.Load())
			}
		}
	})
}

func TestSessionsAreRevokedByTheirUserAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ann, bob := superuser(t, s, "ann"), superuser(t, s, "bob")
		first, second, third := signIn(t, s, ann.ID, upstream.TokenSession, ""), signIn(t, s, ann.ID, upstream.TokenSession, ""), signIn(t, s, ann.ID, upstream.TokenSession, "")
		is(t, "another user's session", s.RevokeSession(t.Context(), bob.ID, first.ID, now), upstream.NotFound)
		is(t, "no session", s.RevokeSession(t.Context(), ann.ID, 99, now), upstream.NotFound)
		live(t, s, ann.ID, now, first.ID, second.ID, third.ID)
		for _, at := range []time.Time{now, now.Add(time.Hour)} { // again changes nothing
			if err := s.RevokeSession(t.Context(), ann.ID, first.ID, at); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := s.SessionByID(t.Context(), first.ID); err != nil || n.RevokedAt == nil || !n.RevokedAt.Equal(now) {
			t.Errorf("%+v, %v", n, err)
		}
		live(t, s, ann.ID, now, second.ID, third.ID)
	})
}

func TestSessionsThatEndedLongAgoAreDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ann := superuser(t, s, "ann")
		revoked, expired := signIn(t, s, ann.ID, upstream.TokenSession, ""), signIn(t, s, ann.ID, upstream.TokenSession, "")
		if err := s.RevokeSession(t.Context(), ann.ID, revoked.ID, now); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after time.Duration
			want  int64
		}{{30 * 24 * time.Hour, 0}, {30*24*time.Hour + 1000, 1}, {37 * 24 * time.Hour, 0}, {38 * 24 * time.Hour, 1}} {
			if n, err := s.PruneSessions(t.Context(), now.Add(step.after)); err != nil || n != step.want {
				t.Errorf("%s: %d, %v; want %d", step.after, n, err, step.want)
			}
		}
		if n, err := s.SessionByID(t.Context(), expired.ID); err != nil || n.ID != 0 {
			t.Errorf("%+v, %v", n, err)
		}
	})
}

func signer(id string) func() (string, []byte) {
	return func() (string, []byte) { return id, []byte(strings.Repeat(id, 32)) }
}

func TestServersAgreeOnTheFirstSigningKey(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		var wg sync.WaitGroup
		ids := make([]string, 4)
		for i := range ids {
			wg.Go(func() {
				keys, err := s.SigningKeys(t.Context(), signer(string(rune('a'+i))), now)
				if err != nil || len(keys) != 1 {
					t.Errorf("%v, %v", keys, err)
					return
				}
				ids[i] = keys[0].ID + string(keys[0].Secret)
			})
		}
		wg.Wait()
		if len(slices.Compact(ids)) != 1 {
			t.Errorf("servers sign with %v", ids)
		}
	})
}

func TestAReplacedSigningKeyVerifiesUntilItsLastTokenExpires(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		if _, err := s.SigningKeys(t.Context(), signer("a"), now); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			id    string
			after time.Duration
			want  []string
		}{
			{"b", 24 * time.Hour, []string{"b", "a"}},
			{"c", 8 * 24 * time.Hour, []string{"c", "b", "a"}}, // a was replaced seven days ago, not longer
			{"d", 8*24*time.Hour + time.Second, []string{"d", "c", "b"}},
			{"e", 100 * 24 * time.Hour, []string{"e", "d"}},
		} {
			keys, err := s.RotateSigningKey(t.Context(), signer(step.id), now.Add(step.after))
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, k := range keys {
				got = append(got, k.ID)
				if string(k.Secret) != strings.Repeat(k.ID, 32) {
					t.Errorf("the secret of %s is %q", k.ID, k.Secret)
				}
			}
			if !slices.Equal(got, step.want) {
				t.Errorf("after %s: %v, want %v", step.after, got, step.want)
			}
		}
		_, err := s.RotateSigningKey(t.Context(), func() (string, []byte) { return "short", []byte("x") }, now)
		is(t, "a short secret", err, upstream.Internal)
	})
}
