package api

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"upstream"
	"upstream/internal/limit"
	"upstream/internal/store"
	"upstream/internal/telemetry"
)

// nobodys is an id that no customer has anything under.
const nobodys = 1 << 39

// twoPractices are worlds in which B has ids of everything that A hasn't.
func twoPractices(t *testing.T, f func(t *testing.T, w *world, a, b furnished)) {
	for _, e := range engines {
		t.Run(e.Name, func(t *testing.T) {
			w := newWorld(t, worldOptions{url: e.URL(t), change: func(o *Options) { o.CountQueries = true }})
			w.load(w.b, 200, 99)
			a := w.furnish(w.a, "a1")
			w.furnish(w.b, "b1")
			b := w.furnish(w.b, "b2")
			for _, scope := range slices.Sorted(maps.Keys(b)) {
				if a[scope] == b[scope] {
					t.Fatalf("A and B both have id %d of %s", a[scope], scope)
				}
			}
			f(t, w, a, b)
		})
	}
}

// What belongs to another customer is answered like what nobody has: the same bytes
// after the same number of statements, also when its owner's answer is kept. Nothing
// of it changes.
func TestWhatIsAnotherCustomersDoesNotExist(t *testing.T) {
	twoPractices(t, func(t *testing.T, w *world, a, b furnished) {
		ownerA, ownerB := w.a.tokens[upstream.Owner], w.b.tokens[upstream.Owner]
		before := w.everything(ownerB, b)
		revisions, err := w.store.Revisions(t.Context(), w.b.id)
		if err != nil {
			t.Fatal(err)
		}
		walked := 0
		for _, rt := range w.server.routes {
			if !strings.Contains(rt.path, "{id}") || rt.who.superuser {
				continue
			}
			walked++
			scope, _, _ := strings.Cut(rt.path, "/")
			id, ok := b[scope]
			if !ok {
				t.Fatalf("%s: B has no such thing; furnish it", rt.path)
			}
			same := []string{"X-Request-Id", "same"}
			w.get(ownerA, "auth/me/") // who asks is known from here on
			want := w.walk(rt, ownerA, nobodys, "", same...)
			want.problem(http.StatusNotFound, "not_found")
			foreign := map[string]int64{"id": id, "packed id": w.b.id<<40 | id}
			for name, id := range foreign {
				for _, when := range []string{"cold", "again", "after its owner's"} {
					if when == "after its owner's" && rt.method == http.MethodGet && name == "id" {
						w.walk(rt, ownerB, id, "").want(http.StatusOK)
						w.get(ownerA, "auth/me/")
					}
					if got := w.walk(rt, ownerA, id, "", same...); told(got) != told(want) {
						t.Errorf("%s %s of B's %s, %s:\n%s\nof nobody's:\n%s", rt.method, rt.path, name, when, told(got), told(want))
					}
				}
			}
		}
		if walked < 15 {
			t.Errorf("walked %d routes", walked)
		}
		if now, err := w.store.Revisions(t.Context(), w.b.id); err != nil || now != revisions {
			t.Errorf("revisions %+v, before %+v, %v", now, revisions, err)
		}
		if diff := w.everything(ownerB, b); diff != before {
			t.Errorf("A changed something of B:\n%s\nbefore:\n%s", diff, before)
		}
	})
}

// everything is what a practice sees of its own.
func (w *world) everything(token string, f furnished) string {
	var b strings.Builder
	for _, rt := range w.server.routes {
		if rt.method != http.MethodGet || rt.path == "health/" || rt.path == "audit/" {
			continue
		}
		scope, _, _ := strings.Cut(rt.path, "/")
		got := w.walk(rt, token, f[scope], "").want(http.StatusOK)
		b.WriteString(got.request + "\n" + string(got.body))
	}
	return b.String()
}

func TestNamingAnotherCustomerIsForSuperusers(t *testing.T) {
	twoPractices(t, func(t *testing.T, w *world, _, b furnished) {
		key := w.key(w.a, upstream.Admin)
		for _, rt := range w.server.routes {
			if rt.who == anyone || rt.who.superuser {
				continue
			}
			scope, _, _ := strings.Cut(rt.path, "/")
			same := []string{"X-Request-Id", "same"}
			status, code := http.StatusNotFound, "not_found"
			if rt.has(global) { // there is no such parameter
				status, code = http.StatusUnprocessableEntity, "invalid"
			}
			for name, token := range map[string]string{"owner": w.a.tokens[upstream.Owner], "key": key} {
				w.walk(rt, token, b[scope], "?customer="+itoa(nobodys), same...) // who asks is known from here on
				want := w.walk(rt, token, b[scope], "?customer="+itoa(nobodys), same...)
				want.problem(status, code)
				got := w.walk(rt, token, b[scope], "?customer="+itoa(w.b.id), same...)
				if told(got) != told(want) {
					t.Errorf("%s of %s %s at B:\n%s\nat nobody's:\n%s", name, rt.method, rt.path, told(got), told(want))
				}
			}
			if rt.has(global) {
				continue
			}
			// A role that is too low learns no more.
			w.walk(rt, w.a.tokens[upstream.Viewer], b[scope], "?customer="+itoa(w.b.id)).problem(http.StatusNotFound, "not_found")
			if rt.method == http.MethodGet {
				w.walk(rt, w.super, b[scope], "?customer="+itoa(w.b.id)).want(http.StatusOK)
			}
			w.walk(rt, w.super, b[scope], "?customer="+itoa(nobodys)).problem(http.StatusNotFound, "not_found")
			w.walk(rt, w.super, b[scope], "").problem(http.StatusUnprocessableEntity, "invalid")
		}
	})
}

