package bench

import (
	"math"
	"testing"

	"upstream"
	"upstream/internal/drift"
	"upstream/internal/synth"
)

var noon = monitored + 100 // some monitored day

func change(mutate ...func(*Truth)) Truth {
	t := Truth{
		Customer: 1, Placebo: 2, Scenario: "D1 step +10", Level: upstream.GroupLevel, Effect: .1, Dollars: 1000_00,
		Drift: synth.Drift{Signal: upstream.DenialRate, Payer: "Aetna", CPTGroup: new("X-ray"), Shape: synth.Step, Start: noon, Delta: .1},
	}
	for _, m := range mutate {
		m(&t)
	}
	return t
}

func alarm(day upstream.Day, mutate ...func(*Told)) Told {
	a := Told{Customer: 1, Detector: ours, AsOf: day, DriftEvent: upstream.DriftEvent{
		Signal: upstream.DenialRate, Payer: new("Aetna"), CPTGroup: new("X-ray"), Level: upstream.GroupLevel, Tier: upstream.Alert, Direction: upstream.Worse,
	}}
	for _, m := range mutate {
		m(&a)
	}
	return a
}

func TestAnAlarmMatchesTheSameSignalAnOverlappingScopeAndInTime(t *testing.T) {
	payerWide := func(a *Told) { a.CPTGroup, a.Level = nil, upstream.PayerLevel }
	market := func(a *Told) { a.Payer, a.CPTGroup, a.Level = nil, nil, upstream.MarketLevel }
	otherGroup := func(a *Told) { a.CPTGroup = new("Lab panels") }
	otherPayer := func(a *Told) { a.Payer = new("Cigna") }
	better := func(a *Told) { a.Direction = upstream.Better }
	watch := func(a *Told) { a.Tier = upstream.Watch }
	fees := func(a *Told) { a.Signal = upstream.AllowedAmount }
	spike := func(t *Truth) { t.Shape, t.End = synth.Spike, noon+27 }
	whole := func(t *Truth) { t.CPTGroup = nil }
	all := func(t *Truth) { t.Payer, t.CPTGroup = synth.EveryPayer, nil }
	falls := func(t *Truth) { t.Delta = -.06 }

	tests := []struct {
		name  string
		truth Truth
		alarm Told
		want  bool
	}{
		{"on the first day", change(), alarm(noon), true},
		{"the day before", change(), alarm(noon - 1), false},
		{"on the last day of all", change(), alarm(lastDay), true},
		{"28 days after its end", change(spike), alarm(noon + 27 + 28), true},
		{"29 days after its end", change(spike), alarm(noon + 27 + 29), false},
		{"another signal", change(), alarm(noon, fees), false},
		{"a watch", change(), alarm(noon, watch), false},
		{"the whole payer", change(), alarm(noon, payerWide), true},
		{"all payers", change(), alarm(noon, market), true},
		{"another group", change(), alarm(noon, otherGroup), false},
		{"another payer", change(), alarm(noon, otherPayer), false},
		{"a group of the payer", change(whole), alarm(noon, otherGroup), true},
		{"a group of another payer", change(whole), alarm(noon, otherPayer), false},
		{"any payer, of all", change(all), alarm(noon, otherPayer, payerWide), true},
		{"a rule that looks both ways", change(), alarm(noon, better), true},
		{"an improvement told as such", change(falls), alarm(noon, better), true},
		{"an improvement in a watch", change(falls), alarm(noon, better, watch), true},
		{"an improvement told as a rise", change(falls), alarm(noon), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.truth.matches(&test.alarm); got != test.want {
				t.Errorf("matches %t, want %t", got, test.want)
			}
		})
	}
}

func TestTheFirstAlarmIsTheHitFurtherOnesDuplicatesTheRestFalse(t *testing.T) {
	elsewhere := func(a *Told) { a.Payer = new("Cigna") }
	watched := func(a *Told) { a.Payer, a.Tier = new("Cigna"), upstream.Watch }
	told := []Told{alarm(noon - 7), alarm(noon + 9), alarm(noon + 16), alarm(noon+16, elsewhere), alarm(noon+16, watched), alarm(noon + 90)}
	findings, wrong := scoreCustomer([]Truth{change()}, told, []Told{alarm(noon + 30)})
	f := findings[0]
	if f.hit == nil || f.hit.AsOf != noon+9 || f.delay() != 10 || f.duplicates != 2 || !f.placebo {
		t.Errorf("finding %+v", f)
	}
	if wrong != 2 { // too early, and elsewhere; a watch is none
		t.Errorf("%d false alarms", wrong)
	}
	if findings, _ := scoreCustomer([]Truth{change()}, nil, nil); findings[0].hit != nil || findings[0].placebo {
		t.Errorf("nothing told, found %+v", findings[0])
	}
}

