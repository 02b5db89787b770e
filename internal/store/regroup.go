package store

import (
	"context"
	"maps"

	"upstream"
)

// groupsInForce reads the customer's own groups as the rollups hold them.
func groupsInForce(x tx, customer int64) (upstream.CPTGroups, error) {
	return readGroups(x, "cpt_group_in_force", customer)
}

// CPTGroups returns the customer's own groups as the rollups hold them.
func (t *Tenant) CPTGroups(ctx context.Context) (groups upstream.CPTGroups, err error) {
	err = t.s.read(ctx, func(x tx) error {
		groups, err = groupsInForce(x, t.id)
		return err
	})
	return groups, err
}

func readGroups(x tx, table string, customer int64) (upstream.CPTGroups, error) {
	groups := upstream.CPTGroups{}
	err := x.query("SELECT code, cpt_group FROM "+table+" WHERE customer_id = $1", []any{customer}, func(r row) error {
		groups[r.text(0)] = r.text(1)
		return nil
	})
	return groups, err
}

// regroup puts the customer's own groups into force where they have changed: in
// one transaction, which reads the claims of all codes that are concerned and
// moves them in the rollups. It returns how many there were.
func (t *Tenant) regroup(ctx context.Context) (changed int64, err error) {
	old, wanted, err := t.groupChange(ctx)
	if err != nil || maps.Equal(old, wanted) {
		return 0, err
	}
	err = t.s.write(ctx, t.id, func(x tx) error {
		changed, err = t.regroupIn(x)
		return err
	})
	if err != nil {
		return 0, err
	}
	return changed, t.foldIfMany(ctx)
}

func (t *Tenant) groupChange(ctx context.Context) (old, wanted upstream.CPTGroups, err error) {
	err = t.s.read(ctx, func(x tx) error {
		if old, err = groupsInForce(x, t.id); err == nil {
			wanted, err = readGroups(x, "cpt_mapping", t.id)
		}
		return err
	})
	return old, wanted, err
}

// regroupedSQL are the terms of the codes whose mapping is not the one in force.
const regroupedSQL = `SELECT id FROM term WHERE customer_id = $1 AND kind = $2 AND value IN (
	SELECT m.code FROM cpt_mapping m LEFT JOIN cpt_group_in_force f ON f.customer_id = m.customer_id AND f.code = m.code
		WHERE m.customer_id = $1 AND (f.code IS NULL OR f.cpt_group <> m.cpt_group)
	UNION SELECT f.code FROM cpt_group_in_force f LEFT JOIN cpt_mapping m ON m.customer_id = f.customer_id AND m.code = f.code
		WHERE f.customer_id = $1 AND m.code IS NULL)`

func (t *Tenant) regroupIn(x tx) (changed int64, err error) {
	before, after := newTerms(t.id), newTerms(t.id)
	if err := before.load(x); err != nil {
		return 0, err
	}
	if after.groups, err = readGroups(x, "cpt_mapping", t.id); err != nil {
		return 0, err
	}
	if err := after.makeDerived(x); err != nil {
		return 0, err
	}
	if err := after.load(x); err != nil {
		return 0, err
	}
	w := &writer{t: x, tenant: t, deltas: &deltas{}}
	var c claimRow
	err = x.query(selectClaimSQL+" AND c.code_id IN ("+regroupedSQL+")", []any{t.id, int64(kindCode)}, func(r row) error {
		c.scanInts(r)
		code := c.ints[colCode]
		if before.derived[kindGroup][code] == after.derived[kindGroup][code] {
			return nil
		}
		changed++
		return w.regroup(before, after, &c)
	})
	if err != nil {
		return 0, err
	}
	if err := w.commit(0); err != nil {
		return 0, err
	}
	if _, err := x.exec("DELETE FROM cpt_group_in_force WHERE customer_id = $1", t.id); err != nil {
		return 0, err
	}
	_, err = x.exec("INSERT INTO cpt_group_in_force (customer_id, code, cpt_group) SELECT customer_id, code, cpt_group FROM cpt_mapping WHERE customer_id = $1", t.id)
	return changed, err
}

// regroup moves a claim from its group's cells to those of the new one.
func (w *writer) regroup(before, after *terms, r *claimRow) error {
	for _, side := range []struct {
		terms *terms
		sign  int64
	}{{before, -1}, {after, +1}} {
		w.terms = side.terms
		if err := w.count(r, side.sign); err != nil {
			return err
		}
	}
	return nil
}
