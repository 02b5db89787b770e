package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBenchmarkJSONHasTheNamesOfTheContract(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.year(5_000)
		for _, from := range []string{"rollups", "claims"} {
			report := w.jsonOf("benchmark-drift", "--customer", "1", "--runs", "2", "--from", from, "--json", "-")
			has(t, "the report", report, "customer", "claims", "claims_in_windows", "from", "detector", "runs",
				"median_runtime_ms", "min_runtime_ms", "max_runtime_ms", "verdict", "target")
			if report["customer"] != 1.0 || report["claims"] != 5_000.0 || report["from"] != from || report["detector"] != "upstream" {
				t.Errorf("report %v", report)
			}
			if in, _ := report["claims_in_windows"].(float64); in <= 0 || in > 5_000 {
				t.Errorf("%v claims in the windows", in)
			}
			runs, _ := report["runs"].([]any)
			if len(runs) != 2 {
				t.Fatalf("%d runs", len(runs))
			}
			for _, r := range runs {
				figures := has(t, "a run", r, "runtime_ms", "peak_heap_bytes", "peak_rss_bytes", "events", "claims_per_second", "window_claims_per_second")
				if ms, _ := figures["runtime_ms"].(float64); ms <= 0 {
					t.Errorf("runtime %v ms", ms)
				}
			}
			low, middle, high := report["min_runtime_ms"].(float64), report["median_runtime_ms"].(float64), report["max_runtime_ms"].(float64)
			if low > middle || middle > high {
				t.Errorf("min %v, median %v, max %v", low, middle, high)
			}
		}
	})
}

func TestBenchmarkPrintsFiguresTargetAndVerdict(t *testing.T) {
	w := inSQLite(t)
	w.year(20_000)
	text := w.must("benchmark-drift", "--customer", "1", "--runs", "2")
	contains(t, text, "20000 claims", "runtime ms", "peak heap MB", "peak process MB", "runtime min", "median", "target for 100K claims")
	verdict := false
	for _, word := range []string{"\nExcellent\n", "\nGood\n", "\nAcceptable\n", "\nNeeds optimization\n"} {
		verdict = verdict || strings.Contains(text, word)
	}
	if !verdict {
		t.Errorf("no verdict in:\n%s", text)
	}
	if lines := strings.Count(text, "\nBenchmarkDrift/"); lines != 2 {
		t.Errorf("%d lines for benchstat, want one a run", lines)
	}
}

func TestBenchmarkStoresNoEvents(t *testing.T) {
	w := inSQLite(t)
	w.year(40_000)
	w.must("benchmark-drift", "--customer", "1", "--runs", "2")
	if run := w.jsonOf("detect-drift", "--customer", "1", "--json")["run"].(parsed); run["id"] != 1.0 {
		t.Errorf("the first detection is run %v: the benchmark has stored its own", run["id"])
	}
}

func TestBenchmarkFailsOnlyWhenSlowerThanItsBaselineAllows(t *testing.T) {
	w := inSQLite(t)
	w.year(5_000)
	path := filepath.Join(w.dir, "baseline.json")
	measure := func(more ...string) []string {
		return append([]string{"benchmark-drift", "--customer", "1", "--runs", "1"}, more...)
	}
	w.must(measure("--json", path)...)
	baseline := parse(t, w.read(path))
	// The same figures, made a thousand times slower or faster.
	scaled := func(name string, factor float64) string {
		changed := parsed{}
		for k, v := range baseline {
			changed[k] = v
		}
		changed["median_runtime_ms"] = baseline["median_runtime_ms"].(float64) * factor
		b, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		return w.file(name, string(b))
	}
	slow, fast := scaled("slow.json", 1000), scaled("fast.json", 1e-3)
	w.must(measure("--baseline", slow)...)
	r := w.run(measure("--baseline", fast)...)
	if r.code != exitFailed {
		t.Errorf("a regression exits with %d", r.code)
	}
	contains(t, w.line(r.stderr), "slower than the baseline", "10 % is allowed")
	contains(t, r.stdout, "runtime min") // the figures are told all the same
	w.fails(exitFailed, measure("--baseline", fast, "--max-regression", "200%")...)
	contains(t, w.fails(exitFailed, measure("--baseline", slow, "--detector", "threshold")...), "other work", "same data and options")
}

func TestBenchmarkThatCannotBeDoneSaysWhatToDo(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "Empty")
	w.must("customer", "create", "North")
	w.must("ingest", "--customer", "2", sample("pm-export.csv"))
	tests := []struct {
		name string
		args []string
		says []string
	}{
		{"no runs", []string{"--customer", "2", "--runs", "0"}, []string{"--runs must be 1 to 10,000"}},
		{"fewer than none", []string{"--customer", "2", "--runs=-3"}, []string{"--runs must be 1 to 10,000"}},
		{"no percent", []string{"--customer", "2", "--max-regression", "a little"}, []string{"written as 10%"}},
		{"a negative percent", []string{"--customer", "2", "--max-regression=-5%"}, []string{"written as 10%"}},
		{"no baseline", []string{"--customer", "2", "--baseline", filepath.Join(w.dir, "gone.json")}, []string{"can't read the baseline", "--json"}},
		{"another JSON file", []string{"--customer", "2", "--baseline", w.file("x.json", "{}")}, []string{"no benchmark report", "--json"}},
		{"no claims", []string{"--customer", "1"}, []string{"no claims yet", "upstream ingest"}},
		{"no customer", []string{"--customer", "3"}, []string{"there is no customer 3"}},
		{"unwritable JSON", []string{"--customer", "2", "--json", filepath.Join(w.dir, "no", "x")}, []string{"can't write"}},
		{"unwritable profile", []string{"--customer", "2", "--cpuprofile", filepath.Join(w.dir, "no", "x")}, []string{"can't write"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := w.run(append([]string{"benchmark-drift"}, test.args...)...)
			if r.code != exitFailed {
				t.Errorf("exit code %d", r.code)
			}
			contains(t, w.line(r.stderr), test.says...)
		})
	}
}

func TestProfilesAreWrittenBesideTheFigures(t *testing.T) {
	w := inSQLite(t)
	w.year(5_000)
	files := map[string]string{}
	args := []string{"benchmark-drift", "--customer", "1", "--runs", "1"}
	for _, option := range []string{"--cpuprofile", "--memprofile", "--trace"} {
		files[option] = filepath.Join(w.dir, option)
		args = append(args, option, files[option])
	}
	w.must(args...)
	for option, path := range files {
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", option, err)
		}
	}
}
