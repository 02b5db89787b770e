package limit

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// Cache keeps answers for a while. It may forget any of them at any time, and none
// is taken back: keys name the version of what they hold.
type Cache interface {
	// Get returns a value, which the caller must not change.
	Get(ctx context.Context, key string) ([]byte, bool)
	// Set keeps a value, which the caller must not change afterwards; a ttl that
	// isn't positive keeps nothing, nor the value before.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration)
}

const (
	// entryCost is what an entry takes beside its key and value, in bytes.
	entryCost = 160
	// leastShard is below which a cache isn't divided further: a value must fit
	// into a shard.
	leastShard = 4 << 20
)

// MemoryCache keeps values in the memory of this process, and drops those that
// weren't asked for the longest when they come to too many bytes.
type MemoryCache struct {
	seed   maphash.Seed
	mask   uint64
	clock  func() time.Time
	shards []cacheShard
}

type cacheShard struct {
	mu          sync.Mutex
	entries     map[string]*entry
	recent      entry // the ring's fixed point: after it the newest, before it the oldest
	bytes, most int64
}

// entry is a value in the ring of its shard.
type entry struct {
	before, after *entry
	key           string
	value         []byte
	expires       time.Time
}

func (e *entry) cost() int64 { return int64(len(e.key)+len(e.value)) + entryCost }

// NewMemoryCache makes a cache of at most so many bytes, keys and overhead included.
// A value of more than a shard, which is a sixteenth but at least 4 MiB, isn't kept.
func NewMemoryCache(bytes int64, clock func() time.Time) *MemoryCache {
	n := int64(1)
	for n < 16 && bytes/(2*n) >= leastShard {
		n *= 2
	}
	m := &MemoryCache{seed: maphash.MakeSeed(), mask: uint64(n - 1), clock: clock, shards: make([]cacheShard, n)}
	for i := range m.shards {
		s := &m.shards[i]
		s.entries, s.most = map[string]*entry{}, bytes/n
		s.recent.before, s.recent.after = &s.recent, &s.recent
	}
	return m
}

// Bytes returns how much the cache holds, overhead included.
func (m *MemoryCache) Bytes() (n int64) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += s.bytes
		s.mu.Unlock()
	}
	return n
}

func (m *MemoryCache) shard(key string) *cacheShard {
	return &m.shards[maphash.String(m.seed, key)&m.mask]
}

// Get implements Cache; the value is the very slice that was set.
func (m *MemoryCache) Get(_ context.Context, key string) ([]byte, bool) {
	s := m.shard(key)
	now := m.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[key]
	if e == nil {
		return nil, false
	}
	if !e.expires.After(now) {
		s.remove(e)
		return nil, false
	}
	e.unlink()
	s.link(e)
	return e.value, true
}

// Set implements Cache.
func (m *MemoryCache) Set(_ context.Context, key string, value []byte, ttl time.Duration) {
	e := &entry{key: key, value: value, expires: m.clock().Add(ttl)}
	s := m.shard(key)
	if ttl <= 0 || e.cost() > s.most {
		m.remove(key) // the value before is out of date
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.entries[key]; old != nil {
		s.remove(old)
	}
	s.entries[key] = e
	s.link(e)
	for s.bytes += e.cost(); s.bytes > s.most; {
		s.remove(s.recent.before)
	}
}

func (m *MemoryCache) remove(key string) {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[key]; e != nil {
		s.remove(e)
	}
}

func (s *cacheShard) link(e *entry) {
	e.before, e.after = &s.recent, s.recent.after
	e.before.after, e.after.before = e, e
}

func (e *entry) unlink() { e.before.after, e.after.before = e.after, e.before }

func (s *cacheShard) remove(e *entry) {
	e.unlink()
	delete(s.entries, e.key)
	s.bytes -= e.cost()
}
