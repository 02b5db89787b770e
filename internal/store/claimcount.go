package store

import (
	"math"
	"slices"

	"upstream"
)

// countClaims counts the claims that pass: exactly from the customer's own count
// and from rollups where they know the filter, or where the page has all of them;
// else among countRows claims, and those that the page has.
func (t *Tenant) countClaims(x tx, c *claimConditions, page upstream.Page, list *upstream.List[upstream.Claim]) (upstream.Count, error) {
	exact := func(n int64, err error) (upstream.Count, error) { return upstream.Count{N: n, Exact: true}, err }
	inRollups := c.carcs == nil && c.location == 0 && !c.otherCodes && !c.serviced.given() && c.search == ""
	switch {
	case inRollups && c.payers == nil && c.outcomes == nil && c.group == 0 && !c.decided.given() && !c.submitted.given():
		return exact(one(x, "SELECT claims FROM customer WHERE id = $1", t.id))
	case inRollups && !c.submitted.given():
		return exact(t.countStates(x, c))
	case inRollups && c.outcomes == nil && !c.decided.given():
		return exact(t.countSubmitted(x, c))
	}
	seen, fromStart := int64(page.Offset+len(list.Items)), page.After.IsZero() && page.Before.IsZero()
	if fromStart && list.Next.IsZero() && (len(list.Items) > 0 || page.Offset == 0) {
		return exact(seen, nil)
	}
	count, err := t.countByLooking(x, c)
	if fromStart && len(list.Items) > 0 {
		count.N = max(count.N, seen)
	}
	return count, err
}

// countStates counts by current outcome and decided day.
func (t *Tenant) countStates(x tx, c *claimConditions) (n int64, err error) {
	s := c.decided.periods(periodBits)
	if c.onlyPending() {
		s = periods(0, 0)
	}
	err = t.addUp(x, stateKind, s, func(k *cell) {
		if day := k.key[stateDay]; c.decided.given() && (day == 0 || !c.decided.contain(day)) {
			return
		}
		if c.passNode(k.key[statePayer], k.key[stateGroup]) && (c.outcomes == nil || slices.Contains(c.outcomes, int64(k.key[stateOutcome]))) {
			n += k.sum[0]
		}
	})
	return n, err
}

// countSubmitted counts by submitted day.
func (t *Tenant) countSubmitted(x tx, c *claimConditions) (n int64, err error) {
	err = t.addUp(x, dayKind, c.submitted.periods(0), func(k *cell) {
		if c.passNode(k.key[dayPayer], k.key[dayGroup]) {
			n += k.sum[dayCount]
		}
	})
	return n, err
}

func (c *claimConditions) passNode(payer, group int32) bool {
	return (c.payers == nil || slices.Contains(c.payers, int64(payer))) && (c.group == 0 || c.group == int64(group))
}

// periods are the buckets of a range of days.
func (d days) periods(bits uint) span {
	s := periods(d.first>>bits, d.last>>bits)
	if d.first == 0 {
		s.first = math.MinInt64
	}
	if d.last == 0 {
		s.last = math.MaxInt64
	}
	return s
}

func (d days) contain(day int32) bool {
	return (d.first == 0 || int64(day) >= d.first) && (d.last == 0 || int64(day) <= d.last)
}

// countByLooking counts in the index that leaves the fewest claims to look at.
func (t *Tenant) countByLooking(x tx, c *claimConditions) (upstream.Count, error) {
	order := ordering{column: "decided_date"}
	switch {
	case c.search != "":
		order.column = "claim_id"
	case c.payers == nil && !c.decided.given() && c.submitted.given():
		order.column = "submitted_date"
	}
	count := upstream.Count{Exact: true}
	w := newWalk(t, order, false, c)
	for _, part := range w.parts {
		until, err := w.edge(x, step{part: part, limit: 1, offset: t.s.look.count - 1})
		if err != nil {
			return count, err
		}
		n, err := w.count(x, step{part: part, until: until, pass: true, limit: t.s.look.count})
		if err != nil {
			return count, err
		}
		count.N += n
		count.Exact = count.Exact && until == nil
	}
	return count, nil
}
