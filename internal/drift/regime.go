package drift

import (
	"math"

	"upstream"
)

const (
	// standDays is how many business days must still show an incident.
	standDays = 20
	// mirrorDays are the fewest days of an incident before a mirror may end it.
	mirrorDays = 5
)

// regime is an incident against the baseline frozen before it: day by day since
// the change, the denials observed and those expected at the frozen rates.
type regime struct {
	from       int // business day of the change
	days       []expectation
	dispersion float64
}

// regimeOf compares groups from to before to with their own rates in the 260
// business days before a change. Effective counts take the clustering into
// account, whole ones with a dispersion the shocks that groups share.
func (r *run) regimeOf(from, to, change int) *regime {
	g := &regime{from: change, dispersion: 1, days: make([]expectation, r.f.end-change)}
	start := max(0, change-historyDays)
	var overall tally
	for k := from; k < to; k++ {
		overall = overall.plus(r.lived[k].between(start, change))
	}
	shrink := shrinkClaims * overall.rate()
	for k := from; k < to; k++ {
		whole := r.lived[k]
		base := whole.between(start, change)
		if base.n < shrinkClaims {
			continue
		}
		icc := 0.0
		if to-from == 1 {
			icc = r.clustering(r.e, r.groups[k].payer)
		}
		weight := base.n + shrinkClaims
		rate := (base.x + shrink) / weight
		for t := range g.days {
			day := whole.between(change+t, change+t+1)
			if day.n <= 0 {
				continue
			}
			deflate := 1 / (1 + (day.n-1)*icc)
			expected := day.n * rate
			g.days[t] = g.days[t].plus(expectation{day.x * deflate, expected * deflate, expected * (1 - rate) * deflate, day.n * deflate})
		}
	}
	return g
}

func (t tally) plus(o tally) tally { return tally{t.n + o.n, t.x + o.x} }

// window sums the last days, or all before them.
func (g *regime) last(days int) (w expectation) {
	for _, d := range g.days[max(0, len(g.days)-days):] {
		w = w.plus(d)
	}
	return w
}

// ratio is by how much the denials of a window exceed the frozen baseline's,
// shrunk a little towards no change.
func ratio(w expectation) float64 { return (w.observed + 2) / (w.expected + 2) }

// stands tells how the regime stands on its last day.
func (g *regime) stands() standing {
	all := g.last(len(g.days))
	if all.expected <= 0 {
		return absent
	}
	if g.back() {
		return over
	}
	risen, recent := ratio(all), g.last(standDays)
	if risen <= 1 || recent.expected <= 0 || recent.observed*math.Log(risen)-(risen-1)*recent.expected <= 0 {
		return absent
	}
	return present
}

// back is the mirror: the Shiryaev–Roberts statistic of a fall back to the frozen
// baseline, against half of the rise of the days before. Half, because a rise is
// estimated too high from the days that gave it away, and what fell short of half
// is no longer it. It may be wrong once in minARL days: an incident closed too
// soon is found again, one kept open for nothing is looked at every day.
func (g *regime) back() bool {
	var r scan
	all := g.last(len(g.days))
	for i, lag := range lags {
		if lag > len(g.days)-mirrorDays {
			break
		}
		r.used = i + 1
		w := g.last(lag)
		risen := ratio(expectation{observed: all.observed - w.observed, expected: all.expected - w.expected})
		if half := 1 + (risen-1)/2; w.expected > 0 && half > 1 {
			w.expected, w.variance = w.expected*half, w.variance*half
			r.ln[i] = w.lnRatio(1/half, -math.Log(half), g.dispersion)
		}
	}
	r.combine()
	return r.used > 0 && r.lnR >= math.Log(minARL)
}

// track brings a denial incident up to the run's day.
func (r *run) track(e *upstream.DriftEvent) standing {
	from, to, _ := r.extent(e)
	r.redate(e, from, to)
	change := r.dayIndex(e.ChangeDate)
	if from == to || change == 0 || change >= r.f.end {
		return absent
	}
	g := r.regimeOf(from, to, change)
	if to-from > 1 {
		g.dispersion = r.spreadOf(e)
	}
	r.refigure(e, g)
	return g.stands()
}

// extent are the groups of an event's node, and its share of the budget.
func (r *run) extent(e *upstream.DriftEvent) (from, to int, share float64) {
	if e.Level == upstream.MarketLevel {
		return 0, len(r.groups), r.e.market
	}
	p := r.payerIndex(name(e.Payer))
	if p < 0 {
		return 0, 0, 0
	}
	if e.Level == upstream.PayerLevel {
		return r.payers[p].from, r.payers[p].to, r.payerShare(p)
	}
	g := r.groupIndex(p, name(e.CPTGroup))
	if g < 0 {
		return 0, 0, 0
	}
	return g, g + 1, r.groupShare(g)
}

func (r *run) spreadOf(e *upstream.DriftEvent) float64 {
	if e.Level == upstream.MarketLevel {
		return r.marketSpread(r.e)
	}
	return r.spread(r.e, r.payerIndex(name(e.Payer)))
}
