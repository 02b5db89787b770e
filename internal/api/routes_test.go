package api

import (
	"net/http"
	"strings"
	"testing"

	"upstream"
)

// Every GET route answers a viewer, or says that it is for somebody else.
func TestEveryRouteAnswersWhoMayAsk(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for _, rt := range w.server.routes {
			if rt.method != http.MethodGet {
				continue
			}
			path := strings.ReplaceAll(rt.path, "{id}", "1")
			got := w.get(w.a.tokens[upstream.Owner], path)
			if got.status != http.StatusOK && got.status != http.StatusNotFound {
				t.Errorf("%s: %d %s", path, got.status, got.body)
			}
			without := w.get(w.a.tokens[upstream.Owner], strings.TrimSuffix(path, "/"))
			if without.status != got.status {
				t.Errorf("%s: %d, without its slash %d", path, got.status, without.status)
			}
		}
	})
}
