package drift

import (
	"math"
	"slices"

	"upstream"
)

// run is one evaluation of the denial signal: a business day, and the customer
// as it stands without the days of earlier incidents, which no baseline may
// absorb.
type run struct {
	*Detector
	e       *era
	f       frame
	asOf    upstream.Day
	h       history
	lived   []series // by group, incidents that are over left out
	counts  []series // by group, those that are open left out as well
	weighed []series // the same, as effective counts
	skipped []bool   // groups with an open incident of their own
	under   []bool   // payers with an open incident
}

func (d *Detector) newRun(asOf upstream.Day, end int, h history) *run {
	r := &run{Detector: d, e: d.era(end), f: frameAt(end), asOf: asOf, h: h}
	r.counts = make([]series, len(d.groups))
	for g := range d.groups {
		r.counts[g] = d.groups[g].counts
	}
	r.lived = slices.Clone(r.counts)
	r.weighed = slices.Clone(d.current(r.e))
	r.skipped, r.under = make([]bool, len(d.groups)), make([]bool, len(d.payers))
	for i := range h.known {
		r.leaveOut(&h.known[i])
	}
	return r
}

// leaveOut takes the days of an incident that are no baseline out of its groups.
// While a payer's or the market's incident is open its groups keep their days, so
// that one that goes its own way can be seen.
func (r *run) leaveOut(e *upstream.DriftEvent) {
	if e.Signal != upstream.DenialRate || e.ChangeDate > r.asOf {
		return
	}
	from, to, _ := r.extent(e)
	days, ok := leftOut(e, r.asOf)
	if from == to || !ok {
		return
	}
	open := isOpen(e)
	switch {
	case !open:
	case e.Level == upstream.GroupLevel:
		r.skipped[from] = true
	case e.Level == upstream.PayerLevel:
		r.under[r.payerIndex(name(e.Payer))] = true
		return
	default:
		return
	}
	i, j := r.dayIndex(days.first), r.through(days.last)
	for g := from; g < to; g++ {
		r.counts[g] = without(r.counts[g], i, j)
		r.weighed[g] = r.effectively(r.counts[g], g)
		if !open {
			r.lived[g] = without(r.lived[g], i, j)
		}
	}
}

// effectively are the effective counts of some of a group's counts.
func (r *run) effectively(counts series, g int) series {
	from, to := r.reach(r.e)
	return weigh(make([]tally, to-from+1), counts, r.clustering(r.e, r.groups[g].payer), from, to)
}

// without is a series of whole counts with the days from i to before j empty.
func without(s series, i, j int) series {
	if i >= j {
		return s
	}
	sum := slices.Clone(s.sum)
	before, gap := s.at(i), s.between(i, j)
	for k := i; k <= j; k++ {
		sum[k-s.from] = before
	}
	for k := j + 1; k-s.from < len(sum); k++ {
		sum[k-s.from] = sum[k-s.from].minus(gap)
	}
	return series{s.from, sum}
}

// dayIndex is the first business day on or after a calendar day.
func (c *customer) dayIndex(day upstream.Day) int {
	i, _ := slices.BinarySearch(c.days, day)
	return i
}

func (c *customer) payerIndex(name string) int {
	return slices.IndexFunc(c.payers, func(p payer) bool { return p.name == name })
}

func (c *customer) groupIndex(p int, name string) int {
	for g := c.payers[p].from; g < c.payers[p].to; g++ {
		if c.groups[g].name == name {
			return g
		}
	}
	return -1
}

// members are the whole counts of a payer's groups.
func (r *run) members(p int) []series { return r.counts[r.payers[p].from:r.payers[p].to] }

// node names a group or, with g < 0, a payer.
func (r *run) node(p, g int) *upstream.DriftEvent {
	e := &upstream.DriftEvent{Signal: upstream.DenialRate, Payer: &r.payers[p].name}
	if g >= 0 {
		e.CPTGroup = &r.groups[g].name
	}
	return e
}

// groupShare and payerShare are the shares of the budget, less what verdicts of
// noise took from the node.
func (r *run) groupShare(g int) float64 {
	return r.e.group[g] / r.h.quieted(r.node(r.groups[g].payer, g))
}

func (r *run) payerShare(p int) float64 { return r.e.payer[p] / r.h.quieted(r.node(p, -1)) }

// scanGroups returns the groups over a threshold.
func (r *run) scanGroups(sum *upstream.RunSummary) []alarm {
	var alarms []alarm
	for p := range r.payers {
		prior := r.prior(p, r.f)
		for g := r.payers[p].from; g < r.payers[p].to; g++ {
			if r.e.group[g] == 0 || r.skipped[g] {
				continue
			}
			s := shiryaevRoberts(r.weighed[g], r.f, prior, priorClaims)
			alarms = r.judge(alarms, g, &s, r.groupShare, sum)
		}
	}
	return alarms
}

// scanPayers returns the payers over a threshold.
func (r *run) scanPayers(sum *upstream.RunSummary) []alarm {
	var alarms []alarm
	for p := range r.payers {
		if r.e.payer[p] == 0 || r.under[p] {
			continue
		}
		s := standardised(r.members(p), r.overall(p), r.f, r.spread(r.e, p), false)
		alarms = r.judge(alarms, p, &s, r.payerShare, sum)
	}
	return alarms
}

// overall is a payer's tally of the history, all its groups together.
func (r *run) overall(p int) tally { return r.payers[p].counts.between(r.f.start, r.f.end) }

// alarm is a node over its threshold.
type alarm struct {
	node  int // index of the group or payer
	scan  scan
	tier  upstream.Tier
	share float64
}

// judge counts a scanned node and keeps it when it is over a threshold.
func (r *run) judge(alarms []alarm, node int, s *scan, share func(int) float64, sum *upstream.RunSummary) []alarm {
	if s.used == 0 {
		return alarms
	}
	sum.NodesConsidered++
	sum.Windows += s.used
	if s.lnR < math.Log(minARL) {
		return alarms
	}
	its := share(node)
	tier := r.tier(s.lnR, its)
	if tier == "" {
		return alarms
	}
	sum.Alarms++
	return append(alarms, alarm{node, *s, tier, its})
}
