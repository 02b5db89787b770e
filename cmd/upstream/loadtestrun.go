package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"upstream"
	"upstream/internal/load"
)

func (c *loadtestCmd) Run(a *app) error {
	p, all, err := c.plan()
	if err != nil {
		return usageError(err)
	}
	switch {
	case c.List:
		load.ListClasses(a.stdout, all)
		return nil
	case c.ShowTaskRatio:
		load.TaskRatio(a.stdout, p.Classes, c.usersGiven())
		return nil
	}
	targets, err := c.targets(&p)
	if err != nil {
		return usageError(err)
	}
	lines := &lastLines{out: a.stderr}
	if c.LogFile != "" {
		f, err := a.create(c.LogFile)
		if err != nil {
			return err
		}
		defer f.Close()
		lines.out = f
	}
	log, err := c.logger(lines)
	if err != nil {
		return usageError(err)
	}
	if c.Worker {
		return c.work(a, p, all, log)
	}
	t := &loadtest{loadtestCmd: c, app: a, log: log, lines: lines, plan: p, classes: all, targets: targets}
	return t.run()
}

// usageError is an error of the command line.
func usageError(err error) error {
	return &exitStatus{exitUsage, strings.ReplaceAll(err.Error(), "\n", "; ") + "; `upstream loadtest --help` shows the options"}
}

// logger logs in lines for a person, as Locust does.
func (c *loadtestCmd) logger(out io.Writer) (*slog.Logger, error) {
	name := strings.ToUpper(c.LogLevel)
	if name = strings.Replace(name, "WARNING", "WARN", 1); name == "CRITICAL" {
		name = "ERROR"
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return nil, fmt.Errorf("there is no log level %q: it is debug, info, warning, error or critical", c.LogLevel)
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level})), nil
}

// lastLines keeps what was logged last, for the page.
type lastLines struct {
	out   io.Writer
	mu    sync.Mutex
	lines []string
}

const keptLines = 500

func (l *lastLines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines = append(l.lines, strings.TrimSuffix(string(line), "\n")); len(l.lines) > keptLines {
		l.lines = l.lines[1:]
	}
	return l.out.Write(line)
}

func (l *lastLines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// loadtest is one call of the command.
type loadtest struct {
	*loadtestCmd
	*app
	log      *slog.Logger
	lines    *lastLines
	plan     load.Plan
	classes  []*load.Class // all there are
	targets  []load.Target
	baseline []load.Result
	runner   *load.Runner
	console  *load.Console
	csv      *load.CSVWriter // nil for none
	ended    time.Time       // when the last run did whose final state is written
	missed   int             // seconds for which a target has been missed, for --abort-on-fail
}

func (t *loadtest) run() (err error) {
	t.runner = load.NewRunner(t.app, t.log)
	var page *openPage // nil for none
	if !t.Headless {
		if page, err = t.openPage(); err != nil {
			return err
		}
		defer page.close()
	}
	if err = t.prepare(); err != nil {
		return err
	}
	if t.Headless || t.Autostart {
		t.log.Info("starting", "users", t.plan.Users, "host", t.plan.Host, "seed", t.plan.Seed)
		if err = t.runner.Start(t.plan); err != nil {
			return usageError(err)
		}
	}
	if t.getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	}
	restore := t.watchKeys()
	defer restore()
	if t.Headless {
		t.watch(t.runner.Done())
	} else if err = t.servePage(page); err != nil {
		return err
	}
	return t.conclude()
}

// gcPercent trades some megabytes for a tenth of the processor time: what a request
// leaves behind is many small things, and what lives is little.
const gcPercent = 400

// prepare opens what a run writes and reads, so that what can't be is told before it.
func (t *loadtest) prepare() (err error) {
	t.console = &load.Console{Out: t.stderr}
	for _, path := range []string{t.HTML, t.JSON, t.JUnit, t.Summary} {
		if err = writable(path); err != nil {
			return err
		}
	}
	if t.Baseline != "" {
		if t.baseline, err = readBaseline(t.Baseline); err != nil {
			return err
		}
	}
	if t.CSV != "" {
		t.csv, err = load.NewCSVWriter(t.CSV, t.CSVFullHistory)
	}
	return err
}

// writable tells whether a file can be written, and leaves what is in it.
func writable(path string) error {
	if path == "" || path == "-" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return upstream.Errorf(upstream.Unavailable, "can't write %s: %w", path, errors.Unwrap(err))
	}
	return f.Close()
}

func readBaseline(path string) ([]load.Result, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, upstream.Errorf(upstream.NotFound, "can't read --baseline %s: %w", path, errors.Unwrap(err))
	}
	defer f.Close()
	runs, err := load.ReadBaseline(f)
	if err != nil {
		return nil, fmt.Errorf("--baseline %s: %w", path, err)
	}
	return runs, nil
}

// tableEvery is how often the console shows the table, in seconds.
const tableEvery = 2

// watch writes what happens until the run is over.
func (t *loadtest) watch(done <-chan struct{}) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for n := 1; ; n++ {
		select {
		case <-done:
			return
		case <-second.C:
		}
		t.tick(n)
	}
}

func (t *loadtest) tick(n int) {
	s := t.runner.Snapshot()
	if s.State == load.Ready || s.State == load.Stopped && s.Ended.Equal(t.ended) {
		return
	}
	if s.State == load.Stopped { // its final state, once: the page may begin another
		t.ended, t.missed = s.Ended, 0
	}
	if t.csv != nil {
		if err := t.csv.Tick(s); err != nil {
			t.log.Error("can't write the CSV files", "error", err)
		}
	}
	if n%tableEvery == 0 && !t.OnlySummary && (t.Headless || t.PrintStats) {
		t.console.Table(s)
	}
	if t.AbortOnFail {
		t.abort(s)
	}
}

