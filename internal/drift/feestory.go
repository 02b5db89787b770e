package drift

import (
	"cmp"
	"math"
	"slices"

	"upstream"
)

// restPart is the least part of the strongest group's cut at which the payer's
// other groups fell too.
const restPart = .2

// feeStory is one cut at one node, told once: at group g of payer p, with g < 0
// at the whole payer, with p < 0 too at the market.
type feeStory struct {
	p, g  int
	scan  weekScan
	tier  upstream.Tier
	own   upstream.Tier // the tier of the node's own alarm; "" if only another's
	share float64       // of the budget, and lnR, of the alarm that is the evidence
	lnR   float64
}

// scan implements signal.
func (f *fees) scan(asOf upstream.Day, h history, budget float64) []upstream.DriftEvent {
	end := f.through(asOf)
	if end-f.start < firstAlarmDays/5 {
		return nil
	}
	run := f.evaluate(end, budget, h.of(upstream.AllowedAmount))
	var events []upstream.DriftEvent
	for _, s := range f.tell(run) {
		events = append(events, f.event(s, run, asOf))
	}
	slices.SortFunc(events, func(a, b upstream.DriftEvent) int {
		return cmp.Or(
			cmp.Compare(a.Tier, b.Tier), // "alert" before "watch"
			cmp.Compare(b.DollarsPerMonth, a.DollarsPerMonth),
			cmp.Compare(name(a.Payer), name(b.Payer)),
			cmp.Compare(name(a.CPTGroup), name(b.CPTGroup)),
		)
	})
	return events
}

// of is the history of one signal.
func (h history) of(signal upstream.Signal) history {
	var out history
	for i := range h.known {
		if h.known[i].Signal == signal {
			out.known = append(out.known, h.known[i])
		}
	}
	return out
}

// tier is "" below both thresholds. share of the budget gives the average run
// length in business days, which noise verdicts have raised by a factor.
func (r *feeRun) tier(lnR, share, quieted float64) upstream.Tier {
	switch {
	case share <= 0:
		return ""
	case lnR >= math.Log(feeARL(r.budget, share)*quieted):
		return upstream.Alert
	case lnR >= math.Log(watchARL*quieted):
		return upstream.Watch
	}
	return ""
}

// feeARL is the average run length to a false alert of a node, in business days.
func feeARL(budget, share float64) float64 {
	return math.Max(businessDaysPerMonth/(budget*share), minARL)
}

// no threshold is below the shortest run length.
var lnMinARL = math.Log(minARL)

// of is the share of a group, or with g < 0 of a payer.
func (s feeShares) of(g int) float64 {
	if g >= 0 {
		return s.group[g]
	}
	return s.payer
}

// alarm tests a node; its tier is "" where it is not over a threshold.
func (f *fees) alarm(p, g int, sums *feeLagSums, run *feeRun) feeStory {
	s := feeStory{p: p, g: g, scan: sums.scan(), share: run.shares.of(g)}
	s.lnR = s.scan.lnR
	if s.lnR < lnMinARL { // whatever the budget and the noise verdicts
		return s
	}
	s.tier = run.tier(s.lnR, s.share, run.past.quieted(f.node(p, g)))
	s.own = s.tier
	return s
}

// tell returns the cuts, each at its right level.
func (f *fees) tell(run *feeRun) []feeStory {
	var stories []feeStory
	for p := range f.payers {
		stories = append(stories, f.tellPayer(p, run)...)
	}
	return f.tellMarket(stories, run)
}

// tellPayer tells the alarms of one payer: one group's cut at the group, those of
// several at the same time once at the payer.
func (f *fees) tellPayer(p int, run *feeRun) []feeStory {
	from, to := f.payers[p].from, f.payers[p].to
	whole := f.alarm(p, -1, &run.payers[p], run)
	var alarms []feeStory
	top := feeStory{g: -1}
	for g := from; g < to; g++ {
		if run.closed[g] {
			continue
		}
		s := f.alarm(p, g, &run.groups[g], run)
		if s.tier != "" {
			alarms = append(alarms, s)
		}
		if top.g < 0 || s.scan.ln[s.scan.best] > top.scan.ln[top.scan.best] {
			top = s
		}
	}
	alerts := slices.ContainsFunc(alarms, func(s feeStory) bool { return s.tier == upstream.Alert })
	if whole.tier == "" && (len(alarms) <= 1 || !alerts) {
		return alarms // a few groups that are watched are no change of their payer
	}
	if f.sole(top, whole, run) {
		// Noise verdicts at the group hold for all that is told of it.
		whole.tier = run.tier(whole.lnR, whole.share, run.past.quieted(f.node(p, top.g)))
		if whole.tier != "" {
			top.join(&whole)
		}
		alarms = slices.DeleteFunc(alarms, func(s feeStory) bool { return s.g == top.g })
		if top.tier != "" { // the others are of other times
			alarms = append(alarms, top)
		}
		return alarms
	}
	for i := range alarms {
		whole.join(&alarms[i])
	}
	return []feeStory{whole}
}

// join lends a story the tier of another alarm about it, and its evidence if its
// posterior, which R × share orders, is the larger.
func (s *feeStory) join(o *feeStory) {
	s.tier = higher(s.tier, o.tier)
	if odds(o.lnR, o.share) > odds(s.lnR, s.share) {
		s.lnR, s.share = o.lnR, o.share
	}
}

// sole reports whether the strongest group alone explains what is told of its
// payer: it is strong, and the others, without it, did not fall at the same time.
func (f *fees) sole(top, whole feeStory, run *feeRun) bool {
	if top.g < 0 || top.scan.ln[top.scan.best] <= strongGroup {
		return false
	}
	at := top.scan.best
	rest := run.payers[whole.p][at]
	own := run.groups[top.g][at]
	rest.lines -= own.lines
	rest.below -= own.below
	rest.expected -= own.expected
	rest.variance = max(rest.variance-own.variance, 0)
	return rest.z() < quietRest || rest.part() < restPart*own.part()
}

// tellMarket tells once what most payers do at once: it is the market's, or the
// practice's own.
func (f *fees) tellMarket(stories []feeStory, run *feeRun) []feeStory {
	var market feeStory
	rest := stories[:0:0]
	for _, s := range stories {
		if !run.common(s.scan.best) || run.payers[s.p][s.scan.best].z() < quietRest {
			rest = append(rest, s)
			continue
		}
		if market.tier == "" {
			market = feeStory{p: -1, g: -1, tier: s.tier, share: run.shares.payer}
		}
		market.tier = higher(market.tier, s.tier)
	}
	if market.tier == "" {
		return stories
	}
	var sums feeLagSums
	for p := range run.payers {
		sums.add(&run.payers[p])
	}
	market.scan = sums.scan()
	market.lnR = market.scan.lnR
	if run.tier(market.lnR, market.share, 1) == "" { // one large payer goes against them
		return stories
	}
	return append(rest, market)
}

// common reports whether, at a lag, most payers had more lines below their rates.
func (r *feeRun) common(lag int) bool {
	payers, risen := 0, 0
	for p := range r.payers {
		if s := &r.payers[p][lag]; s.base > 0 && s.lines > 0 {
			payers++
			if s.z() >= quietRest {
				risen++
			}
		}
	}
	return payers >= gatePayers && 2*risen > payers
}
