package api

import (
	"context"
	"encoding/json"
	"math"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"upstream"
	"upstream/internal/limit"
)

// askTimeout bounds how long a request waits for the revisions.
const askTimeout = 10 * time.Second

// admit finds out who asks and about whom, and whether and how often they may. An
// error says why not.
func (c *call) admit(w http.ResponseWriter, r *http.Request) error {
	rt, s := c.route, c.server
	// Other sites can make a browser send its cookies, or sign it in as somebody
	// else, but not hide where from. They can't make it send this header.
	if r.Header.Get("Authorization") == "" && crossOrigin.Check(r) != nil {
		return errOtherSite
	}
	var unknown error
	if rt.who != anyone {
		unknown = c.identify(r)
	}
	// Who is not known is limited too, by address.
	if err := c.limit(w, r); err != nil {
		return err
	}
	if upstream.ErrorCode(unknown) == upstream.SignedOut {
		s.Metrics.AuthFailed(refusedFor(r))
	}
	if unknown != nil || rt.who == anyone {
		return unknown
	}
	if !c.who.may(rt) {
		s.Metrics.AuthFailed("forbidden")
		return upstream.Errorf(upstream.Forbidden, "%s", rt.refusal())
	}
	if c.customer == 0 && !rt.has(global) {
		return invalids{{"query.customer", "say which customer, with ?customer=ID; `customers/` lists them"}}
	}
	return nil
}

var crossOrigin = http.NewCrossOriginProtection()

var errOtherSite = upstream.Errorf(upstream.Forbidden, "the request comes from another site")

// refusedFor classes a request that nobody is known by.
func refusedFor(r *http.Request) string {
	if r.Header.Get("Authorization") == "" {
		return "missing"
	}
	return "token"
}

// refusal says what a route needs.
func (rt *route) refusal() string {
	if rt.who.superuser {
		return "this is for superusers"
	}
	return "this needs the role " + string(rt.who.role) + ", with the scope " + rt.scope + " where a key has scopes"
}

// identify finds who asks and about which customer, as of now: what was known of
// somebody is asked again as soon as users, keys or sessions have changed.
func (c *call) identify(r *http.Request) error {
	s := c.server
	presented, err := credentialOf(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	c.who = s.principals.get(presented)
	looked := false
	for {
		// A refusal counts once it is sure that who asks is still the same.
		var refused error
		c.customer, refused = c.wanted(r)
		now, err := s.freshness.of(ctx, c.customer)
		if err != nil {
			return err
		}
		// Who was looked up for this very request is as of now, whatever changes meanwhile.
		if looked || c.who.current(now.Access, c.started) {
			c.who.touch(c)
			c.revision = now.Data
			if refused == nil && now.Data == 0 && c.customer != 0 {
				return errNoCustomer
			}
			return refused
		}
		if c.who, err = s.lookUp(ctx, presented, now, c.started); err != nil {
			return err
		}
		looked = true
		s.principals.put(presented, c.who)
	}
}

var errNoCustomer = upstream.Errorf(upstream.NotFound, "there is no such customer, or it is none of yours")

// wanted returns the customer that a request is about: the one of who asks, or
// the one that a superuser names.
func (c *call) wanted(r *http.Request) (int64, error) {
	if c.who == nil {
		return 0, nil
	}
	// A name may be escaped.
	if c.route.has(global) || !strings.Contains(r.URL.RawQuery, "customer") && !strings.Contains(r.URL.RawQuery, "%") {
		return c.who.customer, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || !query.Has("customer") {
		return c.who.customer, nil // checkQuery tells what is wrong
	}
	id, err := strconv.ParseInt(query.Get("customer"), 10, 64)
	if err != nil || id < 1 {
		return 0, invalids{{"query.customer", "must be the number of a customer"}}
	}
	if id != c.who.customer && !c.who.superuser {
		return 0, errNoCustomer
	}
	return id, nil
}

// limit counts the request against its rate.
func (c *call) limit(w http.ResponseWriter, r *http.Request) error {
	s := c.server
	class, rate := "read", s.Rates.Read
	switch {
	case c.route.has(login):
		class, rate = "login", s.Rates.Login
	case c.route.writes():
		class, rate = "write", s.Rates.Write
	}
	if rate == (limit.Rate{}) {
		return nil
	}
	key := class + " " + network(c.address)
	if c.who != nil {
		key = class + " " + c.who.limited
	}
	d, err := s.Limiter.Take(r.Context(), key, rate, c.started)
	if err != nil {
		return err
	}
	h := w.Header()
	h["Ratelimit-Policy"] = []string{`"` + class + `";q=` + strconv.Itoa(rate.Burst) + ";w=" + strconv.Itoa(window(rate))}
	h["Ratelimit"] = []string{`"` + class + `";r=` + strconv.Itoa(d.Remaining) + ";t=" + strconv.Itoa(seconds(d.Reset))}
	if d.Allowed {
		return nil
	}
	s.Metrics.RateLimited(class)
	return &Problem{
		Status: http.StatusTooManyRequests, Code: "too_many_requests", retryAfter: d.RetryAfter,
		Detail: "too many requests; ask again after the seconds in Retry-After",
	}
}

// network is an address as limits count it: of IPv6 the 64 bits that a provider gives
// to one line, as whoever has one has all addresses behind it.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() {
		return address
	}
	p, err := a.Prefix(64)
	if err != nil {
		return address
	}
	return p.Masked().String()
}

