package api

import (
	"bufio"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"upstream"
	"upstream/internal/auth"
)

// forged makes a token with a header and claims of one's own.
func forged(t *testing.T, header, claims map[string]any, sign func(text []byte) []byte) string {
	t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(header) + "." + part(claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(sign([]byte(text)))
}

func partOf(t testing.TB, token string, i int) (v map[string]any) {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// with is a copy with some entries changed; nil removes one.
func with(m map[string]any, changes ...any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	for i := 0; i < len(changes); i += 2 {
		if out[changes[i].(string)] = changes[i+1]; changes[i+1] == nil {
			delete(out, changes[i].(string))
		}
	}
	return out
}

func TestForgedTokensOpenNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		stored, err := w.store.SigningKeys(t.Context(), newKey, w.now())
		if err != nil {
			t.Fatal(err)
		}
		secret := stored[0].Secret
		hs256 := func(key []byte) func([]byte) []byte {
			return func(text []byte) []byte { h := hmac.New(sha256.New, key); h.Write(text); return h.Sum(nil) }
		}
		hs512 := func(text []byte) []byte { h := hmac.New(sha512.New, secret); h.Write(text); return h.Sum(nil) }
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		rs256 := func(text []byte) []byte {
			sum := sha256.Sum256(text)
			b, err := rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, sum[:])
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		none := func([]byte) []byte { return nil }
		pair := w.signIn("ownerA")
		good, of := pair.Access, w.signIn("ownerB")
		header, claims := partOf(t, good, 0), partOf(t, good, 1)
		now := float64(w.now().Unix())
		cut := strings.Split(good, ".")
		tests := map[string]string{
			"alg none":               forged(t, with(header, "alg", "none"), claims, none),
			"alg None":               forged(t, with(header, "alg", "None"), claims, none),
			"alg none, signed":       forged(t, with(header, "alg", "none"), claims, hs256(secret)),
			"no alg":                 forged(t, with(header, "alg", nil), claims, hs256(secret)),
			"HS512":                  forged(t, with(header, "alg", "HS512"), claims, hs512),
			"RS256":                  forged(t, with(header, "alg", "RS256"), claims, rs256),
			"another key":            forged(t, header, claims, hs256([]byte("another secret of thirty-two bytes or more"))),
			"no key":                 forged(t, header, claims, hs256(nil)),
			"unknown kid":            forged(t, with(header, "kid", "nosuch"), claims, hs256(secret)),
			"no kid":                 forged(t, with(header, "kid", nil), claims, hs256(secret)),
			"kid of another kind":    forged(t, with(header, "kid", 1), claims, hs256(secret)),
			"expired":                forged(t, header, with(claims, "exp", now), hs256(secret)),
			"never expires":          forged(t, header, with(claims, "exp", nil), hs256(secret)),
			"not yet valid":          forged(t, header, with(claims, "nbf", now+3600), hs256(secret)),
			"issued in the future":   forged(t, header, with(claims, "iat", now+3600), hs256(secret)),
			"another issuer":         forged(t, header, with(claims, "iss", "other"), hs256(secret)),
			"another audience":       forged(t, header, with(claims, "aud", []string{"other"}), hs256(secret)),
			"no subject":             forged(t, header, with(claims, "sub", nil), hs256(secret)),
			"another's session":      forged(t, header, with(claims, "sid", partOf(t, of.Access, 1)["sid"]), hs256(secret)),
			"another's user":         forged(t, header, with(claims, "sub", partOf(t, of.Access, 1)["sub"]), hs256(secret)),
			"no such session":        forged(t, header, with(claims, "sid", 1<<40), hs256(secret)),
			"a refresh token":        pair.Refresh,
			"another use":            forged(t, header, with(claims, "use", "admin"), hs256(secret)),
			"tampered payload":       cut[0] + "." + cut[1][:len(cut[1])-2] + "AA." + cut[2],
			"the payload of B":       cut[0] + "." + strings.Split(of.Access, ".")[1] + "." + cut[2],
			"cut signature":          good[:len(good)-3],
			"no signature":           cut[0] + "." + cut[1] + ".",
			"two parts":              cut[0] + "." + cut[1],
			"four parts":             good + "." + cut[2],
			"padded":                 good + "=",
			"a line end":             cut[0] + "." + cut[1] + "." + cut[2][:5] + "%0a" + cut[2][5:],
			"very long":              strings.Repeat("a", 100_000),
			"very long and dotted":   cut[0] + "." + strings.Repeat("a", 8000) + "." + cut[2],
			"no more than a dot":     ".",
			"a key with no such id":  "ups_ab12cd34_" + strings.Repeat("x", 43),
			"the mark of keys":       "ups_",
			"a key that is too long": "ups_ab12cd34_" + strings.Repeat("x", 430),
			"the session's number":   fmt.Sprint(claims["sid"]),
		}
		// The forger can write a good one: what the others lack is what they are refused for.
		w.get(forged(t, header, claims, hs256(secret)), "auth/me/").want(http.StatusOK)
		for name, token := range tests {
			got := w.get(token, "auth/me/")
			p := got.problem(http.StatusUnauthorized, "signed_out")
			if got.header.Get("WWW-Authenticate") == "" || t.Failed() {
				t.Errorf("%s: %d %s", name, got.status, p.Detail)
			}
			for _, path := range []string{"auth/token/refresh/", "auth/token/verify/"} {
				if name == "a refresh token" || name == "very long" || name == "a key that is too long" || len(token) > 4096 {
					continue
				}
				body := map[string]string{"refresh": token}
				if path == "auth/token/verify/" {
					body = map[string]string{"token": token}
				}
				w.post("", path, body).problem(http.StatusUnauthorized, "signed_out")
			}
		}
		w.post("", "auth/token/refresh/", map[string]string{"refresh": good}).problem(http.StatusUnauthorized, "signed_out")
		w.get(good, "auth/me/").want(http.StatusOK)
	})
}

