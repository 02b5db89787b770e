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
	add := func(c *cell) {
		day := upstream.Day(c.key[daySubmitted])
		lag, decided := unpackLag(c.key[dayLag])
		filing, first := upstream.Filing(c.key[dayClass]>>4), upstream.Outcome(c.key[dayClass]&15)
		if day < baselineFirst || day > asOf || !decided || day+upstream.Day(lag) > asOf || !upstream.IsDecided(filing, first) {
			return
		}
		n := node{uint32(c.key[dayPayer]), uint32(c.key[dayGroup])}
		w := counts[n]
		if w == nil {
			w = &upstream.NodeWindow{}
			counts[n] = w
		}
		count, denied, allowed := c.sum[dayCount], int64(0), c.sum[dayAllowed]+c.sum[dayFirstAllowed]
		if upstream.IsDenial(filing, first) {
			denied, allowed = count, 0
		}
		if day >= currentFirst {
			w.CurrentN += count
			w.CurrentDenied += denied
			return
		}
		w.BaselineN += count
		w.BaselineDenied += denied
		w.BaselineAllowed += upstream.Money(allowed)
	}
	var out []upstream.NodeWindow
	err := t.s.scan(ctx, func(x tx) error {
		if err := t.cells(x, dayKind, periods(int64(baselineFirst), int64(asOf)), from, add); err != nil {
			return err
		}
		l, err := t.terms(x)
		if err != nil {
			return err
		}
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
