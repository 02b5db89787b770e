package telemetry

import "github.com/prometheus/client_golang/prometheus"

type cacheMetrics struct {
	requests *prometheus.CounterVec
	registry prometheus.Registerer
}

func newCacheMetrics(r prometheus.Registerer) cacheMetrics {
	c := cacheMetrics{registry: r, requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "cache_requests_total", Help: "Look-ups in a cache, by result.",
	}, []string{"cache", "result"})}
	r.MustRegister(c.requests)
	return c
}

// Cache counts the look-ups of one cache.
type Cache struct{ hit, miss prometheus.Counter }

// Cache returns the counters of a cache; bytes tells at each scrape how much it
// holds. A name may be used once.
func (m *Metrics) Cache(name string, bytes func() int64) *Cache {
	m.cache.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "cache_size_bytes", Help: "Bytes that a cache holds.", ConstLabels: prometheus.Labels{"cache": name},
	}, func() float64 { return float64(bytes()) }))
	return &Cache{hit: m.cache.requests.WithLabelValues(name, "hit"), miss: m.cache.requests.WithLabelValues(name, "miss")}
}

// Hit counts a look-up that found an answer.
func (c *Cache) Hit() { c.hit.Inc() }

// Miss counts a look-up that found none.
func (c *Cache) Miss() { c.miss.Inc() }
