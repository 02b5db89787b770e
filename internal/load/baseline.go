package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// AgainstBaseline ends what a verdict of CompareBaseline is about: "p95 against the
// baseline".
const AgainstBaseline = " against the baseline"

// base is what a verdict is about, against whatever.
func (v *Verdict) base() string { return strings.TrimSuffix(v.What, AgainstBaseline) }

// A figure is a regression where three things come together.
//
//   - The intervals lie apart, so that it is not the luck of few requests.
//   - It is worse by more than maxRatio. Intervals know of one run's requests, not of
//     the machine: eight like runs beside other work had medians up to 1.2 times each
//     other, their intervals apart. Tails and rates differ more, by how much only the
//     machine can tell: a baseline of several runs bounds them by the worst of its own.
//   - A time is worse by more than floor. Beneath it lie a garbage collection, a
//     timer's grain and a time slice of the kernel, which can double half a millisecond
//     and mean nothing to anybody.
const (
	maxRatio = 1.25
	floor    = 1.0 // milliseconds
)

// maxBaseline bounds the size of a baseline, in bytes.
const maxBaseline = 64 << 20

// ReadBaseline reads what --json wrote, of one run or of several, one after another in
// one file. Several show how far like runs differ.
func ReadBaseline(r io.Reader) (runs []Result, err error) {
	const how = "make a baseline with `upstream loadtest --json FILE`, or put several such files into one"
	dec := json.NewDecoder(io.LimitReader(r, maxBaseline))
	for {
		var run Result
		if err := dec.Decode(&run); errors.Is(err, io.EOF) && len(runs) > 0 {
			return runs, nil
		} else if err != nil {
			return nil, fmt.Errorf("the baseline is not JSON of a load test (%w): %s", err, how)
		}
		if len(run.Endpoints) == 0 || run.Started == nil {
			return nil, fmt.Errorf("the baseline has no endpoints or no start: %s", how)
		}
		if run.SteadyFrom == nil {
			return nil, fmt.Errorf("the baseline has no steady window, so that there is nothing to compare with: %s, of a longer run", how)
		}
		if !run.possible() {
			return nil, fmt.Errorf("the baseline has figures that no run can have: %s", how)
		}
		runs = append(runs, run)
	}
}

// possible tells whether the figures that are compared are figures.
func (r *Result) possible() bool {
	for i := range r.Endpoints {
		if !r.Endpoints[i].Steady.possible() {
			return false
		}
	}
	return r.Total.Steady.possible()
}

func (s *SteadyResult) possible() bool {
	for _, c := range s.compared() {
		if c.requests < 0 || !(c.Low <= c.At && c.At <= c.High && 0 <= c.At && c.High <= 2*maxLimit) {
			return false
		}
	}
	return true
}

// CompareBaseline holds the steady window of a run against those of earlier ones: for
// each endpoint of theirs requests a second and three quantiles. A regression is a
// missed target. Limit is the worst that is none, Why the ratio of now to before, which
// is the median of the earlier runs.
func CompareBaseline(before []Result, now Result) (verdicts []Verdict) {
	differs := ""
	var endpoints []endpoint
	windows := map[endpoint][]*SteadyResult{}
	var totals []*SteadyResult
	for i := range before {
		totals = append(totals, &before[i].Total.Steady)
		if differs == "" {
			differs = unlike(&before[i].Plan, &now.Plan)
		}
		for j := range before[i].Endpoints {
			e := &before[i].Endpoints[j]
			k := endpoint{e.Method, e.Name}
			if e.Steady.Requests == 0 {
				continue
			}
			if windows[k] == nil {
				endpoints = append(endpoints, k)
			}
			windows[k] = append(windows[k], &e.Steady)
		}
	}
	slower := totals != nil && now.Total.Steady.RPS < together(totals, 0).At/maxRatio
	for _, k := range endpoints {
		present := &SteadyResult{}
		if e := now.endpoint(k.method, k.name); e != nil {
			present = &e.Steady
		}
		for i := range present.compared() {
			v := Verdict{Method: k.method, Name: k.name, Outcome: Unjudged}
			v.compare(windows[k], present, i, slower)
			if differs != "" {
				v.Outcome, v.Why = Unjudged, differs
			}
			verdicts = append(verdicts, v)
		}
	}
	return verdicts
}

type compared struct {
	what     string
	quantile float64
	requests int64
	IntervalResult
}

// compared lists the figures that are held against each other. That of a rate has the
// interval of a count, by Poisson's variance.
func (s *SteadyResult) compared() []compared {
	half := z * s.RPS / math.Sqrt(float64(max(s.Requests, 1)))
	return []compared{
		{rps, 0, s.Requests, IntervalResult{s.RPS, s.RPS - half, s.RPS + half}},
		{"p50", .5, s.Requests, s.P50},
		{"p95", .95, s.Requests, s.P95},
		{"p99", .99, s.Requests, s.P99},
	}
}

// together makes one figure of those of several windows: the median, and an interval
// that encloses all of theirs.
func together(windows []*SteadyResult, i int) compared {
	all := windows[0].compared()[i]
	var at []float64
	for _, w := range windows {
		c := w.compared()[i]
		at = append(at, c.At)
		all.Low, all.High, all.requests = min(all.Low, c.Low), max(all.High, c.High), min(all.requests, c.requests)
	}
	slices.Sort(at)
	all.At = (at[(len(at)-1)/2] + at[len(at)/2]) / 2
	return all
}

// compare judges the i-th figure of a window. That one endpoint was asked less is a
// regression only where all together were slower: else it is how tasks were drawn.
func (v *Verdict) compare(before []*SteadyResult, now *SteadyResult, i int, slower bool) {
	b, n := together(before, i), now.compared()[i]
	v.What = b.what + AgainstBaseline
	v.Limit = max(b.At*maxRatio, b.At+floor)
	worse, apart := n.At > v.Limit, n.Low > b.High
	if v.least() {
		v.Limit = b.At / maxRatio
		worse, apart = slower && n.At < v.Limit, n.High < b.Low
	}
	if now.Requests == 0 {
		v.Why = "not asked in this run's steady window"
		return
	}
	v.Measured, v.Low, v.High = n.At, n.Low, n.High
	if !v.enough(min(b.requests, n.requests), needed(b.quantile)) {
		return
	}
	v.Why = fmt.Sprintf("the baseline has %s", figure(b.what, b.At))
	if b.At > 0 {
		v.Why = fmt.Sprintf("%.2f times the baseline's %s", n.At/b.At, figure(b.what, b.At))
	}
	switch {
	case !worse:
		if v.Outcome = Met; v.least() && n.At < v.Limit {
			v.Why += ", by how tasks were drawn: all requests together were as many as before"
		}
	case apart:
		v.Outcome = Missed
	default:
		v.Why += ", but within what the baseline itself may be: longer runs would tell"
	}
}

// unlike tells in what two plans differ so that their figures say nothing of a server.
func unlike(before, now *PlanResult) string {
	differ := func(what string, a, b any) string {
		return fmt.Sprintf("the baseline was run with %s %v, this with %v: only like runs compare", what, a, b)
	}
	switch {
	case before.Users != now.Users:
		return differ("--users", before.Users, now.Users)
	case before.ArrivalRate != now.ArrivalRate:
		return differ("--arrival-rate", orNone(before.ArrivalRate), orNone(now.ArrivalRate))
	case before.Engine != now.Engine:
		return differ("--engine", before.Engine, now.Engine)
	case !slices.Equal(before.Classes, now.Classes):
		return differ("user classes", strings.Join(before.Classes, ", "), strings.Join(now.Classes, ", "))
	}
	return ""
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
