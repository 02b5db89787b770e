package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"upstream"
	"upstream/internal/detection"
	"upstream/internal/store"
)

// furnished are ids of what a practice has, by the first part of their paths.
type furnished map[string]int64

// furnish gives a practice one of everything that has an id, through the API where
// that makes it.
func (w *world) furnish(p *practice, name string) furnished {
	w.Helper()
	owner, ctx := p.tokens[upstream.Owner], context.Background()
	id := func(path string, body any) int64 {
		w.Helper()
		var made struct{ ID int64 }
		w.post(owner, path, body).made().decode(&made)
		return made.ID
	}
	t, err := w.store.Tenant(ctx, p.id)
	if err != nil {
		w.Fatal(err)
	}
	f := furnished{
		"users":          id("users/", map[string]any{"username": "user." + name, "password": password, "role": "viewer"}),
		"api-keys":       id("api-keys/", map[string]any{"name": "key " + name, "role": "viewer"}),
		"payer-mappings": id("payer-mappings/", map[string]any{"raw_name": "raw " + name, "payer": "payer " + name}),
		"cpt-mappings":   id("cpt-mappings/", map[string]any{"code": fmt.Sprintf("9%04d", len(name)*100+int(p.id)*10+int(name[len(name)-1]-'0')), "cpt_group": "group " + name}),
		"customers":      p.id,
		"uploads":        w.uploadWithReject(t, name),
	}
	f["drift-events"], f["reports"] = w.event(t, name)
	f["report-runs"] = f["reports"]
	f["claims"] = w.lastClaim(t)
	sessions, err := w.store.Sessions(ctx, p.users[upstream.Owner].ID, w.now())
	if err != nil {
		w.Fatal(err)
	}
	f["auth"] = sessions[0].ID
	return f
}

func (w *world) uploadWithReject(t *store.Tenant, name string) int64 {
	w.Helper()
	row := 0
	u, err := t.Load(context.Background(), store.Source{Filename: name + ".csv", SHA256: "sum of " + name, FileDate: upstream.DayOf(today), Next: func(*upstream.Claim) (*upstream.Reject, error) {
		if row++; row > 1 {
			return nil, io.EOF
		}
		return &upstream.Reject{Row: 1, Column: "column " + name, ValueClass: "text", Reason: "must be a date"}, nil
	}}, store.LoadOptions{Now: today})
	if err != nil {
		w.Fatal(err)
	}
	return u.ID
}

// event saves a run with an event that denied claims prove: those of a payer, which
// the name's last digit chooses.
func (w *world) event(t *store.Tenant, name string) (event, run int64) {
	w.Helper()
	ctx := context.Background()
	denied, err := t.Claims(ctx, store.ClaimFilter{Outcomes: []upstream.Outcome{upstream.Denied}, Order: "-id"}, upstream.Page{Size: 100})
	if err != nil {
		w.Fatal(err)
	}
	byPayer := map[string]string{}
	for i := range denied.Items {
		byPayer[denied.Items[i].Payer] = denied.Items[i].ClaimID
	}
	payer := slices.Sorted(maps.Keys(byPayer))[name[len(name)-1]-'1']
	day := upstream.DayOf(today)
	_, basis, err := t.Incidents(ctx, detection.Upstream, day)
	if err != nil {
		w.Fatal(err)
	}
	r := upstream.ReportRun{RunType: "custom", Status: upstream.RunSuccess, Detector: detection.Upstream, AsOf: day, StartedAt: today, FinishedAt: today, Error: "of " + name}
	err = t.SaveRun(ctx, &r, []upstream.DriftEvent{{
		Signal: upstream.DenialRate, Payer: &payer, Level: upstream.PayerLevel, Tier: upstream.Alert, Status: upstream.Open, Direction: upstream.Worse,
		BaselineFirst: day - 500, BaselineLast: day - 401, CurrentFirst: day - 400, CurrentLast: day, ChangeDate: day - 30, ChangeDateLow: day - 33,
		ChangeDateHigh: day - 27, KnownAt: day - 20, EvidentAt: day, RootCauses: []upstream.RootCause{}, SampleClaimIDs: []string{byPayer[payer]},
	}}, basis)
	if err != nil {
		w.Fatal(err)
	}
	events, err := t.Events(ctx, store.EventFilter{Detector: detection.Upstream, Payer: payer}, upstream.Page{})
	if err != nil || len(events.Items) != 1 {
		w.Fatal(events, err)
	}
	return events.Items[0].ID, r.ID
}

func (w *world) lastClaim(t *store.Tenant) int64 {
	w.Helper()
	claims, err := t.Claims(context.Background(), store.ClaimFilter{Order: "-id"}, upstream.Page{Size: 1})
	if err != nil || len(claims.Items) != 1 {
		w.Fatal(claims, err)
	}
	return claims.Items[0].ID
}

