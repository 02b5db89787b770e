package telemetry

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// other is the label of what has no name of its own.
const other = "other"

// named are counters by one label whose values are fixed beforehand; anything else
// counts as other, so that no input becomes a label.
type named map[string]prometheus.Counter

func newNamed(r prometheus.Registerer, o prometheus.CounterOpts, label string, values ...string) named {
	vec := prometheus.NewCounterVec(o, []string{label})
	r.MustRegister(vec)
	n := named{other: vec.WithLabelValues(other)}
	for _, v := range values {
		n[v] = vec.WithLabelValues(v)
	}
	return n
}

func (n named) inc(value string) {
	c, ok := n[value]
	if !ok {
		c = n[other]
	}
	c.Inc()
}

// maxValues bounds the values of a label whose set only the running program knows.
const maxValues = 64

// bounded makes what is kept for each value of a label on its first use, and
// counts the values after maxValues as other.
type bounded[T any] struct {
	make func(value string) T
	mu   sync.RWMutex
	made map[string]T
}

func newBounded[T any](f func(string) T) *bounded[T] {
	return &bounded[T]{make: f, made: map[string]T{}}
}

func (b *bounded[T]) of(value string) T {
	b.mu.RLock()
	v, ok := b.made[value]
	b.mu.RUnlock()
	if ok {
		return v
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.made) >= maxValues {
		value = other
	}
	if v, ok = b.made[value]; !ok {
		v = b.make(value)
		b.made[value] = v
	}
	return v
}
