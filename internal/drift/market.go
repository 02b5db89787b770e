package drift

import (
	"math"
	"time"

	"upstream"
)

// A change of most payers at once is told as one story of the market, or of the
// practice's own front end: nobody can tell these apart from the claims. The
// gate keeps it from being told at each payer.

// marketMost is the share of payers that must have risen, each by so many
// standard errors of its own.
const (
	marketMost = .6
	marketOwn  = 1.64
)

// scanMarket looks for a rise at most payers.
func (r *run) scanMarket(sum *upstream.RunSummary) (story, bool) {
	if len(r.payers) <= gatePayers || r.e.market == 0 || r.h.open(&upstream.DriftEvent{Signal: upstream.DenialRate}) {
		return story{}, false
	}
	var overall tally
	for p := range r.payers {
		overall = overall.plus(r.overall(p))
	}
	s := standardised(r.counts, overall, r.f, r.marketSpread(r.e))
	alarms := r.judge(nil, 0, &s, func(int) float64 {
		return r.e.market / r.h.quieted(&upstream.DriftEvent{Signal: upstream.DenialRate})
	}, sum)
	if len(alarms) == 0 {
		return story{}, false
	}
	a := &alarms[0]
	tier := a.tier
	switch moved, compared := r.mostMoved(s.lag()); {
	case !moved:
		return story{}, false
	case !compared && r.inSeason(s.lag()):
		tier = upstream.Watch
	}
	return story{upstream.MarketLevel, 0, s.lag(), tier, tier, a.share, s.lnR}, true
}

// mostMoved reports whether most payers shifted, by more than they did in the
// same days a year before where the history reaches back so far (compared).
func (r *run) mostMoved(lag int) (moved, compared bool) {
	shifts := r.shifts(nil, r.e, -1, r.f, lag)
	if len(shifts) <= gatePayers {
		return false, false
	}
	middle, off := consensus(shifts)
	rose := 0
	for p := range r.payers {
		if w := r.expect(p, -1, lag); w.expected > 0 && w.observed-w.expected >= marketOwn*math.Sqrt(w.variance*r.spread(r.e, p)) {
			rose++
		}
	}
	if float64(rose) < marketMost*float64(len(shifts)) {
		return false, false
	}
	if before, offBefore, ok := r.lastYear(lag); ok {
		return middle-max(before, 0) > marketMoved*math.Hypot(off, offBefore), true
	}
	return middle > marketMoved*off, false
}

// lastYear is the median shift of all payers a year before, and its standard error.
func (r *run) lastYear(lag int) (middle, off float64, ok bool) {
	end := r.f.end - businessDaysPerYear
	then := frame{max(0, end-historyDays), end, minBaselineDays}
	if end < minBaselineDays+lag {
		return 0, 0, false
	}
	var shifts []float64
	for p := range r.payers {
		if baseline, current := then.windows(r.payers[p].counts, lag); baseline.n > 0 && current.n > 0 {
			shifts = append(shifts, logOdds(current)-logOdds(baseline))
		}
	}
	if len(shifts) <= gatePayers {
		return 0, 0, false
	}
	middle, off = consensus(shifts)
	return middle, off, true
}

// inSeason reports whether the days since a change hold any of a January, when
// plans and deductibles start anew and every payer denies more.
func (r *run) inSeason(lag int) bool {
	for _, day := range r.days[r.f.end-lag : r.f.end] {
		if day.Time().Month() == time.January {
			return true
		}
	}
	return false
}

// marketSpread is the dispersion of the days of all payers together.
func (d *Detector) marketSpread(e *era) float64 {
	if e.marketSpread == 0 {
		var all []series
		for p := range d.payers {
			all = append(all, d.payers[p].members...)
		}
		half := max((e.end-e.start)/2, min(blockDays, e.end-e.start))
		e.marketSpread = dispersion(all, e.start, e.start+half)
	}
	return e.marketSpread
}
