package store

import "upstream"

// termKind is one of the dictionaries of a customer.
type termKind int64

// The kinds. The numbers are stored: never renumber them.
const (
	kindPayer termKind = 1 + iota
	kindGroup
	kindCode
	kindModifiers
	kindPlace
	kindLocation
	kindCARC
	kindRARC
	termKinds
)

// terms caches the dictionaries of a customer. Stored terms never change, so
// that what was read once stays true; a transaction that made new ones and
// failed must drop the cache.
type terms struct {
	customer int64
	ids      [termKinds]map[string]int64
	values   [termKinds]map[int64]string
	groups   map[int64]int64 // code id → group id
}

func newTerms(customer int64) *terms {
	l := &terms{customer: customer, groups: map[int64]int64{}}
	for k := range l.ids {
		l.ids[k], l.values[k] = map[string]int64{}, map[int64]string{}
	}
	return l
}

// id returns the id of a term and makes it if it is new.
func (l *terms) id(t tx, kind termKind, value string) (int64, error) {
	if id, ok := l.ids[kind][value]; ok {
		return id, nil
	}
	id, err := one(t, "SELECT id FROM term WHERE customer_id = $1 AND kind = $2 AND value = $3", l.customer, int64(kind), value)
	if err != nil {
		return 0, err
	}
	if id == 0 {
		id, err = one(t, "SELECT COALESCE(MAX(id), 0) + 1 FROM term WHERE customer_id = $1 AND kind = $2", l.customer, int64(kind))
		if err != nil {
			return 0, err
		}
		if _, err := t.exec("INSERT INTO term (customer_id, kind, id, value) VALUES ($1, $2, $3, $4)", l.customer, int64(kind), id, value); err != nil {
			return 0, err
		}
	}
	l.ids[kind][value], l.values[kind][id] = id, value
	return id, nil
}

// value returns the text of a term.
func (l *terms) value(t tx, kind termKind, id int64) (string, error) {
	if v, ok := l.values[kind][id]; ok {
		return v, nil
	}
	if err := l.loadAll(t, kind); err != nil {
		return "", err
	}
	v, ok := l.values[kind][id]
	if !ok {
		return "", upstream.Errorf(upstream.Corrupt, "the dictionary of customer %d lacks an entry its claims use; restore the database from a backup", l.customer)
	}
	return v, nil
}

func (l *terms) loadAll(t tx, kind termKind) error {
	return t.query("SELECT id, value FROM term WHERE customer_id = $1 AND kind = $2", []any{l.customer, int64(kind)}, func(r row) error {
		id, value := r.int(0), r.text(1)
		l.ids[kind][value], l.values[kind][id] = id, value
		return nil
	})
}

// lookup returns the id of a term, zero when there is none, and makes nothing.
func (l *terms) lookup(t tx, kind termKind, value string) (int64, error) {
	if id, ok := l.ids[kind][value]; ok {
		return id, nil
	}
	err := l.loadAll(t, kind)
	return l.ids[kind][value], err
}

// group returns the CPT group of a stored code. Every code has had its group
// made beside it, so that readers find it.
func (l *terms) group(t tx, code int64) (int64, error) {
	if g, ok := l.groups[code]; ok {
		return g, nil
	}
	text, err := l.value(t, kindCode, code)
	if err != nil {
		return 0, err
	}
	g, err := l.id(t, kindGroup, upstream.CPTGroup(text))
	if err == nil {
		l.groups[code] = g
	}
	return g, err
}
