package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"upstream"
	"upstream/internal/auth"
	"upstream/internal/store"
)

// reach is who may ask each route, as the contract says. A route that is missing
// here fails the test.
const reach = `
anyone    GET health/
anyone    POST auth/token/
anyone    POST auth/token/refresh/
anyone    POST auth/token/verify/
anyone    POST auth/login/
viewer    POST auth/logout/
viewer    GET auth/me/
viewer    POST auth/password/
viewer    GET auth/sessions/
viewer    DELETE auth/sessions/{id}/
viewer    GET dashboard/
viewer    GET drift-events/
viewer    GET drift-events/active/
viewer    GET drift-events/{id}/
viewer    GET drift-events/{id}/claims/
analyst   PATCH drift-events/{id}/
viewer    GET claims/
viewer    GET claims/{id}/
viewer    GET claims/payer_summary/
viewer    GET payer-summary/
viewer    GET denial-rate-trend/
viewer    GET reports/
viewer    GET reports/{id}/
analyst   POST reports/trigger/
viewer    GET report-runs/
viewer    GET report-runs/{id}/
analyst   POST report-runs/trigger/
viewer    GET uploads/
analyst   POST uploads/
viewer    GET uploads/{id}/
viewer    GET uploads/{id}/rejects/
analyst   GET payer-mappings/
analyst   GET payer-mappings/unmatched/
analyst   POST payer-mappings/
analyst   GET payer-mappings/{id}/
analyst   PATCH payer-mappings/{id}/
analyst   DELETE payer-mappings/{id}/
analyst   GET cpt-mappings/
analyst   GET cpt-mappings/unmatched/
analyst   POST cpt-mappings/
analyst   GET cpt-mappings/{id}/
analyst   PATCH cpt-mappings/{id}/
analyst   DELETE cpt-mappings/{id}/
admin     GET settings/
admin     PATCH settings/
admin     GET users/
admin     POST users/
admin     GET users/{id}/
admin     PATCH users/{id}/
admin     DELETE users/{id}/
admin     GET api-keys/
admin     POST api-keys/
admin     DELETE api-keys/{id}/
admin     GET audit/
admin     GET customers/
superuser POST customers/
admin     GET customers/{id}/
superuser PATCH customers/{id}/
`

var ranks = []string{"anyone", "viewer", "analyst", "admin", "owner", "superuser"}

// asker is somebody who walks the routes.
type asker struct {
	name, rank string
	token      string
	cookie     string
	scope      string // the only one of a key
}

func (w *world) askers() []asker {
	out := []asker{
		{name: "nobody", rank: "anyone"},
		{name: "superuser", rank: "superuser", token: w.super},
		{name: "key for claims", rank: "admin", token: w.key(w.a, upstream.Admin, "claims"), scope: "claims"},
		{name: "key for users", rank: "admin", token: w.key(w.a, upstream.Admin, "users"), scope: "users"},
		{name: "key for auth", rank: "viewer", token: w.key(w.a, upstream.Viewer, "auth"), scope: "auth"},
		{name: "key of an owner", rank: "owner", token: w.ownerKey()},
	}
	for role, token := range w.a.tokens {
		out = append(out, asker{name: string(role), rank: string(role), token: token}, asker{name: string(role) + "'s browser", rank: string(role), cookie: w.logIn(w.a.users[role].Username)})
		if role != upstream.Owner {
			out = append(out, asker{name: "key of " + string(role), rank: string(role), token: w.key(w.a, role)})
		}
	}
	return out
}

// ownerKey is a key that only the command line makes.
func (w *world) ownerKey() string {
	w.Helper()
	key, prefix, hash := auth.NewAPIKey()
	if _, err := w.store.CreateAPIKey(context.Background(), upstream.APIKey{Customer: w.a.id, Name: "owner's", Prefix: prefix, Role: upstream.Owner}, hash, w.now()); err != nil {
		w.Fatal(err)
	}
	return key
}

