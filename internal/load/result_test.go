package load

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sampleRun is a run with something of everything: it is in all the golden files.
func sampleRun(t testing.TB) (*Snapshot, []Verdict) {
	t.Helper()
	const lasted = 11 * time.Second
	samples := asked(api+"health/", 3000, lasted, 15*time.Microsecond)
	samples = append(samples, failing(asked(api+"claims/", 500, lasted, 2*time.Millisecond), 100, "status 500")...)
	throttled := failing(asked(api+"denial-rate-trend/", 20, lasted, time.Millisecond), 4, "status 429: the server throttles")
	for i := range throttled {
		throttled[i].throttled = throttled[i].failure != ""
	}
	s := ran(t, Plan{
		Host: "http://localhost:8000", Users: 50, SpawnRate: 10, RunTime: lasted, Seed: 7, Engine: Fast, Classes: Classes(Accounts{Password: "secret"})[:1],
	}, lasted, append(samples, throttled...))
	s.GeneratorCPU = .123456789
	s.Exceptions = []Exception{{Count: 2, Message: "index out of range", Traceback: "goroutine 1 [running]:\nmain.main()"}}
	return s, Judge(s, append(GuideTargets(), Target{Method: "GET", Name: api + "denial-rate-trend/", MaxP95: 100}))
}

func TestTheResultHasEveryKey(t *testing.T) {
	s, verdicts := sampleRun(t)
	code, why := ExitCode(s, verdicts, ExitOptions{OnError: 1})
	result := NewResult(s, verdicts, code, why)
	var b bytes.Buffer
	if err := result.Write(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "secret") {
		t.Error("the password is in it")
	}
	golden(t, "result.json", b.Bytes())
}

func TestAResultBeforeAnyRunIsJSONToo(t *testing.T) {
	result := NewResult(NewRunner(t.Context(), nil).Snapshot(), nil, 0, "")
	var b bytes.Buffer
	if err := result.Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"endpoints": []`, `"started": null`, `"steady_from": null`, `"classes": []`} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("no %s in %s", part, b.String())
		}
	}
}

func TestABaselineReadsAsItWasWritten(t *testing.T) {
	s, verdicts := sampleRun(t)
	result := NewResult(s, verdicts, 99, "x")
	var b bytes.Buffer
	if err := result.Write(&b); err != nil {
		t.Fatal(err)
	}
	again, err := ReadBaseline(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Result{result}, again); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoBaselineIsRefused(t *testing.T) {
	for text, says := range map[string]string{
		"":                            "not JSON of a load test",
		"Type,Name,Request Count":     "not JSON of a load test",
		`{"endpoints": 7}`:            "not JSON of a load test",
		`{}`:                          "no endpoints",
		`{"endpoints": [{}]}`:         "no endpoints or no start",
		`{"customer": 1, "runs": []}`: "no endpoints",
		`{"endpoints": [{"steady": {"rps": -1}}], "started": "2026-03-02T08:00:00Z", "steady_from": "2026-03-02T08:00:00Z"}`:                              "no run can have",
		`{"endpoints": [{"steady": {"p95_ms": {"at": 1e300, "high": 1e300}}}], "started": "2026-03-02T08:00:00Z", "steady_from": "2026-03-02T08:00:00Z"}`: "no run can have",
		`{"endpoints": [{}], "started": "2026-03-02T08:00:00Z"}`:                                                                                          "no steady window",
		`{"endpoints": [{}], "started": "2026-03-02T08:00:00Z", "steady_from": "2026-03-02T08:00:00Z"} more`:                                              "not JSON of a load test",
	} {
		if _, err := ReadBaseline(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "`upstream loadtest --json FILE`") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzReadBaseline(f *testing.F) {
	s, verdicts := sampleRun(f)
	result := NewResult(s, verdicts, 0, "")
	var b bytes.Buffer
	if err := result.Write(&b); err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{b.String(), "", "{}", `{"endpoints":[{"steady":{"requests":-1}}],"started":"2026-03-02T08:00:00Z","steady_from":"2026-03-02T08:00:00Z"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		before, err := ReadBaseline(strings.NewReader(text))
		if err != nil {
			return
		}
		verdicts := CompareBaseline(before, result)
		CompareBaseline([]Result{result}, before[0])
		r := NewResult(s, verdicts, 0, "")
		if err := r.Write(io.Discard); err != nil { // JSON has no NaN
			t.Error(err)
		}
	})
}

