package main

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"upstream"
	"upstream/internal/auth"
	"upstream/internal/store"
)

const password = "four plain words here"

// signsIn reports whether a password is that of a user who may sign in.
func (w *world) signsIn(username, password string) bool {
	w.Helper()
	ok := false
	w.inStore(func(s *store.Store) error {
		u, hash, err := s.UserForLogin(context.Background(), username)
		if err != nil || hash == "" || u.Disabled {
			return err
		}
		ok, _, err = auth.NewHasher().Verify(context.Background(), password, hash)
		return err
	})
	return ok
}

func (w *world) inStore(f func(*store.Store) error) {
	w.Helper()
	s, err := store.Open(context.Background(), w.database)
	if err != nil {
		w.Fatal(err)
	}
	defer s.Close()
	if err := f(s); err != nil {
		w.Fatal(err)
	}
}

// listOf runs a command that prints a JSON list.
func (w *world) listOf(args ...string) []parsed {
	w.Helper()
	var out []parsed
	if err := json.Unmarshal([]byte(w.must(args...)), &out); err != nil || out == nil {
		w.Fatalf("%q prints no JSON list: %v", args, err)
	}
	return out
}

func TestAUserIsMadeAndManaged(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.must("customer", "create", "North")
		contains(t, w.run("user", "list").stderr, "`upstream user create NAME")
		if n := len(w.listOf("user", "list", "--json")); n != 0 {
			t.Errorf("%d users before the first", n)
		}
		w.typed = password + "\r\nmore\n"
		if got := w.must("user", "create", "Ann", "--role", "owner", "--customer", "1"); got != "user 1: Ann\n" {
			t.Errorf("printed %q", got)
		}
		w.typed = ""
		if !w.signsIn("ann", password) || w.signsIn("ann", password+"x") {
			t.Error("the password is not the one that was typed")
		}
		w.must("user", "create", "root", "--role", "owner", "--superuser", "--password-file", w.file("secret", "another long password\n"))
		if !w.signsIn("root", "another long password") {
			t.Error("the password is not the one of the file")
		}
		list := w.must("user", "list")
		contains(t, list, "id  username", "1   Ann", "2   root", "enabled", "2026-07-01")
		if of1 := w.listOf("user", "list", "--customer", "1", "--json"); len(of1) != 1 || of1[0]["username"] != "Ann" || of1[0]["role"] != "owner" {
			t.Errorf("users of customer 1: %v", of1)
		}

		contains(t, w.fails(exitFailed, "user", "disable", "Ann"), "last owner")
		w.must("user", "create", "bob", "--role", "owner", "--customer", "1", "--generate")
		contains(t, w.must("user", "disable", "ANN"), "Ann is disabled")
		if w.signsIn("ann", password) {
			t.Error("a disabled user signs in")
		}
		contains(t, w.must("user", "list"), "disabled")
		contains(t, w.must("user", "enable", "ann"), "Ann is enabled")
		w.typed = "yet another password"
		w.must("user", "passwd", "ann", "--password-file", "-")
		if !w.signsIn("ann", "yet another password") || w.signsIn("ann", password) {
			t.Error("the password was not changed")
		}
	})
}

func TestAGeneratedPasswordIsPrintedAndOpens(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	made := w.jsonOf("user", "create", "ann", "--role", "viewer", "--customer", "1", "--generate", "--json")
	has(t, "the user", made, "id", "username", "customer", "role", "superuser", "disabled", "created_at", "password")
	first, _ := made["password"].(string)
	if !regexp.MustCompile(`^[0-9A-Za-z]{20}$`).MatchString(first) || !w.signsIn("ann", first) {
		t.Errorf("password %q opens nothing", first)
	}
	out := w.must("user", "passwd", "ann", "--generate")
	second := strings.TrimSpace(out[strings.Index(out, "password: ")+len("password: "):])
	if second == first || !w.signsIn("ann", second) {
		t.Errorf("%q opens nothing", second)
	}
	w.typed = password
	if out := w.must("user", "create", "bob", "--role", "viewer", "--customer", "1", "--json"); strings.Contains(out, "password") {
		t.Errorf("a password that was given is printed: %s", out)
	}
}

