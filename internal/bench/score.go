package bench

import (
	"encoding/json"
	"math"
	"slices"

	"upstream"
	"upstream/internal/synth"
)

// figure is a measured value; NaN, null in JSON, where there was nothing to measure.
type figure float64

// MarshalJSON writes null for NaN.
func (f figure) MarshalJSON() ([]byte, error) {
	if v := float64(f); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	// Six digits: more would tell noise, and differ between machines' libraries.
	return json.Marshal(math.Round(float64(f)*1e6) / 1e6)
}

var none = figure(math.NaN())

func share(part, whole int) figure {
	if whole == 0 {
		return none
	}
	return figure(float64(part) / float64(whole))
}

// Figures are the scores of one detector. Unless they say otherwise they are of
// alerts against planted changes of the denial rate for the worse, the one
// signal that all detectors have.
type Figures struct {
	// FalseAlarms are of the null customers, all signals; InDrift of the
	// others, outside what was planted; InPlacebo of the placebo twins.
	FalseAlarms          figure `json:"false_alarms_per_customer_month"`
	FalseAlarmsInDrift   figure `json:"false_alarms_per_customer_month_in_drift"`
	FalseAlarmsInPlacebo figure `json:"false_alarms_per_customer_month_in_placebo"`

	Planted       int    `json:"planted"`
	PlaceboRecall figure `json:"placebo_recall"`
	Recall        figure `json:"recall"`
	NetRecall     figure `json:"net_recall"` // recall − placebo recall
	Precision     figure `json:"precision"`  // hits over hits and false alarms of all signals, in customers with changes
	MedianDelay   figure `json:"median_delay_days"`
	// DelayOverOracle is the largest of the cells that have a target, see DelayCell.
	DelayOverOracle figure `json:"delay_over_oracle"`
	Duplicates      figure `json:"duplicates_per_incident"`
	RightLevel      figure `json:"right_level"`
	CARCRight       figure `json:"carc_right"`
	LocationRight   figure `json:"location_right"`
	DollarsCaught   figure `json:"dollars_caught"`
	Coverage        figure `json:"interval_coverage"`
	Intervals       int    `json:"intervals"`
	ChangeDateError figure `json:"change_date_error_days"`

	Scenarios []ScenarioFigures `json:"scenarios"`
	Calm      []CalmFigures     `json:"null_customers"`
}

// ScenarioFigures are those of one kind of change, of any signal.
type ScenarioFigures struct {
	Scenario      string `json:"scenario"`
	Planted       int    `json:"planted"`
	Recall        figure `json:"recall"`
	PlaceboRecall figure `json:"placebo_recall"`
	MedianDelay   figure `json:"median_delay_days"`
	Duplicates    figure `json:"duplicates_per_incident"`
	RightLevel    figure `json:"right_level"`
}

// CalmFigures are those of one kind of null customer.
type CalmFigures struct {
	Scenario    string `json:"scenario"`
	Customers   int    `json:"customers"`
	FalseAlarms figure `json:"false_alarms_per_customer_month"`
}

// matches reports whether an alarm tells of a change: the same signal, an
// overlapping scope, and in time. Rules that look at both directions are given
// the benefit: only an improvement asks for the right one.
func (t *Truth) matches(a *Told) bool {
	switch {
	case a.Signal != t.Signal, a.AsOf < t.Start, a.AsOf > t.last():
		return false
	case t.improves():
		if a.Direction != upstream.Better {
			return false
		}
	case a.Tier != upstream.Alert:
		return false
	}
	samePayer := a.Payer == nil || t.Payer == synth.EveryPayer || *a.Payer == t.Payer
	return samePayer && (a.CPTGroup == nil || t.CPTGroup == nil || *a.CPTGroup == *t.CPTGroup)
}

// finding is what became of one planted change.
type finding struct {
	*Truth
	hit        *Told // the first alarm that tells of it; nil: missed
	duplicates int   // further alarms
	placebo    bool  // an alarm at the twin would have counted as a hit
}

