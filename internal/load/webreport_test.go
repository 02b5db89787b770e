package load

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
)

func reportOf(t *testing.T, s *Snapshot, rows []Row, verdicts []Verdict) string {
	t.Helper()
	var b strings.Builder
	if err := WriteReport(&b, s, rows, verdicts); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var reportData = regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`)

func TestAReportIsOneFileWithAllThatARunCameTo(t *testing.T) {
	s, verdicts := sampleRun(t)
	text := reportOf(t, s, minute(60), verdicts)
	for _, part := range []string{
		"Load test of http://localhost:8000, 2026-03-02 08:00:00 UTC", "/api/v1/health/", "status 429: the server throttles", "index out of range", "PayrixaAPIUser",
		"Both latencies", "p95 ≤ 50 ms", "How late it was itself, p99", "This was the closed model", ">12 %<", "7, fast", "08:00:01 UTC to 2026-03-02 08:00:11 UTC", "<details",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q", part)
		}
	}
	if strings.Contains(text, "secret") {
		t.Error("the password is in it")
	}
	var e event
	if found := reportData.FindStringSubmatch(text); found == nil || json.Unmarshal([]byte(found[1]), &e) != nil || len(e.Rows) != 60 || e.From != 0 {
		t.Errorf("%d rows for charts", len(e.Rows))
	}
	if outside := regexp.MustCompile(`(?:src|href)="[^"]+"`).FindAllString(text, -1); len(outside) != 1 || outside[0] != `href="data:,"` {
		t.Errorf("it needs %q", outside)
	}
}

func TestAReportRunsNothingButItsOwnScript(t *testing.T) {
	evil := `</script><script>alert(1)</script><img src=x onerror=alert(1)>`
	s, verdicts := sampleRun(t)
	s.Endpoints[0].Name, s.Failures[0].Error, s.Exceptions[0].Traceback, s.Plan.Host, verdicts[0].Why = evil, evil, evil, "http://"+evil, evil
	text := reportOf(t, s, minute(3), verdicts)
	if strings.Contains(text, "<script>alert") || strings.Contains(text, "<img") {
		t.Error("a name became markup")
	}
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]+)"`).FindStringSubmatch(text)
	if policy == nil {
		t.Fatal("no policy")
	}
	for _, tag := range []string{"style", "script"} {
		inline := regexp.MustCompile(`(?s)<` + tag + `>(.*?)</` + tag + `>`).FindStringSubmatch(text)
		if inline == nil || !strings.Contains(strings.ReplaceAll(policy[1], "&#43;", "+"), tag+"-src &#39;"+hash(inline[1])+"&#39;") {
			t.Errorf("%s is not that of the policy %s", tag, policy[1])
		}
	}
}

// A run of two hours with many endpoints and more faults than anybody reads.
func TestAReportOfALongRunIsBelow200KB(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var samples []sample
	for i := range 30 {
		samples = append(samples, failing(asked(fmt.Sprintf("%ssome-resource-%d/", api, i), 200, 2*time.Hour, time.Millisecond), 2, "status 500")...)
	}
	s := ran(t, Plan{Host: "http://localhost:8000", Users: 50, Classes: Classes(Accounts{}), Engine: Fast}, 2*time.Hour, samples)
	for i := range maxReasons {
		s.Exceptions = append(s.Exceptions, Exception{1, fmt.Sprint("fault ", i), strings.Repeat("goroutine\n", 1000)})
		s.Failures = append(s.Failures, Failure{Name: s.Endpoints[i%30].Name, Error: strings.Repeat("long ", 40)})
	}
	rows := minute(maxRows - 1)
	for i := range rows {
		rows[i].Requests, rows[i].P50, rows[i].P95, rows[i].P99 = 1_000_000+r.Int64N(1e6), r.Float64()*1e3, r.Float64()*1e4, r.Float64()*1e5
		for band := range rows[i].Heat {
			rows[i].Heat[band] = r.Int64N(100_000)
		}
	}
	if size := len(reportOf(t, s, rows, Judge(s, GuideTargets()))); size > 200_000 {
		t.Errorf("%d bytes", size)
	}
}

func TestAReportBeforeAnyRunIsOneToo(t *testing.T) {
	if text := reportOf(t, NewRunner(t.Context(), quiet()).Snapshot(), nil, nil); !strings.Contains(text, "Ready for a run.") {
		t.Error(text)
	}
}