func TestUsersThatCantBeAreRefusedInALine(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	w.typed = password
	w.must("user", "create", "ann", "--role", "owner", "--customer", "1")
	tests := []struct {
		name, typed string
		code        int
		args        []string
		says        []string
	}{
		{"taken", password, exitFailed, []string{"create", "ANN", "--role", "viewer", "--customer", "1"}, []string{"already"}},
		{"no customer", password, exitFailed, []string{"create", "bob", "--role", "viewer"}, []string{"customer", "superuser"}},
		{"another customer", password, exitFailed, []string{"create", "bob", "--role", "viewer", "--customer", "9"}, []string{"no customer 9"}},
		{"bad name", password, exitFailed, []string{"create", "b b", "--role", "viewer", "--customer", "1"}, []string{"3 to 64"}},
		{"no role", password, exitUsage, []string{"create", "bob", "--customer", "1"}, []string{"--role"}},
		{"another role", password, exitUsage, []string{"create", "bob", "--role", "root", "--customer", "1"}, []string{"--role", "owner"}},
		{"short password", "short\n", exitFailed, []string{"create", "bob", "--role", "viewer", "--customer", "1"}, []string{"at least"}},
		{"no password", "", exitFailed, []string{"create", "bob", "--role", "viewer", "--customer", "1"}, []string{"--password-file", "--generate"}},
		{"endless password", strings.Repeat("x", 1<<20), exitFailed, []string{"create", "bob", "--role", "viewer", "--customer", "1"}, []string{"at most"}},
		{"no file", "", exitFailed, []string{"create", "bob", "--role", "viewer", "--customer", "1", "--password-file", "nowhere"}, []string{"nowhere"}},
		{"both ways", "", exitFailed, []string{"passwd", "ann", "--generate", "--password-file", "-"}, []string{"both"}},
		{"nobody's password", password, exitFailed, []string{"passwd", "bob"}, []string{"no user", "user list"}},
		{"nobody disabled", "", exitFailed, []string{"disable", "bob"}, []string{"no user"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			here := &world{TB: t, dir: w.dir, database: w.database, now: w.now, typed: test.typed}
			line := here.fails(test.code, append([]string{"user"}, test.args...)...)
			contains(t, line, test.says...)
			if test.typed != "" && strings.Contains(line, strings.TrimSpace(test.typed)) {
				t.Errorf("the password is told: %s", line)
			}
		})
	}
	if n := len(w.listOf("user", "list", "--json")); n != 1 {
		t.Errorf("%d users, want 1", n)
	}
}

func TestAListOfManyUsersHasAllOfThem(t *testing.T) {
	w := inSQLite(t)
	w.inStore(func(s *store.Store) error {
		for i := range upstream.MaxPageSize + 1 {
			u := upstream.User{Username: "user" + strings.Repeat("x", i%50) + "." + idText(int64(i)), Role: upstream.Viewer, Superuser: true}
			if _, err := s.CreateUser(context.Background(), u, "hash", w.now); err != nil {
				return err
			}
		}
		return nil
	})
	if n := len(w.listOf("user", "list", "--json")); n != upstream.MaxPageSize+1 {
		t.Errorf("%d users", n)
	}
}

func TestAnAPIKeyIsPrintedOnceAndRevoked(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.must("customer", "create", "North")
		w.must("customer", "create", "South")
		contains(t, w.run("apikey", "list", "--customer", "1").stderr, "`upstream apikey create NAME --customer 1")
		r := w.run("apikey", "create", "nightly export", "--customer", "1", "--role", "viewer", "--scope", "claims,uploads", "--expires", "2026-07-31")
		key := strings.TrimSpace(r.stdout)
		hash, ok := auth.APIKeyHash(key)
		if r.code != exitOK || !ok {
			t.Fatalf("exit code %d, printed %q: %s", r.code, r.stdout, r.stderr)
		}
		contains(t, r.stderr, "can't be shown again")
		w.inStore(func(s *store.Store) error {
			k, found, err := s.APIKeyByHash(context.Background(), hash)
			last := time.Date(2026, 7, 31, 23, 59, 59, 0, time.UTC)
			if !found || k.Customer != 1 || k.Role != upstream.Viewer || strings.Join(k.Scopes, " ") != "claims uploads" || !k.Live(last) || k.Live(last.Add(time.Second)) {
				t.Errorf("%+v", k)
			}
			return err
		})
		made := w.jsonOf("apikey", "create", "other", "--customer", "1", "--role", "admin", "--json")
		has(t, "the key", made, "id", "name", "prefix", "role", "scopes", "key", "expires_at", "revoked_at")
		list := w.must("apikey", "list", "--customer", "1")
		contains(t, list, "nightly export", "claims,uploads", "until 2026-07-31", "other", "all", "live")
		if strings.Contains(list, key) {
			t.Error("the list shows a key")
		}
		contains(t, w.fails(exitFailed, "apikey", "revoke", "1", "--customer", "2"), "no API key 1")
		for range 2 {
			contains(t, w.must("apikey", "revoke", "1", "--customer", "1"), "API key 1: ups_", "is revoked")
		}
		contains(t, w.must("apikey", "list", "--customer", "1"), "revoked")
		if keys := w.listOf("apikey", "list", "--customer", "2", "--json"); len(keys) != 0 {
			t.Errorf("keys of another customer: %v", keys)
		}
		w.now = time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
		contains(t, w.fails(exitFailed, "apikey", "create", "k", "--customer", "1", "--role", "viewer", "--expires", "2026-07-31"), "later date")
		contains(t, w.fails(exitFailed, "apikey", "create", "k", "--customer", "1", "--role", "viewer", "--expires", "soon"), "not a date")
		contains(t, w.fails(exitFailed, "apikey", "create", "k", "--customer", "9", "--role", "viewer"), "no customer 9")
	})
}

