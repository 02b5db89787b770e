package limit

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// holds checks what a cache has under a key; nil stands for nothing.
func holds(t testing.TB, c Cache, key string, want []byte) {
	t.Helper()
	got, ok := c.Get(ctx, key)
	if ok != (want != nil) || !bytes.Equal(got, want) {
		t.Errorf("%q: %q, %t, want %q", key, got, ok, want)
	}
}

func TestACacheKeepsTheNewestValueOfAKey(t *testing.T) {
	onAllCaches(t, func(t *testing.T, c Cache, _ func(time.Duration)) {
		holds(t, c, "a", nil)
		c.Set(ctx, "a", nil, 0) // isn't there
		for key, value := range map[string]string{"a": "1", "b": "2", "": "3", "c": "", "d \r\n": "\x00\xff\r\n"} {
			c.Set(ctx, key, []byte(value), time.Minute)
			holds(t, c, key, []byte(value))
		}
		c.Set(ctx, "a", []byte("another"), time.Minute)
		holds(t, c, "a", []byte("another"))
		c.Set(ctx, "a", nil, 0)
		holds(t, c, "a", nil)
		holds(t, c, "b", []byte("2"))
	})
}

func TestAValueGoesWhenItsTimeIsOver(t *testing.T) {
	onAllCaches(t, func(t *testing.T, c Cache, pass func(time.Duration)) {
		c.Set(ctx, "short", []byte("1"), 20*time.Millisecond)
		c.Set(ctx, "long", []byte("2"), time.Hour)
		pass(20 * time.Millisecond)
		holds(t, c, "short", nil)
		holds(t, c, "long", []byte("2"))
	})
}

func TestAValueWithoutTimeIsNotKeptNorTheOneBefore(t *testing.T) {
	onAllCaches(t, func(t *testing.T, c Cache, _ func(time.Duration)) {
		for _, ttl := range []time.Duration{0, -time.Second} {
			c.Set(ctx, "a", []byte("1"), time.Minute)
			c.Set(ctx, "a", []byte("2"), ttl)
			holds(t, c, "a", nil)
		}
	})
}

func TestATooLargeValueIsNotKeptNorTheOneBefore(t *testing.T) {
	onAllCaches(t, func(t *testing.T, c Cache, _ func(time.Duration)) {
		c.Set(ctx, "a", []byte("1"), time.Minute)
		c.Set(ctx, "b", []byte("2"), time.Minute)
		c.Set(ctx, "a", make([]byte, 1<<20+1), time.Minute)
		holds(t, c, "a", nil)
		holds(t, c, "b", []byte("2"))
	})
}

func TestManyUseACacheAtOnce(t *testing.T) {
	onAllCaches(t, func(t *testing.T, c Cache, _ func(time.Duration)) {
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				for i := range 100 {
					key := fmt.Sprint(i % 7)
					c.Set(ctx, key, []byte(key), time.Minute)
					if got, ok := c.Get(ctx, key); ok && string(got) != key {
						t.Errorf("%q holds %q", key, got)
					}
					if i%5 == 0 {
						c.Set(ctx, key, nil, 0)
					}
				}
			})
		}
		wait.Wait()
	})
}

