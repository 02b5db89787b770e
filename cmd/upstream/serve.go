package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"upstream"
	"upstream/internal/api"
	"upstream/internal/jobs"
	"upstream/internal/limit"
	"upstream/internal/store"
	"upstream/internal/telemetry"
)

type serveCmd struct {
	Listen      string `default:":8000" placeholder:"ADDRESS" help:"Where the API answers."`
	PrintConfig bool   `help:"Print every option as it is in effect, without secrets, and end."`
	serverFlags `kong:"set='rates=read=50/100,write=10/20,login=5/10',set='admin=127.0.0.1:8001',set='drain=5s'"`
}

// serverFlags are what a server can be told, the demo's too.
type serverFlags struct {
	Admin        string        `default:"${admin}" placeholder:"ADDRESS" help:"Where metrics, profiles and slow queries are shown to anyone who can reach it: keep it on loopback. off for nowhere."`
	Redis        string        `secret:"url" placeholder:"URL" help:"Share answers and rate limits with other servers: redis://host:6379/0. Without it each server has its own."`
	RateLimit    string        `default:"${rates}" placeholder:"LIST" help:"Requests a second / at once, by class, of each token; off for no limits."`
	Workers      int           `default:"2" help:"Jobs that run at once in this process; 0 leaves them to upstream worker."`
	TrustedProxy []string      `placeholder:"CIDR" help:"Proxies whose X-Forwarded-For is believed."`
	PublicURL    string        `name:"public-url" placeholder:"URL" help:"Where users reach the server, as https://upstream.example: links begin with it. Cookies need TLS unless it begins with http:."`
	MaxUpload    int64         `default:"4294967296" placeholder:"BYTES" help:"The largest file that may be sent."`
	Cache        int64         `default:"67108864" placeholder:"BYTES" help:"Memory for answers that are kept."`
	SlowQuery    time.Duration `placeholder:"DURATION" help:"Log statements that take longer, with their plan, as 100ms."`
	CountQueries bool          `help:"Tell in the header X-Query-Count how many statements an answer took."`
	Drain        time.Duration `default:"${drain}" help:"How long requests are still answered after SIGTERM, while /readyz tells the load balancer to send no more."`
	LogLevel     string        `default:"info" enum:"debug,info,warn,error" help:"What is logged: debug, info, warn or error."`
}

func (*serveCmd) Help() string {
	return `Serves the API under /api/v1/, with its documentation at /api/v1/docs/, and does the work behind it: loading uploads, detection, schedules. SIGTERM stops it gracefully; what was acknowledged is kept, and a job that was cut off goes on later.

A first start makes the database. Then make a customer and somebody who may sign in:
  upstream customer create "Northside Orthopedics"
  upstream user create ann --customer 1 --role owner

Example:  upstream serve --database postgres://upstream@db/upstream --redis redis://cache:6379/0`
}

func (c *serveCmd) Run(a *app) error {
	if c.PrintConfig {
		printConfig(a.stdout, a.command)
		return nil
	}
	d, err := c.open(c.Listen)
	if err != nil {
		return err
	}
	defer d.close()
	s, err := a.open()
	if err != nil {
		return err
	}
	ready := func(o *api.Options) error {
		if err := tellFirstUser(a, s, o.Log); err != nil {
			return err
		}
		o.Log.Info("serving", "url", "http://"+d.public[0].Addr().String()+api.Prefix, "admin", addressOf(d.admin), "version", version)
		return nil
	}
	if err = refuseDemoUsers(a, s, c.Listen, c.PublicURL != "" || len(c.TrustedProxy) > 0); err == nil {
		err = c.serve(a, s, d, ready)
	}
	if a.Err() != nil && errors.Is(err, context.Canceled) { // told to stop before it served
		err = nil
	}
	return errors.Join(err, s.Close())
}

// tellFirstUser says how to make somebody who may sign in, where there is nobody.
func tellFirstUser(a *app, s *store.Store, log *slog.Logger) error {
	users, err := s.CountUsers(a, 0)
	if err == nil && users == 0 {
		log.Warn("nobody can sign in yet; run `upstream customer create NAME`, then `upstream user create NAME --role owner --customer ID`")
	}
	return err
}

