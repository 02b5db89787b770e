package bench

import (
	"bytes"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"time"
)

// memoryWatch samples the heap while work runs. The process's peak comes from
// the kernel, which misses nothing between samples.
type memoryWatch struct {
	end  chan struct{}
	done chan int64
}

func watchMemory() *memoryWatch {
	runtime.GC() // so that one run does not pay for the garbage of the last
	// Clears the kernel's high-water mark; without the right to, the peak is
	// that of the process so far.
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	w := &memoryWatch{make(chan struct{}), make(chan int64)}
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		peak := int64(0)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(sample)
			peak = max(peak, int64(sample[0].Value.Uint64()))
			select {
			case <-tick.C:
			case <-w.end:
				metrics.Read(sample)
				w.done <- max(peak, int64(sample[0].Value.Uint64()))
				return
			}
		}
	}()
	return w
}

// stop returns the peaks of heap and process in bytes.
func (w *memoryWatch) stop() (heap, rss int64) {
	close(w.end)
	return <-w.done, peakRSS()
}

// peakRSS reads the high-water mark of the resident set; 0 where the kernel
// does not tell.
func peakRSS() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kb, _ := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
			return kb * 1024
		}
	}
	return 0
}
