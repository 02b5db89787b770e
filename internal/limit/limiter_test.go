package limit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upstream"
)

func take(t interface {
	Helper()
	Fatalf(string, ...any)
}, l Limiter, key string, r Rate, now time.Time,
) Decision {
	t.Helper()
	d, err := l.Take(ctx, key, r, now)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return d
}

func TestABurstIsAllowedAndThenTheRate(t *testing.T) {
	onAllLimiters(t, func(t *testing.T, l Limiter) {
		rate := Rate{PerSecond: 2, Burst: 3}
		const ms = time.Millisecond
		for _, step := range []struct {
			at   time.Duration
			want Decision
		}{
			{0, Decision{Allowed: true, Remaining: 2, Reset: 500 * ms}},
			{0, Decision{Allowed: true, Remaining: 1, Reset: 1000 * ms}},
			{0, Decision{Allowed: true, Remaining: 0, Reset: 1500 * ms}},
			{0, Decision{RetryAfter: 500 * ms, Reset: 1500 * ms}},
			{100 * ms, Decision{RetryAfter: 400 * ms, Reset: 1400 * ms}},
			{500*ms - time.Microsecond, Decision{RetryAfter: time.Microsecond, Reset: 1000*ms + time.Microsecond}},
			{500 * ms, Decision{Allowed: true, Remaining: 0, Reset: 1500 * ms}},
			{500 * ms, Decision{RetryAfter: 500 * ms, Reset: 1500 * ms}},
			{1600 * ms, Decision{Allowed: true, Remaining: 1, Reset: 900 * ms}},
			{time.Hour, Decision{Allowed: true, Remaining: 2, Reset: 500 * ms}},
		} {
			if diff := cmp.Diff(step.want, take(t, l, "k", rate, start.Add(step.at))); diff != "" {
				t.Errorf("after %s:\n%s", step.at, diff)
			}
		}
	})
}

func TestKeysAreCountedByThemselves(t *testing.T) {
	onAllLimiters(t, func(t *testing.T, l Limiter) {
		rate := Rate{PerSecond: 0.01, Burst: 1}
		for _, key := range []string{"a", "b", "", "a b\r\nc", "é"} {
			if !take(t, l, key, rate, start).Allowed || take(t, l, key, rate, start).Allowed {
				t.Errorf("%q: want one request", key)
			}
		}
	})
}