// logIn signs a browser in and returns its cookie, as it sends it.
func (w *world) logIn(username string) string {
	w.Helper()
	got := w.post("", "auth/login/", map[string]string{"username": username, "password": password}).want(http.StatusOK)
	k, err := http.ParseSetCookie(got.header.Get("Set-Cookie"))
	if err != nil {
		w.Fatal(err)
	}
	return k.Name + "=" + k.Value
}

func TestNobodyReachesFurtherThanTheTable(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		table := map[string]string{}
		for line := range strings.Lines(strings.TrimSpace(reach)) {
			rank, route, _ := strings.Cut(strings.TrimSpace(line), " ")
			table[strings.TrimSpace(route)] = rank
		}
		if len(table) != len(w.server.routes) {
			t.Errorf("the table has %d routes, the server %d", len(table), len(w.server.routes))
		}
		askers := w.askers()
		for _, rt := range w.server.routes {
			least, ok := table[rt.method+" "+rt.path]
			if !ok {
				t.Errorf("%s %s is in no table", rt.method, rt.path)
				continue
			}
			for _, who := range askers {
				// Whoever is admitted is told of the parameter, before anything is done.
				want, code := http.StatusUnprocessableEntity, "invalid"
				scope, _, _ := strings.Cut(rt.path, "/")
				switch {
				case least == "anyone":
				case who.rank == "anyone":
					want, code = http.StatusUnauthorized, "signed_out"
				case slices.Index(ranks, who.rank) < slices.Index(ranks, least), who.scope != "" && who.scope != scope:
					want, code = http.StatusForbidden, "forbidden"
				}
				query := "?nosuch=1"
				if who.rank == "superuser" && !rt.has(global) && least != "anyone" {
					query += "&customer=" + itoa(w.a.id)
				}
				headers := []string{}
				if who.cookie != "" {
					headers = []string{"Cookie", who.cookie}
				}
				got := w.walk(rt, who.token, 1, query, headers...)
				if p := got.problem(want, code); want == http.StatusUnprocessableEntity && !strings.Contains(p.Detail, "nosuch") {
					t.Errorf("%s: %s %s: %s", who.name, rt.method, rt.path, p.Detail)
				}
				if (got.status == http.StatusUnauthorized) != (got.header.Get("WWW-Authenticate") != "") {
					t.Errorf("%s: %s %s: %d with WWW-Authenticate %q", who.name, rt.method, rt.path, got.status, got.header.Get("WWW-Authenticate"))
				}
				if t.Failed() {
					t.Fatalf("as %s", who.name)
				}
			}
		}
	})
}

