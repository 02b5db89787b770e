package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var engines = []Engine{Std, Fast}

// onBothEngines runs a test with each engine.
func onBothEngines(t *testing.T, test func(t *testing.T, engine Engine)) {
	for _, engine := range engines {
		t.Run(string(engine), func(t *testing.T) { test(t, engine) })
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// doing is a class with one task and no wait.
func doing(run func(*User)) []*Class {
	return []*Class{{Name: "A", Tasks: []Task{{Name: "task", Run: run}}}}
}

// quick is a plan for tests: it takes as long as its tasks do.
func quick(host string, engine Engine, classes []*Class) Plan {
	return Plan{
		Host: host, Users: 1, SpawnRate: 1000, Classes: classes, Engine: engine, Seed: 1,
		Timeout: 10 * time.Second, StopTimeout: 10 * time.Second, UserAgent: "test",
	}
}

// begin starts a run that ends with the test.
func begin(t *testing.T, p Plan) *Runner {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := NewRunner(ctx, quiet())
	if err := r.Start(p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); <-r.Done() })
	return r
}

// once runs a task a single time and returns what came of it.
func once(t *testing.T, p Plan, task func(*User)) *Snapshot {
	t.Helper()
	ready := make(chan struct{})
	p.Classes = doing(func(u *User) {
		func() {
			defer close(ready)
			task(u)
		}()
		<-u.stop
	})
	r := begin(t, p)
	<-ready
	r.Stop()
	return r.Snapshot()
}

// only is the single failure of a snapshot.
func only(t *testing.T, s *Snapshot) string {
	t.Helper()
	if len(s.Failures) != 1 || s.Total.Failures != s.Failures[0].Occurrences {
		t.Fatalf("failures %+v of %d", s.Failures, s.Total.Failures)
	}
	return s.Failures[0].Error
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func TestUsersComeGoAndStayAsWanted(t *testing.T) {
	host := serve(t, func(http.ResponseWriter, *http.Request) {})
	classes := []*Class{{Name: "A", Weight: 3, Wait: Constant(time.Millisecond), Tasks: []Task{get("x", 1, "x")}}, {Name: "B", Wait: Constant(time.Millisecond), Tasks: []Task{get("y", 1, "y")}}}
	p := quick(host, Std, classes)
	p.Users = 20
	r := begin(t, p)
	for _, n := range []int{20, 4, 40, 1} {
		p.Users = n
		if err := r.Start(p); err != nil {
			t.Fatal(err)
		}
		want := Distribute(classes, n)
		eventually(t, func() bool {
			s := r.Snapshot()
			return s.State == Running && s.Users["A"] == want["A"] && s.Users["B"] == want["B"] && s.Plan.Users == n
		})
	}
	r.Stop()
	if s := r.Snapshot(); s.State != Stopped || s.UserCount != 0 || s.Total.Failures != 0 {
		t.Errorf("%s, %d users, %v", s.State, s.UserCount, s.Failures)
	}
	if err := r.Start(p); err != nil { // a new run begins with nothing counted
		t.Fatal(err)
	}
	if s := r.Snapshot(); s.Total.Requests > 1000 || s.State == Stopped {
		t.Errorf("%s, %d requests", s.State, s.Total.Requests)
	}
}

func TestUsersAreAddedToARunThatGoesOnAndToNoOther(t *testing.T) {
	host := serve(t, func(http.ResponseWriter, *http.Request) {})
	none := NewRunner(context.Background(), quiet())
	none.AddUsers(1, 100)
	if s := none.Snapshot(); s.State != Ready {
		t.Errorf("a run began: %s", s.State)
	}
	p := quick(host, Std, []*Class{{Name: "A", Wait: Constant(time.Millisecond), Tasks: []Task{get("x", 1, "x")}}})
	p.Users, p.SpawnRate = 3, 1000
	r := begin(t, p)
	for _, step := range []struct{ by, want int }{{10, 13}, {1, 14}, {-10, 4}, {-10, 1}} {
		r.AddUsers(step.by, 100)
		eventually(t, func() bool { s := r.Snapshot(); return s.State == Running && s.UserCount == step.want })
	}
	r.Stop()
	r.AddUsers(5, 100)
	if s := r.Snapshot(); s.State != Stopped || s.Plan.Users != 1 {
		t.Errorf("a run that was over is %s with %d users", s.State, s.Plan.Users)
	}
}

// All are there when the last one is: nobody waits for another that isn't wanted. And a
// change doesn't wait for the next that was.
func TestUsersAreAllThereWhenTheLastOneIs(t *testing.T) {
	host := serve(t, func(http.ResponseWriter, *http.Request) {})
	p := quick(host, Std, []*Class{{Name: "A", Wait: Constant(time.Millisecond), Tasks: []Task{get("x", 1, "x")}}})
	p.SpawnRate = .001 // a user in a quarter of an hour
	r := begin(t, p)
	eventually(t, func() bool { return r.Snapshot().State == Running })
	p.Users = 3
	if err := r.Start(p); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { s := r.Snapshot(); return s.State == Spawning && s.UserCount == 2 })
	r.AddUsers(2, 1000)
	eventually(t, func() bool { s := r.Snapshot(); return s.State == Running && s.UserCount == 5 })
}