// The time limits of connections. Bodies have their own, see the api package.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second // also of bodies that nobody wants; uploads renew it
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	// stopTimeout bounds how long requests and jobs may take to end. Jobs that are cut
	// off go on elsewhere or later.
	stopTimeout = 30 * time.Second
)

// serve opens what a server needs, in order, answers until the context ends, and
// closes everything in reverse. ready is called when it is about to answer.
func (f *serverFlags) serve(a *app, s *store.Store, d doors, ready func(*api.Options) error) (err error) {
	o, err := f.options(a, s)
	if err != nil {
		return err
	}
	// What goes on behind the answers ends after the last of them, not with the signal.
	work, end := context.WithCancel(context.WithoutCancel(a))
	defer end()
	shared, err := f.openRedis(work, a, &o)
	if err != nil {
		return err
	}
	if shared != nil {
		defer shared.Close()
	}
	queue, err := jobs.Open(work, a.database, s, jobOptions(a, f.Workers, o.Log, o.Metrics))
	if err != nil {
		return err
	}
	o.Jobs = queue
	server, err := api.New(work, o)
	if err != nil {
		return errors.Join(err, queue.Stop(work))
	}
	audited := make(chan struct{})
	go func() { defer close(audited); server.Run(work) }()
	defer func() { end(); <-audited }()
	if err := queue.Start(work); err != nil {
		return errors.Join(err, queue.Stop(work))
	}
	defer func() {
		stopping, cancel := context.WithTimeout(work, stopTimeout)
		defer cancel()
		err = errors.Join(err, queue.Stop(stopping))
	}()
	f.watch(&o, s, server, shared)
	if err := ready(&o); err != nil {
		return err
	}
	return f.answer(a, d, server, &o)
}

// answer answers requests until the context ends: then /readyz fails at once,
// requests are still answered for a while, and those under way end.
func (f *serverFlags) answer(a *app, d doors, server *api.Server, o *api.Options) error {
	var draining atomic.Bool
	checks := func(ctx context.Context) []telemetry.Check {
		return append(server.Checks(ctx), telemetry.Check{Name: "serving", OK: !draining.Load(), Detail: "stops soon"})
	}
	public := httpServer(front(server, checks, &draining), o.Log)
	failed := make(chan error, len(d.public)+1)
	if d.admin != nil {
		admin := adminServer(o.Metrics, checks, o.Log)
		defer admin.Close()
		handOut(admin, []net.Listener{d.admin}, failed)
	}
	handOut(public, d.public, failed)
	systemd := telemetry.Systemd(a.getenv)
	told := systemd.Ready()
	go systemd.Watch(a, func() bool { return true })
	var err error
	select {
	case err = <-failed:
	case <-a.Done():
	}
	draining.Store(true)
	o.Log.Info("stopping")
	told = errors.Join(told, systemd.Stopping())
	if err == nil && f.Drain > 0 {
		time.Sleep(f.Drain) // a second signal ends the process
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(a), stopTimeout)
	defer cancel()
	if shutdown := public.Shutdown(stopping); shutdown != nil {
		err = errors.Join(err, public.Close())
	}
	return errors.Join(err, told)
}

// front is what the public address answers: probes and the API. While it drains,
// each answer asks for another connection, so that none lies idle when the server
// closes it and a request that is just being sent would be lost.
func front(server *api.Server, checks func(context.Context) []telemetry.Check, draining *atomic.Bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", telemetry.Live)
	mux.Handle("GET /readyz", telemetry.Ready(checks, false))
	mux.Handle("/", server)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() {
			w.Header().Set("Connection", "close")
		}
		mux.ServeHTTP(w, r)
	})
}

func adminServer(m *telemetry.Metrics, checks func(context.Context) []telemetry.Check, log *slog.Logger) *http.Server {
	s := httpServer(telemetry.Admin(m, checks), log)
	s.WriteTimeout = 0 // profiles take as long as they are asked to
	return s
}

func httpServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 16 << 10,
		// What it says of connections quotes what clients sent.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// options checks the flags, all at once, and makes the options that need nothing
