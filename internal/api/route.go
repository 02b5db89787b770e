package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"upstream"
	"upstream/internal/telemetry"
)

// who tells who may ask a route.
type who struct {
	role      upstream.Role // the least role; "" for anyone, signed in or not
	superuser bool          // superusers alone
}

// anyone needs no credentials.
var anyone = who{}

func atLeast(r upstream.Role) who { return who{role: r} }

// signedIn needs credentials, whatever the role.
var signedIn = who{role: upstream.Viewer}

// superusers manage customers.
var superusers = who{role: upstream.Viewer, superuser: true}

// options tell how requests of a route are handled.
type options uint

const (
	// kept answers are functions of the customer's data, the query and the day, and
	// are kept for as long as the data stay as they are.
	kept options = 1 << iota
	// audited reads show claims.
	audited
	// secret bodies hold passwords, and never get into the audit.
	secret
	// streamed requests have a body of any size, which the handler reads.
	streamed
	// login attempts are limited by their own rate.
	login
	// momentary answers hold for a second.
	momentary
	// global routes are about no customer in particular.
	global
)

// route is a line of the table in routes.go.
type route struct {
	server  *Server
	method  string
	path    string // after Prefix, with the trailing slash
	who     who
	scope   string // the resource, as keys name it
	options options

	op       *huma.Operation
	handler  func(huma.Context)
	queries  map[string]*huma.Param // the parameters that it knows
	pattern  string                 // as metrics name it
	counters *telemetry.Route
}

func (rt *route) has(o options) bool { return rt.options&o != 0 }

// writes tells requests that change something.
func (rt *route) writes() bool { return rt.method != http.MethodGet }

// add registers a route and its documentation, which follows from the types of
// the handler: I are the parameters and the body, O the answer.
func add[I, O any](s *Server, method, path string, may who, o options, summary string, handler func(context.Context, *I) (*O, error), more ...func(*huma.Operation)) {
	scope, _, _ := strings.Cut(path, "/")
	rt := &route{server: s, method: method, path: path, who: may, scope: scope, options: o, pattern: Prefix + path, queries: map[string]*huma.Param{}}
	rt.counters = s.Metrics.Route(rt.pattern, method)
	op := huma.Operation{
		OperationID: operationID(method, path), Method: method, Path: Prefix + path, Summary: summary, Tags: []string{scope},
		Errors: rt.errors(), MaxBodyBytes: -1, Security: rt.security(), SkipValidateBody: rt.has(streamed),
	}
	for _, f := range more {
		f(&op)
	}
	s.routes = append(s.routes, rt)
	adapter := &humaAdapter{rt}
	stream := op.RequestBody // huma would read what it knows of
	op.RequestBody = nil
	huma.Register(routeAPI{s.huma, adapter}, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, problemOf(ctx, err)
		}
		return out, nil
	})
	if stream != nil {
		rt.op.RequestBody = stream
		again := *rt.op.Responses["202"]
		again.Description = "It was sent before, and is loaded."
		rt.op.Responses["200"] = &again
	}
	for _, p := range rt.op.Parameters {
		if p.In == "query" {
			rt.queries[p.Name] = p
		}
	}
	s.mux.Handle(method+" "+rt.pattern+"{$}", rt)
	s.mux.Handle(method+" "+strings.TrimSuffix(rt.pattern, "/"), rt)
}

// errors are the problems a route may answer with.
func (rt *route) errors() []int {
	codes := []int{http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable}
	if rt.who != anyone {
		codes = append(codes, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound)
	}
	if rt.writes() {
		codes = append(codes, http.StatusBadRequest, http.StatusRequestTimeout, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if rt.has(login) {
		codes = append(codes, http.StatusUnauthorized, http.StatusForbidden)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

func (rt *route) security() []map[string][]string {
	if rt.who == anyone {
		return nil
	}
	return []map[string][]string{{"bearer": {}}, {"session": {}}}
}

// operationID makes "list_claims" of "GET claims/" and "get_claims_by_id" of
// "GET claims/{id}/".
func operationID(method, path string) string {
	verb := map[string]string{http.MethodGet: "get", http.MethodPost: "post", http.MethodPatch: "change", http.MethodPut: "put", http.MethodDelete: "delete"}[method]
	name := strings.NewReplacer("/{", "_by_", "}", "", "/", "_", "-", "_").Replace(strings.TrimSuffix(path, "/"))
	return verb + "_" + name
}

// humaAdapter takes the handler that huma makes of an operation.
type humaAdapter struct{ rt *route }

// Handle keeps the operation and its handler.
func (a *humaAdapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	a.rt.op, a.rt.handler = op, handler
}

// ServeHTTP is never called: the server has a mux of its own.
func (a *humaAdapter) ServeHTTP(http.ResponseWriter, *http.Request) {
	panic("api: huma serves nothing")
}

// routeAPI is the API with the adapter of one route.
type routeAPI struct {
	huma.API
	adapter huma.Adapter
}

func (a routeAPI) Adapter() huma.Adapter { return a.adapter }

// Config lets huma find the configuration behind the wrapper.
func (a routeAPI) Config() huma.Config {
	return a.API.(interface{ Config() huma.Config }).Config()
}

// handle runs the handler and collects what it answers.
func (rt *route) handle(ctx context.Context, r *http.Request) *answer {
	a := &answer{header: http.Header{}}
	delete(r.Header, "Accept") // answers are JSON, whatever it is called
	rt.handler(humago.NewContext(rt.op, r.WithContext(ctx), a))
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a
}

// uncleanPath tells paths with empty or dot segments, or a slash that is escaped.
func uncleanPath(u *url.URL) bool {
	return strings.Contains(u.Path, "//") || strings.Contains(u.Path, "/.") || strings.Contains(strings.ToLower(u.RawPath), "%2f")
}

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// noRoute answers what no route does: 405 where another method would do, else 404.
func (s *Server) noRoute(w http.ResponseWriter, r *http.Request) {
	s.unmatched.Begin()
	c := s.newCall(nil, r)
	var allowed []string
	for _, method := range methods {
		if uncleanPath(r.URL) {
			break
		}
		other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := s.mux.Handler(other); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	p := &Problem{Code: "not_found", Status: http.StatusNotFound, Detail: "there is nothing at this path; " + Prefix + "docs/ lists what there is"}
	if len(allowed) > 0 {
		p = &Problem{Code: "method_not_allowed", Status: http.StatusMethodNotAllowed, Detail: "this path answers " + strings.Join(allowed, ", ")}
	}
	a := p.answer(c)
	if len(allowed) > 0 {
		a.header.Set("Allow", strings.Join(allowed, ", "))
	}
	c.send(w, r, a)
	s.unmatched.End(a.status, s.Now().Sub(c.started), int64(len(a.body)))
}
