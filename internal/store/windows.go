package store

import (
	"cmp"
	"context"
	"slices"

	"upstream"
)

// SubmittedWindows counts, by node, the claims submitted from baselineFirst to
// the day before currentFirst and from currentFirst through asOf that had their
// first decision by asOf. Nodes are sorted by payer, then CPT group.
func (t *Tenant) SubmittedWindows(ctx context.Context, baselineFirst, currentFirst, asOf upstream.Day, from From) ([]upstream.NodeWindow, error) {
	if from == FromRollups {
		if err := t.foldIfMany(ctx); err != nil {
			return nil, err
		}
	}
	type node struct{ payer, group uint32 }
	counts := map[node]*upstream.NodeWindow{}
	add := func(c cell) {
		p, ok := pointOf(c)
		if !ok || c.day < int32(baselineFirst) || c.day > int32(asOf) || p.day > int32(asOf) {
			return
		}
		w := counts[node{c.payer, c.group}]
		if w == nil {
			w = &upstream.NodeWindow{}
			counts[node{c.payer, c.group}] = w
		}
		if c.day >= int32(currentFirst) {
			w.CurrentN += p.decided
			w.CurrentDenied += p.denied
			return
		}
		w.BaselineN += p.decided
		w.BaselineDenied += p.denied
		w.BaselineAllowed += upstream.Money(p.allowed)
	}
	var out []upstream.NodeWindow
	err := t.s.read(ctx, func(x tx) error {
		if err := t.cells(x, baselineFirst, asOf, from, add); err != nil {
			return err
		}
		l := newTerms(t.id)
		for n, w := range counts {
			var err error
			if w.Payer, err = l.value(x, kindPayer, int64(n.payer)); err != nil {
				return err
			}
			if w.CPTGroup, err = l.value(x, kindGroup, int64(n.group)); err != nil {
				return err
			}
			if w.BaselineN != 0 || w.CurrentN != 0 {
				out = append(out, *w)
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b upstream.NodeWindow) int {
		return cmp.Or(cmp.Compare(a.Payer, b.Payer), cmp.Compare(a.CPTGroup, b.CPTGroup))
	})
	return out, err
}

// cells calls each with the cells of the submitted days from first through last;
// one key may come in several parts.
func (t *Tenant) cells(x tx, first, last upstream.Day, from From, each func(cell)) error {
	if from == FromClaims {
		cells, _, err := t.cellsFromClaims(x)
		for _, c := range cells {
			each(c)
		}
		return err
	}
	err := x.query("SELECT cells FROM rollup_day WHERE customer_id = $1 AND day >= $2 AND day <= $3",
		[]any{t.id, int64(first), int64(last)}, func(r row) error {
			return decodeCells(r.bytes(0), each)
		})
	if err != nil {
		return err
	}
	waiting, _, _, err := t.segments(x, 1<<30)
	for _, c := range waiting {
		each(c)
	}
	return err
}
