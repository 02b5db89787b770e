package jobs

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"upstream"
	"upstream/internal/store"
)

func TestEachHourWhatHasExpiredGoesAndLostMappingsAreApplied(t *testing.T) {
	content := file(t, 500, 1)
	onBoth(t, func(w *world) {
		ctx := context.Background()
		w.loadDirectly(content)
		d, err := w.tenant.Decisions(ctx, upstream.DayOf(now), store.FromRollups)
		if err != nil {
			w.Fatal(err)
		}
		one := d.Nodes[0].Payer
		user, err := w.store.CreateUser(ctx, upstream.User{Username: "ann", Customer: 1, Role: upstream.Viewer}, "hash", now)
		if err != nil {
			w.Fatal(err)
		}
		old, err := w.store.CreateSession(ctx, upstream.Session{User: user.ID, Kind: upstream.TokenSession}, "", now.AddDate(0, -3, 0))
		if err != nil {
			w.Fatal(err)
		}
		young, err := w.store.CreateSession(ctx, upstream.Session{User: user.ID, Kind: upstream.TokenSession}, "", now)
		if err != nil {
			w.Fatal(err)
		}
		request := store.IdempotentRequest{Customer: 1, Actor: "user:ann", Key: "k", BodyHash: "h", At: now.AddDate(0, 0, -2)}
		if _, err := w.store.BeginIdempotent(ctx, request); err != nil {
			w.Fatal(err)
		}

		w.withoutNights()
		var seen observed
		var hours atomic.Int64
		at := func() time.Time { return now.Add(time.Duration(hours.Load()) * time.Hour) }
		j := w.jobs(Options{Work: true, Now: at, Observe: seen.observe, pace: pace{beat: time.Minute, silent: time.Hour, sweep: 20 * time.Millisecond}})
		tidied := func(times int) {
			w.Helper()
			w.until("it is tidy", func() bool { n, _ := seen.of("tidy"); return n >= times })
			if n, errs := seen.of("tidy"); n != times || errs != 0 {
				w.Errorf("tidied %d times with %d errors, want %d", n, errs, times)
			}
		}
		tidied(1)
		for id, there := range map[int64]bool{old.ID: false, young.ID: true} {
			if s, err := w.store.SessionByID(ctx, id); err != nil || (s.ID != 0) != there {
				w.Errorf("session %d is there: %t, %v, want %t", id, s.ID != 0, err, there)
			}
		}
		if n, err := w.store.PruneIdempotent(ctx, now); err != nil || n != 0 {
			w.Errorf("%d old answers were left, %v", n, err)
		}

		// A mapping whose job was never enqueued, and an hour without anything to do.
		if _, err := w.tenant.CreatePayerMapping(ctx, upstream.PayerMapping{Raw: one, Payer: "Brook Valley Plan"}); err != nil {
			w.Fatal(err)
		}
		if err := j.sweep(ctx); err != nil { // the hour is done
			w.Fatal(err)
		}
		hours.Store(1)
		tidied(2)
		if n, err := w.tenant.ApplyMappings(ctx); err != nil || n != 0 {
			w.Errorf("%d claims were not renamed, %v", n, err)
		}
		before, err := w.store.Revisions(ctx, 1)
		if err != nil {
			w.Fatal(err)
		}
		hours.Store(2)
		tidied(3)
		if after, err := w.store.Revisions(ctx, 1); err != nil || after != before {
			w.Errorf("nothing to do makes every answer stale: %v became %v, %v", before, after, err)
		}
		w.claims()
	})
}
