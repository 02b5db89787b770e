package drift

import (
	"math"

	"upstream"
)

// The ln likelihood ratios, and the z, that decide at which level a change is told.
const (
	strongGroup      = 8   // a group that could be the whole of its payer's change
	lagGroup         = 6   // enough that the group's own change date is better than its payer's
	independentGroup = 25  // more than a payer-wide change explains
	quietRest        = 2.5 // below it a payer's other groups didn't change
	risenRest        = 2.0 // and from it on they did, where a group was the first to alarm
)

// story is one change at one node, told once.
type story struct {
	level upstream.Level
	node  int // index of the group or payer; the market has none
	lag   int // likeliest age on the grid of lags
	tier  upstream.Tier
	own   upstream.Tier // the tier of the node's own alarm; "" if only its payer's
	share float64       // of the budget, and lnR, of the alarm that is the evidence
	lnR   float64
	fell  bool // an improvement
}

// tell turns alarms into stories: those that stand out from the other payers,
// each at its right level. Groups under a payer with a story fold into it and
// lend it their tier.
func (r *run) tell(groups, payers []alarm) []story {
	var stories []story
	told := map[int]int{}  // group → its story
	whole := map[int]int{} // payer → its story
	for i := range payers {
		a := &payers[i]
		if !r.standsOut(r.pooled(r.e)[a.node], a.node, a.scan.lag(), payerGate, a.share) {
			continue
		}
		s := story{upstream.PayerLevel, a.node, a.scan.lag(), a.tier, a.tier, a.share, a.scan.lnR, false}
		if g, ok := r.soleGroup(a); ok {
			told[g] = len(stories)
			own := shiryaevRoberts(r.weighed[g], r.f, r.prior(a.node, r.f), priorClaims)
			s.level, s.node, s.lag, s.own = upstream.GroupLevel, g, own.lag(), ""
		} else {
			whole[a.node] = len(stories)
		}
		stories = append(stories, s)
	}
	for i := range groups {
		a := &groups[i]
		p := r.groups[a.node].payer
		if at, ok := told[a.node]; ok {
			stories[at].join(a)
			continue
		}
		ratio, best := likelihoodRatio(r.weighed[a.node], r.f)
		if !r.standsOut(r.weighed[a.node], p, lags[best], groupGate, a.share) {
			continue
		}
		if at, told := whole[p]; told || r.under[p] {
			if ratio > independentGroup && r.standsApart(p, a.node, lags[best], a.share) {
				stories = append(stories, groupStory(a))
			} else if told {
				stories[at].tier = higher(stories[at].tier, a.tier)
			}
			continue
		}
		s := groupStory(a)
		if r.rest(p, a.node, lags[best]) >= risenRest { // its payer rose as well
			s.level, s.node, s.own = upstream.PayerLevel, p, ""
			whole[p] = len(stories)
		}
		stories = append(stories, s)
	}
	return stories
}

func groupStory(a *alarm) story {
	return story{upstream.GroupLevel, a.node, a.scan.lag(), a.tier, a.tier, a.share, a.scan.lnR, false}
}

// join adds a group's own alarm to the story its payer's alarm told of it. The
// evidence is that of the alarm with the larger posterior, which R × share orders.
func (s *story) join(a *alarm) {
	s.own = a.tier
	s.tier = higher(s.tier, a.tier)
	if odds(a.scan.lnR, a.share) > odds(s.lnR, s.share) {
		s.lnR, s.share = a.scan.lnR, a.share
	}
}

// higher is the higher of two tiers; none is the lowest.
func higher(a, b upstream.Tier) upstream.Tier {
	if a == "" || b == upstream.Alert {
		return b
	}
	return a
}

// soleGroup returns the group that alone explains its payer's alarm: the
// strongest, if it is strong and the others, without it, did not rise.
func (r *run) soleGroup(a *alarm) (group int, ok bool) {
	from, to := r.payers[a.node].from, r.payers[a.node].to
	top, lag := 0.0, a.scan.lag()
	group = from
	for g := from; g < to; g++ {
		if ratio, best := likelihoodRatio(r.weighed[g], r.f); ratio > top {
			top, group = ratio, g
			if ratio > lagGroup {
				lag = lags[best]
			}
		}
	}
	return group, top > strongGroup && r.rest(a.node, group, lag) < quietRest
}

// rest is the z of a rise across a payer without one of its groups, beyond what
// the other payers did over the same days.
func (r *run) rest(p, without, lag int) float64 {
	w := r.expect(p, without, lag)
	if w.expected <= 0 {
		return 0
	}
	market, _ := r.market(p, lag)
	expected := w.expected * math.Exp(market)
	return (w.observed - expected) / math.Sqrt((w.variance+1e-9)*r.spread(r.e, p))
}

// expect is the expectation of a payer at one lag, without one of its groups; -1
// for with all.
func (r *run) expect(p, without, lag int) (w expectation) {
	shrink := shrinkClaims * r.overall(p).rate()
	for g := r.payers[p].from; g < r.payers[p].to; g++ {
		baseline, current := r.f.windows(r.counts[g], lag)
		if g != without && baseline.n >= shrinkClaims && current.n > 0 {
			w = w.plus(expect(baseline, current, shrink))
		}
	}
	return w
}

// standsApart reports whether a group rose by more than the rest of its payer.
// The group is over its threshold for what all did, so what it did alone must
// carry the whole evidence, as in the gate of a market that moved.
func (r *run) standsApart(p, g, lag int, share float64) bool {
	w := r.expect(p, g, lag)
	if w.expected <= 0 {
		return true
	}
	others := math.Log((w.observed + .5) / (w.expected + .5))
	baseline, current := r.f.windows(r.weighed[g], lag)
	shift := logOdds(current) - logOdds(baseline) - others
	variance := logOddsVariance(baseline) + logOddsVariance(current) + (w.variance/w.expected)*r.spread(r.e, p)/w.expected
	return shift >= max(groupGate, math.Sqrt(2*math.Log(r.arl(share))))*math.Sqrt(variance)
}
