// Package telemetry is what an operator sees of a running server: metrics,
// logs, health, slow queries, and what systemd is told. No label and no line of a
// log holds claim content, a customer's name or what a user typed.
package telemetry

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"upstream"
)

// Metrics is everything the server counts, in a registry of its own. It is safe
// for use by many goroutines.
type Metrics struct {
	registry *prometheus.Registry
	http     httpMetrics
	cache    cacheMetrics
	jobs     *bounded[*jobMetrics]
	slow     slowLog

	authFailures, rateLimited              named
	ingestRows                             named
	detections                             prometheus.Histogram
	detectionEvents                        named
	slowQueries, auditDropped, scrapeFails prometheus.Counter
}

const namespace = "upstream"

// durations fit what takes from a second to an hour: jobs and waits for them.
var durations = []float64{.01, .05, .1, .5, 1, 5, 15, 60, 300, 900, 3600}

// The classes of failed authentication and of rate limits; others count as other.
var (
	AuthReasons  = []string{"missing", "credentials", "token", "expired", "revoked", "locked", "second_factor", "forbidden", "origin"}
	LimitClasses = []string{"read", "write", "login"}
)

// NewMetrics makes the metrics of a server of this version.
func NewMetrics(version string) *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "1, labelled with what the server was built from."}, []string{"version", "goversion"})
	r.MustRegister(build)
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m := &Metrics{
		registry: r,
		http:     newHTTPMetrics(r),
		cache:    newCacheMetrics(r),
		authFailures: newNamed(r, prometheus.CounterOpts{
			Namespace: namespace, Name: "auth_failures_total", Help: "Requests refused because of who asked, by the class of the reason.",
		}, "reason", AuthReasons...),
		rateLimited: newNamed(r, prometheus.CounterOpts{
			Namespace: namespace, Name: "rate_limited_total", Help: "Requests refused because they came too fast, by class of limit.",
		}, "class", LimitClasses...),
		ingestRows: newNamed(r, prometheus.CounterOpts{
			Namespace: namespace, Name: "ingest_rows_total", Help: "Rows of uploads, by what became of them.",
		}, "result", "inserted", "updated", "unchanged", "rejected"),
		detections: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "detection_duration_seconds", Help: "How long the detection of one customer took.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
		}),
		detectionEvents: newNamed(r, prometheus.CounterOpts{
			Namespace: namespace, Name: "detection_events_total", Help: "Drift events that detection found, by type.",
		}, "drift_type", string(upstream.DenialRate), string(upstream.DecisionTime), string(upstream.AllowedAmount), string(upstream.Takeback), string(upstream.Overturn)),
		slowQueries:  prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "db_slow_queries_total", Help: "Statements slower than --slow-query."}),
		auditDropped: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "audit_dropped_total", Help: "Audit entries that could not be kept; anything but 0 needs a person."}),
		scrapeFails:  prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "scrape_failures_total", Help: "Scrapes that could not read the job queue."}),
	}
	m.jobs = newJobMetrics(r)
	r.MustRegister(m.detections, m.slowQueries, m.auditDropped, m.scrapeFails)
	return m
}

// AuthFailed counts a refused request; reason is one of AuthReasons.
func (m *Metrics) AuthFailed(reason string) { m.authFailures.inc(reason) }

// RateLimited counts a request that came too fast; class is one of LimitClasses.
func (m *Metrics) RateLimited(class string) { m.rateLimited.inc(class) }

// Ingested counts the rows of an upload, or of a part of it.
func (m *Metrics) Ingested(t upstream.Tally) {
	m.ingestRows["inserted"].Add(float64(t.Inserted))
	m.ingestRows["updated"].Add(float64(t.Updated))
	m.ingestRows["unchanged"].Add(float64(t.Unchanged))
	m.ingestRows["rejected"].Add(float64(t.Rejected))
}

// Detected counts one run of detection and the types of the events it found.
func (m *Metrics) Detected(took time.Duration, events []upstream.DriftEvent) {
	m.detections.Observe(took.Seconds())
	for i := range events {
		m.detectionEvents.inc(string(events[i].Signal))
	}
}

// AuditDropped counts an audit entry that could not be kept.
func (m *Metrics) AuditDropped() { m.auditDropped.Inc() }
