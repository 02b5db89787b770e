package drift

import (
	"math"
	"slices"

	"upstream"
)

// The values of events, see upstream.DriftEvent.
const (
	takebackDays = 364
	overturnDays = 180
)

// event is a payer's change of pace with its figures. The lead fills in what it
// costs.
func (t *timing) event(s *study, node *upstream.DriftEvent, tier upstream.Tier, end int, h history) upstream.DriftEvent {
	lag := timingLags[s.scan.best]
	youngest, oldest := s.scan.interval(intervalMass)
	oldest = min(oldest, timingReach)
	e := upstream.DriftEvent{
		Signal: node.Signal, Clock: node.Clock, Payer: new(*node.Payer), Level: upstream.PayerLevel,
		Tier: tier, Status: upstream.Open, Direction: upstream.Worse,
		Confidence: posterior(s.scan.lnR, s.share), LnEvidence: s.scan.lnR,
		ChangeDate: t.days[end-lag], ChangeDateLow: t.days[end-oldest], ChangeDateHigh: t.days[end-youngest],
		RootCauses: []upstream.RootCause{}, SampleClaimIDs: []string{},
	}
	if q := h.quieted(node); q > 1 {
		e.Quieted = q
	}
	t.fill(&e, s, end-lag, end)
	e.KnownAt = t.knownAt(s, end-lag+1, end, tier, h)
	return e
}

// knownAt is the first business day since the change on which the payer's own
// test said what it says now.
func (t *timing) knownAt(now *study, from, end int, tier upstream.Tier, h history) upstream.Day {
	for day := max(from, 1); day < end; day++ {
		var s *study
		if now.decided {
			s = t.decidedOnly(now.waits, day, h)
		} else {
			s = t.studyAt(now.waits, day, h)
		}
		if s != nil && (t.tier(s.scan.lnR, now.share) == tier || t.tier(s.scan.lnR, now.share) == upstream.Alert) {
			return t.days[day-1]
		}
	}
	return t.days[end-1]
}

// fill sets values, counts and days of an event whose change is on a business day.
func (t *timing) fill(e *upstream.DriftEvent, s *study, change, end int) {
	from, to := t.offset(change), t.offset(end)
	w := s.over(t, from, to)
	e.BaselineN, e.CurrentN = int64(s.h.events), int64(w.observed)
	if len(s.base) > 0 {
		e.BaselineFirst = t.from + upstream.Day(s.base[0].from)
		e.BaselineLast = t.from + upstream.Day(s.base[len(s.base)-1].to) - 1
	}
	e.CurrentFirst, e.CurrentLast = t.from+upstream.Day(from), t.from+upstream.Day(to)-1
	ratio := (w.observed + 1) / (w.expected + 1)
	switch t.law.signal {
	case upstream.Takeback:
		e.BaselineValue, e.CurrentValue = s.by(s.h, takebackDays, 1), s.by(s.h, takebackDays, ratio)
	case upstream.Overturn:
		e.BaselineValue, e.CurrentValue = s.by(s.h, overturnDays, 1), s.by(s.h, overturnDays, ratio)
	default:
		e.BaselineValue, e.CurrentValue = s.quantile(s.h, .5, 1), s.quantile(s.h, .5, ratio)
		if s.decided {
			e.BaselineValue, e.CurrentValue = s.medians(s.base, []stretch{{from, to}})
		}
	}
	e.DeltaValue = e.CurrentValue - e.BaselineValue
	e.EvidenceClaims = s.evidence(t.law, from, to, e.BaselineValue)
}

// over sums ends and expectations over calendar days.
func (s *study) over(t *timing, from, to int) (w expectation) {
	for day := from; day < to; day++ {
		observed, expected := s.expect(s.h, day, t.from)
		w.observed += observed
		w.expected += expected
	}
	return w
}

// evidence counts the claims that prove an event, see DriftEvent.EvidenceClaims.
func (s *study) evidence(l *law, from, to int, typical float64) (n int64) {
	if l.signal == upstream.Overturn { // denials of these days that still stand
		for day := from; day < to; day++ {
			n += int64(s.Started[day])
		}
	}
	open := slices.Clone(s.Started[:to])
	for _, e := range s.Ended {
		day := int(e.Start + e.Lag)
		if e.Lag < 0 || day >= to {
			continue
		}
		open[e.Start] -= e.Count
		switch {
		case l.signal == upstream.Overturn:
			if int(e.Start) >= from {
				n -= int64(e.Count)
			}
		case day >= from && (l.signal == upstream.Takeback || float64(e.Lag) > typical):
			n += int64(e.Count)
		}
	}
	if l.signal == upstream.DecisionTime && !s.decided {
		for start, left := range open {
			if float64(to-1-start) > typical && to-1-start <= l.maxAge {
				n += int64(left)
			}
		}
	}
	return n
}

// track implements signal. The hazard is that of the baseline frozen before the
// change.
func (t *timing) track(e *upstream.DriftEvent, asOf upstream.Day) standing {
	end := t.business(asOf)
	i := slices.IndexFunc(t.payers, func(o *waits) bool { return o.Payer == name(e.Payer) })
	change, _ := slices.BinarySearch(t.days, e.ChangeDate)
	if i < 0 || change >= end || change == 0 || t.stalled(end) {
		return absent
	}
	o := t.payers[i]
	s := &study{waits: o, end: t.offset(end), base: t.baseline(o, change, history{}, asOf)}
	s.decided = t.law.clock == upstream.DecisionClock && !o.Undecided
	s.h = o.learn(s.base, t.shape(change, history{}, asOf), t.from)
	if s.h.events < timingEnds {
		return absent
	}
	t.fill(e, s, change, end)
	if s.decided {
		return t.trackDecided(s, change, end)
	}
	return s.stands(t, change, end)
}

// agrees reports whether a window's ends are those of the frozen baseline, within
// two standard errors. A slow-down is deepest at its start, when nothing is left
// that was due: half of that may be its lasting pace.
func (s *study) agrees(w expectation) bool {
	off := w.observed - w.expected
	return off*off <= 4*s.h.weekly*w.expected*(1+w.expected/max(s.h.events, 1))
}

// stands judges the days since the change: whether the last ones still show its
// pace, or are back at the frozen baseline's.
func (s *study) stands(t *timing, change, end int) standing {
	all := s.over(t, t.offset(change), t.offset(end))
	var r scan
	for i, lag := range timingLags {
		if end-lag < change+mirrorDays {
			break
		}
		r.used = i + 1
		w := s.over(t, t.offset(end-lag), t.offset(end))
		early := (all.observed - w.observed + 2) / (all.expected - w.expected + 2)
		half := 1 + (early-1)/2
		if w.expected <= 0 || t.law.more == (half <= 1) {
			continue
		}
		// The baseline's pace against half of the change.
		phi := s.h.phi(lag) * (1 + w.expected/max(s.h.events, 1))
		r.ln[i] = (-w.observed*math.Log(half) + (half-1)*w.expected) / phi
	}
	r.combine()
	if r.used > 0 && r.lnR >= math.Log(minARL) && s.agrees(s.over(t, t.offset(end-timingLags[r.best]), t.offset(end))) {
		return over
	}
	recent := s.over(t, t.offset(max(end-standDays, change)), t.offset(end))
	pace := (all.observed + 2) / (all.expected + 2)
	worse := t.law.more == (pace > 1)
	if recent.expected <= 0 || !worse || recent.observed*math.Log(pace)+(1-pace)*recent.expected <= 0 {
		return absent
	}
	return present
}
