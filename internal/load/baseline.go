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

// A figure is a regression where three things come together. The intervals of both runs
// lie apart, so that it is not the luck of few requests. It is worse by more than
// maxRatio: intervals know of one run's requests, not of the machine, on which two runs
// of one binary differ by a tenth or more. And a time is worse by more than floor:
// beneath it lie a garbage collection, a timer's grain and a time slice of the kernel,
// which can double a quantile of half a millisecond and mean nothing to anybody.
const (
	maxRatio = 1.25
	floor    = 1.0 // milliseconds
)

// maxBaseline bounds the size of a baseline, in bytes.
const maxBaseline = 64 << 20

// ReadBaseline reads what --json wrote.
func ReadBaseline(r io.Reader) (Result, error) {
	const how = "make a baseline with `upstream loadtest --json FILE`"
	var result Result
	dec := json.NewDecoder(io.LimitReader(r, maxBaseline))
	if err := dec.Decode(&result); err != nil {
		return Result{}, fmt.Errorf("the baseline is not JSON of a load test (%w): %s", err, how)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Result{}, fmt.Errorf("the baseline has something after the result: %s", how)
	}
	if len(result.Endpoints) == 0 || result.Started == nil {
		return Result{}, fmt.Errorf("the baseline has no endpoints or no start: %s", how)
	}
	if result.SteadyFrom == nil {
		return Result{}, fmt.Errorf("the baseline has no steady window, so that there is nothing to compare with: %s and a longer run", how)
	}
	return result, nil
}

// CompareBaseline holds the steady window of a run against that of an earlier one: for
// each endpoint of it requests a second and three quantiles. A regression is a missed
// target. Limit is the worst that is none, Why the ratio of now to before.
func CompareBaseline(before, now Result) (verdicts []Verdict) {
	differs := unlike(&before.Plan, &now.Plan)
	for i := range before.Endpoints {
		b := &before.Endpoints[i]
		if b.Steady.Requests == 0 {
			continue
		}
		n := now.endpoint(b.Method, b.Name)
		for j := range b.Steady.compared() {
			v := Verdict{Method: b.Method, Name: b.Name, Outcome: Unjudged}
			var present *SteadyResult
			if n != nil {
				present = &n.Steady
			}
			v.compare(&b.Steady, present, j)
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
	IntervalResult
}

// compared lists the figures that are held against each other. That of a rate has the
// interval of a count, by Poisson's variance.
func (s *SteadyResult) compared() []compared {
	half := 0.0
	if s.Requests > 0 {
		half = z * s.RPS / math.Sqrt(float64(s.Requests))
	}
	return []compared{
		{rps, 0, IntervalResult{s.RPS, s.RPS - half, s.RPS + half}},
		{"p50", .5, s.P50},
		{"p95", .95, s.P95},
		{"p99", .99, s.P99},
	}
}

// compare judges the j-th figure of two windows; now is nil for an endpoint that is
// gone.
func (v *Verdict) compare(before, now *SteadyResult, j int) {
	b := before.compared()[j]
	v.What = b.what + AgainstBaseline
	if v.Limit = max(b.At*maxRatio, b.At+floor); v.least() {
		v.Limit = b.At / maxRatio
	}
	if now == nil || now.Requests == 0 {
		v.Why = "not asked in this run's steady window"
		return
	}
	n := now.compared()[j]
	v.Measured, v.Low, v.High = n.At, n.Low, n.High
	if !v.enough(min(before.Requests, now.Requests), needed(b.quantile)) {
		return
	}
	v.Why = fmt.Sprintf("the baseline has %s", figure(b.what, b.At))
	if b.At > 0 {
		v.Why = fmt.Sprintf("%.2f times the baseline's %s", n.At/b.At, figure(b.what, b.At))
	}
	worse, apart := n.At > v.Limit, n.Low > b.High
	if v.least() {
		worse, apart = n.At < v.Limit, n.High < b.Low
	}
	switch {
	case !worse:
		v.Outcome = Met
	case apart:
		v.Outcome = Missed
	default:
		v.Why += ", but the intervals of both runs overlap: a longer run would tell"
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
