package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"upstream"
	"upstream/internal/pgtest"
	"upstream/internal/store"
)

// entries are a customer's, oldest first, with what waits written down.
func (w *world) entries(customer int64) (all []upstream.AuditEntry) {
	w.Helper()
	w.server.audit.flush(context.Background())
	for page := (upstream.Page{Size: 500}); ; {
		list, err := w.store.Audit(context.Background(), customer, store.AuditFilter{}, page)
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, list.Items...)
		if page.After = list.Next; list.Next.IsZero() {
			slices.Reverse(all)
			return all
		}
	}
}

// ofRequest are the entries of one request, whatever the customer.
func (w *world) ofRequest(id string) (found []upstream.AuditEntry) {
	w.Helper()
	for _, customer := range []int64{0, w.a.id, w.b.id} {
		for _, e := range w.entries(customer) {
			if e.Request == id {
				e.Hash, e.ID = "", 0
				found = append(found, e)
			}
		}
	}
	return found
}

// checkAudit shows that all chains are whole and hold no secret.
func (w *world) checkAudit(secrets ...string) {
	w.Helper()
	for _, customer := range []int64{0, w.a.id, w.b.id} {
		all, err := json.Marshal(w.entries(customer))
		if err != nil {
			w.Fatal(err)
		}
		for _, s := range append(secrets, password) {
			if s != "" && strings.Contains(string(all), s) {
				w.Errorf("the audit of customer %d holds %q", customer, s)
			}
		}
		for _, what := range []string{"a token", "an API key"} {
			if found := secretForms[what].FindString(string(all)); found != "" {
				w.Errorf("the audit of customer %d holds %s: %s", customer, what, found)
			}
		}
		if check, err := w.store.VerifyAudit(context.Background(), customer); err != nil || !check.OK() || customer == w.a.id && check.Entries == 0 {
			w.Errorf("the audit of customer %d: %+v, %v", customer, check, err)
		}
	}
}

// auditor is one that nothing runs.
func (w *world) auditor(log io.Writer) *auditor {
	return newAuditor(w.store, slog.New(slog.NewJSONHandler(log, nil)), w.now, func() {})
}