func TestTokensEndWhenTheySay(t *testing.T) {
	w := newWorld(t, worldOptions{})
	pair := w.signIn("viewerA")
	verify := func(token string, status int) {
		t.Helper()
		if got := w.post("", "auth/token/verify/", map[string]string{"token": token}); got.status/100 != status/100 {
			t.Errorf("verify: %d %s, want %d", got.status, got.body, status)
		}
	}
	w.wait(auth.AccessLife - time.Second)
	w.get(pair.Access, "claims/").want(http.StatusOK)
	verify(pair.Access, 200)
	w.wait(time.Second)
	w.get(pair.Access, "claims/").problem(http.StatusUnauthorized, "signed_out")
	verify(pair.Access, 401)
	verify(pair.Refresh, 200)
	w.wait(auth.RefreshLife - auth.AccessLife - time.Second)
	var next tokenPair
	w.post("", "auth/token/refresh/", map[string]string{"refresh": pair.Refresh}).want(http.StatusOK).decode(&next)
	verify(pair.Refresh, 401) // it is spent; asking about it is no attempt to use it
	verify(next.Refresh, 200)
	w.get(next.Access, "claims/").want(http.StatusOK)
	w.wait(auth.RefreshLife)
	w.post("", "auth/token/refresh/", map[string]string{"refresh": next.Refresh}).problem(http.StatusUnauthorized, "signed_out")
}

// Of two refreshes with one token one gets a pair, and the other reveals that the
// token was copied: the family ends.
func TestOfConcurrentRefreshesOneWins(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		pair := w.signIn("viewerA")
		var all sync.WaitGroup
		answers := make([]*response, 6)
		for i := range answers {
			all.Go(func() {
				answers[i] = w.post("", "auth/token/refresh/", map[string]string{"refresh": pair.Refresh})
			})
		}
		all.Wait()
		var won []tokenPair
		for _, a := range answers {
			if a.status == http.StatusOK {
				var p tokenPair
				a.decode(&p)
				won = append(won, p)
				continue
			}
			a.problem(http.StatusUnauthorized, "signed_out")
		}
		if len(won) != 1 {
			t.Fatalf("%d refreshes won", len(won))
		}
		w.get(won[0].Access, "auth/me/").problem(http.StatusUnauthorized, "signed_out")
		w.post("", "auth/token/refresh/", map[string]string{"refresh": won[0].Refresh}).problem(http.StatusUnauthorized, "signed_out")
		w.signIn("viewerA")
	})
}

