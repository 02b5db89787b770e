package load

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pagesFile has users who fail in each way that a page tells of.
const pagesFile = `
from locust import HttpUser, constant, task

class A(HttpUser):
    wait_time = constant(0.05)

    @task
    def fails(self):
        self.client.get("/b")

    @task
    def breaks(self):
        raise ValueError("broken")
`

// paths lists the keys of an answer, as stats.0.name; names of classes and tasks, which
// are keys of /tasks, are stars.
func paths(v any, at string) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if slices.ContainsFunc([]string{"per_class", "total", "tasks"}, func(of string) bool { return strings.HasSuffix(at, "."+of) }) {
				key = "*"
			}
			all = append(all, paths(value, at+"."+key)...)
		}
	case []any:
		for _, value := range v {
			all = append(all, paths(value, at+".0")...)
		}
	case float64:
		all = append(all, at+" is a number")
	case string:
		all = append(all, at+" is a text")
	case bool, nil:
		all = append(all, at)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// answers asks for all that a page answers while a run goes on, and ends it.
func answers(t *testing.T, host, at string) (all []string) {
	t.Helper()
	ask := func(method, path string, form url.Values) (any, bool) {
		r, err := http.NewRequestWithContext(t.Context(), method, at+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return nil, false
		}
		defer answer.Body.Close()
		var v any
		if answer.StatusCode != http.StatusOK || json.NewDecoder(answer.Body).Decode(&v) != nil {
			return nil, false
		}
		return v, true
	}
	defer http.DefaultClient.CloseIdleConnections()
	eventually(t, func() bool { _, up := ask("GET", "/tasks", nil); return up })
	started, _ := ask("POST", "/swarm", url.Values{"user_count": {"2"}, "spawn_rate": {"10"}, "host": {host}, "run_time": {"1m"}})
	all = append(all, paths(started, "swarm")...)
	eventually(t, func() bool {
		stats, _ := ask("GET", "/stats/requests", nil)
		text := fmt.Sprint(stats)
		exceptions, _ := ask("GET", "/exceptions", nil)
		return strings.Contains(text, "running") && strings.Contains(text, "occurrences") && len(fmt.Sprint(exceptions)) > 50 && !strings.Contains(text, "current_rps:0 ")
	})
	for _, path := range []string{"/stats/requests", "/exceptions", "/tasks", "/logs"} {
		if v, known := ask("GET", path, nil); known {
			all = append(all, paths(v, path)...)
		}
	}
	stopped, known := ask("POST", "/stop", url.Values{})
	if !known { // an older one
		stopped, _ = ask("GET", "/stop", nil)
	}
	return append(all, paths(stopped, "stop")...)
}

// Whoever asks Locust's page finds here what it finds there.
func TestThePageAnswersEveryKeyOfRealLocusts(t *testing.T) {
	forEachMaster(t, func(t *testing.T, program string) {
		host := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusInternalServerError) })
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "locustfile.py"), []byte(pagesFile), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		_ = l.Close()
		_, port, _ := net.SplitHostPort(address)
		locust := exec.Command(program, "--web-host", "127.0.0.1", "--web-port", port, "--host", host)
		locust.Dir, locust.Env = dir, append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
		locust.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := locust.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = locust.Process.Kill()
			_ = locust.Wait()
		}()
		theirs := answers(t, host, "http://"+address)

		classes := []*Class{{Name: "A", Wait: Constant(50 * time.Millisecond), Tasks: []Task{
			{Name: "fails", Run: func(u *User) { u.Get("/b") }}, {Name: "breaks", Run: func(*User) { panic("broken") }},
		}}}
		o := open(t, PageOptions{Classes: classes, Logs: func() []string { return []string{"a line"} }})
		ours := answers(t, host, o.url)
		for _, path := range theirs {
			if !slices.Contains(ours, path) {
				t.Errorf("Locust answers %s", path)
			}
		}
		if len(theirs) < 30 {
			t.Errorf("too few keys: %q", theirs)
		}
		if t.Failed() {
			t.Logf("ours: %s", strings.Join(ours, "\n"))
		}
	})
}
