package synth

import (
	"hash/fnv"
	"math"
)

// stream is SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a counter and a
// bijective mix. It is written out here because math/rand may change between Go
// versions, and the same seed must give the same claims for ever.
type stream uint64

const golden = 0x9e3779b97f4a7c15

// mix is the finaliser of SplitMix64, a bijection of 64 bits.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (s *stream) next() uint64 {
	*s += golden
	return mix(uint64(*s))
}

// pair splits one draw into two of 32 bits.
func (s *stream) pair() (uint32, uint32) {
	z := s.next()
	return uint32(z >> 32), uint32(z)
}

// newStream returns a stream of its own for one purpose, so that a table can
// grow without moving the draws of another.
func newStream(seed uint64, purpose string) stream {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return stream(mix(mix(seed+golden) ^ h.Sum64()))
}

// uniform returns a number in the open interval (0, 1).
func (s *stream) uniform() float64 {
	return (float64(s.next()>>11) + 0.5) / (1 << 53)
}

func (s *stream) normal() float64 { return normalQuantile(s.uniform()) }

func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

// gamma draws from Gamma(shape, 1) by Marsaglia and Tsang (2000).
func (s *stream) gamma(shape float64) float64 {
	if shape < 1 {
		return s.gamma(shape+1) * math.Pow(s.uniform(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := s.normal()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(s.uniform()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// choice is a value with its weight; weights need not sum to one.
type choice[T any] struct {
	weight float64
	value  T
}

// chooser draws a value by its weight with one 32-bit number, in constant time
// (Walker's alias method, Vose 1991). Its cuts are integers, so that a draw
// involves no floating point.
type chooser[T any] struct{ cells []cell[T] }

type cell[T any] struct {
	cut            uint32 // below it value, else other
	value, another T
}

func newChooser[T any](choices []choice[T]) chooser[T] {
	n := len(choices)
	total := 0.0
	for _, c := range choices {
		total += c.weight
	}
	height := make([]float64, n) // 1 is an even share
	var small, large []int
	for i, c := range choices {
		height[i] = c.weight / total * float64(n)
		if height[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	cells := make([]cell[T], n)
	for i, c := range choices {
		cells[i] = cell[T]{value: c.value, another: c.value}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		cells[s].cut = uint32(math.Round(height[s] * (1<<32 - 1)))
		cells[s].another = choices[l].value
		height[l] -= 1 - height[s]
		if height[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	return chooser[T]{cells}
}

func (c *chooser[T]) pick(u uint32) T {
	p := uint64(u) * uint64(len(c.cells))
	k := &c.cells[p>>32]
	if uint32(p) < k.cut {
		return k.value
	}
	return k.another
}
