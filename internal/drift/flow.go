package drift

import "upstream"

// flowAges are the ages of open claims, in days, that the expected flow tells
// apart; older ones share the last.
const flowAges = 120

// denialFlow compares the denials of a payer's decisions in the days from first
// through last with what the claims open on these days let expect, by the hazard
// of a denial at each age and on each weekday in the days from baseline to before
// first. Days count from the waits' first. A slow-down of payments leaves the
// flow of denials as it was, though their share among the decided rises.
func denialFlow(w *upstream.PayerWaits, baseline, first, last upstream.Day) (observed, expected, variance float64) {
	baseline = max(baseline, 0)
	last = min(last, upstream.Day(len(w.Started))-1)
	if first <= baseline || last < first {
		return 0, 0, 0
	}
	open := openClaims(w, last)
	var denied, atRisk [flowAges + 1]float64
	var byWeekday, weekdayRisk [7]float64
	for _, e := range w.Ended {
		day := upstream.Day(e.Start + e.Lag)
		if e.Denied == 0 || e.Lag < 0 || day > last {
			continue
		}
		switch age := min(int(e.Lag), flowAges); {
		case day >= first:
			observed += float64(e.Denied)
		case day >= baseline:
			denied[age] += float64(e.Denied)
			byWeekday[day%7] += float64(e.Denied)
		}
	}
	for day := baseline; day < first; day++ {
		for age, n := range open(day) {
			atRisk[age] += n
		}
	}
	var hazard [flowAges + 1]float64
	for age := range hazard {
		if atRisk[age] > 0 {
			hazard[age] = denied[age] / atRisk[age]
		}
	}
	for day := baseline; day < first; day++ {
		for age, n := range open(day) {
			weekdayRisk[day%7] += n * hazard[age]
		}
	}
	for day := first; day <= last; day++ {
		if weekdayRisk[day%7] <= 0 {
			continue
		}
		factor := byWeekday[day%7] / weekdayRisk[day%7]
		for age, n := range open(day) {
			expected += n * hazard[age] * factor
		}
	}
	base := 0.0
	for _, n := range denied {
		base += n
	}
	if base > 0 {
		// Poisson flow, and the baseline's own error.
		variance = expected * (1 + expected/base)
	}
	return observed, expected, variance
}

// openClaims returns, for a day, how many claims of each age were open at its
// begin: those that started by then and had not ended before.
func openClaims(w *upstream.PayerWaits, last upstream.Day) func(upstream.Day) []float64 {
	// ended[start] are the ends of claims that started on a day, by lag.
	ended := make([][]upstream.Wait, len(w.Started))
	for _, e := range w.Ended {
		if e.Lag >= 0 && int(e.Start) < len(ended) {
			ended[e.Start] = append(ended[e.Start], e)
		}
	}
	left := make([]float64, len(w.Started))
	at := make([]int, len(w.Started))
	for i, n := range w.Started {
		left[i] = float64(n)
	}
	ages := make([]float64, flowAges+1)
	today := upstream.Day(-1)
	return func(day upstream.Day) []float64 {
		if day < today { // from the begin again
			for i, n := range w.Started {
				left[i], at[i] = float64(n), 0
			}
		}
		today = day
		clear(ages)
		for start := range min(int(day), len(left)-1) + 1 {
			for at[start] < len(ended[start]) && upstream.Day(ended[start][at[start]].Start+ended[start][at[start]].Lag) < day {
				left[start] -= float64(ended[start][at[start]].Count)
				at[start]++
			}
			ages[min(int(day)-start, flowAges)] += left[start]
		}
		return ages
	}
}
