package e2e

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"upstream/internal/pgtest"
)

// locustProgram finds stock Locust: that of scripts/install-test-tools.sh.
func locustProgram(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("locust")
	if err != nil {
		pgtest.Missing(t, "stock Locust (scripts/install-test-tools.sh installs it)")
	}
	return path
}

// hurried asks as the users of loadtest/locustfile.py do, without their waits: in
// twenty seconds each task comes up hundreds of times.
const hurried = `
from locust import constant
from locustfile import AdminUser, PayrixaAPIUser, UnauthenticatedUser

AdminUser.wait_time = PayrixaAPIUser.wait_time = UnauthenticatedUser.wait_time = constant(0.1)
`

// answers is where the demo's banner tells that it answers.
var answers = regexp.MustCompile(`Upstream answers at (http://[^/]+)/api/v1/`)

// Stock Locust with the guide's users finds nothing to complain about.
func TestLocustsUsersAreServed(t *testing.T) {
	locust := locustProgram(t)
	dir := t.TempDir()
	demo := start(t, "sqlite:"+filepath.Join(dir, "demo.db"), "demo", "--records", "20000", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	address := demo.says(demo.out, answers)[1]
	if err := os.WriteFile(filepath.Join(dir, "hurried.py"), []byte(hurried), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Abs("../loadtest")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(locust, "-f", "hurried.py", "--host", address, "--headless",
		"-u", "20", "-r", "20", "-t", "20s", "--stop-timeout", "10", "--only-summary", "--csv", "run")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PYTHONPATH="+files, "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("locust: %v\n%s", err, out)
	}
	requests := locustRequests(t, filepath.Join(dir, "run_stats.csv"))
	for _, name := range []string{
		"auth/token/", "health/", "dashboard/", "drift-events/", "claims/payer_summary/", "claims/", "denial-rate-trend/",
		"customers/", "report-runs/", "dashboard/ [signed out]", "drift-events/ [signed out]",
	} {
		if requests["/api/v1/"+name] == 0 {
			t.Errorf("nobody asked for %s", name)
		}
	}
	if t.Failed() {
		t.Logf("%v\n%s", requests, out)
	}
}

// locustRequests reads how often each name was asked for.
func locustRequests(t *testing.T, path string) map[string]int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) == 0 {
		t.Fatalf("%s: %d rows, %v", path, len(rows), err)
	}
	name, count := slices.Index(rows[0], "Name"), slices.Index(rows[0], "Request Count")
	requests := map[string]int{}
	for _, row := range rows[1:] {
		n, err := strconv.Atoi(row[count])
		if err != nil {
			t.Fatal(fmt.Errorf("%q: %w", row, err))
		}
		requests[row[name]] += n
	}
	return requests
}