func TestNobodyGivesMoreThanTheyHave(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		user := func(role string) map[string]any {
			return map[string]any{"username": "made." + role, "password": "long enough to be one", "role": role}
		}
		admin, owner := w.a.tokens[upstream.Admin], w.a.tokens[upstream.Owner]
		secondAdmin := w.user(upstream.User{Username: "admin2A", Customer: w.a.id, Role: upstream.Admin})
		usersKey, wholeKey := w.key(w.a, upstream.Admin, "users", "api-keys"), w.key(w.a, upstream.Admin)
		boss, err := w.store.CreateUser(t.Context(), upstream.User{Username: "bossA", Customer: w.a.id, Role: upstream.Viewer, Superuser: true}, hashOnce(), today)
		if err != nil {
			t.Fatal(err)
		}
		of := func(r upstream.Role) string { return "users/" + itoa(w.a.users[r].ID) + "/" }
		super := "users/" + itoa(boss.ID) + "/"
		superuser := map[string]any{"username": "made.super", "password": "long enough to be one", "role": "viewer", "superuser": true}
		tests := []struct {
			name, token, method, path string
			body                      any
			status                    int
		}{
			{"an admin makes an admin", admin, "POST", "users/", user("admin"), 403},
			{"an admin makes an owner", admin, "POST", "users/", user("owner"), 403},
			{"an admin makes a superuser", admin, "POST", "users/", superuser, 403},
			{"an owner makes a superuser", owner, "POST", "users/", superuser, 403},
			{"an admin raises itself", admin, "PATCH", of(upstream.Admin), map[string]any{"role": "owner"}, 403},
			{"an admin sets its own password without the old one", admin, "PATCH", of(upstream.Admin), map[string]any{"password": "long enough to be one"}, 403},
			{"an admin lowers an owner", admin, "PATCH", of(upstream.Owner), map[string]any{"role": "viewer"}, 403},
			{"an admin sets an owner's password", admin, "PATCH", of(upstream.Owner), map[string]any{"password": "long enough to be one"}, 403},
			{"an admin disables an owner", admin, "PATCH", of(upstream.Owner), map[string]any{"disabled": true}, 403},
			{"an admin removes an owner", admin, "DELETE", of(upstream.Owner), nil, 403},
			{"an admin disables another admin", secondAdmin, "PATCH", of(upstream.Admin), map[string]any{"disabled": true}, 403},
			{"an admin removes another admin", secondAdmin, "DELETE", of(upstream.Admin), nil, 403},
			{"an admin makes an analyst an admin", admin, "PATCH", of(upstream.Analyst), map[string]any{"role": "admin"}, 403},
			{"an admin's key makes an admin", wholeKey, "POST", "users/", user("admin"), 403},
			{"an owner sets a superuser's password", owner, "PATCH", super, map[string]any{"password": "long enough to be one"}, 403},
			{"an owner removes a superuser", owner, "DELETE", super, nil, 403},
			{"a key with scopes makes a user", usersKey, "POST", "users/", user("viewer"), 403},
			{"a key with scopes sets a password", usersKey, "PATCH", of(upstream.Viewer), map[string]any{"password": "long enough to be one"}, 403},
			{"a key with scopes makes a key", usersKey, "POST", "api-keys/", map[string]any{"name": "k", "role": "viewer"}, 403},
			{"a key has no password", wholeKey, "POST", "auth/password/", map[string]any{"old_password": "x", "new_password": "long enough to be one"}, 403},
			{"a key of an owner", owner, "POST", "api-keys/", map[string]any{"name": "k", "role": "owner"}, 422},
			{"a key for nothing is not one for everything", owner, "POST", "api-keys/", map[string]any{"name": "k", "role": "viewer", "scopes": []string{}}, 422},
			{"a key for no such resource", owner, "POST", "api-keys/", map[string]any{"name": "k", "role": "viewer", "scopes": []string{"secrets"}}, 422},
			{"a key that has expired", owner, "POST", "api-keys/", map[string]any{"name": "k", "role": "viewer", "expires_at": today.Add(-time.Hour)}, 422},
			{"a change of nothing", owner, "PATCH", of(upstream.Viewer), map[string]any{}, 422},
			{"a customer moves nobody", owner, "PATCH", of(upstream.Viewer), map[string]any{"customer": w.b.id}, 422},
			{"nobody becomes a superuser by a change", owner, "PATCH", of(upstream.Viewer), map[string]any{"superuser": true}, 422},
			{"the last owner stays", owner, "PATCH", of(upstream.Owner), map[string]any{"role": "viewer", "password": "long enough to be one"}, 409},
			{"the last owner is not removed", owner, "DELETE", of(upstream.Owner), nil, 409},
		}
		before, err := w.store.Revisions(t.Context(), w.a.id)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range tests {
			if got := w.send(test.method, test.token, test.path, test.body); got.status != test.status {
				t.Errorf("%s: %d %s, want %d", test.name, got.status, got.body, test.status)
			}
		}
		if after, err := w.store.Revisions(t.Context(), w.a.id); err != nil || after != before {
			t.Errorf("what was refused changed something: %+v, %+v, %v", before, after, err)
		}
		w.signIn("ownerA") // its password is the old one
		// What is allowed works.
		w.post(admin, "users/", user("analyst")).made()
		w.post(owner, "users/", user("owner")).made()
		w.post(admin, "api-keys/", map[string]any{"name": "k", "role": "admin"}).made()
		w.send("PATCH", admin, of(upstream.Viewer), map[string]any{"role": "analyst"}).want(http.StatusOK)
		w.send("PATCH", owner, of(upstream.Admin), map[string]any{"role": "owner"}).want(http.StatusOK)
	})
}

