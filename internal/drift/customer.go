package drift

import (
	"slices"

	"upstream"
)

// customer is a customer's decisions on business days, ready for sums over any
// stretch of them. Day 0 is the customer's first day with a decision: a node
// that appears later has empty days before, not a shorter history. Blocks are
// counted from day 0 as well, so a replay estimates what the runs of the time did.
type customer struct {
	from, first upstream.Day   // calendar days of the first entry and the first decision
	days        []upstream.Day // business days, through the one that the last calendar day counts on
	groups      []group
	payers      []payer
	allowed     []int64 // cumulative cents, all groups
}

// group is one payer × CPT group.
type group struct {
	payer   int
	name    string
	counts  series
	allowed []int64 // cents of the claims not denied, by calendar day: only events need sums
}

// payer is one payer and its groups[from:to] of the customer.
type payer struct {
	name     string
	from, to int
	counts   series
	members  []series // of its groups
}

// newCustomer moves decisions of weekends and holidays to the next business
// day, on which payers would have issued them, and sums them up.
func newCustomer(d *upstream.Decisions) *customer {
	c := &customer{from: d.From}
	offset := firstDecision(d)
	if offset < 0 {
		return c
	}
	c.first = d.From + upstream.Day(offset)
	for day := c.first.NextBusiness(); day <= d.To.NextBusiness(); day++ {
		if day.IsBusiness() {
			c.days = append(c.days, day)
		}
	}
	slots := c.slots(c.first, d.To)
	c.allowed = make([]int64, len(c.days)+1)
	width := len(c.days) + 1
	counts := make([]tally, len(d.Nodes)*width)
	for i := range d.Nodes {
		c.add(&d.Nodes[i], counts[i*width:(i+1)*width], offset, slots)
	}
	for i := range c.days {
		c.allowed[i+1] += c.allowed[i]
	}
	for i := range c.payers {
		c.payers[i].pool(c)
	}
	return c
}

// firstDecision is the offset of the first calendar day with a decision, or -1.
func firstDecision(d *upstream.Decisions) int {
	first := -1
	for i := range d.Nodes {
		decided := d.Nodes[i].Decided
		at := slices.IndexFunc(decided, func(n int32) bool { return n > 0 })
		if at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// slots maps each calendar day to the business day it counts on. Every business
// day has at least itself, so cumulative sums can be written in one pass.
func (c *customer) slots(from, to upstream.Day) []int {
	slots := make([]int, 0, to-from+1)
	slot := 0
	for day := from; day <= to; day++ {
		for c.days[slot] < day {
			slot++
		}
		slots = append(slots, slot)
	}
	return slots
}

// add sums up one group into counts.
func (c *customer) add(n *upstream.NodeDecisions, counts []tally, offset int, slots []int) {
	if last := len(c.payers) - 1; last < 0 || c.payers[last].name != n.Payer {
		c.payers = append(c.payers, payer{name: n.Payer, from: len(c.groups)})
	}
	decided, denied, allowed := n.Decided[offset:], n.Denied[offset:], n.Allowed[offset:]
	var sum tally
	for i, slot := range slots {
		// Rollups are sums of deltas; what can't be counted must not poison the rest.
		if n := decided[i]; n > 0 {
			sum.n += float64(n)
			sum.x += float64(min(max(denied[i], 0), n))
		}
		c.allowed[slot+1] += allowed[i]
		counts[slot+1] = sum
	}
	p := len(c.payers) - 1
	c.groups = append(c.groups, group{p, n.CPTGroup, series{0, counts}, n.Allowed})
	c.payers[p].to = len(c.groups)
}

// pool sums the payer's groups.
func (p *payer) pool(c *customer) {
	sum := make([]tally, len(c.days)+1)
	for _, g := range c.groups[p.from:p.to] {
		p.members = append(p.members, g.counts)
		for i, t := range g.counts.sum {
			sum[i].n += t.n
			sum[i].x += t.x
		}
	}
	p.counts = series{0, sum}
}

// through is the number of business days up to and including a calendar day.
// Decisions of a weekend count only once its next business day has come.
func (c *customer) through(asOf upstream.Day) int {
	n, _ := slices.BinarySearch(c.days, asOf+1)
	return n
}

// opens is the first calendar day whose decisions count on business day i.
func (c *customer) opens(i int) upstream.Day {
	if i == 0 {
		return c.first
	}
	return c.days[i-1] + 1
}

// allowedRate is the customer's cents allowed a month from business day i to before j.
func (c *customer) allowedRate(i, j int) float64 {
	if j <= i {
		return 0
	}
	return float64(c.allowed[j]-c.allowed[i]) / float64(j-i) * businessDaysPerMonth
}

// meanAllowed is the mean cents allowed on the claims a payer didn't deny, of
// the group, or of the whole payer where the group has none.
func (c *customer) meanAllowed(g, i, j int) float64 {
	own := &c.groups[g]
	if t := own.counts.between(i, j); t.n > t.x {
		return float64(c.cents(g, i, j)) / (t.n - t.x)
	}
	p := &c.payers[own.payer]
	t := p.counts.between(i, j)
	if t.n <= t.x {
		return 0
	}
	cents := int64(0)
	for m := p.from; m < p.to; m++ {
		cents += c.cents(m, i, j)
	}
	return float64(cents) / (t.n - t.x)
}

// cents are those allowed in a group from business day i to before j.
func (c *customer) cents(g, i, j int) (sum int64) {
	for _, v := range c.groups[g].allowed[c.opens(i)-c.from : c.opens(j)-c.from] {
		sum += v
	}
	return sum
}
