package store

import (
	"cmp"
	"math"
)

// A rollup counts claims by a key: a cell is a key and the sums of the claims
// that have it. Each transaction that changes claims appends, for each kind of
// rollup, one segment of signed changes; a fold moves segments into blobs, one
// for each bucket of the kind, in the order readers want. Segments and blobs have
// the same format: see codec.go.
//
// So much holds always: the segments and blobs of a kind come to what the raw
// claims come to. Kinds are independent of each other.
type cell struct {
	key key
	sum sum
}

// key and sum are as wide as the widest kind; fields that a kind doesn't have
// stay zero.
type (
	key [8]int32
	sum [5]int64
)

// kind is one rollup of a customer's claims.
type kind struct {
	id           int64 // stored: never renumber
	name         string
	fields, sums int // of key and sum that are used
	// of returns what a claim adds, and whether it adds anything.
	of func(f *facts) (cell, bool)
	// claims, where set, selects those of the parts $2 through $3 that may add
	// something, by an index.
	claims string
	// A bucket is all keys with the same part and period: key[0] is the part, if
	// there is one, and the field after it >> shift is the period.
	parted bool
	shift  uint
}

// facts are a claim's row with what the dictionaries say about its terms.
type facts struct {
	*claimRow
	group      int64
	carc, rarc int64 // the leading codes of the first decision, if it denied
}

// rollupFormat is the format of the kinds together: what they count and how it
// is written. A database with another one has its rollups made again.
const rollupFormat = 4

// bucket is where a folded cell is kept; it depends on the first two fields.
type bucket struct{ part, period int64 }

const bucketFields = 2

func (a bucket) compare(b bucket) int {
	return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.period, b.period))
}

func (k *kind) bucket(c *key) bucket {
	if k.parted {
		return bucket{int64(c[0]), int64(c[1] >> k.shift)}
	}
	return bucket{0, int64(c[0] >> k.shift)}
}

func (a *key) compare(b *key) int {
	for i := range a {
		if a[i] != b[i] {
			return cmp.Compare(a[i], b[i])
		}
	}
	return 0
}

func (s *sum) add(o *sum) {
	for i := range s {
		s[i] += o[i]
	}
}

// deltas collects the signed changes of one transaction, by position in kinds.
type deltas [len(kinds)]tally

func (d *deltas) reset() {
	for i := range d {
		d[i].reset()
	}
}

// add counts a claim in every kind, or takes it away where sign is -1.
func (d *deltas) add(f *facts, sign int64) {
	for i, k := range kinds {
		d[i].add(k, f, sign)
	}
}