// bodies are what the routes that change something take; they do when they may.
var bodies = map[string]string{
	"POST auth/token/":           `{"username":"nobody","password":"x"}`,
	"POST auth/token/refresh/":   `{"refresh":"x"}`,
	"POST auth/token/verify/":    `{"token":"x"}`,
	"POST auth/login/":           `{"username":"nobody","password":"x"}`,
	"POST auth/password/":        `{"old_password":"x","new_password":"long enough to be one"}`,
	"PATCH drift-events/{id}/":   `{"status":"noise","note":"changed"}`,
	"POST reports/trigger/":      `{}`,
	"POST report-runs/trigger/":  `{}`,
	"POST payer-mappings/":       `{"raw_name":"changed","payer":"changed"}`,
	"PATCH payer-mappings/{id}/": `{"payer":"changed"}`,
	"POST cpt-mappings/":         `{"code":"99999","cpt_group":"changed"}`,
	"PATCH cpt-mappings/{id}/":   `{"cpt_group":"changed"}`,
	"PATCH settings/":            `{"weekly_report":true}`,
	"POST users/":                `{"username":"changed","password":"long enough to be one","role":"viewer"}`,
	"PATCH users/{id}/":          `{"role":"analyst","disabled":true,"password":"long enough to be one"}`,
	"POST api-keys/":             `{"name":"changed","role":"viewer"}`,
	"POST customers/":            `{"name":"changed"}`,
	"PATCH customers/{id}/":      `{"name":"changed"}`,
}

// walk sends a request of a route, with its body and an id.
func (w *world) walk(rt *route, token string, id int64, query string, headers ...string) *response {
	w.Helper()
	path := strings.ReplaceAll(rt.path, "{id}", itoa(id)) + query
	if body, ok := bodies[rt.method+" "+rt.path]; ok {
		return w.ask(rt.method, token, path, strings.NewReader(body), append([]string{"Content-Type", "application/json"}, headers...)...)
	}
	if rt.has(streamed) {
		return w.ask(rt.method, token, path, strings.NewReader("x"), append([]string{"Content-Type", "text/csv"}, headers...)...)
	}
	return w.ask(rt.method, token, path, nil, headers...)
}

// told are the parts of an answer that a client sees, but the time.
func told(r *response) string {
	h := r.header.Clone()
	h.Del("Date")
	var b bytes.Buffer
	fmt.Fprintln(&b, r.status)
	_ = h.Write(&b)
	b.Write(r.body)
	return b.String()
}

// The forms of what must be in no log.
var secretForms = map[string]*regexp.Regexp{
	"a token":    regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}`),
	"an API key": regexp.MustCompile(`ups_[0-9A-Za-z]{8}_`),
	"a hash":     regexp.MustCompile(`argon2id|[0-9a-f]{64}`),
	"a query":    regexp.MustCompile(`[?&][a-z_]+=`),
}

// checkLog shows that the log of a world holds no secret, claim or query.
func (w *world) checkLog() {
	log := w.log.String()
	if log == "" {
		return
	}
	for what, form := range secretForms {
		if form.MatchString(log) {
			w.Errorf("the log holds %s: %s", what, log)
		}
	}
	secrets := []string{password}
	for _, p := range []*practice{w.a, w.b} {
		if p != nil {
			secrets = append(secrets, w.claimNumbers(p)...)
		}
	}
	for _, s := range secrets {
		if strings.Contains(log, s) || strings.Contains(log, url.QueryEscape(s)) {
			w.Errorf("the log holds %q: %s", s, log)
			return
		}
	}
}

// claimNumbers are those of a practice, the newest 500.
func (w *world) claimNumbers(p *practice) (numbers []string) {
	t, err := w.store.Tenant(context.Background(), p.id)
	if err != nil {
		return nil // a test has taken the database away
	}
	claims, err := t.Claims(context.Background(), store.ClaimFilter{Order: "-id"}, upstream.Page{Size: 500})
	if err != nil {
		return nil
	}
	for i := range claims.Items {
		numbers = append(numbers, claims.Items[i].ClaimID)
	}
	return numbers
}

func TestTheLogCheckFindsWhatItLooksFor(t *testing.T) {
	for what, line := range map[string]string{
		"a token": "Bearer eyJhbGciOiJIUzI1NiIsImtpZCI6", "an API key": "ups_ab12cd34_x", "a query": "GET /claims/?search=1", "a hash": "$argon2id$v=19",
	} {
		if !secretForms[what].MatchString(line) {
			t.Errorf("%s is not found in %q", what, line)
		}
	}
}

// made fails unless something was made.
func (r *response) made() *response {
	r.t.Helper()
	if r.status/100 != 2 {
		r.t.Fatalf("%s: %d %s", r.request, r.status, r.body)
	}
	return r
}
