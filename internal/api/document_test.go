package api

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"upstream/internal/store"
	"upstream/internal/telemetry"
)

var update = flag.Bool("update", false, "write docs/openapi.yaml anew")

const committed = "../../docs/openapi.yaml"

// documented is a server of an empty database, which is asked for its document.
type documented struct {
	testing.TB
	server *Server
}

func newDocumented(t testing.TB) *documented {
	t.Helper()
	db, err := store.Open(context.Background(), engines[0].URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s, err := New(context.Background(), Options{
		Store: db, Metrics: telemetry.NewMetrics("dev"), Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return today }, Version: "dev", CacheBytes: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &documented{t, s}
}

func (d *documented) get(path string) *response {
	d.Helper()
	w := httptest.NewRecorder()
	d.server.ServeHTTP(w, httptest.NewRequest(http.MethodGet, Prefix+path, nil))
	return (&response{d, "GET " + path, w.Code, w.Header(), w.Body.Bytes()}).want(http.StatusOK)
}

func TestTheCommittedDocumentIsTheServers(t *testing.T) {
	got := newDocumented(t).get("openapi.yaml").body
	if *update {
		if err := os.WriteFile(committed, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the API has changed; `go test ./internal/api -run CommittedDocument -update` writes docs/openapi.yaml anew (-want +got):\n%s",
			cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")))
	}
}

// parsed is the document as a client reads it, from either form.
func parsed(t *testing.T, text []byte) *openapi3.T {
	t.Helper()
	d, err := openapi3.NewLoader().LoadFromData(text)
	if err == nil {
		err = d.Validate(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestBothFormsOfTheDocumentSayTheSame(t *testing.T) {
	w := newDocumented(t)
	var forms [2]string
	for i, path := range []string{"openapi.json", "openapi.yaml"} {
		text, err := parsed(t, w.get(path).body).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		forms[i] = string(text)
	}
	if forms[0] != forms[1] {
		t.Error(cmp.Diff(forms[0], forms[1]))
	}
}

// Everything that a client's author asks of an operation is there.
func TestEveryOperationIsDocumented(t *testing.T) {
	w := newDocumented(t)
	d := parsed(t, w.get("openapi.json").body)
	ids := map[string]string{}
	operations := 0
	for path, item := range d.Paths.Map() {
		for method, op := range item.Operations() {
			operations++
			name := method + " " + path
			if ids[op.OperationID] != "" || !regexp.MustCompile(`^[a-z_]+$`).MatchString(op.OperationID) {
				t.Errorf("%s: the id %q is also that of %s, or no name", name, op.OperationID, ids[op.OperationID])
			}
			ids[op.OperationID] = name
			if op.Summary == "" || strings.HasSuffix(op.Summary, ".") || len(op.Tags) != 1 || d.Tags.Get(op.Tags[0]) == nil {
				t.Errorf("%s: summary %q, tags %q", name, op.Summary, op.Tags)
			}
			for _, p := range op.Parameters {
				if schema := p.Value.Schema.Value; p.Value.Description == "" || schema.Type.Includes("null") || schema.Nullable {
					t.Errorf("%s: the parameter %s has no description, or may be null", name, p.Value.Name)
				}
			}
			for status, r := range op.Responses.Map() {
				w.describedResponse(name, status, r.Value)
			}
		}
	}
	if operations != len(w.server.routes) {
		t.Errorf("%d operations of %d routes", operations, len(w.server.routes))
	}
}

// describedResponse checks what a client may rely on in an answer.
func (w *documented) describedResponse(name, status string, r *openapi3.Response) {
	w.Helper()
	if r.Description == nil || !strings.HasSuffix(*r.Description, ".") || r.Headers["X-Request-Id"] == nil {
		w.Errorf("%s: %s is not described", name, status)
	}
	if status < "400" {
		return
	}
	problem := r.Content["application/problem+json"]
	if strings.HasSuffix(name, "/health/") && status == "503" {
		problem = nil
	} else if problem == nil || problem.Schema.Ref != "#/components/schemas/Problem" || len(r.Content) != 1 {
		w.Errorf("%s: %s is no problem", name, status)
	}
	for header, of := range map[string]string{"Retry-After": "429", "WWW-Authenticate": "401"} {
		if status == of && r.Headers[header] == nil {
			w.Errorf("%s: %s has no %s", name, status, header)
		}
	}
}

// What a route does with a request is in the document: kept answers have tags and
// 304, what is made has a place, what is recorded goes on.
func TestTheDocumentFollowsTheRoutes(t *testing.T) {
	w := newDocumented(t)
	d := parsed(t, w.get("openapi.json").body)
	for _, rt := range w.server.routes {
		op := d.Paths.Find(rt.pattern).GetOperation(rt.method)
		if got := op.Responses.Value("304") != nil && op.Parameters.GetByInAndName("header", "If-None-Match") != nil; got != rt.has(kept) {
			t.Errorf("%s %s: 304 is documented: %v", rt.method, rt.path, got)
		}
		if ok := op.Responses.Value("200"); rt.has(kept) && (ok.Value.Headers["ETag"] == nil || ok.Value.Headers["RateLimit"] == nil) {
			t.Errorf("%s: no ETag or RateLimit", rt.path)
		}
		idempotent := rt.method == http.MethodPost && !rt.has(secret) && !rt.has(streamed)
		if got := op.Parameters.GetByInAndName("header", "Idempotency-Key") != nil; got != idempotent {
			t.Errorf("%s: Idempotency-Key is documented: %v", rt.path, got)
		}
		for _, status := range []string{"201", "202"} {
			if r := op.Responses.Value(status); r != nil && r.Value.Headers["Location"] == nil {
				t.Errorf("%s: %s has no Location", rt.path, status)
			}
		}
		if got := op.Security != nil && len(*op.Security) == 2; got == (rt.who == anyone) {
			t.Errorf("%s: security %v", rt.path, op.Security)
		}
	}
}

// Tags are in the order of the routes, so that readers of the document find things
// where routes.go has them.
func TestTagsAreInOrder(t *testing.T) {
	w := newDocumented(t)
	var want, got []string
	for _, rt := range w.server.routes {
		if !slices.Contains(want, rt.scope) {
			want = append(want, rt.scope)
		}
	}
	for _, tag := range parsed(t, w.get("openapi.json").body).Tags {
		got = append(got, tag.Name)
		if tag.Description == "" {
			t.Errorf("the tag %s has no description", tag.Name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryFieldIsDescribed(t *testing.T) {
	w := newDocumented(t)
	text := w.get("openapi.json").body
	if bytes.Contains(text, []byte(`"$schema"`)) {
		t.Error("answers have no $schema, the document must not say so")
	}
	used := map[string]bool{}
	for name, schema := range parsed(t, text).Components.Schemas {
		for field, of := range schema.Value.Properties {
			used[field], used[name+"."+field] = true, true
			if of.Ref == "" && of.Value.Description == "" {
				t.Errorf("nothing describes %s.%s", name, field)
			}
		}
	}
	for field := range fieldWords {
		if !used[field] {
			t.Errorf("there is no field %s any more", field)
		}
	}
}

// What is made answers 201 with its place, which holds it; what goes on, 202.
func TestWhatIsMadeHasAPlace(t *testing.T) {
	w := newWorld(t, worldOptions{})
	owner := w.a.tokens["owner"]
	for _, test := range []struct {
		token, path, body string
		status            int
	}{
		{w.super, "customers/", `{"name":"Third"}`, http.StatusCreated},
		{owner, "users/", `{"username":"new.user","password":"correct horse battery","role":"viewer"}`, http.StatusCreated},
		{owner, "payer-mappings/", `{"raw_name":"AETNA X","payer":"Aetna"}`, http.StatusCreated},
		{owner, "cpt-mappings/", `{"code":"97110","cpt_group":"PT"}`, http.StatusCreated},
		{owner, "reports/trigger/", `{"run_type":"custom"}`, http.StatusAccepted},
		{owner, "report-runs/trigger/", `{}`, http.StatusAccepted},
		{owner, "reports/trigger/", ``, http.StatusAccepted},
	} {
		got := w.ask(http.MethodPost, test.token, test.path, strings.NewReader(test.body), "Content-Type", "application/json")
		got.want(test.status)
		place, under := strings.CutPrefix(got.header.Get("Location"), Prefix)
		if !under {
			t.Errorf("%s: Location %q", test.path, got.header.Get("Location"))
			continue
		}
		made, there := got.decoded(), w.get(test.token, place).want(http.StatusOK).decoded()
		if made["id"] == nil || fmt.Sprint(made["id"]) != fmt.Sprint(there["id"]) {
			t.Errorf("%s: made %v, at its place is %v", test.path, made["id"], there["id"])
		}
	}
	key := w.post(owner, "api-keys/", map[string]string{"name": "k", "role": "viewer"}).want(http.StatusCreated)
	if !strings.HasPrefix(key.header.Get("Location"), Prefix+"api-keys/") {
		t.Errorf("Location %q", key.header.Get("Location"))
	}
}

func TestAnUploadOfTheSameBytesIsDocumented(t *testing.T) {
	w := newWorld(t, worldOptions{work: true})
	send := func() *response {
		return w.ask(http.MethodPost, w.a.tokens["analyst"], "uploads/", strings.NewReader("claim_id,payer,cpt,status,submitted_date\nX-1,Aetna,97110,pending,2026-01-02\n"), "Content-Type", "text/csv")
	}
	first := send().want(http.StatusAccepted)
	place := strings.TrimPrefix(first.header.Get("Location"), Prefix)
	for w.get(w.a.tokens["analyst"], place).want(http.StatusOK).decoded()["status"] != "success" {
		time.Sleep(10 * time.Millisecond) // the loading goes on beside
	}
	send().want(http.StatusOK)
}
