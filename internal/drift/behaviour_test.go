package drift

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"upstream"
)

// replay evaluates every fifth business day from the first on and returns the
// results of each.
func replay(d *upstream.Decisions, first int) []Result {
	det := New(Data{Decisions: d}, Options{})
	var results []Result
	for end := first; end <= len(det.days); end += 5 {
		results = append(results, det.At(det.days[end-1], nil))
	}
	return results
}

// onset is an alert that the four weeks before had not.
type onset struct {
	week  int
	event upstream.DriftEvent
}

func onsets(results []Result) []onset {
	last := map[string]int{}
	var found []onset
	for week, r := range results {
		for _, e := range r.Events {
			if e.Tier != upstream.Alert {
				continue
			}
			node := name(e.Payer) + "/" + name(e.CPTGroup)
			if seen, ok := last[node]; !ok || week-seen > 4 {
				found = append(found, onset{week, e})
			}
			last[node] = week
		}
	}
	return found
}

func TestStepOfTenPointsIsFoundWithinSixWeeks(t *testing.T) {
	const streams, changed = 40, 150
	found, dated, covered, late, rightDay := 0, []float64{}, 0, 0, 0
	for seed := range uint64(streams) {
		s := simulation{seed: seed, days: changed + 30, volume: even(8, 5, 150), logit: even(8, 5, logit(.1)), icc: .01, shock: .1}
		s.change = func(p, g, day int) (float64, float64, float64) {
			if p == 2 && g == 3 && day >= changed {
				return 1, 0, .1
			}
			return 1, 0, 0
		}
		d := s.decisions()
		det := New(Data{Decisions: d}, Options{})
		for end := changed + 5; end <= changed+30; end += 5 {
			i := slices.IndexFunc(det.At(det.days[end-1], nil).Events, func(e upstream.DriftEvent) bool {
				return *e.Payer == "Payer C" && e.Level == upstream.GroupLevel && *e.CPTGroup == "Group 03" && e.Tier == upstream.Alert
			})
			if i < 0 {
				continue
			}
			e := det.At(det.days[end-1], nil).Events[i]
			found++
			dated = append(dated, math.Abs(float64(e.ChangeDate-det.days[changed])))
			if e.ChangeDateLow <= det.days[changed] && det.days[changed] <= e.ChangeDateHigh {
				covered++
			}
			if e.KnownAt < e.ChangeDate || e.KnownAt > det.days[end-1] {
				late++
			}
			if again := New(Data{Decisions: d}, Options{}).At(e.KnownAt, nil); slices.ContainsFunc(again.Events, func(a upstream.DriftEvent) bool {
				return *a.Payer == "Payer C" && a.Tier == upstream.Alert
			}) {
				rightDay++
			}
			break
		}
	}
	t.Logf("found %d of %d, median date error %.0f days, interval covers %d, a run at known_at alarms in %d",
		found, streams, median(dated), covered, rightDay)
	if found < streams-2 {
		t.Errorf("found %d of %d", found, streams)
	}
	if late > 0 {
		t.Errorf("%d events are known before they happen or after the run", late)
	}
	if median(dated) > 4 || covered < found*8/10 || rightDay < found*9/10 {
		t.Errorf("median date error %.0f days, interval covers %d, a run at known_at alarms in %d of %d", median(dated), covered, rightDay, found)
	}
}

func TestPayerWideStepIsTakenAsOnePayerEvent(t *testing.T) {
	const streams, changed = 10, 150
	right, duplicates := 0, 0
	for seed := range uint64(streams) {
		s := simulation{seed: seed, days: changed + 40, volume: even(8, 8, 100), logit: even(8, 8, logit(.1)), icc: .01, shock: .1}
		s.change = func(p, g, day int) (float64, float64, float64) {
			if p == 4 && day >= changed {
				return 1, 0, .06
			}
			return 1, 0, 0
		}
		d := s.decisions()
		r := New(Data{Decisions: d}, Options{}).At(d.To, nil)
		for _, e := range r.Events {
			switch {
			case *e.Payer != "Payer E" || e.Tier != upstream.Alert:
			case e.Level == upstream.PayerLevel:
				right++
			default:
				duplicates++
			}
		}
	}
	t.Logf("told of the payer %d times, of its groups %d times, in %d", right, duplicates, streams)
	if right < streams-1 || duplicates > 2 {
		t.Errorf("told of the payer %d times, of its groups %d times, in %d", right, duplicates, streams)
	}
}

