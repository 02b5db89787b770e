package limit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"upstream"
	"upstream/internal/redistest"
)

// changes notes what a Redis reports.
type changes struct {
	mu   sync.Mutex
	list []bool
	errs []error
}

func (c *changes) note(up bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list, c.errs = append(c.list, up), append(c.errs, err)
}

func (c *changes) want(t *testing.T, want ...bool) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if diff := cmp.Diff(want, c.list); diff != "" {
		t.Errorf("it reported %v: %v, want %v", c.list, c.errs, want)
	}
	for i, up := range c.list {
		if up != (c.errs[i] == nil) {
			t.Errorf("up: %t with the error %v", up, c.errs[i])
		}
	}
}

// tried has a request ask after a pause, and waits for the try that it sets off.
func tried(r *Redis, c *clock, pause time.Duration) {
	c.Advance(pause)
	r.Get(ctx, "k")
	r.breaker.tries.Wait()
}

func TestALostRedisCostsOneFailureAndComesBack(t *testing.T) {
	server, clock, seen := redistest.New(t), newClock(), &changes{}
	r := open(t, server.URL(), clock, seen.note)
	r.Set(ctx, "k", []byte("1"), time.Hour)
	holds(t, r, "k", []byte("1"))
	seen.want(t)

	server.Stop()
	for range 100 {
		holds(t, r, "k", nil)
		r.Set(ctx, "k", []byte("2"), time.Hour)
		r.Set(ctx, "k", nil, 0)
	}
	if r.Up() || r.Failures() != 1 {
		t.Errorf("up: %t after %d failures: 300 requests should have met it once", r.Up(), r.Failures())
	}
	seen.want(t, false)

	for i, pause := range []time.Duration{1, 2, 4, 8, 10, 10} {
		tried(r, clock, pause*time.Second-1)
		if r.Failures() != int64(i+1) {
			t.Fatalf("pause %d: it was tried before %d s were over", i, pause)
		}
		tried(r, clock, 1)
		if r.Failures() != int64(i+2) {
			t.Fatalf("pause %d: it was not tried when %d s were over", i, pause)
		}
	}
	seen.want(t, false)

	server.Start()
	tried(r, clock, 10*time.Second)
	seen.want(t, false, true)
	r.Set(ctx, "k", []byte("3"), time.Hour)
	holds(t, r, "k", []byte("3"))

	server.Stop() // lost again: told again, and tried after one second again
	holds(t, r, "k", nil)
	server.Start()
	tried(r, clock, time.Second)
	seen.want(t, false, true, false, true)
	if !r.Up() {
		t.Error("it isn't up")
	}

	// Who looks whether it is up finds out that it is: nobody else may ask.
	server.Stop()
	holds(t, r, "k", nil)
	server.Start()
	clock.Advance(time.Second)
	if r.Up() {
		t.Error("it is up before it was tried")
	}
	r.breaker.tries.Wait()
	if !r.Up() {
		t.Error("it was not tried")
	}
}

// A frozen server is the worst: it accepts and doesn't answer. Each of those who ask
// at the moment of the break waits once; nobody does afterwards, not even for a try.
func TestAFrozenRedisIsWaitedForOnce(t *testing.T) {
	server, clock, seen := redistest.New(t), newClock(), &changes{}
	r := open(t, server.URL(), clock, seen.note)
	r.Set(ctx, "k", []byte("1"), time.Hour)
	server.Freeze()
	const requests = 8
	var wait sync.WaitGroup
	for range requests {
		wait.Go(func() {
			for range 50 {
				if value, ok := r.Get(ctx, "k"); ok {
					t.Errorf("a frozen server gave %q", value)
				}
			}
		})
	}
	wait.Wait()
	if n := r.Failures(); n < 1 || n > requests {
		t.Errorf("%d failures: each of %d may wait once", n, requests)
	}
	seen.want(t, false)

	before := r.Failures()
	clock.Advance(time.Second)
	for range 50 {
		holds(t, r, "k", nil) // sets off a try that waits, and doesn't wait itself
	}
	r.breaker.tries.Wait()
	if n := r.Failures(); n != before+1 {
		t.Errorf("%d failures after one try, %d before", n, before)
	}

	server.Thaw()
	tried(r, clock, 2*time.Second)
	seen.want(t, false, true)
	holds(t, r, "k", []byte("1"))
}