func (f *finding) delay() float64 { return float64(f.hit.AsOf-f.Start) + 1 }

// scoreCustomer matches one customer's alarms with its truths; false alarms are
// the alerts that match none.
func scoreCustomer(truths []Truth, told, twin []Told) (findings []finding, falseAlarms int) {
	findings = make([]finding, len(truths))
	for i := range truths {
		f := &findings[i]
		f.Truth = &truths[i]
		f.placebo = slices.ContainsFunc(twin, func(a Told) bool { return f.matches(&a) })
	}
	for k := range told {
		a, matched := &told[k], false
		for i := range findings {
			f := &findings[i]
			switch {
			case !f.matches(a):
				continue
			case f.hit == nil:
				f.hit = a
			default:
				f.duplicates++
			}
			matched = true
		}
		if !matched && a.Tier == upstream.Alert {
			falseAlarms++
		}
	}
	return findings, falseAlarms
}

// tally adds up findings.
type tally struct {
	planted, hits, placebos, duplicates int
	rightLevel                          int
	explained                           bool // whether any event names a root cause
	carcs, carcRight                    int
	sites, siteRight                    int
	intervals, covered                  int
	dollars, caught                     float64
	delays, dateErrors                  []float64
}

func (t *tally) add(f *finding) {
	t.planted++
	months := float64(min(f.last(), lastDay)-f.Start+1) / daysPerMonth
	t.dollars += float64(f.Dollars) * months
	if f.placebo {
		t.placebos++
	}
	if f.hit == nil {
		return
	}
	t.hits++
	t.duplicates += f.duplicates
	t.delays = append(t.delays, f.delay())
	t.caught += float64(f.Dollars) * max(months-(f.delay()-1)/daysPerMonth, 0)
	if f.hit.Level == f.Level {
		t.rightLevel++
	}
	t.explained = t.explained || len(f.hit.RootCauses) > 0
	if f.CARC != "" {
		t.carcs++
		t.carcRight += named(f.hit, upstream.ByCARC, f.CARC)
	}
	if f.Location != "" {
		t.sites++
		t.siteRight += named(f.hit, upstream.ByLocation, f.Location)
	}
	if f.Shape == synth.Step && f.hit.ChangeDate != 0 {
		t.dateErrors = append(t.dateErrors, math.Abs(float64(f.hit.ChangeDate-f.Start)))
	}
	// What a group costs is no statement of its payer, nor the other way round.
	if low, high := f.hit.DollarsLow, f.hit.DollarsHigh; f.Shape == synth.Step && f.hit.Level == f.Level && low != nil && high != nil {
		t.intervals++
		if *low <= f.Dollars && f.Dollars <= *high {
			t.covered++
		}
	}
}

// named is 1 when a root cause of the event is the value of the dimension.
func named(e *Told, dimension upstream.Dimension, value string) int {
	for _, c := range e.RootCauses {
		if c.Dimension == dimension.String() && c.Value == value {
			return 1
		}
	}
	return 0
}

func medianOf(v []float64) figure {
	if len(v) == 0 {
		return none
	}
	slices.Sort(v)
	return figure(median(v))
}

// score computes a detector's figures from what it told at all customers.
func score(truths []Truth, nulls []nullCustomer, told []Told) Figures {
	byCustomer := map[int][]Told{}
	for _, a := range told {
		byCustomer[a.Customer] = append(byCustomer[a.Customer], a)
	}
	var all []finding
	hits, inDrift, inPlacebo, customers := 0, 0, 0, 0
	for len(truths) > 0 {
		own := ofCustomer(truths)
		truths = truths[len(own):]
		twin := byCustomer[own[0].Placebo]
		if own[0].Placebo == 0 { // of a null customer
			twin = nil
		}
		findings, wrong := scoreCustomer(own, byCustomer[own[0].Customer], twin)
		all = append(all, findings...)
		if own[0].Placebo == 0 {
			continue
		}
		customers++
		inDrift += wrong
		_, wrong = scoreCustomer(nil, twin, nil)
		inPlacebo += wrong
		for i := range findings {
			if findings[i].hit != nil && !findings[i].improves() {
				hits++
			}
		}
	}
	f := headline(all)
	f.FalseAlarmsInDrift, f.FalseAlarmsInPlacebo = perMonth(inDrift, customers), perMonth(inPlacebo, customers)
	f.Precision = share(hits, hits+inDrift)
	f.Scenarios = byScenario(all)
	f.Calm, f.FalseAlarms = calmFigures(nulls, byCustomer)
	return f
}

