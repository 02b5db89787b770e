package store

import (
	"math/bits"
	"slices"
)

// tally adds up the cells of one kind. It appends and sorts now and then, which
// costs less than a map; its slices are used again after reset.
type tally struct {
	pending []cell
	order   []uint64
	runs    runs
}

// runs are sorted lists of cells that together are one, each less than half as
// long as the one before: few are held at a time, and each cell is merged few times.
type runs [][]cell

func (r *runs) add(list []cell) {
	*r = append(*r, list)
	for n := len(*r); n > 1 && len((*r)[n-2]) < 2*len((*r)[n-1]); n-- {
		(*r)[n-2] = combineTwo((*r)[n-2], (*r)[n-1])
		*r = (*r)[:n-1]
	}
}

// cells combines what is left.
func (r *runs) cells() (out []cell) {
	for i := len(*r) - 1; i >= 0; i-- {
		out = combineTwo((*r)[i], out)
	}
	return out
}

// tallyRun is how many cells are sorted at a time.
const tallyRun = 1 << 14

func (t *tally) reset() { t.pending, t.runs = t.pending[:0], t.runs[:0] }

// add counts a claim, or takes it away where sign is -1.
func (t *tally) add(k *kind, f *facts, sign int64) {
	c, ok := k.of(f)
	if !ok {
		return
	}
	if sign < 0 {
		for i := range c.sum {
			c.sum[i] = -c.sum[i]
		}
	}
	t.pending = append(t.pending, c)
	if len(t.pending) == tallyRun {
		t.sortPending()
	}
}

func (t *tally) sortPending() {
	if len(t.pending) == 0 {
		return
	}
	t.runs.add(t.sorted(t.pending))
	t.pending = t.pending[:0]
}

// cells returns what the tally comes to, in order, without empty cells.
func (t *tally) cells() []cell {
	t.sortPending()
	return t.runs.cells()
}

// sorted returns the cells in order, those of one key combined. It reorders its
// argument.
func (t *tally) sorted(cells []cell) []cell {
	place := bits.Len(uint(len(cells)))
	t.pack(cells, place)
	keys := 0
	for i, word := range t.order {
		if i == 0 || word>>place != t.order[i-1]>>place {
			keys++
		}
	}
	out := make([]cell, 0, keys)
	for i, word := range t.order {
		c := &cells[word&(1<<place-1)]
		if i > 0 && word>>place == t.order[i-1]>>place {
			out[len(out)-1].sum.add(&c.sum)
			continue
		}
		out = append(out, *c)
	}
	return slices.DeleteFunc(out, func(c cell) bool { return c.sum == sum{} })
}

// pack fills order with a word for each cell, sorted as the cells' keys are,
// above the place of the cell. Sorting words costs a fraction of sorting cells,
// and the keys of a transaction differ in few bits: mostly all fit into one.
func (t *tally) pack(cells []cell, place int) {
	low, high := cells[0].key, cells[0].key
	for i := range cells {
		for f, v := range &cells[i].key {
			low[f], high[f] = min(low[f], v), max(high[f], v)
		}
	}
	var width [len(key{})]int
	total := place
	for f := range width {
		width[f] = bits.Len32(uint32(high[f] - low[f]))
		total += width[f]
	}
	t.order = t.order[:0]
	if total > 64 {
		slices.SortFunc(cells, func(a, b cell) int { return a.key.compare(&b.key) })
		rank := uint64(0)
		for i := range cells {
			if i > 0 && cells[i].key != cells[i-1].key {
				rank++
			}
			t.order = append(t.order, rank<<place|uint64(i))
		}
		return
	}
	for i := range cells {
		word := uint64(0)
		for f, w := range width {
			if w != 0 {
				word = word<<w | uint64(uint32(cells[i].key[f]-low[f]))
			}
		}
		t.order = append(t.order, word<<place|uint64(i))
	}
	slices.Sort(t.order)
}