func TestTimeoutsAreShort(t *testing.T) {
	_, url := mini(t)
	o := open(t, url+"?read_timeout=1m&dial_timeout=1m&pool_timeout=1m&max_retries=9", newClock(), nil).client.Options()
	got := []time.Duration{o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout}
	if diff := cmp.Diff([]time.Duration{500e6, 250e6, 250e6, 250e6}, got); diff != "" || o.MaxRetries > 0 || o.DialerRetries != 1 || !o.ContextTimeoutEnabled {
		t.Errorf("retries %d and %d\n%s", o.MaxRetries, o.DialerRetries, diff)
	}
}

func TestWithoutRedisEachProcessLimitsByItself(t *testing.T) {
	server, clock, seen := redistest.New(t), newClock(), &changes{}
	r := open(t, server.URL(), clock, seen.note)
	rate := Rate{PerSecond: 0.01, Burst: 3}
	for range 3 {
		take(t, r, "k", rate, start)
	}
	server.Stop()
	for i := range 5 {
		if d := take(t, r, "k", rate, start); d.Allowed != (i < 3) {
			t.Errorf("request %d: %+v", i, d)
		}
	}
	seen.want(t, false)
	server.Start()
	tried(r, clock, time.Second)
	if d := take(t, r, "k", rate, start); !d.Allowed || d.Remaining != 2 {
		t.Errorf("back, and empty: %+v", d)
	}
	if r.Failures() != 1 {
		t.Errorf("%d failures", r.Failures())
	}
}

func TestProcessesShareTheirRedis(t *testing.T) {
	url := redistest.URL(t)
	a, b := open(t, url, newClock(), nil), open(t, url, newClock(), nil)
	a.Set(ctx, "k", []byte("1"), time.Hour)
	holds(t, b, "k", []byte("1"))
	rate := Rate{PerSecond: 0.01, Burst: 2}
	for i, r := range []*Redis{a, b, a, b} {
		if d := take(t, r, "k", rate, start); d.Allowed != (i < 2) {
			t.Errorf("request %d: %+v", i, d)
		}
	}
}

func TestTheProgramStartsWithoutRedis(t *testing.T) {
	server, clock, seen := redistest.New(t), newClock(), &changes{}
	server.Stop()
	r := open(t, server.URL(), clock, seen.note)
	holds(t, r, "k", nil)
	seen.want(t, false)
	server.Start()
	tried(r, clock, time.Second)
	seen.want(t, false, true)
}

func TestAnErrorForAnAnswerIsAFailureToo(t *testing.T) {
	m, url := mini(t)
	clock, seen := newClock(), &changes{}
	r := open(t, url, clock, seen.note)
	m.SetError("LOADING Redis is loading the dataset in memory")
	holds(t, r, "k", nil)
	tried(r, clock, time.Second)
	seen.want(t, false)
	m.SetError("")
	tried(r, clock, 2*time.Second)
	seen.want(t, false, true)
}

func TestAMissIsNoFailure(t *testing.T) {
	_, url := mini(t)
	r := open(t, url, newClock(), nil)
	holds(t, r, "nothing", nil)
	if r.Failures() != 0 || !r.Up() {
		t.Errorf("%d failures", r.Failures())
	}
}

func TestACallerWhoLeavesIsNoFailureOfRedis(t *testing.T) {
	server := redistest.New(t)
	r := open(t, server.URL(), newClock(), nil)
	over, cancel := context.WithCancel(ctx)
	cancel()
	r.Set(ctx, "k", []byte("1"), time.Hour)
	if _, ok := r.Get(over, "k"); ok {
		t.Error("asked for somebody who has left")
	}
	r.Set(over, "k", []byte("2"), time.Hour)
	r.Set(over, "k", nil, 0)
	holds(t, r, "k", []byte("1"))
	if r.Failures() != 0 {
		t.Errorf("%d failures", r.Failures())
	}
}

// leaver ends a context when a command is on its way.
type leaver struct{ leave func() }

func (leaver) DialHook(next redis.DialHook) redis.DialHook { return next }

func (leaver) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (l leaver) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		l.leave()
		return next(ctx, cmd)
	}
}