func TestScoresOfTwoCustomers(t *testing.T) {
	here := func(customer int) func(*Truth) {
		return func(t *Truth) { t.Customer, t.Placebo = customer, customer+2 }
	}
	at := func(customer int) func(*Told) { return func(a *Told) { a.Customer = customer } }
	late := func(t *Truth) { t.Payer, t.Start, t.Dollars = "Cigna", lastDay-9, 0 }
	truths := []Truth{change(here(1)), change(here(1), late), change(here(2)), change(here(2), func(t *Truth) { t.Signal, t.Scenario = upstream.AllowedAmount, "D7 fee cut 2 %" })}
	changed := func(days upstream.Day, low, high upstream.Money) func(*Told) {
		return func(a *Told) { a.ChangeDate, a.DollarsLow, a.DollarsHigh = noon+days, &low, &high }
	}
	payerWide := func(a *Told) { a.CPTGroup, a.Level = nil, upstream.PayerLevel }
	told := []Told{
		alarm(noon+9, at(1), changed(3, 900_00, 1100_00)), alarm(noon+40, at(1)), // a hit and a duplicate
		alarm(noon+19, at(2), payerWide, changed(-5, 100_00, 200_00)), // a hit at the wrong level
		alarm(noon+3, at(2), func(a *Told) { a.Signal = upstream.Takeback }),
		alarm(noon+5, at(3)),                      // at the twin of the first
		alarm(noon, at(5)), alarm(noon+50, at(5)), // a null customer
	}
	nulls := []nullCustomer{{customer: 5, scenario: "N1 January bump"}, {customer: 6, scenario: "N1 January bump"}}
	f := score(truths, nulls, told)
	for _, v := range []struct {
		what      string
		got, want figure
	}{
		{"recall", f.Recall, figure(2. / 3)},
		{"placebo recall", f.PlaceboRecall, figure(1. / 3)},
		{"net recall", f.NetRecall, figure(1. / 3)},
		{"precision", f.Precision, figure(2. / 3)},
		{"median delay", f.MedianDelay, 15},
		{"duplicates", f.Duplicates, .5},
		{"right level", f.RightLevel, .5},
		{"change date error", f.ChangeDateError, 4},
		{"coverage", f.Coverage, 1}, // of the hit at the right level
		{"false alarms", f.FalseAlarms, figure(2 / (2 * monthsEach))},
		{"false alarms in drift", f.FalseAlarmsInDrift, figure(1 / (2 * monthsEach))},
		{"false alarms in placebo", f.FalseAlarmsInPlacebo, figure(1 / (2 * monthsEach))},
	} {
		if math.Abs(float64(v.got-v.want)) > 1e-12 {
			t.Errorf("%s %v, want %v", v.what, v.got, v.want)
		}
	}
	if f.Planted != 3 || f.Intervals != 1 {
		t.Errorf("%d planted, %d intervals", f.Planted, f.Intervals)
	}
	life := float64(lastDay-noon+1) / daysPerMonth
	caught := (2*life - (9+19)/daysPerMonth) / (2 * life)
	if math.Abs(float64(f.DollarsCaught)-caught) > 1e-12 {
		t.Errorf("dollars caught %v, want %v", f.DollarsCaught, caught)
	}
	if len(f.Scenarios) != 2 || f.Scenarios[0].Planted != 3 || f.Scenarios[1].Planted != 1 {
		t.Errorf("scenarios %+v", f.Scenarios)
	}
	if !math.IsNaN(float64(f.CARCRight)) {
		t.Errorf("CARC right %v where nothing was explained", f.CARCRight)
	}
}

