package drift

import (
	"math"
	"slices"

	"upstream"
)

// slowerBy are the factors on the lag that the fallback weighs.
var slowerBy = [...]float64{1.1, 1.25, 1.5, 2}

// moments of ln(lag + 1) of decided claims.
type lagSums struct{ n, sum, squares float64 }

func (a lagSums) plus(b lagSums) lagSums {
	return lagSums{a.n + b.n, a.sum + b.sum, a.squares + b.squares}
}

// decidedOnly is the fallback for payers whose undecided claims the data don't
// hold: a claim is not known before it is decided, so only the lags of decided
// ones tell. Per business day it weighs their mean logarithm against the
// baseline's, normally distributed with the spread of the baseline's days.
func (t *timing) decidedOnly(o *waits, end int, h history) *study {
	firstBusiness := t.business(t.from + upstream.Day(o.first) - 1)
	if end-firstBusiness < firstAlarmDays || o.first >= len(o.Started) {
		return nil
	}
	cut := max(end-timingReach, firstBusiness+coldBaselineDays)
	s := &study{waits: o, decided: true, base: t.baseline(o, cut, h, t.days[end-1]), end: t.offset(end)}
	days := o.lagsByDay()
	var base lagSums
	for _, b := range s.base {
		for day := b.from; day < b.to; day++ {
			base = base.plus(days[day])
		}
	}
	s.h = &hazard{events: base.n, daily: 1, weekly: 1}
	if base.n < timingEnds {
		return nil
	}
	mean := base.sum / base.n
	spread := daySpread(days, s.base, mean)
	var sum lagSums
	day := end - 1
	for i, lag := range timingLags {
		if end-lag < cut {
			break
		}
		for ; day >= end-lag; day-- {
			for d := t.offset(day); d < t.offset(day+1); d++ {
				sum = sum.plus(days[d])
			}
		}
		s.used = i + 1
		s.scan.ln[i] = lnSlower(sum, mean, spread*(1+sum.n/base.n))
	}
	s.scan.used = s.used
	s.scan.combine()
	s.used = 0 // no windows of expectations: the gate has nothing to compare
	return s
}

// lnSlower is ln of the mean likelihood ratio of lags that are longer by a factor.
func lnSlower(s lagSums, mean, variance float64) float64 {
	if s.n <= 0 || variance <= 0 {
		return 0
	}
	above := s.sum - s.n*mean
	var terms [len(slowerBy)]float64
	for j, factor := range slowerBy {
		by := math.Log(factor)
		terms[j] = (by*above - s.n*by*by/2) / variance
	}
	return lnMean(&terms)
}

// daySpread is the variance of ln lags per claim, with what the days of a batch
// have in common: the larger of the claims' own and of their days' means.
func daySpread(days []lagSums, base []stretch, mean float64) float64 {
	within, between, n, k := 0.0, 0.0, 0.0, 0.0
	for _, b := range base {
		for _, d := range days[b.from:b.to] {
			if d.n <= 0 {
				continue
			}
			within += d.squares - 2*mean*d.sum + d.n*mean*mean
			off := d.sum - d.n*mean
			between += off * off / d.n
			n += d.n
			k++
		}
	}
	return max(within/n, between/k)
}

// lagsByDay are the lags of the claims decided on each day.
func (o *waits) lagsByDay() []lagSums {
	if o.lags == nil {
		o.lags = make([]lagSums, len(o.Started))
		for _, e := range o.Ended {
			day := int(e.Start + e.Lag)
			if e.Lag < 0 || day >= len(o.lags) || e.Count <= 0 {
				continue
			}
			n, v := float64(e.Count), math.Log(float64(e.Lag)+1)
			o.lags[day] = o.lags[day].plus(lagSums{n, n * v, n * v * v})
		}
	}
	return o.lags
}

// medians are the median lags of the claims decided in two sets of days.
func (o *waits) medians(base, current []stretch) (before, since float64) {
	median := func(days []stretch) float64 {
		var counts []upstream.Wait
		total := 0
		for _, e := range o.Ended {
			day := int(e.Start + e.Lag)
			if e.Lag >= 0 && slices.ContainsFunc(days, func(s stretch) bool { return day >= s.from && day < s.to }) {
				counts = append(counts, e)
				total += int(e.Count)
			}
		}
		slices.SortFunc(counts, func(a, b upstream.Wait) int { return int(a.Lag - b.Lag) })
		below := 0
		for _, c := range counts {
			if below += int(c.Count); 2*below >= total {
				return float64(c.Lag)
			}
		}
		return 0
	}
	return median(base), median(current)
}

// trackDecided judges an incident by the lags of the last days.
func (t *timing) trackDecided(s *study, change, end int) standing {
	days := s.lagsByDay()
	sum := func(stretches ...stretch) (all lagSums) {
		for _, b := range stretches {
			for _, d := range days[b.from:b.to] {
				all = all.plus(d)
			}
		}
		return all
	}
	base := sum(s.base...)
	since := sum(stretch{t.offset(change), t.offset(end)})
	recent := sum(stretch{t.offset(max(end-standDays, change)), t.offset(end)})
	if base.n <= 0 || since.n <= 0 || recent.n <= 0 {
		return absent
	}
	mean := base.sum / base.n
	by := since.sum/since.n - mean
	lean := by*(recent.sum-recent.n*mean) - recent.n*by*by/2
	variance := daySpread(days, s.base, mean) * (1 + recent.n/base.n)
	switch {
	case by <= 0:
		return absent
	case lean > 0:
		return present
	case -lean/variance >= math.Log(minARL):
		return over
	}
	return absent
}
