package drift

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"upstream"
)

// slowing simulates a payer's claims as the design does: submissions from Monday
// to Friday, lognormal lags, two remittance days a week. From a day on everything
// undecided takes factor times as long as it still would have.
type slowing struct {
	perWeek, median float64
	from            int // day; 0: never
	factor          float64
}

const slowDays = 560

var slowStart = upstream.MakeDay(2023, 3, 6) // a Monday

// waitsOf draws the waits of payers on the decision clock.
func waitsOf(seed uint64, payers ...slowing) *upstream.Waits {
	rng := rand.New(rand.NewPCG(seed, 9))
	w := &upstream.Waits{From: slowStart, To: slowStart + slowDays - 1}
	for i, p := range payers {
		o := upstream.PayerWaits{Payer: string(rune('A' + i)), Clock: upstream.DecisionClock, Undecided: true, Started: make([]int32, slowDays)}
		ends := map[[2]int32]int32{}
		for day := range slowDays {
			if day%7 >= 5 {
				continue
			}
			n := poisson(rng, p.perWeek/5)
			o.Started[day] = n
			for range n {
				lag := max(p.median*math.Exp(.45*rng.NormFloat64()), 2)
				end := float64(day) + lag
				if p.from > 0 && end >= float64(p.from) {
					from := max(float64(day), float64(p.from))
					end = from + (end-from)*p.factor
				}
				d := int32(math.Ceil(end))
				for d%7 != 1 && d%7 != 4 {
					d++
				}
				if d < slowDays {
					ends[[2]int32{int32(day), d - int32(day)}]++
				}
			}
		}
		for day := range int32(slowDays) {
			for lag := int32(0); lag < slowDays; lag++ {
				if n := ends[[2]int32{day, lag}]; n > 0 {
					o.Ended = append(o.Ended, upstream.Wait{Start: day, Lag: lag, Count: n})
				}
			}
		}
		w.Payers = append(w.Payers, o)
	}
	return w
}

// alone scans a single payer with the budget that gives it an average run length
// of 300 node-months.
const aloneBudget = 1. / 300

// firstSlow is how many days after from the first alert came, scanning every
// business day; -1 without one. early counts alerts before.
func firstSlow(w *upstream.Waits, scanFrom, from int) (delay, early int) {
	t := newTiming(w, &laws[0])
	quiet := 0
	for day := scanFrom; day < slowDays; day++ {
		asOf := w.From + upstream.Day(day)
		if !asOf.IsBusiness() || day < quiet {
			continue
		}
		for _, e := range t.scan(asOf, history{}, aloneBudget) {
			if e.Tier != upstream.Alert {
				continue
			}
			if from > 0 && day >= from {
				return day - from + 1, early
			}
			early++
			quiet = day + 28
		}
	}
	return -1, early
}

func TestSlowDownIsFoundInTime(t *testing.T) {
	streams := 40
	if testing.Short() {
		streams = 8
	}
	const changed = 350
	for _, c := range []struct {
		perWeek, factor float64
		within          int
		least           float64 // share found by then
		all             int
	}{{30, 1.25, 35, .35, 120}, {30, 1.5, 28, .85, 40}, {300, 2, 7, .9, 12}} {
		found, inTime, late := 0, 0, 0
		for seed := range uint64(streams) {
			delay, _ := firstSlow(waitsOf(seed, slowing{c.perWeek, 18, changed, c.factor}), changed, changed)
			if delay > 0 {
				found++
				late = max(late, delay)
			}
			if delay > 0 && delay <= c.within {
				inTime++
			}
		}
		t.Logf("×%g at %g a week: found %d, within %d days %d of %d, latest %d days", c.factor, c.perWeek, found, c.within, inTime, streams, late)
		if found < streams || late > c.all || float64(inTime) < c.least*float64(streams) {
			t.Errorf("×%g at %g a week: found %d of %d, the latest after %d days", c.factor, c.perWeek, found, streams, late)
		}
	}
}

func TestSteadyPaceDoesNotAlarm(t *testing.T) {
	streams := 40
	if testing.Short() {
		streams = 8
	}
	alarms := 0
	for seed := range uint64(streams) {
		_, early := firstSlow(waitsOf(100+seed, slowing{30, 18, 0, 1}), 308, 0)
		alarms += early
		_, early = firstSlow(waitsOf(200+seed, slowing{300, 18, 0, 1}), 308, 0)
		alarms += early
	}
	t.Logf("%d false alarms in %d streams of 36 weeks", alarms, 2*streams)
	if alarms > 2 {
		t.Errorf("%d false alarms in %d streams", alarms, 2*streams)
	}
}

