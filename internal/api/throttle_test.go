package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"upstream"
	"upstream/internal/limit"
	"upstream/internal/store"
)

// limited are the default rates, behind a proxy that the tests are.
func limited(o *Options) {
	o.Rates, _ = limit.ParseRates(limit.DefaultRates)
	o.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	o.CountQueries = true
}

// throttled is a world with limits, in which nobody has asked for long.
func throttled(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, worldOptions{change: limited})
	w.wait(10 * time.Minute)
	for role, u := range w.a.users {
		w.a.tokens[role] = w.signIn(u.Username).Access
	}
	w.wait(10 * time.Minute)
	return w
}

var rateLimit = regexp.MustCompile(`^"(read|write|login)";r=(\d+);t=(\d+)$`)

// A class lets through its burst, tells how much is left, and after what Retry-After
// says the next request works.
func TestARateIsToldAndKept(t *testing.T) {
	tests := []struct {
		class, policy string
		burst         int
		ask           func(w *world) *response
	}{
		{"read", `"read";q=100;w=2`, 100, func(w *world) *response { return w.get(w.a.tokens[upstream.Viewer], "auth/me/") }},
		{"read", `"read";q=100;w=2`, 100, func(w *world) *response { return w.get("", "health/?x=1") }},
		{"read", `"read";q=100;w=2`, 100, func(w *world) *response { return w.get("", "claims/") }},
		{"read", `"read";q=100;w=2`, 100, func(w *world) *response { return w.get("garbage", "claims/") }},
		{"read", `"read";q=100;w=2`, 100, func(w *world) *response {
			return w.get(w.a.tokens[upstream.Viewer], "claims/?customer="+itoa(w.b.id))
		}},
		{"write", `"write";q=20;w=2`, 20, func(w *world) *response { return w.post(w.a.tokens[upstream.Viewer], "reports/trigger/", 1) }},
		{"login", `"login";q=10;w=2`, 10, func(w *world) *response {
			return w.post("", "auth/token/verify/", map[string]string{"token": "x"})
		}},
	}
	w := throttled(t)
	for _, test := range tests {
		w.wait(time.Minute)
		status := 0
		for i := range test.burst {
			got := test.ask(w)
			if status == 0 {
				status = got.status
			}
			state := rateLimit.FindStringSubmatch(got.header.Get("RateLimit"))
			if got.status != status || got.status == 429 || got.header.Get("RateLimit-Policy") != test.policy || state == nil || state[1] != test.class || state[2] != strconv.Itoa(test.burst-1-i) {
				t.Fatalf("%s, request %d: %d %v", got.request, i+1, got.status, got.header)
			}
		}
		over := test.ask(w)
		over.problem(http.StatusTooManyRequests, "too_many_requests")
		after, err := strconv.Atoi(over.header.Get("Retry-After"))
		if err != nil || after < 1 {
			t.Fatalf("%s: Retry-After %q", over.request, over.header.Get("Retry-After"))
		}
		w.wait(time.Duration(after) * time.Second)
		if got := test.ask(w); got.status != status {
			t.Errorf("%s: after %d s: %d %s", got.request, after, got.status, got.body)
		}
	}
}

// Tokens of different people, and keys, are counted each by itself.
func TestOneTokensRequestsAreNotAnothers(t *testing.T) {
	w := throttled(t)
	key := w.key(w.a, upstream.Viewer)
	w.wait(time.Minute)
	for range 100 {
		w.get(w.a.tokens[upstream.Viewer], "auth/me/").want(http.StatusOK)
	}
	w.get(w.a.tokens[upstream.Viewer], "auth/me/").problem(http.StatusTooManyRequests, "too_many_requests")
	w.get(w.a.tokens[upstream.Analyst], "auth/me/").want(http.StatusOK)
	w.get(key, "auth/me/").want(http.StatusOK)
	w.post(w.a.tokens[upstream.Viewer], "reports/trigger/", 1).problem(http.StatusForbidden, "forbidden") // writes are a class of their own
}

