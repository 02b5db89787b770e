package load

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// policy is what a browser lets the page do: only what comes from here, no script or
// style within the page itself.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guarded lets through whom the page is for: those who know the password, if there is
// one, and nothing that another site has a browser send.
func (p *Page) guarded(next http.Handler) http.Handler {
	posts := http.NewCrossOriginProtection()
	posts.SetDenyHandler(http.HandlerFunc(refuse))
	next = posts.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case p.Auth == "" && rebound(r):
			http.Error(w, "This page answers on a loopback address by that address or as localhost only.", http.StatusMisdirectedRequest)
		case p.Auth != "" && !p.knows(r):
			h.Set("WWW-Authenticate", `Basic realm="load test", charset="UTF-8"`)
			http.Error(w, "This page asks for a name and a password.", http.StatusUnauthorized)
		case changes(r) && foreign(r):
			refuse(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func refuse(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "This request comes from another site: use the page itself.", http.StatusForbidden)
}

func (p *Page) knows(r *http.Request) bool {
	name, password, _ := r.BasicAuth()
	given, known := sha256.Sum256([]byte(name+":"+password)), sha256.Sum256([]byte(p.Auth))
	return subtle.ConstantTimeCompare(given[:], known[:]) == 1
}

// rebound tells that a name which is not this machine's own led to its loopback
// address: another site may have its name point here, and would be one origin with the
// page. It could not with a password, which browsers keep by name.
func rebound(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || !local.IP.IsLoopback() {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	ip := net.ParseIP(host)
	return host != "localhost" && !strings.HasSuffix(host, ".localhost") && (ip == nil || !ip.IsLoopback())
}

// changes tells that a GET changes something, as two of Locust's do.
func changes(r *http.Request) bool {
	return r.Method != http.MethodPost && (r.URL.Path == "/stop" || r.URL.Path == "/stats/reset")
}

// foreign tells that another site has a browser send a request. Browsers tell where a
// request is from; over plain HTTP to another machine they tell it by Origin and Referer
// only, which a site can suppress, so that a browser that tells nothing is refused.
func foreign(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin" && site != "none"
	}
	for _, name := range []string{"Origin", "Referer"} {
		if from := r.Header.Get(name); from != "" {
			u, err := url.Parse(from)
			return err != nil || u.Host != r.Host
		}
	}
	return strings.HasPrefix(r.UserAgent(), "Mozilla/")
}
