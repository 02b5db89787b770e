package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"upstream"
	"upstream/internal/load"
)

// loadtestCmd has the options of Locust under their names, and some of its own.
type loadtestCmd struct {
	Classes []string `arg:"" optional:"" name:"class" help:"Classes of users; PayrixaAPIUser if none is given. --list shows them."`

	Host      string   `short:"H" locust:"HOST" default:"http://localhost:8000" help:"The server to test, as http://localhost:8000."`
	Users     *int     `short:"u" locust:"USERS" placeholder:"N" help:"Users at once: 1 if not given, with --arrival-rate 100."`
	SpawnRate *float64 `short:"r" locust:"SPAWN_RATE" placeholder:"N" help:"Users that begin each second: 1 if not given, with --arrival-rate all of them."`
	RunTime   runTime  `short:"t" locust:"RUN_TIME" placeholder:"TIME" help:"Stop after this time, as 20 (seconds), 20s, 3m, 1h20m. Without it a run goes on until it is stopped."`
	Headless  bool     `locust:"HEADLESS" help:"Begin at once and serve no page."`
	Autostart bool     `locust:"AUTOSTART" help:"Begin at once, and serve the page."`
	Autoquit  int      `locust:"AUTOQUIT" default:"-1" placeholder:"SECONDS" help:"With --autostart: quit so many seconds after the run."`
	WebHost   string   `locust:"WEB_HOST" default:"127.0.0.1" help:"Where the page is served; * is everywhere. Beyond loopback anyone who reaches it can start loads: give --web-auth too."`
	WebPort   int      `short:"P" locust:"WEB_PORT" default:"8089" help:"The page's port."`
	WebAuth   string   `locust:"WEB_AUTH" secret:"" placeholder:"NAME:PASSWORD" help:"What the page asks for."`
	Tags      []string `short:"T" locust:"TAGS" placeholder:"TAG" help:"Only tasks with one of these tags; more with commas, or -T again."`
	Exclude   []string `short:"E" name:"exclude-tags" locust:"EXCLUDE_TAGS" placeholder:"TAG" help:"No tasks with one of these tags; more with commas, or -E again."`

	ArrivalRate string        `placeholder:"RATE" help:"The open model: tasks begin on a schedule, whatever the server does. 500 a second; poisson 500; stages, as 100 for 30s, 500 over 1m, 500 for 2m."`
	NoWait      bool          `help:"Users don't wait between tasks."`
	Engine      string        `default:"std" enum:"std,fast" help:"What sends requests: std (net/http) or fast (fasthttp), which takes a third of the processor time."`
	Seed        uint64        `placeholder:"N" help:"Where random numbers begin, so that a run can be repeated. Drawn and printed if not given."`
	Timeout     runTime       `default:"60s" help:"How long an answer may take."`
	StopTimeout stopTime      `short:"s" locust:"STOP_TIMEOUT" default:"5s" help:"How long tasks may go on at the end, before their requests are cut off and count as failed."`
	MaxSlip     time.Duration `default:"5ms" help:"How late this program itself may be with a hundredth of the requests, before the run says nothing and the exit code is 98."`
	ResetStats  bool          `locust:"RESET_STATS" help:"Forget what was counted before all users were there."`

	Username      string `default:"testuser" help:"Who PayrixaAPIUser signs in as."`
	Password      string `default:"testpass123" secret:"" help:"Their password; in a file, UPSTREAM_LOADTEST_PASSWORD_FILE names it."`
	AdminUsername string `default:"admin" help:"Who AdminUser signs in as."`
	AdminPassword string `default:"admin123" secret:"" help:"Their password."`

	Targets         string `placeholder:"FILE" help:"Targets for requests a second, percentiles and failures of each endpoint, as loadtest/targets.json has them. Without it the performance guide's table."`
	Baseline        string `placeholder:"FILE" help:"The --json of an earlier run; what became slower beyond its noise is a missed target."`
	AbortOnFail     bool   `help:"Stop as soon as a latency or failure target is missed for good."`
	ExitCodeOnError int    `locust:"EXIT_CODE_ON_ERROR" default:"1" help:"The exit code when a request failed; 0 to let failures pass."`

	CSV            string `name:"csv" locust:"CSV" placeholder:"PREFIX" help:"Write PREFIX_stats.csv, _stats_history.csv, _failures.csv and _exceptions.csv, each second and at the end."`
	CSVFullHistory bool   `name:"csv-full-history" locust:"CSV_FULL_HISTORY" help:"A row for each endpoint in the history, not only for all together."`
	HTML           string `name:"html" locust:"HTML" placeholder:"FILE" help:"Write the report as a page in one file."`
	JSON           string `name:"json" locust:"JSON_FILE" placeholder:"FILE" help:"Write the figures as JSON; - is standard output."`
	JUnit          string `name:"junit" placeholder:"FILE" help:"Write the targets as JUnit XML, for a CI job."`
	Summary        string `placeholder:"FILE" help:"Write a summary in Markdown, for a CI job's page."`
	PrintStats     bool   `locust:"PRINT_STATS" help:"Print the table while the page is served, too."`
	OnlySummary    bool   `locust:"ONLY_SUMMARY" help:"Print only what came of it at the end."`
	ShowTaskRatio  bool   `locust:"SHOW_TASK_RATIO" help:"Print how users and tasks are shared out, and end."`
	List           bool   `short:"l" locust:"LIST" help:"Print the classes of users and their tasks, and end."`
	LogFile        string `name:"logfile" locust:"LOGFILE" placeholder:"FILE" help:"Write the log to a file. Tables stay on standard error."`
	LogLevel       string `name:"loglevel" short:"L" locust:"LOGLEVEL" default:"info" help:"What is logged: debug, info, warning, error or critical."`

	Worker     bool   `locust:"MODE_WORKER" help:"Be a worker of a Locust master, whose locustfile has the same classes: loadtest/locustfile.py."`
	MasterHost string `locust:"MASTER_NODE_HOST" default:"127.0.0.1" help:"Where the master is."`
	MasterPort int    `locust:"MASTER_NODE_PORT" default:"5557" help:"The master's port."`
}

