package store

import (
	"maps"
	"slices"
	"strings"

	"upstream"
)

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
	kindLeadingCARC // of a list of CARCs, without its group code
	kindLeadingRARC
	termKinds
)

// terms caches the dictionaries of a customer. Stored terms never change, so
// that what was read once stays true; a transaction that made new ones and
// failed must drop the cache.
type terms struct {
	customer int64
	ids      [termKinds]map[string]int64
	values   termTexts
	derived  [termKinds]map[int64]int64 // what follows from a term, by derivedKinds
	complete bool                       // load has been called: what is not here is nowhere, and nothing changes any more
	groups   upstream.CPTGroups         // the customer's own that are in force; nil before they are read
}

// termTexts are the texts of terms by their ids. No term has id zero or no text.
type termTexts [termKinds][]string

// derivedKinds are the kinds whose terms follow from the terms of another kind.
var derivedKinds = [...]struct {
	of, kind termKind
	value    func(string) string
}{
	{kindCode, kindGroup, upstream.CPTGroup},
	{kindCARC, kindLeadingCARC, leadingCode},
	{kindRARC, kindLeadingRARC, leadingCode},
}

// derive returns the text that follows from a term's.
func (l *terms) derive(which int, text string) string {
	d := &derivedKinds[which]
	if own, ok := l.groups[text]; ok && d.kind == kindGroup {
		return own
	}
	return d.value(text)
}

// readGroups reads the customer's own groups, unless they are known.
func (l *terms) readGroups(t tx) (err error) {
	if l.groups == nil {
		l.groups, err = groupsInForce(t, l.customer)
	}
	return err
}

// forgetGroups is for who keeps the cache from one transaction to the next: in
// between the customer's claims may have been regrouped.
func (l *terms) forgetGroups() {
	l.groups = nil
	clear(l.derived[kindGroup])
}

// leadingCode is the first of a list of codes, without its group code.
func leadingCode(list string) string {
	first := upstream.Codes(list).First()
	if _, number, ok := strings.Cut(first, "-"); ok {
		return number
	}
	return first
}

func newTerms(customer int64) *terms {
	l := &terms{customer: customer}
	for k := range l.ids {
		l.ids[k], l.values[k], l.derived[k] = map[string]int64{}, []string{""}, map[int64]int64{}
	}
	return l
}

func (l *terms) set(kind termKind, id int64, value string) {
	if more := int(id) + 1 - len(l.values[kind]); more > 0 {
		l.values[kind] = append(l.values[kind], make([]string, more)...)
	}
	l.ids[kind][value], l.values[kind][id] = id, value
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
	l.set(kind, id, value)
	return id, nil
}

// value returns the text of a term.
func (l *terms) value(t tx, kind termKind, id int64) (string, error) {
	if v := l.text(kind, id); v != "" {
		return v, nil
	}
	if !l.complete {
		if err := l.loadAll(t, kind); err != nil {
			return "", err
		}
	}
	if v := l.text(kind, id); v != "" {
		return v, nil
	}
	return "", l.errMissing()
}

func (l *terms) text(kind termKind, id int64) string {
	if uint64(id) < uint64(len(l.values[kind])) {
		return l.values[kind][id]
	}
	return ""
}

func (l *terms) errMissing() error {
	return upstream.Errorf(upstream.Corrupt, "the dictionary of customer %d lacks an entry its claims use; restore the database from a backup", l.customer)
}

// loadAll reads all terms of some kinds.
func (l *terms) loadAll(t tx, of ...termKind) error {
	args := []any{l.customer}
	for _, kind := range of {
		args = append(args, int64(kind))
	}
	return t.query("SELECT kind, id, value FROM term WHERE customer_id = $1 AND kind IN ("+placeholders(2, len(of))+")", args, func(r row) error {
		l.set(termKind(r.int(0)), r.int(1), r.text(2))
		return nil
	})
}

// ranks returns the place of each text among all, sorted; zero's is zero.
func ranks(texts []string) []int32 {
	ids := make([]int32, len(texts))
	for id := range ids {
		ids[id] = int32(id)
	}
	slices.SortFunc(ids[1:], func(a, b int32) int { return strings.Compare(texts[a], texts[b]) })
	out := make([]int32, len(texts))
	for rank, id := range ids {
		out[id] = int32(rank)
	}
	return out
}

// lookup returns the id of a term, zero when there is none, and makes nothing.
func (l *terms) lookup(t tx, kind termKind, value string) (int64, error) {
	if id, ok := l.ids[kind][value]; ok || l.complete {
		return id, nil
	}
	err := l.loadAll(t, kind)
	return l.ids[kind][value], err
}

// follows returns the id of the term of a derived kind that follows from a term,
// zero from none, and makes it if it is new.
func (l *terms) follows(t tx, which int, from int64) (int64, error) {
	d := &derivedKinds[which]
	if id, ok := l.derived[d.kind][from]; ok || from == 0 {
		return id, nil
	}
	if l.complete {
		return 0, upstream.Errorf(upstream.Corrupt, "the tables of codes have changed since the rollups of customer %d were made; `upstream rollup rebuild --customer %d` makes them again", l.customer, l.customer)
	}
	text, err := l.value(t, d.of, from)
	if err != nil {
		return 0, err
	}
	if err := l.readGroups(t); err != nil {
		return 0, err
	}
	id, err := l.id(t, d.kind, l.derive(which, text))
	if err == nil {
		l.derived[d.kind][from] = id
	}
	return id, err
}

// facts adds to a row what the dictionaries say.
func (l *terms) facts(t tx, r *claimRow) (f facts, err error) {
	f.claimRow = r
	if f.group, err = l.follows(t, 0, r.ints[colCode]); err != nil || !r.denied() {
		return f, err
	}
	if f.carc, err = l.follows(t, 1, r.past[pastCARC]); err != nil {
		return f, err
	}
	f.rarc, err = l.follows(t, 2, r.past[pastRARC])
	return f, err
}

// load reads all terms and what follows from each, for readers that stream claims
// and so can't ask in between.
func (l *terms) load(t tx) error {
	var all []termKind
	for kind := kindPayer; kind < termKinds; kind++ {
		all = append(all, kind)
	}
	if err := l.loadAll(t, all...); err != nil {
		return err
	}
	if err := l.readGroups(t); err != nil {
		return err
	}
	for which, d := range derivedKinds {
		for id, text := range l.values[d.of] {
			// Leading codes are made for denials alone.
			if follows, ok := l.ids[d.kind][l.derive(which, text)]; ok && id != 0 {
				l.derived[d.kind][int64(id)] = follows
			}
		}
	}
	l.complete = true
	return nil
}

// makeDerived makes what follows from every term by now.
func (l *terms) makeDerived(t tx) error {
	if err := l.readGroups(t); err != nil {
		return err
	}
	for which, d := range derivedKinds {
		if err := l.loadAll(t, d.of); err != nil {
			return err
		}
		for _, text := range slices.Sorted(maps.Keys(l.ids[d.of])) {
			if _, err := l.id(t, d.kind, l.derive(which, text)); err != nil {
				return err
			}
		}
	}
	return nil
}
