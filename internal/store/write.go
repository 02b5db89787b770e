package store

import (
	"context"

	"upstream"
)

// writer changes claims and their rollup inside one transaction.
type writer struct {
	t        tx
	tenant   *Tenant
	terms    *terms
	rows     []claimRow
	deltas   *deltas
	fileDate func(tx, int64) (upstream.Day, error)
	removed  int64
	changed  bool
}

// put inserts claims and merges those that are known. The claims are sorted by
// key, and by row where the key is equal.
func (w *writer) put(claims []upstream.Claim, tally *upstream.Tally) error {
	if len(claims) == 0 {
		return nil
	}
	if err := w.namePayers(claims); err != nil {
		return err
	}
	last, err := one(w.t, "SELECT last_claim FROM customer WHERE id = $1", w.tenant.id)
	if err != nil {
		return err
	}
	if cap(w.rows) < len(claims) {
		w.rows = make([]claimRow, len(claims))
	}
	w.rows = w.rows[:len(claims)]
	for i := range claims {
		last++
		claims[i].ID = last
		if err := w.terms.encode(w.t, w.tenant.id, &claims[i], &w.rows[i]); err != nil {
			return err
		}
	}
	taken, err := w.t.insertClaims(w.rows)
	if err != nil {
		return err
	}
	if _, err := w.t.exec("UPDATE customer SET last_claim = $1 WHERE id = $2", last, w.tenant.id); err != nil {
		return err
	}
	var corrected []*claimRow
	for i, next := 0, 0; i < len(w.rows); i++ {
		if next < len(taken) && taken[next] == i {
			next++
			continue
		}
		if err := w.count(&w.rows[i], +1); err != nil {
			return err
		}
		if w.rows[i].corrected() {
			corrected = append(corrected, &w.rows[i])
		}
	}
	if err := insertPast(w.t, corrected); err != nil {
		return err
	}
	tally.Inserted += int64(len(claims) - len(taken))
	return w.merge(claims, taken, tally)
}

// namePayers gives each payer its one name: this is the door that every load goes
// through. Mappings are read in the transaction, so that none is forgotten.
func (w *writer) namePayers(claims []upstream.Claim) error {
	own, err := w.tenant.payerNames(w.t)
	if err != nil {
		return err
	}
	names := map[string]string{}
	for i := range claims {
		raw := claims[i].Payer
		name, known := names[raw]
		if !known {
			name = own.Name(raw)
			names[raw] = name
		}
		claims[i].Payer = name
	}
	return nil
}

// count adds a row to the deltas, or takes it away.
func (w *writer) count(r *claimRow, sign int64) error {
	f, err := w.terms.facts(w.t, r)
	if err != nil {
		return err
	}
	w.deltas.add(&f, sign)
	w.changed = true
	return nil
}

// mergeChunk bounds the parameters of one statement.
const mergeChunk = 200

var selectKnownSQL = selectClaimSQL + " AND c.claim_id IN (" + placeholders(2, mergeChunk) + ")"

