// Package e2e tests the built binary from outside, on real databases.
package e2e

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"upstream/internal/pgtest"
)

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "upstream-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "upstream")
	build := exec.Command("go", "build", "-o", binary, "upstream/cmd/upstream")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		os.Exit(1)
	}
	code := pgtest.Main(m)
	os.RemoveAll(dir)
	os.Exit(code)
}

var engines = pgtest.Engines

type result struct {
	code           int
	stdout, stderr string
	peakBytes      int64
}

// command prepares the binary with a database and nothing else of the environment.
func command(url string, args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	cmd := exec.Command(binary, args...)
	cmd.Env = []string{"UPSTREAM_DATABASE=" + url, "HOME=/nonexistent"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	return cmd, &stdout, &stderr
}

// do runs the binary to its end.
func do(t testing.TB, url string, args ...string) result {
	t.Helper()
	cmd, stdout, stderr := command(url, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended, peak := make(chan struct{}), make(chan int64)
	go func() { peak <- peakOf(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	close(ended)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), <-peak}
}

// peakOf follows the peak memory of a process until it has ended. Its rusage
// won't do: the kernel begins there with the memory of the parent, these tests.
func peakOf(pid int, ended <-chan struct{}) (bytes int64) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // gone when it has just ended
		if found := highWater.FindSubmatch(status); found != nil {
			kilobytes, _ := strconv.ParseInt(string(found[1]), 10, 64)
			bytes = max(bytes, kilobytes*1024)
		}
		select {
		case <-ended:
			return bytes
		case <-tick.C:
		}
	}
}

var highWater = regexp.MustCompile(`VmHWM:\s*([0-9]+) kB`)

// must runs the binary, which has to succeed.
func must(t testing.TB, url string, args ...string) string {
	t.Helper()
	r := do(t, url, args...)
	if r.code != 0 {
		t.Fatalf("upstream %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// claims returns the number of claims that rollup verify has counted and found
// equal to the rollups.
func claims(t testing.TB, url string) int64 {
	t.Helper()
	out := must(t, url, "rollup", "verify", "--customer", "1")
	found := regexp.MustCompile(`customer 1: ([0-9,]+) claims, .* all equal`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("rollup verify says %q", out)
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(found[1], ",", ""), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// generatedCSV writes a file of synthetic claims.
func generatedCSV(t testing.TB, rows int, seed string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "claims-"+seed+".csv")
	must(t, "sqlite:unused.db", "generate-synthetic-data", "--records", strconv.Itoa(rows), "--seed", seed, "--as-of", "2026-06-30", "--format", "csv", "--output", path)
	return path
}

// claimsAfter counts the claims in the first rows of a CSV file, after each batch of
// rows and after the last row: a claim has a row for each of its states.
func claimsAfter(t testing.TB, path string, batch int) (counts []int64, rows int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	header, err := r.Read()
	id := slices.Index(header, "claim_id")
	if err != nil || id < 0 {
		t.Fatalf("%v: no claim_id in %q", err, header)
	}
	seen := map[string]bool{}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return append(counts, int64(len(seen))), rows
		}
		if err != nil {
			t.Fatal(err)
		}
		seen[row[id]] = true
		if rows++; rows%batch == 0 {
			counts = append(counts, int64(len(seen)))
		}
	}
}

// everyBatch are the counts of claims after each batch of generated claims.
func everyBatch(claims, batch int) (counts []int64) {
	for n := batch; n <= claims; n += batch {
		counts = append(counts, int64(n))
	}
	return counts
}

// timed runs a command on a fresh database to learn how long it takes.
func timed(t testing.TB, url string, args []string) time.Duration {
	t.Helper()
	must(t, url, "customer", "create", "A")
	start := time.Now()
	must(t, url, args...)
	return time.Since(start)
}
