package drift

import (
	"cmp"
	"math"
	"slices"

	"upstream"
)

// intervalMass is the posterior mass between the low and the high change date.
const intervalMass = .9

// event is the story with its figures. Rates and counts are raw, as a reader
// would count them on the claims, not corrected for clustering. Of a payer they
// mix its groups, so a shift of volume shows in them, but not in the evidence
// or the dollars.
func (r *run) event(s story) upstream.DriftEvent {
	d := r.date(s)
	e := upstream.DriftEvent{
		Signal:         upstream.DenialRate,
		Level:          s.level,
		Tier:           s.tier,
		Status:         upstream.Open,
		Direction:      upstream.Worse,
		Confidence:     posterior(s.lnR, s.share),
		LnEvidence:     s.lnR,
		ChangeDate:     r.days[r.f.end-d.likeliest],
		ChangeDateLow:  r.days[r.f.end-d.oldest],
		ChangeDateHigh: r.days[r.f.end-d.youngest],
		RootCauses:     []upstream.RootCause{},
		SampleClaimIDs: []string{},
	}
	if s.fell {
		e.Direction = upstream.Better
	}
	r.name(&e, s)
	if q := r.h.quieted(&e); q > 1 {
		e.Quieted = q
	}
	r.compare(&e, r.counts, r.f.start, r.f.end-d.likeliest)
	s.lag = d.likeliest
	e.KnownAt = r.knownAt(s)
	return e
}

// name fills in the story's node.
func (r *run) name(e *upstream.DriftEvent, s story) {
	switch s.level {
	case upstream.GroupLevel:
		g := &r.groups[s.node]
		e.Payer, e.CPTGroup = new(r.payers[g.payer].name), new(g.name)
	case upstream.PayerLevel:
		e.Payer = new(r.payers[s.node].name)
	}
}

// date dates the story's change to the day.
func (r *run) date(s story) dating {
	from, to := s.node, s.node+1
	weighed := r.weighed
	switch s.level {
	case upstream.PayerLevel:
		from, to = r.payers[s.node].from, r.payers[s.node].to
	case upstream.MarketLevel:
		from, to = 0, len(r.groups)
	}
	if d, ok := r.dateOf(s.level, from, to, r.counts, weighed[from], s.fell); ok {
		return d
	}
	return dating{s.lag, s.lag, s.lag}
}

// dateOf dates a change of the groups from to before to; weighed are the
// effective counts of a single one.
func (r *run) dateOf(level upstream.Level, from, to int, counts []series, weighed series, fell bool) (dating, bool) {
	var ln [len(ages)]float64
	used := 0
	if p := r.groups[from].payer; level == upstream.GroupLevel {
		changed := lnRisen
		if fell {
			changed = lnFallen
		}
		used = lnRatios(weighed, r.f, r.prior(p, r.f), priorClaims, ages[:], ln[:], changed)
	} else {
		overall, dispersion := r.overall(p), r.spread(r.e, p)
		if level == upstream.MarketLevel {
			overall, dispersion = r.everything(), r.marketSpread(r.e)
		}
		var windows [len(ages)]expectation
		used = expectations(counts[from:to], overall, r.f, ages[:], windows[:])
		for i, w := range windows[:used] {
			if fell {
				ln[i] = w.lnFallen(dispersion)
			} else {
				ln[i] = w.lnRisen(dispersion)
			}
		}
	}
	if used == 0 {
		return dating{}, false
	}
	return date(ln[:used]), true
}

// redateDays is how long, in business days since it was known, the change of an
// incident is dated again with what came in since. After that it stays.
const redateDays = 40

// redate dates the change of an open incident again while it is young.
func (r *run) redate(e *upstream.DriftEvent, from, to int) {
	if r.f.end-r.dayIndex(e.KnownAt) > redateDays {
		return
	}
	d, ok := r.dateOf(e.Level, from, to, r.lived, r.effectively(r.lived[from], from), false)
	if !ok || r.days[r.f.end-d.likeliest] > e.KnownAt {
		return
	}
	e.ChangeDate = r.days[r.f.end-d.likeliest]
	e.ChangeDateLow, e.ChangeDateHigh = r.days[r.f.end-d.oldest], r.days[r.f.end-d.youngest]
}

// everything is the tally of the history of all payers.
func (r *run) everything() (sum tally) {
	for p := range r.payers {
		sum = sum.plus(r.overall(p))
	}
	return sum
}