func TestNoRateIsNoLimit(t *testing.T) {
	onAllLimiters(t, func(t *testing.T, l Limiter) {
		for range 1000 {
			if diff := cmp.Diff(Decision{Allowed: true}, take(t, l, "k", Rate{}, start)); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func TestARequestThatWasGivenUpIsNotCounted(t *testing.T) {
	onAllLimiters(t, func(t *testing.T, l Limiter) {
		over, cancel := context.WithCancel(ctx)
		cancel()
		rate := Rate{PerSecond: 1, Burst: 1}
		for _, r := range []Rate{rate, {}} {
			if d, err := l.Take(over, "k", r, start); d.Allowed || upstream.ErrorCode(err) != upstream.Unavailable || !errors.Is(err, context.Canceled) {
				t.Errorf("%+v, %v", d, err)
			}
		}
		if !take(t, l, "k", rate, start).Allowed {
			t.Error("it was counted")
		}
	})
}

func TestOfManyAtOnceExactlyTheBurstIsAllowed(t *testing.T) {
	onAllLimiters(t, func(t *testing.T, l Limiter) {
		var allowed atomic.Int64
		var wait sync.WaitGroup
		for range 16 {
			wait.Go(func() {
				for range 10 {
					if d, err := l.Take(ctx, "k", Rate{PerSecond: 0.1, Burst: 37}, start); err != nil {
						t.Error(err)
					} else if d.Allowed {
						allowed.Add(1)
					}
				}
			})
		}
		wait.Wait()
		if allowed.Load() != 37 {
			t.Errorf("%d of 160 allowed, want 37", allowed.Load())
		}
	})
}

func TestAClockThatGoesBackLocksNobodyOut(t *testing.T) {
	onAllLimiters(t, func(t *testing.T, l Limiter) {
		rate := Rate{PerSecond: 1, Burst: 60}
		for range 60 {
			take(t, l, "k", rate, start)
		}
		back := func(d time.Duration) Decision { return take(t, l, "k", rate, start.Add(-d)) }
		if d := back(0); d.Allowed {
			t.Fatalf("%+v", d)
		}
		// Two servers whose clocks differ by a second: the limit holds, by that second.
		if d := back(time.Second); d.Allowed || d.Remaining != 0 || d.RetryAfter != 2*time.Second {
			t.Errorf("a second back: %+v", d)
		}
		if d := back(time.Hour); !d.Allowed || d.Remaining != 59 {
			t.Errorf("an hour back: %+v", d)
		}
	})
}

func TestALowerRateCountsAtOnce(t *testing.T) {
	onAllLimiters(t, func(t *testing.T, l Limiter) {
		for range 100 {
			take(t, l, "k", Rate{PerSecond: 0.1, Burst: 100}, start)
		}
		if d := take(t, l, "k", Rate{PerSecond: 10, Burst: 2}, start); !d.Allowed || d.Reset != 100*time.Millisecond {
			t.Errorf("%+v: the key waits for what another rate counted", d)
		}
	})
}

// bucket is the limiter as one would write it first: tokens that come back with
// time, here counted in the microseconds that they take to.
type bucket struct{ level, at int64 }

func (b *bucket) take(r Rate, now int64) Decision {
	interval := r.interval()
	b.level = min(r.window(), b.level+now-b.at)
	b.at = now
	d := Decision{Allowed: b.level >= interval}
	if d.Allowed {
		b.level -= interval
	} else {
		d.RetryAfter = microseconds(interval - b.level)
	}
	d.Remaining, d.Reset = int(b.level/interval), microseconds(r.window()-b.level)
	return d
}

func TestLimitersDecideAsABucketDoes(t *testing.T) {
	onAllLimiters(t, func(t *testing.T, l Limiter) {
		var run atomic.Int64
		rapid.Check(t, func(t *rapid.T) {
			prefix := fmt.Sprintf("%d:", run.Add(1))
			// Windows of minutes: Redis forgets by its own clock, which runs on.
			rate := Rate{PerSecond: rapid.Float64Range(0.01, 0.3).Draw(t, "rate"), Burst: rapid.IntRange(1, 6).Draw(t, "burst")}
			buckets := map[string]*bucket{}
			now := start
			for range rapid.IntRange(1, 40).Draw(t, "requests") {
				now = now.Add(time.Duration(rapid.Int64Range(0, 30e6).Draw(t, "pause")) * time.Microsecond)
				key := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")
				if buckets[key] == nil {
					buckets[key] = &bucket{level: rate.window(), at: now.UnixMicro()}
				}
				want := buckets[key].take(rate, now.UnixMicro())
				if diff := cmp.Diff(want, take(t, l, prefix+key, rate, now)); diff != "" {
					t.Fatalf("%s at %s:\n%s", rate, now, diff)
				}
			}
		})
	})
}

func (m *MemoryLimiter) keys() (n int) {
	for i := range m.shards {
		n += len(m.shards[i].tat)
	}
	return n
}

func TestTheNumberOfKeysIsBounded(t *testing.T) {
	l := NewMemoryLimiter(4 * shards)
	for i := range 10_000 {
		if !take(t, l, fmt.Sprint(i), Rate{PerSecond: 0.001, Burst: 2}, start).Allowed {
			t.Fatal("a new key is refused")
		}
	}
	if n := l.keys(); n > 4*shards {
		t.Errorf("%d keys of %d", n, 4*shards)
	}
}

func TestIdleKeysAreForgotten(t *testing.T) {
	l := NewMemoryLimiter(1_000_000)
	rate := Rate{PerSecond: 1000, Burst: 1}
	for i := range 10_000 {
		take(t, l, fmt.Sprint(i), rate, start.Add(time.Duration(i)*time.Second))
	}
	if n := l.keys(); n > 2*shards {
		t.Errorf("%d keys are kept, of which one is busy", n)
	}
}

// Who is limited can't free himself with requests under other keys.
func TestAFloodOfKeysDoesNotWashAwayWhoIsLimited(t *testing.T) {
	l := NewMemoryLimiter(4 * shards)
	rate := Rate{PerSecond: 0.01, Burst: 5}
	for range 5 {
		take(t, l, "attacker", rate, start)
	}
	for i := range 10_000 {
		take(t, l, fmt.Sprint(i), rate, start)
	}
	if take(t, l, "attacker", rate, start).Allowed {
		t.Error("the limited key was forgotten")
	}
}

func BenchmarkMemoryLimiter(b *testing.B) {
	l := NewMemoryLimiter(100_000)
	keys := make([]string, 1024)
	for i := range keys {
		keys[i] = fmt.Sprintf("read:token:%d", i)
	}
	rate := Rate{PerSecond: 50, Burst: 100}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := l.Take(ctx, keys[i%len(keys)], rate, start.Add(time.Duration(i))); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMemoryLimiterNewKeys(b *testing.B) {
	l := NewMemoryLimiter(100_000)
	keys := make([]string, 1<<20)
	for i := range keys {
		keys[i] = fmt.Sprintf("read:token:%d", i)
	}
	i := 0
	for b.Loop() {
		if _, err := l.Take(ctx, keys[i%len(keys)], Rate{PerSecond: 50, Burst: 100}, start.Add(time.Duration(i))); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
