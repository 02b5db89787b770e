package store

import (
	"maps"
	"sync"
)

// dictionaries are the terms of customers as readers share them. What is in one is
// complete as of a revision and never changes, so that any number of requests may
// read it; only committed terms ever get there. Those of the customer who was not
// asked for the longest make room for another's.
type dictionaries struct {
	mu   sync.Mutex
	of   map[int64]dictionary
	uses int64 // counts them
}

type dictionary struct {
	revision int64
	terms    *terms
	count    int64
	used     int64 // which use was the last
}

// maxDictionaries bounds how many customers' terms are kept.
const maxDictionaries = 200

// terms returns a dictionary that has all terms of the snapshot that x reads.
// Writers, whose terms may yet be rolled back, make their own.
func (t *Tenant) terms(x tx) (*terms, error) {
	revision, err := one(x, "SELECT revision FROM customer WHERE id = $1", t.id)
	if err != nil {
		return nil, err
	}
	d := t.s.dictionaries.get(t.id)
	if d.terms != nil && d.revision == revision {
		return d.terms, nil
	}
	// Terms are only ever added: as many as there were are the same ones. Which group
	// a code belongs to may change.
	groups, err := groupsInForce(x, t.id)
	if err != nil {
		return nil, err
	}
	count, err := one(x, "SELECT COUNT(*) FROM term WHERE customer_id = $1", t.id)
	if err != nil {
		return nil, err
	}
	if d.terms == nil || d.count < count || !maps.Equal(groups, d.terms.groups) {
		d.terms = newTerms(t.id)
		if err := d.terms.load(x); err != nil {
			return nil, err
		}
		d.count = count
	}
	d.revision = revision
	t.s.dictionaries.put(t.id, d)
	return d.terms, nil
}

func (all *dictionaries) get(customer int64) dictionary {
	all.mu.Lock()
	defer all.mu.Unlock()
	d, ok := all.of[customer]
	if ok {
		all.uses++
		d.used = all.uses
		all.of[customer] = d
	}
	return d
}

// put keeps the newer one of two.
func (all *dictionaries) put(customer int64, d dictionary) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.of == nil {
		all.of = map[int64]dictionary{}
	}
	known, ok := all.of[customer]
	if ok && known.revision >= d.revision {
		return
	}
	if !ok && len(all.of) >= maxDictionaries {
		oldest := customer
		for c, other := range all.of {
			if oldest == customer || other.used < all.of[oldest].used {
				oldest = c
			}
		}
		delete(all.of, oldest)
	}
	all.uses++
	d.used = all.uses
	all.of[customer] = d
}
