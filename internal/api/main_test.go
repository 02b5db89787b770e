package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"upstream"
	"upstream/internal/auth"
	"upstream/internal/jobs"
	"upstream/internal/limit"
	"upstream/internal/pgtest"
	"upstream/internal/store"
	"upstream/internal/synth"
	"upstream/internal/telemetry"
)

func TestMain(m *testing.M) {
	os.Exit(pgtest.MainWithoutLeaks(m))
}

var engines = pgtest.Engines

// today is when tests begin; their clock moves when they say so.
var today = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func onBoth(t *testing.T, f func(t *testing.T, w *world)) {
	for _, e := range engines {
		t.Run(e.Name, func(t *testing.T) { f(t, newWorld(t, worldOptions{url: e.URL(t)})) })
	}
}

// world is a server with two customers, their claims and users.
type world struct {
	testing.TB
	server *Server
	store  *store.Store
	jobs   *jobs.Jobs
	url    string
	clock  atomic.Int64 // nanoseconds after today
	log    *pgtest.Output
	a, b   *practice
	super  string // a token of a superuser without a customer
	judge  *judge
	client *http.Client
}

// practice is a customer with a user of each role.
type practice struct {
	id     int64
	tokens map[upstream.Role]string // access tokens
	users  map[upstream.Role]upstream.User
}

// password is that of every user.
const password = "correct horse battery"

type worldOptions struct {
	url    string
	claims int64 // of each customer; few when zero
	change func(*Options)
	work   bool // jobs are worked on
}

