package store

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"upstream"
)

// user makes a user of a customer.
func user(t testing.TB, s *Store, name string, customer int64, role upstream.Role) upstream.User {
	t.Helper()
	u, err := s.CreateUser(t.Context(), upstream.User{Username: name, Customer: customer, Role: role}, "hash of "+name, now)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func superuser(t testing.TB, s *Store, name string) upstream.User {
	t.Helper()
	u, err := s.CreateUser(t.Context(), upstream.User{Username: name, Role: upstream.Owner, Superuser: true}, "hash of "+name, now)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// is fails the test unless an error has a code.
func is(t testing.TB, what string, err error, code upstream.Code) {
	t.Helper()
	if upstream.ErrorCode(err) != code {
		t.Errorf("%s: %v (%q), want %q", what, err, upstream.ErrorCode(err), code)
	}
}

func TestUsernamesAreUniqueWhateverTheirCase(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		ann := user(t, s, "Ann@North", a.id, upstream.Admin)
		if ann.ID != 1 || !ann.CreatedAt.Equal(now) {
			t.Errorf("first user %+v", ann)
		}
		_, err := s.CreateUser(t.Context(), upstream.User{Username: "aNN@nORTH", Customer: a.id, Role: upstream.Viewer}, "x", now)
		is(t, "the name in another case", err, upstream.Conflict)
		for _, name := range []string{"ann@north", "ANN@NORTH"} {
			u, hash, err := s.UserForLogin(t.Context(), name)
			if err != nil || hash != "hash of Ann@North" || u != ann {
				t.Errorf("%s: %+v, %q, %v", name, u, hash, err)
			}
		}
		for _, name := range []string{"", "bob", "a\x00b", "' OR 1=1", strings.Repeat("x", 10_000), "\xff\xfe\xfd"} {
			if u, hash, err := s.UserForLogin(t.Context(), name); err != nil || hash != "" || u != (upstream.User{}) {
				t.Errorf("%.20q: %+v, %q, %v", name, u, hash, err)
			}
		}
		if u, err := s.User(t.Context(), ann.ID); err != nil || u != ann {
			t.Errorf("%+v, %v", u, err)
		}
	})
}

func TestAUserIsRefusedThatCouldNotBe(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		good := upstream.User{Username: "ann", Customer: a.id, Role: upstream.Viewer}
		tests := []struct {
			name   string
			change func(*upstream.User)
		}{
			{"short name", func(u *upstream.User) { u.Username = "ab" }},
			{"long name", func(u *upstream.User) { u.Username = strings.Repeat("x", 65) }},
			{"space", func(u *upstream.User) { u.Username = "ann lee" }},
			{"NUL", func(u *upstream.User) { u.Username = "ann\x00" }},
			{"line end", func(u *upstream.User) { u.Username = "ann\n" }},
			{"other letters", func(u *upstream.User) { u.Username = "аnn" }}, // a Cyrillic а
			{"no role", func(u *upstream.User) { u.Role = "" }},
			{"another role", func(u *upstream.User) { u.Role = "root" }},
			{"no customer", func(u *upstream.User) { u.Customer = 0 }},
			{"another customer", func(u *upstream.User) { u.Customer = 99 }},
			{"a superuser of another customer", func(u *upstream.User) { u.Customer, u.Superuser = 99, true }},
		}
		for _, test := range tests {
			u := good
			test.change(&u)
			_, err := s.CreateUser(t.Context(), u, "hash", now)
			is(t, test.name, err, upstream.Invalid)
		}
		_, err := s.CreateUser(t.Context(), good, "", now)
		is(t, "no password", err, upstream.Invalid)
		if n, err := s.CountUsers(t.Context(), 0); err != nil || n != 0 {
			t.Errorf("%d users, %v", n, err)
		}
		long := good
		long.Username = strings.Repeat("x", 64)
		if _, err := s.CreateUser(t.Context(), long, "hash", now); err != nil {
			t.Error(err)
		}
	})
}

func TestUsersAreListedByCustomerAndPage(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a, b := customer(t, s, "A"), customer(t, s, "B")
		var all, ofA []upstream.User
		for i := range 6 {
			k := a
			if i%2 == 1 {
				k = b
			}
			all = append(all, user(t, s, fmt.Sprint("user", i), k.id, upstream.Viewer))
			if k == a {
				ofA = append(ofA, all[i])
			}
		}
		list := func(customer int64, page upstream.Page) []upstream.User {
			t.Helper()
			out, err := s.Users(t.Context(), customer, page)
			if err != nil {
				t.Fatal(err)
			}
			return out.Items
		}
		for what, diff := range map[string]string{
			"all":         cmp.Diff(all, list(0, upstream.Page{})),
			"A's":         cmp.Diff(ofA, list(a.id, upstream.Page{})),
			"second page": cmp.Diff(ofA[1:2], list(a.id, upstream.Page{Size: 1, After: upstream.Key{ID: ofA[0].ID}})),
			"past it":     cmp.Diff([]upstream.User{}, list(a.id, upstream.Page{After: upstream.Key{ID: 99}})),
			"nobody's":    cmp.Diff([]upstream.User{}, list(99, upstream.Page{})),
		} {
			if diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
		}
		if n, err := s.CountUsers(t.Context(), b.id); err != nil || n != 3 {
			t.Errorf("%d users of B, %v", n, err)
		}
	})
}

