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

func TestARefreshTokenIsGoodOnce(t *testing.T) {
	w := newWorld(t, worldOptions{})
	first := w.signIn("viewerA")
	var second tokenPair
	w.post("", "auth/token/refresh/", map[string]string{"refresh": first.Refresh}).want(http.StatusOK).decode(&second)
	w.get(second.Access, "auth/me/").want(http.StatusOK)
	w.post("", "auth/token/refresh/", map[string]string{"refresh": first.Refresh}).problem(http.StatusUnauthorized, "signed_out")
	// The old one came back: whoever has the new one may have stolen it.
	w.post("", "auth/token/refresh/", map[string]string{"refresh": second.Refresh}).problem(http.StatusUnauthorized, "signed_out")
	w.get(second.Access, "auth/me/").problem(http.StatusUnauthorized, "signed_out")
}
