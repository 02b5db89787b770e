package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// commands are all there are, as they are typed.
var commands = []string{
	"", "serve", "worker", "demo", "ingest", "detect-drift",
	"event", "event list", "event show", "event claims", "event acknowledge", "event resolve", "event noise", "event reopen", "trend", "customer", "customer create", "customer list",
	"user", "user create", "user passwd", "user list", "user disable", "user enable", "apikey", "apikey create", "apikey list", "apikey revoke", "audit", "audit verify", "audit list",
	"mapping", "mapping payer", "mapping payer list", "mapping payer set", "mapping payer remove", "mapping cpt", "mapping cpt list", "mapping cpt set", "mapping cpt remove", "mapping unmatched", "mapping apply",
	"rollup", "rollup verify", "rollup rebuild",
	"migrate", "generate-synthetic-data", "benchmark-drift", "loadtest", "version",
}

func TestHelpOfEveryCommandIsTheGoldenFile(t *testing.T) {
	t.Setenv("COLUMNS", "80") // kong breaks lines by it
	w := inSQLite(t)
	for _, command := range commands {
		name := strings.ReplaceAll(strings.TrimSpace("upstream "+command), " ", "-")
		t.Run(name, func(t *testing.T) {
			got := w.run(append(strings.Fields(command), "--help")...)
			if got.code != exitOK || got.stderr != "" {
				t.Errorf("exit code %d: %s", got.code, got.stderr)
			}
			golden := filepath.Join("testdata", "help", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got.stdout), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.stdout); diff != "" {
				t.Errorf("the help has changed; `go test ./cmd/upstream -run Help -update` writes it anew (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHelpNamesEveryCommandAndGivesAnExampleOfEach(t *testing.T) {
	t.Setenv("COLUMNS", "80")
	w := inSQLite(t)
	top := w.must("--help")
	for _, command := range commands {
		help := w.must(append(strings.Fields(command), "--help")...)
		if slices.Contains([]string{"", "customer", "event", "user", "apikey", "audit", "mapping", "mapping payer", "mapping cpt", "rollup"}, command) {
			contains(t, help, "Commands:")
			continue
		}
		contains(t, top, "\n  "+command)
		about, example, _ := strings.Cut(help, "Example")
		if !strings.Contains(example, "upstream "+command) {
			t.Errorf("the help of %s has no example of it:\n%s", command, help)
		}
		// A sentence for a person, not only a list of options.
		if !strings.Contains(about, ".\n") {
			t.Errorf("the help of %s says nothing in prose:\n%s", command, help)
		}
	}
}

func TestWithoutArgumentsTheHelpIsShown(t *testing.T) {
	t.Setenv("COLUMNS", "80")
	w := inSQLite(t)
	if bare, asked := w.must(), w.must("--help"); bare != asked {
		t.Errorf("without arguments:\n%s\nwith --help:\n%s", bare, asked)
	}
}

func TestTheGuidesSpellingsAreAliases(t *testing.T) {
	t.Setenv("COLUMNS", "80")
	w := inSQLite(t)
	for _, command := range []string{"generate-synthetic-data", "benchmark-drift", "detect-drift"} {
		alias := strings.ReplaceAll(command, "-", "_")
		if got, want := w.must(alias, "--help"), w.must(command, "--help"); got != want {
			t.Errorf("%s --help is not that of %s:\n%s", alias, command, got)
		}
	}
	w.must("customer", "create", "North")
	contains(t, w.must("generate_synthetic_data", "--records", "2000", "--customer", "1", "--batch-size", "500"), "2,000 claims")
	contains(t, w.must("detect_drift", "--customer", "1"), "as of")
	contains(t, w.must("benchmark_drift", "--customer", "1", "--runs", "1"), "runtime")
}