// A server that runs learns of a key that another process has made: from the first
// token that it signs, and before it signs the next ones itself.
func TestARunningServerLearnsNewSigningKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		old := w.signIn("viewerA")
		tag := w.get(old.Access, "claims/").want(http.StatusOK).header.Get("Etag")
		w.get(old.Access, "claims/?page_size=500&cursor="+w.cursor(old.Access)).want(http.StatusOK)
		w.wait(time.Second)
		keys, err := w.store.RotateSigningKey(t.Context(), newKey, w.now())
		if err != nil {
			t.Fatal(err)
		}
		signer, err := auth.NewSigner([]auth.Key{{ID: keys[0].ID, Secret: keys[0].Secret, CreatedAt: keys[0].CreatedAt}})
		if err != nil {
			t.Fatal(err)
		}
		claims := partOf(t, old.Access, 1)
		fresh, err := signer.Sign(auth.Token{
			Use: auth.Access, User: w.a.users[upstream.Viewer].ID, Session: int64(claims["sid"].(float64)), Issued: w.now(), Expires: w.now().Add(10 * time.Minute),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.wait(keysDoubted)
		other := w.another(nil) // it starts after the rotation
		w.get(fresh, "auth/me/").want(http.StatusOK)
		w.get(old.Access, "auth/me/").want(http.StatusOK)
		w.get(old.Access, "claims/", "If-None-Match", tag).want(http.StatusNotModified)
		w.get(old.Access, "claims/?page_size=500&cursor="+w.cursor(old.Access)).want(http.StatusOK)
		if got := asked(other, old.Access, "claims/", "identity"); got.status != http.StatusOK || got.header.Get("Etag") != tag {
			t.Errorf("a server that started later tags the answer %s, not %s: %d", got.header.Get("Etag"), tag, got.status)
		}
		w.wait(keysTrusted)
		if kid := partOf(t, w.signIn("viewerA").Access, 0)["kid"]; kid != keys[0].ID {
			t.Errorf("signed with the key %v, the newest is %s", kid, keys[0].ID)
		}
	})
}

// cursor is the place after the first page of one claim.
func (w *world) cursor(token string) string {
	w.Helper()
	var list struct{ Count int64 }
	w.get(token, "claims/?page_size=500").want(http.StatusOK).decode(&list)
	c := &call{server: w.server, customer: w.a.id}
	return w.server.encodeCursor(c.bound(Prefix+"claims/", nil), forth, upstream.Key{Value: 1 << 40, ID: 1 << 40})
}

// Tokens that nobody knows don't make the server ask the database for each.
func TestAFloodOfUnknownTokensReadsTheKeysRarely(t *testing.T) {
	w := newWorld(t, worldOptions{change: func(o *Options) { o.CountQueries = true }})
	counts := map[string]int{}
	w.wait(time.Hour)
	for i := range 50 {
		got := w.get(fmt.Sprintf("eyJhbGciOiJIUzI1NiJ9.e30.%d", i), "auth/me/")
		got.problem(http.StatusUnauthorized, "signed_out")
		counts[got.header.Get("X-Query-Count")]++
	}
	if counts["1"] != 49 || counts["2"] != 1 {
		t.Errorf("statements of 50 requests: %v; want 1 each, and 2 once", counts)
	}
}

