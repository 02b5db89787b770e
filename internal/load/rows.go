package load

import (
	"slices"
	"time"
)

// Row is a second of a run, for charts. Of runs longer than two hours a row is two
// seconds, then four, so that a run of days takes no more memory than one of hours.
type Row struct {
	At                       time.Time // its end
	Span                     time.Duration
	Users                    int
	Requests, Failures       int64
	Mean, P50, P95, P99, Max float64 // response times in milliseconds; 0 without requests
	Heat                     Heat
}

// RPS is the row's requests a second.
func (r *Row) RPS() float64 { return perSecond(r.Requests, r.Span) }

// Whole tells that a row is long enough for a rate. The last row of a run may not be.
func (r *Row) Whole() bool { return r.Span >= time.Second/2 }

const maxRows = 7200

// HeatBounds are the upper bounds of the bands of a heat map, in milliseconds; the last
// band has none.
var HeatBounds = []float64{.1, .2, .5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 60_000}

// Heat is how many response times lay in each band.
type Heat [18]int64

func (h *Heat) add(d time.Duration) {
	at := float64(d.Microseconds()) / 1000
	i, _ := slices.BinarySearch(HeatBounds, at)
	h[i]++
}

// row ends the present second and begins another.
func (s *stats) row(began time.Time, now time.Duration, users int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.total.recent[s.second]
	l := t.response.summary()
	s.rows = append(s.rows, Row{
		At: began.Add(now), Span: now - s.rowed, Users: users, Requests: t.requests, Failures: t.failures,
		Mean: l.Mean, P50: l.Quantile(50), P95: l.Quantile(95), P99: l.Quantile(99), Max: l.Max, Heat: s.heat,
	})
	s.rowed = now
	s.thin()
	s.heat = Heat{}
	s.seconds++
	s.second = (s.second + 1) % len(s.total.recent)
	for _, e := range s.all() {
		e.recent[s.second].reset()
	}
}

// thin halves the rows when there are too many. The worse of two percentiles stays: no
// peak is lost.
func (s *stats) thin() {
	if len(s.rows) < maxRows {
		return
	}
	for i := range len(s.rows) / 2 {
		s.rows[i] = s.rows[2*i].with(&s.rows[2*i+1])
	}
	s.rows = slices.Clip(s.rows[:len(s.rows)/2])
}

func (a Row) with(b *Row) Row {
	if n := a.Requests + b.Requests; n > 0 {
		a.Mean = (a.Mean*float64(a.Requests) + b.Mean*float64(b.Requests)) / float64(n)
	}
	a.At, a.Span, a.Users = b.At, a.Span+b.Span, b.Users
	a.Requests, a.Failures = a.Requests+b.Requests, a.Failures+b.Failures
	a.P50, a.P95, a.P99, a.Max = max(a.P50, b.P50), max(a.P95, b.P95), max(a.P99, b.P99), max(a.Max, b.Max)
	for i := range a.Heat {
		a.Heat[i] += b.Heat[i]
	}
	return a
}
