package store

import (
	"cmp"
	"slices"
	"strings"

	"upstream"
)

// maxLegs is how many payers are walked side by side, each in its own order.
const maxLegs = 16

// looks bound how many claims are looked at where a filter has no index: first by
// a page, each further time four times as many, up to page; and by a count.
type looks struct{ first, page, count int }

// manyLooks take some milliseconds.
var manyLooks = looks{first: 1000, page: 20_000, count: 10_000}

// claimWalk goes through claims in the order of an index, by keys, so that the
// page after any claim costs the same.
//
// An index begins with the customer; what it orders by follows, and then the id.
// The claims of some payers are walked side by side in the index of payers, in the
// order of their decided dates. A walk by decided date has two parts, decided and
// pending claims: a comparison with no date says neither yes nor no.
type claimWalk struct {
	t     *Tenant
	order ordering
	back  bool // from the end of the list to its beginning
	c     *claimConditions
	parts []walkPart
	legs  []int64 // payers whose claims are walked side by side
}

// walkPart is a part of a walk by decided date.
type walkPart int

const (
	whole walkPart = iota
	decidedPart
	pendingPart
)

// place is where a walk stands: behind a claim.
type place struct {
	upstream.Key
	claimID string // and the line, of a walk by claim_id
	line    int64
}

func newWalk(t *Tenant, order ordering, back bool, c *claimConditions) *claimWalk {
	w := &claimWalk{t: t, order: order, back: back, c: c, parts: []walkPart{whole}}
	if order.column != "decided_date" {
		return w
	}
	switch {
	case c.decided.given() && c.onlyPending():
		w.parts = nil
	case c.onlyPending():
		w.parts = []walkPart{pendingPart}
	case c.onlyDecided():
		w.parts = []walkPart{decidedPart}
	case order.desc != back:
		w.parts = []walkPart{decidedPart, pendingPart}
	default:
		w.parts = []walkPart{pendingPart, decidedPart}
	}
	if len(c.payers) <= maxLegs {
		w.legs = c.payers
	}
	return w
}

// filters reports whether the walk meets claims that don't pass.
func (w *claimWalk) filters() bool {
	p := params{}
	return w.residual(&p) != ""
}

// residual writes the conditions that the walk's index doesn't fulfil by itself.
func (w *claimWalk) residual(p *params) (text string) {
	c := w.c
	if w.legs == nil {
		text += in("payer_id", c.payers, p)
	}
	if w.order.column != "decided_date" || !c.onlyPending() {
		text += in("outcome", c.outcomes, p)
	}
	text += in("code_id", c.codes, p) + in("carc_id", c.carcs, p)
	if c.location != 0 {
		text += in("location_id", []int64{c.location}, p)
	}
	if w.order.column != "decided_date" {
		text += c.decided.within("decided_date + 0", p)
	}
	if w.order.column != "submitted_date" {
		text += c.submitted.within("submitted_date + 0", p)
	}
	return text + c.serviced.within("service_date + 0", p)
}

// from returns the table, on SQLite with the index that has the order: without
// statistics it may take another one and sort.
func (w *claimWalk) from() string {
	if w.t.s.Engine() != "sqlite" {
		return " FROM claim"
	}
	switch {
	case w.legs != nil:
		return " FROM claim INDEXED BY claim_payer"
	case w.order.column == "decided_date":
		return " FROM claim INDEXED BY claim_decided"
	case w.order.column == "submitted_date":
		return " FROM claim INDEXED BY claim_submitted"
	case w.order.column == "claim_id":
		return " FROM claim INDEXED BY claim_key"
	}
	return " FROM claim NOT INDEXED"
}

// step asks for keys of one part of a walk.
type step struct {
	part          walkPart
	after, until  *place // until is inclusive
	pass          bool   // only claims that pass the filter
	limit, offset int
}

// boundLegs gives each leg an order and a limit of its own, without which PostgreSQL
// reads and sorts all of them; SQLite merges them lazily.
func (w *claimWalk) boundLegs(legs []string, order string, s step, p *params) {
	if w.t.s.Engine() != "postgres" {
		return
	}
	limit := p.add(s.limit + s.offset)
	for i, leg := range legs {
		legs[i] = "(" + leg + " ORDER BY " + order + " LIMIT " + limit + ")"
	}
}

// statement writes the text that reads the keys of a step.
func (w *claimWalk) statement(s step) (string, params) {
	p := params{w.t.id}
	direction, _ := w.order.direction(w.back)
	value, order := w.order.column, w.order.column+direction+", id"+direction
	switch w.order.column {
	case "id":
		value, order = "0", "id"+direction
	case "claim_id":
		value, order = "0", "claim_id"+direction+", line"+direction
	}
	ranges, conditions := w.ranges(s, &p), ""
	if s.pass {
		conditions = w.residual(&p)
	}
	payers := []string{""}
	if w.legs != nil {
		payers = nil
		for _, payer := range w.legs {
			payers = append(payers, " AND payer_id = "+p.add(payer))
		}
	}
	var legs []string
	for _, payer := range payers {
		for _, reach := range ranges {
			legs = append(legs, "SELECT "+value+", id"+w.from()+" WHERE customer_id = $1"+payer+reach+conditions)
		}
	}
	if len(legs) > 1 {
		w.boundLegs(legs, order, s, &p)
		order = "1" + direction + ", 2" + direction
	}
	text := strings.Join(legs, " UNION ALL ") + " ORDER BY " + order + " LIMIT " + p.add(s.limit)
	if s.offset > 0 {
		text += " OFFSET " + p.add(s.offset)
	}
	return text, p
}

