package store

import (
	"context"
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
		if err := t.cells(x, denialKind, span{id, int64(first) >> periodBits, int64(last) >> periodBits}, from, b.add); err != nil {
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
	cells              []cell
	mixed              bool // a cell came out of order
}

func (b *denialsBuilder) add(c *cell) {
	if c.key[denialPayer] != b.payer || c.key[denialDay] < b.first || c.key[denialDay] > b.last {
		return
	}
	if n := len(b.cells); n > 0 && b.cells[n-1].key.compare(&c.key) >= 0 {
		b.mixed = true
	}
	b.cells = append(b.cells, *c)
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
	if b.mixed {
		var sums tally
		b.cells = sums.sorted(b.cells)
	}
	out := &upstream.Denials{Cells: make([]upstream.DenialCell, len(b.cells))}
	for i := range b.cells {
		out.Cells[i].Day = upstream.Day(b.cells[i].key[denialDay])
		out.Cells[i].Count = int32(b.cells[i].sum[0])
	}
	for d := range upstream.Dimensions {
		values, places, err := b.values(x, l, d)
		if err != nil {
			return nil, err
		}
		out.Values[d] = values
		for i := range b.cells {
			out.Cells[i].Value[d] = places[b.cells[i].key[denialFields[d].field]]
		}
	}
	for rest := out.Cells; len(rest) > 0; { // the days are in order
		n := slices.IndexFunc(rest, func(c upstream.DenialCell) bool { return c.Day != rest[0].Day })
		if n < 0 {
			n = len(rest)
		}
		slices.SortFunc(rest[:n], func(a, b upstream.DenialCell) int { return slices.Compare(a.Value[:], b.Value[:]) })
		rest = rest[n:]
	}
	return out, nil
}

// values returns what a dimension's terms stand for, sorted, and by term the
// place of its text in them.
func (b *denialsBuilder) values(x tx, l *terms, d upstream.Dimension) (values []string, places []int32, err error) {
	from := denialFields[d]
	for i := range b.cells {
		term := int(b.cells[i].key[from.field])
		for term >= len(places) {
			places = append(places, make([]int32, max(term+1-len(places), 64))...)
		}
		places[term] = 1
	}
	texts := map[int]string{}
	for term, used := range places {
		if used == 0 {
			continue
		}
		text := ""
		if term != 0 {
			if text, err = l.value(x, from.kind, int64(term)); err != nil {
				return nil, nil, err
			}
		}
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