// TestQuietYearKeepsTheBudget has no drift, but all that real customers have:
// heavy tails, clustering, common shocks, and a January.
func TestQuietYearKeepsTheBudget(t *testing.T) {
	customers := 12
	if testing.Short() {
		customers = 3
	}
	found := 0
	for seed := range uint64(customers) {
		s := practice(100+seed, 8, 35, coldStartDays+businessDaysPerYear, []float64{1500, 3000, 6000}[seed%3])
		s.change = january
		found += len(onsets(replay(s.decisions(), coldStartDays)))
	}
	monthly := float64(found) / float64(customers*12)
	t.Logf("%d alerts in %d customer-years, %.2f a customer-month", found, customers, monthly)
	if monthly > DefaultBudget {
		t.Errorf("%.2f alerts a customer-month, the budget is %.2f", monthly, DefaultBudget)
	}
}

// january is a bump in log-odds at all payers from the 195th day of a year of 260.
func january(p, g, day int) (float64, float64, float64) {
	if since := (day + 195) % 260; since < 80 {
		return 1, .35 * math.Exp(-float64(since)/22), 0
	}
	return 1, 0, 0
}

// TestJanuaryAtAllPayersDoesNotAlarm holds that the gate takes the bump out:
// nodes go over their thresholds by the dozen, and alerts stay in the budget.
func TestJanuaryAtAllPayersDoesNotAlarm(t *testing.T) {
	const customers, changed, weeks = 8, 150, 12
	over, found, market := 0, 0, 0
	for seed := range uint64(customers) {
		s := simulation{seed: seed, days: changed + 5*weeks, volume: even(8, 8, 150), logit: even(8, 8, logit(.1)), icc: .01, shock: .1}
		s.change = func(p, g, day int) (float64, float64, float64) {
			if since := day - changed; since >= 0 {
				return 1, .35 * math.Exp(-float64(since)/22), 0
			}
			return 1, 0, 0
		}
		results := replay(s.decisions(), changed)
		for _, r := range results {
			over += r.Summary.Alarms
		}
		for _, o := range onsets(results) {
			if o.event.Level == upstream.MarketLevel {
				market++
			} else {
				found++
			}
		}
	}
	t.Logf("%d times a node over its threshold, %d alerts of payers and groups, %d of the market", over, found, market)
	months := float64(customers*weeks*5) / businessDaysPerMonth
	if over < 100 || float64(found) > DefaultBudget*months || market > customers {
		t.Errorf("%d times a node over its threshold, %d alerts in %.0f customer-months, %d of the market", over, found, months, market)
	}
}

// Without other payers nothing tells a season from a change: a known limit.
func TestBumpAlarmsWhereTheGateHasTooFewPayers(t *testing.T) {
	s := simulation{seed: 1, days: 190, volume: even(2, 6, 200), logit: even(2, 6, logit(.1)), icc: .01}
	s.change = func(p, g, day int) (float64, float64, float64) {
		if day >= 150 {
			return 1, .5, 0
		}
		return 1, 0, 0
	}
	d := s.decisions()
	if r := New(Data{Decisions: d}, Options{}).At(d.To, nil); len(r.Events) == 0 {
		t.Error("no event")
	}
}

