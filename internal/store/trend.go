package store

import (
	"context"

	"upstream"
)

// maxPeriods bounds a trend: ten years of weeks.
const maxPeriods = 530

// DenialRateTrend returns the denial rates of all weeks or months that have a day
// from first through last, by the day of the first decision; decisions outside these
// days are left out. An empty payer is all of them; one that is not known has no
// decisions.
func (t *Tenant) DenialRateTrend(ctx context.Context, payer string, unit upstream.PeriodUnit, first, last upstream.Day) ([]upstream.PeriodRate, error) {
	b, err := newTrend(unit, first, last)
	if err != nil {
		return nil, err
	}
	err = t.s.read(ctx, func(x tx) error {
		if payer != "" {
			l, err := t.terms(x)
			if err != nil {
				return err
			}
			if b.payer = int32(l.ids[kindPayer][payer]); b.payer == 0 {
				return nil
			}
		}
		return b.read(t, x)
	})
	return b.rates(), err
}

// trendBuilder sums the decisions of each day into periods.
type trendBuilder struct {
	payer       int32 // a term; zero for all
	first, last upstream.Day
	periodOf    []int32 // by day from first
	periods     []upstream.PeriodRate
}

func newTrend(unit upstream.PeriodUnit, first, last upstream.Day) (*trendBuilder, error) {
	switch {
	case unit != upstream.Week && unit != upstream.Month:
		return nil, upstream.Errorf(upstream.Invalid, "a trend goes by week or by month")
	case first > last:
		return nil, errDaysReversed
	case int(last-first) > maxPeriods*7:
		return nil, upstream.Errorf(upstream.Invalid, "a trend covers ten years at most; choose a later first day")
	}
	b := &trendBuilder{first: first, last: last}
	next := first
	for day := first; day <= last; day++ {
		if day == next {
			b.periods = append(b.periods, upstream.PeriodRate{Period: unit.First(day)})
			next = unit.Next(day)
		}
		b.periodOf = append(b.periodOf, int32(len(b.periods)-1))
	}
	return b, nil
}

func (b *trendBuilder) read(t *Tenant, x tx) error {
	return t.addUp(x, seriesKind, periods(int64(b.first)>>periodBits, int64(b.last)>>periodBits), func(c *cell) {
		day := upstream.Day(c.key[seriesDay])
		if day < b.first || day > b.last || b.payer != 0 && c.key[seriesPayer] != b.payer {
			return
		}
		p := &b.periods[b.periodOf[day-b.first]]
		p.Decided += c.sum[seriesDecided]
		p.Denied += c.sum[seriesDenied]
	})
}

func (b *trendBuilder) rates() []upstream.PeriodRate {
	for i := range b.periods {
		p := &b.periods[i]
		p.DenialRate = share(p.Denied, p.Decided)
	}
	return b.periods
}
