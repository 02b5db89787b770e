package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestDemoGoesFromNothingToWhatWasFoundBesideWhatWasPlanted(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		first := w.must("demo", "--no-serve", "--records", "60000")
		contains(t, first, "60,000 claims of Demo Practice from 2025-07-02 to 2026-07-01", "weekly detections replayed",
			"PLANTED", "FOUND", "KNOWN", "DAYS", "alerts tell of nothing planted", "What to try next (customer 1",
			"upstream detect-drift --customer 1", "upstream benchmark-drift --customer 1")
		if strings.Count(first, "ALERT #") == 0 {
			t.Errorf("nothing was found:\n%s", first)
		}
		w.now = w.now.Add(26 * time.Hour)
		second := w.must("demo", "--no-serve", "--records", "60000")
		contains(t, second, "Demo Practice is there already: customer 1")
		if strings.Contains(second, "claims of Demo Practice from") {
			t.Errorf("the second demo tells of new claims:\n%s", second)
		}
		if table(first) != table(second) {
			t.Errorf("the second demo finds\n%s\nthe first found\n%s", table(second), table(first))
		}
		contains(t, w.must("rollup", "verify"), "customer 1: 60,000 claims")
	})
}

// table is the part of the demo's output that tells what was found.
func table(output string) string {
	from, to := strings.Index(output, "PLANTED"), strings.Index(output, "What to try next")
	if from < 0 || to < from {
		return ""
	}
	return output[from:to]
}

func TestDemoLeavesOtherCustomersAlone(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	w.must("ingest", "--customer", "1", sample("pm-export.csv"))
	contains(t, w.must("demo", "--no-serve", "--records", "20000"), "(customer 2")
	contains(t, w.must("rollup", "verify"), "customer 1: 400 claims", "customer 2: 20,000 claims")
	contains(t, w.fails(exitFailed, "demo", "--no-serve", "--records", "0", "--database", w.database+"2"), "records must be 1 to")
}

func TestDemosSuggestionsWork(t *testing.T) {
	w := inSQLite(t)
	out := w.must("demo", "--no-serve", "--records", "20000")
	_, suggestions, _ := strings.Cut(out, "What to try next")
	tried := 0
	for line := range strings.Lines(suggestions) {
		command, _, _ := strings.Cut(strings.TrimSpace(line), "  ") // an explanation follows
		if args := strings.Fields(command); len(args) > 1 && args[0] == "upstream" && !strings.Contains(command, "FILE") {
			w.must(args[1:]...)
			tried++
		}
	}
	if tried < 4 {
		t.Errorf("only %d suggestions could be tried:\n%s", tried, out)
	}
}

// What the README tells a new user to type, from its first command to its last.
func TestReadmesCommandsWork(t *testing.T) {
	w := inSQLite(t)
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(w.dir)
	w.must("generate-synthetic-data", "--records", "20000", "--format", "csv", "--output", "claims.csv")
	tried := 0
	for line := range strings.Lines(string(readme)) {
		command, _, _ := strings.Cut(line, "#") // an explanation follows
		command, ours := strings.CutPrefix(strings.TrimSpace(command), "./bin/upstream ")
		if !ours {
			continue
		}
		command, name, named := strings.Cut(command, ` "`)
		args := strings.Fields(command)
		if named {
			args = append(args, strings.TrimSuffix(name, `"`))
		}
		if args[0] == "loadtest" { // wants a server; --list shows that its options are right
			args = append(args, "--list")
		}
		w.must(args...)
		tried++
	}
	if tried < 6 {
		t.Errorf("only %d commands of the README could be tried", tried)
	}
}
