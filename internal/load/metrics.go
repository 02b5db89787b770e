package load

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// exposition answers the present run's figures in Prometheus format, in its units: seconds
// and shares from 0 to 1. A reset of the statistics, and a new run, let counters begin
// anew.
func exposition(runner *Runner) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{runner})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

type collector struct{ runner *Runner }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("upstream_loadtest_"+name, help, labels, nil)
}

var (
	requestsTotal  = describe("requests_total", "Requests that were answered or failed.", "method", "name")
	failuresTotal  = describe("failures_total", "Requests that failed.", "method", "name")
	throttledTotal = describe("throttled_total", "Failures that were answered 429.", "method", "name")
	bytesTotal     = describe("response_bytes_total", "Bytes of bodies, as they were sent.", "method", "name")
	responseTime   = describe("response_time_seconds", "Time from the intended start of a request to the end of its answer.", "method", "name")
	serviceTime    = describe("service_time_seconds", "Time from the sending of a request to the end of its answer.", "method", "name")
	exceptionTotal = describe("exceptions_total", "Tasks that failed by themselves.")
	userCount      = describe("users", "Users that there are.", "class")
	usersWanted    = describe("users_wanted", "Users that are wanted.")
	stateIs        = describe("state", "1 for the state of the run.", "state")
	slipTime       = describe("slip_seconds", "How late the generator itself was, while all users are there.")
	generatorCPU   = describe("generator_cpu_ratio", "Share of the processors that the generator took in the last second.")
	unsentArrivals = describe("unsent_arrivals", "Arrivals that were due and never made, once the run is over.")
)

// Describe tells all descriptions.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		requestsTotal, failuresTotal, throttledTotal, bytesTotal, responseTime, serviceTime, exceptionTotal,
		userCount, usersWanted, stateIs, slipTime, generatorCPU, unsentArrivals,
	} {
		to <- d
	}
}

// Collect makes metrics of a snapshot.
func (c collector) Collect(to chan<- prometheus.Metric) {
	s := c.runner.Snapshot()
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, f float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, f, labels...)
	}
	for i := range s.Endpoints {
		f := &s.Endpoints[i]
		counter(requestsTotal, f.Requests, f.Method, f.Name)
		counter(failuresTotal, f.Failures, f.Method, f.Name)
		counter(throttledTotal, f.Throttled, f.Method, f.Name)
		counter(bytesTotal, f.Bytes, f.Method, f.Name)
		to <- summaryOf(responseTime, &f.Response, f.Method, f.Name)
		to <- summaryOf(serviceTime, &f.Service, f.Method, f.Name)
	}
	exceptions := int64(0)
	for _, e := range s.Exceptions {
		exceptions += e.Count
	}
	counter(exceptionTotal, exceptions)
	for class, n := range s.Users {
		gauge(userCount, float64(n), class)
	}
	gauge(usersWanted, float64(s.Plan.Users))
	for _, state := range []State{Ready, Spawning, Running, Stopping, Stopped} {
		is := 0.0
		if state == s.State {
			is = 1
		}
		gauge(stateIs, is, string(state))
	}
	to <- summaryOf(slipTime, &s.Slip)
	gauge(generatorCPU, s.CPU)
	gauge(unsentArrivals, float64(s.Unsent))
}

func summaryOf(d *prometheus.Desc, l *Latency, labels ...string) prometheus.Metric {
	quantiles := map[float64]float64{}
	if l.Count > 0 {
		for i, percent := range Quantiles {
			quantiles[percent/100] = l.At[i] / 1000
		}
	}
	return prometheus.MustNewConstSummary(d, uint64(l.Count), l.Mean*float64(l.Count)/1000, quantiles, labels...)
}
