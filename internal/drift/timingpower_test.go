package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"upstream"
)

// budget300 is one false alarm in 300 node-months for one payer.
const budget300 = 1. / 300

// delays until the first alert after a change on day 350, each stream of one payer.
func delays(seed uint64, streams int, weekly, factor float64, days int, budget float64) (found []int) {
	for i := range streams {
		sim := waitSim{seed: seed + uint64(i), days: 350 + days, payers: []waitPayer{{weekly: weekly, change: 350, factor: factor}}}
		if d, _ := firstAlert(newTiming(sim.waits(), upstream.DecisionClock), 350, 350+days, budget); d >= 0 {
			found = append(found, d)
		}
	}
	slices.Sort(found)
	return found
}

func TestSlowDownsAreFoundInTime(t *testing.T) {
	for _, c := range []struct {
		weekly, factor float64
		median, all    int // days
	}{
		{30, 1.25, 35, 100},
		{30, 2, 15, 25},
		{300, 1.25, 15, 22},
		{300, 2, 7, 7},
	} {
		found := delays(7700, 40, c.weekly, c.factor, c.all+1, budget300)
		if len(found) < 40 || found[20] > c.median {
			t.Errorf("×%g at %g a week: %d of 40 found within %d days: %v; want all, half of them within %d", c.factor, c.weekly, len(found), c.all, found, c.median)
		}
	}
}

func TestNoAlarmInHalfAYearWithoutChange(t *testing.T) {
	for _, weekly := range []float64{30, 300} {
		if found := delays(8800, 40, weekly, 1, 182, budget300); len(found) > 0 {
			t.Errorf("%g a week: %d of 40 streams alarm without a change, after %v days", weekly, len(found), found)
		}
	}
}

// TestTimingRarelyAlarmsWithoutChange runs payers of every kind and volume for two
// years. An ARL of 300 node-months allows .33 false alerts in 100.
func TestTimingRarelyAlarmsWithoutChange(t *testing.T) {
	const streams, allowed = 4, 1.
	kinds := []struct {
		name  string
		clock upstream.Clock
		waits func(seed uint64, weekly float64) *upstream.Waits
	}{
		{"two remittance days", upstream.DecisionClock, soloNull(waitPayer{})},
		{"any business day", upstream.DecisionClock, soloNull(waitPayer{remits: weekdays, median: 9})},
		{"decided claims only", upstream.DecisionClock, soloNull(waitPayer{blind: true})},
		{"overturns", upstream.OverturnClock, func(seed uint64, weekly float64) *upstream.Waits {
			return rareNull(seed, upstream.OverturnClock, weekly)
		}},
		{"takebacks", upstream.TakebackClock, func(seed uint64, weekly float64) *upstream.Waits {
			return rareNull(seed, upstream.TakebackClock, weekly)
		}},
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var all alarms
			for _, weekly := range []float64{5, 15, 50, 150, 500} {
				a := falseAlarms(streams, k.clock, func(seed uint64) *upstream.Waits { return k.waits(30_000+seed, weekly) })
				t.Logf("%3.0f claims a week: %s", weekly, a)
				all.alerts, all.months = all.alerts+a.alerts, all.months+a.months
			}
			if rate := 100 * float64(all.alerts) / all.months; rate > allowed {
				t.Errorf("%d false alerts in %.0f node-months, %.2f per 100; want at most %g", all.alerts, all.months, rate, allowed)
			}
		})
	}
}

func soloNull(p waitPayer) func(seed uint64, weekly float64) *upstream.Waits {
	return func(seed uint64, weekly float64) *upstream.Waits {
		p.weekly = weekly
		sim := waitSim{seed: seed, days: 760, payers: []waitPayer{p}}
		return sim.waits()
	}
}

// rareNull are three payers of one volume and shares of their own: a tenth of the
// claims is denied, 10 to 50 % of that overturned, and 0.3 to 3 % taken back.
func rareNull(seed uint64, clock upstream.Clock, weekly float64) *upstream.Waits {
	sim := waitSim{seed: seed, days: 760, payers: []waitPayer{{weekly: weekly}, {weekly: weekly}, {weekly: weekly}}}
	if clock == upstream.OverturnClock {
		for i := range sim.payers {
			sim.payers[i].weekly /= 10
		}
	}
	w := sim.waits()
	for i := range sim.payers {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		share := .003 * math.Pow(10, rng.Float64())
		median := 90.
		if clock == upstream.OverturnClock {
			share, median = .1+.4*rng.Float64(), 45
		}
		w.Payers = append(w.Payers, rareWaits(rng, &w.Payers[i], clock, sim.days, func(int) float64 { return share }, func() int {
			lag := int(median * math.Exp(.6*rng.NormFloat64()))
			if clock == upstream.TakebackClock {
				lag += upstream.RestoreDays
			}
			return lag
		}))
	}
	return w
}

// alarms are those of null streams.
type alarms struct {
	alerts, watches int
	months          float64
}

func (a alarms) String() string {
	return fmt.Sprintf("%.2f false alerts and %.2f watches per 100 node-months (%d and %d in %.0f)",
		100*float64(a.alerts)/a.months, 100*float64(a.watches)/a.months, a.alerts, a.watches, a.months)
}

// falseAlarms runs null streams from their first day on, at an ARL of 300
// node-months. An alarm silences its node for 60 days.
func falseAlarms(streams int, clock upstream.Clock, make func(seed uint64) *upstream.Waits) (a alarms) {
	for i := range streams {
		s := newTiming(make(uint64(i)), clock)
		quiet := map[string]upstream.Day{}
		for _, day := range s.cal.days {
			for _, e := range s.scan(day, history{}, budget300*float64(len(s.payers))) {
				node := name(e.Payer) + string(e.Tier)
				if day < quiet[node] {
					continue
				}
				quiet[node] = day + 60
				if e.Tier == upstream.Alert {
					a.alerts++
				} else {
					a.watches++
				}
			}
		}
		a.months += float64(len(s.payers)*(len(s.cal.days)-firstAlarmDays)) / businessDaysPerMonth
	}
	return a
}
