package drift

import (
	"math"
	"testing"
)

// simulatedARL is 300 node-months, in business days.
const simulatedARL = 300 * businessDaysPerMonth

func TestFeePowerTable(t *testing.T) {
	for _, volume := range []float64{5, 20, 60, 200} {
		alarms, months := 0, 0.0
		for seed := range uint64(60) {
			f := newFees(feeAmounts(1000+seed, 104, onePayer(volume, nil)))
			for quiet, end := 0, 26; end < 104; end++ {
				months += 7 / daysPerMonth
				if quiet--; quiet > 0 {
					continue
				}
				if s := f.evaluate(end+1, 1, history{}).groups[0].scan(); s.lnR >= math.Log(simulatedARL) {
					alarms++
					quiet = lastLag
				}
			}
		}
		t.Logf("volume %g, no cut: %d alarms in %.0f node-months, %.2f per 100", volume, alarms, months, 100*float64(alarms)/months)
		for _, c := range []struct{ cut, share float64 }{{.02, 1}, {.03, 1}, {.05, 1}, {.10, 1}, {.05, .3}} {
			var found [20]int
			for seed := range uint64(60) {
				f := newFees(feeAmounts(2000+seed, 80, onePayer(volume, cutFrom(60, c.cut, c.share))))
				for after := range found {
					if s := f.evaluate(61+after, 1, history{}).groups[0].scan(); s.lnR >= math.Log(simulatedARL) {
						found[after]++
						break
					}
				}
			}
			for i := 1; i < len(found); i++ {
				found[i] += found[i-1]
			}
			t.Logf("volume %g, %g %% cut of %g of the lines: found after 1, 2, … runs of 60: %v", volume, 100*c.cut, c.share, found)
		}
	}
}
