package drift

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestElementaryFunctionsAgreeWithPackageMath(t *testing.T) {
	lnGammaMath := func(x float64) float64 { v, _ := math.Lgamma(x); return v }
	for _, f := range []struct {
		name      string
		low, high float64 // log10 of the arguments; exp takes minus them as well
		ours      func(float64) float64
		maths     func(float64) float64
		within    float64
	}{
		{"ln", -300, 300, ln, math.Log, 2e-15},
		{"ln near 1", -.01, .01, ln, math.Log, 1e-15},
		{"exp", -9, 2.8, exp, math.Exp, 1e-15},
		{"exp of negatives", -9, 2.8, func(x float64) float64 { return exp(-x) }, func(x float64) float64 { return math.Exp(-x) }, 1e-15},
		{"lnGamma", -8, 12, lnGamma, lnGammaMath, 1e-13},
		{"lnGamma of small counts", 0, 2, lnGamma, lnGammaMath, 1e-13},
	} {
		t.Run(f.name, rapid.MakeCheck(func(t *rapid.T) {
			x := math.Pow(10, rapid.Float64Range(f.low, f.high).Draw(t, "log10 x"))
			got, want := f.ours(x), f.maths(x)
			if math.Abs(got-want) > f.within*max(1, math.Abs(want)) && math.Abs(got-want) > f.within*math.Abs(want) {
				t.Errorf("at %g: %.17g, math has %.17g", x, got, want)
			}
		}))
	}
}

func TestElementaryFunctionsAtTheirCorners(t *testing.T) {
	if got := exp(0); got != 1 {
		t.Errorf("exp(0) = %.17g", got)
	}
	if got := ln(1); math.Abs(got) > 1e-16 {
		t.Errorf("ln(1) = %g", got)
	}
	if got, want := exp(-negligible), math.Exp(-negligible); math.Abs(got/want-1) > 1e-15 {
		t.Errorf("exp(%d) = %g", -negligible, got)
	}
	for n, factorial := 1.0, 1.0; n < 20; n++ {
		if got, want := lnGamma(n), math.Log(factorial); math.Abs(got-want) > 1e-13*max(1, want) {
			t.Errorf("lnGamma(%g) = %.17g, want %.17g", n, got, want)
		}
		factorial *= n
	}
}

func TestLnBetaIsSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Float64Range(1e-6, 1e6).Draw(t, "a"), rapid.Float64Range(1e-6, 1e6).Draw(t, "b")
		if x, y := lnBeta(a, b), lnBeta(b, a); math.Abs(x-y) > 1e-9 {
			t.Errorf("%g and %g", x, y)
		}
	})
}

func BenchmarkLnGamma(b *testing.B) {
	sum := 0.0
	for i := 0; b.Loop(); i++ {
		sum += lnGamma(float64(i%200) + .3)
	}
	sink = sum
}

func BenchmarkLnGammaOfPackageMath(b *testing.B) {
	sum := 0.0
	for i := 0; b.Loop(); i++ {
		v, _ := math.Lgamma(float64(i%200) + .3)
		sum += v
	}
	sink = sum
}

var sink float64 // keeps the compiler from dropping what is measured
