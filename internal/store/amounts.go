package store

import (
	"cmp"
	"context"
	"maps"
	"runtime"
	"slices"
	"sync"

	"upstream"
)

// Amounts reads what first decisions allowed per unit in the last whole weeks,
// Monday to Sunday, that were over at the end of until: as many as weeks says.
func (t *Tenant) Amounts(ctx context.Context, until upstream.Day, weeks int, from From) (*upstream.Amounts, error) {
	if from == FromRollups {
		if err := t.foldIfMany(ctx); err != nil {
			return nil, err
		}
	}
	last := weekOf(int64(until)+1) - 1
	first := last - int64(max(weeks, 0)) + 1
	out := &upstream.Amounts{First: mondayOf(first), Weeks: max(weeks, 0)}
	err := t.s.read(ctx, func(x tx) error {
		lists, err := t.amountLists(x, first, last, from)
		if err != nil {
			return err
		}
		m := amountsMerger{first: first, last: last, lists: lists}
		m.merge()
		out.Keys, err = m.name(x, newTerms(t.id))
		return err
	})
	return out, err
}

// amountList is a list of cells in the form in which lists are merged: keys in
// order, each with its prices in order.
type amountList struct {
	keys   []amountKey
	prices []amountPrice
}

type amountKey struct {
	key key // its fields up to amountCents are set, but not the period
	end int // of its prices; they begin where those of the key before end
}

// amountPrice are the lines that were paid one price, by week of a period.
type amountPrice struct {
	cents, period int32
	lines         [amountWeeks]int32
}

func (a *amountList) add(c *cell, from int) {
	if from < amountCents {
		k := c.key
		k[amountPeriod], k[amountCents] = 0, 0
		a.keys = append(a.keys, amountKey{key: k})
	}
	p := amountPrice{cents: c.key[amountCents], period: c.key[amountPeriod]}
	for w := range p.lines {
		p.lines[w] = int32(c.sum[w])
	}
	a.prices = append(a.prices, p)
	a.keys[len(a.keys)-1].end = len(a.prices)
}

// amountLists reads the lists of the periods of a range of weeks, in order, and
// one list for each period of what is not folded yet. Blobs are decoded on all
// cores while the next ones are read.
func (t *Tenant) amountLists(x tx, first, last int64, from From) ([]amountList, error) {
	periods := span{0, first >> amountWeekBits, last >> amountWeekBits}
	if last < first {
		return nil, nil
	}
	lists := make([]amountList, periods.last-periods.first+1)
	errs := make([]error, len(lists))
	turn := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	var waiting []cell
	var err error
	if from == FromClaims {
		waiting, _, err = t.cellsFromClaims(x, amountKind)
	} else {
		err = t.blobs(x, amountKind, periods, func(at bucket, b []byte) error {
			i, b := at.period-periods.first, slices.Clone(b)
			turn <- struct{}{}
			wg.Go(func() {
				errs[i] = lists[i].decode(at, b)
				<-turn
			})
			return nil
		})
		if err == nil {
			waiting, _, _, err = t.segments(x, amountKind, 1<<30)
		}
	}
	wg.Wait()
	for _, e := range errs {
		err = cmp.Or(err, e)
	}
	for i := range waiting {
		c := &waiting[i]
		if period := int64(c.key[amountPeriod]); period < periods.first || period > periods.last {
			continue
		}
		from := 0
		for i > 0 && c.key[from] == waiting[i-1].key[from] {
			from++
		}
		if from == amountPeriod {
			lists = append(lists, amountList{})
		}
		lists[len(lists)-1].add(c, from)
	}
	return lists, err
}

func (a *amountList) decode(at bucket, b []byte) error {
	const perPrice = 6 // bytes, at least
	a.prices = make([]amountPrice, 0, len(b)/perPrice)
	a.keys = make([]amountKey, 0, len(b)/perPrice/8)
	return amountKind.decode(b, &at, a.add)
}

// amountsMerger merges lists into atoms.
type amountsMerger struct {
	first, last int64 // weeks
	lists       []amountList

	keys   []amountKey // end counts atoms
	atoms  []upstream.Atom
	prices []amountPrice // of one key
}