// TestFalseSlowDownsByVolume prints false alarms per 100 node-months, at an average
// run length of 300.
func TestFalseSlowDownsByVolume(t *testing.T) {
	streams := 30
	if testing.Short() {
		streams = 4
	}
	for _, perWeek := range []float64{5, 15, 50, 150, 500} {
		alarms := 0
		for seed := range uint64(streams) {
			_, early := firstSlow(waitsOf(1000+seed, slowing{perWeek, 14, 0, 1}), 60, 0)
			alarms += early
		}
		months := float64(streams) * (slowDays - 60) / calendarDaysPerMonth
		t.Logf("%3.0f a week: %d alarms, %.2f per 100 node-months", perWeek, alarms, 100*float64(alarms)/months)
		if float64(alarms) > .02*months+2 {
			t.Errorf("%g a week: %d alarms in %.0f node-months", perWeek, alarms, months)
		}
	}
}

func TestSlowDownTellsDaysAndClaims(t *testing.T) {
	const changed = 350
	w := waitsOf(3, slowing{300, 18, changed, 1.5}, slowing{300, 10, 0, 1}, slowing{200, 7, 0, 1}, slowing{300, 14, 0, 1}, slowing{100, 14, 0, 1})
	d := newTiming(w, &laws[0])
	asOf := w.From + changed + 24
	events := d.scan(asOf, history{}, .05)
	if len(events) != 1 {
		t.Fatalf("%d events, want the slow-down alone", len(events))
	}
	e := events[0]
	if name(e.Payer) != "A" || e.Clock != upstream.DecisionClock || e.Level != upstream.PayerLevel || e.Tier != upstream.Alert {
		t.Errorf("told as %+v", e)
	}
	if e.BaselineValue < 16 || e.BaselineValue > 22 || e.CurrentValue < 23 || e.CurrentValue > 34 {
		t.Errorf("%.1f → %.1f days, want about 19 → 28", e.BaselineValue, e.CurrentValue)
	}
	if off := e.ChangeDate - (w.From + changed); off < -7 || off > 7 || e.KnownAt < e.ChangeDate || e.KnownAt > asOf {
		t.Errorf("changed %d days off, known %s", off, e.KnownAt)
	}
	if e.EvidenceClaims <= 0 || e.BaselineLast >= e.CurrentFirst {
		t.Errorf("%d claims, baseline to %s, current from %s", e.EvidenceClaims, e.BaselineLast, e.CurrentFirst)
	}
	// It lives on, and ends when the payer is quick again.
	for days := range 8 {
		if got := d.track(&e, asOf+upstream.Day(7*days)); got != present {
			t.Errorf("%d weeks later it is %d", days, got)
		}
	}
}

func TestAllPayersSlowAtOnceIsNoStoryOfOne(t *testing.T) {
	const changed = 350
	alarms := 0
	for seed := range uint64(6) {
		var payers []slowing
		for range 8 {
			payers = append(payers, slowing{200, 14, changed, 1.4})
		}
		d := newTiming(waitsOf(40+seed, payers...), &laws[0])
		for day := changed; day < changed+40; day += 7 {
			alarms += len(d.scan(slowStart+upstream.Day(day), history{}, .04))
		}
	}
	if alarms > 4 { // of 240 evaluations of 8 payers
		t.Errorf("%d alarms", alarms)
	}
}

func TestMissingFilesAreNoSlowDown(t *testing.T) {
	w := waitsOf(5, slowing{200, 14, 0, 1}, slowing{100, 10, 0, 1})
	const last = 400
	for i := range w.Payers {
		var kept []upstream.Wait
		for _, e := range w.Payers[i].Ended {
			if e.Start+e.Lag < last {
				kept = append(kept, e)
			}
		}
		w.Payers[i].Ended = kept
	}
	d := newTiming(w, &laws[0])
	asOf := w.From + last + 20
	if events := d.scan(asOf, history{}, .04); len(events) != 0 {
		t.Errorf("%d events", len(events))
	}
	if notes := d.notes(asOf); len(notes) != 1 {
		t.Errorf("notes %q", notes)
	}
}

func TestDecidedOnlyDataFallBackOnLags(t *testing.T) {
	const changed = 350
	w := waitsOf(6, slowing{300, 12, changed, 1.6}, slowing{300, 12, 0, 1})
	for i := range w.Payers {
		p := &w.Payers[i]
		p.Undecided = false
		clear(p.Started)
		for _, e := range p.Ended {
			p.Started[e.Start] += e.Count
		}
	}
	d := newTiming(w, &laws[0])
	if notes := d.notes(w.To); len(notes) != 1 {
		t.Errorf("notes %q", notes)
	}
	events := d.scan(w.From+changed+45, history{}, .04)
	if len(events) != 1 || name(events[0].Payer) != "A" || events[0].CurrentValue < events[0].BaselineValue+3 {
		t.Fatalf("%+v", events)
	}
	if got := d.track(&events[0], w.From+changed+60); got != present {
		t.Errorf("it stands as %d", got)
	}
}

