package load

import (
	"fmt"
	"time"
)

// Notes says what a reader of the figures must know of them, in sentences: how they
// were measured, and what may have limited them. Console and summary show them.
func Notes(s *Snapshot) (notes []string) {
	if s.Reason != "" {
		notes = append(notes, "The run ended by itself: "+s.Reason+".")
	}
	if s.Total.Requests == 0 {
		return append(notes, "Nothing was asked.")
	}
	notes = append(notes, s.steadyNote(), s.gapNote())
	if n := s.Total.Throttled; n > 0 {
		notes = append(notes, fmt.Sprintf("%d answers were 429: the server throttles, and these are the figures of its limits. `upstream serve --rate-limit off` lifts them for a load test.", n))
	}
	if s.Unsent > 0 {
		notes = append(notes, fmt.Sprintf("%d arrivals were due and never made, as all %d users were waiting for answers: the server does not keep up with the schedule, or it takes more --users.", s.Unsent, s.Plan.Users))
	}
	return append(notes, s.generatorNote())
}

func (s *Snapshot) steadyNote() string {
	if s.SteadyFrom.IsZero() {
		return "There is no steady window: it begins when all users are there, and targets are held against it."
	}
	return fmt.Sprintf("Targets are held against the steady window, with all users there: %v from %s to %s, %d requests.",
		s.span().Round(100*time.Millisecond), s.SteadyFrom.Format(time.TimeOnly), s.SteadyTo.Format(time.TimeOnly), s.Total.Steady.Requests)
}

// gapNote sets both latencies side by side, and says what neither can show.
func (s *Snapshot) gapNote() string {
	r, v, when := &s.Total.Steady.Response, &s.Total.Steady.Service, "in that window"
	if r.Count == 0 {
		r, v, when = &s.Total.Response, &s.Total.Service, "over the run"
	}
	text := fmt.Sprintf("Response times count from when a request was meant to be sent: p95 %s ms, p99 %s ms %s. From sending it, service times are p95 %s ms, p99 %s ms.",
		ms(r.Quantile(95)), ms(r.Quantile(99)), when, ms(v.Quantile(95)), ms(v.Quantile(99)))
	if s.Plan.Arrivals == nil {
		text += " This was the closed model: a user asks again only when it has an answer, so that a server that stalls is asked less and most of the stall is in no figure. --arrival-rate asks by a schedule, whatever the server does."
	}
	return text
}

func (s *Snapshot) generatorNote() string {
	if why := s.generatorLimit(); why != "" {
		return "The generator itself was the limit, and the figures say nothing of the server: " + why + "."
	}
	text := fmt.Sprintf("The generator took %.0f %% of this machine's processors", 100*s.GeneratorCPU)
	if s.Slip.Count > 0 {
		text += fmt.Sprintf(", and sent 99 of 100 requests within %s ms of when they were due", ms(s.Slip.Quantile(99)))
	}
	return text + "."
}
