package store

import (
	"cmp"
	"context"
	"slices"

	"upstream"
)

// PayerSummary tells how each payer has dealt with the claims submitted on the days
// from first through last, by payer. Payers without such claims are left out.
func (t *Tenant) PayerSummary(ctx context.Context, first, last upstream.Day) ([]upstream.PayerSummary, error) {
	if first > last {
		return nil, errDaysReversed
	}
	b := &summaryBuilder{first: int32(first), last: int32(last), payers: map[int32]*payerSums{}}
	out := []upstream.PayerSummary{}
	err := t.s.read(ctx, func(x tx) error {
		l, err := t.terms(x)
		if err != nil {
			return err
		}
		if err := t.addUp(x, dayKind, periods(int64(first), int64(last)), b.add); err != nil {
			return err
		}
		for term, p := range b.payers {
			if p.TotalClaims == 0 { // what a correction has taken away
				continue
			}
			if p.Payer, err = l.value(x, kindPayer, int64(term)); err != nil {
				return err
			}
			out = append(out, p.summary())
		}
		return nil
	})
	slices.SortFunc(out, func(a, b upstream.PayerSummary) int { return cmp.Compare(a.Payer, b.Payer) })
	return out, err
}

var errDaysReversed = upstream.Errorf(upstream.Invalid, "the first day comes after the last one; swap them")

type summaryBuilder struct {
	first, last int32
	payers      map[int32]*payerSums // by term
}

// payerSums is a summary without what is computed from sums.
type payerSums struct {
	upstream.PayerSummary
	paidAllowed int64
	lags        map[int32]int64 // decisions by days since submission
}

func (b *summaryBuilder) add(c *cell) {
	if day := c.key[daySubmitted]; day < b.first || day > b.last {
		return
	}
	p := b.payers[c.key[dayPayer]]
	if p == nil {
		p = &payerSums{lags: map[int32]int64{}}
		b.payers[c.key[dayPayer]] = p
	}
	n := c.sum[dayCount]
	p.TotalClaims += n
	p.Allowed += upstream.Money(c.sum[dayAllowed])
	p.Paid += upstream.Money(c.sum[dayPaid])
	filing, outcome := upstream.Filing(c.key[dayClass]>>4), upstream.Outcome(c.key[dayClass]&15)
	lag, decided := unpackLag(c.key[dayLag])
	switch {
	case !decided:
		p.PendingCount += n
		return
	case !upstream.IsDecided(filing, outcome):
		p.OtherCount += n
		return
	case upstream.IsDenial(filing, outcome):
		p.DeniedCount += n
	default:
		p.PaidCount += n
		p.paidAllowed += c.sum[dayAllowed]
	}
	p.lags[lag] += n
}

func (p *payerSums) summary() upstream.PayerSummary {
	p.DenialRate = share(p.DeniedCount, p.PaidCount+p.DeniedCount)
	p.MedianDaysToDecision = median(p.lags)
	if p.PaidCount > 0 {
		p.AvgAllowed = new(upstream.Money(floorDiv(2*p.paidAllowed+p.PaidCount, 2*p.PaidCount)))
	}
	return p.PayerSummary
}

// share returns a part of a whole, nil of nothing.
func share(part, whole int64) *float64 {
	if whole == 0 {
		return nil
	}
	return new(float64(part) / float64(whole))
}

// median returns the median of values with their counts: the mean of the middle two
// of an even number, nil of none.
func median(counts map[int32]int64) *float64 {
	var values []int32
	total := int64(0)
	for v, n := range counts {
		if n > 0 {
			values, total = append(values, v), total+n
		}
	}
	if total == 0 {
		return nil
	}
	slices.Sort(values)
	at := func(rank int64) float64 { // ranks count from zero
		for _, v := range values {
			if rank -= counts[v]; rank < 0 {
				return float64(v)
			}
		}
		return 0
	}
	return new((at((total-1)/2) + at(total/2)) / 2)
}
