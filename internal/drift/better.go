package drift

import (
	"math"

	"upstream"
)

// Improvements are found by the mirror of each test and never page. Few nodes
// improve, so a cheap look at three lags spares most the full statistic.

// betterLooks are the lags looked at, and betterZ how many standard errors a rate
// must lie below its baseline at one of them. What reaches a node's run length
// lies further below.
var betterLooks = [...]int{10, 30, 75}

const betterZ = 2.5

// scanBetter returns the improvements, as watches: those of whole payers, and
// those of groups of other payers. While a payer's is open its groups tell none.
func (r *run) scanBetter(sum *upstream.RunSummary) []story {
	var stories []story
	whole := make([]bool, len(r.payers))
	for i := range r.h.known {
		if e := &r.h.known[i]; e.Signal == upstream.DenialRate && e.Direction == upstream.Better && e.Level == upstream.PayerLevel && isOpen(e) {
			if p := r.payerIndex(name(e.Payer)); p >= 0 {
				whole[p] = true
			}
		}
	}
	for p := range r.payers {
		own := r.pooled(r.e)[p]
		if r.e.payer[p] == 0 || r.under[p] || !r.looksBetter(own) {
			continue
		}
		s := standardised(r.members(p), r.overall(p), r.f, r.spread(r.e, p), true)
		if share := r.payerShare(p); r.fellOut(&s, own, p, payerGate, share) {
			whole[p] = true
			sum.Alarms++
			stories = append(stories, better(upstream.PayerLevel, p, &s, share))
		}
	}
	for g := range r.groups {
		p := r.groups[g].payer
		if r.e.group[g] == 0 || r.skipped[g] || whole[p] || !r.looksBetter(r.weighed[g]) {
			continue
		}
		s := improved(r.weighed[g], r.f, r.prior(p, r.f), priorClaims)
		if share := r.groupShare(g); r.fellOut(&s, r.weighed[g], p, groupGate, share) {
			sum.Alarms++
			stories = append(stories, better(upstream.GroupLevel, g, &s, share))
		}
	}
	return stories
}

func better(level upstream.Level, node int, s *scan, share float64) story {
	return story{level, node, s.lag(), upstream.Watch, upstream.Watch, share, s.lnR, true}
}

// looksBetter is the cheap look.
func (r *run) looksBetter(s series) bool {
	for _, lag := range betterLooks {
		if lag > r.f.end-r.f.baseline || lag > r.f.end-r.f.start {
			break
		}
		baseline, current := r.f.windows(s, lag)
		if baseline.n < priorClaims {
			break
		}
		rate := baseline.rate()
		if current.x-current.n*rate < -betterZ*math.Sqrt(current.n*rate*(1-rate)) {
			return true
		}
	}
	return false
}

// fellOut reports a fall over the threshold of the node's alerts that stands out
// from the other payers.
func (r *run) fellOut(s *scan, own series, p int, gate, share float64) bool {
	return s.used > 0 && r.tier(s.lnR, share) == upstream.Alert &&
		r.Detector.standsOut(r.e, own, p, r.f, s.lag(), gate, share, -1)
}
