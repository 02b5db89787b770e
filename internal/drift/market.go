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

// scanMarket looks for a rise at most payers. It replaces the stories of payers
// and groups that began when most others rose too: they only were the first to
// stand out. In season and without a year to compare with it is listed only.
func (r *run) scanMarket(stories []story, sum *upstream.RunSummary) []story {
	market := &upstream.DriftEvent{Signal: upstream.DenialRate}
	if len(r.payers) <= gatePayers || r.e.market == 0 {
		return stories
	}
	share := r.e.market / r.h.quieted(market)
	s := standardised(r.counts, r.everything(), r.f, r.marketSpread(r.e), false)
	alarms := r.judge(nil, 0, &s, func(int) float64 { return share }, sum)
	told := story{upstream.MarketLevel, 0, s.lag(), "", "", share, s.lnR, false}
	if len(alarms) > 0 {
		if moved, doubtful := r.mostMoved(s.lag()); moved {
			told.tier = alarms[0].tier
			if doubtful {
				told.tier = upstream.Watch
			}
		}
	}
	var rest []story
	for _, its := range stories {
		if moved, doubtful := r.mostMoved(its.lag); moved && !doubtful && len(alarms) > 0 {
			told.tier = higher(told.tier, its.tier)
			continue
		}
		rest = append(rest, its)
	}
	if told.tier == "" || r.h.open(market) {
		return rest
	}
	told.own = told.tier
	return append(rest, told)
}

// mostMoved reports whether most payers rose since a lag, by more than they did
// in the same days a year before. Where the history doesn't reach back so far and
// the days hold a January, that is doubtful.
func (r *run) mostMoved(lag int) (moved, doubtful bool) {
	shifts := r.shifts(nil, r.e, -1, r.f, lag)
	if len(shifts) <= gatePayers {
		return false, false
	}
	payers := len(shifts)
	middle, off := consensus(shifts)
	rose := 0
	for p := range r.payers {
		if w := r.expect(p, -1, lag); w.expected > 0 && w.observed-w.expected >= marketOwn*math.Sqrt(w.variance*r.spread(r.e, p)) {
			rose++
		}
	}
	if float64(rose) < marketMost*float64(payers) {
		return false, false
	}
	if before, offBefore, ok := r.lastYear(lag); ok {
		return middle-max(before, 0) > marketMoved*math.Hypot(off, offBefore), false
	}
	return middle > marketMoved*off, r.inSeason(lag)
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
