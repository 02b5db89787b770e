package load

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// opened is a page that a test has open.
type opened struct {
	*testing.T
	runner *Runner
	page   *Page
	url    string
}

// open serves a page with classes A and B, whose users ask a server for /a and /b; every
// answer to /b is 500.
func open(t *testing.T, o PageOptions) *opened {
	t.Helper()
	host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/b" {
			http.Error(w, "no", http.StatusInternalServerError)
		}
	})
	asks := func(path string) []Task {
		return []Task{{Name: "first", Weight: 3, Run: func(u *User) { u.Get(path) }}, {Name: "second", Run: func(u *User) { u.Get(path) }}}
	}
	wait := Constant(2 * time.Millisecond)
	if o.Classes == nil {
		o.Classes = []*Class{{Name: "A", Tasks: asks("/a"), Wait: wait}, {Name: "B", Tasks: asks("/b"), Wait: wait}}
	}
	if o.Plan.Host == "" {
		o.Plan = quick(host, Fast, o.Classes)
	}
	runner := NewRunner(t.Context(), quiet())
	page, err := NewPage(runner, o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(page)
	t.Cleanup(func() {
		page.Close()
		server.Close()
		runner.Stop()
	})
	return &opened{t, runner, page, server.URL}
}

// reply is an answer without its body.
type reply struct {
	StatusCode int
	Header     http.Header
}