// guess tries to sign in from an address.
func (w *world) guess(username, password, address string) *response {
	w.Helper()
	return w.post("", "auth/token/", map[string]string{"username": username, "password": password}, "X-Forwarded-For", address, "X-Request-Id", "same")
}

// An account takes 20 guesses from one network, whether there is such an account or
// not, and its user still gets in from elsewhere; and many more from everywhere
// together.
func TestGuessesAtOneAccountEnd(t *testing.T) {
	defer func(r limit.Rate) { accountRate = r }(accountRate)
	accountRate = limit.Rate{PerSecond: 1, Burst: 30}
	w := throttled(t)
	const from, elsewhere = "192.0.2.1", "192.0.2.2"
	names := []string{"viewerB", "VIEWERB", "ViewerB"}
	for i := range 20 {
		if i%10 == 0 {
			w.wait(time.Second * 5) // the address is free again, the account hardly
		}
		w.guess(names[i%len(names)], "wrong", from).problem(http.StatusUnauthorized, "signed_out")
	}
	w.wait(time.Second)
	locked := w.guess("viewerB", password, from)
	locked.problem(http.StatusTooManyRequests, "too_many_requests")
	w.guess("analystB", password, from).want(http.StatusOK)
	w.post("", "auth/login/", map[string]string{"username": "viewerB", "password": password}, "X-Forwarded-For", from).problem(http.StatusTooManyRequests, "too_many_requests")
	w.guess("viewerB", password, elsewhere).want(http.StatusOK)
	after, err := strconv.Atoi(locked.header.Get("Retry-After"))
	if err != nil || after < 1 || after > 10 {
		t.Errorf("Retry-After %d, %v", after, err)
	}
	w.wait(time.Duration(after) * time.Second)
	w.guess("viewerB", password, from).want(http.StatusOK)
}

func TestGuessesFromEverywhereEnd(t *testing.T) {
	defer func(r limit.Rate) { accountRate = r }(accountRate)
	accountRate = limit.Rate{PerSecond: 1, Burst: 30}
	w := throttled(t)
	address := func(i int) string { return fmt.Sprintf("192.0.2.%d", i) }
	for i := range 30 {
		w.guess("viewerB", "wrong", address(i)).problem(http.StatusUnauthorized, "signed_out")
		w.guess("nobody.at.all", "wrong", address(i)).problem(http.StatusUnauthorized, "signed_out")
	}
	locked, unknown := w.guess("viewerB", "wrong", address(100)), w.guess("nobody.at.all", "wrong", address(101))
	locked.problem(http.StatusTooManyRequests, "too_many_requests")
	if told(locked) != told(unknown) {
		t.Errorf("an account that is there:\n%s\none that isn't:\n%s", told(locked), told(unknown))
	}
	w.wait(time.Second)
	w.guess("viewerB", password, address(104)).want(http.StatusOK)
}

// The old password is guessed at under the same limit.
func TestGuessesAtOnesOwnPasswordEnd(t *testing.T) {
	w := throttled(t)
	guess := func() *response {
		return w.post(w.a.tokens[upstream.Viewer], "auth/password/", map[string]string{"old_password": "wrong", "new_password": "long enough to be one"})
	}
	for range 20 {
		guess().problem(http.StatusUnprocessableEntity, "invalid")
	}
	w.wait(5 * time.Second) // the class of writes is open again
	guess().problem(http.StatusTooManyRequests, "too_many_requests")
}