func (m *amountsMerger) merge() {
	prices := 0
	for _, l := range m.lists {
		prices += len(l.prices)
	}
	m.atoms = make([]upstream.Atom, 0, prices*2)
	heads := make([]int, len(m.lists)) // the next key of each list
	for {
		var next *key
		for i, h := range heads {
			if l := &m.lists[i]; h < len(l.keys) && (next == nil || l.keys[h].key.compare(next) < 0) {
				next = &l.keys[h].key
			}
		}
		if next == nil {
			return
		}
		m.prices = m.prices[:0]
		for i, h := range heads {
			if l := &m.lists[i]; h < len(l.keys) && l.keys[h].key == *next {
				start := 0
				if h > 0 {
					start = l.keys[h-1].end
				}
				m.prices = append(m.prices, l.prices[start:l.keys[h].end]...)
				heads[i]++
			}
		}
		m.emit()
		if n := len(m.keys); len(m.atoms) > 0 && (n == 0 || len(m.atoms) > m.keys[n-1].end) {
			m.keys = append(m.keys, amountKey{*next, len(m.atoms)})
		}
	}
}

// emit appends the atoms of one key.
func (m *amountsMerger) emit() {
	slices.SortFunc(m.prices, func(a, b amountPrice) int {
		return cmp.Or(cmp.Compare(a.cents, b.cents), cmp.Compare(a.period, b.period))
	})
	for i := range m.prices {
		p := &m.prices[i]
		if i+1 < len(m.prices) && m.prices[i+1].cents == p.cents && m.prices[i+1].period == p.period {
			for w, n := range p.lines { // a change that is not folded yet
				m.prices[i+1].lines[w] += n
			}
			continue
		}
		for w, n := range p.lines {
			week := int64(p.period)<<amountWeekBits + int64(w)
			if n != 0 && week >= m.first && week <= m.last {
				m.atoms = append(m.atoms, upstream.Atom{Cents: upstream.Money(p.cents), Week: int32(week - m.first), Lines: n})
			}
		}
	}
}

// amountTerms are the kinds of the terms in a key, from amountPayer on.
var amountTerms = [...]termKind{kindPayer, kindCode, kindModifiers, kindPlace, kindLocation}

// name puts the texts to the keys and sorts by them.
func (m *amountsMerger) name(x tx, l *terms) ([]upstream.AmountKey, error) {
	if len(m.keys) == 0 {
		return nil, nil
	}
	var texts [len(amountTerms)]map[int32]string
	ranked := make([]cell, len(m.keys))
	for f, kind := range amountTerms {
		texts[f] = map[int32]string{0: ""}
		for i := range m.keys {
			id := m.keys[i].key[amountPayer+f]
			if _, ok := texts[f][id]; ok {
				continue
			}
			text, err := l.value(x, kind, int64(id))
			if err != nil {
				return nil, err
			}
			texts[f][id] = text
		}
		ranks := map[int32]int32{}
		for _, id := range slices.SortedFunc(maps.Keys(texts[f]), func(a, b int32) int { return cmp.Compare(texts[f][a], texts[f][b]) }) {
			ranks[id] = int32(len(ranks))
		}
		for i := range m.keys {
			ranked[i].key[f] = ranks[m.keys[i].key[amountPayer+f]]
			ranked[i].sum[0] = int64(i) + 1 // an empty cell would be dropped
		}
	}
	var order tally
	out := make([]upstream.AmountKey, 0, len(m.keys))
	for _, c := range order.sorted(ranked) {
		i := c.sum[0] - 1
		k, start := m.keys[i], 0
		if i > 0 {
			start = m.keys[i-1].end
		}
		out = append(out, upstream.AmountKey{
			Payer: texts[0][k.key[amountPayer]], CPT: texts[1][k.key[amountCode]], Modifiers: texts[2][k.key[amountModifiers]],
			Place: texts[3][k.key[amountPlace]], Location: texts[4][k.key[amountLocation]],
			Atoms: m.atoms[start:k.end:k.end],
		})
	}
	return out, nil
}