// window is how long a whole burst takes to come back, in seconds.
func window(r limit.Rate) int { return int(math.Ceil(float64(r.Burst) / r.PerSecond)) }

// seconds rounds up.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// maxQuery and maxValue bound a query and each of its values, in bytes.
const maxQuery, maxValue = 4096, 1024

// checkQuery finds what huma lets pass: unknown, repeated, empty and unreadable
// parameters.
func (rt *route) checkQuery(r *http.Request) error {
	var wrong invalids
	if id := r.PathValue("id"); id != "" && !json.Valid([]byte(id)) {
		wrong.add("path.id", "must be a number, in digits")
	}
	if r.URL.RawQuery == "" {
		return wrong.err()
	}
	if len(r.URL.RawQuery) > maxQuery {
		wrong.add("query", "must be at most "+strconv.Itoa(maxQuery)+" characters")
		return wrong
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		wrong.add("query", "can't be read: check its % escapes, and separate parameters by &")
		return wrong
	}
	for name, values := range query {
		location := "query." + printable(name)
		known := rt.queries[name]
		switch {
		case known == nil:
			wrong.add(location, "there is no such parameter here")
		case len(values) > 1:
			wrong.add(location, "must be given once; separate several values by commas where they are allowed")
		case values[0] == "":
			wrong.add(location, "must have a value; leave it out for none")
		case len(values[0]) > maxValue:
			wrong.add(location, "must be at most "+strconv.Itoa(maxValue)+" characters")
		case !utf8.ValidString(values[0]) || strings.ContainsFunc(values[0], isControl):
			wrong.add(location, "must be plain text")
		case !isNumber(known.Schema, values[0]):
			wrong.add(location, "must be a number, in digits")
		}
	}
	return wrong.err()
}

// isNumber reports whether a value is a number as JSON writes them, where one is
// asked for: what else parsers take, as NaN, has no place in an order.
func isNumber(s *huma.Schema, value string) bool {
	return s.Type != huma.TypeInteger && s.Type != huma.TypeNumber || json.Valid([]byte(value))
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// printable shortens a name that a client made up, and takes out what is no letter.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < '!' || r > '~' {
			return '?'
		}
		return r
	}, name)
	return name[:min(len(name), 64)]
}

// clientAddress is the address of who asks. X-Forwarded-For is believed as far as
// it was written by proxies of ours: from its end.
func (s *Server) clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.isProxy(address); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = hop
	}
	return address.Unmap().WithZone("").String()
}

func (s *Server) isProxy(a netip.Addr) bool {
	for _, p := range s.Proxies {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}