func TestTheLastOwnerAndTheLastSuperuserStay(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a, b := customer(t, s, "A"), customer(t, s, "B")
		root, owner := superuser(t, s, "root"), user(t, s, "owner", a.id, upstream.Owner)
		user(t, s, "elsewhere", b.id, upstream.Owner)
		yes, no, viewer := true, false, upstream.Viewer
		refused := func(id int64, changes ...UserChange) {
			t.Helper()
			for _, c := range changes {
				_, err := s.ChangeUser(t.Context(), id, c, now)
				is(t, fmt.Sprintf("change of user %d", id), err, upstream.Conflict)
			}
			is(t, "deletion", s.DeleteUser(t.Context(), id), upstream.Conflict)
		}
		refused(root.ID, UserChange{Disabled: &yes}, UserChange{Superuser: &no, Customer: &a.id})
		refused(owner.ID, UserChange{Disabled: &yes}, UserChange{Role: &viewer}, UserChange{Customer: &b.id})

		// A disabled one doesn't count, an enabled one does.
		second, secondRoot := user(t, s, "second", a.id, upstream.Owner), superuser(t, s, "second-root")
		change := func(id int64, c UserChange) upstream.User {
			t.Helper()
			u, err := s.ChangeUser(t.Context(), id, c, now)
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		change(second.ID, UserChange{Disabled: &yes})
		change(secondRoot.ID, UserChange{Disabled: &yes})
		refused(root.ID, UserChange{Disabled: &yes})
		refused(owner.ID, UserChange{Role: &viewer})
		change(second.ID, UserChange{Disabled: &no})
		if u := change(owner.ID, UserChange{Role: &viewer, Customer: &b.id}); u.Role != viewer || u.Customer != b.id || u.Username != "owner" {
			t.Errorf("changed to %+v", u)
		}
		change(secondRoot.ID, UserChange{Disabled: &no})
		if err := s.DeleteUser(t.Context(), root.ID); err != nil {
			t.Error(err)
		}
		_, err := s.User(t.Context(), root.ID)
		is(t, "a deleted user", err, upstream.NotFound)
		_, err = s.ChangeUser(t.Context(), root.ID, UserChange{}, now)
		is(t, "change of a deleted user", err, upstream.NotFound)
		is(t, "second deletion", s.DeleteUser(t.Context(), root.ID), upstream.NotFound)
		is(t, "password of a deleted user", s.SetPassword(t.Context(), root.ID, "x", 0, now), upstream.NotFound)
		wrong := upstream.Role("root")
		_, err = s.ChangeUser(t.Context(), owner.ID, UserChange{Role: &wrong}, now)
		is(t, "a role that isn't one", err, upstream.Invalid)
	})
}

// Of two owners who demote each other at the same moment, one remains.
func TestOwnersWhoDemoteEachOtherLeaveOne(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		owners := []upstream.User{user(t, s, "one", a.id, upstream.Owner), user(t, s, "two", a.id, upstream.Owner)}
		viewer := upstream.Viewer
		var changed atomic.Int32
		var wg sync.WaitGroup
		for _, u := range owners {
			wg.Go(func() {
				_, err := s.ChangeUser(t.Context(), u.ID, UserChange{Role: &viewer}, now)
				if err == nil {
					changed.Add(1)
				} else {
					is(t, "demotion", err, upstream.Conflict)
				}
			})
		}
		wg.Wait()
		if changed.Load() != 1 {
			t.Errorf("%d of two owners were demoted", changed.Load())
		}
	})
}

func TestIdsOfUsersAreNotGivenAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		first := user(t, s, "ann", a.id, upstream.Viewer)
		session := signIn(t, s, first.ID, upstream.TokenSession, "")
		if err := s.DeleteUser(t.Context(), first.ID); err != nil {
			t.Fatal(err)
		}
		if n, err := s.SessionByID(t.Context(), session.ID); err != nil || n.ID != 0 {
			t.Errorf("the session of a deleted user: %+v, %v", n, err)
		}
		again := user(t, s, "ann", a.id, upstream.Viewer)
		if again.ID == first.ID {
			t.Errorf("user %d was made twice", again.ID)
		}
		if n := signIn(t, s, again.ID, upstream.TokenSession, ""); n.ID == session.ID {
			t.Errorf("session %d was made twice", n.ID)
		}
	})
}

