package store

import (
	"encoding/binary"
	"math"

	"upstream"
)

// A list of cells is written as the format, the kind and then, per cell in
// ascending order of keys: the number of the first field that differs from the
// cell before, by how much it is larger, the fields after it, and the sums. All
// but the first byte are varints, those of sums in zigzag form; fields are 32
// bits without a sign. The first cell counts from a key of zeros.

func (k *kind) encode(cells []cell) []byte {
	b := make([]byte, 2, 2+len(cells)*(4+k.sums*2))
	b[0], b[1] = rollupFormat, byte(k.id)
	var last key
	for i := range cells {
		c := &cells[i]
		from := 0
		for i > 0 && c.key[from] == last[from] {
			from++
		}
		b = append(b, byte(from))
		b = binary.AppendUvarint(b, uint64(uint32(c.key[from]-last[from])))
		for _, v := range c.key[from+1 : k.fields] {
			b = binary.AppendUvarint(b, uint64(uint32(v)))
		}
		for _, v := range c.sum[:k.sums] {
			b = binary.AppendVarint(b, v)
		}
		last = c.key
	}
	return b
}

// cellReader reads a list of cells one after the other.
type cellReader struct {
	cell
	from int // the first field that differs from the cell before

	k   *kind
	b   []byte
	pos int
	at  *bucket // all cells belong into it, if it is given
	bad bool
}

func (k *kind) reader(b []byte, at *bucket) cellReader {
	bad := len(b) < 2 || b[0] != rollupFormat || b[1] != byte(k.id)
	return cellReader{k: k, b: b, at: at, bad: bad, pos: 2}
}

// next reads the next cell. After the last one, and before a cell that can't be
// read, is out of order or belongs into another bucket, it returns false; bad
// tells them apart.
func (r *cellReader) next() bool {
	if r.bad || r.pos >= len(r.b) {
		return false
	}
	b, pos, first := r.b, r.pos+1, r.pos == 2
	from := int(b[pos-1])
	if from >= r.k.fields || first && from != 0 {
		r.bad = true
		return false
	}
	step := uint64(0)
	if pos < len(b) && b[pos] < 0x80 { // most numbers are one byte
		step, pos = uint64(b[pos]), pos+1
	} else {
		step, pos = uvarint(b, pos)
	}
	if next := int64(r.key[from]) + int64(uint32(step)); !first && (step == 0 || next > math.MaxInt32) {
		r.bad = true
		return false
	}
	r.from = from
	r.key[from] += int32(step)
	wide := step
	for i := from + 1; i < r.k.fields; i++ {
		v := uint64(0)
		if pos < len(b) && b[pos] < 0x80 {
			v, pos = uint64(b[pos]), pos+1
		} else {
			v, pos = uvarint(b, pos)
		}
		r.key[i] = int32(v)
		wide |= v
	}
	for i := range r.k.sums {
		u := uint64(0)
		if pos < len(b) && b[pos] < 0x80 {
			u, pos = uint64(b[pos]), pos+1
		} else {
			u, pos = uvarint(b, pos)
		}
		r.sum[i] = int64(u>>1) ^ -int64(u&1)
	}
	r.pos = pos
	r.bad = pos > len(b) || wide>>32 != 0 || from < bucketFields && r.at != nil && r.k.bucket(&r.key) != *r.at
	return !r.bad
}

// err tells whether the list has been read to its end.
func (r *cellReader) err() error {
	if r.bad {
		return errRollupFormat
	}
	return nil
}

// decode returns the cells of a list.
func (k *kind) decode(b []byte, at *bucket) ([]cell, error) {
	out := make([]cell, 0, len(b)/(2+2*k.sums))
	r := k.reader(b, at)
	for r.next() {
		out = append(out, r.cell)
	}
	return out, r.err()
}

var errRollupFormat = upstream.Errorf(upstream.Corrupt, "a rollup can't be read; `upstream rollup rebuild` makes the rollups again from the claims")

// uvarint reads a number and returns where the next one begins: beyond the end
// after a short read.
func uvarint(b []byte, pos int) (uint64, int) {
	if pos < len(b) {
		if v, n := binary.Uvarint(b[pos:]); n > 0 {
			return v, pos + n
		}
	}
	return 0, len(b) + 1
}
