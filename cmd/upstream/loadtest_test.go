package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"upstream/internal/load"
	"upstream/internal/pgtest"
)

// target is a server under load that counts what it is asked.
type target struct {
	*httptest.Server
	served atomic.Int64
}

// serving answers as a handler does; nil signs everybody in and has an empty object.
func serving(t *testing.T, handler http.HandlerFunc) *target {
	if handler == nil {
		handler = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"access":"token"}`) }
	}
	s := &target{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.served.Add(1)
		handler(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// loadtest runs the command headless against a target. However slow this machine is, it
// may be; the test of that has a limit of its own.
func (s *target) loadtest(w *world, args ...string) result {
	return w.runWith(context.Background(), nil, append([]string{"loadtest", "--headless", "--host", s.URL, "--max-slip", "10m"}, args...)...)
}

func TestALoadTestCountsTheSameInEveryPlace(t *testing.T) {
	w, s := inSQLite(t), serving(t, nil)
	prefix, report := filepath.Join(w.dir, "out"), filepath.Join(w.dir, "result.json")
	r := s.loadtest(w, "--arrival-rate", "200", "-t", "3s", "--csv", prefix, "--json", report, "--html", prefix+".html", "--junit", prefix+".xml", "--summary", prefix+".md")
	if r.code != exitOK && r.code != load.ExitTargets { // the guide's, on a slow machine
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	served := float64(s.served.Load())
	total := has(t, "the result", parse(t, w.read(report)), "total", "endpoints", "seed", "started", "ended", "steady_from", "slip_ms_p99", "generator_cpu")["total"]
	if n := has(t, "total", total, "requests", "failures", "response_ms", "service_ms")["requests"]; n != served || served != 700 { // 600 arrivals, 100 sign-ins
		t.Errorf("the server has %v, the result %v, want 700", served, n)
	}
	for name, column := range map[string]string{"_stats.csv": "Request Count", "_stats_history.csv": "Total Request Count"} {
		if n := lastCell(t, prefix+name, column); n != served {
			t.Errorf("the server has %v, the last row of %s %v", served, name, n)
		}
	}
	if rows := readCSV(t, prefix+"_failures.csv"); len(rows) != 1 {
		t.Errorf("failures: %v", rows)
	}
	contains(t, r.stderr, "Aggregated", fmt.Sprint(served), "Targets", "From sending it, service times are")
	contains(t, w.read(prefix+".html"), "<!doctype html>", "/api/v1/dashboard/")
	contains(t, w.read(prefix+".xml"), "<testsuite")
	contains(t, w.read(prefix+".md"), "/api/v1/health/")
}

// lastCell is a number in the last row of a CSV file.
func lastCell(t testing.TB, path, column string) float64 {
	t.Helper()
	rows := readCSV(t, path)
	for i, name := range rows[0] {
		if name == column {
			n, err := strconv.ParseFloat(rows[len(rows)-1][i], 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("%s has no column %q: %v", path, column, rows[0])
	return 0
}

func TestTheExitCodeTellsWhatCameOfALoadTest(t *testing.T) {
	failing := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/health/") {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, `{"access":"token"}`)
	}
	slow := func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(60 * time.Millisecond)
		_, _ = io.WriteString(w, `{"access":"token"}`)
	}
	w := inSQLite(t)
	health := `"name":"/api/v1/health/","method":"GET"`
	lenient := []string{"--targets", w.file("lenient.json", `[{`+health+`,"max_p50_ms":600000}]`)} // the guide's would depend on this machine
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		args    []string
		code    int
		says    []string
	}{
		{"nothing to complain of", nil, lenient, exitOK, nil},
		{"requests that failed", failing, nil, exitFailed, []string{"status 500"}},
		{"requests that failed, by a code of the user's", failing, []string{"--exit-code-on-error", "7"}, 7, []string{"status 500"}},
		{"requests that failed, let pass", failing, append([]string{"--exit-code-on-error", "0"}, lenient...), exitOK, []string{"status 500"}},
		{"a target that is missed", slow, nil, load.ExitTargets, []string{"missed"}},
		{"a target of a file", nil, []string{"--targets", w.file("met.json", `[{`+health+`,"max_p50_ms":60000,"min_rps":1,"max_failure_share":0}]`)}, exitOK, []string{"met"}},
		{"a target of a file that is missed", failing, []string{"--exit-code-on-error", "0", "--targets", w.file("missed.json", `[{`+health+`,"max_failure_share":0.1}]`)}, load.ExitTargets, []string{"missed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := serving(t, test.handler).loadtest(w, append([]string{"-T", "health", "-u", "10", "--arrival-rate", "100", "-t", "4s", "--only-summary"}, test.args...)...)
			if r.code != test.code {
				t.Errorf("exit code %d, want %d\n%s", r.code, test.code, r.stderr)
			}
			contains(t, r.stderr, test.says...)
		})
	}
}

func TestAGeneratorThatIsTooSlowSaysSo(t *testing.T) {
	r := serving(t, nil).loadtest(inSQLite(t), "-T", "health", "-u", "20", "--arrival-rate", "300", "-t", "4s", "--only-summary", "--max-slip", "1us")
	if r.code != load.ExitGenerator {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	contains(t, r.stderr, "The generator was the limit", "late (at most 0.00")
}

func TestLoadTestsThatCantBeAreRefused(t *testing.T) {
	w := inSQLite(t)
	unknown := w.file("unknown.json", `[{"name":"/api/v1/helth/","method":"GET","min_rps":1}]`)
	broken := w.file("broken.json", `{"endpoints":`)
	for _, test := range []struct {
		args []string
		says []string
	}{
		{[]string{"Nobody"}, []string{`no user class "Nobody"`, "PayrixaAPIUser, AdminUser, UnauthenticatedUser"}},
		{[]string{"-u", "0"}, []string{"0 users"}},
		{[]string{"--users=-1"}, []string{"-1 users"}},
		{[]string{"-u", "1000000"}, []string{"1000000 users", "workers"}},
		{[]string{"-r", "0"}, []string{"spawn rate of 0"}},
		{[]string{"-t", "3x"}, []string{"3x", "1h20m"}},
		{[]string{"-H", "localhost"}, []string{"http://localhost:8000"}},
		{[]string{"--arrival-rate", "fast"}, []string{"fast", "poisson 500"}},
		{[]string{"-T", "nothing"}, []string{"--list"}},
		{[]string{"--targets", unknown}, []string{unknown, "/api/v1/helth/", "/api/v1/health/"}},
		{[]string{"--targets", broken}, []string{broken}},
		{[]string{"--targets", "none.json"}, []string{"none.json", "no such file"}},
		{[]string{"--baseline", broken}, []string{broken}},
		{[]string{"--csv", filepath.Join(w.dir, "none", "x")}, []string{"can't be written", "no such file"}},
		{[]string{"--html", filepath.Join(w.dir, "none", "x.html")}, []string{"can't write", "no such file"}},
		{[]string{"-L", "loud"}, []string{"loud", "critical"}},
		{[]string{"--engine", "steam"}, []string{"steam"}},
		{[]string{"--autoquit", "x"}, []string{"autoquit"}},
	} {
		r := w.runWith(context.Background(), nil, append([]string{"loadtest", "--headless", "--host", "http://127.0.0.1:1", "-t", "1s"}, test.args...)...)
		if r.code != exitUsage && r.code != exitFailed || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%q: exit code %d\n%s", test.args, r.code, r.stderr)
		}
		contains(t, r.stderr, test.says...)
	}
}

func TestOptionsAreVariablesOfLocustAndOfOurOwn(t *testing.T) {
	w, s := inSQLite(t), serving(t, nil)
	ctx := context.Background()
	r := w.runWith(ctx, []string{"LOCUST_HOST=" + s.URL, "LOCUST_HEADLESS=true", "LOCUST_USERS=3", "LOCUST_SPAWN_RATE=100", "LOCUST_RUN_TIME=1", "LOCUST_TAGS=health dashboard", "LOCUST_EXIT_CODE_ON_ERROR=5"}, "loadtest", "--no-wait")
	if r.code != exitOK && r.code != load.ExitGenerator {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	contains(t, r.stderr, "users=3", "/api/v1/health/", "/api/v1/dashboard/")
	if strings.Contains(r.stderr, "/api/v1/claims/") {
		t.Errorf("tags were not heard:\n%s", r.stderr)
	}
	logged := filepath.Join(w.dir, "log")
	if r = w.runWith(ctx, []string{"LOCUST_LOGFILE=" + logged, "LOCUST_HOST=" + s.URL}, "loadtest", "--headless", "-t", "1", "-T", "health"); strings.Contains(r.stderr, "level=INFO") {
		t.Errorf("the log is not in its file:\n%s", r.stderr)
	}
	contains(t, w.read(logged), "all users spawned")
	r = w.runWith(ctx, []string{"UPSTREAM_LOADTEST_HOST=" + s.URL, "UPSTREAM_LOADTEST_PASSWORD_FILE=" + w.file("password", "secret\n"), "LOCUST_HOST=http://127.0.0.1:1"}, "loadtest", "--headless", "-t", "1")
	if r.code != exitOK { // ours comes first
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	if r = w.runWith(ctx, []string{"UPSTREAM_LOADTEST_HOTS=x"}, "loadtest", "--list"); r.code != exitUsage {
		t.Errorf("a misspelt variable is let pass: %s", r.stderr)
	}
}

func TestASignInThatIsRefusedEndsALoadTestWithItsReason(t *testing.T) {
	s := serving(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	r := s.loadtest(inSQLite(t), "-u", "20", "-r", "100", "-t", "1m")
	if r.code != exitFailed || s.served.Load() > 20 {
		t.Errorf("exit code %d after %d requests\n%s", r.code, s.served.Load(), r.stderr)
	}
	contains(t, r.stderr, `can't sign in`, "--username", "status 401")
	if strings.Contains(r.stderr, "testpass123") {
		t.Error("the password is told")
	}
}

func TestALoadTestThatIsStoppedWritesTheFinalState(t *testing.T) {
	w, s := inSQLite(t), serving(t, nil)
	prefix := filepath.Join(w.dir, "out")
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		for s.served.Load() < 50 {
			time.Sleep(time.Millisecond)
		}
		stop()
	}()
	r := w.runWith(ctx, nil, "loadtest", "--headless", "--host", s.URL, "--no-wait", "-u", "4", "-r", "100", "--csv", prefix, "--json", prefix+".json")
	if r.code != exitOK && r.code != load.ExitGenerator { // it shares its processors with the server
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	served := float64(s.served.Load())
	if n := lastCell(t, prefix+"_stats.csv", "Request Count"); n != served {
		t.Errorf("the server has %v, the file %v", served, n)
	}
	if n := lastCell(t, prefix+"_stats_history.csv", "Total Request Count"); n != served {
		t.Errorf("the server has %v, the history %v", served, n)
	}
	if n := parse(t, w.read(prefix+".json"))["total"].(parsed)["requests"]; n != served {
		t.Errorf("the server has %v, the result %v", served, n)
	}
}

func TestATargetThatIsMissedForGoodEndsARun(t *testing.T) {
	s := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/health/") {
			time.Sleep(100 * time.Millisecond)
		}
		_, _ = io.WriteString(w, `{"access":"token"}`)
	})
	r := s.loadtest(inSQLite(t), "-T", "health", "-u", "20", "--arrival-rate", "50", "-t", "10m", "--abort-on-fail", "--only-summary")
	if r.code != load.ExitTargets {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	contains(t, r.stderr, "stopping: a target is missed")
}

