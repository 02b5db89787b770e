package e2e

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
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

// kills is how often a test kills: few times with -short.
func kills(full int) int {
	if testing.Short() {
		return 2
	}
	return full
}

// Whenever a load is killed, the rollups equal the claims, what was there stays,
// and the same command again ends with every claim there once. The loads have 20
// transactions, so that kills also meet the folding of rollups between them.
func TestKilledLoadLosesAndDoublesNothing(t *testing.T) {
	const rows, batch = 200_000, 10_000
	file := generatedCSV(t, rows, "7")
	fromFile, _ := claimsAfter(t, file, batch)
	loads := []struct {
		name    string
		args    []string
		batches []int64 // the claims after each batch
	}{
		{"ingest", []string{"ingest", "--customer", "1", file}, fromFile},
		{"generate", []string{"generate-synthetic-data", "--customer", "1", "--records", strconv.Itoa(rows), "--as-of", "2026-06-30"}, everyBatch(rows, batch)},
	}
	rounds := map[string]int{"sqlite": 8, "postgres": 3} // of two kills each
	for _, engine := range engines {
		for i, load := range loads {
			t.Run(engine.Name+"/"+load.name, func(t *testing.T) {
				whole := timed(t, engine.URL(t), load.args)
				random := rand.New(rand.NewPCG(1, uint64(i)))
				interrupted, amid := 0, 0
				for range kills(rounds[engine.Name]) {
					url := engine.URL(t)
					must(t, url, "customer", "create", "A")
					kept := int64(0)
					for range 2 { // killed, and killed again while it goes on
						if _, killed := kill(t, url, syscall.SIGKILL, time.Duration(random.Float64()*float64(whole)), load.args...); killed {
							interrupted++
						}
						n := claims(t, url)
						if n < kept || n != 0 && !slices.Contains(load.batches, n) {
							t.Fatalf("%d claims after a kill, %d before it; want whole batches", n, kept)
						}
						if kept = n; 0 < n && n < rows {
							amid++
						}
					}
					must(t, url, load.args...)
					if n := claims(t, url); n != rows {
						t.Fatalf("%d claims at the end, want %d", n, rows)
					}
				}
				t.Logf("%d kills, %d of them left a part of the claims; the whole takes %v", interrupted, amid, whole.Round(time.Millisecond))
				if interrupted == 0 || amid == 0 {
					t.Error("no kill came in time: nothing was tested")
				}
			})
		}
	}
}

func TestKilledMigrationIsMadeWhole(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.Name, func(t *testing.T) {
			first := engine.URL(t)
			start := time.Now()
			must(t, first, "migrate")
			whole := time.Since(start)
			random := rand.New(rand.NewPCG(2, 2))
			interrupted := 0
			for range kills(25) {
				url := engine.URL(t)
				if _, killed := kill(t, url, syscall.SIGKILL, time.Duration(random.Float64()*float64(whole)), "migrate"); killed {
					interrupted++
				}
				if out := must(t, url, "migrate"); !strings.Contains(out, "schema version") {
					t.Fatalf("migrate says %q", out)
				}
				must(t, url, "customer", "create", "A")
				must(t, url, "rollup", "verify")
			}
			t.Logf("%d kills; the whole takes %v", interrupted, whole.Round(time.Millisecond))
			if interrupted == 0 {
				t.Error("no kill came in time: nothing was tested")
			}
		})
	}
}

func TestInterruptKeepsWholeBatchesAndTheRerunGoesOn(t *testing.T) {
	url := engines[0].URL(t)
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

func TestTwoProcessesLoadAtOnce(t *testing.T) {
	const rows = 30_000
	one, two := generatedCSV(t, rows, "1"), generatedCSV(t, rows, "2")
	tests := []struct {
		name  string
		files []string
		want  int64
	}{
		{"different files", []string{one, two}, 2 * rows},
		{"the same file", []string{one, one}, rows},
	}
	for _, engine := range engines {
		for _, test := range tests {
			t.Run(engine.Name+"/"+test.name, func(t *testing.T) {
				url := engine.URL(t)
				must(t, url, "customer", "create", "A")
				ended := make(chan result)
				for _, file := range test.files {
					go func() {
						cmd, stdout, stderr := command(url, "ingest", "--customer", "1", file)
						_ = cmd.Run() // the exit code tells
						ended <- result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), 0}
					}()
				}
				succeeded := 0
				for range test.files {
					r := <-ended
					// Of two that load the same bytes at once one may be told to wait.
					lines := strings.Split(r.stderr, "\n") // what it has loaded before is said first
					conflict := test.name == "the same file" && strings.HasPrefix(lines[max(len(lines)-2, 0)], "upstream: another process is loading the same file; wait until it has finished")
					if r.code == 0 {
						succeeded++
					} else if !conflict {
						t.Errorf("exit %d: %s", r.code, r.stderr)
					}
				}
				if n := claims(t, url); n != test.want || succeeded == 0 {
					t.Errorf("%d claims by %d processes, want %d", n, succeeded, test.want)
				}
				for _, file := range test.files { // nothing is left to do
					_, all := claimsAfter(t, file, rows)
					want := fmt.Sprintf(" %d,%03d read, 0 inserted, 0 updated, %[1]d,%03[2]d unchanged, 0 rejected (loaded before)", all/1000, all%1000)
					if out := must(t, url, "ingest", "--customer", "1", file); !strings.Contains(out, want) {
						t.Errorf("loaded again: %s want%s", out, want)
					}
				}
			})
		}
	}
}
