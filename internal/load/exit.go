package load

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// ExitOptions say what counts for an exit code.
type ExitOptions struct {
	OnError      int  // the code for failures and exceptions; 0 lets them pass
	TargetsGiven bool // by the user: one that could not be judged then counts as missed
}

// The exit codes beside 0 and that for failures, which is 1 unless the user gives another.
const (
	ExitGenerator = 98 // the generator was the limit, and the run says nothing
	ExitTargets   = 99 // a target was missed
)

// Where the generator itself is the limit.
const (
	DefaultMaxSlip = 5 * time.Millisecond // at the 99th percentile, unless a plan has another
	maxCPU         = .9
)

// maxSlip is that limit in milliseconds.
func (s *Snapshot) maxSlip() float64 {
	return milliseconds(cmp.Or(s.Plan.MaxSlip, DefaultMaxSlip).Microseconds())
}

// ExitCode returns how a run is to end, and a sentence that says why.
func ExitCode(s *Snapshot, v []Verdict, o ExitOptions) (int, string) {
	if s.Reason != "" {
		return max(o.OnError, 1), "The run ended by itself: " + s.Reason + "."
	}
	if what := s.failed(); o.OnError != 0 && what != "" {
		return o.OnError, what
	}
	if why := s.generatorLimit(); why != "" {
		return ExitGenerator, "The generator was the limit and the run says nothing of the server: " + why + "."
	}
	missed, unjudged, open := 0, 0, 0
	for i := range v {
		switch {
		case v[i].Outcome == Missed:
			missed++
		case o.fails(&v[i]):
			open++
		case v[i].Outcome == Unjudged:
			unjudged++
		}
	}
	switch {
	case missed > 0:
		return ExitTargets, fmt.Sprintf("%d of %d targets were missed.", missed, len(v))
	case open > 0:
		return ExitTargets, fmt.Sprintf("%d of %d targets could not be judged.", open, len(v))
	case len(v) == 0:
		return 0, "Nothing failed."
	case unjudged > 0:
		return 0, fmt.Sprintf("%d of %d targets were met; the others could not be judged.", len(v)-unjudged, len(v))
	}
	return 0, "All targets were met."
}

// failed says how much failed, "" for nothing.
func (s *Snapshot) failed() string {
	requests := fmt.Sprintf("%d of %d requests failed", s.Total.Failures, s.Total.Requests)
	exceptions := fmt.Sprintf("tasks broke off with an exception %d times", s.exceptions())
	switch {
	case s.Total.Failures > 0 && s.exceptions() > 0:
		return requests + ", and " + exceptions + "."
	case s.Total.Failures > 0:
		return requests + "."
	case s.exceptions() > 0:
		return strings.ToUpper(exceptions[:1]) + exceptions[1:] + "."
	}
	return ""
}

func (s *Snapshot) exceptions() (n int64) {
	for _, e := range s.Exceptions {
		n += e.Count
	}
	return n
}

// generatorLimit tells in what the generator was the limit, "" if in nothing, or if the
// steady window was too short to tell.
func (s *Snapshot) generatorLimit() string {
	slip := s.Slip.Quantile(99)
	switch {
	case slip > s.maxSlip() && s.Slip.Count >= int64(needed(.99)):
		return fmt.Sprintf("one request in a hundred went out more than %s ms late (at most %s ms)", ms(slip), ms(s.maxSlip()))
	case s.GeneratorCPU > maxCPU && s.span() >= shortest:
		return fmt.Sprintf("it took %.0f %% of this machine's processors (at most %.0f %%)", 100*s.GeneratorCPU, 100*maxCPU)
	}
	return ""
}

// fails tells whether a verdict counts as missed. What can't be compared with a
// baseline does not: of that nobody asked for a certain figure.
func (o *ExitOptions) fails(v *Verdict) bool {
	return v.Outcome == Missed || v.Outcome == Unjudged && o.TargetsGiven && v.What == v.base()
}

// span is how long the steady window lasted.
func (s *Snapshot) span() time.Duration { return s.SteadyTo.Sub(s.SteadyFrom) }
