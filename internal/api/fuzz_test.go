package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"upstream"
)

// FuzzRequests asks whatever comes to the fuzzer's mind, as an owner: nothing is a
// fault of ours, every problem is one, and every answer is as the document says.
func FuzzRequests(f *testing.F) {
	p := populate(f, worldOptions{change: func(o *Options) { o.MaxUpload = 64 << 10 }})
	for _, op := range p.operations() {
		path := Prefix + p.at(op)
		f.Add(op.method, path, "", []byte(bodies[op.method+" "+op.path]), "Content-Type: application/json")
		for _, ref := range op.Parameters {
			if ref.Value.In != "query" {
				continue
			}
			for i, value := range rightValues(ref.Value.Schema.Value) {
				if i < 3 {
					f.Add(op.method, path, ref.Value.Name+"="+url.QueryEscape(value), []byte(bodies[op.method+" "+op.path]), "Accept-Encoding: gzip, zstd;q=0.5\nIf-None-Match: *")
				}
			}
		}
	}
	f.Add("POST", Prefix+"uploads/", "filename=a.csv&file_date=2026-01-01", []byte("claim_id,payer\n1,Aetna\n"), "Content-Type: text/csv")
	f.Add("POST", Prefix+"uploads/", "", []byte("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\na,b\r\n--x--\r\n"), "Content-Type: multipart/form-data; boundary=x")
	f.Add("POST", Prefix+"reports/trigger/", "", []byte("{}"), "Idempotency-Key: one\nX-Request-Id: two\nX-Forwarded-For: 1.2.3.4\nCookie: upstream_session=x")
	f.Add("GET", Prefix+"claims/../%2e/%00", "a;b&%zz", []byte{}, "Authorization: Bearer ups_x\nRange: bytes=0-1\nExpect: 100-continue")
	outer, users := p.TB, 0
	defer func() { p.TB, p.judge.t = outer, outer }()
	f.Fuzz(func(t *testing.T, method, path, query string, body []byte, headers string) {
		p.TB, p.judge.t = t, t
		r, ok := fuzzRequest(method, path, query, body, headers)
		if !ok {
			return // the server's parser refuses it before we see it
		}
		if r.Header.Get("Authorization") == "" {
			r.Header.Set("Authorization", "Bearer "+p.token)
		}
		got := httptest.NewRecorder()
		p.judge.ServeHTTP(got, r)
		fuzzAnswer(t, r, got)
		// Who was signed out, disabled or removed comes again as somebody else.
		if got.Code < 300 && r.Method != http.MethodGet && (strings.Contains(r.URL.Path, "/auth/") || strings.Contains(r.URL.Path, "/users/")) {
			users++
			p.token = p.user(upstream.User{Username: "fuzzer" + strconv.Itoa(users), Customer: p.a.id, Role: upstream.Owner})
		}
	})
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// fuzzRequest makes the request that the server's parser would.
func fuzzRequest(method, path, query string, body []byte, headers string) (*http.Request, bool) {
	if !strings.HasPrefix(path, "/") {
		path = Prefix + path
	}
	if query != "" {
		path += "?" + query
	}
	u, err := url.ParseRequestURI(path)
	if err != nil || len(path)+len(headers) > 16<<10 {
		return nil, false
	}
	r, err := http.NewRequest(method, "http://upstream.example/", bytes.NewReader(body))
	if err != nil {
		return nil, false
	}
	r.URL, r.RequestURI, r.RemoteAddr = u, path, "192.0.2.1:1234"
	for line := range strings.SplitSeq(headers, "\n") {
		name, value, _ := strings.Cut(line, ":")
		if headerName.MatchString(name) && !strings.ContainsFunc(value, isControl) {
			r.Header.Add(name, strings.TrimSpace(value))
		}
	}
	return r, true
}

func fuzzAnswer(t *testing.T, r *http.Request, got *httptest.ResponseRecorder) {
	t.Helper()
	what := r.Method + " " + r.RequestURI
	if got.Code >= 500 || got.Code < 200 {
		t.Fatalf("%q %v: %d %s", what, r.Header, got.Code, got.Body)
	}
	if got.Header().Get("X-Request-Id") == "" || got.Header().Get("X-Content-Type-Options") != "nosniff" || got.Header().Get("Vary") == "" {
		t.Fatalf("%q: headers %v", what, got.Header())
	}
	if got.Code < 400 || r.Method == http.MethodHead || got.Header().Get("Content-Encoding") != "" {
		return
	}
	var p Problem
	if err := json.Unmarshal(got.Body.Bytes(), &p); err != nil || p.Status != got.Code || p.Code == "" || p.Title == "" || p.Detail == "" ||
		p.RequestID != got.Header().Get("X-Request-Id") || got.Header().Get("Content-Type") != problemJSON || !utf8.Valid(got.Body.Bytes()) {
		t.Fatalf("%q: no problem: %d %s", what, got.Code, got.Body)
	}
	if slices.ContainsFunc(p.Errors, func(d Detail) bool { return d.Location == "" || d.Message == "" }) {
		t.Fatalf("%q: a detail is empty: %s", what, got.Body)
	}
}

func FuzzCursor(f *testing.F) {
	s := &Server{}
	s.keys.Store(&keys{secret: []byte("a secret")})
	good := s.encodeCursor("1 /api/v1/claims", forth, upstream.Key{Value: 20512, ID: 77})
	f.Add("1 /api/v1/claims", good)
	f.Add("1 /api/v1/claims", good+"A")
	f.Add("1 /api/v1/claims", "")
	f.Add("2 /api/v1/claims", s.encodeCursor("2 /api/v1/claims", back, upstream.Key{Value: -1, ID: 1 << 62}))
	f.Fuzz(func(t *testing.T, bound, text string) {
		w, at, ok := s.decodeCursor(bound, text)
		if ok && s.encodeCursor(bound, w, at) != text {
			t.Fatalf("%q is no cursor of ours, but is read as %v, %v", text, w, at)
		}
		want := upstream.Key{Value: -int64(len(text)), ID: 1 << 40}
		made := s.encodeCursor(bound, back, want)
		if w, at, ok := s.decodeCursor(bound, made); !ok || w != back || at != want {
			t.Fatalf("%q is not read: %v, %v", made, w, at)
		}
		if _, _, ok := s.decodeCursor(bound+"x", made); ok {
			t.Fatal("a cursor of another list is read")
		}
	})
}

func FuzzAcceptEncoding(f *testing.F) {
	for _, text := range []string{"", "gzip", "zstd, gzip", "gzip;q=0", "gzip;q=0.5, zstd;q=0.4", "GZIP ; Q = 1", "*", "identity;q=0", "gzip;q=NaN", "gzip;q=-1", "x-gzip", ",,;;==", "gzip;q=1e400"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		switch e := chooseEncoding(text); e {
		case identity:
		case gzipped, zstandard:
			if !strings.Contains(strings.ToLower(text), encodingNames[e]) {
				t.Fatalf("%q gets %s", text, encodingNames[e])
			}
			if forbidden := encodingNames[e] + ";q=0"; chooseEncoding(forbidden) != identity {
				t.Fatalf("%q is taken for a wish", forbidden)
			}
		default:
			t.Fatalf("%q gets %d", text, e)
		}
	})
}

func FuzzIfNoneMatch(f *testing.F) {
	const etag = `"AbC-gzip"`
	for _, text := range []string{"", etag, "W/" + etag, `"x", ` + etag, "*", `"AbC`, etag + etag, ", ,", `"x,` + etag[1:]} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if listHas(text, etag) && !strings.Contains(text, etag) {
			t.Fatalf("%q holds %s", text, etag)
		}
		if !listHas(strings.ReplaceAll(text, ",", "")+","+etag, etag) {
			t.Fatalf("%q before it hides it", text)
		}
	})
}
