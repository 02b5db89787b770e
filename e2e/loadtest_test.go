package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"upstream/internal/pgtest"
)

// demo starts the demo with an admin port that tells how much it was asked.
func demo(t *testing.T) *process {
	t.Helper()
	admin := "127.0.0.1:" + pgtest.FreePort(t) // the demo's banner tells the other address only
	p := start(t, "sqlite:"+filepath.Join(t.TempDir(), "demo.db"), "demo", "--records", "20000", "--listen", "127.0.0.1:0", "--admin", admin)
	p.url, p.admin = p.says(p.out, answers)[1], "http://"+admin
	return p
}

// served is how many requests of the API a server has answered by its own count.
func (p *process) served() (n float64) {
	for name, v := range p.metrics() {
		if strings.HasPrefix(name, "upstream_http_request_duration_seconds_count") && strings.Contains(name, `"/api/`) {
			n += v
		}
	}
	return n
}

// loadtest runs the load tester headless, in a directory, to its end.
func (p *process) loadtest(dir string, args ...string) (code int, said string) {
	p.Helper()
	cmd := exec.Command(binary, append([]string{"loadtest", "--headless", "--host", p.url, "--max-slip", "10m"}, args...)...)
	cmd.Dir, cmd.Env = dir, []string{"HOME=/nonexistent"}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		p.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// The guide's users find nothing to complain about, and what the server counted is what
// the load tester tells, wherever it tells it.
func TestTheGuidesUsersAndTheServerCountTheSame(t *testing.T) {
	for _, engine := range []string{"std", "fast"} {
		t.Run(engine, func(t *testing.T) {
			p, dir := demo(t), t.TempDir()
			code, said := p.loadtest(dir, "PayrixaAPIUser", "AdminUser", "UnauthenticatedUser", "-u", "20", "-r", "20", "-t", "6s",
				"--engine", engine, "--csv", "run", "--json", "run.json", "--exit-code-on-error", "5", "--targets", allEndpoints(t, dir), "--arrival-rate", "100")
			if code != 0 {
				t.Errorf("exit code %d\n%s", code, said)
			}
			var result struct {
				Total struct {
					Requests, Failures float64
				} `json:"total"`
			}
			b, err := os.ReadFile(filepath.Join(dir, "run.json"))
			if err == nil {
				err = json.Unmarshal(b, &result)
			}
			if err != nil {
				t.Fatal(err)
			}
			names, sum := locustRequests(t, filepath.Join(dir, "run_stats.csv")), 0
			for name, n := range names {
				if name != "Aggregated" {
					sum += n
				}
			}
			served := p.served()
			if result.Total.Requests != served || float64(sum) != served || float64(names["Aggregated"]) != served || result.Total.Failures != 0 || served < 600 {
				t.Errorf("the server counted %v, the result %v with %v failed, the file %d in %d", served, result.Total.Requests, result.Total.Failures, names["Aggregated"], sum)
			}
		})
	}
}

// allEndpoints is a file of targets that want each of the guide's endpoints asked.
func allEndpoints(t *testing.T, dir string) string {
	t.Helper()
	var targets []map[string]any
	for _, name := range []string{
		"health/", "dashboard/", "drift-events/", "claims/payer_summary/", "denial-rate-trend/", "claims/",
		"customers/", "report-runs/", "dashboard/ [signed out]", "drift-events/ [signed out]",
	} {
		targets = append(targets, map[string]any{"method": "GET", "name": "/api/v1/" + name, "min_rps": .1, "max_failure_share": 0})
	}
	b, err := json.Marshal(targets)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "targets.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A worker of ours, under a real master whose users are those of loadtest/locustfile.py.
func TestOurWorkerUnderAStockMasterCountsWhatTheServerDoes(t *testing.T) {
	locust := locustProgram(t)
	p, dir := demo(t), t.TempDir()
	files, err := filepath.Abs("../loadtest")
	if err != nil {
		t.Fatal(err)
	}
	port := pgtest.FreePort(t)
	master := exec.Command(locust, "-f", filepath.Join(files, "locustfile.py"), "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port,
		"--host", p.url, "--headless", "--expect-workers", "1", "-u", "20", "-r", "20", "-t", "10s", "--csv", "run", "--only-summary")
	master.Dir, master.Env = dir, append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	master.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	master.Stdout, master.Stderr = &said, &said
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	worker := start(t, "", "loadtest", "--worker", "--master-port", port, "--engine", "fast")
	err = master.Wait()
	code := worker.exit()
	if err != nil || code != 0 {
		t.Fatalf("master: %v, worker: exit code %d\n%s", err, code, said.String())
	}
	served, names := p.served(), locustRequests(t, filepath.Join(dir, "run_stats.csv"))
	if float64(names["Aggregated"]) != served || served < 40 {
		t.Errorf("the server counted %v, the master %v\n%s", served, names, said.String())
	}
}

// Keys change the number of users, on a terminal that script(1) makes.
func TestKeysAddUsersAndTakeThemAway(t *testing.T) {
	script, err := exec.LookPath("script")
	if err != nil {
		pgtest.Missing(t, "script(1), of Debian's package bsdutils")
	}
	p := demo(t)
	cmd := exec.Command(script, "-qec", "exec "+binary+" loadtest --headless --host "+p.url+" -u 5 -r 100 -T health", "/dev/null")
	cmd.Env = []string{"HOME=/nonexistent", "TERM=dumb"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := &pgtest.Output{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	press := func(key, until string) {
		t.Helper()
		if _, err := io.WriteString(keys, key); err != nil {
			t.Fatal(err)
		}
		p.until(key+": "+until, func() bool { return regexp.MustCompile(until).MatchString(said.String()) })
	}
	press("", `all users spawned" users=5\b`)
	press("W", `all users spawned" users=15\b`)
	press("w", `all users spawned" users=16\b`)
	press("S", `all users spawned" users=6\b`)
	press("s", `all users spawned"( users=\d+\s[^$]*)+ users=5\b`)
	press("\x03", `Aggregated`) // Ctrl-C
	if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 98 {
		t.Errorf("%v\n%s", err, said)
	}
}
