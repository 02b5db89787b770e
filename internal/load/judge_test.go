package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// judgeOne judges the only limit of a target.
func judgeOne(t *testing.T, s *Snapshot, target Target) Verdict {
	t.Helper()
	v := Judge(s, []Target{target})
	if len(v) != 1 {
		t.Fatalf("%d verdicts: %+v", len(v), v)
	}
	return v[0]
}

func TestQuantilesAreJudgedByTheirEstimate(t *testing.T) {
	s := ran(t, Plan{Users: 10}, 11*time.Second, asked("/a", 1000, 11*time.Second, 100*time.Microsecond)) // .1 to 100 ms
	for _, c := range []struct {
		target  Target
		outcome Outcome
		why     string
	}{
		{Target{MaxP95: 100}, Met, ""},
		{Target{MaxP95: 95.2}, Met, "the limit is within the interval"},
		{Target{MaxP95: 94.5}, Missed, "the limit is within the interval"},
		{Target{MaxP95: 50}, Missed, ""},
		{Target{MaxP50: 60}, Met, ""},
		{Target{MaxP99: 90}, Missed, ""},
	} {
		c.target.Method, c.target.Name = "GET", "/a"
		v := judgeOne(t, s, c.target)
		if v.Outcome != c.outcome || c.why == "" && v.Why != "" || !strings.Contains(v.Why, c.why) {
			t.Errorf("%+v: %+v", c.target, v)
		}
		if v.Low >= v.Measured || v.High <= v.Measured {
			t.Errorf("the estimate is not within its interval: %+v", v)
		}
	}
}

func TestALimitExactlyReachedIsMet(t *testing.T) {
	s := ran(t, Plan{Users: 1}, 11*time.Second, asked("/a", 1000, 11*time.Second, 100*time.Microsecond))
	f := s.Endpoints[0].Steady
	share := 0.0
	for _, v := range Judge(s, []Target{{Method: "GET", Name: "/a", MinRPS: f.RPS, MaxP50: f.Response.Quantile(50), MaxP95: f.Response.Quantile(95), MaxFailureShare: &share}}) {
		if v.Outcome != Met {
			t.Errorf("%+v", v)
		}
	}
}

func TestTooFewRequestsAreNotJudged(t *testing.T) {
	s := ran(t, Plan{Users: 1}, 11*time.Second, asked("/a", 100, 11*time.Second, time.Millisecond))
	share := .01
	v := Judge(s, []Target{{Method: "GET", Name: "/a", MaxP50: 1000, MaxP95: 1000, MaxP99: 1000, MaxFailureShare: &share}})
	var got []string
	for _, v := range v {
		got = append(got, v.What+" "+string(v.Outcome)+": "+v.Why)
	}
	want := []string{
		"p50 met: ", "p95 unjudged: 100 requests in the steady window are too few: it takes 110",
		"p99 unjudged: 100 requests in the steady window are too few: it takes 563", "failures unjudged: 100 requests in the steady window are too few: it takes 563",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFailuresAreJudgedByTheirShare(t *testing.T) {
	s := ran(t, Plan{Users: 1}, 11*time.Second, failing(asked("/a", 1000, 11*time.Second, time.Microsecond), 50, "status 500"))
	for limit, want := range map[float64]Outcome{0: Missed, .01: Missed, .02: Met, .1: Met, 1: Met} {
		v := judgeOne(t, s, Target{Method: "GET", Name: "/a", MaxFailureShare: &limit})
		if v.Outcome != want || v.Measured != .02 || v.Low < .012 || v.Low > .02 || v.High > .032 || v.High < .02 {
			t.Errorf("%v: %+v", limit, v)
		}
	}
}

func TestWhatWasNotAskedIsNotJudged(t *testing.T) {
	target := Target{Method: "GET", Name: "/a", MaxP95: 1}
	early := sample{method: "GET", name: "/a", ended: time.Millisecond, response: time.Millisecond, service: time.Millisecond}
	ramping := ran(t, Plan{}, 10*time.Second, []sample{early})
	ramping.SteadyFrom, ramping.SteadyTo = time.Time{}, time.Time{}
	post := asked("/a", 200, 10*time.Second, time.Microsecond)
	for i := range post {
		post[i].method = "POST"
	}
	for name, c := range map[string]struct {
		s   *Snapshot
		why string
	}{
		"no request":         {ran(t, Plan{}, 10*time.Second, nil), "not asked: no user"},
		"another endpoint":   {ran(t, Plan{}, 10*time.Second, asked("/b", 200, 10*time.Second, time.Microsecond)), "not asked: no user"},
		"another method":     {ran(t, Plan{}, 10*time.Second, post), "not asked: no user"},
		"in the ramp only":   {ran(t, Plan{}, 10*time.Second, []sample{early}), "not asked in the steady window"},
		"no steady window":   {ramping, "no steady window"},
		"nothing ever began": {NewRunner(t.Context(), nil).Snapshot(), "not asked"},
	} {
		if v := judgeOne(t, c.s, target); v.Outcome != Unjudged || !strings.Contains(v.Why, c.why) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestARateIsJudgedWhereTheServerSetsIt(t *testing.T) {
	open := func(text string) *Arrivals {
		a, err := ParseArrivals(text)
		if err != nil {
			t.Fatal(err)
		}
		return &a
	}
	const lasted = 11 * time.Second
	slow := asked("/a", 1000, lasted, time.Microsecond) // 100 a second
	for i := range slow {
		slow[i].service = 40 * time.Millisecond // by Little's law four users are in a request
	}
	both := append(asked("/a", 1000, lasted, time.Microsecond), asked("/b", 3000, lasted, time.Microsecond)...)
	for name, c := range map[string]struct {
		plan    Plan
		samples []sample
		min     float64
		outcome Outcome
		why     []string
	}{
		"reached":                         {Plan{Users: 1000}, slow, 99, Met, nil},
		"users are busy":                  {Plan{Users: 5}, slow, 200, Missed, nil},
		"users are half busy":             {Plan{Users: 8}, slow, 200, Missed, nil},
		"users wait":                      {Plan{Users: 20}, slow, 200, Unjudged, []string{"20 % of their time", "about 40 users", "--arrival-rate 200"}},
		"of a quarter of the requests":    {Plan{Users: 20}, both, 200, Unjudged, []string{"about 40 users", "--arrival-rate 800"}},
		"the schedule asks less":          {Plan{Arrivals: open("100")}, slow, 200, Unjudged, []string{"kept up", "--arrival-rate 200"}},
		"a share of the schedule is less": {Plan{Arrivals: open("400")}, both, 200, Unjudged, []string{"--arrival-rate 800"}},
		"the schedule asked for more":     {Plan{Arrivals: open("300")}, slow, 200, Missed, nil},
		"poisson, within its noise":       {Plan{Arrivals: open("poisson 106")}, slow, 106, Unjudged, []string{"kept up"}},
		"the schedule is reached":         {Plan{Arrivals: open("100")}, slow, 100, Met, nil},
		"some arrivals were never made":   {Plan{Arrivals: open("101")}, slow, 101, Missed, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := ran(t, c.plan, lasted, c.samples)
			if strings.Contains(name, "never made") {
				s.Unsent = 10
			}
			v := judgeOne(t, s, Target{Method: "GET", Name: "/a", MinRPS: c.min})
			if v.Outcome != c.outcome || len(c.why) == 0 && v.Why != "" {
				t.Errorf("%+v", v)
			}
			for _, part := range c.why {
				if !strings.Contains(v.Why, part) {
					t.Errorf("%q says nothing of %q", v.Why, part)
				}
			}
		})
	}
}

func TestARateTakesASecond(t *testing.T) {
	s := ran(t, Plan{Users: 1}, 1900*time.Millisecond, asked("/a", 50, 1900*time.Millisecond, time.Microsecond))
	if v := judgeOne(t, s, Target{Method: "GET", Name: "/a", MinRPS: 1}); v.Outcome != Unjudged || !strings.Contains(v.Why, "lasted 900ms") {
		t.Errorf("%+v", v)
	}
}

func TestNeededIsTheLeastNumberWithAnInterval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := rapid.Float64Range(0, .9999).Draw(t, "q")
		n := int64(needed(q))
		if low, high := ranks(n, q); high > n || low > high {
			t.Errorf("of %d: %d to %d", n, low, high)
		}
		if _, high := ranks(n-1, q); n > 1 && high <= n-1 {
			t.Errorf("%d would do, not %d", n-1, n)
		}
	})
}