// compare fills in rates, counts, days and dollars of the node from business day
// start to before cut against those from cut on. counts are by group of the
// customer.
func (r *run) compare(e *upstream.DriftEvent, counts []series, start, cut int) {
	from, to, _ := r.extent(e)
	var baseline, current tally
	for g := from; g < to; g++ {
		baseline = baseline.plus(counts[g].between(start, cut))
		current = current.plus(counts[g].between(cut, r.f.end))
	}
	e.BaselineValue, e.CurrentValue = baseline.rate(), current.rate()
	e.DeltaValue = e.CurrentValue - e.BaselineValue
	e.BaselineN, e.CurrentN = int64(baseline.n), int64(current.n)
	e.EvidenceClaims = int64(current.x)
	e.BaselineFirst, e.BaselineLast = r.opens(start), r.days[cut-1]
	e.CurrentFirst, e.CurrentLast = r.opens(cut), r.days[r.f.end-1]
	r.cost(e, counts, from, to, cut)
}

// cost prices the event: its shift with an interval, on the volume and at the
// amounts of the node.
func (r *run) cost(e *upstream.DriftEvent, counts []series, from, to, cut int) {
	// A few days say little about volume: at least a quarter of a year does.
	days := min(max(r.f.end-cut, volumeDays), r.f.end-r.f.start)
	var lately tally
	cents := 0.0
	for g := from; g < to; g++ {
		c := counts[g].between(r.f.end-days, r.f.end)
		lately = lately.plus(c)
		cents += c.n * r.meanAllowed(g, r.f.start, cut)
	}
	if lately.n <= 0 {
		return
	}
	monthly := lately.n / float64(days) * businessDaysPerMonth
	by := r.shift(e, counts, from, to, cut)
	mid, low, high := by.price(monthly, cents/lately.n, overturnRate(r.waits, name(e.Payer), r.asOf))
	if e.Direction == upstream.Better {
		mid, low, high = -mid, -high, -low
	}
	e.DollarsPerMonth, e.DollarsLow, e.DollarsHigh = mid, &low, &high
	e.Severity = severityOf(e, r.allowedRate(r.f.start, cut))
}

// volumeDays are the fewest business days that give an event's monthly volume.
const volumeDays = 65

// settledDays is the age in business days from which on the day an incident began
// is settled: choosing it no longer matters, and the lags that the posterior
// weighs don't reach back so far.
const settledDays = 60

// shift is how far the rate of the event's node has moved.
func (r *run) shift(e *upstream.DriftEvent, counts []series, from, to, cut int) estimate {
	settled := r.f.end-cut > settledDays
	if e.Level == upstream.GroupLevel {
		p := r.groups[from].payer
		if !settled {
			return shiftPosterior(r.effectively(counts[from], from), r.f, r.prior(p, r.f), e.Direction)
		}
		whole := counts[from].between(cut, r.f.end)
		deflate := 1 / (1 + max(whole.n/float64(r.f.end-cut)-1, 0)*r.clustering(r.e, p))
		return shiftBetween(counts[from].between(max(0, cut-historyDays), cut), tally{whole.n * deflate, whole.x * deflate}, r.prior(p, r.f), e.Direction)
	}
	overall, dispersion := r.everything(), r.marketSpread(r.e)
	if e.Level == upstream.PayerLevel {
		p := r.groups[from].payer
		overall, dispersion = r.overall(p), r.spread(r.e, p)
	}
	if !settled {
		return excessPosterior(counts[from:to], overall, r.f, dispersion, e.Direction)
	}
	var w expectation
	for g := from; g < to; g++ {
		base, current := counts[g].between(max(0, cut-historyDays), cut), counts[g].between(cut, r.f.end)
		if base.n >= shrinkClaims && current.n > 0 {
			w = w.plus(expect(base, current, shrinkClaims*overall.rate()))
		}
	}
	return excessOf(w, dispersion, e.Direction)
}

// refigure brings the figures of an open incident up to the run's day.
func (r *run) refigure(e *upstream.DriftEvent, g *regime) {
	all := g.last(len(g.days))
	if all.expected > 0 {
		e.LnEvidence = max(e.LnEvidence, all.lnRisen(g.dispersion))
		_, _, share := r.extent(e)
		e.Confidence = max(e.Confidence, posterior(e.LnEvidence, share))
	}
	r.compare(e, r.lived, max(0, g.from-historyDays), g.from)
}

