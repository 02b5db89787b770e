package load

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func due(t testing.TB, text string, n int) (all []time.Duration) {
	t.Helper()
	a, err := ParseArrivals(text)
	if err != nil {
		t.Fatal(err)
	}
	s := a.Schedule(1)
	for range n {
		d, more := s.Next()
		if !more {
			break
		}
		all = append(all, d)
	}
	return all
}

func TestArrivalsAreDueWhereTheirExpectedNumberSays(t *testing.T) {
	const ms = time.Millisecond
	for text, want := range map[string][]time.Duration{
		"500":                  {0, 2 * ms, 4 * ms, 6 * ms},
		"2 for 1s":             {0, 500 * ms, 1000 * ms},
		"2 for 1s, 4":          {0, 500 * ms, 1000 * ms, 1250 * ms, 1500 * ms},
		"2 over 1s":            {1000 * ms}, // from nothing: half the final rate at the middle
		"1 for 1s, 3 over 1s":  {0, 1000 * ms, 1618034 * time.Microsecond, 2000 * ms},
		"4 for 500ms, 0 for 1": {0, 250 * ms, 500 * ms},
	} {
		got := due(t, text, len(want)+1)
		for i := range got {
			got[i] = got[i].Round(time.Microsecond)
		}
		if diff := cmp.Diff(want, got[:min(len(want), len(got))]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestASecondScheduleOfASeedIsTheSame(t *testing.T) {
	first, second := due(t, "poisson 100", 1000), due(t, "poisson 100", 1000)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Error(diff)
	}
}

// The gaps of a Poisson process are exponential: mean and standard deviation are equal.
func TestPoissonArrivalsHaveExponentialGaps(t *testing.T) {
	const n = 200_000
	all := due(t, "poisson 100", n)
	sum, squares := 0.0, 0.0
	for i := 1; i < n; i++ {
		gap := (all[i] - all[i-1]).Seconds()
		sum, squares = sum+gap, squares+gap*gap
	}
	mean := sum / (n - 1)
	deviation := math.Sqrt(squares/(n-1) - mean*mean)
	if math.Abs(mean-.01) > .0002 || math.Abs(deviation-.01) > .0002 {
		t.Errorf("mean %v, standard deviation %v, want .01", mean, deviation)
	}
}

func TestArrivalsNeverGoBackAndKeepTheirNumber(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var a Arrivals
		a.Poisson = rapid.Bool().Draw(r, "poisson")
		expected := 0.0
		last := float64(rapid.IntRange(0, 500).Draw(r, "first"))
		a.Stages = []Stage{{last, time.Second}}
		expected += last
		for range rapid.IntRange(0, 4).Draw(r, "stages") {
			rate := float64(rapid.IntRange(0, 500).Draw(r, "rate"))
			over := time.Duration(rapid.IntRange(1, 5).Draw(r, "seconds")) * time.Second
			a.Stages = append(a.Stages, Stage{rate, over})
			expected += (last + rate) / 2 * over.Seconds()
			last = rate
		}
		s, n, before := a.Schedule(7), 0, time.Duration(0)
		for {
			d, more := s.Next()
			if !more {
				break
			}
			if n++; d < before || d > a.Lasts()+time.Microsecond {
				r.Fatalf("arrival %d of %v is due at %v after %v, of %v", n, a, d, before, a.Lasts())
			}
			before = d
		}
		if off := math.Abs(float64(n) - expected); !a.Poisson && off > 1.01 || off > 1.01+7*math.Sqrt(expected) {
			r.Fatalf("%d arrivals of %v, expected %v", n, a, expected)
		}
	})
}

func TestArrivalsInWords(t *testing.T) {
	for text, want := range map[string]string{
		"500": "500", " 500.5 ": "500.5", "poisson 20": "poisson 20", "poisson:20": "poisson 20",
		"100 for 30s, 500 over 1m, 500 for 2m": "100 for 30s, 500 over 1m0s, 500 for 2m0s",
		"100 for 30, 200 for 1h20m":            "100 for 30s, 200 for 1h20m0s",
		"50 over 10s":                          "50 over 10s",
	} {
		a, err := ParseArrivals(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := a.String(); got != want {
			t.Errorf("%q says %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "x", "NaN", "Inf", "1e9", "500, 600", "500 for", "500 in 3s", "500 for 0s", "500 for -1s", "500 for 3s,", "poisson", "1 2 3 4", "500 for 3 s"} {
		if a, err := ParseArrivals(text); err == nil {
			t.Errorf("%q is taken for %v", text, a)
		}
	}
}

func FuzzArrivals(f *testing.F) {
	for _, text := range []string{"500", "poisson 3", "100 for 30s, 500 over 1m, 500 for 2m", "0 for 1s, 5", "1 over 1ns"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseArrivals(text)
		if err != nil {
			return
		}
		s, before := a.Schedule(3), time.Duration(0)
		for range 100 {
			d, more := s.Next()
			if !more {
				break
			}
			if d < before {
				t.Fatalf("%q: due at %v after %v", text, d, before)
			}
			before = d
		}
	})
}

func TestRunTimesAreLocusts(t *testing.T) {
	for text, want := range map[string]time.Duration{"20": 20 * time.Second, "20s": 20 * time.Second, "3m": 3 * time.Minute, "1h20m": 80 * time.Minute} {
		if got, err := ParseRunTime(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-3", "3x", "1 h", "s", "1e3"} {
		if d, err := ParseRunTime(text); err == nil {
			t.Errorf("%q is taken for %v", text, d)
		}
	}
}

func TestWhatIsVeryRareComesInTheFarFuture(t *testing.T) {
	for _, every := range []float64{1e9, 1e13, 1e300} {
		if d := seconds(every); d < 29*365*24*time.Hour {
			t.Errorf("%g seconds are %v", every, d)
		}
	}
}
