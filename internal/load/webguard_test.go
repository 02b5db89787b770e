package load

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestOtherSitesChangeNothing(t *testing.T) {
	o := open(t, PageOptions{})
	own := o.url
	const browser = "Mozilla/5.0 (X11; Linux x86_64)"
	for name, c := range map[string]struct {
		header http.Header
		refuse bool
	}{
		"a program":                           {http.Header{}, false},
		"the page itself":                     {http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {own}}, false},
		"an address that was typed":           {http.Header{"Sec-Fetch-Site": {"none"}}, false},
		"another site":                        {http.Header{"Sec-Fetch-Site": {"cross-site"}}, true},
		"another port of this machine":        {http.Header{"Sec-Fetch-Site": {"same-site"}}, true},
		"another origin, by an older browser": {http.Header{"Origin": {"http://evil.example"}, "User-Agent": {browser}}, true},
		"an origin that is kept secret":       {http.Header{"Origin": {"null"}, "User-Agent": {browser}}, true},
		"the page, by an older browser":       {http.Header{"Origin": {own}, "Referer": {own + "/"}, "User-Agent": {browser}}, false},
	} {
		for _, call := range []string{"POST /swarm", "GET /stop", "POST /stop", "GET /stats/reset", "POST /stats/reset", "HEAD /stop"} {
			method, path, _ := strings.Cut(call, " ")
			answer, _ := o.ask(method, path, url.Values{"user_count": {"x"}}, c.header)
			if refused := answer.StatusCode == http.StatusForbidden; refused != c.refuse {
				t.Errorf("%s by %s: %d", call, name, answer.StatusCode)
			}
		}
	}
	for name, header := range map[string]http.Header{
		"an image of another site":       {"Referer": {"http://evil.example/"}, "User-Agent": {browser}},
		"a browser that tells of nobody": {"User-Agent": {browser}},
		"a referer that is none":         {"Referer": {"http://%zz"}, "User-Agent": {browser}},
	} {
		if answer, _ := o.ask("GET", "/stop", nil, header); answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, answer.StatusCode)
		}
		if answer, _ := o.ask("GET", "/stats/requests", nil, header); answer.StatusCode != http.StatusOK {
			t.Errorf("%s may not read: %d", name, answer.StatusCode)
		}
	}
}

func TestALoopbackAddressAnswersToItsOwnNamesOnly(t *testing.T) {
	o, secured := open(t, PageOptions{}), open(t, PageOptions{Auth: "ann:secret"})
	for host, served := range map[string]bool{
		"127.0.0.1:8089": true, "localhost:8089": true, "LOCALHOST": true, "localhost.": true, "a.localhost:1": true, "[::1]:8089": true, "127.9.9.9": true,
		"evil.example": false, "evil.example:8089": false, "localhost.evil.example": false, "10.0.0.1": false, "127.0.0.1.evil.example": false,
	} {
		header := http.Header{"Host": {host}}
		if answer, _ := o.ask("GET", "/stats/requests", nil, header); (answer.StatusCode == http.StatusOK) != served {
			t.Errorf("%s: %d", host, answer.StatusCode)
		}
		header.Set("Authorization", "Basic YW5uOnNlY3JldA==")
		if answer, _ := secured.ask("GET", "/stats/requests", nil, header); answer.StatusCode != http.StatusOK {
			t.Errorf("%s with a password, which no other name has: %d", host, answer.StatusCode)
		}
	}
}

func TestAPasswordIsAskedForEverywhere(t *testing.T) {
	o := open(t, PageOptions{Auth: "ann:se:cret"})
	for _, path := range []string{"/", "/events", "/stop", "/stats/requests", "/metrics", "/assets/page.css", "/nothing"} {
		answer, body := o.ask("GET", path, nil, nil)
		if answer.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(answer.Header.Get("WWW-Authenticate"), "Basic ") || strings.Contains(body, "cret") {
			t.Errorf("%s: %d %q", path, answer.StatusCode, body)
		}
	}
	for given, status := range map[string]int{
		"ann:se:cret": 200, "ann:secret": 401, "ann:": 401, "Ann:se:cret": 401, ":": 401, "ann:se:cret ": 401,
	} {
		r, _ := http.NewRequest(http.MethodGet, o.url, nil)
		name, password, _ := strings.Cut(given, ":")
		r.SetBasicAuth(name, password)
		if answer, _ := o.ask("GET", "/", nil, r.Header); answer.StatusCode != status {
			t.Errorf("%q: %d", given, answer.StatusCode)
		}
	}
	for _, auth := range []string{"ann", ":secret"} {
		if _, err := NewPage(o.runner, PageOptions{Auth: auth}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", auth, err)
		}
	}
}

func TestBrowsersAreToldToLoadNothingFromElsewhere(t *testing.T) {
	o := open(t, PageOptions{})
	answer, body := o.ask("GET", "/", nil, nil)
	for name, part := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		"Referrer-Policy": "same-origin", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if !strings.Contains(answer.Header.Get(name), part) {
			t.Errorf("%s: %q", name, answer.Header.Get(name))
		}
	}
	for _, part := range []string{"style=\"", "onclick", "unsafe-inline", "//cdn"} {
		if strings.Contains(body+answer.Header.Get("Content-Security-Policy"), part) {
			t.Errorf("%q in the page", part)
		}
	}
}