func (w *world) key(p *practice, role upstream.Role, scopes ...string) string {
	w.Helper()
	var made struct{ Key string }
	body := map[string]any{"name": "key of " + string(role), "role": role}
	if len(scopes) > 0 {
		body["scopes"] = scopes
	}
	w.post(p.tokens[upstream.Owner], "api-keys/", body).made().decode(&made)
	return made.Key
}

// queries are lists and figures as clients ask for them.
var queries = []string{
	"dashboard/", "drift-events/", "drift-events/?status=open&ordering=-dollars", "drift-events/active/", "claims/", "claims/?outcome=denied",
	"claims/?page_size=3&ordering=id", "claims/?fields=id,claim_id", "claims/payer_summary/", "payer-summary/", "denial-rate-trend/",
	"denial-rate-trend/?interval=week", "reports/", "report-runs/", "uploads/", "payer-mappings/", "payer-mappings/unmatched/", "cpt-mappings/",
	"cpt-mappings/unmatched/", "settings/", "users/", "api-keys/", "customers/",
}

func TestWhatOneCustomerLoadsChangesNothingOfAnother(t *testing.T) {
	twoPractices(t, func(t *testing.T, w *world, a, b furnished) {
		ownerA, ownerB := w.a.tokens[upstream.Owner], w.b.tokens[upstream.Owner]
		before := w.everything(ownerA, a)
		etags := map[string]string{}
		for _, q := range queries {
			etags[q] = w.get(ownerA, q).want(http.StatusOK).header.Get("Etag")
		}
		claimsOfB := w.get(ownerB, "claims/").body
		w.load(w.b, 500, 7)
		w.furnish(w.b, "b3")
		if string(w.get(ownerB, "claims/").body) == string(claimsOfB) {
			t.Fatal("B loaded nothing")
		}
		if now := w.everything(ownerA, a); now != before {
			t.Errorf("A's answers were\n%s\nand are\n%s", before, now)
		}
		for q, etag := range etags {
			if etag != "" {
				w.get(ownerA, q, "If-None-Match", etag).want(http.StatusNotModified)
			}
		}
	})
}

// Answers are kept in the server and in a cache that servers share; whoever asks
// first, each customer gets its own, in every encoding, and no tag of the other's.
func TestKeptAnswersAndTagsAreOneCustomersOwn(t *testing.T) {
	for _, e := range engines {
		t.Run(e.Name, func(t *testing.T) {
			var shared *limit.MemoryCache
			w := newWorld(t, worldOptions{url: e.URL(t), change: func(o *Options) {
				shared = limit.NewMemoryCache(16<<20, o.Now)
				o.Shared = shared
			}})
			w.furnish(w.a, "a1")
			w.furnish(w.b, "b1")
			other, alone := w.another(shared), w.another(nil)
			ownerA, ownerB := w.a.tokens[upstream.Owner], w.b.tokens[upstream.Owner]
			for _, q := range append(queries, "claims/1/", "reports/1/", "uploads/1/", "uploads/2/rejects/", "drift-events/1/", "drift-events/1/claims/") {
				for _, encoding := range []string{"identity", "gzip", "zstd"} {
					of := func(token string, more ...string) *response {
						return w.get(token, q, append([]string{"Accept-Encoding", encoding}, more...)...)
					}
					a := of(ownerA).want(http.StatusOK)
					of(ownerA).want(http.StatusOK) // from what is kept
					b := of(ownerB).want(http.StatusOK)
					tagA, tagB := a.header.Get("Etag"), b.header.Get("Etag")
					if tagA == tagB && tagA != "" {
						t.Errorf("%s: both have the tag %s", q, tagA)
					}
					if tagA != "" {
						of(ownerB, "If-None-Match", tagA).want(http.StatusOK)
						of(ownerB, "If-None-Match", tagA+", W/"+tagA).want(http.StatusOK)
						of(ownerB, "If-None-Match", tagB).want(http.StatusNotModified)
					}
					want := plain(t, asked(alone, ownerB, q, encoding))
					for where, got := range map[string][]byte{"first server": plain(t, b), "other server": plain(t, asked(other, ownerB, q, encoding))} {
						if string(got) != string(want) {
							t.Errorf("%s, %s, after A's:\n%s\nwithout A:\n%s", q, where, got, want)
						}
					}
					if string(plain(t, a)) == string(want) && !strings.Contains(q, "unmatched") && q != "settings/" {
						t.Errorf("%s tells A and B the same: %s", q, want)
					}
				}
			}
		})
	}
}