// A run that ends while its users change is judged by the window before.
func TestTheSteadyWindowEndsWhereUsersChange(t *testing.T) {
	host := serve(t, func(http.ResponseWriter, *http.Request) {})
	p := quick(host, Std, []*Class{{Name: "A", Wait: Constant(time.Millisecond), Tasks: []Task{get("x", 1, "x")}}})
	p.Users = 2
	r := begin(t, p)
	eventually(t, func() bool { return r.Snapshot().Total.Steady.Requests > 10 })
	p.Users, p.SpawnRate = 1000, 1
	if err := r.Start(p); err != nil {
		t.Fatal(err)
	}
	edited := time.Now()
	before := r.Snapshot().Total.Requests
	eventually(t, func() bool { return r.Snapshot().Total.Requests > before+50 })
	r.Stop()
	s := r.Snapshot()
	if s.SteadyTo.After(edited) || s.Total.Steady.Requests == 0 || s.Total.Steady.Requests+40 > s.Total.Requests {
		t.Errorf("steady from %v to %v, users changed at %v; %d of %d requests in it", s.SteadyFrom, s.SteadyTo, edited, s.Total.Steady.Requests, s.Total.Requests)
	}
}

// eventually waits for what takes some time, for as long as a slow machine needs.
func eventually(t *testing.T, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within a minute")
		}
	}
}

func TestARequestThatHangsIsCutOffAndCounted(t *testing.T) {
	var served atomic.Int64
	hang := make(chan struct{})
	host := serve(t, func(http.ResponseWriter, *http.Request) { served.Add(1); <-hang })
	defer close(hang)
	onBothEngines(t, func(t *testing.T, engine Engine) {
		served.Store(0)
		p := quick(host, engine, doing(func(u *User) { u.Get("/x") }))
		p.Users, p.StopTimeout = 5, 50*time.Millisecond
		r := begin(t, p)
		eventually(t, func() bool { return served.Load() == 5 })
		r.Stop()
		s := r.Snapshot()
		if said := only(t, s); s.Total.Requests != 5 || !strings.Contains(said, "cut off when the run ended") {
			t.Errorf("%d requests, %q", s.Total.Requests, said)
		}
	})
}

func TestATaskThatPanicsIsAnExceptionAndTheUserGoesOn(t *testing.T) {
	host := serve(t, func(http.ResponseWriter, *http.Request) {})
	n := 0
	r := begin(t, quick(host, Std, doing(func(u *User) {
		if n++; n%2 == 1 {
			panic("odd")
		}
		u.Get("/x")
		u.Sleep(time.Millisecond)
	})))
	eventually(t, func() bool { return r.Snapshot().Total.Requests > 3 })
	r.Stop()
	s := r.Snapshot()
	if len(s.Exceptions) != 1 || s.Exceptions[0].Message != "odd" || s.Exceptions[0].Count < 3 || !strings.Contains(s.Exceptions[0].Traceback, "run_test.go") {
		t.Errorf("%+v", s.Exceptions)
	}
}

