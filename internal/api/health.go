package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"upstream/internal/telemetry"
)

// healthBody tells whether the service works. Its parts are healthy, degraded or
// unhealthy.
type healthBody struct {
	Status    string            `json:"status" enum:"healthy,degraded,unhealthy" doc:"The worst of the checks that answers depend on."`
	Version   string            `json:"version"`
	Timestamp time.Time         `json:"timestamp" doc:"When the checks were made; at most a second ago."`
	Checks    map[string]string `json:"checks" doc:"database, jobs and cache."`
}

type healthOutput struct {
	Status int
	Body   healthBody
}

// health keeps what the checks found for a second: thousands may ask.
type health struct {
	mu   sync.Mutex
	at   time.Time
	last healthBody
}

// checked is when the checks were made last.
func (h *health) checked() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

const (
	healthy   = "healthy"
	degraded  = "degraded"
	unhealthy = "unhealthy"
)

// checkTimeout bounds a check.
const checkTimeout = 2 * time.Second

// checkHealth makes the checks, unless they were made in the last second.
func (s *Server) checkHealth(ctx context.Context) healthBody {
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	now := s.Now()
	if age := now.Sub(s.health.at); age >= 0 && age < time.Second {
		return s.health.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	b := healthBody{Status: healthy, Version: s.Version, Timestamp: now.UTC(), Checks: map[string]string{"database": healthy, "jobs": healthy, "cache": healthy}}
	if s.Jobs != nil && s.Jobs.Healthy(ctx) != nil {
		b.Status, b.Checks["jobs"] = degraded, degraded
	}
	if s.CacheDown != nil && s.CacheDown() {
		b.Status, b.Checks["cache"] = degraded, degraded
	}
	if s.Store.Ping(ctx) != nil {
		b.Status, b.Checks["database"] = unhealthy, unhealthy
	}
	s.health.at, s.health.last = s.Now(), b // those who waited meanwhile need no check of their own
	return b
}

type noInput struct{}

func (s *Server) getHealth(ctx context.Context, _ *noInput) (*healthOutput, error) {
	b := s.checkHealth(ctx)
	out := &healthOutput{Status: http.StatusOK, Body: b}
	if b.Status == unhealthy {
		out.Status = http.StatusServiceUnavailable
	}
	return out, nil
}

// quickHealth is the answer of getHealth, written once for each time the checks are
// made.
func (s *Server) quickHealth(c *call, r *http.Request) *answer {
	if kept := s.healthAnswer.Load(); kept != nil {
		if age := c.started.Sub(kept.at); age >= 0 && age < time.Second {
			return &answer{status: kept.status, header: jsonHeader, body: kept.body}
		}
	}
	a := s.make(r.Context(), c, r)
	if a.status == http.StatusOK {
		s.healthAnswer.Store(&healthAnswer{s.health.checked(), a.status, a.body})
	}
	return a
}

type healthAnswer struct {
	at     time.Time
	status int
	body   []byte
}

// Checks are what a load balancer and an operator want to know: whether requests
// can be answered.
func (s *Server) Checks(ctx context.Context) []telemetry.Check {
	b := s.checkHealth(ctx)
	return []telemetry.Check{
		{Name: "database", OK: b.Checks["database"] != unhealthy, Detail: "does not answer"},
	}
}
