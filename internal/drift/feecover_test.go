package drift

import (
	"testing"

	"upstream"
)

func TestFeeDollarCoverage(t *testing.T) {
	for _, volume := range []float64{5, 20, 60, 200} {
		for _, c := range []struct{ cut, share float64 }{{.02, 1}, {.05, 1}, {.05, .3}} {
			inside, all, ratio := 0, 0, 0.0
			for seed := range uint64(100) {
				truth := meanAllowed(feeAmounts(4000+seed, 104, onePayer(volume, nil))) * c.cut * c.share * volume * daysPerMonth / 7
				f := newFees(feeAmounts(4000+seed, 80, onePayer(volume, cutFrom(60, c.cut, c.share))))
				for week := 60; week < 75; week++ {
					if events := f.scan(sundayOf(week), history{}, .05); len(events) > 0 && events[0].ChangeDate >= sundayOf(55) {
						all++
						ratio += float64(events[0].DollarsPerMonth) / truth
						if *events[0].DollarsLow <= upstream.Money(truth) && upstream.Money(truth) <= *events[0].DollarsHigh {
							inside++
						}
						break
					}
				}
			}
			t.Logf("volume %g, %g %% of %g: %d of %d intervals hold the truth, mean ratio %.2f", volume, 100*c.cut, c.share, inside, all, ratio/float64(all))
		}
	}
}

func TestFeeCustomerAlarms(t *testing.T) {
	var alerts, watches, months float64
	for seed := range uint64(4) {
		var streams []feeStream
		for p, s := range payersAlike(12, 0, nil) {
			s.volume = []float64{1, 4, 15, 60}[p%4]
			streams = append(streams, s)
		}
		f := newFees(feeAmounts(6000+seed, 104, streams...))
		var known history
		for week := 26; week < 104; week++ {
			months += 7 / daysPerMonth
			for _, e := range f.scan(sundayOf(week), history{}, .5) {
				if known.open(&e) {
					continue
				}
				known.known = append(known.known, e)
				if e.Tier == upstream.Alert {
					alerts++
				} else {
					watches++
				}
			}
		}
	}
	t.Logf("%g alerts, %g watches in %.0f customer-months", alerts, watches, months)
}

// meanAllowed is that of all lines.
func meanAllowed(a *upstream.Amounts) float64 {
	cents, lines := 0.0, 0.0
	for _, k := range a.Keys {
		for _, at := range k.Atoms {
			cents += float64(at.Cents) * float64(at.Lines)
			lines += float64(at.Lines)
		}
	}
	return cents / lines
}