func behindProxy(o *Options) {
	o.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

func TestEachChangeLeavesOneEntry(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.Name, func(t *testing.T) {
			w := newWorld(t, worldOptions{url: engine.URL(t), change: behindProxy})
			f := w.furnish(w.a, "a1")
			owner, at := w.a.tokens[upstream.Owner], "198.51.100.7"
			id := func(scope string) string { return itoa(f[scope]) }
			tests := []struct {
				method, path, body string
				target             string // "made": the id that the answer names
				customer           int64
			}{
				{"PATCH", "drift-events/" + id("drift-events") + "/", `{"status":"acknowledged","note":"n"}`, id("drift-events"), w.a.id},
				{"POST", "reports/trigger/", `{}`, "made", w.a.id},
				{"POST", "report-runs/trigger/", `{}`, "made", w.a.id},
				{"POST", "payer-mappings/", `{"raw_name":"x","payer":"y"}`, "made", w.a.id},
				{"PATCH", "payer-mappings/" + id("payer-mappings") + "/", `{"payer":"z"}`, id("payer-mappings"), w.a.id},
				{"DELETE", "payer-mappings/" + id("payer-mappings") + "/", ``, id("payer-mappings"), w.a.id},
				{"POST", "cpt-mappings/", `{"code":"97999","cpt_group":"y"}`, "made", w.a.id},
				{"PATCH", "cpt-mappings/" + id("cpt-mappings") + "/", `{"cpt_group":"z"}`, id("cpt-mappings"), w.a.id},
				{"DELETE", "cpt-mappings/" + id("cpt-mappings") + "/", ``, id("cpt-mappings"), w.a.id},
				{"PATCH", "settings/", `{"weekly_report":true}`, "", w.a.id},
				{"POST", "users/", `{"username":"made","password":"a secret of twelve","role":"viewer"}`, "made", w.a.id},
				{"PATCH", "users/" + id("users") + "/", `{"role":"analyst","password":"a secret of twelve"}`, id("users"), w.a.id},
				{"DELETE", "users/" + id("users") + "/", ``, id("users"), w.a.id},
				{"POST", "api-keys/", `{"name":"k","role":"viewer"}`, "made", w.a.id},
				{"DELETE", "api-keys/" + id("api-keys") + "/", ``, id("api-keys"), w.a.id},
				{"POST", "auth/password/", `{"old_password":"` + password + `","new_password":"a secret of twelve"}`, "", w.a.id},
				{"DELETE", "auth/sessions/" + id("auth") + "/", ``, id("auth"), w.a.id},
			}
			tests[len(tests)-1].path = "auth/sessions/" + w.extraSession("adminA") + "/"
			tests[len(tests)-1].target = ""
			covered := map[string]bool{"POST auth/logout/": true, "POST customers/": true, "PATCH customers/{id}/": true, "POST uploads/": true} // below
			for i, test := range tests {
				request := fmt.Sprint("change-", i)
				token := owner
				if strings.HasPrefix(test.path, "auth/sessions/") {
					token = w.a.tokens[upstream.Admin]
					test.target = strings.Trim(strings.TrimPrefix(test.path, "auth/sessions/"), "/")
				}
				got := w.ask(test.method, token, test.path, strings.NewReader(test.body), "Content-Type", "application/json", "X-Request-Id", request, "X-Forwarded-For", at).made()
				if test.target == "made" {
					test.target = fmt.Sprint(got.decoded()["id"])
				}
				action := ""
				for _, rt := range w.server.routes {
					if rt.method == test.method && sameRoute(rt.path, test.path) {
						action = rt.op.OperationID
						covered[rt.method+" "+rt.path] = true
					}
				}
				actor := "user:ownerA"
				if token != owner {
					actor = "user:adminA"
				}
				detail, described := details[test.method+" "+scopeOf(test.path)]
				if !described {
					detail = test.body
				}
				if strings.HasPrefix(test.path, "api-keys/") && test.method == "POST" {
					detail = fmt.Sprintf(detail, got.decoded()["prefix"])
				}
				want := []upstream.AuditEntry{{Customer: test.customer, At: w.now(), Actor: actor, Action: action, Target: test.target, Detail: detail, Claims: []int64{}, Address: at, Request: request, Count: 1}}
				left := slices.DeleteFunc(w.ofRequest(request), func(e upstream.AuditEntry) bool { return len(e.Claims) > 0 }) // what the answer shows has its own
				if diff := cmp.Diff(want, left); diff != "" {
					t.Errorf("%s %s: %s", test.method, test.path, diff)
				}
			}
			for _, rt := range w.server.routes {
				if rt.writes() && !rt.has(login) && !covered[rt.method+" "+rt.path] {
					t.Errorf("%s %s: nothing shows that it is audited", rt.method, rt.path)
				}
			}
			w.post(w.super, "customers/", map[string]string{"name": "New"}, "X-Request-Id", "new-customer").made()
			w.send("PATCH", w.super, "customers/"+id("customers")+"/", map[string]string{"name": "Practice A again"}, "X-Request-Id", "renamed").made()
			w.post(w.a.tokens[upstream.Viewer], "auth/logout/", nil, "X-Request-Id", "logout").made()
			w.ask("POST", owner, "uploads/?filename=secret-name.csv", strings.NewReader("claim_id,payer,cpt,submitted_date,decided_date,outcome,allowed_amount\nSECRET-1,P,97110,2026-01-01,2026-01-20,paid,10\n"), "Content-Type", "text/csv", "X-Request-Id", "upload").made()
			for request, action := range map[string]string{"new-customer": "post_customers", "renamed": "change_customers_by_id", "logout": "post_auth_logout", "upload": "post_uploads"} {
				if got := w.ofRequest(request); len(got) != 1 || got[0].Action != action || got[0].Count != 1 {
					t.Errorf("%s: %+v", request, got)
				}
			}
			w.checkAudit("a secret of twelve", "SECRET-1")
		})
	}
}

