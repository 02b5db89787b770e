package drift

import (
	"math"
	"slices"
)

// halfSampleMode is the half-sample mode of values (Bickel, Frühwirth, "On a fast,
// robust estimator of the mode", 2006): of the sorted values keep the narrowest
// half, the lowest where several are as narrow, until at most three are left. It
// finds where values pile up however many others there are elsewhere, as long as
// those don't pile up more. It is 0 of no values.
func halfSampleMode(values []float64) float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	var p pile
	for _, v := range sorted {
		p.add(v, 1)
	}
	return p.mode()
}

// pile are counted values in ascending order.
type pile []heap

type heap struct {
	value float64
	count int64
}

// add puts count more of a value on top; no value before it is larger.
func (p *pile) add(value float64, count int64) {
	if last := len(*p) - 1; last >= 0 && (*p)[last].value == value {
		(*p)[last].count += count
		return
	}
	if count > 0 {
		*p = append(*p, heap{value, count})
	}
}

func (p pile) total() (n int64) {
	for i := range p {
		n += p[i].count
	}
	return n
}

// mode is the half-sample mode of the values, each as often as it counts. The
// values are not laid out one by one: a narrowest half that is the lowest of its
// width begins with the first of equal values, so only those are tried.
func (p pile) mode() float64 {
	n := p.total()
	for n > 3 {
		half := (n + 1) / 2
		first, width := p.narrowest(n, half)
		if width == 0 {
			return p[first].value
		}
		p, n = p[first:], half
	}
	return p.modeOfFew(n)
}

// nearest is the value of the pile next to another, the lower of two; 0 of none.
func (p pile) nearest(to float64) (value float64) {
	for i := range p {
		if d := math.Abs(p[i].value - to); i == 0 || d < math.Abs(value-to) {
			value = p[i].value
		}
	}
	return value
}

// narrowest is the first heap of the narrowest half of the first n values.
func (p pile) narrowest(n, half int64) (first int, width float64) {
	last, through := 0, p[0].count // values through the heap that ends the half
	for start, before := 0, int64(0); before <= n-half; start++ {
		for through < before+half {
			last++
			through += p[last].count
		}
		if w := p[last].value - p[start].value; start == 0 || w < width {
			first, width = start, w
		}
		before += p[start].count
	}
	return first, width
}

// modeOfFew is the middle of the closest two of the first n ≤ 3 values, of
// three evenly spaced ones the middle one.
func (p pile) modeOfFew(n int64) float64 {
	var v [3]float64
	at := 0
	for i := 0; at < int(n); i++ {
		for k := int64(0); k < p[i].count && at < int(n); k++ {
			v[at] = p[i].value
			at++
		}
	}
	switch {
	case n < 2:
		return v[0]
	case n == 2 || v[1]-v[0] < v[2]-v[1]:
		return v[0] + (v[1]-v[0])/2
	case v[2]-v[1] < v[1]-v[0]:
		return v[1] + (v[2]-v[1])/2
	}
	return v[1]
}
