package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"upstream"
	"upstream/internal/store"
	"upstream/internal/telemetry"
)

// call is one request on its way.
type call struct {
	server   *Server
	route    *route // nil where there is none
	id       string
	started  time.Time
	address  string // of the client, for limits and the audit
	who      *principal
	customer int64 // whose data it is about; 0 for none
	revision int64 // of the customer's data, when the request came
	tenant   *store.Tenant
	shown    []int64                  // ids of the claims that the answer shows
	control  *http.ResponseController // of the connection, where the request has a body
}

func (s *Server) newCall(rt *route, r *http.Request) *call {
	return &call{server: s, route: rt, id: telemetry.RequestIDOf(r.Header), started: s.Now(), address: s.clientAddress(r)}
}

type callKey struct{}

// of returns the request that a handler works for.
func of(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// ServeHTTP answers a request of the route.
func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := rt.server
	rt.counters.Begin()
	c := s.newCall(rt, r)
	var queries *store.QueryCount
	if s.CountQueries {
		var ctx context.Context
		ctx, queries = store.CountQueries(r.Context())
		r = r.WithContext(ctx)
	}
	a := rt.answer(c, w, r)
	if queries != nil {
		w.Header().Set("X-Query-Count", fmt.Sprint(queries.N()))
	}
	// A change has an entry of its own; what its answer shows is a read.
	if rt.has(audited) && a.status < http.StatusBadRequest && (len(a.shown) > 0 || !rt.writes()) {
		s.audit.read(c, r, a) // before anybody has seen it
	}
	c.send(w, r, a)
	took := s.Now().Sub(c.started)
	rt.counters.End(a.status, took, int64(len(a.body)))
	telemetry.LogRequest(r.Context(), s.Log, c.id, rt.method, rt.pattern, a.status, took, int64(len(a.body)))
}

// bodyTimeout bounds how long a body may take that is read whole.
var bodyTimeout = 10 * time.Second // tests have less patience

// answer admits the request and makes its answer. A fault of ours becomes a
// problem; nothing of it reaches the client.
func (rt *route) answer(c *call, w http.ResponseWriter, r *http.Request) (a *answer) {
	s := rt.server
	defer func() {
		if fault := recover(); fault != nil {
			// What was panicked with may quote a claim, the trace holds none.
			c.log(r.Context(), "fault", fmt.Errorf("panic of a %T\n%s", fault, debug.Stack()))
			a = (&Problem{Status: http.StatusInternalServerError, Code: string(upstream.Internal), Detail: "a fault of ours; the log has it under the request id"}).answer(c)
		}
	}()
	if r.ContentLength != 0 || rt.has(streamed) { // a body is to come, wanted or not
		c.control = http.NewResponseController(w)
		_ = c.control.SetReadDeadline(time.Now().Add(bodyTimeout)) // a streamed body renews it
	}
	if err := c.admit(w, r); err != nil {
		return c.failed(r.Context(), err)
	}
	if err := rt.readBody(r); err != nil {
		return c.failed(r.Context(), err)
	}
	switch {
	case rt.has(kept):
		return s.keptAnswer(c, r)
	case rt.has(momentary) && r.URL.RawQuery == "":
		return s.quickHealth(c, r)
	}
	ctx, cancel := r.Context(), context.CancelFunc(func() {})
	if !rt.has(streamed) {
		ctx, cancel = context.WithTimeout(ctx, makeTimeout)
	}
	defer cancel()
	if rt.method == http.MethodPost && r.Header.Get("Idempotency-Key") != "" && !rt.has(streamed) {
		return s.once(ctx, c, r)
	}
	return s.make(ctx, c, r)
}

// make lets the handler make the answer.
func (s *Server) make(ctx context.Context, c *call, r *http.Request) *answer {
	ctx = context.WithValue(ctx, callKey{}, c)
	if err := c.route.checkQuery(r); err != nil {
		return c.failed(ctx, err)
	}
	if c.customer != 0 && !c.route.has(global) {
		c.tenant = s.Store.KnownTenant(c.customer) // by its revision, see identify
	}
	if c.route.writes() {
		e := c.entry(r)
		e.Detail = c.changes(r)
		ctx = store.WithAudit(ctx, e)
	}
	a := c.route.handle(ctx, r)
	slices.Sort(c.shown)
	a.shown = packIDs(c.shown)
	return a
}

// failed is the answer to a request that an error ends.
func (c *call) failed(ctx context.Context, err error) *answer {
	return problemOf(context.WithValue(ctx, callKey{}, c), err).answer(c)
}

// later notes that work could not be handed on. What was asked for is committed, and
// a sweep finds it within a minute.
func (c *call) later(ctx context.Context, err error) {
	if err != nil {
		c.log(ctx, "enqueue", err)
	}
}

// log reports what went wrong with a request: its route, never its path or query.
func (c *call) log(ctx context.Context, what string, err error) {
	pattern := "none"
	if c.route != nil {
		pattern = c.route.method + " " + c.route.pattern
	}
	if errors.Is(err, context.Canceled) {
		return // the client went away
	}
	c.server.Log.ErrorContext(ctx, what, "request_id", c.id, "route", pattern, "customer", c.customer, "error", err)
}
