package store

import (
	"cmp"
	"context"
	"math"
	"slices"

	"upstream"
)

// waitDays is how far back waits start: what detection compares lies within
// two years, and a third one tells how long waits can last.
const waitDays = 3 * 365

// Waits reads how long claims waited on all clocks, as far as it was known at the
// end of until: only what had started by then, and as ended only what had ended.
// It looks back three years at most, and is empty when nothing had started.
//
// Undecided alone is told by the data as they are now, later claims included:
// whether claims are known before they are decided is a property of their source.
func (t *Tenant) Waits(ctx context.Context, until upstream.Day, from From) (*upstream.Waits, error) {
	if from == FromRollups {
		if err := t.foldIfMany(ctx); err != nil {
			return nil, err
		}
	}
	b := &waitsBuilder{until: int32(until), payers: map[int32]*payerWaits{}, undecided: map[int32]int64{}}
	var out *upstream.Waits
	err := t.s.scan(ctx, func(x tx) error {
		starts := periods(int64(until-waitDays+1)>>periodBits, int64(until)>>periodBits)
		// Later starts tell only whether undecided claims are known at all.
		all := periods(starts.first, math.MaxInt32)
		if err := t.cells(x, waitKind, all, from, b.addWait); err != nil {
			return err
		}
		if err := t.cells(x, aftermathKind, starts, from, b.addAftermath); err != nil {
			return err
		}
		l, err := t.terms(x)
		if err != nil {
			return err
		}
		out, err = b.build(x, l)
		return err
	})
	return out, err
}

// clocks in the order of their names.
var clocks = [...]upstream.Clock{upstream.PaymentClock, upstream.OverturnClock, upstream.TakebackClock, upstream.DecisionClock}

const (
	paymentClock = iota
	overturnClock
	takebackClock
	decisionClock
)

// waitsBuilder sums cells into the waits of each payer.
type waitsBuilder struct {
	until  int32
	payers map[int32]*payerWaits // by term
	// undecided are the payer's undecided claims of now.
	undecided map[int32]int64
	term      int32 // of the payer that was asked for last
	last      *payerWaits
}

type payerWaits struct {
	clocks [len(clocks)]clockWaits
}

// clockWaits are the waits on one clock.
type clockWaits struct {
	started []int32         // by day counted back from until; nil before the first
	ended   []upstream.Wait // Start is a day
	mixed   bool            // ended is out of order
}

// payer returns the sums of a payer, or nil when a wait that starts on a day is
// out of range.
func (b *waitsBuilder) payer(payer, start int32) *payerWaits {
	if start > b.until || start <= b.until-waitDays {
		return nil
	}
	if b.last == nil || b.term != payer {
		if b.payers[payer] == nil {
			b.payers[payer] = &payerWaits{}
		}
		b.term, b.last = payer, b.payers[payer]
	}
	return b.last
}

func (b *waitsBuilder) addWait(c *cell) {
	start, n := c.key[waitStart], int32(c.sum[0])
	lag, over := unpackLag(c.key[waitLag])
	if !over && start > b.until-waitDays {
		b.undecided[c.key[waitPayer]] += int64(n)
	}
	p := b.payer(c.key[waitPayer], start)
	if p == nil {
		return
	}
	denied := int32(0)
	if over && start+lag <= b.until {
		switch c.key[waitEnd] {
		case endTakeback:
			return
		case endDenied:
			denied = n
		}
	}
	p.clocks[decisionClock].add(b.until, start, lag, over, n, denied)
}

func (b *waitsBuilder) addAftermath(c *cell) {
	start, n := c.key[aftermathDay], int32(c.sum[0])
	p := b.payer(c.key[aftermathPayer], start)
	if p == nil {
		return
	}
	turn, turned := unpackLag(c.key[aftermathTurn])
	if c.key[aftermathDenied] == 1 {
		p.clocks[overturnClock].add(b.until, start, turn, turned, n, 0)
		return
	}
	payment, paid := unpackLag(c.key[aftermathPayment])
	p.clocks[paymentClock].add(b.until, start, payment, paid, n, 0)
	p.clocks[takebackClock].add(b.until, start, turn, turned, n, 0)
}

// add counts n waits that start on one day; those that end after until are open.
func (w *clockWaits) add(until, start, lag int32, over bool, n, denied int32) {
	if w.started == nil {
		w.started = make([]int32, waitDays)
	}
	w.started[until-start] += n
	if !over || start+lag > until {
		return
	}
	if i := len(w.ended) - 1; i >= 0 {
		switch last := &w.ended[i]; {
		case last.Start == start && last.Lag == lag:
			last.Count += n
			last.Denied += denied
			return
		case last.Start > start || last.Start == start && last.Lag > lag:
			w.mixed = true
		}
	}
	w.ended = append(w.ended, upstream.Wait{Start: start, Lag: lag, Count: n, Denied: denied})
}

// finish turns starts into days after from, in order and without empty waits.
func (w *clockWaits) finish(from int32) []upstream.Wait {
	if w.mixed {
		slices.SortStableFunc(w.ended, func(a, b upstream.Wait) int {
			return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Lag, b.Lag))
		})
	}
	out := w.ended[:0]
	for _, e := range w.ended {
		e.Start -= from
		if n := len(out); n > 0 && out[n-1].Start == e.Start && out[n-1].Lag == e.Lag {
			out[n-1].Count += e.Count
			out[n-1].Denied += e.Denied
			continue
		}
		out = append(out, e)
	}
	if out = slices.DeleteFunc(out, func(e upstream.Wait) bool { return e.Count == 0 }); len(out) == 0 {
		return nil
	}
	return out
}

func (b *waitsBuilder) build(x tx, l *terms) (*upstream.Waits, error) {
	out := &upstream.Waits{}
	days := b.days()
	if days == 0 {
		return out, nil
	}
	out.From, out.To = upstream.Day(b.until-int32(days)+1), upstream.Day(b.until)
	for payer, p := range b.payers {
		name, err := l.value(x, kindPayer, int64(payer))
		if err != nil {
			return nil, err
		}
		for clock := range clocks {
			w := &p.clocks[clock]
			if !slices.ContainsFunc(w.started, func(n int32) bool { return n != 0 }) {
				continue
			}
			slices.Reverse(w.started[:days])
			out.Payers = append(out.Payers, upstream.PayerWaits{
				Payer: name, Clock: clocks[clock], Undecided: b.undecided[payer] > 0,
				Started: w.started[:days:days], Ended: w.finish(int32(out.From)),
			})
		}
	}
	slices.SortStableFunc(out.Payers, func(a, b upstream.PayerWaits) int { return cmp.Compare(a.Payer, b.Payer) })
	return out, nil
}

// days returns how many days back from until the first wait started, that day
// included.
func (b *waitsBuilder) days() (days int) {
	for _, p := range b.payers {
		for i := range p.clocks {
			started := p.clocks[i].started
			for n := len(started); n > days; n-- {
				if started[n-1] != 0 {
					days = n
				}
			}
		}
	}
	return days
}
