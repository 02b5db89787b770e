package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

func TestASecretMayStandInAFile(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	for name, text := range map[string]string{
		"bare": w.database, "with a newline": w.database + "\n", "of Windows": w.database + "\r\n",
	} {
		vars := []string{"UPSTREAM_DATABASE_FILE=" + w.file("secret", text)}
		if r := w.runWith(context.Background(), vars, "customer", "list"); r.code != exitOK || !strings.Contains(r.stdout, "North") {
			t.Errorf("%s: exit code %d: %s%s", name, r.code, r.stdout, r.stderr)
		}
	}
}

func TestASecretsFileThatCantBeUsedIsAnErrorThatNamesItsVariable(t *testing.T) {
	w := inSQLite(t)
	good, none := w.file("good", "postgres://u:hunter2@h/x"), filepath.Join(w.dir, "none")
	for _, test := range []struct {
		name string
		vars []string
		says []string
	}{
		{"both set", []string{"UPSTREAM_DATABASE=sqlite:x.db", "UPSTREAM_DATABASE_FILE=" + good}, []string{"UPSTREAM_DATABASE and UPSTREAM_DATABASE_FILE", "unset one"}},
		{"no such file", []string{"UPSTREAM_DATABASE_FILE=" + none}, []string{"UPSTREAM_DATABASE_FILE", none, "no such file"}},
		{"a directory", []string{"UPSTREAM_DATABASE_FILE=" + w.dir}, []string{"UPSTREAM_DATABASE_FILE", "is a directory"}},
		{"no path", []string{"UPSTREAM_DATABASE_FILE="}, []string{"UPSTREAM_DATABASE_FILE"}},
		{"empty", []string{"UPSTREAM_DATABASE_FILE=" + w.file("empty", "\n")}, []string{"UPSTREAM_DATABASE_FILE", "is empty"}},
		{"not a secret", []string{"UPSTREAM_CUSTOMER_FILE=" + good}, []string{"UPSTREAM_CUSTOMER_FILE", "sets no option"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := w.runWith(context.Background(), test.vars, "customer", "list")
			if r.code != exitUsage {
				t.Errorf("exit code %d, want %d", r.code, exitUsage)
			}
			line := w.line(r.stderr)
			contains(t, line, test.says...)
			if strings.Contains(line, "hunter2") {
				t.Errorf("the secret is told: %s", line)
			}
		})
	}
}

func TestTheOptionComesBeforeTheFile(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	vars := []string{"UPSTREAM_DATABASE_FILE=" + filepath.Join(w.dir, "none")}
	if r := w.runWith(context.Background(), vars, "customer", "list", "--database", w.database); r.code != exitOK || !strings.Contains(r.stdout, "North") {
		t.Errorf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}

// configured is a command with an option of each kind.
type configured struct {
	Database string        `secret:"url" default:"sqlite:upstream.db"`
	Redis    string        `secret:"url"`
	TokenKey string        `secret:""`
	Listen   string        `default:"127.0.0.1:8000"`
	Drain    time.Duration `default:"5s"`
	Origin   []string
	Banner   string
	Size     *int64
	Quiet    bool

	PrintConfig bool
	Serve       struct {
		Workers int `default:"2"`
	} `cmd:""`
	Other struct {
		Elsewhere int
	} `cmd:""`
}

func TestTheConfigurationIsPrintedWithoutItsSecrets(t *testing.T) {
	var c configured
	vars := []string{
		"UPSTREAM_DATABASE=postgres://me:hunter2@db:5432/claims?sslmode=verify-full&sslpassword=hunter3",
		"UPSTREAM_TOKEN_KEY_FILE=" + inSQLite(t).file("key", "hunter4\n"),
		"UPSTREAM_WORKERS=3", "UPSTREAM_ORIGIN=https://a,https://b", "UPSTREAM_BANNER=two\nlines",
	}
	parser, err := kong.New(&c, kong.Resolvers(variables(vars)))
	if err != nil {
		t.Fatal(err)
	}
	command, err := parser.Parse([]string{"serve", "--print-config", "--drain", "90s", "--redis", "redis://:hunter5@cache/0"})
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	printConfig(&got, command)
	want := `UPSTREAM_DATABASE=postgres://me:xxxxx@db:5432/claims?sslmode=verify-full&sslpassword=xxxxx
UPSTREAM_REDIS=redis://:xxxxx@cache/0
UPSTREAM_TOKEN_KEY=xxxxx
UPSTREAM_LISTEN=127.0.0.1:8000
UPSTREAM_DRAIN=1m30s
UPSTREAM_ORIGIN=https://a,https://b
UPSTREAM_BANNER="two\nlines"
UPSTREAM_SIZE=
UPSTREAM_QUIET=false
UPSTREAM_WORKERS=3
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAMaskedURLHidesWhatItDoesNotUnderstand(t *testing.T) {
	for value, want := range map[string]string{
		"":                                 "",
		"sqlite:/var/lib/upstream.db":      "sqlite:/var/lib/upstream.db",
		"postgres://me@h/x":                "postgres://me@h/x",
		"postgres://me:a@h/x":              "postgres://me:xxxxx@h/x",
		"postgres://h/x?user=u&password=a": "postgres://h/x?password=xxxxx&user=u",
		"postgres://me:a%zz@h/x":           "xxxxx",
		"host=h password=a":                "xxxxx",
		"a secret":                         "xxxxx",
	} {
		if got := maskedURL(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}