func TestTheAuthorizationHeader(t *testing.T) {
	w := newWorld(t, worldOptions{})
	good, key := w.a.tokens[upstream.Viewer], w.key(w.a, upstream.Viewer)
	tests := []struct {
		name   string
		values []string
		status int
	}{
		{"none", nil, 401},
		{"empty", []string{""}, 401},
		{"token", []string{"Bearer " + good}, 200},
		{"lower case", []string{"bearer " + good}, 200},
		{"upper case", []string{"BEARER " + good}, 200},
		{"spaces", []string{"Bearer   " + good + "  "}, 200},
		{"key", []string{"Bearer " + key}, 200},
		{"scheme of keys", []string{"ApiKey " + key}, 401},
		{"no scheme", []string{good}, 401},
		{"scheme alone", []string{"Bearer"}, 401},
		{"scheme and space", []string{"Bearer "}, 401},
		{"tab", []string{"Bearer\t" + good}, 401},
		{"basic", []string{"Basic dmlld2VyQTpwYXNzd29yZA=="}, 401},
		{"two tokens", []string{"Bearer " + good + " " + good}, 401},
		{"two by comma", []string{"Bearer " + good + ", Bearer " + good}, 401},
		{"twice", []string{"Bearer " + good, "Bearer " + good}, 401},
		{"a good and a bad one", []string{"Bearer " + good, "Bearer x"}, 401},
		{"a bad and a good one", []string{"Bearer x", "Bearer " + good}, 401},
		{"an empty and a good one", []string{"", "Bearer " + good}, 401},
		{"not ASCII", []string{"Bearer \xff\xfe"}, 401},
		{"a cookie's text", []string{"Bearer cookie " + strings.Repeat("a", 43)}, 401},
	}
	for _, test := range tests {
		r, err := http.NewRequest(http.MethodGet, w.url+Prefix+"auth/me/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header["Authorization"] = test.values
		if got := w.do(r); got.status != test.status {
			t.Errorf("%s: %d %s, want %d", test.name, got.status, got.body, test.status)
		}
	}
	// A bad header is not made good by a cookie.
	cookie := w.logIn("viewerA")
	w.get("x", "auth/me/", "Cookie", cookie).problem(http.StatusUnauthorized, "signed_out")
	// What is no HTTP at all gets no answer of ours.
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %sauth/me/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\x00b\r\n\r\n", Prefix)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 400 ") {
		t.Errorf("a NUL in a header: %q, %v", line, err)
	}
}

func TestACookieIsForItsSiteAlone(t *testing.T) {
	w := newWorld(t, worldOptions{})
	cookie := w.logIn("analystA")
	host := strings.TrimPrefix(w.url, "http://")
	tests := []struct {
		name         string
		method, path string
		headers      []string
		status       int
	}{
		{"read from another site", "GET", "claims/", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 200},
		{"write from the site", "POST", "payer-mappings/", []string{"Origin", "http://" + host}, 200},
		{"write from the site, as browsers say", "POST", "payer-mappings/", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"write of a program", "POST", "payer-mappings/", nil, 200},
		{"write from another site", "POST", "payer-mappings/", []string{"Origin", "https://evil.example"}, 403},
		{"write from another site, as browsers say", "POST", "payer-mappings/", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"write from a neighbour", "POST", "payer-mappings/", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"write from another port", "POST", "payer-mappings/", []string{"Origin", "http://127.0.0.1:1"}, 403},
		{"write from nowhere", "POST", "payer-mappings/", []string{"Origin", "null"}, 403},
		{"change from another site", "PATCH", "drift-events/1/", []string{"Origin", "https://evil.example"}, 403},
		{"removal from another site", "DELETE", "payer-mappings/1/", []string{"Origin", "https://evil.example"}, 403},
		{"upload from another site", "POST", "uploads/", []string{"Origin", "https://evil.example", "Content-Type", "text/csv"}, 403},
		{"logout from another site", "POST", "auth/logout/", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"login from another site", "POST", "auth/login/", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"token from another site", "POST", "auth/token/", []string{"Origin", "https://evil.example"}, 403},
	}
	for i, test := range tests {
		body := fmt.Sprintf(`{"raw_name":"raw %d","payer":"payer"}`, i)
		got := w.ask(test.method, "", test.path, strings.NewReader(body), append([]string{"Content-Type", "application/json", "Cookie", cookie}, test.headers...)...)
		if got.status != test.status && (test.status != 200 || got.status/100 != 2) {
			t.Errorf("%s: %d %s, want %d", test.name, got.status, got.body, test.status)
		}
	}
	// No other site can make a browser send this header.
	w.post(w.a.tokens[upstream.Analyst], "payer-mappings/", map[string]string{"raw_name": "raw", "payer": "payer"}, "Origin", "https://evil.example").made()
	w.get("", "auth/me/", "Cookie", cookie).want(http.StatusOK)
}