func TestTheAuditTellsWhatTheCommandsDid(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.must("customer", "create", "North")
		contains(t, w.run("audit", "list", "--customer", "1").stderr, "no such entry")
		w.must("user", "create", "root", "--role", "owner", "--superuser", "--generate")
		w.must("user", "create", "ann", "--role", "viewer", "--customer", "1", "--generate")
		w.now = w.now.Add(24 * time.Hour)
		key := strings.TrimSpace(w.must("apikey", "create", "export", "--customer", "1", "--role", "viewer"))
		w.must("apikey", "revoke", "1", "--customer", "1")
		w.must("user", "disable", "ann")
		w.must("user", "enable", "ann")
		made := w.must("user", "passwd", "ann", "--generate")
		actions := []string{}
		for _, e := range w.listOf("audit", "list", "--customer", "1", "--json") {
			actions = append(actions, e["action"].(string)+" "+e["target"].(string))
		}
		want := "user.password 2, user.enable 2, user.disable 2, api_key.revoke 1, api_key.create 1, user.create 2"
		if got := strings.Join(actions, ", "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		list := w.must("audit", "list", "--customer", "1")
		contains(t, list, "cli", "api_key.create", "export")
		if strings.Contains(list, key) || strings.Contains(list, made[strings.Index(made, ": ")+2:]) {
			t.Errorf("the audit holds a secret:\n%s", list)
		}
		if n := len(w.listOf("audit", "list", "--customer", "1", "--json", "--to", "2026-07-01")); n != 1 {
			t.Errorf("%d entries of the first day", n)
		}
		if n := len(w.listOf("audit", "list", "--customer", "1", "--json", "--from", "2026-07-02", "--limit", "3")); n != 3 {
			t.Errorf("%d entries of the second day, of three that were asked for", n)
		}
		if n := len(w.listOf("audit", "list", "--customer", "0", "--json", "--actor", "cli", "--action", "user.create", "--target", "1")); n != 1 {
			t.Errorf("%d entries of the superuser's creation", n)
		}
		contains(t, w.fails(exitFailed, "audit", "list", "--customer", "1", "--limit", "0"), "--limit")
		contains(t, w.fails(exitFailed, "audit", "list", "--customer", "1", "--from", "x"), "not a date")
	})
}

func TestAuditVerifyFindsWhatWasTamperedWith(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	w.must("user", "create", "ann", "--role", "viewer", "--customer", "1", "--generate")
	w.must("user", "create", "bob", "--role", "viewer", "--customer", "1", "--generate")
	contains(t, w.must("audit", "verify"), "customer 0: audit entries as written: 1;", "customer 1: audit entries as written: 2;")
	contains(t, w.fails(exitFailed, "audit", "verify", "--customer", "9"), "no customer 9")
	w.damage("DROP TRIGGER audit_entry_unchanged", "UPDATE audit_entry SET actor = 'user:eve' WHERE id = 2")
	contains(t, w.fails(exitFailed, "audit", "verify", "--customer", "1"), "customer 1", "audit entry 2", "not as it was written")
	r := w.run("audit", "verify", "--json")
	var checks []parsed
	if err := json.Unmarshal([]byte(r.stdout), &checks); err != nil || r.code != exitFailed || len(checks) != 2 || checks[1]["first_bad"] != 2.0 || checks[1]["entries"] != 1.0 {
		t.Errorf("exit code %d: %s, %v", r.code, r.stdout, err)
	}
}