func TestTimingKnowsNoFuture(t *testing.T) {
	w := waitsOf(8, slowing{200, 14, 330, 1.5}, slowing{100, 10, 0, 1})
	for _, last := range []int{100, 345, 360, 400} {
		asOf := w.From + upstream.Day(last)
		cut := &upstream.Waits{From: w.From, To: asOf}
		for _, p := range w.Payers {
			c := upstream.PayerWaits{Payer: p.Payer, Clock: p.Clock, Undecided: true, Started: p.Started[:last+1]}
			for _, e := range p.Ended {
				if int(e.Start+e.Lag) <= last {
					c.Ended = append(c.Ended, e)
				}
			}
			cut.Payers = append(cut.Payers, c)
		}
		for k := range laws[:1] {
			full, known := newTiming(w, &laws[k]), newTiming(cut, &laws[k])
			if diff := cmp.Diff(known.scan(asOf, history{}, .1), full.scan(asOf, history{}, .1)); diff != "" {
				t.Errorf("day %d: the future shows:\n%s", last, diff)
			}
			if diff := cmp.Diff(promptPay(cut, asOf, 30), promptPay(w, asOf, 30)); diff != "" {
				t.Errorf("day %d: the future shows in prompt pay:\n%s", last, diff)
			}
		}
	}
}

func TestTimingSurvivesOddData(t *testing.T) {
	odd := &upstream.Waits{From: slowStart, To: slowStart + 199}
	for i, p := range []upstream.PayerWaits{
		{Started: make([]int32, 200)},                                                        // nothing
		{Started: make([]int32, 200), Undecided: true},                                       // all pending, below
		{Started: make([]int32, 200), Ended: []upstream.Wait{{Start: 5, Lag: -9, Count: 3}}}, // decided before it was submitted
		{Started: make([]int32, 200), Ended: []upstream.Wait{{Start: 100, Lag: 5000, Count: 3}}},
		{Started: make([]int32, 200), Undecided: true},
	} {
		p.Payer, p.Clock = string(rune('A'+i)), upstream.DecisionClock
		odd.Payers = append(odd.Payers, p)
	}
	for day := range 200 {
		odd.Payers[1].Started[day] = 5
	}
	odd.Payers[4].Started[150] = 1_000_000 // on one day
	odd.Payers[4].Ended = []upstream.Wait{{Start: 150, Lag: 10, Count: 900_000}}
	for k := range laws {
		for i := range odd.Payers {
			odd.Payers[i].Clock = laws[k].clock
		}
		d := newTiming(odd, &laws[k])
		for day := upstream.Day(-3); day < 240; day += 9 {
			for _, e := range d.scan(odd.From+day, history{}, 5) {
				if math.IsNaN(e.BaselineValue+e.CurrentValue+e.LnEvidence+e.Confidence) || e.CurrentLast > odd.From+day {
					t.Errorf("%s day %d: %+v", laws[k].clock, day, e)
				}
				d.track(&e, odd.From+day+20)
			}
			d.notes(odd.From + day)
			promptPay(odd, odd.From+day, 30)
		}
	}
	newTiming(&upstream.Waits{}, &laws[0]).scan(slowStart, history{}, 1)
}

func TestPromptPayCountsBreaches(t *testing.T) {
	w := &upstream.Waits{From: slowStart, To: slowStart + 99, Payers: []upstream.PayerWaits{{Payer: "A", Clock: upstream.DecisionClock, Undecided: true, Started: make([]int32, 100)}}}
	p := &w.Payers[0]
	p.Started[20], p.Started[50], p.Started[90] = 10, 10, 10
	p.Ended = []upstream.Wait{{Start: 20, Lag: 30, Count: 4}, {Start: 20, Lag: 31, Count: 5}, {Start: 50, Lag: 20, Count: 8}}
	want := []upstream.PromptPay{{Payer: "A", LimitDays: 30, FirstDay: slowStart + 10, LastDay: slowStart + 99, Decided: 17, Late: 5, Overdue: 3}}
	if diff := cmp.Diff(want, promptPay(w, w.To, 30)); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkTiming10Payers(b *testing.B) {
	var payers []slowing
	for range 10 {
		payers = append(payers, slowing{300, 14, 0, 1})
	}
	w := waitsOf(1, payers...)
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			newTiming(w, &laws[0])
		}
	})
	t := newTiming(w, &laws[0])
	b.Run("scan", func(b *testing.B) {
		for b.Loop() {
			t.scan(w.To, history{}, .04)
		}
	})
}
