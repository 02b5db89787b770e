package load

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"time"
)

// Outcome is what became of a target.
type Outcome string

// The outcomes.
const (
	Met      Outcome = "met"
	Missed   Outcome = "missed"
	Unjudged Outcome = "unjudged" // the run says neither
)

// Verdict is one target against what was measured in the steady window.
type Verdict struct {
	Method, Name string
	What         string  // rps, p50, p95, p99 or failures; of CompareBaseline with AgainstBaseline after it
	Limit        float64 // requests a second, milliseconds, or a share from 0 to 1
	Measured     float64 // the estimate, which decides
	Low, High    float64 // its 95 % confidence interval; of rps, a plain count, Measured itself
	Outcome      Outcome
	Why          string // a sentence's part for a person; "" where nothing is to be said
}

// What a verdict can be about.
const (
	rps      = "rps"
	failures = "failures"
)

var quantiles = map[string]float64{"p50": 50, "p95": 95, "p99": 99}

// least is whether the limit is a lower one.
func (v *Verdict) least() bool { return v.base() == rps }

type limit struct {
	what  string
	value float64
}

// limits lists what a target asks, in the order of the table.
func (t *Target) limits() (all []limit) {
	for _, l := range []limit{{rps, t.MinRPS}, {"p50", t.MaxP50}, {"p95", t.MaxP95}, {"p99", t.MaxP99}} {
		if l.value > 0 {
			all = append(all, l)
		}
	}
	if t.MaxFailureShare != nil {
		all = append(all, limit{failures, *t.MaxFailureShare})
	}
	return all
}

// Judge holds a run against targets, a verdict for each limit. It looks at the steady
// window only: while users are spawned a server has an easier life.
func Judge(s *Snapshot, targets []Target) (verdicts []Verdict) {
	for i := range targets {
		t := &targets[i]
		for _, l := range t.limits() {
			v := Verdict{Method: t.Method, Name: t.Name, What: l.what, Limit: l.value, Outcome: Unjudged}
			if f, why := s.judged(t.Method, t.Name); f == nil {
				v.Why = why
			} else {
				v.judge(s, f)
			}
			verdicts = append(verdicts, v)
		}
	}
	return verdicts
}

// judged returns the figures of an endpoint that has been asked in a steady window, or
// why there are none.
func (s *Snapshot) judged(method, name string) (*Figures, string) {
	i := slices.IndexFunc(s.Endpoints, func(f Figures) bool { return f.Method == method && f.Name == name })
	switch {
	case i < 0 || s.Endpoints[i].Requests == 0:
		return nil, "not asked: no user of this run had it to do"
	case s.SteadyFrom.IsZero():
		return nil, "no steady window: the run must go on for some time after all users are there"
	case s.Endpoints[i].Steady.Requests == 0:
		return nil, "not asked in the steady window: a longer run would"
	}
	return &s.Endpoints[i], ""
}

func (v *Verdict) judge(s *Snapshot, f *Figures) {
	switch v.What {
	case rps:
		v.judgeRate(s, f)
	case failures:
		v.judgeFailures(&f.Steady)
	default:
		v.judgeQuantile(&f.Steady)
	}
}

func (v *Verdict) judgeQuantile(w *Window) {
	percent := quantiles[v.What]
	v.Measured = w.Response.Quantile(percent)
	v.Low, v.High = w.interval(percent)
	if !v.enough(w.Requests, needed(percent/100)) {
		return
	}
	v.decide()
}

func (v *Verdict) judgeFailures(w *Window) {
	v.Measured = float64(w.Failures) / float64(w.Requests)
	v.Low, v.High = shareInterval(w.Failures, w.Requests)
	// That at most a share L fails is that the quantile 1-L is no failure.
	if !v.enough(w.Requests, needed(1-v.Limit)) {
		return
	}
	v.decide()
}

// enough leaves a verdict unjudged where there are too few requests.
func (v *Verdict) enough(requests int64, needed int) bool {
	if requests < int64(needed) {
		v.Why = fmt.Sprintf("%d requests in the steady window are too few: it takes %d", requests, needed)
		return false
	}
	return true
}

// decide goes by the estimate, and says where the next run might come out otherwise.
func (v *Verdict) decide() {
	if v.Outcome = Missed; v.least() && v.Measured >= v.Limit || !v.least() && v.Measured <= v.Limit {
		v.Outcome = Met
	}
	if v.Low < v.High && v.Low <= v.Limit && v.Limit <= v.High {
		v.Why = "the limit is within the interval: a longer run would tell it better"
	}
}

// shortest is how long a steady window must be for a rate.
const shortest = time.Second

