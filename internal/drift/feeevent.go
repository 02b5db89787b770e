package drift

import "upstream"

// event is the story with its figures.
func (f *fees) event(s feeStory, run *feeRun, asOf upstream.Day) upstream.DriftEvent {
	e := *f.node(s.p, s.g)
	e.Tier, e.Status, e.Direction = s.tier, upstream.Open, upstream.Worse
	e.LnEvidence, e.Confidence = s.lnR, posterior(s.lnR, s.share)
	youngest, oldest := s.scan.interval(intervalMass)
	cut := run.end - s.scan.lag()
	e.ChangeDate, e.ChangeDateLow, e.ChangeDateHigh = f.monday(cut), f.monday(run.end-oldest), f.monday(run.end-youngest)
	e.KnownAt, e.EvidentAt = f.knownAt(s, run), asOf
	if quieted := run.past.quieted(&e); quieted > 1 {
		e.Quieted = quieted
	}
	e.RootCauses, e.SampleClaimIDs = []upstream.RootCause{}, []string{}
	var open []int
	for g, to := f.members(s.p, s.g); g < to; g++ {
		if !run.closed[g] {
			open = append(open, g)
		}
	}
	first := max(cut-feeWeeks, f.start)
	study := f.study(open, first, cut, run.end, func(g int) uint64 { return f.blocked(f.groups[g].payer, g, run) })
	f.fill(&e, study)
	return e
}

// fill sets the figures of an event, but for its evidence and its dates of change.
func (f *fees) fill(e *upstream.DriftEvent, s *feeStudy) {
	e.BaselineValue, e.CurrentValue = s.baseline.mean(), s.current.mean()
	e.DeltaValue = e.CurrentValue - e.BaselineValue
	e.BaselineN, e.CurrentN = s.baseline.lines, s.current.lines
	e.BaselineFirst, e.BaselineLast = f.monday(s.first), f.monday(s.cut)-1
	e.CurrentFirst, e.CurrentLast = f.monday(s.cut), f.monday(s.end)-1
	e.EvidenceClaims = s.current.below
	e.Codes = s.codes(f.monday)
	middle, low, high := s.dollars()
	e.DollarsPerMonth, e.DollarsLow, e.DollarsHigh = middle, new(low), new(high)
}

// knownAt is the last day of the first week since the change at whose end the
// node's own test said what it says now: the same tier or a higher one. A node
// that only another's alarm told of counts from its own first watch.
func (f *fees) knownAt(s feeStory, run *feeRun) upstream.Day {
	for end := max(run.end-s.scan.lag()+1, f.start+firstAlarmDays/5); end < run.end; end++ {
		then := &f.then
		f.begin(then, end, run.budget, run.past)
		plain := newCalendar(f.start, end, 0)
		for p := range f.payers {
			if s.p < 0 || s.p == p {
				f.evaluatePayer(p, then, plain)
			}
		}
		if f.holds(s, then) {
			return f.monday(end) - 1
		}
	}
	return f.monday(run.end) - 1
}

// holds repeats the story's own test in another run. The market's is that most
// payers moved together and one of them alarmed.
func (f *fees) holds(s feeStory, run *feeRun) bool {
	atLeast := func(tier upstream.Tier) bool {
		return tier != "" && (tier == upstream.Alert || s.own != upstream.Alert)
	}
	switch {
	case s.g >= 0:
		return atLeast(f.alarm(s.p, s.g, &run.groups[s.g], run).tier)
	case s.p >= 0:
		return atLeast(f.alarm(s.p, -1, &run.payers[s.p], run).tier)
	}
	for _, o := range f.tell(run) {
		if o.p < 0 {
			return higher(o.tier, s.tier) == o.tier
		}
	}
	return false
}
