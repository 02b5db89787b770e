package store

import (
	"cmp"
	"encoding/binary"
	"slices"

	"upstream"
)

// A series point is what the denial signal reads: the decisions of one payer and
// CPT group on one day. Points are folded from cells, and kept in the order the
// detector reads them: by period of 32 days, node, day.
type point struct {
	payer, group uint32
	day          int32 // of first decision
	pointSum
}

type pointSum struct{ decided, denied, allowed int64 }

// periodBits makes a period of 32 days.
const periodBits = 5

func comparePoints(a, b point) int {
	return cmp.Or(
		cmp.Compare(a.day>>periodBits, b.day>>periodBits),
		cmp.Compare(a.payer, b.payer), cmp.Compare(a.group, b.group), cmp.Compare(a.day, b.day))
}

// pointOf returns what a cell adds to the series, if it counts in a denial rate.
func pointOf(c cell) (point, bool) {
	if c.lag == noLag || !upstream.IsDecided(c.filing(), c.outcome()) {
		return point{}, false
	}
	p := point{payer: c.payer, group: c.group, day: c.day + c.lag}
	p.decided = c.count
	if upstream.IsDenial(c.filing(), c.outcome()) {
		p.denied = c.count
	} else {
		p.allowed = c.allowed
	}
	return p, true
}

// combinePoints sums points of one node and day and drops empty ones. It sorts
// and reuses its argument.
func combinePoints(points []point) []point {
	slices.SortFunc(points, comparePoints)
	out := points[:0]
	for _, p := range points {
		if n := len(out); n > 0 && out[n-1].payer == p.payer && out[n-1].group == p.group && out[n-1].day == p.day {
			out[n-1].decided += p.decided
			out[n-1].denied += p.denied
			out[n-1].allowed += p.allowed
			continue
		}
		out = append(out, p)
	}
	return slices.DeleteFunc(out, func(p point) bool { return p.pointSum == (pointSum{}) })
}

// pointFormat is the first byte of an encoded period. The rest is, per node in
// ascending order: payer, group, number of days, then per day its offset in the
// period, decided, denied and allowed, all as varints.
const pointFormat = 1

// encodePoints encodes the points of one period, which are sorted.
func encodePoints(points []point) []byte {
	b := make([]byte, 1, 1+len(points)*8)
	b[0] = pointFormat
	for len(points) > 0 {
		n := 1
		for n < len(points) && points[n].payer == points[0].payer && points[n].group == points[0].group {
			n++
		}
		b = binary.AppendUvarint(b, uint64(points[0].payer))
		b = binary.AppendUvarint(b, uint64(points[0].group))
		b = binary.AppendUvarint(b, uint64(n))
		for _, p := range points[:n] {
			b = append(b, byte(p.day&(1<<periodBits-1)))
			b = binary.AppendVarint(b, p.decided)
			b = binary.AppendVarint(b, p.denied)
			b = binary.AppendVarint(b, p.allowed)
		}
		points = points[n:]
	}
	return b
}

// decodePoints calls node for each node of a period and then its day function
// for each of the node's days.
func decodePoints(period int32, b []byte, node func(payer, group uint32) func(day int32, s pointSum)) error {
	d := blob{b: b}
	if d.byte() != pointFormat {
		return errRollupFormat
	}
	first := period << periodBits
	for len(d.b) > 0 && !d.bad {
		payer, group, n := uint32(d.uvarint()), uint32(d.uvarint()), d.uvarint()
		each := node(payer, group)
		for ; n > 0 && !d.bad; n-- {
			offset := d.byte()
			d.bad = d.bad || offset >= 1<<periodBits
			day := first + int32(offset)
			s := pointSum{d.varint(), d.varint(), d.varint()}
			if !d.bad {
				each(day, s)
			}
		}
	}
	if d.bad {
		return errRollupFormat
	}
	return nil
}