func TestABaselineIsHeldAgainst(t *testing.T) {
	w := inSQLite(t)
	var pause atomic.Int64
	s := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(time.Duration(pause.Load()))
		_, _ = io.WriteString(w, `{"access":"token"}`)
	})
	before := filepath.Join(w.dir, "before.json")
	args := []string{"-T", "claims", "-u", "30", "--arrival-rate", "100", "-t", "4s", "--only-summary"}
	pause.Store(int64(10 * time.Millisecond))
	if r := s.loadtest(w, append(args, "--json", before)...); r.code != exitOK {
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	pause.Store(int64(200 * time.Millisecond)) // well within the guide's second
	if r := s.loadtest(w, append(args, "--baseline", before)...); r.code != load.ExitTargets {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
}

func TestTheListAndTheRatioOfTasks(t *testing.T) {
	w := inSQLite(t)
	contains(t, w.must("loadtest", "--list"), "PayrixaAPIUser", "AdminUser", "UnauthenticatedUser", "health", "dashboard")
	contains(t, w.must("loadtest", "--show-task-ratio", "PayrixaAPIUser", "AdminUser"), "75.0   ", "25.0   ", "30.0   ", "22.5   ") // by weight, 3 and 1
}

func TestThePageIsServedUntilItsRunIsOver(t *testing.T) {
	w, s := inSQLite(t), serving(t, nil)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	args := []string{"loadtest", "--host", s.URL, "-P", port, "--autostart", "--autoquit", "1", "-t", "3s", "-u", "2", "-r", "10"}
	if r := w.runWith(context.Background(), nil, args...); r.code != exitFailed || !strings.Contains(r.stderr, "--web-port") {
		t.Errorf("a port that is taken: exit code %d\n%s", r.code, r.stderr)
	}
	_ = taken.Close()
	ended := make(chan result)
	go func() { ended <- w.runWith(context.Background(), nil, args...) }()
	seen := ""
	for seen == "" {
		if answer, err := http.Get("http://127.0.0.1:" + port + "/stats/requests"); err == nil {
			b, _ := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if text := string(b); strings.Contains(text, `"running"`) {
				seen = text
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	contains(t, seen, `"user_count":2`, `"total_rps"`)
	if r := <-ended; r.code != exitOK {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
}

func TestARunThatIsStoppedFromThePageIsInTheFilesWhileThePageGoesOn(t *testing.T) {
	w, s := inSQLite(t), serving(t, nil)
	port, prefix := pgtest.FreePort(t), filepath.Join(w.dir, "out")
	ctx, quit := context.WithCancel(context.Background())
	ended := make(chan result)
	go func() {
		ended <- w.runWith(ctx, nil, "loadtest", "--host", s.URL, "-P", port, "--autostart", "--no-wait", "-T", "health", "--csv", prefix)
	}()
	for s.served.Load() < 50 {
		time.Sleep(time.Millisecond)
	}
	answer, err := http.Get("http://127.0.0.1:" + port + "/stop")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	for served := float64(s.served.Load()); lastCell(t, prefix+"_stats.csv", "Request Count") != served; {
		time.Sleep(10 * time.Millisecond) // for ever where the final state is not written
	}
	quit()
	<-ended
}

func TestNothingBeginsWhereThePageCantBeServed(t *testing.T) {
	w, s := inSQLite(t), serving(t, nil)
	_, taken, _ := net.SplitHostPort(s.Listener.Addr().String())
	before := w.file("out_stats_history.csv", "an earlier run")
	for _, args := range [][]string{{"-P", taken}, {"-P", pgtest.FreePort(t), "--web-auth", "no-password"}} {
		r := w.runWith(context.Background(), nil, append([]string{"loadtest", "--host", s.URL, "--autostart", "--csv", filepath.Join(w.dir, "out")}, args...)...)
		if r.code != exitFailed || s.served.Load() > 0 || w.read(before) != "an earlier run" || strings.Contains(r.stderr, "starting") {
			t.Errorf("%v: exit code %d, %d requests\n%s", args, r.code, s.served.Load(), r.stderr)
		}
	}
}

func TestTimesAreGivenAsLocustTakesThem(t *testing.T) {
	w, s := inSQLite(t), serving(t, nil)
	r := s.loadtest(w, "-T", "health", "-t", "1", "-s", "0", "--timeout", "20")
	if r.code != exitOK {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	for _, args := range [][]string{{"--timeout", "0"}, {"-s", "soon"}, {"--max-slip=-1ms"}} {
		if r := s.loadtest(w, args...); r.code != exitUsage {
			t.Errorf("%v: exit code %d\n%s", args, r.code, r.stderr)
		}
	}
}