// merge folds the claims at the taken positions into what is stored.
func (w *writer) merge(claims []upstream.Claim, taken []int, tally *upstream.Tally) error {
	for len(taken) > 0 {
		chunk := taken[:min(mergeChunk, len(taken))]
		// All rows of one key must meet in one chunk; they are neighbours.
		for len(chunk) < len(taken) && claims[taken[len(chunk)]].ClaimID == claims[chunk[len(chunk)-1]].ClaimID {
			chunk = taken[:len(chunk)+1]
		}
		taken = taken[len(chunk):]
		if err := w.mergeSome(claims, chunk, tally); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) mergeSome(claims []upstream.Claim, taken []int, tally *upstream.Tally) error {
	known, err := w.known(claims, taken)
	if err != nil {
		return err
	}
	var updates []claimRow
	at := map[claimKey]int{} // position in updates
	for _, i := range taken {
		key := claimKey{claims[i].ClaimID, int64(claims[i].Line)}
		old := known[key]
		oldFile, err := w.fileDate(w.t, old.Upload)
		if err != nil {
			return err
		}
		newFile, err := w.fileDate(w.t, claims[i].Upload)
		if err != nil {
			return err
		}
		merged, changed := upstream.Merge(old, claims[i], oldFile, newFile)
		if !changed {
			tally.Unchanged++
			continue
		}
		tally.Updated++
		var before, after claimRow
		if err := w.terms.encode(w.t, w.tenant.id, &old, &before); err != nil {
			return err
		}
		if err := w.terms.encode(w.t, w.tenant.id, &merged, &after); err != nil {
			return err
		}
		if err := w.count(&before, -1); err != nil {
			return err
		}
		if err := w.count(&after, +1); err != nil {
			return err
		}
		known[key] = merged
		if p, ok := at[key]; ok {
			updates[p] = after
		} else {
			at[key] = len(updates)
			updates = append(updates, after)
		}
	}
	return w.update(updates)
}

func (w *writer) update(rows []claimRow) error {
	all := make([]*claimRow, len(rows))
	for i := range rows {
		all[i] = &rows[i]
	}
	if err := w.t.execMany(updateClaimSQL, len(rows), func(i int, p []any) { rows[i].values(p) }); err != nil {
		return err
	}
	if err := deletePast(w.t, all); err != nil {
		return err
	}
	return insertPast(w.t, all)
}

// known reads the stored claims of the keys at the taken positions.
func (w *writer) known(claims []upstream.Claim, taken []int) (map[claimKey]upstream.Claim, error) {
	args := make([]any, 1, mergeChunk+1)
	args[0] = w.tenant.id
	for n, i := range taken {
		if n == 0 || claims[i].ClaimID != args[len(args)-1] {
			args = append(args, claims[i].ClaimID)
		}
	}
	for len(args) < mergeChunk+1 {
		args = append(args, args[1])
	}
	var rows []claimRow
	err := w.t.query(selectKnownSQL, args, func(r row) error {
		var c claimRow
		c.scan(r)
		rows = append(rows, c)
		return nil
	})
	known := make(map[claimKey]upstream.Claim, len(rows))
	for i := range rows {
		if err == nil {
			known[rows[i].key()], err = w.terms.decode(w.t, &rows[i])
		}
	}
	return known, err
}

// commit appends the rollup segments and advances the customer's counts, if
// anything changed.
func (w *writer) commit(inserted int64) error {
	if !w.changed {
		return nil
	}
	for i, k := range kinds {
		cells := w.deltas[i].cells()
		if len(cells) == 0 {
			continue
		}
		_, err := w.t.exec("INSERT INTO rollup_segment (customer_id, kind, id, cells) SELECT $1, $2, COALESCE(MAX(id), 0) + 1, $3 FROM rollup_segment WHERE customer_id = $1 AND kind = $2",
			w.tenant.id, k.id, k.encode(cells))
		if err != nil {
			return err
		}
	}
	_, err := w.t.exec("UPDATE customer SET claims = claims + $1, data_version = data_version + 1 WHERE id = $2", inserted-w.removed, w.tenant.id)
	return err
}

// DeleteClaims removes claims by claim id, all lines of each, and returns how
// many lines there were. Retention and the removal of a wrong upload need it.
func (t *Tenant) DeleteClaims(ctx context.Context, claimIDs []string) (int64, error) {
	w := &writer{tenant: t, terms: newTerms(t.id), deltas: &deltas{}}
	err := t.s.write(ctx, t.id, func(x tx) error {
		w.t = x
		for _, id := range claimIDs {
			var rows []claimRow
			err := x.query(selectClaimSQL+" AND c.claim_id = $2", []any{t.id, id}, func(r row) error {
				var c claimRow
				c.scan(r)
				rows = append(rows, c)
				return nil
			})
			if err != nil {
				return err
			}
			all := make([]*claimRow, len(rows))
			for i := range rows {
				if err := w.count(&rows[i], -1); err != nil {
					return err
				}
				all[i] = &rows[i]
			}
			if err := deletePast(x, all); err != nil {
				return err
			}
			n, err := x.exec("DELETE FROM claim WHERE customer_id = $1 AND claim_id = $2", t.id, id)
			if err != nil {
				return err
			}
			w.removed += n
		}
		return w.commit(0)
	})
	if err != nil {
		return 0, err
	}
	return w.removed, nil
}