// resultOf is of a run of one endpoint with response times of some mean, in
// milliseconds, exponentially distributed.
func resultOf(t *testing.T, seed uint64, n int, mean float64, p Plan) Result {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	samples := asked("/a", n, 11*time.Second, 0)
	for i := range samples {
		d := time.Duration(r.ExpFloat64() * mean * float64(time.Millisecond))
		samples[i].response, samples[i].service, samples[i].ended = d, d, samples[i].ended+d
	}
	return NewResult(ran(t, p, 11*time.Second, samples), nil, 0, "")
}

func TestRegressions(t *testing.T) {
	p := Plan{Users: 5, Engine: Fast}
	outcomes := func(before, now Result) (got string) {
		for _, v := range CompareBaseline([]Result{before}, now) {
			got += strings.TrimSuffix(v.What, AgainstBaseline) + " " + string(v.Outcome) + ", "
		}
		return strings.TrimSuffix(got, ", ")
	}
	before := resultOf(t, 1, 5000, 20, p)
	for name, c := range map[string]struct {
		before, now Result
		want        string
	}{
		"the same again":              {before, resultOf(t, 2, 5000, 20, p), "rps met, p50 met, p95 met, p99 met"},
		"itself":                      {before, before, "rps met, p50 met, p95 met, p99 met"},
		"a tenth slower":              {before, resultOf(t, 2, 5000, 22, p), "rps met, p50 met, p95 met, p99 met"},
		"half as fast again":          {before, resultOf(t, 2, 5000, 40, p), "rps met, p50 missed, p95 missed, p99 missed"},
		"faster":                      {before, resultOf(t, 2, 5000, 5, p), "rps met, p50 met, p95 met, p99 met"},
		"fewer":                       {before, resultOf(t, 2, 2500, 20, p), "rps missed, p50 met, p95 met, p99 met"},
		"more":                        {before, resultOf(t, 2, 9000, 20, p), "rps met, p50 met, p95 met, p99 met"},
		"twice of next to nothing":    {resultOf(t, 1, 5000, .1, p), resultOf(t, 2, 5000, .2, p), "rps met, p50 met, p95 met, p99 met"},
		"too few":                     {before, resultOf(t, 2, 5, 20, p), "rps missed, p50 unjudged, p95 unjudged, p99 unjudged"},
		"so few that they may be so":  {resultOf(t, 1, 130, 20, p), resultOf(t, 4, 130, 34, p), "rps met, p50 unjudged, p95 unjudged, p99 unjudged"},
		"another number of users":     {before, resultOf(t, 2, 5000, 40, Plan{Users: 6, Engine: Fast}), "rps unjudged, p50 unjudged, p95 unjudged, p99 unjudged"},
		"another engine":              {before, resultOf(t, 2, 5000, 40, Plan{Users: 5, Engine: Std}), "rps unjudged, p50 unjudged, p95 unjudged, p99 unjudged"},
		"asked of nothing any more":   {before, NewResult(ran(t, p, 11*time.Second, nil), nil, 0, ""), "rps unjudged, p50 unjudged, p95 unjudged, p99 unjudged"},
		"a baseline without requests": {NewResult(ran(t, p, 11*time.Second, nil), nil, 0, ""), before, ""},
	} {
		if got := outcomes(c.before, c.now); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestAComparisonTellsTheRatio(t *testing.T) {
	p := Plan{Users: 5}
	v := CompareBaseline([]Result{resultOf(t, 1, 5000, 20, p)}, resultOf(t, 1, 5000, 40, p))[1]
	if v.What != "p50 against the baseline" || v.Why != "2.00 times the baseline's 13.9 ms" || v.Limit < 17.3 || v.Limit > 17.4 {
		t.Errorf("%+v", v)
	}
	schedule, err := ParseArrivals("500")
	if err != nil {
		t.Fatal(err)
	}
	for want, other := range map[string]Plan{
		"the baseline was run with --users 5, this with 7: only like runs compare":             {Users: 7},
		"the baseline was run with --arrival-rate none, this with 500: only like runs compare": {Users: 5, Arrivals: &schedule},
		"the baseline was run with --engine , this with std: only like runs compare":           {Users: 5, Engine: Std},
		"the baseline was run with user classes , this with AdminUser: only like runs compare": {Users: 5, Classes: Classes(Accounts{})[1:2]},
	} {
		if v := CompareBaseline([]Result{resultOf(t, 1, 5000, 20, p)}, resultOf(t, 1, 5000, 20, other)); v[0].Why != want || v[0].Outcome != Unjudged {
			t.Errorf("%+v", v[0])
		}
	}
}

func TestAnEndpointThatWasDrawnLessIsNoRegression(t *testing.T) {
	const lasted = 11 * time.Second
	run := func(a, b int) Result {
		samples := append(asked("/a", a, lasted, time.Microsecond), asked("/b", b, lasted, time.Microsecond)...)
		return NewResult(ran(t, Plan{Users: 5}, lasted, samples), nil, 0, "")
	}
	rate := func(before, now Result) Verdict { return CompareBaseline([]Result{before}, now)[0] }
	if v := rate(run(1000, 1000), run(500, 1500)); v.Name != "/a" || v.Outcome != Met || !strings.Contains(v.Why, "0.50 times the baseline's 100/s, by how tasks were drawn") {
		t.Errorf("%+v", v)
	}
	if v := rate(run(1000, 1000), run(500, 500)); v.Outcome != Missed || v.Why != "0.50 times the baseline's 100/s" {
		t.Errorf("%+v", v)
	}
}

func TestABaselineOfSeveralRunsBoundsByItsWorst(t *testing.T) {
	p := Plan{Users: 5}
	one, other, slow := resultOf(t, 1, 5000, 20, p), resultOf(t, 2, 5000, 24, p), resultOf(t, 3, 5000, 36, p)
	outcome := func(before ...Result) Verdict { return CompareBaseline(before, resultOf(t, 4, 5000, 34, p))[2] }
	if v := outcome(one, other); v.Outcome != Missed {
		t.Errorf("worse than both: %+v", v)
	}
	v := outcome(one, slow, other)
	if v.Outcome != Unjudged || !strings.Contains(v.Why, "within what the baseline itself may be") {
		t.Errorf("no worse than one of them: %+v", v)
	}
	if median := other.Endpoints[0].Steady.P95.At; v.Limit != median*maxRatio {
		t.Errorf("%v is not by the median, %v", v.Limit, median)
	}
	var file bytes.Buffer
	for _, r := range []Result{one, other, slow} {
		if err := r.Write(&file); err != nil {
			t.Fatal(err)
		}
	}
	if runs, err := ReadBaseline(&file); err != nil || len(runs) != 3 {
		t.Errorf("%d runs: %v", len(runs), err)
	}
}

func TestARegressionIsInTheResult(t *testing.T) {
	before := resultOf(t, 1, 5000, 20, Plan{})
	s := ran(t, Plan{}, 11*time.Second, asked("/b", 10, 11*time.Second, time.Millisecond))
	b, err := json.Marshal(NewResult(s, CompareBaseline([]Result{before}, NewResult(s, nil, 0, "")), 0, ""))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), `"name":"/a","requests":0`) || !strings.Contains(string(b), `"what":"p95 against the baseline"`) || !strings.Contains(string(b), `"met":null`) {
		t.Errorf("%s", b)
	}
}
