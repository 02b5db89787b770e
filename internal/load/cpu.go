package load

import (
	"runtime"
	"sync"
	"syscall"
	"time"
)

// cpuMeter tells how much of the processors this process takes: 1 is all of them.
type cpuMeter struct {
	mu                 sync.Mutex
	from, to           time.Duration // of the window
	atFrom, atTo       time.Duration // processor time used by then
	ticked, tickedUsed time.Duration
	present            float64
}

// used is the processor time that this process has taken.
func used() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (m *cpuMeter) begin(now time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.from, m.to, m.atFrom = now, forever, used()
	m.ticked, m.tickedUsed = now, m.atFrom
}

func (m *cpuMeter) finish(now time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.to == forever {
		m.to, m.atTo = now, used()
	}
}

func (m *cpuMeter) tick(now time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := used()
	m.present = fraction(u-m.tickedUsed, now-m.ticked)
	m.ticked, m.tickedUsed = now, u
}

// last is the share in the last second.
func (m *cpuMeter) last() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.present
}

// share is the share in the window.
func (m *cpuMeter) share(now time.Duration) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.to == forever {
		return fraction(used()-m.atFrom, now-m.from)
	}
	return fraction(m.atTo-m.atFrom, m.to-m.from)
}

func fraction(used, of time.Duration) float64 {
	if of <= 0 {
		return 0
	}
	return float64(used) / float64(of) / float64(runtime.GOMAXPROCS(0))
}
