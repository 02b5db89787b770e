package load

import (
	"slices"
	"time"
)

// arrival takes the next arrival. After the end those that were due before it are
// still taken, as they would be missing otherwise.
func (r *run) arrival() (due time.Duration, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.returned) > 0 {
		due, more = slices.Min(r.returned), true
		r.returned = slices.Delete(r.returned, slices.Index(r.returned, due), slices.Index(r.returned, due)+1)
	} else if due, more = r.schedule.Next(); more {
		due += r.opened
	}
	if more && (due >= r.limited() || r.state == Stopping && (due >= r.endedAt || r.over.Load())) {
		r.returned = append(r.returned, due)
		return 0, false
	}
	return due, more
}

// giveBack returns an arrival that was not made.
func (r *run) giveBack(due time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.returned = append(r.returned, due)
}

// overdue counts the arrivals that were due before the end and never made, because no
// user was free.
func (r *run) overdue() (n int64) {
	if r.schedule == nil || r.opened == 0 {
		return 0
	}
	for _, due := range r.returned {
		if due < r.endedAt {
			n++
		}
	}
	for {
		due, more := r.schedule.Next()
		if !more || due+r.opened >= r.endedAt {
			return n
		}
		n++
	}
}