// What ends or changes somebody's access does so for the next request, with every
// kind of credential.
func TestChangesOfAccessActAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		owner, n := w.a.tokens[upstream.Owner], 0
		tests := []struct {
			name   string
			change func(u upstream.User, key int64)
			status int // of GET users/ as an admin
			ofKey  int // of a key that the user made, which is the customer's
		}{
			{"disabled", func(u upstream.User, _ int64) {
				w.send("PATCH", owner, "users/"+itoa(u.ID)+"/", map[string]any{"disabled": true}).want(http.StatusOK)
			}, 401, 200},
			{"removed", func(u upstream.User, _ int64) { w.ask("DELETE", owner, "users/"+itoa(u.ID)+"/", nil).made() }, 401, 200},
			{"lowered", func(u upstream.User, _ int64) {
				w.send("PATCH", owner, "users/"+itoa(u.ID)+"/", map[string]any{"role": "analyst"}).want(http.StatusOK)
			}, 403, 200},
			{"a new password by an owner", func(u upstream.User, _ int64) {
				w.send("PATCH", owner, "users/"+itoa(u.ID)+"/", map[string]any{"password": "another long password"}).want(http.StatusOK)
			}, 401, 200},
			{"the key revoked", func(_ upstream.User, key int64) {
				w.ask("DELETE", owner, "api-keys/"+itoa(key)+"/", nil).want(http.StatusOK)
			}, 200, 401},
			{"sessions ended elsewhere", func(u upstream.User, _ int64) {
				sessions, err := w.store.Sessions(t.Context(), u.ID, w.now())
				if err != nil {
					t.Fatal(err)
				}
				for _, k := range sessions {
					if err := w.store.RevokeSession(t.Context(), u.ID, k.ID, w.now()); err != nil {
						t.Fatal(err)
					}
				}
			}, 401, 200},
		}
		for _, test := range tests {
			n++
			u, err := w.store.CreateUser(t.Context(), upstream.User{Username: "mortal" + itoa(int64(n)), Customer: w.a.id, Role: upstream.Admin}, hashOnce(), today)
			if err != nil {
				t.Fatal(err)
			}
			token, cookie := w.signIn(u.Username), w.logIn(u.Username)
			var key struct {
				ID  int64
				Key string
			}
			w.post(token.Access, "api-keys/", map[string]any{"name": "k", "role": "admin"}).made().decode(&key)
			asks := func(want, ofKey int) {
				t.Helper()
				for what, got := range map[string]*response{
					"token": w.get(token.Access, "users/"), "cookie": w.get("", "users/", "Cookie", cookie),
				} {
					if got.status != want {
						t.Errorf("%s: with a %s: %d, want %d", test.name, what, got.status, want)
					}
				}
				if got := w.get(key.Key, "users/"); got.status != ofKey {
					t.Errorf("%s: with a key: %d, want %d", test.name, got.status, ofKey)
				}
			}
			asks(200, 200)
			test.change(u, key.ID)
			asks(test.status, test.ofKey)
			refresh := w.post("", "auth/token/refresh/", map[string]string{"refresh": token.Refresh})
			if (refresh.status == http.StatusUnauthorized) != (test.status == http.StatusUnauthorized) {
				t.Errorf("%s: a refresh: %d", test.name, refresh.status)
			}
		}
	})
}

