package telemetry

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requestDurations hold the limits of the guide's table (50, 200, 500 and 1,000
// ms) as bounds, so that the share within a limit is exact.
var requestDurations = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .2, .5, 1, 2.5, 5, 10}

type httpMetrics struct {
	durations *prometheus.HistogramVec
	bytes     *prometheus.CounterVec
	inFlight  prometheus.Gauge
}

func newHTTPMetrics(r prometheus.Registerer) httpMetrics {
	h := httpMetrics{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "http_request_duration_seconds", Help: "How long requests took, by route pattern, method and status.", Buckets: requestDurations,
		}, []string{"route", "method", "code"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "http_response_bytes_total", Help: "Bytes of answers as they were sent, by route pattern and method.",
		}, []string{"route", "method"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "http_requests_in_flight", Help: "Requests being answered now.",
		}),
	}
	r.MustRegister(h.durations, h.bytes, h.inFlight)
	return h
}

// Route counts the requests of one route. Make it once, when the route is made.
type Route struct {
	m               *httpMetrics
	pattern, method string
	bytes           prometheus.Counter
	codes           [500]atomic.Pointer[prometheus.Observer] // of status 100 to 599
}

// Route returns the counters of a route: its pattern, never a path, and its
// method. The pattern of what no route serves is "unmatched".
func (m *Metrics) Route(pattern, method string) *Route {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default: // a client may send any word
		method = other
	}
	return &Route{m: &m.http, pattern: pattern, method: method, bytes: m.http.bytes.WithLabelValues(pattern, method)}
}

// Begin counts a request as being answered, until End.
func (r *Route) Begin() { r.m.inFlight.Inc() }

// End counts a request that was answered: its status, how long it took, and the
// bytes that were sent.
func (r *Route) End(code int, took time.Duration, bytes int64) {
	r.m.inFlight.Dec()
	r.bytes.Add(float64(max(bytes, 0)))
	if code < 100 || code > 599 {
		code = http.StatusInternalServerError
	}
	at := &r.codes[code-100]
	o := at.Load()
	if o == nil {
		made := r.m.durations.WithLabelValues(r.pattern, r.method, strconv.Itoa(code))
		o = &made
		at.Store(o)
	}
	(*o).Observe(took.Seconds())
}
