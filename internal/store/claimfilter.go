package store

import (
	"slices"
	"strings"

	"upstream"
)

// claimConditions are a ClaimFilter in the terms of a customer. Lists are nil
// where nothing is asked for.
type claimConditions struct {
	payers, outcomes, codes, carcs []int64
	location, group                int64
	otherCodes                     bool // codes are more or less than those of group
	decided, submitted, serviced   days
	search                         string
}

// days are a range, either end of which may be missing.
type days struct{ first, last int64 }

func (d days) given() bool { return d.first != 0 || d.last != 0 }

// conditions turns texts into terms; some is false if no claim can pass.
func (f *ClaimFilter) conditions(l *terms) (c claimConditions, some bool) {
	c = claimConditions{
		decided:   days{int64(f.DecidedFrom), int64(f.DecidedTo)},
		submitted: days{int64(f.SubmittedFrom), int64(f.SubmittedTo)},
		serviced:  days{int64(f.ServiceFrom), int64(f.ServiceTo)},
		search:    f.Search,
	}
	some = true
	need := func(given bool, ids ...int64) []int64 {
		ids = slices.DeleteFunc(ids, func(id int64) bool { return id == 0 })
		if !given {
			return nil
		}
		some = some && len(ids) > 0
		slices.Sort(ids)
		return slices.Compact(ids)
	}
	var payers []int64
	for _, payer := range f.Payers {
		payers = append(payers, l.ids[kindPayer][payer])
	}
	c.payers = need(len(f.Payers) > 0, payers...)
	for _, o := range f.Outcomes {
		c.outcomes = append(c.outcomes, int64(o))
	}
	c.outcomes = need(len(f.Outcomes) > 0, c.outcomes...)
	if c.location = l.ids[kindLocation][f.Location]; f.Location != "" {
		need(true, c.location)
	}
	if f.CPTGroup != "" {
		c.group = l.ids[kindGroup][f.CPTGroup]
		c.codes = need(true, l.codesOf(c.group)...)
	}
	if f.CPT != "" {
		code := l.ids[kindCode][f.CPT]
		if c.otherCodes = true; c.codes != nil && !slices.Contains(c.codes, code) {
			code = 0
		}
		c.codes = need(true, code)
	}
	if f.CARC != "" {
		c.carcs = need(true, l.carcsWith(f.CARC)...)
	}
	return c, some
}

// carcsWith returns the lists of CARCs that hold a code.
func (l *terms) carcsWith(code string) (ids []int64) {
	for id, list := range l.values[kindCARC] {
		for one := range strings.FieldsSeq(list) {
			if _, number, _ := strings.Cut(one, "-"); one == code || number == code {
				ids = append(ids, int64(id))
				break
			}
		}
	}
	return ids
}

// onlyPending and onlyDecided tell of which claims all that pass are: a claim is
// pending exactly while it has no decided date, ingest takes no others.
func (c *claimConditions) onlyPending() bool {
	return len(c.outcomes) == 1 && c.outcomes[0] == int64(upstream.Pending)
}

func (c *claimConditions) onlyDecided() bool {
	return c.decided.given() || c.outcomes != nil && !slices.Contains(c.outcomes, int64(upstream.Pending))
}

// within writes the condition that a column lies in a range.
func (d days) within(column string, p *params) (text string) {
	if d.first != 0 {
		text += " AND " + column + " >= " + p.add(d.first)
	}
	if d.last != 0 {
		text += " AND " + column + " <= " + p.add(d.last)
	}
	return text
}

// in writes the condition that a column is one of some ids. The sum keeps the
// planners from choosing an index by it, in which the order would be lost.
func in(column string, ids []int64, p *params) string {
	if ids == nil {
		return ""
	}
	return " AND " + column + " + 0 IN (" + p.list(ids) + ")"
}