// details are what the audit tells of changes whose requests may hold secrets.
var details = map[string]string{
	"POST users":    `{"role":"viewer","superuser":false,"username":"made"}`,
	"PATCH users":   `{"disabled":null,"password":true,"role":"analyst"}`,
	"POST api-keys": `{"expires_at":null,"name":"k","prefix":%q,"role":"viewer","scopes":null}`,
	"POST auth":     "",
}

func scopeOf(path string) string {
	scope, _, _ := strings.Cut(path, "/")
	return scope
}

// sameRoute reports whether a path is one of a route.
func sameRoute(route, path string) bool {
	return slices.EqualFunc(strings.Split(route, "/"), strings.Split(path, "/"), func(a, b string) bool {
		return a == b || a == "{id}" && strings.Trim(b, "0123456789") == ""
	})
}

// extraSession signs a user in once more and returns the session's id.
func (w *world) extraSession(username string) string {
	w.Helper()
	return fmt.Sprint(partOf(w, w.signIn(username).Access, 1)["sid"])
}

// What changes nothing leaves nothing, and a repeated request no second entry.
func TestWhatChangesNothingIsNoChangeInTheAudit(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		analyst := w.a.tokens[upstream.Analyst]
		before := len(w.entries(w.a.id))
		w.send("PATCH", analyst, "drift-events/99/", map[string]string{"status": "noise"}).want(http.StatusNotFound)
		w.post(analyst, "payer-mappings/", map[string]string{"raw_name": ""}).want(http.StatusUnprocessableEntity)
		w.post(analyst, "users/", map[string]string{}).want(http.StatusForbidden)
		w.ask("DELETE", analyst, "cpt-mappings/99/", nil).want(http.StatusNotFound)
		if after := len(w.entries(w.a.id)); after != before {
			t.Errorf("%d entries of requests that changed nothing", after-before)
		}
		for range 3 {
			w.post(analyst, "payer-mappings/", map[string]string{"raw_name": "x", "payer": "y"}, "Idempotency-Key", "k").made()
		}
		if after := len(w.entries(w.a.id)); after != before+1 {
			t.Errorf("%d entries of one change, repeated", after-before)
		}
		w.checkAudit()
	})
}