// ofCustomer are the first truths, as far as they are of one customer.
func ofCustomer(truths []Truth) []Truth {
	n := slices.IndexFunc(truths, func(t Truth) bool { return t.Customer != truths[0].Customer })
	if n < 0 {
		n = len(truths)
	}
	return truths[:n]
}

func perMonth(n, customers int) figure {
	if customers == 0 {
		return none
	}
	return figure(float64(n) / (float64(customers) * monthsEach))
}

func headline(all []finding) Figures {
	var t tally
	for i := range all {
		if all[i].headline() {
			t.add(&all[i])
		}
	}
	f := Figures{
		Planted: t.planted, PlaceboRecall: share(t.placebos, t.planted), Recall: share(t.hits, t.planted),
		NetRecall:   share(t.hits-t.placebos, t.planted),
		MedianDelay: medianOf(t.delays), DelayOverOracle: none,
		Duplicates: share(t.duplicates, t.hits), RightLevel: share(t.rightLevel, t.hits),
		CARCRight: share(t.carcRight, t.carcs), LocationRight: share(t.siteRight, t.sites),
		Coverage: share(t.covered, t.intervals), Intervals: t.intervals,
		ChangeDateError: medianOf(t.dateErrors), DollarsCaught: none,
	}
	if !t.explained {
		f.CARCRight, f.LocationRight = none, none
	}
	if t.dollars > 0 {
		f.DollarsCaught = figure(t.caught / t.dollars)
	}
	return f
}

func byScenario(all []finding) []ScenarioFigures {
	tallies := map[string]*tally{}
	var order []string
	for i := range all {
		f := &all[i]
		t := tallies[f.Scenario]
		if t == nil {
			t = &tally{}
			tallies[f.Scenario] = t
			order = append(order, f.Scenario)
		}
		t.add(f)
	}
	slices.SortStableFunc(order, inDeck)
	out := make([]ScenarioFigures, len(order))
	for i, name := range order {
		t := tallies[name]
		out[i] = ScenarioFigures{
			Scenario: name, Planted: t.planted, Recall: share(t.hits, t.planted), PlaceboRecall: share(t.placebos, t.planted),
			MedianDelay: medianOf(t.delays), Duplicates: share(t.duplicates, t.hits), RightLevel: share(t.rightLevel, t.hits),
		}
	}
	return out
}

// nullCustomer is a customer with no change at any single payer.
type nullCustomer struct {
	customer int
	scenario string
	truths   []Truth // what all payers did at once
}

func calmFigures(nulls []nullCustomer, told map[int][]Told) ([]CalmFigures, figure) {
	var out []CalmFigures
	counts := map[string]int{}
	total := 0
	for _, n := range nulls {
		_, wrong := scoreCustomer(n.truths, told[n.customer], nil)
		total += wrong
		counts[n.scenario] += wrong
		at := slices.IndexFunc(out, func(c CalmFigures) bool { return c.Scenario == n.scenario })
		if at < 0 {
			at = len(out)
			out = append(out, CalmFigures{Scenario: n.scenario})
		}
		out[at].Customers++
	}
	for i := range out {
		out[i].FalseAlarms = perMonth(counts[out[i].Scenario], out[i].Customers)
	}
	slices.SortStableFunc(out, func(a, b CalmFigures) int { return inDeck(a.Scenario, b.Scenario) })
	return out, perMonth(total, len(nulls))
}