// severity is monthly cents over the customer's monthly cents allowed.
func severity(cents, allowed float64) float64 {
	if cents <= 0 || allowed <= 0 {
		return 0
	}
	return min(cents/allowed, 1)
}

// posterior is the probability that a change happened at the node, given that
// the customer meets changesPerYear real ones: each business day has prior odds
// of share × changesPerYear / businessDaysPerYear to start one here (the
// customer's changes are spread as its budget is), and R sums the likelihood
// ratios over the days.
func posterior(lnR, share float64) float64 {
	o := odds(lnR, share)
	if math.IsInf(o, 1) {
		return 1
	}
	return o / (1 + o)
}

func odds(lnR, share float64) float64 {
	return math.Exp(lnR) * share * changesPerYear / businessDaysPerYear
}

// knownAt is the first business day since the change on which the node's own
// test, over the data of that day, said what it says now: the same tier or a
// higher one, past the gate. A group that only its payer's alarm told of counts
// from its own first watch.
func (r *run) knownAt(s story) upstream.Day {
	var at *era
	var own series
	for end := max(r.f.end-s.lag+1, firstAlarmDays); end < r.f.end; end++ {
		if then := r.era(end); then != at {
			at = then
			own = r.ownSeries(s, at)
		}
		if r.holds(s, at, own, frameAt(end)) {
			return r.days[end-1]
		}
	}
	return r.days[r.f.end-1]
}

// ownSeries are the node's effective counts in an era.
func (r *run) ownSeries(s story, at *era) series {
	switch {
	case s.level == upstream.MarketLevel:
		return series{}
	case s.level == upstream.PayerLevel:
		return r.pooled(at)[s.node]
	case at == r.e:
		return r.weighed[s.node]
	}
	from, to := r.reach(at)
	return weigh(make([]tally, to-from+1), r.counts[s.node], r.clustering(at, r.groups[s.node].payer), from, to)
}

// holds repeats the story's own test on another day.
func (r *run) holds(s story, e *era, own series, f frame) bool {
	its, share := r.test(s, e, own, f)
	tier := r.tier(its.lnR, share)
	if tier == "" || s.own == upstream.Alert && tier == upstream.Watch {
		return false
	}
	sign := 1.0
	if s.fell {
		sign = -1
	}
	switch s.level {
	case upstream.GroupLevel:
		lag := its.lag()
		if !s.fell {
			_, best := likelihoodRatio(own, f)
			lag = lags[best]
		}
		return r.Detector.standsOut(e, own, r.groups[s.node].payer, f, lag, groupGate, share, sign)
	case upstream.PayerLevel:
		return r.Detector.standsOut(e, own, s.node, f, its.lag(), payerGate, share, sign)
	}
	return true
}

// test is the story's own test on another day.
func (r *run) test(s story, e *era, own series, f frame) (its scan, share float64) {
	switch s.level {
	case upstream.GroupLevel:
		p := r.groups[s.node].payer
		share = e.group[s.node] / r.h.quieted(r.node(p, s.node))
		if s.fell {
			return improved(own, f, r.prior(p, f), priorClaims), share
		}
		return shiryaevRoberts(own, f, r.prior(p, f), priorClaims), share
	case upstream.PayerLevel:
		share = e.payer[s.node] / r.h.quieted(r.node(s.node, -1))
		return standardised(r.members(s.node), r.payers[s.node].counts.between(f.start, f.end), f, r.spread(e, s.node), s.fell), share
	}
	var overall tally
	for p := range r.payers {
		overall = overall.plus(r.payers[p].counts.between(f.start, f.end))
	}
	return standardised(r.counts, overall, f, r.marketSpread(e), s.fell), e.market
}

// sort orders events: alerts first, then the dearest, then by name, so that the
// order is total.
func (r *Result) sort() {
	slices.SortFunc(r.Events, func(a, b upstream.DriftEvent) int {
		return cmp.Or(
			cmp.Compare(a.Tier, b.Tier), // "alert" before "watch"
			cmp.Compare(b.DollarsPerMonth, a.DollarsPerMonth),
			cmp.Compare(name(a.Payer), name(b.Payer)),
			cmp.Compare(name(a.CPTGroup), name(b.CPTGroup)),
			cmp.Compare(a.Signal, b.Signal), cmp.Compare(a.Clock, b.Clock),
			cmp.Compare(a.Direction, b.Direction),
		)
	})
}

func name(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