func TestEachReadOfClaimsIsAuditedWithTheirIDs(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		f := w.furnish(w.a, "a1")
		viewer, analyst := w.a.tokens[upstream.Viewer], w.a.tokens[upstream.Analyst]
		tenant, err := w.store.Tenant(t.Context(), w.a.id)
		if err != nil {
			t.Fatal(err)
		}
		idsIn := func(r *response) (ids []int64) {
			var list struct{ Results []struct{ ID int64 } }
			r.decode(&list)
			for _, c := range list.Results {
				ids = append(ids, c.ID)
			}
			slices.Sort(ids)
			return ids
		}
		samples := func(r *response) []int64 {
			var e struct {
				Samples []string `json:"sample_claim_ids"`
				Results []struct {
					Samples []string `json:"sample_claim_ids"`
				}
			}
			r.decode(&e)
			for _, x := range e.Results {
				e.Samples = append(e.Samples, x.Samples...)
			}
			ids, err := tenant.LinesOf(context.Background(), e.Samples)
			if err != nil || len(ids) == 0 {
				t.Fatal("the event shows no claims: ", string(r.body), err)
			}
			return ids
		}
		event := "drift-events/" + itoa(f["drift-events"]) + "/"
		tests := []struct {
			path, action, target, detail string
			ids                          func(*response) []int64
		}{
			{"claims/", "get_claims", "", "", idsIn},
			{"claims/?outcome=denied&page_size=7", "get_claims", "", "outcome=denied&page_size=7", idsIn},
			{"claims/?fields=payer", "get_claims", "", "fields=payer", nil},
			{"claims/5/", "get_claims_by_id", "5", "", func(*response) []int64 { return []int64{5} }},
			{"drift-events/", "get_drift_events", "", "", samples},
			{"drift-events/active/", "get_drift_events_active", "", "", samples},
			{event, "get_drift_events_by_id", itoa(f["drift-events"]), "", samples},
			{event + "claims/", "get_drift_events_by_id_claims", itoa(f["drift-events"]), "", idsIn},
			{"drift-events/?fields=id", "get_drift_events", "", "fields=id", func(*response) []int64 { return []int64{} }},
		}
		for i, test := range tests {
			want := upstream.AuditEntry{
				Customer: w.a.id, At: w.now(), Action: test.action, Target: test.target, Detail: test.detail, Address: "127.0.0.1", Count: 1,
			}
			check := func(name, actor string, e upstream.AuditEntry) {
				t.Helper()
				want.Actor, want.Request, want.Claims = actor, name, e.Claims
				if diff := cmp.Diff([]upstream.AuditEntry{want}, w.ofRequest(name)); diff != "" {
					t.Errorf("%s: %s", test.path, diff)
				}
			}
			name := fmt.Sprint("read-", i)
			got := w.get(viewer, test.path, "X-Request-Id", name).want(http.StatusOK)
			var ids []int64
			if test.ids != nil {
				ids = test.ids(got)
			} else if first := w.ofRequest(name); len(first) == 1 && len(first[0].Claims) > 0 {
				ids = first[0].Claims // the rows name no ids; they are claims all the same
			} else {
				t.Errorf("%s: no claims in %+v", test.path, first)
			}
			check(name, "user:viewerA", upstream.AuditEntry{Claims: ids})
			// From what is kept, to somebody else, in another encoding, and twice.
			w.get(analyst, test.path, "X-Request-Id", name+"-kept").want(http.StatusOK)
			check(name+"-kept", "user:analystA", upstream.AuditEntry{Claims: ids})
			w.get(analyst, test.path, "X-Request-Id", name+"-zstd", "Accept-Encoding", "zstd").want(http.StatusOK)
			check(name+"-zstd", "user:analystA", upstream.AuditEntry{Claims: ids})
			w.get(viewer, test.path, "X-Request-Id", name+"-304", "If-None-Match", got.header.Get("Etag")).want(http.StatusNotModified)
			check(name+"-304", "user:viewerA", upstream.AuditEntry{Claims: []int64{}})
			w.ask(http.MethodHead, viewer, test.path, nil, "X-Request-Id", name+"-head").want(http.StatusOK)
			check(name+"-head", "user:viewerA", upstream.AuditEntry{Claims: ids})
		}
		// What shows no claims, or nothing at all, is no read of claims.
		before := len(w.entries(w.a.id))
		for _, path := range []string{"dashboard/", "payer-summary/", "uploads/", "claims/payer_summary/", "claims/999999/", "claims/?nosuch=1"} {
			w.get(viewer, path)
		}
		w.get("", "claims/")
		if after := len(w.entries(w.a.id)); after != before {
			t.Errorf("%d entries of reads that showed no claim", after-before)
		}
		w.checkAudit()
	})
}

// Like reads of a second share an entry, which counts them.
func TestLikeReadsShareAnEntry(t *testing.T) {
	w := newWorld(t, worldOptions{})
	a := w.auditor(io.Discard)
	e := upstream.AuditEntry{Customer: w.a.id, At: w.now(), Actor: "user:viewerA", Action: "get_claims", Count: 1}
	for i := range 10 {
		e.Request = fmt.Sprint(i)
		a.add(e, packIDs([]int64{1, 2, 3}))
	}
	a.add(e, packIDs([]int64{1, 2}))
	other := e
	other.Customer = w.b.id
	a.add(other, packIDs([]int64{1, 2, 3}))
	a.flush(t.Context())
	var counts []int64
	for _, x := range w.entries(w.a.id) {
		if x.Action == "get_claims" {
			counts = append(counts, x.Count, int64(len(x.Claims)))
		}
	}
	if diff := cmp.Diff([]int64{10, 3, 1, 2}, counts); diff != "" {
		t.Error(diff)
	}
}

