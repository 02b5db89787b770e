package e2e

import (
	"context"
	"encoding/csv"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"upstream"
	"upstream/internal/auth"
	"upstream/internal/store"
)

// locustProgram finds stock Locust: that of scripts/install-test-tools.sh.
func locustProgram(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("locust")
	if err != nil {
		if os.Getenv("UPSTREAM_TEST_NO_SKIP") == "1" {
			t.Fatal("locust is needed: scripts/install-test-tools.sh installs it")
		}
		t.Skip("LOCUST IS NOT TESTED: scripts/install-test-tools.sh installs it")
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

// Stock Locust with the guide's users finds nothing to complain about.
func TestLocustsUsersAreServed(t *testing.T) {
	locust := locustProgram(t)
	url := guideWorld(t)
	address := serve(t, url)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hurried.py"), []byte(hurried), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Abs("../loadtest")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(locust, "-f", "hurried.py", "--host", "http://"+address, "--headless",
		"-u", "20", "-r", "20", "-t", "20s", "--stop-timeout", "10", "--only-summary", "--csv", "run")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PYTHONPATH="+files, "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("locust: %v\n%s", err, out)
	}
	requests := locustRequests(t, filepath.Join(dir, "run_stats.csv"))
	for _, name := range []string{
		"auth/token/", "health/", "dashboard/", "drift-events/", "drift-events/ [filtered]", "drift-events/active/",
		"claims/payer_summary/", "claims/", "claims/ [payer]", "claims/ [dates]", "claims/ [search]", "denial-rate-trend/",
		"customers/", "report-runs/", "reports/", "reports/trigger/", "dashboard/ [signed out]", "drift-events/ [signed out]",
	} {
		if requests["/api/v1/"+name] == 0 {
			t.Errorf("nobody asked for %s", name)
		}
	}
	if t.Failed() {
		t.Logf("%v\n%s", requests, out)
	}
}

// guideWorld is a database with a year of claims, their events, and the accounts of
// the guide.
func guideWorld(t *testing.T) (url string) {
	t.Helper()
	url = "sqlite:" + filepath.Join(t.TempDir(), "guide.db")
	must(t, url, "customer", "create", "Practice")
	must(t, url, "generate-synthetic-data", "--records", "20000", "--customer", "1")
	must(t, url, "detect-drift", "--customer", "1")
	ctx := context.Background()
	s, err := store.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, u := range []struct {
		upstream.User
		password string
	}{
		{upstream.User{Username: "testuser", Customer: 1, Role: upstream.Analyst}, "testpass123"},
		{upstream.User{Username: "admin", Customer: 1, Role: upstream.Owner, Superuser: true}, "admin123"},
	} {
		hash, err := auth.NewHasher().Hash(ctx, u.password)
		if err == nil {
			_, err = s.CreateUser(ctx, u.User, hash, time.Now())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return url
}

// serve runs the server until the test ends, and waits until it answers.
func serve(t *testing.T, url string, args ...string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	_ = l.Close()
	cmd, _, stderr := command(url, append([]string{"serve", "--listen", address, "--admin", "off", "--rate-limit", "off", "--drain", "0s"}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Errorf("serve: %v\n%s", err, stderr)
		}
	})
	for {
		answer, err := http.Get("http://" + address + "/api/v1/health/")
		if err == nil {
			_ = answer.Body.Close()
			return address
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatal("serve ended at once")
		case <-time.After(20 * time.Millisecond):
		}
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