func TestASignInThatIsRefusedEndsTheRunWithItsReason(t *testing.T) {
	var asked atomic.Int64
	host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
	})
	p := quick(host, Std, Classes(Accounts{Username: "somebody", Password: "hunter2"})[:1])
	p.Users = 50
	r := begin(t, p)
	<-r.Done()
	s := r.Snapshot()
	if !strings.Contains(s.Reason, `"somebody" can't sign in`) || strings.Contains(s.Reason, "hunter2") {
		t.Errorf("%q", s.Reason)
	}
	if s.Total.Requests != asked.Load() || asked.Load() > 50 {
		t.Errorf("asked %d times, counted %d", asked.Load(), s.Total.Requests)
	}
}

func TestASignInThatIsThrottledIsTriedAgain(t *testing.T) {
	var asked atomic.Int64
	host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/api/v1/auth/token/" && asked.Add(1) == 1:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case r.URL.Path == "/api/v1/auth/token/":
			_, _ = io.WriteString(w, `{"access":"token"}`)
		case r.Header.Get("Authorization") != "Bearer token":
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	r := begin(t, quick(host, Std, Classes(Accounts{})[:1]))
	eventually(t, func() bool { return r.Snapshot().Total.Requests >= 3 })
	r.Stop()
	if s := r.Snapshot(); s.Reason != "" || s.Total.Throttled != 1 || s.Total.Failures != 1 {
		t.Errorf("%q, %d throttled, %v", s.Reason, s.Total.Throttled, s.Failures)
	}
}

// A stall of the server is met by all that was due in it, also where no user is free to
// ask: what a closed model omits. The server's own account is the truth; that this
// machine is slow may add to it, never take away.
func TestResponseTimesCountFromWhenArrivalsWereDue(t *testing.T) {
	onBothEngines(t, func(t *testing.T, engine Engine) {
		for _, users := range []int{50, 3} {
			var served atomic.Int64
			began := time.Now()
			host := serve(t, func(http.ResponseWriter, *http.Request) {
				served.Add(1)
				if in := time.Since(began) % time.Second; in < 200*time.Millisecond {
					time.Sleep(200*time.Millisecond - in)
				}
			})
			a, err := ParseArrivals("200")
			if err != nil {
				t.Fatal(err)
			}
			p := quick(host, engine, doing(func(u *User) { u.Get("/x") }))
			p.Arrivals, p.Users, p.RunTime = &a, users, 3*time.Second
			r := begin(t, p)
			<-r.Done()
			s := r.Snapshot()
			// A fifth of the arrivals meets a stall, evenly: the 90th percentile waits half of it.
			if p90 := s.Total.Response.Quantile(90); p90 < 95 {
				t.Errorf("%d users: p90 %v ms, want 100 at least", users, p90)
			}
			if n := served.Load(); n != s.Total.Requests || n != 600 || s.Unsent != 0 {
				t.Errorf("%d users: %d served, %d counted, %d unsent, 600 were due", users, n, s.Total.Requests, s.Unsent)
			}
		}
	})
}

func TestArrivalsThatNobodyCouldMakeAreTold(t *testing.T) {
	hang := make(chan struct{})
	host := serve(t, func(http.ResponseWriter, *http.Request) { <-hang })
	defer close(hang)
	a, err := ParseArrivals("100 for 1s")
	if err != nil {
		t.Fatal(err)
	}
	p := quick(host, Std, doing(func(u *User) { u.Get("/x") }))
	p.Arrivals, p.Users, p.StopTimeout = &a, 5, 10*time.Millisecond
	r := begin(t, p)
	<-r.Done()
	if s := r.Snapshot(); s.Total.Requests != 5 || s.Total.Requests+s.Unsent != 100 {
		t.Errorf("%d asked and %d not, of 100", s.Total.Requests, s.Unsent)
	}
}

func TestASeedRepeatsWhatUsersDo(t *testing.T) {
	var paths []string
	host := serve(t, func(_ http.ResponseWriter, r *http.Request) { paths = append(paths, r.URL.String()) })
	classes := Classes(Accounts{})
	classes[0].OnStart, classes[0].Wait = nil, nil
	run := func() []string {
		paths = nil
		r := begin(t, quick(host, Std, classes[:1]))
		eventually(t, func() bool { return r.Snapshot().Total.Requests > 100 })
		r.Stop()
		return paths[:100]
	}
	if first, second := fmt.Sprint(run()), fmt.Sprint(run()); first != second {
		t.Errorf("first %s\nthen %s", first, second)
	}
}

