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

	atoms []upstream.Atom
	keys  []rankedKey
	// A term of a key is not in the dictionary, or a week not in its period.
	unreadable bool
	// The lines of one key, by period and in that by amount: where each period ends.
	lines, merged []upstream.Atom
	ends          []int
}

// rankedKey is a key of one payer with the ranks of its texts, by which keys are
// sorted, and the place of its atoms.
type rankedKey struct {
	terms, rank [len(amountTerms)]int32
	start, end  int32
}

func (r *amountsReader) merge(p *payerAmounts) error {
	m := amountMerge{r: r, live: make([]bool, len(p.blobs)), unreadable: uint(p.term) >= uint(len(r.ranks[0]))}
	size := 0
	for i, b := range p.blobs {
		size += len(b)
		m.periods = append(m.periods, amountKind.reader(b, &bucket{int64(p.term), p.periods[i]}))
		m.weeks = append(m.weeks, int32(p.periods[i]<<amountWeekBits-r.first))
		m.live[i] = m.periods[i].next()
	}
	m.atoms = make([]upstream.Atom, 0, size/3)
	for m.nextKey() {
	}
	for i := range m.periods {
		if err := m.periods[i].err(); err != nil {
			return err
		}
	}
	if m.unreadable {
		return errRollupFormat
	}
	slices.SortFunc(m.keys, func(a, b rankedKey) int { return slices.Compare(a.rank[:], b.rank[:]) })
	p.keys, p.atoms = m.keys, m.atoms
	return nil
}

// amountKeyFields is the first field after those that lines are told apart by; the
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
	m.lines, m.ends = m.lines[:0], m.ends[:0]
	for i := range m.periods {
		if m.live[i] && [4]int32(m.periods[i].key[amountCode:amountKeyFields]) == [4]int32(k[amountCode:amountKeyFields]) {
			m.take(i)
		}
	}
	m.emit(&k)
	return true
}

// take moves the lines of the next key of a period to those of the key.
func (m *amountMerge) take(i int) {
	p, weeks := &m.periods[i], uint32(m.r.weeks)
	for {
		week := m.weeks[i] + p.key[amountWeek]
		m.unreadable = m.unreadable || uint32(p.key[amountWeek]) >= 1<<amountWeekBits
		if n := int32(p.sum[0]); n != 0 && uint32(week) < weeks { // not negative either
			m.lines = append(m.lines, upstream.Atom{Cents: upstream.Money(p.key[amountCents]), Week: week, Lines: n})
		}
		if m.live[i] = p.next(); !m.live[i] || p.from < amountKeyFields {
			break
		}
	}
	if n := len(m.ends); len(m.lines) > 0 && (n == 0 || m.ends[n-1] < len(m.lines)) {
		m.ends = append(m.ends, len(m.lines))
	}
}

// inOrder merges neighbours among the periods until the key's lines are one list,
// by amount and then week.
func (m *amountMerge) inOrder() []upstream.Atom {
	for len(m.ends) > 1 {
		m.merged = slices.Grow(m.merged[:0], len(m.lines))
		start, ends := 0, m.ends[:0]
		for i := 0; i < len(m.ends); i += 2 {
			middle := m.ends[i]
			end := m.ends[min(i+1, len(m.ends)-1)]
			m.merged = mergeAtoms(m.merged, m.lines[start:middle], m.lines[middle:end])
			start, ends = end, append(ends, end)
		}
		m.lines, m.merged, m.ends = m.merged, m.lines, ends
	}
	return m.lines
}

// mergeAtoms appends two lists by amount; all weeks of a are before those of b.
func mergeAtoms(out, a, b []upstream.Atom) []upstream.Atom {
	for len(a) > 0 && len(b) > 0 {
		if b[0].Cents < a[0].Cents {
			out, b = append(out, b[0]), b[1:]
		} else {
			out, a = append(out, a[0]), a[1:]
		}
	}
	return append(append(out, a...), b...)
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
	start := len(m.atoms)
	m.atoms = append(m.atoms, m.inOrder()...)
	end := len(m.atoms)
	if start == end {
		return
	}
	ranked := rankedKey{start: int32(start), end: int32(end)}
	for i, t := range amountTerms {
		id := k[t.field]
		if uint(id) >= uint(len(m.r.ranks[i])) {
			m.unreadable = true
			return
		}
		ranked.terms[i], ranked.rank[i] = id, m.r.ranks[i][id]
	}
	m.keys = append(m.keys, ranked)
}