func newWorld(t testing.TB, o worldOptions) *world {
	t.Helper()
	w := &world{TB: t, log: &pgtest.Output{}, client: &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}}}
	ctx := context.Background()
	if o.url == "" {
		o.url = engines[0].URL(t)
	}
	var err error
	if w.store, err = store.Open(ctx, o.url); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(w.log, nil))
	if w.jobs, err = jobs.Open(ctx, o.url, w.store, jobs.Options{Work: o.work, Now: w.now, Log: log}); err != nil {
		t.Fatal(err)
	}
	options := Options{
		Store: w.store, Jobs: w.jobs, Limiter: limit.NewMemoryLimiter(1000), Metrics: telemetry.NewMetrics("test"), Log: log, Now: w.now, Version: "test",
		MaxUpload: 64 << 20, CacheBytes: 16 << 20,
	}
	if o.change != nil {
		o.change(&options)
	}
	if w.server, err = New(ctx, options); err != nil {
		t.Fatal(err)
	}
	w.judge = newJudge(t, w.server)
	background, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { w.server.Run(background) })
	if err := w.jobs.Start(ctx); err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(w.judge)
	w.url = front.URL
	t.Cleanup(func() {
		w.checkLog()
		w.client.CloseIdleConnections()
		front.Close()
		stop()
		running.Wait()
		if err := w.jobs.Stop(ctx); err != nil {
			t.Error(err)
		}
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.a, w.b = w.practice("A", o.claims), w.practice("B", o.claims)
	w.super = w.user(upstream.User{Username: "root", Role: upstream.Owner, Superuser: true})
	return w
}

func (w *world) now() time.Time { return today.Add(time.Duration(w.clock.Load())) }

// wait moves the clock.
func (w *world) wait(d time.Duration) { w.clock.Add(int64(d)) }

func (w *world) practice(name string, claims int64) *practice {
	w.Helper()
	ctx := context.Background()
	c, err := w.store.CreateCustomer(ctx, "Practice "+name, today)
	if err != nil {
		w.Fatal(err)
	}
	p := &practice{id: c.ID, tokens: map[upstream.Role]string{}, users: map[upstream.Role]upstream.User{}}
	w.load(p, max(claims, 300), uint64(c.ID))
	for _, role := range []upstream.Role{upstream.Viewer, upstream.Analyst, upstream.Admin, upstream.Owner} {
		u := upstream.User{Username: string(role) + name, Customer: c.ID, Role: role}
		p.tokens[role] = w.user(u)
		if p.users[role], _, err = w.store.UserForLogin(ctx, u.Username); err != nil {
			w.Fatal(err)
		}
	}
	return p
}

var hashOnce = sync.OnceValue(func() string {
	hash, err := auth.NewHasher().Hash(context.Background(), password)
	if err != nil {
		panic(err)
	}
	return hash
})

// user makes a user with a session.
func (w *world) user(u upstream.User) (access string) {
	w.Helper()
	ctx := context.Background()
	made, err := w.store.CreateUser(ctx, u, hashOnce(), today)
	if err != nil {
		w.Fatal(err)
	}
	// As auth/token/ does, but for the password, which takes most of its time.
	session, err := w.store.CreateSession(ctx, upstream.Session{User: made.ID, Kind: upstream.TokenSession}, "", today)
	if err != nil {
		w.Fatal(err)
	}
	pair, err := w.server.pair(context.WithValue(ctx, callKey{}, &call{server: w.server, started: today}), made.ID, session.ID, firstGeneration)
	if err != nil {
		w.Fatal(err)
	}
	return pair.Body.Access
}

func (w *world) signIn(username string) tokenPair {
	w.Helper()
	var pair tokenPair
	w.post("", "auth/token/", map[string]string{"username": username, "password": password}).want(http.StatusOK).decode(&pair)
	return pair
}

// load gives a practice synthetic claims with planted drifts.
func (w *world) load(p *practice, records int64, seed uint64) {
	w.Helper()
	o := synth.Options{Records: records, Seed: seed, Days: 365, AsOf: upstream.DayOf(today), Payers: 6, Locations: 2}
	o.Drifts = synth.Planted(o)
	g, err := synth.New(o)
	if err != nil {
		w.Fatal(err)
	}
	t, err := w.store.Tenant(context.Background(), p.id)
	if err != nil {
		w.Fatal(err)
	}
	next := int64(0)
	_, err = t.Load(context.Background(), store.Source{Filename: "synthetic.csv", SHA256: g.Identity(), FileDate: upstream.DayOf(today), Next: func(c *upstream.Claim) (*upstream.Reject, error) {
		if next == g.Records() {
			return nil, io.EOF
		}
		g.Claim(next, c)
		next++
		return nil, nil
	}}, store.LoadOptions{Now: today})
	if err != nil {
		w.Fatal(err)
	}
}

// response is an answer that was read whole.
type response struct {
	t       testing.TB
	request string
	status  int
	header  http.Header
	body    []byte
}

// ask sends a request; headers are name, value, name, value, …
func (w *world) ask(method, token, path string, body io.Reader, headers ...string) *response {
	w.Helper()
	r, err := http.NewRequest(method, w.url+Prefix+path, body)
	if err != nil {
		w.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return w.do(r)
}

func (w *world) do(r *http.Request) *response {
	w.Helper()
	answer, err := w.client.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		w.Fatal(err)
	}
	return &response{w, r.Method + " " + r.URL.RequestURI(), answer.StatusCode, answer.Header, body}
}

func (w *world) get(token, path string, headers ...string) *response {
	w.Helper()
	return w.ask(http.MethodGet, token, path, nil, headers...)
}

func (w *world) post(token, path string, body any, headers ...string) *response {
	w.Helper()
	return w.send(http.MethodPost, token, path, body, headers...)
}

// send sends a body as JSON.
func (w *world) send(method, token, path string, body any, headers ...string) *response {
	w.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		w.Fatal(err)
	}
	return w.ask(method, token, path, bytes.NewReader(b), append([]string{"Content-Type", "application/json"}, headers...)...)
}

// want fails unless the answer has a status.
func (r *response) want(status int) *response {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: %d, want %d: %s", r.request, r.status, status, r.body)
	}
	return r
}

// problem fails unless the answer is a problem of that status and code, and returns it.
func (r *response) problem(status int, code string) (p Problem) {
	r.t.Helper()
	if err := json.Unmarshal(r.body, &p); err != nil || r.status != status || p.Code != code || p.Status != status ||
		r.header.Get("Content-Type") != problemJSON || p.RequestID == "" || p.RequestID != r.header.Get("X-Request-Id") {
		r.t.Errorf("%s: %d %s %s, want the problem %d %s", r.request, r.status, r.header.Get("Content-Type"), r.body, status, code)
	}
	return p
}

func (r *response) decode(v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		r.t.Fatalf("%s: %v: %s", r.request, err, r.body)
	}
}

// decoded returns the answer as generic JSON.
func (r *response) decoded() (v map[string]any) {
	r.t.Helper()
	r.decode(&v)
	return v
}