func TestPlansThatCantBeAreRefusedWithAllThatIsWrong(t *testing.T) {
	good := quick("http://localhost:1", Std, doing(func(*User) {}))
	for _, test := range []struct {
		change func(*Plan)
		says   string
	}{
		{func(p *Plan) { p.Users = 0 }, "0 users"},
		{func(p *Plan) { p.Users = -3 }, "-3 users"},
		{func(p *Plan) { p.Users = 1_000_000 }, "workers of one master"},
		{func(p *Plan) { p.SpawnRate = 0 }, "spawn rate of 0"},
		{func(p *Plan) { p.Host = "localhost:8000" }, `host "localhost:8000"`},
		{func(p *Plan) { p.Host = "" }, "host"},
		{func(p *Plan) { p.Host = "ftp://x" }, "host"},
		{func(p *Plan) { p.Host = "http://somebody:hunter2@x" }, "host: give an address without a name and a password"},
		{func(p *Plan) { p.MaxSlip = -1 }, "a slip of at most -1ns"},
		{func(p *Plan) { p.Engine = "steam" }, `no engine "steam"`},
		{func(p *Plan) { p.Classes = nil }, "no user classes"},
	} {
		p := good
		test.change(&p)
		if err := NewRunner(context.Background(), quiet()).Start(p); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%v, want %q", err, test.says)
		}
	}
	p := Plan{Host: "x", Users: 0, SpawnRate: -1}
	if err := p.Check(); err == nil || strings.Count(err.Error(), "\n") != 4 {
		t.Errorf("not all at once: %v", err)
	}
}

func TestRowsAndTotalsCountTheSame(t *testing.T) {
	host := serve(t, func(http.ResponseWriter, *http.Request) {})
	r := begin(t, quick(host, Fast, doing(func(u *User) { u.Get("/x") })))
	eventually(t, func() bool { return len(r.Rows(0)) >= 2 })
	r.Stop()
	n, s := int64(0), r.Snapshot()
	heat := int64(0)
	for _, row := range r.Rows(0) {
		n += row.Requests
		for _, h := range row.Heat {
			heat += h
		}
	}
	if n != s.Total.Requests || heat != n || len(r.Rows(0)) != s.Rows {
		t.Errorf("rows have %d, the heat map %d, the total %d", n, heat, s.Total.Requests)
	}
}

func TestARunOfDaysKeepsNoMoreRowsThanOneOfHours(t *testing.T) {
	s := newStats()
	second := []sample{{method: "GET", name: "/", ended: time.Second, response: 3 * time.Millisecond, service: time.Millisecond, slip: -1}}
	const days = 3 * 24 * 3600
	for i := range days {
		s.add(second)
		s.row(time.Time{}, time.Duration(i+1)*time.Second, 1)
	}
	n, span := int64(0), time.Duration(0)
	for _, row := range s.rows {
		n, span = n+row.Requests, span+row.Span
	}
	if len(s.rows) > maxRows || n != days || span != days*time.Second || s.rows[0].P95 < 2.9 {
		t.Errorf("%d rows of %d requests, %v", len(s.rows), n, span)
	}
}

func TestNothingOfThisModuleIsUsed(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") && strings.Contains(string(b), "\t\"upstream") {
			t.Errorf("%s imports this module", name)
		}
	}
}

func TestARunThatManyUsersCantGoOnWithSaysSoOnce(t *testing.T) {
	p := quick("http://localhost:1", Std, doing(func(*User) {}))
	p.Users, p.Arrivals = 50, &Arrivals{Stages: []Stage{{Rate: 1000}}}
	p.Classes[0].OnStart = func(u *User) error {
		u.Sleep(time.Hour) // until the first of them
		return errors.New("no way in")
	}
	p.Classes[0].Tasks[0].Run = func(*User) { t.Error("an arrival is made") }
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := NewRunner(ctx, slog.New(slog.NewTextHandler(&log, nil)))
	if err := r.Start(p); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return r.Snapshot().UserCount == 50 })
	r.run().end(errors.New("no way in"))
	<-r.Done()
	if n := strings.Count(log.String(), "the run ends"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
}