// An address makes 10 attempts at once, at however many accounts, and so does all
// that one IPv6 line has.
func TestAttemptsOfOneAddressEnd(t *testing.T) {
	tests := []struct {
		name    string
		address func(i int) string
		free    string // another address
	}{
		{"IPv4", func(int) string { return "192.0.2.7" }, "192.0.2.8"},
		{"IPv4 in IPv6", func(i int) string { return []string{"192.0.2.9", "::ffff:192.0.2.9"}[i%2] }, "192.0.2.10"},
		{"IPv6", func(i int) string { return fmt.Sprintf("2001:db8:1:1::%x", i) }, "2001:db8:1:2::1"},
		{"IPv6, all over its line", func(i int) string { return fmt.Sprintf("2001:db8:2:1:%x:1:2:3", i*1000) }, "2001:db8:2::1"},
		{"lies before the address", func(i int) string { return fmt.Sprintf("203.0.113.%d, 192.0.2.11", i) }, "192.0.2.12"},
	}
	w := throttled(t)
	for _, test := range tests {
		for i := range 10 {
			w.guess(fmt.Sprintf("guess%d", i), "wrong", test.address(i)).problem(http.StatusUnauthorized, "signed_out")
		}
		w.guess("guess11", "wrong", test.address(11)).problem(http.StatusTooManyRequests, "too_many_requests")
		if got := w.guess("guess12", "wrong", test.free); got.status != http.StatusUnauthorized {
			t.Errorf("%s: another address: %d", test.name, got.status)
		}
		w.wait(time.Minute)
	}
}

// Whether a name exists shows neither in the answer nor in the work: the statements
// are as many, and one password is hashed, which takes 19 MiB.
func TestNobodyLearnsWhichUsersThereAre(t *testing.T) {
	w := throttled(t)
	disabled := true
	if _, err := w.store.ChangeUser(t.Context(), w.b.users[upstream.Viewer].ID, store.UserChange{Disabled: &disabled}, w.now()); err != nil {
		t.Fatal(err)
	}
	guess := func(path, name, word, address string) (string, int64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := w.post("", path, map[string]string{"username": name, "password": word}, "X-Forwarded-For", address, "X-Request-Id", "same")
		runtime.ReadMemStats(&after)
		got.problem(http.StatusUnauthorized, "signed_out")
		return told(got), int64(after.TotalAlloc-before.TotalAlloc) >> 20
	}
	i := 0
	for _, path := range []string{"auth/token/", "auth/login/"} {
		want := ""
		for _, test := range []struct{ name, username, password string }{
			{"wrong password", "analystB", "wrong"},
			{"unknown user", "analystC", "wrong"},
			{"disabled, wrong password", "viewerB", "wrong"},
			{"disabled, right password", "viewerB", password},
			{"superuser", "root", "wrong"},
			{"much too long", "analystB", strings.Repeat("x", 1024)},
			{"unknown, much too long", "analystC", strings.Repeat("x", 1024)},
		} {
			i++
			answer, mebibytes := guess(path, test.username, test.password, fmt.Sprintf("192.0.2.%d", i))
			if want == "" {
				want = answer
			}
			if answer != want {
				t.Errorf("%s:\n%s\nwrong password:\n%s", test.name, answer, want)
			}
			if mebibytes < 19 || mebibytes >= 38 {
				t.Errorf("%s: %d MiB were allocated; one hash takes 19", test.name, mebibytes)
			}
		}
		// More bytes than a password has are refused alike too.
		a, _ := guess(path, "analystB", strings.Repeat("é", 1000), "192.0.2.200")
		b, _ := guess(path, "analystC", strings.Repeat("é", 1000), "192.0.2.201")
		if a != b {
			t.Errorf("too many bytes:\n%s\nof nobody:\n%s", a, b)
		}
	}
}