func TestTheMemoryCacheCopiesNothing(t *testing.T) {
	c := NewMemoryCache(1<<20, newClock().Now)
	value := []byte("value")
	c.Set(ctx, "a", value, time.Minute)
	if got, _ := c.Get(ctx, "a"); &got[0] != &value[0] {
		t.Error("the value was copied")
	}
	if n := testing.AllocsPerRun(100, func() { c.Get(ctx, "a") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func (m *MemoryCache) size() (bytes int64, entries int) {
	for i := range m.shards {
		s := &m.shards[i]
		ring := 0
		for e := s.recent.after; e != &s.recent; e = e.after {
			bytes += e.cost()
			ring++
		}
		if ring != len(s.entries) {
			return -1, ring
		}
		entries += ring
	}
	return bytes, entries
}

func TestACacheIsDividedWhereEachPartIsLarge(t *testing.T) {
	for size, want := range map[int64]int{1: 1, 1 << 20: 1, 8 << 20: 2, 9 << 20: 2, 64 << 20: 16, 1 << 30: 16} {
		c := NewMemoryCache(size, newClock().Now)
		if len(c.shards) != want {
			t.Errorf("%d bytes are %d shards, want %d", size, len(c.shards), want)
		}
		for i := range 3000 {
			c.Set(ctx, fmt.Sprint(i), make([]byte, 40_000), time.Minute)
		}
		if bytes, entries := c.size(); bytes < 0 || bytes > size || bytes != c.Bytes() {
			t.Errorf("%d bytes of %d in %d entries", bytes, size, entries)
		} else if size == 1<<30 && entries != 3000 {
			t.Errorf("%d of 3000 entries are left of 120 MB in 1 GB", entries)
		}
	}
}

// naiveCache does what a cache of one shard does, in a list from the newest on.
type naiveCache struct {
	most int64
	list []entry
}

func (n *naiveCache) take(key string) (e entry, ok bool) {
	for i, e := range n.list {
		if e.key == key {
			n.list = append(n.list[:i:i], n.list[i+1:]...)
			return e, true
		}
	}
	return entry{}, false
}

func (n *naiveCache) get(key string, now time.Time) []byte {
	e, ok := n.take(key)
	if !ok || !e.expires.After(now) {
		return nil
	}
	n.list = append([]entry{e}, n.list...)
	return e.value
}

func (n *naiveCache) set(key string, value []byte, expires, now time.Time) {
	n.take(key)
	if !expires.After(now) {
		return
	}
	n.list = append([]entry{{key: key, value: value, expires: expires}}, n.list...)
	if n.list[0].cost() > n.most {
		n.list = n.list[1:]
	}
	for total := int64(0); ; total = 0 {
		for _, e := range n.list {
			total += e.cost()
		}
		if total <= n.most {
			return
		}
		n.list = n.list[:len(n.list)-1]
	}
}

func TestTheMemoryCacheForgetsWhatWasNotAskedForTheLongest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := newClock()
		c, naive := NewMemoryCache(1000, clock.Now), &naiveCache{most: 1000}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			key := rapid.SampledFrom(strings.Split("abcdefgh", "")).Draw(t, "key")
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				value := make([]byte, rapid.IntRange(0, 900).Draw(t, "bytes"))
				ttl := time.Duration(rapid.IntRange(-1, 20).Draw(t, "ttl"))
				c.Set(ctx, key, value, ttl)
				naive.set(key, value, clock.Now().Add(ttl), clock.Now())
			case 2, 3:
				got, ok := c.Get(ctx, key)
				want := naive.get(key, clock.Now())
				if diff := cmp.Diff(want, got); diff != "" || ok != (want != nil) {
					t.Fatalf("%s: %t\n%s", key, ok, diff)
				}
			case 4:
				if rapid.Bool().Draw(t, "delete") {
					c.Set(ctx, key, nil, 0)
					naive.take(key)
				} else {
					clock.Advance(time.Duration(rapid.IntRange(0, 5).Draw(t, "pause")))
				}
			}
			var want int64
			for _, e := range naive.list {
				want += e.cost()
			}
			if bytes, _ := c.size(); bytes != want || c.shards[0].bytes != want {
				t.Fatalf("%d bytes, counted as %d, want %d", bytes, c.shards[0].bytes, want)
			}
		}
	})
}

func BenchmarkMemoryCacheGet(b *testing.B) {
	c := NewMemoryCache(64<<20, time.Now)
	keys := make([]string, 1024)
	for i := range keys {
		keys[i] = fmt.Sprintf("7:123456:/api/v1/claims/?payer=%d", i)
		c.Set(ctx, keys[i], make([]byte, 4096), time.Hour)
	}
	b.ReportAllocs()
	b.Run("one", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, ok := c.Get(ctx, keys[i%len(keys)]); !ok {
				b.Fatal("missed")
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if _, ok := c.Get(ctx, keys[i%len(keys)]); !ok {
					b.Fatal("missed")
				}
			}
		})
	})
}
