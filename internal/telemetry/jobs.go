package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// jobMetrics are those of one kind.
type jobMetrics struct {
	took, waited prometheus.Observer
	failed       prometheus.Counter
}

func newJobMetrics(r prometheus.Registerer) *bounded[*jobMetrics] {
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "job_duration_seconds", Help: "How long jobs ran, by kind; each attempt counts.", Buckets: durations,
	}, []string{"kind"})
	waited := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "job_wait_seconds", Help: "How long jobs waited from the time they were due until they ran, by kind.", Buckets: durations,
	}, []string{"kind"})
	failed := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "job_failures_total", Help: "Attempts of jobs that failed, by kind.",
	}, []string{"kind"})
	r.MustRegister(took, waited, failed)
	return newBounded(func(kind string) *jobMetrics {
		return &jobMetrics{took.WithLabelValues(kind), waited.WithLabelValues(kind), failed.WithLabelValues(kind)}
	})
}

// JobEnded counts an attempt of a job: how long it waited since it was due, how
// long it ran, and whether it failed.
func (m *Metrics) JobEnded(kind string, waited, took time.Duration, failed bool) {
	j := m.jobs.of(kind)
	j.took.Observe(took.Seconds())
	j.waited.Observe(waited.Seconds())
	if failed {
		j.failed.Inc()
	}
}
