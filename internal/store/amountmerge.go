package store

import (
	"slices"

	"upstream"
)

// amountMerge merges the periods of one payer.
type amountMerge struct {
	r       *amountsReader
	periods []cellReader // each at its next cell
	weeks   []int32      // by period: its first week, counted from the first one wanted
	live    []bool       // by period: there is a next cell

	atoms   []upstream.Atom
	keys    []rankedKey
	unknown bool // a term of a key is not in the dictionary
	// The prices of one key.
	prices []amountPrice
	order  []uint64 // cents and place of each of prices
}

// amountPrice are the lines that were paid one price, by week of a period.
type amountPrice struct {
	week  int32 // the period's first one, counted from the first one wanted
	lines [amountWeeks]int32
}

// rankedKey is a key of one payer with the ranks of its texts, by which keys are
// sorted, and the place of its atoms.
type rankedKey struct {
	terms, rank [len(amountTerms)]int32
	start, end  int32
}

func (r *amountsReader) merge(p *payerAmounts) error {
	m := amountMerge{r: r, live: make([]bool, len(p.blobs))}
	size := 0
	for i, b := range p.blobs {
		size += len(b)
		m.periods = append(m.periods, amountKind.reader(b, &bucket{int64(p.term), p.periods[i]}))
		m.weeks = append(m.weeks, int32(p.periods[i]<<amountWeekBits-r.first))
		m.live[i] = m.periods[i].next()
	}
	m.atoms = make([]upstream.Atom, 0, size/4)
	for m.nextKey() {
	}
	for i := range m.periods {
		if err := m.periods[i].err(); err != nil {
			return err
		}
	}
	if m.unknown {
		return errRollupFormat
	}
	slices.SortFunc(m.keys, func(a, b rankedKey) int { return slices.Compare(a.rank[:], b.rank[:]) })
	p.keys, p.atoms = m.keys, m.atoms
	return nil
}

// amountKeyFields is the first field that is not part of the key of a price; the
// payer and the period come before amountCode.
const amountKeyFields = amountCents

// nextKey takes the least key of all periods and reports whether there was one.
func (m *amountMerge) nextKey() bool {
	least := -1
	for i := range m.periods {
		if m.live[i] && (least < 0 || m.compareKeys(i, least) < 0) {
			least = i
		}
	}
	if least < 0 {
		return false
	}
	k := m.periods[least].key
	m.prices, m.order = m.prices[:0], m.order[:0]
	for i := range m.periods {
		p := &m.periods[i]
		if !m.live[i] || [4]int32(p.key[amountCode:amountKeyFields]) != [4]int32(k[amountCode:amountKeyFields]) {
			continue
		}
		for {
			m.order = append(m.order, uint64(p.key[amountCents])<<32|uint64(len(m.prices)))
			m.prices = append(m.prices, amountPrice{m.weeks[i], [amountWeeks]int32{int32(p.sum[0]), int32(p.sum[1]), int32(p.sum[2]), int32(p.sum[3])}})
			if m.live[i] = p.next(); !m.live[i] || p.from < amountCents {
				break
			}
		}
	}
	m.emit(&k)
	return true
}

// compareKeys compares the keys of the next cells of two periods.
func (m *amountMerge) compareKeys(i, j int) int {
	a, b := &m.periods[i].key, &m.periods[j].key
	for f := amountCode; f < amountKeyFields; f++ {
		if a[f] != b[f] {
			return int(a[f]) - int(b[f])
		}
	}
	return 0
}

// emit makes the atoms of one key.
func (m *amountMerge) emit(k *key) {
	start, atoms, weeks := len(m.atoms), m.atoms, uint32(m.r.weeks)
	slices.Sort(m.order)
	for _, word := range m.order {
		p := &m.prices[uint32(word)]
		for w, n := range p.lines {
			if week := p.week + int32(w); n != 0 && uint32(week) < weeks { // not negative either
				atoms = append(atoms, upstream.Atom{Cents: upstream.Money(word >> 32), Week: week, Lines: n})
			}
		}
	}
	m.atoms = atoms
	end := len(atoms)
	if start == end {
		return
	}
	ranked := rankedKey{start: int32(start), end: int32(end)}
	for i, t := range amountTerms {
		id := k[t.field]
		if !m.r.texts[i].has(id) {
			m.unknown = true
			return
		}
		ranked.terms[i], ranked.rank[i] = id, m.r.texts[i].rank[id]
	}
	m.keys = append(m.keys, ranked)
}
