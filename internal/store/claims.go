package store

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"upstream"
)

// ClaimFilter chooses claims by their current state; what is empty chooses all.
// Days are inclusive.
type ClaimFilter struct {
	Payers   []string
	Outcomes []upstream.Outcome
	CPT      string
	CPTGroup string
	CARC     string // "CO-197", or "197" of any group: one of the claim's codes
	Location string

	DecidedFrom, DecidedTo     upstream.Day // none of a pending claim
	SubmittedFrom, SubmittedTo upstream.Day
	ServiceFrom, ServiceTo     upstream.Day

	// Search is what claim ids begin with, three characters or more, upper and
	// lower case being different. The claim of that very id comes first.
	Search string

	// Order is decided_date, submitted_date, id or claim_id; with - before it the
	// largest come first. A pending claim stands before all decided ones, so that
	// it comes last in -decided_date. Claims of one day are ordered by id. An
	// empty one is claim_id for a search, which has no other; -submitted_date
	// where submitted days are asked for and decided ones aren't; -decided_date.
	Order string
}

// minSearch is how many characters a search has at least: fewer begin the ids of
// too many claims.
const minSearch = 3

// Claims lists claims. Where a filter has no index a page looks at some twenty
// thousand claims; if too few pass, it ends early and Next goes on from there. A
// page that Offset can't reach by looking at so many is Invalid.
func (t *Tenant) Claims(ctx context.Context, f ClaimFilter, page upstream.Page) (list upstream.List[upstream.Claim], err error) {
	if err := page.Check(); err != nil {
		return list, err
	}
	order, err := f.order()
	if err != nil {
		return list, err
	}
	list.Items, list.Count.Exact = []upstream.Claim{}, true
	err = t.s.read(ctx, func(x tx) error {
		l, err := t.terms(x)
		if err != nil {
			return err
		}
		c, some := f.conditions(l)
		if !some { // a payer, code or place that no claim has
			return nil
		}
		if list, err = t.listClaims(x, l, newWalk(t, order, page.Back(), &c), page); err != nil {
			return err
		}
		list.Count, err = t.countClaims(x, &c, page, &list)
		return err
	})
	return list, err
}

func (f *ClaimFilter) order() (o ordering, err error) {
	if f.Search != "" {
		if utf8.RuneCountInString(f.Search) < minSearch || !utf8.ValidString(f.Search) || strings.ContainsRune(f.Search, 0) {
			return o, upstream.Errorf(upstream.Invalid, "search for at least %d characters of a claim id", minSearch)
		}
		if o, err = parseOrdering(f.Order, "claim_id"); err != nil {
			err = upstream.Errorf(upstream.Invalid, "what a search finds is ordered by claim_id or -claim_id; leave the order out, or the search")
		}
		return o, err
	}
	if f.Order == "" && (f.SubmittedFrom != 0 || f.SubmittedTo != 0) && f.DecidedFrom == 0 && f.DecidedTo == 0 {
		return ordering{"submitted_date", true}, nil
	}
	return parseOrdering(f.Order, "-decided_date", "submitted_date", "id", "claim_id")
}

// Claim returns a claim, or NotFound.
func (t *Tenant) Claim(ctx context.Context, id int64) (c upstream.Claim, err error) {
	err = t.s.read(ctx, func(x tx) error {
		l, err := t.terms(x)
		if err != nil {
			return err
		}
		claims, err := t.claimsByID(x, l, []upstream.Key{{ID: id}})
		switch {
		case err != nil:
			return err
		case len(claims) == 0 || claims[0].ID != id:
			return upstream.Errorf(upstream.NotFound, "there is no claim %d", id)
		}
		c = claims[0]
		return nil
	})
	return c, err
}

// listClaims reads a page of a walk.
func (t *Tenant) listClaims(x tx, l *terms, w *claimWalk, page upstream.Page) (list upstream.List[upstream.Claim], err error) {
	keys, edge, err := w.page(x, page)
	if err != nil {
		return list, err
	}
	shown := keys[:min(len(keys), page.Limit())]
	claims, err := t.claimsByID(x, l, shown)
	if err != nil {
		return list, err
	}
	if len(keys) > len(shown) { // there are more, of which paged needs to know
		claims = append(claims, upstream.Claim{})
	}
	list = paged(page, claims, keys)
	if edge.IsZero() {
		return list, nil
	}
	if page.Back() {
		list.Previous = edge
	} else {
		list.Next = edge
	}
	return list, nil
}

// claimsByID reads claims in the order of keys.
func (t *Tenant) claimsByID(x tx, l *terms, keys []upstream.Key) ([]upstream.Claim, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(keys))
	place := make(map[int64]int, len(keys))
	for i, k := range keys {
		ids[i] = storedID(t.id, k.ID)
		place[ids[i]] = i
	}
	args := params{t.id}
	rows := make([]claimRow, len(keys))
	from := "claim"
	if t.s.Engine() == "sqlite" {
		from = "claim NOT INDEXED" // or it may go through all claims of the customer
	}
	err := x.query(selectWithPast("(SELECT "+claimColumns+" FROM "+from+" WHERE customer_id = $1 AND id IN ("+args.list(ids)+"))"), args, func(r row) error {
		rows[place[r.int(colID)]].scan(r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r claimRow) bool { return r.ints[colID] == 0 })
	claims := make([]upstream.Claim, len(rows))
	for i := range rows {
		if claims[i], err = l.decode(x, &rows[i]); err != nil {
			return nil, err
		}
	}
	return claims, nil
}