func TestRootCausesAreHeldAgainstWhatWasPlanted(t *testing.T) {
	planted := change(func(t *Truth) { t.CARC, t.Location = "197", "South Clinic" })
	named := func(causes ...upstream.RootCause) func(*Told) {
		return func(a *Told) { a.RootCauses = causes }
	}
	carc := func(v string) upstream.RootCause { return upstream.RootCause{Dimension: "carc", Value: v} }
	site := upstream.RootCause{Dimension: "location", Value: "South Clinic"}
	for _, test := range []struct {
		name           string
		causes         []upstream.RootCause
		carc, location figure
	}{
		{"both", []upstream.RootCause{carc("197"), site}, 1, 1},
		{"another CARC", []upstream.RootCause{carc("16"), site}, 0, 1},
		{"the value in another dimension", []upstream.RootCause{{Dimension: "rarc", Value: "197"}, carc("16")}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := score([]Truth{planted}, nil, []Told{alarm(noon, named(test.causes...))})
			if f.CARCRight != test.carc || f.LocationRight != test.location {
				t.Errorf("CARC %v, location %v", f.CARCRight, f.LocationRight)
			}
		})
	}
}

func TestRepeatedAlarmsAreToldOnceUntilFourWeeksOfSilence(t *testing.T) {
	flagged := map[upstream.Day]bool{noon: true, noon + 7: true, noon + 35: true, noon + 64: true}
	d := &onWindows{flag: func(asOf upstream.Day, _ []upstream.NodeWindow) []upstream.DriftEvent {
		if !flagged[asOf] {
			return nil
		}
		return []upstream.DriftEvent{alarm(asOf).DriftEvent}
	}}
	var told []upstream.Day
	for day := noon; day < noon+80; day++ {
		events, err := d.run(t.Context(), day, &onCounts{data: drift.Data{Decisions: &upstream.Decisions{}}})
		if err != nil {
			t.Fatal(err)
		}
		for range events {
			told = append(told, day)
		}
	}
	if len(told) != 2 || told[0] != noon || told[1] != noon+64 { // noon+35 is 28 days after the last
		t.Errorf("told on %v", told)
	}
}

func TestIncidentsAreToldWhenTheyBecomeAlerts(t *testing.T) {
	event := func(id int64, tier upstream.Tier) upstream.DriftEvent {
		e := alarm(noon).DriftEvent
		e.ID, e.Tier, e.Status = id, tier, upstream.Open
		return e
	}
	d := incidents{}
	for i, s := range []struct {
		event upstream.DriftEvent
		told  int
		known int
	}{
		{event(0, upstream.Watch), 0, 1},
		{event(1, upstream.Alert), 1, 1},
		{event(1, upstream.Alert), 0, 1},
		{event(1, upstream.Watch), 0, 1},
		{event(1, upstream.Alert), 0, 1},
		{event(0, upstream.Alert), 1, 2},
	} {
		told := d.remember([]upstream.DriftEvent{s.event})
		if len(told) != s.told || len(d.known) != s.known {
			t.Errorf("step %d: %d told, %d known; want %d and %d", i, len(told), len(d.known), s.told, s.known)
		}
	}
	closed := event(2, upstream.Alert)
	closed.Status = upstream.Resolved
	d.remember([]upstream.DriftEvent{closed})
	if told := d.remember([]upstream.DriftEvent{event(0, upstream.Alert)}); len(told) != 1 || told[0].ID != 3 {
		t.Errorf("after its end told %+v", told)
	}
}

func TestBenjaminiHochbergTakesTheLargestThatFits(t *testing.T) {
	for _, test := range []struct {
		p    []float64
		want int
	}{
		{nil, 0},
		{[]float64{.04}, 1},
		{[]float64{.06}, 0},
		{[]float64{.04, .9}, 0},
		{[]float64{.02, .9}, 1},
		{[]float64{.049, .048, .047}, 3},
		{[]float64{.01, .9, .02, .04}, 2},
	} {
		level, n := benjaminiHochberg(test.p), 0
		for _, p := range test.p {
			if p < level {
				n++
			}
		}
		if n != test.want {
			t.Errorf("%v: %d discoveries, want %d", test.p, n, test.want)
		}
	}
}

func TestTwoSidedPValue(t *testing.T) {
	// z = (.18 − .10) / √(.111·.889·(1/100 + 1/600)) = 2.3538
	w := upstream.NodeWindow{BaselineN: 600, BaselineDenied: 60, CurrentN: 100, CurrentDenied: 18}
	if p := twoSided(w); math.Abs(p-.0185819) > 1e-7 {
		t.Errorf("p %v", p)
	}
	if p := twoSided(upstream.NodeWindow{BaselineN: 50, CurrentN: 50}); p != 1 {
		t.Errorf("p %v without any denial", p)
	}
}
