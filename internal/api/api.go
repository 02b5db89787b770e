// Package api is the REST API under /api/v1/: who may ask what, and the answers.
//
// routes.go lists every route. A request passes, in this order: its route
// (route.go), who asks (principal.go), whether and how often they may
// (admit.go), and for a GET of a customer's data the answers that are kept
// (kept.go); only then the handler, in the file of its resource.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/singleflight"
	"upstream/internal/auth"
	"upstream/internal/jobs"
	"upstream/internal/limit"
	"upstream/internal/store"
	"upstream/internal/telemetry"
)

// Prefix is what every path of the API begins with.
const Prefix = "/api/v1/"

// Options are what the API is made of.
type Options struct {
	Store  *store.Store
	Jobs   *jobs.Jobs
	Shared limit.Cache // answers shared with other servers; nil: only this one's
	// CacheDown reports whether Shared is lost just now; nil: it is never.
	CacheDown func() bool
	Limiter   limit.Limiter
	Rates     limit.Rates
	Metrics   *telemetry.Metrics
	Log       *slog.Logger
	Now       func() time.Time
	Version   string
	// Proxies are those whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	// PublicURL is where users reach the server, as https://upstream.example;
	// links in answers begin with it. Without it they begin with a slash.
	PublicURL string
	// MaxUpload bounds the bytes of an upload, also after decompression.
	MaxUpload int64
	// CacheBytes bounds the answers that are kept in memory.
	CacheBytes int64
	// CountQueries adds an X-Query-Count header to answers.
	CountQueries bool
	// WeakPasswords lets users choose any password: for tests and the demo.
	WeakPasswords bool
}

// Server answers the API.
type Server struct {
	Options
	mux        *http.ServeMux
	huma       huma.API
	routes     []*route
	hasher     *auth.Hasher
	keys       atomic.Pointer[keys]
	principals principals
	freshness  freshness
	near       limit.Cache
	lookups    *telemetry.Cache
	unmatched  *telemetry.Route // requests that no route serves
	making     singleflight.Group
	health     health
	// healthAnswer is what quickHealth wrote last.
	healthAnswer atomic.Pointer[healthAnswer]
	audit        *auditor
	document     document
	receiving    receiving
}

// New makes the server of an open database.
func New(ctx context.Context, o Options) (*Server, error) {
	near := limit.NewMemoryCache(o.CacheBytes, o.Now)
	s := &Server{Options: o, mux: http.NewServeMux(), hasher: auth.NewHasher(), near: near}
	if _, err := s.loadKeys(ctx, s.Now()); err != nil {
		return nil, err
	}
	s.freshness.read = o.Store.Revisions
	s.unmatched = o.Metrics.Route("unmatched", "")
	s.lookups = o.Metrics.Cache("answers", near.Bytes)
	s.audit = newAuditor(o.Store, o.Log, o.Now, o.Metrics.AuditDropped)
	s.huma = s.newHuma()
	s.register()
	s.mux.HandleFunc("/", s.noRoute)
	var err error
	s.document, err = s.newDocument()
	return s, err
}

// Run does the work behind the answers until ctx ends, and then what is left of it.
func (s *Server) Run(ctx context.Context) { s.audit.run(ctx) }

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if uncleanPath(r.URL) { // the mux would redirect, and to where the client did not ask
		s.noRoute(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}
