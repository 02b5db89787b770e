package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestQualityNeedsNoCustomerAndPrintsTheTable(t *testing.T) {
	dir := t.TempDir()
	truth, events, figures := filepath.Join(dir, "truth"), filepath.Join(dir, "events"), filepath.Join(dir, "figures.json")
	// Three customers are few: their figures may be out of the quick run's bounds.
	r := do(t, "sqlite:"+filepath.Join(dir, "none.db"), "benchmark-drift", "--quality", "--quick", "--customers", "3", "--seed", "5",
		"--truth", truth, "--events", events, "--json", figures)
	if broken := strings.Contains(r.stdout, "out of bounds: "); (r.code == 1) != broken || r.code > 1 {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	holds := func(where, text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %q:\n%s", where, part, text)
			}
		}
	}
	holds("the table", r.stdout, "3 customers with changes", "seed 5", "usual rule", "target", "net recall", "right level",
		"D1 step +10", "N1 January bump", "false alarms per 100 node-months", "chi-square+BH")
	holds("the truth", contents(t, truth), `"customer":1,"placebo_customer":4,"scenario":"D1 step +3"`)
	holds("the events", contents(t, events), `"detector":"upstream","as_of":"20`)
	var report struct {
		Seed        uint64
		Customers   int
		Detectors   map[string]map[string]any
		FalseAlarms map[string]any `json:"false_alarms_per_100_node_months"`
	}
	if err := json.Unmarshal([]byte(contents(t, figures)), &report); err != nil {
		t.Fatal(err)
	}
	if report.Seed != 5 || report.Customers != 3 || len(report.FalseAlarms) == 0 {
		t.Errorf("%+v", report)
	}
	for _, name := range []string{"threshold", "chi-square", "chi-square+BH", "upstream"} {
		if len(report.Detectors[name]) == 0 {
			t.Errorf("no figures of %s", name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); err == nil {
		t.Error("a database was made")
	}
}

func contents(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
