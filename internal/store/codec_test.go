package store

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"upstream"
)

var compareCells = cmp.AllowUnexported(cell{})

// drawCells draws cells of a kind, some of them of one key.
func drawCells(k *kind, field *rapid.Generator[int32]) *rapid.Generator[[]cell] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) (c cell) {
		for f := range k.fields {
			c.key[f] = field.Draw(t, "field")
		}
		for s := range k.sums {
			c.sum[s] = rapid.Int64().Draw(t, "sum")
		}
		return c
	}), 0, 50)
}

var (
	anyField  = rapid.Int32()
	tinyField = rapid.Int32Range(-1, 2)
)

// plainly adds up cells with a map.
func plainly(cells []cell) []cell {
	sums := map[key]sum{}
	for _, c := range cells {
		s := sums[c.key]
		s.add(&c.sum)
		sums[c.key] = s
	}
	var out []cell
	for k, s := range sums {
		if s != (sum{}) {
			out = append(out, cell{k, s})
		}
	}
	slices.SortFunc(out, func(a, b cell) int { return a.key.compare(&b.key) })
	return out
}

func TestTallyAddsUpWhateverTheKeys(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		// All bits of all fields don't fit into a word, a few bits do.
		cells := drawCells(denialKind, rapid.SampledFrom([]*rapid.Generator[int32]{anyField, tinyField}).Draw(r, "fields")).Draw(r, "cells")
		var sums tally
		for range rapid.IntRange(1, 2).Draw(r, "uses") { // it is used again
			sums.reset()
			for _, c := range cells {
				sums.pending = append(sums.pending, c)
				if rapid.IntRange(0, 5).Draw(r, "run") == 0 {
					sums.sortPending()
				}
			}
			if diff := cmp.Diff(plainly(cells), slices.Clip(sums.cells()), compareCells, equateEmpty); diff != "" {
				r.Fatal(diff)
			}
		}
	})
}

var equateEmpty = cmp.FilterValues(func(a, b []cell) bool { return len(a) == 0 && len(b) == 0 }, cmp.Comparer(func(a, b []cell) bool { return true }))

func TestCellsComeBackFromTheirBlob(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				cells := plainly(drawCells(k, rapid.OneOf(anyField, tinyField)).Draw(r, "cells"))
				got, err := k.decode(k.encode(cells), nil)
				if diff := cmp.Diff(cells, got, compareCells, equateEmpty); diff != "" || err != nil {
					r.Fatal(diff, err)
				}
			})
		})
	}
}

func TestRunsAddUpSortedLists(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var lists runs
		var all []cell
		for range rapid.IntRange(0, 5).Draw(r, "lists") {
			list := plainly(drawCells(waitKind, tinyField).Draw(r, "list"))
			lists.add(list)
			all = append(all, list...)
		}
		if diff := cmp.Diff(plainly(all), lists.cells(), compareCells, equateEmpty); diff != "" {
			r.Fatal(diff)
		}
	})
}

func TestDamagedBlobsAreRefused(t *testing.T) {
	k := waitKind
	good := k.encode([]cell{{key{1, 2, 40, 5, 0}, sum{3}}, {key{1, 2, 41, 0, 0}, sum{1}}})
	if _, err := k.decode(good, &bucket{0, 1}); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing":                      {},
		"one byte":                     {rollupFormat},
		"an older format":              append([]byte{1}, good[1:]...),
		"another kind":                 seriesKind.encode([]cell{{key{1, 2, 3, 40}, sum{1, 0, 0}}}),
		"cut off":                      good[:len(good)-1],
		"a field that the kind lacks":  append(slices.Clone(good), 5, 1, 1),
		"a key again":                  append(slices.Clone(good), 4, 0, 2),
		"a first cell that goes on":    {rollupFormat, 3, 1, 1, 1, 1, 1, 2},
		"a field beyond 32 bits":       {rollupFormat, 3, 0, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 1, 2},
		"a step beyond 32 bits":        append(slices.Clone(good), 2, 0xff, 0xff, 0xff, 0xff, 0x07, 1, 1, 2),
		"a number that does not end":   {rollupFormat, 3, 0, 1, 0x80},
		"a number longer than 64 bits": append(append([]byte{rollupFormat, 3, 0}, slices.Repeat([]byte{0xff}, 11)...), 1, 1, 1, 1, 2),
	} {
		if cells, err := k.decode(b, nil); upstream.ErrorCode(err) != upstream.Corrupt {
			t.Errorf("%s: %v, %v", name, cells, err)
		}
	}
	if _, err := k.decode(good, &bucket{0, 2}); upstream.ErrorCode(err) != upstream.Corrupt {
		t.Errorf("in another bucket: %v", err)
	}
	if _, err := denialKind.decode(denialKind.encode([]cell{{key{2, 64}, sum{1}}}), &bucket{3, 2}); upstream.ErrorCode(err) != upstream.Corrupt {
		t.Errorf("with another payer: %v", err)
	}
}

func TestLagsComeBack(t *testing.T) {
	for _, days := range []int64{0, 1, 17, -1, -400, math.MaxInt32 - 1} {
		if got, ok := unpackLag(packLag(days)); int64(got) != days || !ok {
			t.Errorf("%d came back as %d, %t", days, got, ok)
		}
	}
	if _, ok := unpackLag(0); ok {
		t.Error("zero is a lag")
	}
}

// FuzzDecode holds for any bytes: they are refused, or are cells in order that
// come to the same when they are written and read again.
func FuzzDecode(f *testing.F) {
	for i, k := range kinds {
		f.Add(uint8(i), k.encode(nil))
		c := cell{key{1, 2, 3, 4, 5, 6, 7, 8}, sum{1, -2, 3, 1 << 40, 5}}
		clear(c.key[k.fields:])
		clear(c.sum[k.sums:])
		next := c
		next.key[k.fields-1]++
		far := c
		far.key[0], far.key[1] = math.MaxInt32, -1
		f.Add(uint8(i), k.encode([]cell{c}))
		f.Add(uint8(i), k.encode([]cell{c, next, far}))
		f.Add(uint8(i), append(k.encode([]cell{c, next}), 0x80))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		k := kinds[int(which)%len(kinds)]
		cells, err := k.decode(b, nil)
		if err != nil {
			if upstream.ErrorCode(err) != upstream.Corrupt {
				t.Fatal(err)
			}
			return
		}
		for i := 1; i < len(cells); i++ {
			if cells[i-1].key.compare(&cells[i].key) >= 0 {
				t.Fatalf("cell %d is out of order", i)
			}
		}
		again, err := k.decode(k.encode(cells), nil)
		if err != nil || !slices.Equal(cells, again) {
			t.Fatalf("read again: %v", err)
		}
		for i := range cells {
			at := k.bucket(&cells[i].key)
			if _, err := k.decode(b, &at); err == nil && k.bucket(&cells[0].key) != at {
				t.Fatal("a blob was taken for another bucket's")
			}
			if i == 2 {
				break
			}
		}
	})
}
