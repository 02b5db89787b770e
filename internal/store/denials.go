package store

import (
	"context"
	"math/bits"
	"slices"

	"upstream"
)

// Denials reads the first denials of a payer on the days from first through last,
// by all that may explain them. A payer that is not known has none.
func (t *Tenant) Denials(ctx context.Context, payer string, first, last upstream.Day, from From) (*upstream.Denials, error) {
	if from == FromRollups {
		if err := t.foldIfMany(ctx); err != nil {
			return nil, err
		}
	}
	out := &upstream.Denials{}
	err := t.s.read(ctx, func(x tx) error {
		l := newTerms(t.id)
		id, err := l.lookup(x, kindPayer, payer)
		if err != nil || id == 0 {
			return err
		}
		b := denialsBuilder{payer: int32(id), first: int32(first), last: int32(last)}
		if err := t.cells(x, denialKind, span{id, id, int64(first) >> periodBits, int64(last) >> periodBits}, from, b.add); err != nil {
			return err
		}
		out, err = b.build(x, l)
		return err
	})
	return out, err
}

// denialsBuilder collects the cells of a payer and range of days.
type denialsBuilder struct {
	payer, first, last int32
	cells              []upstream.DenialCell // in order; their values are terms until build
}

func (b *denialsBuilder) add(c *cell) {
	if c.key[denialPayer] != b.payer || c.key[denialDay] < b.first || c.key[denialDay] > b.last {
		return
	}
	d := upstream.DenialCell{Day: upstream.Day(c.key[denialDay]), Count: int32(c.sum[0])}
	for i := range d.Value {
		d.Value[i] = c.key[denialFields[i].field]
	}
	b.cells = append(b.cells, d)
}

func compareDenials(a, b upstream.DenialCell) int {
	if a.Day != b.Day {
		return int(a.Day - b.Day)
	}
	return slices.Compare(a.Value[:], b.Value[:])
}

// denialFields tell which field of the key a dimension comes from, and what kind
// of term it holds. The CPT group follows from the code.
var denialFields = [upstream.Dimensions]struct {
	field int
	kind  termKind
}{
	upstream.ByGroup:     {denialCode, kindCode},
	upstream.ByCARC:      {denialCARC, kindLeadingCARC},
	upstream.ByRARC:      {denialRARC, kindLeadingRARC},
	upstream.ByLocation:  {denialLocation, kindLocation},
	upstream.ByCPT:       {denialCode, kindCode},
	upstream.ByModifiers: {denialModifiers, kindModifiers},
	upstream.ByPlace:     {denialPlace, kindPlace},
}

func (b *denialsBuilder) build(x tx, l *terms) (*upstream.Denials, error) {
	out := &upstream.Denials{Cells: b.cells}
	for d := range upstream.Dimensions {
		values, places, err := b.values(x, l, d)
		if err != nil {
			return nil, err
		}
		out.Values[d] = values
		for i := range b.cells {
			v := &b.cells[i].Value[d]
			*v = places[*v]
		}
	}
	sortDays(out)
	return out, nil
}

// values returns what a dimension's terms stand for, sorted, and by term the
// place of its text in them.
func (b *denialsBuilder) values(x tx, l *terms, d upstream.Dimension) (values []string, places []int32, err error) {
	all, err := l.texts(x, denialFields[d].kind)
	if err != nil {
		return nil, nil, err
	}
	places = make([]int32, len(all.text))
	for i := range b.cells {
		term := b.cells[i].Value[d]
		if !all.has(term) {
			return nil, nil, errRollupFormat
		}
		places[term] = 1
	}
	texts := map[int]string{}
	for term, used := range places {
		if used == 0 {
			continue
		}
		text := all.text[term]
		if d == upstream.ByGroup {
			text = upstream.CPTGroup(text)
		}
		texts[term] = text
		values = append(values, text)
	}
	slices.Sort(values)
	values = slices.Compact(values)
	for term, text := range texts {
		place, _ := slices.BinarySearch(values, text)
		places[term] = int32(place)
	}
	return values, places, nil
}

// sortDays sorts the cells of each day by their values. The days are in order.
func sortDays(d *upstream.Denials) {
	var width [upstream.Dimensions]int
	bitsOfAll := 0
	for i, values := range d.Values {
		width[i] = bits.Len(uint(len(values)))
		bitsOfAll += width[i]
	}
	var order []uint64
	var day []upstream.DenialCell
	for rest := d.Cells; len(rest) > 0; rest = rest[len(day):] {
		n := 1
		for n < len(rest) && rest[n].Day == rest[0].Day {
			n++
		}
		place := bits.Len(uint(n))
		if bitsOfAll+place > 64 {
			slices.SortFunc(rest[:n], compareDenials)
			day = rest[:n]
			continue
		}
		// Words are sorted several times as fast as cells.
		day, order = append(day[:0], rest[:n]...), order[:0]
		for i := range day {
			word := uint64(0)
			for k, v := range day[i].Value {
				word = word<<width[k] | uint64(v)
			}
			order = append(order, word<<place|uint64(i))
		}
		slices.Sort(order)
		for i, word := range order {
			rest[i] = day[word&(1<<place-1)]
		}
	}
}