// The interval must hold what it promises: of many runs nineteen in twenty have the
// true quantile in it.
func TestIntervalsCoverTheQuantile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, percent := range []float64{50, 95, 99} {
		truth := -math.Log(1-percent/100) * 10 // ms, of an exponential with mean 10
		covered := 0
		const runs, n = 400, 2000
		for range runs {
			l := newLatency(3)
			for range n {
				l.add(time.Duration(r.ExpFloat64() * float64(10*time.Millisecond)))
			}
			w := Window{Requests: n, Response: l.summary(), response: l.h}
			if low, high := w.interval(percent); low <= truth && truth <= high {
				covered++
			}
		}
		if share := float64(covered) / runs; share < .92 || share > .99 {
			t.Errorf("p%v: %.3f of the intervals hold it", percent, share)
		}
	}
}

func TestIntervalsStayWithinWhatWasSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLatency(3)
		for _, us := range rapid.SliceOfN(rapid.Int64Range(0, 2*maxLatency), 1, 50).Draw(t, "times") {
			l.add(time.Duration(us) * time.Microsecond)
		}
		w := Window{Response: l.summary(), response: l.h}
		for _, percent := range Quantiles {
			low, high := w.interval(percent)
			at := w.Response.Quantile(percent)
			if low < w.Response.Min || high > w.Response.Max || low > at || at > high {
				t.Errorf("%v: %v to %v around %v, of %v to %v", percent, low, high, at, w.Response.Min, w.Response.Max)
			}
		}
	})
}

func TestExpectedCountsASchedule(t *testing.T) {
	for _, text := range []string{"500", "100 for 3s, 500 over 4s, 500 for 2s", "50 over 5s, 0 over 5s, 70", "20 for 2s, 40"} {
		a, err := ParseArrivals(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, span := range []float64{.5, 3, 6, 9.5, 20} {
			var n int
			for s := a.Schedule(1); ; n++ {
				if at, more := s.Next(); !more || at.Seconds() >= span {
					break
				}
			}
			if got := a.expected(span); math.Abs(got-float64(n)) > 1.5 {
				t.Errorf("%s, %v s: %v expected, %d come", text, span, got, n)
			}
		}
	}
}

func TestAVerdictForEveryLimitInOrder(t *testing.T) {
	share := .5
	var got []string
	for _, v := range Judge(ran(t, Plan{}, time.Minute, nil), append(GuideTargets()[:1], Target{Method: "GET", Name: "/x", MaxP99: 1, MaxP50: 1, MaxFailureShare: &share})) {
		got = append(got, v.Name+" "+v.What)
	}
	if want := []string{"/api/v1/health/ rps", "/api/v1/health/ p95", "/x p50", "/x p99", "/x failures"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