func TestAPasswordChangeEndsTheOtherSessions(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		mine, other, cookie := w.signIn("adminA"), w.signIn("adminA"), w.logIn("adminA")
		change := func(old, next string) *response {
			return w.post(mine.Access, "auth/password/", map[string]string{"old_password": old, "new_password": next})
		}
		change("not the old one", "another long password").problem(http.StatusUnprocessableEntity, "invalid")
		change(password, "short").problem(http.StatusUnprocessableEntity, "invalid")
		w.get(other.Access, "auth/me/").want(http.StatusOK)
		change(password, "another long password").made()
		w.get(mine.Access, "auth/me/").want(http.StatusOK)
		w.get(other.Access, "auth/me/").problem(http.StatusUnauthorized, "signed_out")
		w.get("", "auth/me/", "Cookie", cookie).problem(http.StatusUnauthorized, "signed_out")
		w.post("", "auth/token/refresh/", map[string]string{"refresh": other.Refresh}).problem(http.StatusUnauthorized, "signed_out")
		w.post("", "auth/token/refresh/", map[string]string{"refresh": mine.Refresh}).want(http.StatusOK)
		w.post("", "auth/token/", map[string]string{"username": "adminA", "password": password}).problem(http.StatusUnauthorized, "signed_out")
		w.post("", "auth/token/", map[string]string{"username": "ADMINA", "password": "another long password"}).want(http.StatusOK)
	})
}

func TestSessionsAreListedAndEndedByTheirUserAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		mine, other, cookie := w.signIn("adminA"), w.signIn("adminA"), w.logIn("adminA")
		var list struct {
			Count   int64
			Results []struct {
				ID      int64
				Kind    string
				Current bool
			}
		}
		w.get(mine.Access, "auth/sessions/").want(http.StatusOK).decode(&list)
		if list.Count != 4 || list.Results[3].Kind != "browser" || !list.Results[1].Current || list.Results[2].Current {
			t.Fatalf("sessions %+v", list)
		}
		end := func(token string, i int) *response {
			return w.ask("DELETE", token, "auth/sessions/"+itoa(list.Results[i].ID)+"/", nil)
		}
		for _, stranger := range []string{w.a.tokens[upstream.Owner], w.b.tokens[upstream.Owner], w.super, w.key(w.a, upstream.Admin)} {
			end(stranger, 2).problem(http.StatusNotFound, "not_found")
		}
		end(mine.Access, 2).made()
		end(mine.Access, 3).made()
		w.get(mine.Access, "auth/me/").want(http.StatusOK)
		w.get(other.Access, "auth/me/").problem(http.StatusUnauthorized, "signed_out")
		w.get("", "auth/me/", "Cookie", cookie).problem(http.StatusUnauthorized, "signed_out")
		w.post(mine.Access, "auth/logout/", nil).made()
		w.get(mine.Access, "auth/me/").problem(http.StatusUnauthorized, "signed_out")
		w.post("", "auth/token/refresh/", map[string]string{"refresh": mine.Refresh}).problem(http.StatusUnauthorized, "signed_out")
	})
}

func TestAnExpiredKeyOpensNothing(t *testing.T) {
	w := newWorld(t, worldOptions{})
	var made struct{ Key string }
	w.post(w.a.tokens[upstream.Owner], "api-keys/", map[string]any{"name": "k", "role": "viewer", "expires_at": today.Add(time.Hour)}).made().decode(&made)
	w.get(made.Key, "claims/").want(http.StatusOK)
	w.wait(time.Hour - time.Second)
	w.get(made.Key, "claims/").want(http.StatusOK)
	w.wait(time.Second)
	w.get(made.Key, "claims/").problem(http.StatusUnauthorized, "signed_out")
}

// A user who moves to another customer sees that one, and nothing of the first.
func TestAMovedUserSeesTheNewCustomer(t *testing.T) {
	w := newWorld(t, worldOptions{})
	token := w.a.tokens[upstream.Viewer]
	tag := w.get(token, "claims/").want(http.StatusOK).header.Get("Etag")
	if _, err := w.store.ChangeUser(t.Context(), w.a.users[upstream.Viewer].ID, store.UserChange{Customer: &w.b.id}, w.now()); err != nil {
		t.Fatal(err)
	}
	moved := w.get(token, "claims/", "If-None-Match", tag).want(http.StatusOK)
	if own := w.get(w.b.tokens[upstream.Viewer], "claims/"); string(own.body) != string(moved.body) {
		t.Error("a moved user sees other claims than the customer")
	}
	w.get(token, "claims/?customer="+itoa(w.a.id)).problem(http.StatusNotFound, "not_found")
}
