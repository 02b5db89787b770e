package limit

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// shards is a power of two: with two cores or sixty-four, few requests meet at one
// lock.
const shards = 64

// MemoryLimiter counts in the memory of this process. It keeps a bounded number of
// keys and forgets those that are idle while it takes new ones.
type MemoryLimiter struct {
	seed    maphash.Seed
	perLock int
	shards  [shards]limiterShard
}

type limiterShard struct {
	mu  sync.Mutex
	tat map[string]int64 // in microseconds since 1970
	_   [48]byte         // keeps two locks off one line of the processor's cache
}

// NewMemoryLimiter makes a limiter of at most so many keys, of some 100 bytes each.
func NewMemoryLimiter(keys int) *MemoryLimiter {
	m := &MemoryLimiter{seed: maphash.MakeSeed(), perLock: max(keys/shards, 1)}
	for i := range m.shards {
		m.shards[i].tat = map[string]int64{}
	}
	return m
}

// Take implements Limiter.
func (m *MemoryLimiter) Take(ctx context.Context, key string, r Rate, now time.Time) (Decision, error) {
	if err := ended(ctx); err != nil || r.off() {
		return Decision{Allowed: err == nil}, err
	}
	at := now.UnixMicro()
	s := &m.shards[maphash.String(m.seed, key)%shards]
	s.mu.Lock()
	tat, known := s.tat[key]
	tat, allowed := r.take(tat, at)
	if allowed {
		if !known {
			s.makeRoom(m.perLock, at)
		}
		s.tat[key] = tat
	}
	s.mu.Unlock()
	return r.decision(tat, at, allowed), nil
}

// makeRoom forgets idle keys among a few that a map offers by chance. As it looks at
// several for each that comes, idle ones don't pile up. When all are busy and the
// shard is full the one that is idle soonest goes: it has the least to forget.
func (s *limiterShard) makeRoom(most int, now int64) {
	const few = 8
	looked, soonest, least := 0, "", int64(0)
	for key, tat := range s.tat {
		if looked++; looked > few {
			break
		}
		if tat <= now {
			delete(s.tat, key)
		} else if soonest == "" || tat < least {
			soonest, least = key, tat
		}
	}
	if len(s.tat) >= most {
		delete(s.tat, soonest)
	}
}
