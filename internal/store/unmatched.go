package store

import (
	"cmp"
	"context"
	"math"
	"slices"

	"upstream"
)

// UnmatchedPayers returns the payers among the customer's claims that neither a
// mapping nor the table that ships knows, those with most claims first.
func (t *Tenant) UnmatchedPayers(ctx context.Context) ([]upstream.UnmatchedPayer, error) {
	claims, err := t.claimsByPayer(ctx)
	if err != nil {
		return nil, err
	}
	out := []upstream.UnmatchedPayer{}
	err = t.s.read(ctx, func(x tx) error {
		own, err := t.payerNames(x)
		if err != nil {
			return err
		}
		l := newTerms(t.id)
		for id, n := range claims {
			payer, err := l.value(x, kindPayer, id)
			if err != nil {
				return err
			}
			if n != 0 && !own.Knows(payer) {
				out = append(out, upstream.UnmatchedPayer{Payer: payer, Claims: n})
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b upstream.UnmatchedPayer) int {
		return cmp.Or(cmp.Compare(b.Claims, a.Claims), cmp.Compare(a.Payer, b.Payer))
	})
	return out, err
}

// UnmatchedCodes returns the codes among the customer's claims that are in
// upstream.OtherGroup and not mapped, those with most claims first. A code that no
// decided claim has is told with none.
func (t *Tenant) UnmatchedCodes(ctx context.Context) ([]upstream.UnmatchedCode, error) {
	out := []upstream.UnmatchedCode{}
	err := t.s.scan(ctx, func(x tx) error {
		mapped, err := readGroups(x, "cpt_mapping", t.id)
		if err != nil {
			return err
		}
		l := newTerms(t.id)
		if err := l.loadAll(x, kindCode); err != nil {
			return err
		}
		claims := map[int32]int64{}
		for id, code := range l.values[kindCode] {
			if _, known := mapped[code]; id != 0 && !known && upstream.CPTGroup(code) == upstream.OtherGroup {
				claims[int32(id)] = 0
			}
		}
		if err := t.countCodes(x, claims); err != nil {
			return err
		}
		for id, n := range claims {
			out = append(out, upstream.UnmatchedCode{Code: l.values[kindCode][id], Claims: n})
		}
		return nil
	})
	slices.SortFunc(out, func(a, b upstream.UnmatchedCode) int {
		return cmp.Or(cmp.Compare(b.Claims, a.Claims), cmp.Compare(a.Code, b.Code))
	})
	return out, err
}

// countCodes counts the claims of some codes in the rollups that tell codes apart.
func (t *Tenant) countCodes(x tx, claims map[int32]int64) error {
	if len(claims) == 0 {
		return nil
	}
	everything := span{math.MinInt64, math.MaxInt64, math.MinInt64, math.MaxInt64}
	for _, of := range []struct {
		kind *kind
		code int
	}{{amountKind, amountCode}, {denialKind, denialCode}} {
		err := t.addUp(x, of.kind, everything, func(c *cell) {
			if n, wanted := claims[c.key[of.code]]; wanted {
				claims[c.key[of.code]] = n + c.sum[0]
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
