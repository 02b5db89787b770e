package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"upstream"
	"upstream/internal/store"
)

// entry is what the audit says of a change. It is committed together with it.
func (c *call) entry(r *http.Request) upstream.AuditEntry {
	return upstream.AuditEntry{
		Customer: c.customer, At: c.started, Actor: c.actor(), Action: c.route.op.OperationID, Target: r.PathValue("id"),
		Address: c.address, Request: c.id, Count: 1,
	}
}

// changes is what the audit tells of a change: the body of the request, unless it is
// a file or may hold secrets. Handlers of the latter describe the rest of it.
func (c *call) changes(r *http.Request) string {
	if c.route.has(secret) || c.route.has(streamed) || c.route.op.RequestBody == nil {
		return ""
	}
	// What is wrong with the body, the handler finds out and says.
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), r.Body))
	return string(body)
}

// auditChange tells the audit of a change what it may, as JSON.
func auditChange(ctx context.Context, change map[string]any) {
	b, err := json.Marshal(change)
	if err != nil {
		panic(err) // it is made of texts and numbers
	}
	store.DescribeAudit(ctx, string(b))
}

func (c *call) actor() string {
	if c.who == nil {
		return "anyone"
	}
	return c.who.actor
}

// auditor writes down who read claims. Reads are collected for a second, so that
// no answer waits for the disk; what was collected when the process is killed is
// lost, at most a second of reads and no change. Like reads of one second share an
// entry, which counts them.
//
// A 304 is a read too, without claims: it shows none to anybody, but a browser shows
// its user again those that an earlier entry names.
type auditor struct {
	store *store.Store
	log   *slog.Logger
	now   func() time.Time
	// dropped is told of each read that can't be written down.
	dropped func()

	flushing sync.Mutex // one flush at a time: entries keep their order

	mu      sync.Mutex
	entries map[readKey]*upstream.AuditEntry
	order   []*upstream.AuditEntry
	size    int           // of order, in bytes or so
	full    chan struct{} // woken when many wait
	lost    int64         // reads that could not be written down
}

type readKey struct {
	customer                                      int64
	actor, action, target, detail, address, shown string
}

// flushEvery is how long reads are collected; maxWaiting is from how many on they
// are written at once, and keepWaiting how many bytes of them are kept while the
// database takes none.
const flushEvery, maxWaiting, keepWaiting = time.Second, 2_000, 64 << 20

func newAuditor(s *store.Store, log *slog.Logger, now func() time.Time, dropped func()) *auditor {
	return &auditor{store: s, log: log, now: now, dropped: dropped, entries: map[readKey]*upstream.AuditEntry{}, full: make(chan struct{}, 1)}
}

// read notes that claims were shown.
func (a *auditor) read(c *call, r *http.Request, answer *answer) {
	e := c.entry(r)
	e.Detail = r.URL.RawQuery
	a.add(e, answer.shown)
}

// note writes down what is neither a read nor committed with a change.
func (a *auditor) note(e upstream.AuditEntry) { a.add(e, nil) }

// add collects an entry and the claims that it names.
func (a *auditor) add(e upstream.AuditEntry, shown []byte) {
	k := readKey{e.Customer, e.Actor, e.Action, e.Target, e.Detail, e.Address, string(shown)}
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.entries[k]; known != nil {
		known.Count++
		return
	}
	if a.size >= keepWaiting {
		a.lost++
		a.dropped()
		return
	}
	e.Claims = readIDs(shown)
	a.entries[k], a.order, a.size = &e, append(a.order, &e), a.size+sizeOf(&e)
	if len(a.order) == maxWaiting {
		select {
		case a.full <- struct{}{}:
		default:
		}
	}
}

// sizeOf is what an entry takes until it is written, in bytes or so.
func sizeOf(e *upstream.AuditEntry) int { return 1000 + 2*len(e.Detail) + 10*len(e.Claims) }

// run writes until ctx ends, and then what is left.
func (a *auditor) run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-a.full:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
			defer cancel()
			a.flush(last)
			return
		}
		a.flush(ctx)
	}
}

// flush writes what was collected; what can't be written is kept for the next time.
func (a *auditor) flush(ctx context.Context) {
	a.flushing.Lock()
	defer a.flushing.Unlock()
	a.mu.Lock()
	waiting, lost := a.order, a.lost
	a.order, a.size, a.entries, a.lost = nil, 0, map[readKey]*upstream.AuditEntry{}, 0
	a.mu.Unlock()
	if len(waiting) == 0 {
		return
	}
	entries := make([]upstream.AuditEntry, len(waiting))
	for i, e := range waiting {
		entries[i] = *e
	}
	err := a.store.AppendAudit(ctx, entries)
	if err == nil && lost == 0 {
		return
	}
	a.log.ErrorContext(ctx, "audit", "waiting", len(waiting), "lost", lost, "error", err)
	if err == nil {
		return
	}
	var again []*upstream.AuditEntry // those of some customers may be written
	size := 0
	for i, e := range waiting {
		if entries[i].ID == 0 {
			again, size = append(again, e), size+sizeOf(e)
		}
	}
	a.mu.Lock()
	a.order, a.size = append(again, a.order...), a.size+size
	a.mu.Unlock()
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// AuditWaiting returns how many entries are not written down yet.
func (s *Server) AuditWaiting() int {
	s.audit.mu.Lock()
	defer s.audit.mu.Unlock()
	return len(s.audit.order)
}
