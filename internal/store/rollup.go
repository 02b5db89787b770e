package store

import (
	"cmp"
	"encoding/binary"
	"slices"

	"upstream"
)

// A rollup cell counts the claims of one payer and CPT group that were submitted
// on one day, first decided so many days later, with one filing and first
// outcome, and sums their current amounts. The cells of a customer are the
// (submitted, decided) matrix: rates by either date, open inventory and
// maturation come out of it exactly.
type cell struct {
	cellKey
	cellSum
}

type cellKey struct {
	day          int32 // submitted
	payer, group uint32
	lag          int32 // days to the first decision; noLag while there is none
	class        uint8 // filing << 4 | first outcome
}

type cellSum struct{ count, billed, allowed, paid int64 }

const noLag = -1

func (a *cellSum) add(b cellSum) {
	a.count += b.count
	a.billed += b.billed
	a.allowed += b.allowed
	a.paid += b.paid
}

func (k cellKey) filing() upstream.Filing   { return upstream.Filing(k.class >> 4) }
func (k cellKey) outcome() upstream.Outcome { return upstream.Outcome(k.class & 15) }

func compareCells(a, b cell) int {
	return cmp.Or(
		cmp.Compare(a.day, b.day), cmp.Compare(a.payer, b.payer), cmp.Compare(a.group, b.group),
		cmp.Compare(a.lag, b.lag), cmp.Compare(a.class, b.class))
}

// cellOf returns the cell that a claim adds to, and what it adds.
func cellOf(r *claimRow, group int64) (cellKey, cellSum) {
	v := &r.ints
	k := cellKey{
		day: int32(v[colSubmitted]), payer: uint32(v[colPayer]), group: uint32(group), lag: noLag,
		class: uint8(v[colFiling])<<4 | uint8(v[colFirstOutcome]),
	}
	if v[colFirstDecided] != 0 {
		k.lag = int32(v[colFirstDecided] - v[colSubmitted])
	}
	return k, cellSum{1, v[colBilled], v[colAllowed], v[colPaid]}
}

// deltas collects the signed changes of one transaction.
type deltas map[cellKey]cellSum

func (d deltas) add(k cellKey, s cellSum, sign int64) {
	sum := d[k]
	sum.add(cellSum{sign * s.count, sign * s.billed, sign * s.allowed, sign * s.paid})
	d[k] = sum
}

func (d deltas) cells() []cell {
	out := make([]cell, 0, len(d))
	for k, s := range d {
		if s != (cellSum{}) {
			out = append(out, cell{k, s})
		}
	}
	slices.SortFunc(out, compareCells)
	return out
}

// combine sums cells of one key and drops those that come to nothing. It sorts
// and reuses its argument.
func combine(cells []cell) []cell {
	slices.SortFunc(cells, compareCells)
	out := cells[:0]
	for _, c := range cells {
		if n := len(out); n > 0 && out[n-1].cellKey == c.cellKey {
			out[n-1].add(c.cellSum)
			continue
		}
		out = append(out, c)
	}
	return slices.DeleteFunc(out, func(c cell) bool { return c.cellSum == (cellSum{}) })
}

// cellFormat is the first byte of an encoded list of cells. The rest is, per
// cell in ascending order, nine varints: day minus the day before, payer, group,
// lag + 1, class, count, billed, allowed, paid; signed ones in zigzag form.
const cellFormat = 1

func encodeCells(cells []cell) []byte {
	b := make([]byte, 1, 1+len(cells)*16)
	b[0] = cellFormat
	day := int32(0)
	for _, c := range cells {
		b = binary.AppendVarint(b, int64(c.day-day))
		day = c.day
		b = binary.AppendUvarint(b, uint64(c.payer))
		b = binary.AppendUvarint(b, uint64(c.group))
		b = binary.AppendUvarint(b, uint64(c.lag+1))
		b = append(b, c.class)
		b = binary.AppendVarint(b, c.count)
		b = binary.AppendVarint(b, c.billed)
		b = binary.AppendVarint(b, c.allowed)
		b = binary.AppendVarint(b, c.paid)
	}
	return b
}

// decodeCells calls each with every cell of a blob.
func decodeCells(b []byte, each func(cell)) error {
	d := blob{b: b}
	if d.byte() != cellFormat {
		return errRollupFormat
	}
	day := int32(0)
	for len(d.b) > 0 && !d.bad {
		var c cell
		day += int32(d.varint())
		c.day, c.payer, c.group = day, uint32(d.uvarint()), uint32(d.uvarint())
		c.lag, c.class = int32(d.uvarint())-1, d.byte()
		c.count, c.billed, c.allowed, c.paid = d.varint(), d.varint(), d.varint(), d.varint()
		if !d.bad {
			each(c)
		}
	}
	if d.bad {
		return errRollupFormat
	}
	return nil
}

var errRollupFormat = upstream.Errorf(upstream.Corrupt, "a rollup can't be read; `upstream rollup rebuild` makes the rollups again from the claims")

// blob reads the parts of an encoded rollup; bad stays set after a short read.
type blob struct {
	b   []byte
	bad bool
}

func (d *blob) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *blob) uvarint() uint64 {
	if len(d.b) > 0 && d.b[0] < 0x80 { // most are one byte
		v := d.b[0]
		d.b = d.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *blob) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}
