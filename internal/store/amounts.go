package store

import (
	"cmp"
	"context"
	"math"
	"runtime"
	"slices"
	"sync"

	"upstream"
)

// Amounts reads what first decisions allowed per unit in the last whole weeks,
// Monday to Sunday, that were over at the end of until: as many as weeks says.
func (t *Tenant) Amounts(ctx context.Context, until upstream.Day, weeks int, from From) (*upstream.Amounts, error) {
	if from == FromRollups {
		if err := t.foldIfMany(ctx); err != nil {
			return nil, err
		}
	}
	weeks = max(weeks, 0)
	first := weekOf(int64(until)+1) - int64(weeks)
	out := &upstream.Amounts{First: mondayOf(first), Weeks: weeks}
	err := t.s.scan(ctx, func(x tx) error {
		own, err := groupsInForce(x, t.id)
		if err != nil {
			return err
		}
		if len(own) > 0 {
			out.Groups = own
		}
		r := amountsReader{first: first, weeks: int32(weeks), turn: make(chan struct{}, runtime.GOMAXPROCS(0))}
		l, err := t.terms(x)
		if err != nil {
			return err
		}
		for i, term := range amountTerms {
			r.texts[i] = l.values[term.kind]
			r.ranks[i] = ranks(r.texts[i])
		}
		if err := cmp.Or(r.read(t, x, from), r.failed); err != nil {
			return err
		}
		out.Keys = r.keys()
		return nil
	})
	return out, err
}

// amountsReader merges the periods of each payer, payers side by side on all
// cores while the next ones are read.
type amountsReader struct {
	first int64 // week
	weeks int32
	texts [len(amountTerms)][]string
	ranks [len(amountTerms)][]int32

	turn   chan struct{}
	wg     sync.WaitGroup
	mu     sync.Mutex
	payers []payerAmounts
	failed error
}

// payerAmounts are the prices of a payer, to be merged, and then its keys.
type payerAmounts struct {
	term    int32
	periods []int64
	blobs   [][]byte
	keys    []rankedKey
	atoms   []upstream.Atom
}

// read reads the blobs of payer after payer.
func (r *amountsReader) read(t *Tenant, x tx, from From) error {
	if r.weeks == 0 {
		return nil
	}
	s := span{math.MinInt64, math.MaxInt64, r.first >> amountWeekBits, (r.first + int64(r.weeks) - 1) >> amountWeekBits}
	var p payerAmounts
	err := t.buckets(x, amountKind, s, from, func(at bucket, blob []byte, waiting []cell) error {
		if int64(p.term) != at.part {
			r.start(p)
			p = payerAmounts{term: int32(at.part)}
		}
		if len(waiting) > 0 {
			cells, err := amountKind.together(at, blob, waiting)
			if err != nil {
				return err
			}
			blob = amountKind.encode(cells)
		}
		p.periods, p.blobs = append(p.periods, at.period), append(p.blobs, slices.Clone(blob))
		return nil
	})
	r.start(p)
	r.wg.Wait()
	return err
}

// start merges a payer on another core.
func (r *amountsReader) start(p payerAmounts) {
	if len(p.blobs) == 0 {
		return
	}
	r.turn <- struct{}{}
	r.wg.Go(func() {
		err := r.merge(&p)
		p.blobs = nil
		r.mu.Lock()
		r.payers, r.failed = append(r.payers, p), cmp.Or(r.failed, err)
		r.mu.Unlock()
		<-r.turn
	})
}

// keys returns the keys of all payers in order.
func (r *amountsReader) keys() (out []upstream.AmountKey) {
	n := 0
	for i := range r.payers {
		n += len(r.payers[i].keys)
	}
	if n == 0 {
		return nil
	}
	rank := r.ranks[0]
	slices.SortFunc(r.payers, func(a, b payerAmounts) int { return cmp.Compare(rank[a.term], rank[b.term]) })
	out = make([]upstream.AmountKey, 0, n)
	for i := range r.payers {
		p := &r.payers[i]
		for _, k := range p.keys {
			text := func(i int) string { return r.texts[i][k.terms[i]] }
			out = append(out, upstream.AmountKey{
				Payer: text(0), CPT: text(1), Modifiers: text(2), Place: text(3), Location: text(4),
				Atoms: p.atoms[k.start:k.end:k.end],
			})
		}
	}
	return out
}

// amountTerms are the fields of an amount's key that are terms.
var amountTerms = [...]struct {
	field int
	kind  termKind
}{
	{amountPayer, kindPayer}, {amountCode, kindCode}, {amountModifiers, kindModifiers}, {amountPlace, kindPlace}, {amountLocation, kindLocation},
}