// combineTwo merges two sorted lists into one: it sums the cells of one key and
// drops those that come to nothing.
func combineTwo(a, b []cell) []cell {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := make([]cell, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch order := a[0].key.compare(&b[0].key); {
		case order < 0:
			out, a = append(out, a[0]), a[1:]
		case order > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			c := a[0]
			if c.sum.add(&b[0].sum); c.sum != (sum{}) {
				out = append(out, c)
			}
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// segments reads up to limit segments of a kind, oldest first, and combines them.
func (t *Tenant) segments(x tx, k *kind, limit int) (cells []cell, last int64, n int, err error) {
	var all runs
	err = x.query("SELECT id, cells FROM rollup_segment WHERE customer_id = $1 AND kind = $2 ORDER BY id LIMIT $3",
		[]any{t.id, k.id, limit}, func(r row) error {
			last = r.int(0)
			n++
			list, err := k.decode(r.bytes(1), nil)
			all.add(list)
			return err
		})
	return all.cells(), last, n, err
}

// span are buckets: those of some parts and some periods, first and last inclusive.
type span struct{ firstPart, lastPart, first, last int64 }

func periods(first, last int64) span { return span{0, 0, first, last} }

func (s span) contains(at bucket) bool {
	return at.part >= s.firstPart && at.part <= s.lastPart && at.period >= s.first && at.period <= s.last
}

// buckets calls each with every bucket of s that holds something, in order: with
// its blob, which is valid until the next call, and the cells that are not
// folded into it yet. Either may be missing.
func (t *Tenant) buckets(x tx, k *kind, s span, from From, each func(at bucket, blob []byte, waiting []cell) error) error {
	if from == FromClaims {
		query, args := selectClaimSQL, []any{t.id}
		if k.claims != "" {
			query, args = query+" AND "+k.claims, append(args, s.firstPart, s.lastPart)
		}
		cells, _, err := t.cellsOfClaims(x, query, args, k)
		if err != nil {
			return err
		}
		_, err = t.waitingBefore(k, cells[0], s, bucket{math.MaxInt64, 0}, each)
		return err
	}
	waiting, _, _, err := t.segments(x, k, math.MaxInt32)
	if err != nil {
		return err
	}
	err = x.query(`SELECT part, period, cells FROM rollup WHERE customer_id = $1 AND kind = $2
			AND part >= $3 AND part <= $4 AND period >= $5 AND period <= $6 ORDER BY part, period`,
		[]any{t.id, k.id, s.firstPart, s.lastPart, s.first, s.last}, func(r row) error {
			at := bucket{r.int(0), r.int(1)}
			if waiting, err = t.waitingBefore(k, waiting, s, at, each); err != nil {
				return err
			}
			var own []cell
			own, waiting = k.cutBucket(waiting, at)
			return each(at, r.bytes(2), own)
		})
	if err != nil {
		return err
	}
	_, err = t.waitingBefore(k, waiting, s, bucket{math.MaxInt64, 0}, each)
	return err
}

// waitingBefore calls each with the buckets of s before end that have only
// waiting cells, and returns the cells from end on.
func (t *Tenant) waitingBefore(k *kind, waiting []cell, s span, end bucket, each func(bucket, []byte, []cell) error) ([]cell, error) {
	for len(waiting) > 0 {
		at := k.bucket(&waiting[0].key)
		if at.compare(end) >= 0 {
			break
		}
		var own []cell
		own, waiting = k.cutBucket(waiting, at)
		if s.contains(at) {
			if err := each(at, nil, own); err != nil {
				return nil, err
			}
		}
	}
	return waiting, nil
}

// cutBucket cuts the cells of a bucket off the front of sorted cells.
func (k *kind) cutBucket(cells []cell, at bucket) (own, rest []cell) {
	n := 0
	for n < len(cells) && k.bucket(&cells[n].key) == at {
		n++
	}
	return cells[:n], cells[n:]
}

// cells calls each with the cells of the buckets of s in order; the cell is
// overwritten by the next one.
func (t *Tenant) cells(x tx, k *kind, s span, from From, each func(c *cell)) error {
	return t.buckets(x, k, s, from, func(at bucket, blob []byte, waiting []cell) error {
		if len(waiting) == 0 {
			r := k.reader(blob, &at)
			for r.next() {
				each(&r.cell)
			}
			return r.err()
		}
		cells, err := k.together(at, blob, waiting)
		for i := range cells {
			each(&cells[i])
		}
		return err
	})
}

// addUp calls each with what the buckets of s hold, in no order and a key several
// times: for sums, which need no more, it costs a fraction of cells beside a load,
// when much waits to be folded.
func (t *Tenant) addUp(x tx, k *kind, s span, each func(c *cell)) error {
	read := func(list []byte, at *bucket) error {
		r := k.reader(list, at)
		for r.next() {
			if at != nil || s.contains(k.bucket(&r.key)) {
				each(&r.cell)
			}
		}
		return r.err()
	}
	err := x.query(`SELECT part, period, cells FROM rollup WHERE customer_id = $1 AND kind = $2
			AND part >= $3 AND part <= $4 AND period >= $5 AND period <= $6`,
		[]any{t.id, k.id, s.firstPart, s.lastPart, s.first, s.last}, func(r row) error {
			return read(r.bytes(2), &bucket{r.int(0), r.int(1)})
		})
	if err != nil {
		return err
	}
	return x.query("SELECT cells FROM rollup_segment WHERE customer_id = $1 AND kind = $2", []any{t.id, k.id}, func(r row) error {
		return read(r.bytes(0), nil)
	})
}

// together returns all cells of a bucket.
func (k *kind) together(at bucket, blob []byte, waiting []cell) ([]cell, error) {
	if blob == nil {
		return waiting, nil
	}
	folded, err := k.decode(blob, &at)
	return combineTwo(folded, waiting), err
}