func TestABrowserSessionEndsIdleOrAfterTwelveHours(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		me := func(cookie string, status int) {
			t.Helper()
			if got := w.get("", "auth/me/", "Cookie", cookie); got.status != status {
				t.Fatalf("%s: %d %s, want %d", w.now().Sub(today), got.status, got.body, status)
			}
		}
		idle := w.logIn("viewerA")
		me(idle, 200)
		w.wait(upstream.BrowserSessionIdle - time.Second)
		me(idle, 200)
		w.wait(upstream.BrowserSessionIdle - time.Second)
		me(idle, 200)
		w.wait(upstream.BrowserSessionIdle)
		me(idle, 401)
		me(idle, 401) // asking does not wake it
		busy, start := w.logIn("viewerA"), w.now()
		for w.now().Add(time.Minute).Before(start.Add(upstream.BrowserSessionLife)) {
			w.wait(time.Minute)
			me(busy, 200)
		}
		w.wait(time.Minute)
		me(busy, 401)
		// Another server finds in the database that a session is in use.
		shared := w.logIn("viewerA")
		other := w.another(nil)
		for range 3 {
			w.wait(10 * time.Minute)
			me(shared, 200)
		}
		r, _ := http.NewRequest(http.MethodGet, Prefix+"auth/me/", nil)
		r.Header.Set("Cookie", shared)
		got := &answer{header: http.Header{}}
		other.ServeHTTP(got, r)
		if got.status != http.StatusOK {
			t.Errorf("another server: %d %s", got.status, got.body)
		}
	})
}

func TestTheCookieTellsBrowsersToKeepIt(t *testing.T) {
	for _, public := range []string{"", "http://upstream.example", "https://upstream.example"} {
		w := newWorld(t, worldOptions{change: func(o *Options) { o.PublicURL = public }})
		got := w.post("", "auth/login/", map[string]string{"username": "viewerA", "password": password}).want(http.StatusOK)
		k, err := http.ParseSetCookie(got.header.Get("Set-Cookie"))
		if err != nil {
			t.Fatal(err)
		}
		if !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.Domain != "" || k.Secure == strings.HasPrefix(public, "http:") || len(k.Value) != 43 {
			t.Errorf("%q: %+v", public, k)
		}
		if strings.Contains(string(got.body), k.Value) {
			t.Errorf("the body holds the secret: %s", got.body)
		}
		cookie := k.Name + "=" + k.Value
		out := w.post("", "auth/logout/", nil, "Cookie", cookie).made()
		gone, err := http.ParseSetCookie(out.header.Get("Set-Cookie"))
		if err != nil || gone.Value != "" || gone.MaxAge >= 0 || gone.Path != "/" || !gone.HttpOnly {
			t.Errorf("%q: after the logout %+v, %v", public, gone, err)
		}
		w.get("", "auth/me/", "Cookie", cookie).problem(http.StatusUnauthorized, "signed_out")
	}
}

// A session's cookie is no token, and a token no cookie.
func TestCredentialsAreOfOneKind(t *testing.T) {
	w := newWorld(t, worldOptions{})
	cookie := w.logIn("viewerA")
	_, secret, _ := strings.Cut(cookie, "=")
	w.get("", "auth/me/", "Cookie", cookie).want(http.StatusOK)
	w.get(secret, "auth/me/").problem(http.StatusUnauthorized, "signed_out")
	w.get("cookie "+secret, "auth/me/").problem(http.StatusUnauthorized, "signed_out")
	for _, value := range []string{w.a.tokens[upstream.Viewer], w.key(w.a, upstream.Viewer), "", strings.Repeat("a", 43), strings.Repeat("a", 5000), "' OR 1=1 --"} {
		w.get("", "auth/me/", "Cookie", cookieName+"="+value).problem(http.StatusUnauthorized, "signed_out")
	}
	// Nor does a session of tokens have a secret that a cookie could hold.
	if s, err := w.store.SessionBySecret(t.Context(), ""); err != nil || s.ID != 0 {
		t.Error(s, err)
	}
}