func (w *claimWalk) keys(x tx, s step) (keys []upstream.Key, err error) {
	text, args := w.statement(s)
	err = x.query(text, args, func(r row) error {
		keys = append(keys, upstream.Key{Value: r.int(0), ID: claimNumber(r.int(1))})
		return nil
	})
	return keys, err
}

// page returns the keys of a page in the direction of the walk, and one more where
// there is one; or an edge, up to which there are no others.
func (w *claimWalk) page(x tx, page upstream.Page) (keys []upstream.Key, edge upstream.Key, err error) {
	at, err := w.place(x, cmp.Or(page.After, page.Before))
	if err != nil {
		return nil, edge, err
	}
	at = w.skipTo(at)
	if w.filters() {
		return w.scan(x, page, at)
	}
	offset := page.Offset
	for _, part := range w.parts {
		s := step{part: part, after: at, limit: page.Limit() + 1 - len(keys), offset: offset}
		if s.limit == 0 {
			break
		}
		more, err := w.keys(x, s)
		if err != nil {
			return nil, edge, err
		}
		if offset > 0 && len(more) > 0 {
			offset = 0
		}
		if offset > 0 && part != w.parts[len(w.parts)-1] {
			passed, err := w.count(x, step{part: part, limit: offset})
			if err != nil {
				return nil, edge, err
			}
			offset -= int(passed)
		}
		keys, at = append(keys, more...), nil
	}
	return keys, edge, nil
}

// scan is page where claims have to be looked at: some at first, then more.
func (w *claimWalk) scan(x tx, page upstream.Page, at *place) (keys []upstream.Key, edge upstream.Key, err error) {
	wanted, left := page.Offset+page.Limit()+1, w.t.s.look.page
	rows := w.t.s.look.first
	for _, part := range w.parts {
		for more := true; more && len(keys) < wanted; {
			if left <= 0 {
				return w.cut(keys, edge, page)
			}
			rows = min(rows, left)
			s := step{part: part, after: at, pass: true, limit: wanted - len(keys)}
			if s.until, err = w.edge(x, step{part: part, after: at, limit: 1, offset: rows - 1}); err != nil {
				return nil, edge, err
			}
			found, err := w.keys(x, s)
			if err != nil {
				return nil, edge, err
			}
			keys = append(keys, found...)
			if at = s.until; at != nil {
				edge = at.Key
			}
			left, rows, more = left-rows, 4*rows, at != nil
		}
		left = max(left, w.t.s.look.first) // an edge must lie in the part where the walk ends
	}
	return keys[min(page.Offset, len(keys)):], upstream.Key{}, nil
}

// cut ends a page whose walk has looked at enough claims.
func (w *claimWalk) cut(keys []upstream.Key, edge upstream.Key, page upstream.Page) ([]upstream.Key, upstream.Key, error) {
	if len(keys) < page.Offset {
		return nil, edge, upstream.Errorf(upstream.Invalid, "too few claims pass this filter for a page number so high; follow the cursor of the page before, or name a payer or a range of dates")
	}
	return keys[page.Offset:], edge, nil
}

// edge returns the place of a single key, nil without one.
func (w *claimWalk) edge(x tx, s step) (*place, error) {
	keys, err := w.keys(x, s)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	return w.place(x, keys[0])
}

// place returns the place of a key, nil for none.
func (w *claimWalk) place(x tx, k upstream.Key) (*place, error) {
	if k.IsZero() {
		return nil, nil
	}
	at := &place{Key: k}
	if w.order.column != "claim_id" {
		return at, nil
	}
	err := x.query("SELECT claim_id, line FROM claim WHERE customer_id = $1 AND id = $2", []any{w.t.id, storedID(w.t.id, k.ID)}, func(r row) error {
		at.claimID, at.line = r.text(0), r.int(1)
		return nil
	})
	if err == nil && at.claimID == "" {
		err = upstream.Errorf(upstream.NotFound, "the claim this page begins after is not there any more; begin with the first page")
	}
	return at, err
}

// skipTo drops the parts before a place and returns the place in what is then the
// first part: nil, its beginning, if the place is in none.
func (w *claimWalk) skipTo(at *place) *place {
	if at == nil || w.order.column != "decided_date" {
		return at
	}
	own := decidedPart
	if at.Value == 0 {
		own = pendingPart
	}
	w.parts = slices.DeleteFunc(w.parts, func(p walkPart) bool {
		return p != own && (p < own) == (w.order.desc != w.back)
	})
	if len(w.parts) > 0 && w.parts[0] != own {
		return nil
	}
	return at
}

// count counts the claims of a step, up to its limit.
func (w *claimWalk) count(x tx, s step) (int64, error) {
	text, args := w.statement(s)
	return one(x, "SELECT COUNT(*) FROM ("+text+") counted", args...)
}
