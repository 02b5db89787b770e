package drift

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// laidOut is the half-sample mode as its definition reads.
func laidOut(values []float64) float64 {
	x := slices.Sorted(slices.Values(values))
	for len(x) > 3 {
		half := (len(x) + 1) / 2
		at := 0
		for i := range len(x) - half + 1 {
			if x[i+half-1]-x[i] < x[at+half-1]-x[at] {
				at = i
			}
		}
		x = x[at : at+half]
	}
	switch {
	case len(x) == 0:
		return 0
	case len(x) == 1:
		return x[0]
	case len(x) == 2 || x[1]-x[0] < x[2]-x[1]:
		return (x[0] + x[1]) / 2
	case x[2]-x[1] < x[1]-x[0]:
		return (x[1] + x[2]) / 2
	}
	return x[1]
}

func TestCountedValuesHaveTheModeOfTheValuesLaidOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p pile
		var values []float64
		value := 0.0
		for range rapid.IntRange(0, 12).Draw(t, "heaps") {
			value += float64(rapid.IntRange(1, 9).Draw(t, "gap"))
			count := rapid.IntRange(1, 12).Draw(t, "count")
			p.add(value, int64(count))
			values = append(values, slices.Repeat([]float64{value}, count)...)
		}
		want := laidOut(values)
		if got := p.mode(); got != want {
			t.Fatalf("%v has mode %g, laid out %g", p, got, want)
		}
		if got := halfSampleMode(values); got != want {
			t.Fatalf("%v has mode %g, want %g", values, got, want)
		}
	})
}

func TestModeFindsThePile(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"nothing", nil, 0},
		{"one", []float64{7}, 7},
		{"two", []float64{7, 9}, 8},
		{"three, the lower two closer", []float64{7, 9, 20}, 8},
		{"three, the upper two closer", []float64{7, 17, 19}, 18},
		{"three, evenly spaced", []float64{7, 8, 9}, 8},
		{"a pile below many scattered ones", []float64{50, 50, 50, 50, 60, 71, 83, 94}, 50},
		{"the lower of two piles alike", []float64{50, 50, 60, 60}, 50},
	} {
		if got := halfSampleMode(c.values); got != c.want {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
}

func TestModeOfHugeCountsIsNotLaidOut(t *testing.T) {
	p := pile{{98, 1 << 40}, {99, 1}, {100, 1 << 41}}
	if got := p.mode(); got != 100 {
		t.Errorf("mode is %g", got)
	}
	if math.IsNaN((pile{}).mode()) {
		t.Error("no values have no number")
	}
}
