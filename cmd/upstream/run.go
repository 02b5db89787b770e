package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"
	"upstream"
	"upstream/internal/store"
)

// version is set by the Makefile from git.
var version = "dev"

// environment is everything a command may know of the world besides the
// database and the files it is told to read.
type environment struct {
	vars           []string // NAME=value
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time // time.Now when nil
}

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1   // the command could not do what it was asked
	exitUsage       = 2   // the command line makes no sense
	exitInterrupted = 130 // stopped by Ctrl-C or SIGTERM; what was acknowledged is kept
)

// app is what every command is run with.
type app struct {
	context.Context
	environment
	database string
	command  *kong.Context
}

type cli struct {
	Database string `help:"Where the data is: sqlite:FILE or postgres://user:password@host/name. A file is made on first use." secret:"url" default:"sqlite:upstream.db" placeholder:"URL"`

	Serve     serveCmd     `cmd:"" help:"Serve the API and do the work behind it."`
	Demo      demoCmd      `cmd:"" help:"From nothing to a drift feed: a demo customer, a year of claims with planted drifts, detection, and what was found beside what was planted."`
	Ingest    ingestCmd    `cmd:"" help:"Load claims from CSV files. Loading a file again changes nothing."`
	Detect    detectCmd    `cmd:"" name:"detect-drift" aliases:"detect_drift" help:"Find what changed, as of a date, and print the drift events."`
	Event     eventCmd     `cmd:"" help:"List drift events, show their evidence, and judge them."`
	Trend     trendCmd     `cmd:"" help:"Denial rates by week of submission, without the bias of weeks too young."`
	Customer  customerCmd  `cmd:"" help:"Make and list customers."`
	User      userCmd      `cmd:"" help:"Make and manage the users who sign in."`
	APIKey    apikeyCmd    `cmd:"" name:"apikey" help:"Make, list and revoke the keys of programs."`
	Audit     auditCmd     `cmd:"" help:"List the audit log, and check that it is whole."`
	Mapping   mappingCmd   `cmd:"" help:"Say which payers and procedure groups the customer's files mean."`
	Rollup    rollupCmd    `cmd:"" help:"Check the rollups against the claims, or make them again."`
	Worker    workerCmd    `cmd:"" help:"Load uploads and run detections that servers have queued, until it is stopped."`
	Migrate   migrateCmd   `cmd:"" help:"Bring the database's schema up to date; every other command does so too."`
	Generate  generateCmd  `cmd:"" name:"generate-synthetic-data" aliases:"generate_synthetic_data" help:"Make synthetic claims with planted drifts, into the database or a file."`
	Benchmark benchmarkCmd `cmd:"" name:"benchmark-drift" aliases:"benchmark_drift" help:"Measure how fast detection is and how much memory it takes."`
	Loadtest  loadtestCmd  `cmd:"" envprefix:"LOADTEST_" help:"Test an API under load, as Locust does, with targets that decide the exit code."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

const description = `Upstream warns a medical practice, days after it starts, that an insurer has changed how it decides or pays claims.

Start with:  upstream demo

Every option can be set by a variable, UPSTREAM_ and its name: UPSTREAM_DATABASE for --database. One that may hold a password can stand in a file: UPSTREAM_DATABASE_FILE names the file.`

// run is the program: one command, its output and its exit code.
func run(ctx context.Context, args []string, env environment) int {
	if env.now == nil {
		env.now = time.Now
	}
	var c cli
	ended, code := false, exitOK
	parser, err := kong.New(&c, kong.Name("upstream"), kong.Description(description), kong.Writers(env.stdout, env.stderr),
		kong.Exit(func(status int) { ended, code = true, status }), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Resolvers(variables(env.vars)))
	if err != nil {
		fmt.Fprintln(env.stderr, "upstream:", err)
		return exitUsage
	}
	if err := unknownVariable(parser.Model, env.vars); err != nil {
		fmt.Fprintln(env.stderr, "upstream:", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if ended { // --help
		return code
	}
	if err != nil {
		fmt.Fprintf(env.stderr, "upstream: %v; `upstream --help` shows the commands, `upstream COMMAND --help` their options\n", err)
		return exitUsage
	}
	err = command.Run(&app{Context: ctx, environment: env, database: c.Database, command: command})
	return exitCode(ctx, err, env.stderr)
}

// exitCode prints an error in a line and maps it to an exit code.
func exitCode(ctx context.Context, err error, stderr io.Writer) int {
	var status *exitStatus
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		fmt.Fprintln(stderr, "upstream:", status.why)
		return status.code
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "upstream: stopped; run the same command again to go on")
		return exitInterrupted
	}
	fmt.Fprintln(stderr, "upstream:", strings.ReplaceAll(err.Error(), "\n", "; "))
	return exitFailed
}

// exitStatus is an error with an exit code of its own.
type exitStatus struct {
	code int
	why  string
}

func (e *exitStatus) Error() string { return e.why }

// open opens the database.
func (a *app) open() (*store.Store, error) { return store.Open(a, a.database) }

// withDatabase opens the database and the customer in it.
func (a *app) withDatabase(customer int64, f func(*store.Store, *store.Tenant) error) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	t, err := s.Tenant(a, customer)
	if err == nil {
		err = f(s, t)
	}
	return errors.Join(err, s.Close())
}

// withTenant is withDatabase for those who need the customer only.
func (a *app) withTenant(customer int64, f func(*store.Tenant) error) error {
	return a.withDatabase(customer, func(_ *store.Store, t *store.Tenant) error { return f(t) })
}

func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.stdout, format, args...) }

// notef tells a person something beside the output.
func (a *app) notef(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) }

// terminal reports whether a person reads the messages as they come.
func (a *app) terminal() bool {
	f, isFile := a.stderr.(*os.File)
	return isFile && isatty.IsTerminal(f.Fd())
}

// getenv returns a variable of the environment.
func (a *app) getenv(name string) string {
	for _, v := range a.vars {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

func (a *app) today() upstream.Day { return upstream.DayOf(a.now()) }

// create makes an output file; - is standard output.
func (a *app) create(path string) (io.WriteCloser, error) {
	if path == "-" {
		return nopCloser{a.stdout}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, upstream.Errorf(upstream.Unavailable, "can't write %s: %w", path, errors.Unwrap(err))
	}
	return f, nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// everyPage reads all pages of a list.
func everyPage[T any](list func(upstream.Page) (upstream.List[T], error)) ([]T, error) {
	all := []T{}
	for page := (upstream.Page{Size: upstream.MaxPageSize}); ; {
		some, err := list(page)
		all = append(all, some.Items...)
		if page.After = some.Next; err != nil || page.After.IsZero() {
			return all, err
		}
	}
}