func TestANewPasswordEndsSessionsButTheOneThatIsKept(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		ann, bob := user(t, s, "ann", a.id, upstream.Viewer), user(t, s, "bob", a.id, upstream.Viewer)
		signIn(t, s, ann.ID, upstream.TokenSession, "")
		kept := signIn(t, s, ann.ID, upstream.BrowserSession, "cookie")
		other := signIn(t, s, bob.ID, upstream.TokenSession, "")
		if err := s.SetPassword(t.Context(), ann.ID, "new hash", kept.ID, now); err != nil {
			t.Fatal(err)
		}
		live(t, s, ann.ID, now, kept.ID)
		live(t, s, bob.ID, now, other.ID)
		if _, hash, err := s.UserForLogin(t.Context(), "ann"); err != nil || hash != "new hash" {
			t.Errorf("hash %q, %v", hash, err)
		}
		is(t, "no hash", s.SetPassword(t.Context(), ann.ID, "", 0, now), upstream.Invalid)
		disabled := true
		if _, err := s.ChangeUser(t.Context(), bob.ID, UserChange{Disabled: &disabled}, now); err != nil {
			t.Fatal(err)
		}
		live(t, s, bob.ID, now)
		_, err := s.CreateSession(t.Context(), upstream.Session{User: bob.ID, Kind: upstream.TokenSession}, "", now)
		is(t, "sign-in of a disabled user", err, upstream.SignedOut)
	})
}

func TestAPasswordChangesTogetherWithTheRestOrNotAtAll(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		ann := user(t, s, "ann", a.id, upstream.Owner)
		session := signIn(t, s, ann.ID, upstream.TokenSession, "")
		hash, none, viewer := "another", "", upstream.Viewer
		_, err := s.ChangeUser(t.Context(), ann.ID, UserChange{Role: &viewer, PasswordHash: &hash}, now)
		is(t, "the last owner", err, upstream.Conflict)
		_, err = s.ChangeUser(t.Context(), ann.ID, UserChange{PasswordHash: &none}, now)
		is(t, "no password", err, upstream.Invalid)
		live(t, s, ann.ID, now, session.ID)
		if _, stored, err := s.UserForLogin(t.Context(), "ann"); err != nil || stored == hash {
			t.Errorf("a change that was refused left the hash %q, %v", stored, err)
		}
		if _, err := s.ChangeUser(t.Context(), ann.ID, UserChange{PasswordHash: &hash}, now); err != nil {
			t.Fatal(err)
		}
		live(t, s, ann.ID, now)
		if _, stored, err := s.UserForLogin(t.Context(), "ann"); err != nil || stored != hash {
			t.Errorf("the hash is %q, %v", stored, err)
		}
	})
}

func TestARenewedHashReplacesOnlyTheOneItWasMadeFrom(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ann := superuser(t, s, "ann")
		for _, step := range []struct{ from, to, want string }{{"hash of ann", "better", "better"}, {"hash of ann", "stale", "better"}} {
			if err := s.RenewPasswordHash(t.Context(), ann.ID, step.from, step.to); err != nil {
				t.Fatal(err)
			}
			if _, hash, err := s.UserForLogin(t.Context(), "ann"); err != nil || hash != step.want {
				t.Errorf("%q, %v; want %q", hash, err, step.want)
			}
		}
	})
}

func TestChangesOfAccessAdvanceItsRevisionAndNoCustomers(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		ann := user(t, s, "ann", a.id, upstream.Owner)
		session := signIn(t, s, ann.ID, upstream.TokenSession, "")
		key := apiKey(t, s, a.id, "k")
		disabled := false
		steps := []struct {
			name string
			loud bool
			do   func() error
		}{
			{"change", true, func() error {
				_, err := s.ChangeUser(t.Context(), ann.ID, UserChange{Disabled: &disabled}, now)
				return err
			}},
			{"password", true, func() error { return s.SetPassword(t.Context(), ann.ID, "h", session.ID, now) }},
			{"renewed hash", false, func() error { return s.RenewPasswordHash(t.Context(), ann.ID, "h", "i") }},
			{"touch", false, func() error { return s.TouchSession(t.Context(), session.ID, now.Add(time.Hour)) }},
			{"rotation", false, func() error { _, err := s.RotateSession(t.Context(), session.ID, 1, now); return err }},
			{"reuse", true, func() error {
				_, err := s.RotateSession(t.Context(), session.ID, 1, now)
				is(t, "reuse", err, upstream.SignedOut)
				return nil
			}},
			{"revoked key", true, func() error { _, err := s.RevokeAPIKey(t.Context(), a.id, key.ID, now); return err }},
			{"new signing key", true, func() error { _, err := s.RotateSigningKey(t.Context(), signer("x"), now); return err }},
			{"audit", false, func() error { return s.AppendAudit(t.Context(), []upstream.AuditEntry{{Customer: a.id}}) }},
		}
		for _, step := range steps {
			before, err := s.Revisions(t.Context(), a.id)
			if err != nil {
				t.Fatal(err)
			}
			if err := step.do(); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
			after, err := s.Revisions(t.Context(), a.id)
			if err != nil || after.Access > before.Access != step.loud || after.Data != before.Data {
				t.Errorf("%s made %v of %v, %v", step.name, after, before, err)
			}
		}
	})
}
