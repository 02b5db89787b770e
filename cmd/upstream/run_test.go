package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestExitCodesTellUseFromFailure(t *testing.T) {
	w := inSQLite(t)
	tests := []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"unknown command", []string{"detect"}, exitUsage, []string{"detect", "--help"}},
		{"unknown option", []string{"customer", "list", "--colour"}, exitUsage, []string{"--colour", "--help"}},
		{"missing option", []string{"detect-drift"}, exitUsage, []string{"--customer"}},
		{"missing argument", []string{"customer", "create"}, exitUsage, []string{"<name>"}},
		{"missing subcommand", []string{"rollup"}, exitUsage, []string{"verify", "rebuild"}},
		{"word for a number", []string{"ingest", "--customer", "one", "x.csv"}, exitUsage, []string{"--customer", "int"}},
		{"negative number", []string{"generate-synthetic-data", "--customer", "1", "--records", "-5"}, exitUsage, []string{"--records"}},
		{"value out of a list", []string{"detect-drift", "--customer", "1", "--detector", "crystal-ball"}, exitUsage, []string{"--detector", "threshold"}},
		{"no such customer", []string{"detect-drift", "--customer", "1"}, exitFailed, []string{"no customer 1", "upstream customer create"}},
		{"no scheme in the URL", []string{"migrate", "--database", "upstream.db"}, exitFailed, []string{"sqlite:FILE", "postgres://", "UPSTREAM_DATABASE"}},
		{"unknown scheme", []string{"migrate", "--database", "mysql://localhost/x"}, exitFailed, []string{"sqlite:FILE", "postgres://"}},
		{"no directory", []string{"migrate", "--database", "sqlite:" + filepath.Join(w.dir, "no", "x.db")}, exitFailed, []string{"directory", "make it"}},
		{"a directory", []string{"migrate", "--database", "sqlite:" + w.dir}, exitFailed, []string{"is a directory", "name a file"}},
		{"no database file", []string{"migrate", "--database", "sqlite:" + w.file("x.db", strings.Repeat("no database ", 1000))}, exitFailed, []string{"not an Upstream database"}},
		{"no server", []string{"migrate", "--database", "postgres://u:hunter2@127.0.0.1:1/x"}, exitFailed, []string{"can't reach PostgreSQL", "127.0.0.1"}},
		{"URL that can't be read", []string{"migrate", "--database", "postgres://u:hun%ter2@127.0.0.1/x"}, exitFailed, []string{"write it as postgres://"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			line := (&world{TB: t, dir: w.dir, database: w.database, now: w.now}).fails(test.code, test.args...)
			contains(t, line, test.says...)
			if strings.Contains(line, "hunter2") || strings.Contains(line, "hun%ter2") {
				t.Errorf("the password is told: %s", line)
			}
		})
	}
}

func TestDatabaseIsNamedByVariableAndByOptionBeforeIt(t *testing.T) {
	w := inSQLite(t)
	other := "sqlite:" + filepath.Join(w.dir, "other.db")
	w.must("customer", "create", "By variable")
	w.must("customer", "create", "By option", "--database", other)
	contains(t, w.must("customer", "list"), "By variable")
	if list := w.must("customer", "list", "--database", other); strings.Contains(list, "By variable") {
		t.Errorf("the option does not come before the variable:\n%s", list)
	}
}

func TestEveryOptionHasAVariable(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	vars := []string{"UPSTREAM_DATABASE=" + w.database, "UPSTREAM_CUSTOMER=1", "UPSTREAM_RECORDS=1200", "UPSTREAM_BATCH_SIZE=7"}
	if r := w.runWith(context.Background(), vars, "generate-synthetic-data"); r.code != exitOK || !strings.Contains(r.stdout, "1,200 claims") {
		t.Errorf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	vars = append(vars, "UPSTREAM_JSON=maybe")
	r := w.runWith(context.Background(), vars, "customer", "list")
	if r.code != exitUsage {
		t.Errorf("a variable of the wrong kind: exit code %d", r.code)
	}
	contains(t, w.line(r.stderr), "--json")
}

func TestUnknownVariableIsAnError(t *testing.T) {
	w := inSQLite(t)
	for name, code := range map[string]int{
		"UPSTREAM_DATABSE=sqlite:x.db": exitUsage,
		"UPSTREAM_=1":                  exitUsage,
		"UPSTREAM_VECTORS=FILE":        exitOK,
		"UPSTREAM_TEST_NO_SKIP=1":      exitOK,
		"STREAM_DATABSE=1":             exitOK,
		"PATH=/bin":                    exitOK,
	} {
		r := w.runWith(context.Background(), []string{name}, "version")
		if r.code != code {
			t.Errorf("%s: exit code %d, want %d: %s", name, r.code, code, r.stderr)
		}
		if code != exitOK {
			variable, _, _ := strings.Cut(name, "=")
			contains(t, w.line(r.stderr), variable, "correct its name or unset it")
		}
	}
}

func TestStoppedCommandExitsWith130(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range [][]string{
		{"ingest", "--customer", "1", sample("pm-export.csv")},
		{"detect-drift", "--customer", "1"},
		{"generate-synthetic-data", "--customer", "1", "--records", "1000"},
		{"generate-synthetic-data", "--records", "100000", "--format", "csv", "--output", filepath.Join(w.dir, "x.csv")},
		{"rollup", "verify"},
		{"migrate"},
	} {
		r := w.runWith(ctx, []string{"UPSTREAM_DATABASE=" + w.database}, args...)
		if r.code != exitInterrupted || !strings.HasSuffix(r.stderr, "upstream: stopped; run the same command again to go on\n") {
			t.Errorf("%q: exit code %d, want %d: %s", args, r.code, exitInterrupted, r.stderr)
		}
	}
	contains(t, w.must("rollup", "verify"), "0 claims")
}

func TestVersionNeedsNoDatabase(t *testing.T) {
	w := inSQLite(t)
	w.database = "nonsense"
	contains(t, w.must("version"), "upstream dev (go1.")
}

func TestMigrateTellsTheVersionAndMayBeRepeated(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		first := w.must("migrate")
		contains(t, first, "schema version")
		if second := w.must("migrate"); second != first {
			t.Errorf("first %q, then %q", first, second)
		}
	})
}
