package synth

import (
	"math"
	"testing"
	"testing/quick"
)

func TestStreamIsSplitMix64(t *testing.T) {
	var s stream // outputs of the reference implementation for seed 0
	for k, want := range []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f} {
		if got := s.next(); got != want {
			t.Errorf("output %d is %x, want %x", k, got, want)
		}
	}
}

func TestMixIsABijection(t *testing.T) {
	// Undo each step of mix: the inverse exists, so no two ids meet.
	inverse := func(z uint64) uint64 {
		z ^= z>>31 ^ z>>62
		z *= 0x319642b2d24d8ec3
		z ^= z>>27 ^ z>>54
		z *= 0x96de1b173f119089
		return z ^ z>>30 ^ z>>60
	}
	if err := quick.Check(func(z uint64) bool { return inverse(mix(z)) == z }, nil); err != nil {
		t.Error(err)
	}
}

func TestStreamsOfOtherPurposesDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(100) {
		for _, purpose := range []string{"claims", "payer mix", ""} {
			s := newStream(seed, purpose)
			z := s.next()
			if seen[z] {
				t.Fatalf("seed %d, %q repeats another stream", seed, purpose)
			}
			seen[z] = true
		}
	}
}

func TestDrawsHaveTheirMoments(t *testing.T) {
	const n = 200_000
	for _, tc := range []struct {
		name           string
		draw           func(*stream) float64
		mean, variance float64
	}{
		{"uniform", (*stream).uniform, .5, 1. / 12},
		{"normal", (*stream).normal, 0, 1},
		{"gamma 0.4", func(s *stream) float64 { return s.gamma(.4) }, .4, .4},
		{"gamma 1", func(s *stream) float64 { return s.gamma(1) }, 1, 1},
		{"gamma 9", func(s *stream) float64 { return s.gamma(9) }, 9, 9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStream(1, tc.name)
			var sum, squares float64
			for range n {
				x := tc.draw(&s)
				sum += x
				squares += x * x
			}
			mean := sum / n
			variance := squares/n - mean*mean
			if math.Abs(mean-tc.mean) > 4*math.Sqrt(tc.variance/n) {
				t.Errorf("mean %.4f, want %.4f", mean, tc.mean)
			}
			if math.Abs(variance-tc.variance) > .05*tc.variance {
				t.Errorf("variance %.4f, want %.4f", variance, tc.variance)
			}
		})
	}
}

func TestChooserKeepsItsWeights(t *testing.T) {
	for _, weights := range [][]float64{
		{1}, {1, 1}, {0, 1}, {3, 1}, {16, 20, 11, 8, 9, .01}, {1e-6, 1}, {5, 0, 0, 5},
	} {
		c := newChooser(indexed(weights))
		total := 0.0
		for _, w := range weights {
			total += w
		}
		// A grid over all 32-bit numbers sees each value as often as its weight says.
		const step = 1 << 11
		counts := make([]float64, len(weights))
		for u := uint64(step / 2); u < 1<<32; u += step {
			counts[c.pick(uint32(u))]++
		}
		for k, w := range weights {
			if got := counts[k] * step / (1 << 32); math.Abs(got-w/total) > 1e-5 {
				t.Errorf("weights %v: value %d has share %.6f, want %.6f", weights, k, got, w/total)
			}
		}
		c.pick(math.MaxUint32) // stays in the table
	}
}

func TestNormalQuantile(t *testing.T) {
	for p, want := range map[float64]float64{.5: 0, .975: 1.959963984540054, .25: -.6744897501960817} {
		if got := normalQuantile(p); math.Abs(got-want) > 1e-12 {
			t.Errorf("quantile of %g is %.15g, want %.15g", p, got, want)
		}
	}
}

func TestChanceIsLogistic(t *testing.T) {
	for _, x := range []float64{-7.9, -2.5, 0, 1.25, 7.9} {
		got := float64(chance(toLogit(x))) / scale
		if want := logistic(float64(toLogit(x)) / logitUnit); math.Abs(got-want) > 1e-9 {
			t.Errorf("chance of %g is %.10f, want %.10f", x, got, want)
		}
	}
	if low, high := chance(-1<<30), chance(1<<30); low != chance(-logitLimit*logitUnit) || high <= scale*999/1000 {
		t.Errorf("past its ends the table gives %d and %d", low, high)
	}
}