func (v *Verdict) judgeRate(s *Snapshot, f *Figures) {
	v.Measured, v.Low, v.High = f.Steady.RPS, f.Steady.RPS, f.Steady.RPS
	if span := s.span(); span < shortest {
		v.Why = fmt.Sprintf("the steady window lasted %v: it takes %v", span.Round(time.Millisecond), shortest)
		return
	}
	if v.decide(); v.Outcome == Missed {
		if why := s.notAsked(f, v.Limit); why != "" {
			v.Outcome, v.Why = Unjudged, why
		}
	}
}

// keptUp is the share of a schedule from which a server counts as keeping up with it.
const keptUp = .95

// notAsked tells why a rate says nothing of the server: it was not asked more often.
// "" where it was.
//
// In the closed model, requests a second times their mean service time is how many
// users are in a request at a time (Little's law). Where that is less than half of
// them, it is their waits that set the rate.
func (s *Snapshot) notAsked(f *Figures, limit float64) string {
	span := s.span().Seconds()
	share := float64(f.Steady.Requests) / float64(s.Total.Steady.Requests)
	rate := strconv.FormatFloat(math.Ceil(limit/share), 'f', -1, 64)
	if a := s.Plan.Arrivals; a != nil {
		scheduled := a.expected(span)
		made := float64(s.Total.Steady.Requests)
		if made+z*math.Sqrt(scheduled) < keptUp*scheduled || s.Unsent > 0 && scheduled*share >= limit*span {
			return ""
		}
		return fmt.Sprintf("the server kept up with the schedule, which asked no more of it: it takes --arrival-rate %s or more", rate)
	}
	users := max(s.Plan.Users, 1)
	busy := s.Total.Steady.RPS * s.Total.Steady.Service.Mean / 1000 / float64(users)
	if busy >= .5 {
		return ""
	}
	more := roughly(float64(users) * limit / f.Steady.RPS)
	return fmt.Sprintf("users were in requests for %.2g %% of their time and waited for the rest: it takes about %.0f users, or --arrival-rate %s", 100*busy, more, rate)
}

// roughly rounds up to two digits.
func roughly(x float64) float64 {
	scale := math.Pow(10, max(0, math.Floor(math.Log10(x))-1))
	return math.Ceil(x/scale) * scale
}

// expected returns how many arrivals a schedule has in its first seconds.
func (a Arrivals) expected(span float64) (n float64) {
	rate := a.Stages[0].Rate
	for _, s := range a.Stages {
		over := s.Over.Seconds()
		if s.Over == 0 {
			return n + s.Rate*span
		}
		within := min(over, span)
		end := rate + (s.Rate-rate)*within/over
		n += (rate + end) / 2 * within
		if span -= within; span <= 0 {
			return n
		}
		rate = s.Rate
	}
	return n
}

// z is the standard normal deviate of a 95 % interval.
const z = 1.959964

// ranks returns the order statistics of n values, the least being the first, that
// enclose their quantile q with 95 % confidence, whatever the distribution: how many
// values are below it is binomial, here by the normal approximation (Le Boudec,
// Performance Evaluation of Computer and Communication Systems, 2010, theorem 2.1). It
// takes values for independent; those of one busy second are not quite, so that the
// interval is the least that is uncertain.
func ranks(n int64, q float64) (low, high int64) {
	mean, half := float64(n)*q, z*math.Sqrt(float64(n)*q*(1-q))
	return int64(math.Floor(mean - half)), int64(math.Ceil(mean+half)) + 1
}

// needed returns the least number of requests whose interval has an upper end.
func needed(q float64) int {
	if q >= 1 {
		return 1
	}
	return 1 + sort.Search(1<<40, func(n int) bool {
		_, high := ranks(int64(n)+1, q)
		return high <= int64(n)+1
	})
}

// interval returns the 95 % confidence interval of a quantile, in milliseconds. Where
// there are too few requests an end is the least or greatest of them.
func (w *Window) interval(percent float64) (low, high float64) {
	if w.response == nil { // made elsewhere
		at := w.Response.Quantile(percent)
		return at, at
	}
	n := w.response.TotalCount()
	first, last := ranks(n, percent/100)
	return w.rank(first, n), w.rank(last, n)
}

// rank returns the response time that is the i-th of n.
func (w *Window) rank(i, n int64) float64 {
	us := w.response.ValueAtPercentile(100 * float64(min(max(i, 1), n)) / float64(n))
	return min(max(milliseconds(us), w.Response.Min), w.Response.Max)
}

// shareInterval is the 95 % score interval of a share (Wilson, 1927).
func shareInterval(k, n int64) (low, high float64) {
	p, m := float64(k)/float64(n), float64(n)
	middle := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return max(0, middle-half), min(1, middle+half)
}
