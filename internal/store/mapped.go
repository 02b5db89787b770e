package store

import (
	"context"
	"math"
	"slices"
)

// ApplyMappings brings the claims that are there in line with the customer's
// mappings and returns how many changed. It is done in transactions that each
// leave the rollups equal to the claims: one for all procedure groups, one for some
// thousand claims of renamed payers. Cut off and called again it ends the same,
// and once more it changes nothing.
//
// Payers are known by their stored names: of spellings that loads have brought
// under one name none can be told apart any more, so that a mapping which divides
// a payer acts on later loads alone. Drift events keep the names they were told
// with: an open incident of a payer that was merged into another is left as it is,
// and its claims are found under the new name only.
func (t *Tenant) ApplyMappings(ctx context.Context) (changed int64, err error) {
	return t.applyMappings(ctx, DefaultBatchRows)
}

// applyMappings renames batch claims in a transaction.
func (t *Tenant) applyMappings(ctx context.Context, batch int) (changed int64, err error) {
	changed, err = t.regroup(ctx)
	for err == nil {
		var n int64
		if n, err = t.renamePayers(ctx, batch); n == 0 {
			break
		}
		changed += n
	}
	return changed, err
}

// renamePayers goes through the claims once and gives their payers the names that
// they have by the mappings.
func (t *Tenant) renamePayers(ctx context.Context, batch int) (changed int64, err error) {
	if some, err := t.renamesSome(ctx); err != nil || !some {
		return 0, err
	}
	claims, err := t.claimsByPayer(ctx)
	for after := int64(0); err == nil; {
		var ids []int64
		if ids, err = t.nextMisnamed(ctx, claims, after, batch); err != nil || len(ids) == 0 {
			break
		}
		var n int64
		if n, err = t.rename(ctx, ids); err == nil {
			changed, after = changed+n, ids[len(ids)-1]
			err = t.foldIfMany(ctx)
		}
	}
	return changed, err
}

// renamesSome reports whether a payer has another name by the mappings. Without one,
// which is usual, there is no need to look at rollups.
func (t *Tenant) renamesSome(ctx context.Context) (some bool, err error) {
	err = t.s.read(ctx, func(x tx) error {
		payers, err := t.renamed(x, newTerms(t.id))
		some = len(payers) > 0
		return err
	})
	return some, err
}

// claimsByPayer counts the claims of each payer, by term, in the rollups. A payer
// that was merged into another stays in the dictionary, without claims.
func (t *Tenant) claimsByPayer(ctx context.Context) (claims map[int64]int64, err error) {
	if err := t.foldIfMany(ctx); err != nil {
		return nil, err
	}
	claims = map[int64]int64{}
	err = t.s.scan(ctx, func(x tx) error {
		return t.addUp(x, dayKind, periods(math.MinInt64, math.MaxInt64), func(c *cell) {
			claims[int64(c.key[dayPayer])] += c.sum[dayCount]
		})
	})
	return claims, err
}

// renamed returns the payers, by term, that have another name by the mappings.
func (t *Tenant) renamed(x tx, l *terms) (map[int64]string, error) {
	own, err := t.payerNames(x)
	if err != nil || len(own) == 0 {
		return nil, err
	}
	if err := l.loadAll(x, kindPayer); err != nil {
		return nil, err
	}
	out := map[int64]string{}
	for id, payer := range l.values[kindPayer] {
		if name, _ := own.Resolve(payer); name != payer {
			out[int64(id)] = name
		}
	}
	return out, nil
}

// nextMisnamed returns the stored ids of the next claims to rename after one, of
// the payers that have claims, up to a limit. It reads without holding up any writer.
func (t *Tenant) nextMisnamed(ctx context.Context, claims map[int64]int64, after int64, limit int) (ids []int64, err error) {
	err = t.s.scan(ctx, func(x tx) error {
		payers, err := t.renamed(x, newTerms(t.id))
		if err != nil {
			return err
		}
		args := []any{t.id, max(after, storedID(t.id, 0)), limit}
		for id := range payers {
			if claims[id] != 0 {
				args = append(args, id)
			}
		}
		if len(args) == 3 {
			return nil
		}
		return x.query("SELECT id FROM "+t.claimsInOrder()+" WHERE customer_id = $1 AND id > $2 AND payer_id IN ("+placeholders(4, len(args)-3)+") ORDER BY id LIMIT $3", args, func(r row) error {
			ids = append(ids, r.int(0))
			return nil
		})
	})
	return ids, err
}

// rename moves those of some claims that are misnamed to their payers by the
// mappings, in one transaction, and returns how many there were.
func (t *Tenant) rename(ctx context.Context, ids []int64) (n int64, err error) {
	err = t.s.write(ctx, t.id, func(x tx) error {
		w := &writer{t: x, tenant: t, terms: newTerms(t.id), deltas: &deltas{}}
		payers, err := t.renamed(x, w.terms)
		if err != nil {
			return err
		}
		rows, err := t.claimRows(x, ids)
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(r claimRow) bool { return payers[r.ints[colPayer]] == "" })
		for i := range rows {
			if err := w.move(&rows[i], payers[rows[i].ints[colPayer]]); err != nil {
				return err
			}
		}
		err = x.execMany("UPDATE claim SET payer_id = $1 WHERE customer_id = $2 AND id = $3", len(rows), func(i int, p []any) {
			v := &rows[i].ints
			p[0], p[1], p[2] = v[colPayer], v[colCustomer], v[colID]
		})
		if err != nil {
			return err
		}
		n = int64(len(rows))
		return w.commit(0)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// claimRows reads the claims of stored ids; those that are gone are missing.
func (t *Tenant) claimRows(x tx, ids []int64) (rows []claimRow, err error) {
	for chunk := range slices.Chunk(ids, mergeChunk) {
		args := []any{t.id}
		for _, id := range chunk {
			args = append(args, id)
		}
		some := "(SELECT " + claimColumns + " FROM " + t.claimsInOrder() + " WHERE customer_id = $1 AND id IN (" + placeholders(2, len(chunk)) + "))"
		err := x.query(selectWithPast(some), args, func(r row) error {
			var c claimRow
			c.scan(r)
			rows = append(rows, c)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// move takes a claim out of its payer's cells and puts it into those of another.
func (w *writer) move(r *claimRow, payer string) error {
	if err := w.count(r, -1); err != nil {
		return err
	}
	id, err := w.terms.id(w.t, kindPayer, payer)
	if err != nil {
		return err
	}
	r.ints[colPayer] = id
	return w.count(r, +1)
}
