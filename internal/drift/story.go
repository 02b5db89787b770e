package drift

import "upstream"

// The ln likelihood ratios, and the z, that decide at which level a change is told.
const (
	strongGroup      = 8   // a group that could be the whole of its payer's change
	lagGroup         = 6   // enough that the group's own change date is better than its payer's
	independentGroup = 25  // more than a payer-wide change explains
	quietRest        = 2.5 // the payer's other groups, below it, didn't change
)

// story is one change at one node, told once.
type story struct {
	level upstream.Level
	node  int // index of the group or payer
	scan  scan
	tier  upstream.Tier
	own   upstream.Tier // the tier of the node's own alarm; "" if only its payer's
	share float64       // of the budget, and lnR, of the alarm that is the evidence
	lnR   float64
}

// tell turns alarms into stories: those that stand out from the other payers,
// each at its right level. Groups under a payer with a story fold into it and
// lend it their tier.
func (d *Detector) tell(e *era, f frame, groups, payers []alarm) []story {
	var stories []story
	told := map[int]int{}  // group → its story
	whole := map[int]int{} // payer → its story
	for i := range payers {
		a := &payers[i]
		if !d.standsOut(e, d.pooled(e)[a.node], a.node, f, a.scan.lag(), payerGate, e.payer[a.node]) {
			continue
		}
		s := story{upstream.PayerLevel, a.node, a.scan, a.tier, a.tier, e.payer[a.node], a.scan.lnR}
		if g, ok := d.soleGroup(e, f, a); ok {
			told[g] = len(stories)
			s.level, s.node, s.own = upstream.GroupLevel, g, ""
			s.scan = shiryaevRoberts(d.current(e)[g], f, d.prior(a.node, f), priorClaims)
		} else {
			whole[a.node] = len(stories)
		}
		stories = append(stories, s)
	}
	for i := range groups {
		a := &groups[i]
		p := d.groups[a.node].payer
		own := d.current(e)[a.node]
		if at, ok := told[a.node]; ok {
			stories[at].join(a, e.group[a.node])
			continue
		}
		ratio, best := likelihoodRatio(own, f)
		if !d.standsOut(e, own, p, f, lags[best], groupGate, e.group[a.node]) {
			continue
		}
		if at, ok := whole[p]; ok && ratio <= independentGroup {
			stories[at].tier = higher(stories[at].tier, a.tier)
			continue
		}
		stories = append(stories, story{upstream.GroupLevel, a.node, a.scan, a.tier, a.tier, e.group[a.node], a.scan.lnR})
	}
	return stories
}

// join adds a group's own alarm to the story its payer's alarm told of it. The
// evidence is that of the alarm with the larger posterior, which R × share orders.
func (s *story) join(a *alarm, share float64) {
	s.own = a.tier
	s.tier = higher(s.tier, a.tier)
	if odds(a.scan.lnR, share) > odds(s.lnR, s.share) {
		s.lnR, s.share = a.scan.lnR, share
	}
}

func higher(a, b upstream.Tier) upstream.Tier {
	if b == upstream.Alert {
		return b
	}
	return a
}

// soleGroup returns the group that alone explains its payer's alarm: the
// strongest, if it is strong and the others, without it, did not rise.
func (d *Detector) soleGroup(e *era, f frame, a *alarm) (group int, ok bool) {
	counts := d.current(e)
	from, to := d.payers[a.node].from, d.payers[a.node].to
	top, lag := 0.0, a.scan.lag()
	group = from
	for g := from; g < to; g++ {
		if ratio, best := likelihoodRatio(counts[g], f); ratio > top {
			top, group = ratio, g
			if ratio > lagGroup {
				lag = lags[best]
			}
		}
	}
	if top <= strongGroup {
		return 0, false
	}
	observed, expected, variance := 0.0, 0.0, 1e-9
	for g := from; g < to; g++ {
		baseline, current := f.windows(counts[g], lag)
		if g == group || baseline.n < shrinkClaims {
			continue
		}
		rate := (baseline.x + .5) / (baseline.n + 5)
		observed += current.x
		expected += current.n * rate
		variance += current.n * rate * (1 - rate) * (1 + current.n/baseline.n)
	}
	rest := observed - expected
	return group, rest < 0 || rest*rest < quietRest*quietRest*variance
}
