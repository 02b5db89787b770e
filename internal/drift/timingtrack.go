package drift

import (
	"math"
	"slices"

	"upstream"
)

// standingDays are the last business days, which tell whether a change shows.
const standingDays = 20

// leastShown bounds the hazard ratio that an incident is taken to have: nearer
// to 1 the last days could hardly tell it from none.
const leastShown = .9

// track implements signal. Its threshold for the mirror is the watch's.
func (s *timing) track(e *upstream.DriftEvent, asOf upstream.Day) standing {
	i := slices.IndexFunc(s.payers, func(p timedPayer) bool { return p.waits.Payer == name(e.Payer) })
	end := s.cal.through(asOf)
	if i < 0 || end == 0 {
		return absent
	}
	p := &s.payers[i]
	end = s.end(p, end)
	cut, _ := slices.BinarySearch(s.cal.days, e.ChangeDate)
	baseline := slots{s.baselineFrom(p, cut), cut}
	if baseline.from >= cut || cut >= end {
		return absent
	}
	s.fill(e, p, baseline, slots{cut, end}, nil)
	since := p.compare(baseline, slots{cut, end}, nil)
	e.LnEvidence = max(e.LnEvidence, since.lnMixture(s.worse()))
	shown := s.shown(p, baseline, cut, end)
	if shown == 1 {
		return absent
	}
	if s.isOver(p, baseline, cut, end, shown) {
		return over
	}
	last := p.compare(baseline, slots{max(end-standingDays, cut), end}, nil)
	if last.lnRatio(shown) > 0 {
		return present
	}
	return absent
}

// shown is the hazard ratio of an incident from the change to the last days, or
// in all of them while it is young; 1 when there is none for the worse.
func (s *timing) shown(p *timedPayer, baseline slots, cut, end int) float64 {
	to := end - standingDays
	if to < cut+standingDays {
		to = end
	}
	c := p.compare(baseline, slots{cut, to}, nil)
	ratio := c.ratio()
	switch {
	case c.expected <= 0:
		return 1
	case s.clock == upstream.TakebackClock && ratio > 1:
		return max(ratio, 1/leastShown)
	case s.clock != upstream.TakebackClock && ratio < 1:
		return min(ratio, leastShown)
	}
	return 1
}

// isOver weighs, at every lag since the change, hazards that turned back against
// such as stayed at the incident's; and where they turned, the baseline's must be
// likelier than the incident's.
func (s *timing) isOver(p *timedPayer, baseline slots, cut, end int, shown float64) bool {
	var c [len(lags)]contrast
	used := 0
	for i, lag := range lags {
		if end-lag < cut+5 {
			break
		}
		before := p.compare(baseline, slots{cut, end - lag}, nil)
		last := p.compare(baseline, slots{end - lag, end}, nil)
		ratio := before.ratio()
		c[i] = contrast{last.observed, last.expected * ratio, before.observed + .5, last.phi, last.unlike}
		used = i + 1
	}
	if used == 0 {
		return false
	}
	r := weighContrasts(c[:used], s.worse().mirror())
	if r.lnR < math.Log(watchARL) {
		return false
	}
	back := p.compare(baseline, slots{end - r.lag(), end}, nil)
	return back.lnRatio(shown) < 0
}
