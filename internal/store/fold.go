package store

import "context"

const (
	// foldAfter is how many segments of a kind pile up before they are folded.
	foldAfter = 16
	// foldLimit bounds the memory of one fold.
	foldLimit = 64
)

// Fold moves the appended segments of the customer into the blobs of its
// rollups. What readers see does not change, and neither does the data version.
func (t *Tenant) Fold(ctx context.Context) error {
	for {
		more := false
		err := t.s.writeQuietly(ctx, t.id, func(x tx) error {
			for _, k := range kinds {
				n, err := t.foldKind(x, k)
				if err != nil {
					return err
				}
				more = more || n == foldLimit
			}
			return nil
		})
		if err != nil || !more {
			return err
		}
	}
}

// foldKind folds up to foldLimit segments and returns how many there were.
func (t *Tenant) foldKind(x tx, k *kind) (int, error) {
	cells, last, n, err := t.segments(x, k, foldLimit)
	if err != nil || n == 0 {
		return n, err
	}
	if err := t.foldCells(x, k, cells); err != nil {
		return n, err
	}
	_, err = x.exec("DELETE FROM rollup_segment WHERE customer_id = $1 AND kind = $2 AND id <= $3", t.id, k.id, last)
	return n, err
}

// foldCells adds sorted cells to the blobs of their buckets.
func (t *Tenant) foldCells(x tx, k *kind, cells []cell) error {
	for len(cells) > 0 {
		at := k.bucket(&cells[0].key)
		var own, folded []cell
		own, cells = k.cutBucket(cells, at)
		err := x.query("SELECT cells FROM rollup WHERE customer_id = $1 AND kind = $2 AND part = $3 AND period = $4",
			[]any{t.id, k.id, at.part, at.period}, func(r row) (err error) {
				folded, err = k.decode(r.bytes(0), &at)
				return err
			})
		if err != nil {
			return err
		}
		if err := t.putBlob(x, k, at, combineTwo(folded, own)); err != nil {
			return err
		}
	}
	return nil
}

// putBlob replaces one blob, or removes an empty one.
func (t *Tenant) putBlob(x tx, k *kind, at bucket, cells []cell) error {
	if len(cells) == 0 {
		_, err := x.exec("DELETE FROM rollup WHERE customer_id = $1 AND kind = $2 AND part = $3 AND period = $4", t.id, k.id, at.part, at.period)
		return err
	}
	_, err := x.exec(`INSERT INTO rollup (customer_id, kind, part, period, cells) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (customer_id, kind, part, period) DO UPDATE SET cells = excluded.cells`, t.id, k.id, at.part, at.period, k.encode(cells))
	return err
}

// foldIfMany folds first when many segments wait, for the long work of detection.
// What somebody waits for adds up whatever waits instead: a fold has to wait for
// the writer's turn, and beside a load that is long.
func (t *Tenant) foldIfMany(ctx context.Context) error {
	var waiting int64
	err := t.s.read(ctx, func(x tx) (err error) {
		waiting, err = one(x, "SELECT COALESCE(MAX(n), 0) FROM (SELECT COUNT(*) AS n FROM rollup_segment WHERE customer_id = $1 GROUP BY kind) counts", t.id)
		return err
	})
	if err != nil || waiting <= foldAfter/2 {
		return err
	}
	return t.Fold(ctx)
}
