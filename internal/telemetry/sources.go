package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"upstream"
)

// Sources are asked at each scrape for what others know. Those that are nil have
// no metrics.
type Sources struct {
	Pool       func() upstream.PoolStats
	Queries    func() int64                                         // statements since the start
	AuditQueue func() int                                           // entries that are not yet kept
	Redis      func(ctx context.Context) bool                       // whether it answers
	Jobs       func(context.Context) ([]upstream.QueueStats, error) // by kind
}

// scrapeTimeout bounds a source that asks another machine; Prometheus itself waits
// ten seconds.
const scrapeTimeout = 2 * time.Second

// Watch adds the sources; it is called once.
func (m *Metrics) Watch(s Sources) { m.registry.MustRegister(&watcher{s, m.scrapeFails}) }

// watcher collects from the sources.
type watcher struct {
	s     Sources
	fails prometheus.Counter
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

var (
	poolOpen    = describe("db_pool_connections", "Open connections to the database.")
	poolBusy    = describe("db_pool_busy_connections", "Connections that run something now.")
	poolMax     = describe("db_pool_max_connections", "How many connections there may be.")
	poolWaiting = describe("db_pool_waiting", "Who wait for a connection now.")
	poolWaits   = describe("db_pool_waits_total", "Who had to wait for a connection.")
	poolWaited  = describe("db_pool_wait_seconds_total", "How long they waited together.")
	queries     = describe("db_queries_total", "Statements that were run.")
	auditQueue  = describe("audit_queue_entries", "Audit entries that are not yet kept.")
	redisUp     = describe("redis_up", "1 if Redis answers.")
	queueDepth  = describe("jobs_waiting", "Jobs that are due and wait, by kind.", "kind")
	queueBusy   = describe("jobs_running", "Jobs that run, by kind.", "kind")
	queueAge    = describe("jobs_oldest_wait_seconds", "How long the oldest job that is due has waited, by kind.", "kind")
)

// Describe sends the descriptions of all that Collect may send.
func (w *watcher) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		poolOpen, poolBusy, poolMax, poolWaiting, poolWaits, poolWaited, queries, auditQueue, redisUp, queueDepth, queueBusy, queueAge,
	} {
		to <- d
	}
}

// Collect asks the sources.
func (w *watcher) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	if w.s.Pool != nil {
		p := w.s.Pool()
		gauge(poolOpen, float64(p.Open))
		gauge(poolBusy, float64(p.Busy))
		gauge(poolMax, float64(p.Max))
		gauge(poolWaiting, float64(p.Waiting))
		counter(poolWaits, float64(p.Waits))
		counter(poolWaited, p.Waited.Seconds())
	}
	if w.s.Queries != nil {
		counter(queries, float64(w.s.Queries()))
	}
	if w.s.AuditQueue != nil {
		gauge(auditQueue, float64(w.s.AuditQueue()))
	}
	if w.s.Redis != nil {
		up := 0.0
		if w.s.Redis(ctx) {
			up = 1
		}
		gauge(redisUp, up)
	}
	if w.s.Jobs != nil {
		w.collectJobs(ctx, gauge)
	}
}

// collectJobs tells nothing of a queue that can't be read: a gauge that stays
// where it was would lie.
func (w *watcher) collectJobs(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) {
	kinds, err := w.s.Jobs(ctx)
	if err != nil {
		w.fails.Inc()
		return
	}
	for _, k := range kinds[:min(len(kinds), maxValues)] {
		gauge(queueDepth, float64(k.Waiting), k.Kind)
		gauge(queueBusy, float64(k.Running), k.Kind)
		gauge(queueAge, k.OldestWait.Seconds(), k.Kind)
	}
}
