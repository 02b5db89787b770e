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
func (d *Detector) event(s story, e *era, f frame) upstream.DriftEvent {
	lag := s.scan.lag()
	cut := f.end - lag
	counts, payer, group, cents := d.figures(s, f, lag)
	baseline, current := f.windows(counts, lag)
	youngest, oldest := s.scan.interval(intervalMass)
	return upstream.DriftEvent{
		Signal:          upstream.DenialRate,
		Payer:           payer,
		CPTGroup:        group,
		Level:           s.level,
		Tier:            s.tier,
		Status:          upstream.Open,
		Direction:       upstream.Worse,
		BaselineValue:   baseline.rate(),
		CurrentValue:    current.rate(),
		DeltaValue:      current.rate() - baseline.rate(),
		BaselineN:       int64(baseline.n),
		CurrentN:        int64(current.n),
		BaselineFirst:   d.opens(f.start),
		BaselineLast:    d.days[cut-1],
		CurrentFirst:    d.opens(cut),
		CurrentLast:     d.days[f.end-1],
		EvidenceClaims:  int64(current.x),
		Severity:        severity(cents, d.allowedRate(f.start, cut)),
		Confidence:      posterior(s.lnR, s.share),
		LnEvidence:      s.lnR,
		ChangeDate:      d.days[cut],
		ChangeDateLow:   d.days[f.end-oldest],
		ChangeDateHigh:  d.days[f.end-youngest],
		KnownAt:         d.knownAt(s, e, f),
		DollarsPerMonth: upstream.Money(math.Round(cents)),
		RootCauses:      []upstream.RootCause{},
		SampleClaimIDs:  []string{},
	}
}

// figures are the counts, names and monthly cents of the story's node. A
// payer's cents are the sum over its groups, each against its own baseline and
// at its own price.
func (d *Detector) figures(s story, f frame, lag int) (counts series, payer, group *string, cents float64) {
	if s.level == upstream.GroupLevel {
		g := &d.groups[s.node]
		return g.counts, new(d.payers[g.payer].name), new(g.name), max(d.excess(s.node, f, lag), 0)
	}
	p := &d.payers[s.node]
	for g := p.from; g < p.to; g++ {
		if baseline, _ := f.windows(d.groups[g].counts, lag); baseline.n >= shrinkClaims {
			cents += d.excess(g, f, lag)
		}
	}
	return p.counts, new(p.name), nil, max(cents, 0)
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
func (d *Detector) knownAt(s story, e *era, f frame) upstream.Day {
	var at *era
	var own series
	for end := max(f.end-s.scan.lag()+1, firstAlarmDays); end < f.end; end++ {
		if then := d.era(end); then != at {
			at = then
			own = d.ownSeries(s, at, e)
		}
		if d.holds(s, at, own, frameAt(end)) {
			return d.days[end-1]
		}
	}
	return d.days[f.end-1]
}

// ownSeries are the node's effective counts in an era; now is the running one's.
func (d *Detector) ownSeries(s story, at, now *era) series {
	switch {
	case s.level == upstream.PayerLevel:
		return d.pooled(at)[s.node]
	case at == now:
		return d.current(now)[s.node]
	}
	from, to := d.reach(at)
	return d.effective(at, s.node, make([]tally, to-from+1))
}

// holds repeats the story's own test on another day.
func (d *Detector) holds(s story, e *era, own series, f frame) bool {
	var r scan
	var share, gate float64
	p, lag := s.node, 0
	if s.level == upstream.GroupLevel {
		p = d.groups[s.node].payer
		r = shiryaevRoberts(own, f, d.prior(p, f), priorClaims)
		share, gate = e.group[s.node], groupGate
		_, best := likelihoodRatio(own, f)
		lag = lags[best]
	} else {
		r = standardised(&d.payers[p], f, d.spread(e, p))
		share, gate = e.payer[p], payerGate
		lag = r.lag()
	}
	tier := d.tier(r.lnR, share)
	if tier == "" || s.own == upstream.Alert && tier == upstream.Watch {
		return false
	}
	return d.standsOut(e, own, p, f, lag, gate, share)
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
