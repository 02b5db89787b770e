package drift

import (
	"math/rand/v2"
	"testing"

	"upstream"
)

// TestDollarIntervalCoversTheTruth draws streams until they alarm, as the
// simulation behind the design does, and asks whether the planted shift lies in
// the interval.
func TestDollarIntervalCoversTheTruth(t *testing.T) {
	streams := 150
	if testing.Short() {
		streams = 40
	}
	const changed, icc = coldStartDays + 40, .01
	for _, volume := range []float64{50, 150, 500} {
		for _, points := range []float64{.05, .10} {
			rng := rand.New(rand.NewPCG(uint64(volume), uint64(100*points)))
			covered, alarms, bias := 0, 0, 0.0
			for range streams {
				decided, denied := make([]float64, changed+160), make([]float64, changed+160)
				for i := range decided {
					rate := .1
					if i >= changed {
						rate += points
					}
					n := poisson(rng, volume/5*[...]float64{1.25, .9, 1, .95, .9}[i%5])
					decided[i], denied[i] = float64(n), float64(clustered(rng, n, rate, icc))
				}
				s := weigh(make([]tally, len(decided)+1), cumulate(decided, denied), icc, 0, len(decided))
				for end := changed + 1; end <= len(decided); end++ {
					f := frameAt(end)
					if r := shiryaevRoberts(s, f, beta{2, 18}, priorClaims); r.lnR < 8.8 {
						continue
					}
					alarms++
					got := shiftOf(s, f, +1)
					bias += got.mean - points
					if got.low <= points && points <= got.high {
						covered++
					}
					if got.low > got.mean || got.mean > got.high {
						t.Fatalf("the mean %g is not within %g to %g", got.mean, got.low, got.high)
					}
					break
				}
			}
			share := float64(covered) / float64(alarms)
			t.Logf("%3.0f claims a week, +%.0f points: %d of %d alarm, interval covers %.0f %%, bias %+.1f points", volume, 100*points, alarms, streams, 100*share, 100*bias/float64(alarms))
			if share < .80 {
				t.Errorf("%.0f claims a week, +%.0f points: the interval covers %.0f %%", volume, 100*points, 100*share)
			}
		}
	}
}

func TestWorthPricesDenials(t *testing.T) {
	mid, low, high := shift{.10, .05, .20}.worth(100, 200_00, .25)
	// ten denials a month, of $150 each that nobody wins back, and $57.23 of work
	if want := upstream.Money(10 * (150_00 + 57_23)); mid != want || low != want/2 || high != 2*want {
		t.Errorf("%s (%s–%s), want %s", mid, low, high, want)
	}
}