func TestSignInsAreAudited(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		try := func(request, path, username, word string) *response {
			return w.post("", path, map[string]string{"username": username, "password": word}, "X-Request-Id", request)
		}
		var pair tokenPair
		try("token", "auth/token/", "viewerA", password).want(http.StatusOK).decode(&pair)
		cookie := try("login", "auth/login/", "viewerA", password).want(http.StatusOK).header.Get("Set-Cookie")
		try("wrong", "auth/token/", "viewerA", "my secret typed wrong").want(http.StatusUnauthorized)
		try("nobody", "auth/login/", "my-secret-typed-as-name", "x").want(http.StatusUnauthorized)
		w.post("", "auth/token/refresh/", map[string]string{"refresh": pair.Refresh}).want(http.StatusOK)
		w.post("", "auth/token/refresh/", map[string]string{"refresh": pair.Refresh}, "X-Request-Id", "reused").want(http.StatusUnauthorized)
		user := itoa(w.a.users[upstream.Viewer].ID)
		for request, want := range map[string]upstream.AuditEntry{
			"token":  {Customer: w.a.id, Actor: "user:viewerA", Action: "auth.signed_in", Target: user},
			"login":  {Customer: w.a.id, Actor: "user:viewerA", Action: "auth.signed_in", Target: user},
			"wrong":  {Customer: w.a.id, Actor: "user:viewerA", Action: "auth.refused", Target: user},
			"nobody": {Actor: "anyone", Action: "auth.refused"},
			"reused": {Customer: w.a.id, Actor: "user:viewerA", Action: "auth.refresh_refused", Target: user},
		} {
			want.At, want.Address, want.Request, want.Count, want.Claims = w.now(), "127.0.0.1", request, 1, []int64{}
			if diff := cmp.Diff([]upstream.AuditEntry{want}, w.ofRequest(request)); diff != "" {
				t.Errorf("%s: %s", request, diff)
			}
		}
		secret, _, _ := strings.Cut(strings.TrimPrefix(cookie, cookieName+"="), ";")
		w.checkAudit("my secret typed wrong", "my-secret-typed-as-name", secret)
		for _, s := range []string{"my secret typed wrong", "my-secret-typed-as-name", secret, "viewerA"} {
			if strings.Contains(w.log.String(), s) {
				t.Errorf("the log holds %q", s)
			}
		}
	})
}

// While the database takes nothing, reads wait in bounded memory, and are written
// once it does.
func TestTheAuditWaitsForTheDatabase(t *testing.T) {
	w := newWorld(t, worldOptions{})
	var log pgtest.Output
	a := w.auditor(&log)
	before := len(w.entries(w.a.id))
	add := func(i int) {
		a.add(upstream.AuditEntry{Customer: w.a.id, At: w.now(), Actor: "user:viewerA", Action: "get_claims", Detail: fmt.Sprint("search=", i)}, packIDs([]int64{1, int64(i)}))
	}
	for i := range 100 {
		add(i)
	}
	away, cancel := context.WithCancel(t.Context())
	cancel()
	a.flush(away)
	a.flush(away)
	add(100)
	if len(a.order) != 101 || !strings.Contains(log.String(), `"waiting":100`) || strings.Contains(log.String(), "search") {
		t.Fatalf("%d wait: %s", len(a.order), log.String())
	}
	a.flush(t.Context())
	written := w.entries(w.a.id)[before:]
	if len(written) != 101 || a.size != 0 || len(a.order) != 0 {
		t.Fatalf("%d entries were written; %d wait, of %d bytes", len(written), len(a.order), a.size)
	}
	for i, e := range written {
		if e.Detail != fmt.Sprint("search=", i) {
			t.Fatalf("entry %d is %q", i, e.Detail)
		}
	}
	w.checkAudit()
	for i := range keepWaiting/1000 + 500 {
		add(i)
	}
	if n := len(a.order); n > keepWaiting/1000 || a.lost < 500 {
		t.Errorf("%d wait, %d are lost", n, a.lost)
	}
	size := a.size
	a.flush(away)
	if a.size != size || a.size > keepWaiting+10_000 || !strings.Contains(log.String(), `"lost":`) {
		t.Errorf("%d bytes wait, before %d", a.size, size)
	}
}

