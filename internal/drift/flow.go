package drift

import (
	"math"

	"upstream"
)

const (
	flowAges        = 91 // days; denials of older claims are left out, expected and observed
	flowSmooth      = 2  // days on either side over which the hazard is averaged
	minFlowDenials  = 10 // of the baseline, for an expectation
	flowDaysPerWeek = 7
)

// denialFlow compares the denials of the days from first through last with
// those that the claims submitted let expect, had each age and weekday denied as
// in the baseline, the days from baselineFirst to before first. from is the
// first day of the waits, which are on DecisionClock; nothing after last is used.
//
// It tells a rise of denials from a slow-down of payments. When payments slow
// down, the share of denials among the decisions of these days rises though no
// claim is denied that was paid before. So what is expected must not hang on
// the payments: at risk of a denial is every claim that hasn't been denied, paid
// or not (the subdistribution hazard of Fine and Gray, JASA 1999). Over the open
// claims alone, slow payments leave more of them at risk, expect more denials,
// and hide a rise.
//
// The variance holds the dispersion of the baseline's weeks and the error of its
// rates. All is 0 when the claims are not known before their decision, or the
// baseline has hardly a denial.
func denialFlow(w *upstream.PayerWaits, from, baselineFirst, first, last upstream.Day) expectation {
	f := newFlow(w, from, last)
	start, cut, end := max(int(baselineFirst-from), 0), int(first-from), len(f.denied)
	if !w.Undecided || start >= cut || cut >= end {
		return expectation{}
	}
	baseline := f.learn(start, cut)
	if baseline < minFlowDenials {
		return expectation{}
	}
	dispersion, weeks := 0.0, 0
	for day := start; day+flowDaysPerWeek <= cut; day += flowDaysPerWeek {
		if e := f.expect(day, day+flowDaysPerWeek); e.variance > 0 {
			dispersion += (e.observed - e.expected) * (e.observed - e.expected) / e.variance
			weeks++
		}
	}
	dispersion = max(dispersion/float64(max(weeks, 1)), 1)
	e := f.expect(cut, end)
	e.variance = dispersion * (e.variance + e.expected*e.expected/baseline)
	return e
}

// z is by how many standard errors more was observed than expected, 0 where
// nothing was expected.
func (w *expectation) z() float64 {
	if w.variance <= 0 {
		return 0
	}
	return (w.observed - w.expected) / math.Sqrt(w.variance)
}

// flow are denials and the claims at risk of one, by day and age.
type flow struct {
	first   upstream.Day // day 0
	denied  [][flowAges]float64
	atRisk  [][flowAges]float64
	hazard  [flowAges]float64
	weekday [flowDaysPerWeek]float64 // factor of the hazard
}

func newFlow(w *upstream.PayerWaits, from, last upstream.Day) *flow {
	days := max(min(int(last-from)+1, len(w.Started)), 0)
	f := &flow{first: from, denied: make([][flowAges]float64, days), atRisk: make([][flowAges]float64, days)}
	for _, e := range w.Ended {
		age := max(int(e.Lag), 0)
		if day := int(e.Start) + age; e.Start >= 0 && age < flowAges && day < days {
			f.denied[day][age] += float64(e.Denied)
		}
	}
	for start := range days {
		risk := float64(w.Started[start])
		for age := 0; age < flowAges && start+age < days; age++ {
			f.atRisk[start+age][age] = max(risk, 0)
			risk -= f.denied[start+age][age]
		}
	}
	return f
}

// learn fits the hazard by age, averaged over neighbouring ages, and the factor
// of each weekday that makes its denials come out; it returns the denials.
func (f *flow) learn(from, to int) (denials float64) {
	var denied, risk [flowAges]float64
	for day := from; day < to; day++ {
		for age := range flowAges {
			denied[age] += f.denied[day][age]
			risk[age] += f.atRisk[day][age]
			denials += f.denied[day][age]
		}
	}
	for age := range flowAges {
		sum := 0.0
		for near := age - flowSmooth; near <= age+flowSmooth; near++ {
			if at := min(max(near, 0), flowAges-1); risk[at] > 0 {
				sum += denied[at] / risk[at]
			}
		}
		f.hazard[age] = sum / (2*flowSmooth + 1)
	}
	f.weekday = [flowDaysPerWeek]float64{1, 1, 1, 1, 1, 1, 1}
	var byWeekday [flowDaysPerWeek]expectation
	for day := from; day < to; day++ {
		e, at := f.expect(day, day+1), &byWeekday[f.weekdayOf(day)]
		at.observed += e.observed
		at.expected += e.expected
	}
	for i, e := range byWeekday {
		if e.expected > 0 {
			f.weekday[i] = e.observed / e.expected
		}
	}
	return denials
}

func (f *flow) weekdayOf(day int) int { return int((f.first + upstream.Day(day)).Weekday()) }

// expect sums the days from from to before to; the variance is binomial.
func (f *flow) expect(from, to int) (e expectation) {
	for day := from; day < to; day++ {
		factor := f.weekday[f.weekdayOf(day)]
		for age, hazard := range f.hazard {
			h := min(hazard*factor, 1)
			expected := f.atRisk[day][age] * h
			e.observed += f.denied[day][age]
			e.expected += expected
			e.variance += expected * (1 - h)
		}
	}
	return e
}
