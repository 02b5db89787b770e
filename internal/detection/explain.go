package detection

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"upstream"
	"upstream/internal/drift"
	"upstream/internal/store"
)

// explain fills in the root causes of the denial events, payer by payer.
func explain(ctx context.Context, t *store.Tenant, events []upstream.DriftEvent, from store.From) error {
	byPayer := map[string][]*upstream.DriftEvent{}
	for i := range events {
		if e := &events[i]; e.Signal == upstream.DenialRate && e.Payer != nil && e.Status != upstream.Resolved {
			byPayer[*e.Payer] = append(byPayer[*e.Payer], e)
		}
	}
	return sideBySide(slices.Collect(maps.Keys(byPayer)), func(payer string) error {
		groups, first, last := drift.DenialsToExplain(byPayer[payer]...)
		denials, err := t.Denials(ctx, payer, groups, first, last, from)
		if err != nil {
			return err
		}
		for _, e := range byPayer[payer] {
			drift.Explain(e, denials)
		}
		return nil
	})
}

// sideBySide does work on each item, on all processors.
func sideBySide[T any](items []T, work func(T) error) error {
	errs := make([]error, len(items))
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(items)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(items); i = int(next.Add(1)) - 1 {
				errs[i] = work(items[i])
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// sampleClaims is how many claims an event names.
const sampleClaims = 5

// addSamples names some of the denials that prove each event that goes on. They
// alone have an index; `upstream event claims` lists those of any event.
func addSamples(ctx context.Context, t *store.Tenant, events []upstream.DriftEvent) error {
	var proven []*upstream.DriftEvent
	for i := range events {
		e := &events[i]
		if denials := e.Signal == upstream.DenialRate || e.Signal == upstream.Overturn; denials && e.Status != upstream.Resolved {
			proven = append(proven, e)
		}
	}
	return t.SampleClaims(ctx, proven, sampleClaims)
}
