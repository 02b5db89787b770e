package drift

import (
	"slices"
	"time"

	"upstream"
)

// workdays are the business days of some data. What happens on a weekend or
// holiday counts on the next one.
type workdays struct {
	from upstream.Day
	days []upstream.Day
	slot []int32 // by calendar day after from: the index of the business day it counts on, len(days) when that is later than the data
	due  []uint8 // by slot: the weekdays, as bits, of the holidays just before it
}

func newWorkdays(from, to upstream.Day) workdays {
	w := workdays{from: from}
	if to < from {
		return w
	}
	w.slot = make([]int32, to-from+1)
	due := uint8(0)
	for i := range w.slot {
		w.slot[i] = int32(len(w.days))
		day := from + upstream.Day(i)
		switch wd := day.Weekday(); {
		case wd == time.Saturday || wd == time.Sunday:
		case day.IsBusiness():
			w.days, w.due = append(w.days, day), append(w.due, due)
			due = 0
		default:
			due |= 1 << weekdayOf(day)
		}
	}
	return w
}

// through is the number of business days over at the end of a day.
func (w *workdays) through(asOf upstream.Day) int {
	n, _ := slices.BinarySearch(w.days, asOf+1)
	return n
}

// at is the slot of a calendar day counted from from, or -1 when it is not in
// the data or counts on a later day than they reach.
func (w *workdays) at(offset int64) int {
	if offset < 0 || offset >= int64(len(w.slot)) || int(w.slot[offset]) >= len(w.days) {
		return -1
	}
	return int(w.slot[offset])
}

// ended is the slot on which a wait ended, or -1 when it hadn't by the last day.
// An end before the start, which clocks or typing errors make, counts on its day.
func (w *workdays) ended(v upstream.Wait) int {
	return w.at(int64(v.Start) + int64(max(v.Lag, 0)))
}

// offset is the calendar day of a slot counted from from.
func (w *workdays) offset(slot int) int { return int(w.days[slot] - w.from) }

// opens is the first calendar day that counts on a slot.
func (w *workdays) opens(slot int) upstream.Day {
	if slot <= 0 {
		return w.from
	}
	return w.days[slot-1] + 1
}

// hushedDays is from how many business days on without any end at any payer the
// data, not the payers, have stopped, if hushedEnds were due at the usual rate.
const (
	hushedDays = 5
	hushedEnds = 20
	usualDays  = 60
)

// activity is on which business days anything ended at any payer.
type activity struct {
	total []float64 // ends before each slot
	last  []int32   // the last slot with an end before each slot, -1 for none
	hush  []bool    // whether a slot lies in a gap between ends in which the data had stopped
}

func newActivity(daily []float64) activity {
	n := len(daily)
	a := activity{make([]float64, n+1), make([]int32, n+1), make([]bool, n)}
	last := int32(-1)
	for i, ends := range daily {
		a.total[i], a.last[i] = a.total[max(i-1, 0)], last
		if i > 0 {
			a.total[i] += daily[i-1]
		}
		if ends > 0 {
			if silent := i - int(last) - 1; last >= 0 && a.stopped(int(last)+1, silent) {
				for j := int(last) + 1; j < i; j++ {
					a.hush[j] = true
				}
			}
			last = int32(i)
		}
	}
	if n > 0 {
		a.total[n], a.last[n] = a.total[n-1]+daily[n-1], last
	}
	return a
}

// stopped reports whether so many silent days from a slot on mean missing data.
func (a *activity) stopped(from, silent int) bool {
	if silent < hushedDays {
		return false
	}
	first := max(from-usualDays, 0)
	return (a.total[from]-a.total[first])/float64(from-first)*float64(silent) >= hushedEnds
}