// ask sends a request and returns its answer and the body.
func (o *opened) ask(method, path string, form url.Values, header http.Header) (reply, string) {
	o.Helper()
	r, err := http.NewRequestWithContext(o.Context(), method, o.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		o.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	maps.Copy(r.Header, header)
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil {
		o.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		o.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header}, string(body)
}

// get returns the JSON at a path.
func (o *opened) get(path string) (into map[string]any) {
	o.Helper()
	answer, body := o.ask("GET", path, nil, nil)
	if err := json.Unmarshal([]byte(body), &into); err != nil || answer.Header.Get("Content-Type") != "application/json" {
		o.Fatalf("%s: %v\n%s", path, err, body)
	}
	return into
}

// swarm posts a form as a script does.
func (o *opened) swarm(form url.Values) (answer struct {
	Success bool
	Message string
	Host    string
	Classes []string `json:"user_classes"`
	RunTime float64  `json:"run_time"`
},
) {
	o.Helper()
	if _, body := o.ask("POST", "/swarm", form, nil); json.Unmarshal([]byte(body), &answer) != nil {
		o.Fatalf("/swarm answers %q", body)
	}
	return answer
}

func TestARunIsStartedEditedResetAndStoppedAsLocustsIs(t *testing.T) {
	o := open(t, PageOptions{})
	if state := o.get("/stats/requests")["state"]; state != "ready" {
		t.Errorf("state %v before a run", state)
	}
	started := o.swarm(url.Values{"user_count": {"3"}, "spawn_rate": {"100"}, "user_classes": {"A"}, "run_time": {"1h"}})
	if !started.Success || started.Message != "Swarming started" || started.Host != o.page.Plan.Host || started.RunTime != 3600 || !slices.Equal(started.Classes, []string{"A"}) {
		t.Errorf("%+v", started)
	}
	eventually(t, func() bool {
		s := o.get("/stats/requests")
		return s["state"] == "running" && s["user_count"] == 3.0
	})
	if edited := o.swarm(url.Values{"user_count": {"5"}, "spawn_rate": {"100"}, "host": {"http://elsewhere"}, "user_classes": {"B"}}); !edited.Success || edited.Host != o.page.Plan.Host {
		t.Errorf("%+v", edited)
	}
	eventually(t, func() bool { return o.get("/stats/requests")["user_count"] == 5.0 })
	if s := o.runner.Snapshot(); s.Users["A"] != 5 || s.Plan.RunTime != time.Hour {
		t.Errorf("%v, %v", s.Users, s.Plan.RunTime)
	}
	eventually(t, func() bool { return o.runner.Snapshot().Total.Requests > 0 })
	if s := o.get("/stop"); s["success"] != true || s["message"] != "Test stopped" {
		t.Errorf("stop says %v", s)
	}
	if s := o.get("/stats/requests"); s["state"] != "stopped" || s["user_count"] != 0.0 {
		t.Errorf("%v, %v users after the end", s["state"], s["user_count"])
	}
	if _, body := o.ask("GET", "/stats/reset", nil, nil); body != "ok" || o.runner.Snapshot().Total.Requests != 0 {
		t.Errorf("reset says %q, and %d requests are left", body, o.runner.Snapshot().Total.Requests)
	}
	if again := o.swarm(url.Values{}); !again.Success || o.runner.Snapshot().Plan.Users != 5 {
		t.Errorf("a form that says nothing is the last plan: %+v", again)
	}
}

func TestStatsHaveTheKeysOfLocustOldAndNew(t *testing.T) {
	o := open(t, PageOptions{})
	o.swarm(url.Values{"user_count": {"2"}})
	eventually(t, func() bool {
		return len(o.runner.Snapshot().Endpoints) == 2 && o.runner.Snapshot().Total.CurrentRPS > 0
	})
	o.runner.Stop()
	stats := o.get("/stats/requests")
	keys := func(of any) []string { return slices.Sorted(maps.Keys(of.(map[string]any))) }
	entries, failures := stats["stats"].([]any), stats["errors"].([]any)
	for _, c := range []struct {
		of   any
		want string
	}{
		{stats, "current_fail_per_sec current_response_time_percentile_50 current_response_time_percentile_95 current_response_time_percentiles current_rps errors fail_ratio state stats total_fail_per_sec total_rps user_count"},
		{entries[0], "avg_content_length avg_response_time current_fail_per_sec current_rps max_response_time median_response_time method min_response_time name ninetieth_response_time ninety_ninth_response_time num_failures num_requests response_time_percentile_0.95 response_time_percentile_0.99 safe_name total_fail_per_sec total_rps"},
		{failures[0], "error first_seen last_seen method name occurrences"},
	} {
		if diff := cmp.Diff(strings.Fields(c.want), keys(c.of)); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	}
	last := entries[len(entries)-1].(map[string]any)
	if s := o.runner.Snapshot(); last["name"] != Aggregated || last["num_requests"] != float64(s.Total.Requests) || stats["fail_ratio"].(float64) == 0 || stats["total_rps"].(float64) <= 0 {
		t.Errorf("%v", last)
	}
}

func TestTasksAreSharedByTheUsersThatThereAre(t *testing.T) {
	o := open(t, PageOptions{})
	o.swarm(url.Values{"user_count": {"4"}})
	eventually(t, func() bool { return o.runner.Snapshot().UserCount == 4 })
	tasks := func(share float64) map[string]any {
		return map[string]any{"first": map[string]any{"ratio": .75 * share}, "second": map[string]any{"ratio": .25 * share}}
	}
	both := func(share float64) map[string]any {
		class := map[string]any{"ratio": .5, "tasks": tasks(share)}
		return map[string]any{"A": class, "B": class}
	}
	if diff := cmp.Diff(map[string]any{"per_class": both(1), "total": both(.5)}, o.get("/tasks")); diff != "" {
		t.Error(diff)
	}
}

func TestTextsAreAsTheyAreInJSONAndEscapedInHTML(t *testing.T) {
	classes := doing(func(u *User) {
		u.Get("/<b>", Checked(func(Check) error { return io.ErrUnexpectedEOF }), Name("/<b>"))
		panic("<i>")
	})
	classes[0].Wait = Constant(time.Millisecond)
	o := open(t, PageOptions{Classes: classes})
	o.swarm(nil)
	eventually(t, func() bool { return len(o.runner.Snapshot().Exceptions) == 1 })
	e := o.get("/exceptions")["exceptions"].([]any)[0].(map[string]any)
	if e["msg"] != "<i>" || e["nodes"] != "local" || e["count"].(float64) < 1 || !strings.Contains(e["traceback"].(string), "goroutine") {
		t.Errorf("%v", e)
	}
	stats := o.get("/stats/requests")
	if name := stats["errors"].([]any)[0].(map[string]any)["name"]; name != "/<b>" {
		t.Errorf("an error's name is %v", name)
	}
	if entry := stats["stats"].([]any)[0].(map[string]any); entry["name"] != "/<b>" || entry["safe_name"] != "/&lt;b&gt;" {
		t.Errorf("%v", entry)
	}
	if _, body := o.ask("GET", "/", nil, nil); strings.Contains(body, "<i>") || strings.Contains(body, "/<b>") || !strings.Contains(body, "&lt;i&gt;") {
		t.Error("the page does not escape")
	}
}

func TestFilesAreDownloaded(t *testing.T) {
	o := open(t, PageOptions{})
	o.swarm(nil)
	eventually(t, func() bool { return o.runner.Snapshot().Rows > 0 })
	o.runner.Stop()
	for path, want := range map[string][2]string{
		"/stats/requests/csv":              {"requests_", "Type,Name,Request Count"},
		"/stats/failures/csv":              {"failures_", "Method,Name,Error,Occurrences"},
		"/stats/requests_full_history/csv": {"requests_full_history_", "Timestamp,User Count"},
		"/exceptions/csv":                  {"exceptions_", "Count,Message,Traceback,Nodes"},
		"/stats/report?download=1":         {"report_", "<!doctype html>"},
	} {
		answer, body := o.ask("GET", path, nil, nil)
		if name := answer.Header.Get("Content-Disposition"); !strings.HasPrefix(name, "attachment; filename="+want[0]) || !strings.HasPrefix(body, want[1]) {
			t.Errorf("%s: %q, %.60q", path, name, body)
		}
	}
	if answer, _ := o.ask("GET", "/stats/report", nil, nil); answer.Header.Get("Content-Disposition") != "" {
		t.Error("a report that is only shown is downloaded")
	}
}

func TestLogsAreThoseOfTheProgram(t *testing.T) {
	if logs := open(t, PageOptions{}).get("/logs"); len(logs["master"].([]any)) != 0 {
		t.Errorf("%v without a log", logs)
	}
	logs := open(t, PageOptions{Logs: func() []string { return []string{"a line"} }}).get("/logs")
	if diff := cmp.Diff(map[string]any{"master": []any{"a line"}, "workers": map[string]any{}}, logs); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	o := open(t, PageOptions{})
	for _, path := range []string{"/nothing", "/assets/nothing.js", "/assets/..%2fweb.go", "/assets/.gitkeep"} {
		if answer, _ := o.ask("GET", path, nil, nil); answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
	if answer, _ := o.ask("GET", "/swarm", nil, nil); answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET /swarm: %d", answer.StatusCode)
	}
	if answer, body := o.ask("GET", "/assets/page.css", nil, nil); answer.StatusCode != http.StatusOK || !strings.Contains(body, ":root") {
		t.Errorf("page.css: %d", answer.StatusCode)
	}
}

func TestMetricsTellTheRun(t *testing.T) {
	o := open(t, PageOptions{})
	_, before := o.ask("GET", "/metrics", nil, nil)
	o.swarm(url.Values{"user_count": {"2"}})
	eventually(t, func() bool { s := o.runner.Snapshot(); return len(s.Endpoints) == 2 && s.Slip.Count > 0 })
	o.runner.Stop()
	_, after := o.ask("GET", "/metrics", nil, nil)
	s := o.runner.Snapshot()
	for text, want := range map[string]string{
		before: `upstream_loadtest_state{state="ready"} 1`,
		after:  `upstream_loadtest_requests_total{method="GET",name="/a"} ` + integer(s.Endpoints[0].Requests) + "\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	for _, want := range []string{
		`failures_total{method="GET",name="/b"} ` + integer(s.Endpoints[1].Requests), `response_time_seconds{method="GET",name="/a",quantile="0.95"}`,
		`service_time_seconds_count{method="GET",name="/b"} ` + integer(s.Endpoints[1].Requests), `state{state="stopped"} 1`, `state{state="ready"} 0`,
		`slip_seconds{quantile="0.99"}`, "generator_cpu_ratio ", "users_wanted 2", "exceptions_total 0",
	} {
		if !strings.Contains(after, "upstream_loadtest_"+want) {
			t.Errorf("no %s in\n%s", want, after)
		}
	}
}
