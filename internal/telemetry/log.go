package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"
)

// RequestIDHeader names a request in the client's and in our logs.
const RequestIDHeader = "X-Request-Id"

// NewLogger makes the log: JSON for machines, text on a terminal.
func NewLogger(w io.Writer, terminal bool, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if terminal {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// RequestIDOf returns the id that a client or proxy gave the request, if it is 1
// to 64 letters, digits, dots, dashes and underscores, or a new one of 16 random
// bytes in hex. It is a name, not a secret.
func RequestIDOf(h http.Header) string {
	if id := h.Get(RequestIDHeader); saneID(id) {
		return id
	}
	return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
}

func saneID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// slowRequest is from when on a request is worth a line.
const slowRequest = time.Second

// LogRequest writes a line about a request that failed by our fault (5xx) or took
// more than a second; any other only at debug level, as there are thousands each
// second and the metrics count them. The route is its pattern: a path or a query
// may hold claim content.
func LogRequest(ctx context.Context, log *slog.Logger, id, method, route string, code int, took time.Duration, bytes int64) {
	level := slog.LevelDebug
	if code >= http.StatusInternalServerError || took > slowRequest {
		level = slog.LevelWarn
	}
	if !log.Enabled(ctx, level) {
		return
	}
	log.LogAttrs(ctx, level, "request", slog.String("request_id", id), slog.String("method", method), slog.String("route", route), slog.Int("code", code),
		slog.Float64("ms", float64(took.Microseconds())/1e3), slog.Int64("bytes", bytes))
}
