package store

import (
	"context"
	"math"
)

// RollupCheck tells how the rollups of a customer compare with its claims.
type RollupCheck struct {
	Claims     int64       `json:"claims"`      // raw claims read
	WrongCount bool        `json:"wrong_count"` // the customer's count of claims differs
	Kinds      []KindCheck `json:"kinds"`       // always all, in one order
}

// KindCheck tells how one kind of rollup compares with the claims.
type KindCheck struct {
	Kind  string `json:"kind"`
	Cells int    `json:"cells"` // cells the claims come to
	Wrong int    `json:"wrong"` // cells that differ, are missing or too many
}

// OK reports whether the rollups equal the claims.
func (c RollupCheck) OK() bool { return c.Wrong() == 0 && !c.WrongCount }

// Wrong returns the number of wrong cells of all kinds.
func (c RollupCheck) Wrong() (n int) {
	for _, k := range c.Kinds {
		n += k.Wrong
	}
	return n
}

// Cells returns the number of cells that the claims come to.
func (c RollupCheck) Cells() (n int) {
	for _, k := range c.Kinds {
		n += k.Cells
	}
	return n
}

// VerifyRollup computes the rollups again from the raw claims and compares.
func (t *Tenant) VerifyRollup(ctx context.Context) (check RollupCheck, err error) {
	err = t.s.scan(ctx, func(x tx) error {
		truth, claims, err := t.cellsFromClaims(x, kinds[:]...)
		if err != nil {
			return err
		}
		check = RollupCheck{Claims: claims}
		for i, k := range kinds {
			stored, err := t.storedCells(x, k)
			if err != nil {
				return err
			}
			check.Kinds = append(check.Kinds, KindCheck{k.name, len(truth[i]), differences(truth[i], stored)})
		}
		counted, err := one(x, "SELECT claims FROM customer WHERE id = $1", t.id)
		check.WrongCount = counted != check.Claims
		return err
	})
	return check, err
}

// storedCells returns all cells of a kind, folded or not.
func (t *Tenant) storedCells(x tx, k *kind) ([]cell, error) {
	var all []cell
	everything := span{math.MinInt64, math.MaxInt64, math.MinInt64, math.MaxInt64}
	err := t.cells(x, k, everything, FromRollups, func(c *cell) { all = append(all, *c) })
	return all, err
}

// differences counts the keys at which two sorted lists differ.
func differences(a, b []cell) (n int) {
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].key.compare(&b[0].key) < 0:
			a, n = a[1:], n+1
		case len(a) == 0 || a[0].key.compare(&b[0].key) > 0:
			b, n = b[1:], n+1
		default:
			if a[0] != b[0] {
				n++
			}
			a, b = a[1:], b[1:]
		}
	}
	return n
}

// cellsFromClaims computes the cells of some kinds from all raw claims, and counts
// the claims.
func (t *Tenant) cellsFromClaims(x tx, of ...*kind) ([][]cell, int64, error) {
	if t.s.Engine() != "sqlite" {
		return t.cellsOfClaims(x, selectClaimSQL, []any{t.id}, of...)
	}
	// In the order of ids, which is that of the file; SQLite would take some index.
	own := "(SELECT " + claimColumns + " FROM claim NOT INDEXED WHERE customer_id = $1 AND id > $2 AND id < $3)"
	return t.cellsOfClaims(x, selectWithPast(own), []any{t.id, storedID(t.id, 0), storedID(t.id+1, 0)}, of...)
}

// cellsOfClaims does it from the claims that a query selects.
func (t *Tenant) cellsOfClaims(x tx, query string, args []any, of ...*kind) ([][]cell, int64, error) {
	l := newTerms(t.id)
	if err := l.load(x); err != nil {
		return nil, 0, err
	}
	sums, claims := make([]tally, len(of)), int64(0)
	var c claimRow
	err := x.query(query, args, func(r row) error {
		claims++
		c.scanInts(r)
		f, err := l.facts(x, &c)
		if err != nil {
			return err
		}
		for i, k := range of {
			sums[i].add(k, &f, +1)
		}
		return nil
	})
	cells := make([][]cell, len(of))
	for i := range sums {
		cells[i] = sums[i].cells()
		sums[i] = tally{}
	}
	return cells, claims, err
}

// RebuildRollup makes the rollups again from the raw claims, in one transaction.
func (t *Tenant) RebuildRollup(ctx context.Context) error {
	return t.s.write(ctx, t.id, t.rebuild)
}

func (t *Tenant) rebuild(x tx) error {
	if err := newTerms(t.id).makeDerived(x); err != nil {
		return err
	}
	for _, table := range []string{"rollup_segment", "rollup"} {
		if _, err := x.exec("DELETE FROM "+table+" WHERE customer_id = $1", t.id); err != nil {
			return err
		}
	}
	cells, claims, err := t.cellsFromClaims(x, kinds[:]...)
	if err != nil {
		return err
	}
	for i, k := range kinds {
		if err := t.foldCells(x, k, cells[i]); err != nil {
			return err
		}
	}
	_, err = x.exec("UPDATE customer SET claims = $1, data_version = data_version + 1, rollup_format = $2 WHERE id = $3", claims, rollupFormat, t.id)
	return err
}

// renewRollups makes the rollups again of customers that have them in another
// format: those of a database made by an earlier version.
func (s *Store) renewRollups(ctx context.Context) error {
	var old []int64
	err := s.read(ctx, func(x tx) error {
		return x.query("SELECT id FROM customer WHERE rollup_format <> $1 ORDER BY id", []any{rollupFormat}, func(r row) error {
			old = append(old, r.int(0))
			return nil
		})
	})
	for _, id := range old {
		if err != nil {
			return err
		}
		err = (&Tenant{s, id}).RebuildRollup(ctx)
	}
	return err
}
