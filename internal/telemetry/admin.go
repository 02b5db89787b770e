package telemetry

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one condition of being ready.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // a sentence for the operator; no secrets
}

// readyTimeout bounds all checks together, below what a probe waits.
const readyTimeout = 3 * time.Second

// Admin serves what only the operator may see: /metrics, /debug/pprof/,
// /debug/slow, /livez and /readyz. It asks nobody who they are, so it belongs on
// a loopback address. Checks run at each /readyz.
func Admin(m *Metrics, ready func(context.Context) []Check) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/slow", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, m.slow.last()) })
	mux.HandleFunc("GET /livez", Live)
	mux.Handle("GET /readyz", Ready(ready, true))
	return mux
}

// Live answers that the process runs, and nothing else.
func Live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
}

// Ready answers 200 if all checks pass and 503 otherwise; with detail it lists
// them.
func Ready(ready func(context.Context) []Check, detail bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		answer := struct {
			Ready  bool    `json:"ready"`
			Checks []Check `json:"checks,omitempty"`
		}{Ready: true}
		checks := ready(ctx)
		for _, c := range checks {
			answer.Ready = answer.Ready && c.OK
		}
		if detail {
			answer.Checks = checks
		}
		status := http.StatusOK
		if !answer.Ready {
			status = http.StatusServiceUnavailable
		}
		writeJSON(w, status, answer)
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}