// Before a miss ends a run it must have been one for some seconds, after some more to
// warm up.
const (
	abortAfter = 10 * time.Second
	abortWhile = 5
)

func (t *loadtest) abort(s *load.Snapshot) {
	if s.State != load.Running || s.SteadyFrom.IsZero() || s.SteadyTo.Sub(s.SteadyFrom) < abortAfter {
		return
	}
	for _, v := range load.Judge(s, t.targets) {
		if v.Outcome == "missed" && v.What != "rps" {
			if t.missed++; t.missed >= abortWhile {
				t.log.Error("stopping: a target is missed", "endpoint", v.Method+" "+v.Name, "what", v.What, "limit", v.Limit, "measured", v.Measured)
				go t.runner.Stop()
			}
			return
		}
	}
	t.missed = 0
}

// verdicts are those of targets and baseline.
func (t *loadtest) verdicts(s *load.Snapshot) []load.Verdict {
	v := load.Judge(s, t.targets)
	if t.Baseline != "" {
		v = append(v, load.CompareBaseline(t.baseline, load.NewResult(s, v, 0, ""))...)
	}
	return v
}

// conclude prints and writes what came of the run, and tells the exit code.
func (t *loadtest) conclude() error {
	s := t.runner.Snapshot()
	if s.State == load.Ready {
		return nil // nobody started one
	}
	verdicts := t.verdicts(s)
	code, why := load.ExitCode(s, verdicts, t.exit())
	t.console.Final(s, verdicts)
	if err := t.write(s, verdicts, code, why); err != nil {
		return err
	}
	if code != exitOK {
		return &exitStatus{code, why}
	}
	return nil
}

func (t *loadtest) exit() load.ExitOptions {
	return load.ExitOptions{OnError: t.ExitCodeOnError, TargetsGiven: t.Targets != ""}
}

// write writes all files, also where one of them can't be written.
func (t *loadtest) write(s *load.Snapshot, verdicts []load.Verdict, code int, why string) (err error) {
	if t.csv != nil {
		err = t.csv.Close(s)
	}
	for _, file := range []struct {
		path  string
		write func(io.Writer) error
	}{
		{t.HTML, func(w io.Writer) error { return load.WriteReport(w, s, t.runner.Rows(0), verdicts) }},
		{t.JSON, func(w io.Writer) error { return load.NewResult(s, verdicts, code, why).Write(w) }},
		{t.JUnit, func(w io.Writer) error { return load.WriteJUnit(w, s, verdicts, t.exit()) }},
		{t.Summary, func(w io.Writer) error { return load.WriteSummary(w, s, verdicts, code, why) }},
	} {
		if file.path != "" {
			err = errors.Join(err, t.writeFile(file.path, file.write))
		}
	}
	return err
}

func (t *loadtest) writeFile(path string, write func(io.Writer) error) error {
	f, err := t.create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// openPage is the page and where it is served. It is opened before anything else, so
// that no run begins and no file is emptied where it can't be.
type openPage struct {
	*load.Page
	net.Listener
}

func (p *openPage) close() {
	p.Page.Close()
	_ = p.Listener.Close() // the server has, unless it never began
}

func (t *loadtest) openPage() (*openPage, error) {
	address := net.JoinHostPort(strings.TrimPrefix(t.WebHost, "*"), strconv.Itoa(t.WebPort)) // Locust writes * for all
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, upstream.Errorf(upstream.Unavailable, "can't serve the page at %s: %w; --web-port names another port, --headless needs none", address, err)
	}
	page, err := load.NewPage(t.runner, load.PageOptions{
		Plan: t.plan, Classes: t.classes, Judge: t.verdicts, Auth: t.WebAuth, Version: version, Logs: t.lines.all,
	})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if t.WebAuth == "" && !loopback(address) {
		t.log.Warn("anyone who reaches the page can start loads; --web-auth asks for a name and a password", "address", address)
	}
	return &openPage{page, l}, nil
}

// servePage serves the page until it is to end: by Ctrl-C, or some time after the run.
func (t *loadtest) servePage(page *openPage) error {
	server := &http.Server{Handler: page.Page, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(page.Listener) }()
	t.log.Info("the page is at http://" + page.Addr().String())
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.watch(t.pageOver(failed))
	}()
	<-done
	t.runner.Stop()
	return server.Close()
}

// pageOver is closed when the page is to end.
func (t *loadtest) pageOver(failed <-chan error) <-chan struct{} {
	over := make(chan struct{})
	var quit <-chan struct{} // after the run, with --autoquit
	if t.Autostart && t.Autoquit >= 0 {
		quit = t.runner.Done()
	}
	go func() {
		defer close(over)
		select {
		case <-t.Done():
		case err := <-failed:
			t.log.Error("the page's server ended", "error", err)
		case <-quit:
			select {
			case <-time.After(time.Duration(t.Autoquit) * time.Second):
			case <-t.Done():
			}
		}
	}()
	return over
}

// work is a worker of a Locust master, until that lets it go. The master says which
// classes run.
func (c *loadtestCmd) work(a *app, p load.Plan, all []*load.Class, log *slog.Logger) error {
	if c.CSV+c.HTML+c.JSON+c.JUnit+c.Summary+c.Targets+c.Baseline+c.ArrivalRate != "" {
		log.Warn("a worker writes no files and knows no targets or schedules: its master counts, and decides how many users there are")
	}
	p.Classes = all
	w := &load.LocustWorker{
		Master: net.JoinHostPort(c.MasterHost, strconv.Itoa(c.MasterPort)), ID: load.NewWorkerID(), Log: log,
		Fleet: &load.RunnerFleet{Runner: load.NewRunner(a, log), Plan: p},
	}
	return w.Run(a)
}
