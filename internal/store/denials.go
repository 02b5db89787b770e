package store

import (
	"context"
	"slices"

	"upstream"
)

// Denials reads the first denials of a payer on the days from first through last,
// by all that may explain them: of some CPT groups, or of all where none are named.
// A payer that is not known has none.
func (t *Tenant) Denials(ctx context.Context, payer string, groups []string, first, last upstream.Day, from From) (*upstream.Denials, error) {
	if from == FromRollups {
		if err := t.foldIfMany(ctx); err != nil {
			return nil, err
		}
	}
	out := &upstream.Denials{}
	err := t.s.scan(ctx, func(x tx) error {
		l, err := t.terms(x)
		if err != nil {
			return err
		}
		id, err := l.lookup(x, kindPayer, payer)
		if err != nil || id == 0 {
			return err
		}
		b := newDenialsBuilder(&l.values, l.groups, groups)
		b.payer, b.first, b.last = int32(id), int32(first), int32(last)
		if err := t.cells(x, denialKind, span{id, id, int64(first) >> periodBits, int64(last) >> periodBits}, from, b.add); err != nil {
			return err
		}
		out, err = b.build()
		return err
	})
	return out, err
}

// denialsBuilder collects the cells of a payer and range of days.
type denialsBuilder struct {
	payer, first, last int32
	others             []bool // codes, by term, of groups that are not wanted
	texts              [upstream.Dimensions][]string
	places             [upstream.Dimensions][]int32 // by term: 1 where a cell has it; in the end that of its text
	unknown            bool                         // a term of a cell is not in the dictionary
	cells              []upstream.DenialCell        // in order; their values are terms until build
}

func newDenialsBuilder(texts *termTexts, own upstream.CPTGroups, groups []string) *denialsBuilder {
	b := &denialsBuilder{}
	for d, f := range denialFields {
		b.texts[d], b.places[d] = texts[f.kind], make([]int32, len(texts[f.kind]))
	}
	codes := b.texts[upstream.ByCPT]
	b.texts[upstream.ByGroup] = make([]string, len(codes))
	b.others = make([]bool, len(codes))
	for term, code := range codes {
		group := own.Of(code)
		b.texts[upstream.ByGroup][term] = group
		b.others[term] = len(groups) > 0 && !slices.Contains(groups, group)
	}
	return b
}

func (b *denialsBuilder) add(c *cell) {
	if c.key[denialPayer] != b.payer || c.key[denialDay] < b.first || c.key[denialDay] > b.last {
		return
	}
	if code := c.key[denialCode]; uint(code) < uint(len(b.others)) && b.others[code] {
		return
	}
	d := upstream.DenialCell{Day: upstream.Day(c.key[denialDay]), Count: int32(c.sum[0])}
	for i := range d.Value {
		term := c.key[denialFields[i].field]
		if uint(term) >= uint(len(b.places[i])) {
			b.unknown = true
			return
		}
		d.Value[i], b.places[i][term] = term, 1
	}
	if len(b.cells) == cap(b.cells) {
		b.cells = slices.Grow(b.cells, max(len(b.cells), 1024)) // append would grow by a quarter
	}
	b.cells = append(b.cells, d)
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

// build turns the terms of the cells into places of their texts.
func (b *denialsBuilder) build() (*upstream.Denials, error) {
	if b.unknown {
		return nil, errRollupFormat
	}
	out := &upstream.Denials{Cells: b.cells}
	for d := range b.texts {
		out.Values[d] = rankUsed(b.texts[d], b.places[d])
	}
	for i := range b.cells {
		for d := range b.places {
			v := &b.cells[i].Value[d]
			*v = b.places[d][*v]
		}
	}
	return out, nil
}

// rankUsed returns the texts that are used, sorted, and sets places, by term, to
// where they stand.
func rankUsed(texts []string, places []int32) (values []string) {
	for term, used := range places {
		if used != 0 {
			values = append(values, texts[term])
		}
	}
	slices.Sort(values)
	values = slices.Compact(values)
	for term, used := range places {
		if used != 0 {
			place, _ := slices.BinarySearch(values, texts[term])
			places[term] = int32(place)
		}
	}
	return values
}