func TestMixShiftWithinAPayerDoesNotAlarmThePayer(t *testing.T) {
	const changed = 150
	rates := []float64{.04, .05, .06, .07, .08, .08, .10, .12, .15, .30}
	volumes := []float64{60, 50, 40, 40, 30, 30, 20, 20, 15, 20}
	for seed := range uint64(10) {
		s := simulation{seed: seed, days: changed + 130, volume: even(6, 10, 0), logit: even(6, 10, 0), icc: .01}
		for p := range s.volume {
			copy(s.volume[p], volumes)
			for g, rate := range rates {
				s.logit[p][g] = logit(rate)
			}
		}
		s.change = func(p, g, day int) (float64, float64, float64) {
			if p == 1 && g == 9 && day >= changed {
				return 3, 0, 0 // the procedure that is always denied most triples
			}
			return 1, 0, 0
		}
		for _, o := range onsets(replay(s.decisions(), changed)) {
			if *o.event.Payer == "Payer B" && (o.event.Level == upstream.PayerLevel || *o.event.CPTGroup == "Group 09") {
				t.Errorf("seed %d week %d: Payer B/%s alarms", seed, o.week, name(o.event.CPTGroup))
			}
		}
	}
}

func TestImprovementIsListedAndNeverPages(t *testing.T) {
	s := simulation{seed: 3, days: 190, volume: even(8, 4, 300), logit: even(8, 4, logit(.2)), icc: .01}
	s.change = func(p, g, day int) (float64, float64, float64) {
		if p == 1 && day >= 150 {
			return 1, 0, -.12
		}
		return 1, 0, 0
	}
	d := s.decisions()
	events := New(Data{Decisions: d}, Options{}).At(d.To, nil).Events
	if len(events) != 1 || name(events[0].Payer) != "Payer B" || events[0].Level != upstream.PayerLevel {
		t.Fatalf("%d events, want the improvement of Payer B alone", len(events))
	}
	if e := events[0]; e.Tier != upstream.Watch || e.Direction != upstream.Better || e.DeltaValue > -.08 || e.DollarsPerMonth >= 0 {
		t.Errorf("told as %s, %s, by %.3f and %s", e.Tier, e.Direction, e.DeltaValue, e.DollarsPerMonth)
	}
}

// A procedure billed for the first time has a rate of its own and no past.
func TestNewGroupWithItsOwnRateDoesNotAlarm(t *testing.T) {
	for seed := range uint64(5) {
		s := simulation{seed: seed, days: 260, volume: even(6, 5, 100), logit: even(6, 5, logit(.08)), icc: .01}
		s.logit[0][0] = logit(.4)
		s.change = func(p, g, day int) (float64, float64, float64) {
			if p == 0 && g == 0 && day < 180 {
				return 0, 0, 0
			}
			return 1, 0, 0
		}
		for _, o := range onsets(replay(s.decisions(), 150)) {
			if *o.event.Payer == "Payer A" && (o.event.Level == upstream.PayerLevel || *o.event.CPTGroup == "Group 00") {
				t.Errorf("seed %d week %d: Payer A/%s alarms", seed, o.week, name(o.event.CPTGroup))
			}
		}
	}
}

func TestColdStartFindsALargeStepWithinFourWeeksOfHistory(t *testing.T) {
	s := simulation{seed: 5, days: 60, volume: even(6, 4, 300), logit: even(6, 4, logit(.1)), icc: .01}
	s.change = func(p, g, day int) (float64, float64, float64) {
		if p == 3 && g == 1 && day >= 40 {
			return 1, 0, .2
		}
		return 1, 0, 0
	}
	d := s.decisions()
	det := New(Data{Decisions: d}, Options{})
	for _, end := range []int{1, firstAlarmDays - 1} {
		r := det.At(det.days[end-1], nil)
		if r.Summary.NodesConsidered != 0 {
			t.Errorf("%d nodes considered after %d days", r.Summary.NodesConsidered, end)
		}
		if want := fmt.Sprintf("takes 20 business days of decisions, and there are %d.", end); len(r.Summary.Notes) != 1 || !strings.HasSuffix(r.Summary.Notes[0], want) {
			t.Errorf("notes %q after %d days", r.Summary.Notes, end)
		}
	}
	if r := det.At(det.days[firstAlarmDays-1], nil); r.Summary.NodesConsidered == 0 {
		t.Error("no nodes considered after four weeks")
	}
	r := det.At(d.To, nil)
	if len(r.Events) == 0 || name(r.Events[0].Payer) != "Payer D" || name(r.Events[0].CPTGroup) != "Group 01" {
		t.Errorf("the step is not the first event of %d", len(r.Events))
	}
}
