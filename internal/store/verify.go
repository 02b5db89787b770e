package store

import (
	"context"
	"maps"
	"slices"

	"upstream"
)

// RollupCheck tells how the rollups of a customer compare with its claims.
type RollupCheck struct {
	Claims      int64 `json:"claims"`       // raw claims read
	Cells       int   `json:"cells"`        // cells they come to
	WrongCells  int   `json:"wrong_cells"`  // cells that differ, are missing or too many
	WrongPoints int   `json:"wrong_points"` // likewise points of the series
	WrongCount  bool  `json:"wrong_count"`  // the customer's count of claims differs
}

// OK reports whether the rollups equal the claims.
func (c RollupCheck) OK() bool { return c.WrongCells == 0 && c.WrongPoints == 0 && !c.WrongCount }

// VerifyRollup computes the rollups again from the raw claims and compares.
func (t *Tenant) VerifyRollup(ctx context.Context) (check RollupCheck, err error) {
	err = t.s.read(ctx, func(x tx) error {
		truth, claims, err := t.cellsFromClaims(x)
		if err != nil {
			return err
		}
		check = RollupCheck{Claims: claims, Cells: len(truth)}
		counted, err := one(x, "SELECT claims FROM customer WHERE id = $1", t.id)
		if err != nil {
			return err
		}
		check.WrongCount = counted != claims
		stored, _, _, err := t.segments(x, 1<<30)
		if err != nil {
			return err
		}
		points := seriesOf(stored)
		err = x.query("SELECT cells FROM rollup_day WHERE customer_id = $1", []any{t.id}, func(r row) error {
			return decodeCells(r.bytes(0), func(c cell) { stored = append(stored, c) })
		})
		if err != nil {
			return err
		}
		err = x.query("SELECT period, cells FROM rollup_series WHERE customer_id = $1", []any{t.id}, func(r row) error {
			return decodePoints(int32(r.int(0)), r.bytes(1), func(payer, group uint32) func(int32, pointSum) {
				return func(day int32, s pointSum) { points = append(points, point{payer, group, day, s}) }
			})
		})
		check.WrongCells = differences(truth, combine(stored), compareCells)
		check.WrongPoints = differences(seriesOf(truth), combinePoints(points), comparePoints)
		return err
	})
	return check, err
}

// differences counts the keys at which two sorted lists differ.
func differences[T comparable](a, b []T, compare func(T, T) int) (n int) {
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && compare(a[0], b[0]) < 0:
			a, n = a[1:], n+1
		case len(a) == 0 || compare(a[0], b[0]) > 0:
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

// cellsFromClaims computes the cells of all raw claims.
func (t *Tenant) cellsFromClaims(x tx) ([]cell, int64, error) {
	l := newTerms(t.id)
	if err := l.loadGroups(x); err != nil {
		return nil, 0, err
	}
	sums, claims := deltas{}, int64(0)
	err := x.query("SELECT payer_id, code_id, submitted_date, first_decided_date, filing, first_outcome, billed, allowed, paid FROM claim WHERE customer_id = $1",
		[]any{t.id}, func(r row) error {
			claims++
			var c claimRow
			v := &c.ints
			v[colPayer], v[colCode], v[colSubmitted], v[colFirstDecided] = r.int(0), r.int(1), r.int(2), r.int(3)
			v[colFiling], v[colFirstOutcome] = r.int(4), r.int(5)
			v[colBilled], v[colAllowed], v[colPaid] = r.int(6), r.int(7), r.int(8)
			k, s := cellOf(&c, l.groups[v[colCode]])
			sums.add(k, s, +1)
			return nil
		})
	return sums.cells(), claims, err
}

// loadGroups fills in the group of every code, for readers that stream claims
// and so can't ask in between.
func (l *terms) loadGroups(x tx) error {
	if err := l.loadAll(x, kindCode); err != nil {
		return err
	}
	if err := l.loadAll(x, kindGroup); err != nil {
		return err
	}
	for code, text := range l.values[kindCode] {
		id, ok := l.ids[kindGroup][upstream.CPTGroup(text)]
		if !ok {
			return upstream.Errorf(upstream.Corrupt, "the table of CPT groups has changed since the rollups of customer %d were made; `upstream rollup rebuild --customer %d` makes them again", l.customer, l.customer)
		}
		l.groups[code] = id
	}
	return nil
}

// makeGroups makes the groups that stored codes have by now.
func (l *terms) makeGroups(x tx) error {
	if err := l.loadAll(x, kindCode); err != nil {
		return err
	}
	for _, text := range slices.Sorted(maps.Values(l.values[kindCode])) {
		if _, err := l.id(x, kindGroup, upstream.CPTGroup(text)); err != nil {
			return err
		}
	}
	return nil
}

// RebuildRollup makes the rollups again from the raw claims, in one transaction.
func (t *Tenant) RebuildRollup(ctx context.Context) error {
	return t.s.write(ctx, t.id, func(x tx) error {
		if err := newTerms(t.id).makeGroups(x); err != nil {
			return err
		}
		cells, claims, err := t.cellsFromClaims(x)
		if err != nil {
			return err
		}
		for _, table := range []string{"rollup_segment", "rollup_day", "rollup_series"} {
			if _, err := x.exec("DELETE FROM "+table+" WHERE customer_id = $1", t.id); err != nil {
				return err
			}
		}
		if err := t.foldDays(x, slices.Clone(cells)); err != nil {
			return err
		}
		if err := t.foldSeries(x, cells); err != nil {
			return err
		}
		_, err = x.exec("UPDATE customer SET claims = $1, data_version = data_version + 1 WHERE id = $2", claims, t.id)
		return err
	})
}