func (*loadtestCmd) Help() string {
	return `Users of the classes given sign in, do their tasks, wait, and do more, as in Locust. Start it and open http://localhost:8089: choose how many users, start, and watch. With --headless it begins at once and prints a table every two seconds.

Only PayrixaAPIUser runs unless classes are named (Locust would run all). Each user has a connection of its own, so users are concurrent connections.

With --arrival-rate tasks begin on a schedule instead, and users are those that serve it: times count from when a request was due, so that a server that stalls can't hide it. Without it users wait for answers, as real ones do, and ask less while the server stalls.

Targets are held against the time in which all users are there. Keys while it runs on a terminal: w and W add 1 and 10 users, s and S take them away.

Exit codes: 0; 1 when requests failed; 98 when this program was too slow itself, so that the run says nothing about the server; 99 when a target was missed. Options are LOCUST_ or UPSTREAM_LOADTEST_ variables too.

Examples:  upstream loadtest --users 100 --spawn-rate 10
           upstream loadtest --headless --arrival-rate 4000 --run-time 1m
           upstream loadtest PayrixaAPIUser AdminUser --headless -u 50 -r 5 -t 2m --csv out --html report.html`
}

// runTime is a time as Locust has it.
type runTime time.Duration

// UnmarshalText reads 20, 20s, 3m or 1h20m.
func (t *runTime) UnmarshalText(text []byte) error {
	d, err := load.ParseRunTime(string(text))
	*t = runTime(d)
	return err
}

// stopTime is a runTime that may be 0, which is Locust's default: cut off at once.
type stopTime time.Duration

// UnmarshalText reads 0, 20, 20s, 3m or 1h20m.
func (t *stopTime) UnmarshalText(text []byte) error {
	if s := string(text); s == "0" || s == "0s" {
		*t = 0
		return nil
	}
	return (*runTime)(t).UnmarshalText(text)
}

func (t runTime) String() string { return time.Duration(t).String() }

// plan makes of the options what a run is to be, and all classes there are.
func (c *loadtestCmd) plan() (p load.Plan, all []*load.Class, err error) {
	all, err = load.Tagged(load.Classes(load.Accounts{Username: c.Username, Password: c.Password, AdminUsername: c.AdminUsername, AdminPassword: c.AdminPassword}), words(c.Tags), words(c.Exclude))
	if err != nil {
		return p, nil, err
	}
	if len(c.Classes) == 0 {
		c.Classes = []string{all[0].Name}
	}
	p = load.Plan{
		Host: strings.TrimSuffix(c.Host, "/"), RunTime: time.Duration(c.RunTime), Seed: c.Seed,
		Engine: load.Engine(c.Engine), Timeout: time.Duration(c.Timeout), StopTimeout: time.Duration(c.StopTimeout), MaxSlip: c.MaxSlip, ResetStats: c.ResetStats,
		UserAgent: "upstream-loadtest/" + version,
	}
	if p.Seed == 0 {
		p.Seed = rand.Uint64() >> 11 // a number that JSON readers keep whole
	}
	if c.ArrivalRate != "" {
		arrivals, err := load.ParseArrivals(c.ArrivalRate)
		if err != nil {
			return p, nil, err
		}
		p.Arrivals = &arrivals
	}
	if p.Classes, err = load.SelectClasses(all, c.Classes); err != nil {
		return p, nil, err
	}
	if c.NoWait {
		for _, class := range all { // all of them are this run's own
			class.Wait = nil
		}
	}
	c.fill(&p)
	return p, all, p.Check()
}

// arrivalUsers serve a schedule unless told otherwise: enough for a server whose
// answers take a second at 100 a second.
const arrivalUsers = 100

// fill puts in how many users.
func (c *loadtestCmd) fill(p *load.Plan) {
	p.Users, p.SpawnRate = 1, 1
	if p.Arrivals != nil {
		p.Users = arrivalUsers
	}
	if c.Users != nil {
		p.Users = *c.Users
	}
	if p.Arrivals != nil {
		p.SpawnRate = float64(max(p.Users, 1))
	}
	if c.SpawnRate != nil {
		p.SpawnRate = *c.SpawnRate
	}
}

// usersGiven is how many users were asked for, 0 if the user did not say.
func (c *loadtestCmd) usersGiven() int {
	if c.Users == nil {
		return 0
	}
	return *c.Users
}

// words splits what Locust separates by spaces.
func words(texts []string) []string {
	return strings.FieldsFunc(strings.Join(texts, " "), func(r rune) bool { return r == ' ' || r == ',' })
}

// targets are what the run is held against.
func (c *loadtestCmd) targets(p *load.Plan) ([]load.Target, error) {
	known := load.Requests(p.Classes)
	if c.Targets == "" {
		return slices.DeleteFunc(load.GuideTargets(), func(t load.Target) bool { return !slices.Contains(known, t.Method+" "+t.Name) }), nil
	}
	f, err := os.Open(c.Targets)
	if err != nil {
		return nil, upstream.Errorf(upstream.NotFound, "can't read --targets %s: %w", c.Targets, errors.Unwrap(err))
	}
	defer f.Close()
	targets, err := load.ReadTargets(f, known)
	if err != nil {
		return nil, fmt.Errorf("--targets %s: %w", c.Targets, err)
	}
	return targets, nil
}
