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

// decode calls each with every cell of a list and with the first field that
// differs from the cell before; the cell is overwritten by the next one. It
// refuses a list that is out of order, and cells that don't belong into the
// bucket, if one is given.
func (k *kind) decode(b []byte, at *bucket, each func(c *cell, from int)) error {
	if len(b) < 2 || b[0] != rollupFormat || b[1] != byte(k.id) {
		return errRollupFormat
	}
	d := blob{b: b[2:]}
	var c cell
	placed := 1 // the first field that no bucket depends on
	if k.parted {
		placed = 2
	}
	for first := true; len(d.b) > 0; first = false {
		from := int(d.byte())
		if from >= k.fields || first && from != 0 {
			return errRollupFormat
		}
		next := int64(c.key[from]) + int64(d.field())
		switch {
		case first:
			next = int64(int32(next))
		case next == int64(c.key[from]) || next > math.MaxInt32:
			return errRollupFormat
		}
		c.key[from] = int32(next)
		for i := from + 1; i < k.fields; i++ {
			c.key[i] = int32(d.field())
		}
		for i := range k.sums {
			c.sum[i] = d.varint()
		}
		if d.bad || from < placed && at != nil && k.bucket(&c.key) != *at {
			return errRollupFormat
		}
		each(&c, from)
	}
	return nil
}

// decodeAll returns the cells of a segment.
func (k *kind) decodeAll(b []byte) ([]cell, error) {
	out := make([]cell, 0, len(b)/(3+k.sums))
	err := k.decode(b, nil, func(c *cell, _ int) { out = append(out, *c) })
	return out, err
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

// field reads 32 bits.
func (d *blob) field() uint32 {
	u := d.uvarint()
	if u > math.MaxUint32 {
		d.bad = true
	}
	return uint32(u)
}
