package drift

import (
	"math"
	"testing"

	"upstream"
)

// simulatedARL is 300 node-months, in business days.
const simulatedARL = 300 * businessDaysPerMonth

// overAt reports whether the first group alarms with the first weeks.
func overAt(f *fees, weeks int) bool {
	s := f.evaluate(weeks, feeNodesBudget, history{}).groups[0].scan()
	return s.lnR >= math.Log(simulatedARL)
}

func TestFeeFalseAlarmsAreAsPromised(t *testing.T) {
	for _, volume := range []float64{5, 20, 60, 200} {
		alarms, months := 0, 0.0
		for seed := range uint64(60) {
			f := newFees(feeAmounts(1000+seed, 104, onePayer(volume, nil)))
			for quiet, weeks := 0, 27; weeks <= 104; weeks++ {
				months += 7 / daysPerMonth
				if quiet--; quiet <= 0 && overAt(f, weeks) {
					alarms++
					quiet = lastLag
				}
			}
		}
		rate := 100 * float64(alarms) / months
		t.Logf("%g lines a week: %d false alarms in %.0f node-months, %.2f per 100", volume, alarms, months, rate)
		if rate > .5 {
			t.Errorf("%g lines a week: %.2f false alarms per 100 node-months, at most 0.5 are promised", volume, rate)
		}
	}
}

func TestFeeCutsAreFoundWithinWeeks(t *testing.T) {
	for _, c := range []struct {
		volume, cut, share float64
		runs, least        int // of 60 streams found after so many weekly runs
	}{
		{5, .02, 1, 1, 25},
		{5, .02, 1, 2, 55},
		{5, .02, 1, 4, 60},
		{5, .10, 1, 4, 60},
		{5, .05, .3, 20, 40},
		{20, .02, 1, 1, 59},
		{20, .05, 1, 1, 59},
		{20, .05, .3, 6, 50},
		{60, .03, 1, 1, 60},
		{60, .05, .3, 3, 58},
		{200, .02, 1, 1, 60},
		{200, .05, .3, 1, 60},
	} {
		found := 0
		for seed := range uint64(60) {
			f := newFees(feeAmounts(2000+seed, 80, onePayer(c.volume, cutFrom(60, c.cut, c.share))))
			for after := range c.runs {
				if overAt(f, 61+after) {
					found++
					break
				}
			}
		}
		t.Logf("%g lines a week, %g %% off %g of them: %d of 60 found after %d runs", c.volume, 100*c.cut, c.share, found, c.runs)
		if found < c.least {
			t.Errorf("%g lines a week, %g %% off %g of them: %d of 60 found after %d runs, want %d", c.volume, 100*c.cut, c.share, found, c.runs, c.least)
		}
	}
}

func TestFeeDollarIntervalsHoldTheTruth(t *testing.T) {
	for _, c := range []struct {
		volume, cut, share float64
		least              int // of 50
	}{{5, .05, 1, 35}, {20, .02, 1, 40}, {20, .05, .3, 38}, {60, .05, 1, 43}, {200, .02, 1, 38}} {
		inside, all, ratio := 0, 0, 0.0
		for seed := range uint64(50) {
			twin := feeAmounts(4000+seed, 104, onePayer(c.volume, nil))
			truth := meanAllowed(twin) * c.cut * c.share * c.volume * daysPerMonth / 7
			f := newFees(feeAmounts(4000+seed, 80, onePayer(c.volume, cutFrom(60, c.cut, c.share))))
			for week := 60; week < 75; week++ {
				events := f.scan(sundayOf(week), history{}, .05)
				if len(events) == 0 || events[0].ChangeDate < sundayOf(55) {
					continue
				}
				all++
				ratio += float64(events[0].DollarsPerMonth) / truth
				if float64(*events[0].DollarsLow) <= truth && truth <= float64(*events[0].DollarsHigh) {
					inside++
				}
				break
			}
		}
		t.Logf("%g lines a week, %g %% off %g of them: %d of %d intervals hold the truth, mean ratio %.2f", c.volume, 100*c.cut, c.share, inside, all, ratio/float64(all))
		if inside < c.least {
			t.Errorf("%g lines a week, %g %% off %g of them: %d of %d intervals hold the truth, want %d", c.volume, 100*c.cut, c.share, inside, all, c.least)
		}
	}
}

// meanAllowed is that of all lines, in cents.
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

func TestFeeAlertsOfCustomersStayInTheBudget(t *testing.T) {
	alerts, watches, months := 0, 0, 0.0
	for seed := range uint64(4) {
		streams := payersAlike(12, 0, nil)
		for i := range streams {
			streams[i].volume = []float64{1, 4, 15, 60}[i/3%4]
		}
		f := newFees(feeAmounts(6000+seed, 104, streams...))
		var told history
		for week := 26; week < 104; week++ {
			months += 7 / daysPerMonth
			for _, e := range f.scan(sundayOf(week), history{}, feeNodesBudget) {
				if told.open(&e) {
					continue
				}
				told.known = append(told.known, e)
				if e.Tier == upstream.Alert {
					alerts++
				} else {
					watches++
				}
			}
		}
	}
	t.Logf("%d alerts and %d watches in %.0f customer-months", alerts, watches, months)
	if float64(alerts) > feeNodesBudget*months {
		t.Errorf("%d false alerts in %.0f customer-months", alerts, months)
	}
}
