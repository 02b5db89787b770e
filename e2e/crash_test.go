package e2e

import (
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kill starts a command, kills it after a while and returns whether it was
// still running.
func kill(t *testing.T, url string, signal syscall.Signal, after time.Duration, args ...string) (r result, killed bool) {
	t.Helper()
	cmd, stdout, stderr := command(url, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	_ = cmd.Process.Signal(signal) // it may have ended
	err := cmd.Wait()
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), 0}, err != nil
}

func kills(full int) int {
	if testing.Short() {
		return 3
	}
	return full
}

// Whenever a load is killed, the rollups equal the claims, and the same command
// again ends with every claim there once.
func TestKilledLoadLosesAndDoublesNothing(t *testing.T) {
	const rows = 60_000
	file := generatedCSV(t, rows, "7")
	loads := map[string][]string{
		"ingest":   {"ingest", "--customer", "1", file},
		"generate": {"generate-synthetic-data", "--customer", "1", "--records", strconv.Itoa(rows), "--as-of", "2026-06-30"},
	}
	for _, engine := range engines {
		for name, args := range loads {
			t.Run(engine.name+"/"+name, func(t *testing.T) {
				whole := timed(t, engine.url(t), args)
				random := rand.New(rand.NewPCG(1, uint64(len(name))))
				interrupted := 0
				for range kills(12) {
					url := engine.url(t)
					must(t, url, "customer", "create", "A")
					for range 2 { // killed, and killed again while it goes on
						if _, killed := kill(t, url, syscall.SIGKILL, time.Duration(random.Float64()*float64(whole)), args...); killed {
							interrupted++
						}
						if n := claims(t, url); n > rows {
							t.Fatalf("%d claims after a kill", n)
						}
					}
					must(t, url, args...)
					if n := claims(t, url); n != rows {
						t.Fatalf("%d claims at the end, want %d", n, rows)
					}
				}
				if interrupted == 0 {
					t.Error("no kill came in time: nothing was tested")
				}
			})
		}
	}
}

func TestKilledMigrationIsMadeWhole(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(2, 2))
			for range kills(15) {
				url := engine.url(t)
				kill(t, url, syscall.SIGKILL, time.Duration(random.IntN(40))*time.Millisecond, "migrate")
				if out := must(t, url, "migrate"); !strings.Contains(out, "schema version") {
					t.Fatalf("migrate says %q", out)
				}
				must(t, url, "customer", "create", "A")
			}
		})
	}
}

func TestInterruptKeepsWholeBatchesAndTheRerunGoesOn(t *testing.T) {
	url := engines[0].url(t)
	must(t, url, "customer", "create", "A")
	args := []string{"generate-synthetic-data", "--customer", "1", "--records", "400000", "--batch-size", "1500", "--as-of", "2026-06-30"}
	r, _ := kill(t, url, syscall.SIGINT, 700*time.Millisecond, args...)
	if r.code != 130 {
		t.Fatalf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	said := regexp.MustCompile(`stopped: ([0-9,]+) of 400,000 claims`).FindStringSubmatch(r.stderr)
	if said == nil {
		t.Fatalf("no word of what is kept: %q", r.stderr)
	}
	kept, err := strconv.ParseInt(strings.ReplaceAll(said[1], ",", ""), 10, 64)
	if err != nil || kept%1500 != 0 || kept != claims(t, url) {
		t.Errorf("said %d are kept, %d are there", kept, claims(t, url))
	}
	must(t, url, args...)
	if n := claims(t, url); n != 400_000 {
		t.Errorf("%d claims after the rerun", n)
	}
}

func TestTwoProcessesShareOneFile(t *testing.T) {
	const rows = 30_000
	one, two := generatedCSV(t, rows, "1"), generatedCSV(t, rows, "2")
	tests := map[string]struct {
		files []string
		want  int64
	}{
		"different files": {[]string{one, two}, 2 * rows},
		"the same file":   {[]string{one, one}, rows},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			url := engines[0].url(t)
			must(t, url, "customer", "create", "A")
			ended := make(chan result)
			for _, file := range test.files {
				go func() { ended <- do(t, url, "ingest", "--customer", "1", file) }()
			}
			for range test.files {
				r := <-ended
				// Of two that load the same bytes at once one may be told to wait.
				conflict := name == "the same file" && strings.Contains(r.stderr, "another process is loading the same file")
				if r.code != 0 && !conflict {
					t.Errorf("exit %d: %s", r.code, r.stderr)
				}
			}
			if n := claims(t, url); n != test.want {
				t.Errorf("%d claims, want %d", n, test.want)
			}
		})
	}
}