// another is a second server of the same database.
func (w *world) another(shared limit.Cache) *Server {
	w.Helper()
	o := w.server.Options
	o.Shared, o.Metrics = shared, telemetry.NewMetrics("test")
	s, err := New(context.Background(), o)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// asked is the answer of a server that no listener is in front of.
func asked(s *Server, token, path, encoding string) *response {
	r := httptest.NewRequest(http.MethodGet, Prefix+path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept-Encoding", encoding)
	got := httptest.NewRecorder()
	s.ServeHTTP(got, r)
	return &response{nil, path, got.Code, got.Header(), got.Body.Bytes()}
}

// plain is the body without its encoding.
func plain(t *testing.T, r *response) []byte {
	t.Helper()
	var b strings.Builder
	var err error
	switch r.header.Get("Content-Encoding") {
	case "":
		return r.body
	case "gzip":
		var z *gzip.Reader
		if z, err = gzip.NewReader(strings.NewReader(string(r.body))); err == nil {
			_, err = z.WriteTo(&b)
		}
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(strings.NewReader(string(r.body))); err == nil {
			_, err = z.WriteTo(&b)
			z.Close()
		}
	default:
		t.Fatal(r.header)
	}
	if err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

func TestAnIdempotencyKeyIsOneCustomersOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		key := []string{"Idempotency-Key", "one-key"}
		trigger := func(token string) (run upstream.ReportRun, replayed bool) {
			t.Helper()
			before := w.runs(w.a) + w.runs(w.b)
			got := w.post(token, "reports/trigger/", map[string]any{}, key...)
			got.decode(&run)
			if got.status/100 != 2 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			return run, w.runs(w.a)+w.runs(w.b) == before
		}
		for _, who := range []string{w.a.tokens[upstream.Analyst], w.b.tokens[upstream.Analyst], w.a.tokens[upstream.Admin]} {
			first, replayed := trigger(who)
			if replayed {
				t.Error("the answer to another's request was replayed")
			}
			again, replayed := trigger(who)
			if !replayed || again.ID != first.ID {
				t.Errorf("run %d, asked again %d", first.ID, again.ID)
			}
		}
		if a, b := w.runs(w.a), w.runs(w.b); a != 2 || b != 1 {
			t.Errorf("%d runs of A, %d of B", a, b)
		}
	})
}

func (w *world) runs(p *practice) int64 {
	t, err := w.store.Tenant(context.Background(), p.id)
	if err != nil {
		w.Fatal(err)
	}
	list, err := t.Runs(context.Background(), store.RunFilter{}, upstream.Page{})
	if err != nil {
		w.Fatal(err)
	}
	return list.Count.N
}

// A star asks whether there is anything: about what isn't there it gets no 304.
func TestAStarMatchesOnlyWhatIsThere(t *testing.T) {
	w := newWorld(t, worldOptions{})
	owner := w.a.tokens[upstream.Owner]
	w.get(owner, "claims/1/", "If-None-Match", "*").want(http.StatusNotModified)
	w.get(owner, "claims/"+itoa(nobodys)+"/", "If-None-Match", "*").problem(http.StatusNotFound, "not_found")
	w.get(owner, "claims/?nosuch=1", "If-None-Match", "*").problem(http.StatusUnprocessableEntity, "invalid")
}

// A superuser's own customer moves with the database, at once.
func TestASuperuserSeesEachCustomerAndOthersOnlyTheirOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for _, p := range []*practice{w.a, w.b} {
			own := w.get(p.tokens[upstream.Viewer], "claims/").want(http.StatusOK)
			seen := w.get(w.super, "claims/?customer="+itoa(p.id)).want(http.StatusOK)
			var x, y struct{ Results []ClaimLine }
			own.decode(&x)
			seen.decode(&y)
			if len(x.Results) != len(y.Results) || x.Results[0] != y.Results[0] {
				t.Errorf("a superuser sees %d claims, the customer %d", len(y.Results), len(x.Results))
			}
		}
		// Who becomes a superuser may, and who was one may not, from the next request on.
		viewer, yes, no := w.a.users[upstream.Viewer], true, false
		path, token := "claims/?customer="+itoa(w.b.id), w.a.tokens[upstream.Viewer]
		w.get(token, path).problem(http.StatusNotFound, "not_found")
		if _, err := w.store.ChangeUser(t.Context(), viewer.ID, store.UserChange{Superuser: &yes}, w.now()); err != nil {
			t.Fatal(err)
		}
		w.get(token, path).want(http.StatusOK)
		if _, err := w.store.ChangeUser(t.Context(), viewer.ID, store.UserChange{Superuser: &no}, w.now()); err != nil {
			t.Fatal(err)
		}
		w.get(token, path).problem(http.StatusNotFound, "not_found")
	})
}
