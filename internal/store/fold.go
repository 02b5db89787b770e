package store

import (
	"context"
	"slices"
)

const (
	// foldAfter is how many segments pile up before they are folded.
	foldAfter = 16
	// foldLimit bounds the memory of one fold.
	foldLimit = 64
)

// Fold moves the appended segments of the customer into its day and series
// rollups. What readers see does not change, and neither does the data version.
func (t *Tenant) Fold(ctx context.Context) error {
	for {
		more := false
		err := t.s.write(ctx, t.id, func(x tx) error {
			cells, last, n, err := t.segments(x, foldLimit)
			if err != nil || n == 0 {
				return err
			}
			more = n == foldLimit
			if err := t.foldDays(x, cells); err != nil {
				return err
			}
			if err := t.foldSeries(x, cells); err != nil {
				return err
			}
			_, err = x.exec("DELETE FROM rollup_segment WHERE customer_id = $1 AND id <= $2", t.id, last)
			return err
		})
		if err != nil || !more {
			return err
		}
	}
}

// segments reads up to limit segments, oldest first, and combines their cells.
func (t *Tenant) segments(x tx, limit int) (cells []cell, last int64, n int, err error) {
	err = x.query("SELECT id, cells FROM rollup_segment WHERE customer_id = $1 ORDER BY id LIMIT $2", []any{t.id, limit}, func(r row) error {
		last = r.int(0)
		n++
		return decodeCells(r.bytes(1), func(c cell) { cells = append(cells, c) })
	})
	return combine(cells), last, n, err
}

// foldDays adds sorted cells to the blobs of their days.
func (t *Tenant) foldDays(x tx, cells []cell) error {
	for len(cells) > 0 {
		day := cells[0].day
		n := slices.IndexFunc(cells, func(c cell) bool { return c.day != day })
		if n < 0 {
			n = len(cells)
		}
		merged := slices.Clone(cells[:n])
		cells = cells[n:]
		err := x.query("SELECT cells FROM rollup_day WHERE customer_id = $1 AND day = $2", []any{t.id, int64(day)}, func(r row) error {
			return decodeCells(r.bytes(0), func(c cell) { merged = append(merged, c) })
		})
		if err != nil {
			return err
		}
		merged = combine(merged)
		if err := t.putBlob(x, "rollup_day", "day", int64(day), encodeCells(merged), len(merged) == 0); err != nil {
			return err
		}
	}
	return nil
}

// foldSeries adds cells to the blobs of the periods their decisions fall in.
func (t *Tenant) foldSeries(x tx, cells []cell) error {
	points := seriesOf(cells)
	for len(points) > 0 {
		period := points[0].day >> periodBits
		n := slices.IndexFunc(points, func(p point) bool { return p.day>>periodBits != period })
		if n < 0 {
			n = len(points)
		}
		merged := slices.Clone(points[:n])
		points = points[n:]
		err := x.query("SELECT cells FROM rollup_series WHERE customer_id = $1 AND period = $2", []any{t.id, int64(period)}, func(r row) error {
			return decodePoints(period, r.bytes(0), func(payer, group uint32) func(int32, pointSum) {
				return func(day int32, s pointSum) { merged = append(merged, point{payer, group, day, s}) }
			})
		})
		if err != nil {
			return err
		}
		merged = combinePoints(merged)
		if err := t.putBlob(x, "rollup_series", "period", int64(period), encodePoints(merged), len(merged) == 0); err != nil {
			return err
		}
	}
	return nil
}

// seriesOf returns the combined series points of cells.
func seriesOf(cells []cell) []point {
	var points []point
	for _, c := range cells {
		if p, ok := pointOf(c); ok {
			points = append(points, p)
		}
	}
	return combinePoints(points)
}

// putBlob replaces one blob of a rollup table, or removes an empty one.
func (t *Tenant) putBlob(x tx, table, key string, value int64, b []byte, empty bool) error {
	if empty {
		_, err := x.exec("DELETE FROM "+table+" WHERE customer_id = $1 AND "+key+" = $2", t.id, value)
		return err
	}
	_, err := x.exec("INSERT INTO "+table+" (customer_id, "+key+", cells) VALUES ($1, $2, $3) ON CONFLICT (customer_id, "+key+") DO UPDATE SET cells = excluded.cells",
		t.id, value, b)
	return err
}

// readers fold first when this many segments wait, and otherwise add them up.
func (t *Tenant) foldIfMany(ctx context.Context) error {
	var waiting int64
	err := t.s.read(ctx, func(x tx) (err error) {
		waiting, err = one(x, "SELECT COUNT(*) FROM rollup_segment WHERE customer_id = $1", t.id)
		return err
	})
	if err != nil || waiting <= foldAfter/2 {
		return err
	}
	return t.Fold(ctx)
}