func TestACallerWhoLeavesMeanwhileIsNoFailureOfRedis(t *testing.T) {
	_, url := mini(t)
	r := open(t, url, newClock(), nil)
	leaving, leave := context.WithCancel(ctx)
	r.client.AddHook(leaver{leave})
	r.Set(leaving, "k", []byte("1"), time.Hour)
	if leaving.Err() == nil {
		t.Fatal("the caller is still there")
	}
	holds(t, r, "k", []byte("1"))
	if r.Failures() != 0 {
		t.Errorf("%d failures", r.Failures())
	}
}

func TestKeysCarryTheProgramAndTheFormat(t *testing.T) {
	m, url := mini(t)
	r := open(t, url, newClock(), nil)
	r.Set(ctx, "k", []byte("1"), time.Hour)
	take(t, r, "k", Rate{PerSecond: 1, Burst: 2}, start)
	if err := r.try(ctx); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"upstream:1:cache:k", "upstream:1:limit:k", "upstream:1:try"}, m.Keys()); diff != "" {
		t.Error(diff)
	}
	for _, key := range m.Keys() {
		if m.TTL(key) <= 0 {
			t.Errorf("%s never goes", key)
		}
	}
}

func TestWhatIsNoTimeIsCountedAnew(t *testing.T) {
	m, url := mini(t)
	r := open(t, url, newClock(), nil)
	for _, damaged := range []string{"", "x", "-1", "9e99"} {
		if err := m.Set("upstream:1:limit:k", damaged); err != nil {
			t.Fatal(err)
		}
		if d := take(t, r, "k", Rate{PerSecond: 1, Burst: 2}, start); !d.Allowed || d.Remaining != 1 {
			t.Errorf("%q: %+v", damaged, d)
		}
	}
}

func TestErrorsNeverShowThePassword(t *testing.T) {
	const password = "s3cret"
	for _, url := range []string{
		"", "s3cret", "http://:s3cret@host", "unix://:s3cret@/tmp/redis.sock", "redis://:s3cret@host:port", "redis://:s3cret@host/x",
		"redis://:s3/cret@host", "redis://:s3%cret@host", "redis://user:1?s3cret@host", "redis://host?s3cret=1", "redis://:s3cret@host?db=s3cret",
	} {
		r, err := OpenRedis(url, RedisOptions{Clock: newClock().Now})
		if r != nil || upstream.ErrorCode(err) != upstream.Invalid || strings.Contains(err.Error(), "cret@") || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", url, err)
		}
	}
	m, url := mini(t)
	m.RequireAuth("another")
	for _, url := range []string{strings.Replace(url, "://", "://:s3cret@", 1), strings.Replace(url, "://", "://ann:s3cret@", 1), "redis://:s3cret@127.0.0.1:1"} {
		seen := &changes{}
		holds(t, open(t, url, newClock(), seen.note), "k", nil)
		seen.want(t, false)
		if text := fmt.Sprintf("%+v", errors.Join(seen.errs...)); text == "" || strings.Contains(text, password) {
			t.Errorf("%s is reported as %s", url, text)
		}
	}
}

func TestTLSIsSpokenWithRediss(t *testing.T) {
	_, url := mini(t)
	plain := open(t, url, newClock(), nil)
	sealed := open(t, strings.Replace(url, "redis://", "rediss://", 1), newClock(), nil)
	if plain.client.Options().TLSConfig != nil || sealed.client.Options().TLSConfig == nil {
		t.Error("redis:// is without TLS, rediss:// with it")
	}
}

func TestAClosedRedisIsTriedNoMore(t *testing.T) {
	server, clock := redistest.New(t), newClock()
	server.Stop()
	r, err := OpenRedis(server.URL(), RedisOptions{Clock: clock.Now}) // nobody is told
	if err != nil {
		t.Fatal(err)
	}
	holds(t, r, "k", nil)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	tried(r, clock, time.Minute)
	if r.Failures() != 1 {
		t.Errorf("%d failures", r.Failures())
	}
}

func BenchmarkRedis(b *testing.B) {
	r := open(b, redistest.URL(b), newClock(), nil)
	r.Set(ctx, "k", make([]byte, 4096), time.Hour)
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if _, ok := r.Get(ctx, "k"); !ok {
				b.Fatal("missed")
			}
		}
	})
	b.Run("take", func(b *testing.B) {
		now := start
		for b.Loop() {
			now = now.Add(time.Millisecond)
			if _, err := r.Take(ctx, "k", Rate{PerSecond: 1e4, Burst: 100}, now); err != nil {
				b.Fatal(err)
			}
		}
	})
}
