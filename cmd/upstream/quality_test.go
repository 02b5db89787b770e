package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestQualityNeedsNoCustomerAndPrintsTheTable(t *testing.T) {
	if testing.Short() {
		t.Skip("simulates a year of several customers")
	}
	w := inSQLite(t)
	truth, events, figures := filepath.Join(w.dir, "truth"), filepath.Join(w.dir, "events"), filepath.Join(w.dir, "figures.json")
	// Three customers are few: their figures may be out of the quick run's bounds.
	r := w.run("benchmark-drift", "--quality", "--quick", "--customers", "3", "--seed", "5", "--truth", truth, "--events", events, "--json", figures)
	if broken := strings.Contains(r.stdout, "out of bounds: "); (r.code == exitFailed) != broken || r.code > exitFailed {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	contains(t, r.stdout, "3 customers with changes", "seed 5", "usual rule", "target", "net recall", "right level",
		"D1 step +10", "N4 late files", "false alarms per 100 node-months", "chi-square+BH")
	contains(t, w.read(truth), `"customer":1,"placebo_customer":4,"scenario":"D1 step +3"`)
	contains(t, w.read(events), `"detector":"upstream","as_of":"20`)
	report := has(t, "the report", parse(t, w.read(figures)), "seed", "customers", "detectors", "false_alarms_per_100_node_months")
	if report["seed"] != 5.0 || report["customers"] != 3.0 {
		t.Errorf("seed %v, %v customers", report["seed"], report["customers"])
	}
	has(t, "the detectors", report["detectors"], "threshold", "chi-square", "chi-square+BH", "upstream")
}

func TestQualityThatCannotBeMeasuredSaysWhy(t *testing.T) {
	w := inSQLite(t)
	bad := w.file("bad.ndjson", "{\"customer\":1}\nnonsense\n")
	for _, test := range []struct {
		name string
		code int
		args []string
		says []string
	}{
		{"neither", exitUsage, nil, []string{"missing flags: --customer=ID, or --quality"}},
		{"both", exitUsage, []string{"--quality", "--customer", "1"}, []string{"leave them out with --quality"}},
		{"a profile of it", exitUsage, []string{"--quality", "--cpuprofile", "x"}, []string{"leave them out with --quality"}},
		{"its options without it", exitUsage, []string{"--customer", "1", "--quick"}, []string{"go with --quality"}},
		{"too many", exitFailed, []string{"--quality", "--customers", "2001"}, []string{"--customers must be 1 to 2000"}},
		{"no output of a detector", exitFailed, []string{"--quality", "--detector-output", filepath.Join(w.dir, "none")}, []string{"can't read the detector's output"}},
		{"a bad output", exitFailed, []string{"--quality", "--detector-output", bad}, []string{"line 1: as_of must be", "line 2: not a JSON object"}},
		{"an unwritable file", exitFailed, []string{"--quality", "--truth", filepath.Join(w.dir, "no", "x")}, []string{"can't write"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := w.run(append([]string{"benchmark-drift"}, test.args...)...)
			if r.code != test.code {
				t.Errorf("exit code %d, want %d", r.code, test.code)
			}
			contains(t, r.stderr, test.says...)
			if strings.Contains(r.stdout, "false alarms per") {
				t.Errorf("measured all the same:\n%s", r.stdout)
			}
		})
	}
}