func TestOnlyOurProxiesTellTheAddress(t *testing.T) {
	prefixes := func(texts ...string) (out []netip.Prefix) {
		for _, p := range texts {
			out = append(out, netip.MustParsePrefix(p))
		}
		return out
	}
	ours := prefixes("10.0.0.0/8", "2001:db8:ffff::/48")
	tests := []struct {
		name, remote string
		proxies      []netip.Prefix
		forwarded    []string
		want         string
	}{
		{"no proxies", "192.0.2.1:99", nil, []string{"203.0.113.9"}, "192.0.2.1"},
		{"no proxies, loopback", "127.0.0.1:99", nil, []string{"203.0.113.9"}, "127.0.0.1"},
		{"not by a proxy", "192.0.2.1:99", ours, []string{"203.0.113.9"}, "192.0.2.1"},
		{"by a proxy", "10.1.2.3:99", ours, []string{"203.0.113.9"}, "203.0.113.9"},
		{"by a proxy, nothing", "10.1.2.3:99", ours, nil, "10.1.2.3"},
		{"a lie before", "10.1.2.3:99", ours, []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{"a lie in a line of its own", "10.1.2.3:99", ours, []string{"198.51.100.1", "203.0.113.9"}, "203.0.113.9"},
		{"a lie that is a proxy", "10.1.2.3:99", ours, []string{"10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		{"two proxies", "10.1.2.3:99", ours, []string{"198.51.100.1, 203.0.113.9, 10.4.5.6"}, "203.0.113.9"},
		{"proxies alone", "10.1.2.3:99", ours, []string{"10.7.7.7, 10.4.5.6"}, "10.7.7.7"},
		{"garbage at the end", "10.1.2.3:99", ours, []string{"203.0.113.9, unknown"}, "10.1.2.3"},
		{"garbage before", "10.1.2.3:99", ours, []string{"<script>, 203.0.113.9"}, "203.0.113.9"},
		{"an empty entry", "10.1.2.3:99", ours, []string{"203.0.113.9,"}, "10.1.2.3"},
		{"a port", "10.1.2.3:99", ours, []string{"203.0.113.9:1234"}, "10.1.2.3"},
		{"spaces", "10.1.2.3:99", ours, []string{"  203.0.113.9  "}, "203.0.113.9"},
		{"IPv6 client", "[2001:db8::1]:99", ours, []string{"203.0.113.9"}, "2001:db8::1"},
		{"IPv6 proxy", "[2001:db8:ffff::1]:99", ours, []string{"2001:db8::2"}, "2001:db8::2"},
		{"IPv4 in IPv6", "[::ffff:10.1.2.3]:99", ours, []string{"203.0.113.9"}, "203.0.113.9"},
		{"IPv4 in IPv6, no proxies", "[::ffff:192.0.2.1]:99", nil, nil, "192.0.2.1"},
		{"client as IPv4 in IPv6", "10.1.2.3:99", ours, []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"one spelling", "10.1.2.3:99", ours, []string{"2001:0db8:0:0::0002"}, "2001:db8::2"},
		{"a zone", "10.1.2.3:99", ours, []string{"fe80::1%made-up"}, "fe80::1"},
		{"no port", "unix", ours, []string{"203.0.113.9"}, "unix"},
	}
	for _, test := range tests {
		s := &Server{Options: Options{Proxies: test.proxies}}
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{"X-Forwarded-For": test.forwarded}}
		if got := s.clientAddress(r); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	for in, want := range map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "unix": "unix", "": ""} {
		if got := network(in); got != want {
			t.Errorf("network of %q: %q, want %q", in, got, want)
		}
	}
}

func FuzzTheAddressIsOneOrTheConnections(f *testing.F) {
	for _, s := range []string{"", "203.0.113.9", "a, b", "::1", "fe80::1%x", "1.2.3.4:5", ",,,", "::ffff:1.2.3.4"} {
		f.Add(s)
	}
	s := &Server{Options: Options{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	f.Fuzz(func(t *testing.T, forwarded string) {
		got := s.clientAddress(&http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {forwarded}}})
		a, err := netip.ParseAddr(got)
		if err != nil || a.Zone() != "" || a.Is4In6() || a.String() != got {
			t.Errorf("%q: the address %q", forwarded, got)
		}
	})
}