// Where the entries of one customer are written and those of another are not, the
// former are not written again.
func TestWhatIsWrittenIsNotWrittenTwice(t *testing.T) {
	url := pgtest.URL(t)
	w := newWorld(t, worldOptions{url: url})
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	execute := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	a := w.auditor(io.Discard)
	before := map[int64]int{w.a.id: len(w.entries(w.a.id)), w.b.id: len(w.entries(w.b.id))}
	for _, customer := range []int64{w.a.id, w.b.id, w.a.id} {
		a.add(upstream.AuditEntry{Customer: customer, At: w.now(), Actor: "user:root", Action: "get_claims", Detail: fmt.Sprint(len(a.order))}, nil)
	}
	execute(fmt.Sprintf("ALTER TABLE audit_entry ADD CONSTRAINT away CHECK (customer_id <> %d OR action <> 'get_claims') NOT VALID", w.b.id))
	a.flush(t.Context())
	if len(a.order) != 1 || a.order[0].Customer != w.b.id {
		t.Errorf("%d wait", len(a.order))
	}
	execute("ALTER TABLE audit_entry DROP CONSTRAINT away")
	a.flush(t.Context())
	if a, b := len(w.entries(w.a.id))-before[w.a.id], len(w.entries(w.b.id))-before[w.b.id]; a != 2 || b != 1 {
		t.Errorf("%d entries of A, %d of B; want 2 and 1", a, b)
	}
	w.checkAudit()
}

// What was collected is written when the server stops.
func TestTheAuditIsWrittenWhenTheServerStops(t *testing.T) {
	w := newWorld(t, worldOptions{})
	a := w.auditor(io.Discard)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.run(ctx) }()
	a.note(upstream.AuditEntry{Customer: w.a.id, At: w.now(), Actor: "user:x", Action: "last"})
	stop()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the auditor does not stop")
	}
	all := w.entries(w.a.id)
	if last := all[len(all)-1]; last.Action != "last" {
		t.Errorf("the last entry is %+v", last)
	}
}

// A customer's admin sees its own log, and nothing of another's.
func TestTheAuditIsOneCustomersOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.get(w.b.tokens[upstream.Viewer], "claims/").want(http.StatusOK)
		w.get(w.super, "claims/?customer="+itoa(w.a.id)).want(http.StatusOK)
		w.entries(w.a.id)
		var list struct{ Results []upstream.AuditEntry }
		w.get(w.a.tokens[upstream.Admin], "audit/?page_size=500").want(http.StatusOK).decode(&list)
		actors := map[string]bool{}
		for _, e := range list.Results {
			actors[e.Actor] = true
			if e.Customer != w.a.id {
				t.Errorf("A sees %+v", e)
			}
		}
		if !actors["user:root"] || actors["user:viewerB"] {
			t.Errorf("A sees entries of %v", actors)
		}
		w.get(w.a.tokens[upstream.Admin], "audit/?actor=user:viewerB").want(http.StatusOK).decode(&list)
		if len(list.Results) != 0 {
			t.Errorf("A sees %v of viewerB", list.Results)
		}
	})
}