// opened.
func (f *serverFlags) options(a *app, s *store.Store) (o api.Options, err error) {
	rates, err := limit.ParseRates(f.RateLimit)
	if f.MaxUpload < 1 || f.Cache < 1 || f.Workers < 0 || f.Drain < 0 || f.SlowQuery < 0 {
		err = errors.Join(err, upstream.Errorf(upstream.Invalid, "--max-upload and --cache must be positive, --workers, --drain and --slow-query not negative"))
	}
	if f.PublicURL != "" && !strings.HasPrefix(f.PublicURL, "https://") && !strings.HasPrefix(f.PublicURL, "http://") {
		err = errors.Join(err, upstream.Errorf(upstream.Invalid, "--public-url must begin with https:// or http://"))
	}
	var proxies []netip.Prefix
	for _, text := range f.TrustedProxy {
		p, bad := netip.ParsePrefix(text)
		if bad != nil {
			err = errors.Join(err, upstream.Errorf(upstream.Invalid, "--trusted-proxy must be like 10.0.0.0/8"))
		}
		proxies = append(proxies, p)
	}
	log, bad := a.logger(f.LogLevel)
	err = errors.Join(err, bad)
	return api.Options{
		Store: s, Rates: rates, Metrics: telemetry.NewMetrics(version), Log: log, Now: a.now, Version: version,
		Proxies: proxies, PublicURL: strings.TrimSuffix(f.PublicURL, "/"), MaxUpload: f.MaxUpload, CacheBytes: f.Cache, CountQueries: f.CountQueries,
		Limiter: limit.NewMemoryLimiter(maxLimited),
	}, err
}

// logger makes the log of a program that goes on: JSON, or text for a person.
func (a *app) logger(level string) (*slog.Logger, error) {
	var least slog.Level
	err := least.UnmarshalText([]byte(level))
	return telemetry.NewLogger(a.stderr, a.terminal(), least), err
}

// maxLimited bounds the tokens and addresses whose rates are known at once.
const maxLimited = 100_000

// openRedis makes what servers share, if they are told to.
func (f *serverFlags) openRedis(ctx context.Context, a *app, o *api.Options) (*limit.Redis, error) {
	if f.Redis == "" {
		return nil, nil
	}
	log := o.Log
	r, err := limit.OpenRedis(f.Redis, limit.RedisOptions{Clock: a.now, OnChange: func(up bool, err error) {
		if up {
			log.InfoContext(ctx, "Redis is back")
			return
		}
		log.WarnContext(ctx, "Redis is lost: answers are made anew and each server limits by itself until it is back", "error", err)
	}})
	if err != nil {
		return nil, err
	}
	o.Shared, o.Limiter, o.CacheDown = r, r, func() bool { return !r.Up() }
	return r, nil
}

// jobOptions are those of jobs that are counted and logged; 0 workers only enqueue.
func jobOptions(a *app, workers int, log *slog.Logger, m *telemetry.Metrics) jobs.Options {
	return jobs.Options{
		Log: log, Work: workers > 0, Workers: workers, Now: a.now, Loaded: m.Ingested, Detected: m.Detected,
		Observe: func(kind string, took, waited time.Duration, err error) { m.JobEnded(kind, waited, took, err != nil) },
	}
}

// queueDepth asks how many jobs wait, for metrics.
func queueDepth(queue *jobs.Jobs) func(context.Context) ([]upstream.QueueStats, error) {
	return func(ctx context.Context) ([]upstream.QueueStats, error) {
		stats, err := queue.Stats(ctx)
		return []upstream.QueueStats{{Kind: "all", Waiting: stats.Queued, Running: stats.Running, OldestWait: stats.Oldest}}, err
	}
}

// watch connects the metrics to what they are read from.
func (f *serverFlags) watch(o *api.Options, s *store.Store, server *api.Server, shared *limit.Redis) {
	if f.SlowQuery > 0 {
		s.OnSlow(f.SlowQuery, func(q upstream.SlowQuery) {
			o.Metrics.SlowQuery(q, o.Now())
			o.Log.Warn("slow query", "took", q.Took, "rows", q.Rows, "sql", q.SQL, "plan", q.Plan)
		})
	}
	sources := telemetry.Sources{Pool: s.Pool, Queries: s.Queries, AuditQueue: server.AuditWaiting, Jobs: queueDepth(o.Jobs)}
	if shared != nil {
		sources.Redis = func(context.Context) bool { return shared.Up() }
	}
	o.Metrics.Watch(sources)
}
