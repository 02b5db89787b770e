// Package limit bounds what is asked of the program: a rate limiter and a cache,
// each in the memory of the process or in a Redis that several share.
package limit

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"upstream"
)

// Rate is how often something may happen: in a burst, and in the long run. The zero
// Rate is no limit.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Decision is the answer to one request.
type Decision struct {
	Allowed    bool
	Remaining  int           // requests that would be allowed now; 0 where there is no limit
	RetryAfter time.Duration // when one is allowed again; 0 when this one is
	Reset      time.Duration // when the whole burst is there again
}

// Limiter counts requests. Each key is counted by itself; with the same keys and
// times all implementations decide alike.
type Limiter interface {
	// Take asks for one request. It fails only when ctx has ended.
	Take(ctx context.Context, key string, r Rate, now time.Time) (Decision, error)
}

// The bounds of a Rate, within which its times are exact in microseconds.
const (
	minPerSecond, maxPerSecond = 0.001, 1e6
	maxBurst                   = 1_000_000
)

// interval is the time that one request uses up, in microseconds: the T of GCRA, the
// generic cell rate algorithm (ITU-T I.371, annex A). Instead of a bucket it keeps
// one number for a key, the theoretical arrival time (TAT) at which the next request
// would come if all came at the exact rate. A request is allowed when the TAT is not
// more than burst-1 intervals ahead, and puts it one interval further:
//
//	      now                TAT
//	───────┼────┬────┬────┬───┼────┬──── burst = 5: three used, two left
//	       │      used up     │ left
//
// An idle key has a TAT in the past, which is the same as none.
func (r Rate) interval() int64 { return max(int64(math.Round(1e6/r.PerSecond)), 1) }

// off tells whether there is no limit.
func (r Rate) off() bool { return r.PerSecond <= 0 || r.Burst <= 0 }

// window is the time in which a whole burst comes back, in microseconds.
func (r Rate) window() int64 { return r.interval() * int64(r.Burst) }

// take decides by the TAT of a key, and returns the one to keep. All times are in
// microseconds since 1970.
func (r Rate) take(tat, now int64) (kept int64, allowed bool) {
	interval, window := r.interval(), r.window()
	// A TAT that no requests at this rate can have reached comes from another rate
	// or from a clock that was put back.
	if tat < now || tat > now+2*window {
		tat = now
	}
	if tat+interval > now+window {
		return tat, false
	}
	return tat + interval, true
}

// decision tells what a TAT means for who asks.
func (r Rate) decision(tat, now int64, allowed bool) Decision {
	interval, window := r.interval(), r.window()
	d := Decision{Allowed: allowed, Reset: microseconds(tat - now), Remaining: max(0, int((window-(tat-now))/interval))}
	if !allowed {
		d.RetryAfter = microseconds(tat + interval - window - now)
	}
	return d
}

func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// Rates are the limits of the classes of routes.
type Rates struct {
	Read, Write, Login Rate
}

// DefaultRates are generous enough that no person meets them.
const DefaultRates = "read=50/100,write=10/20,login=5/10"

// ParseRates reads limits as "read=50/100,write=10/20,login=5/10", each a number a
// second and a burst, or "off" for none at all. A class that is left out keeps its
// limit of DefaultRates.
func ParseRates(s string) (Rates, error) {
	if strings.TrimSpace(s) == "off" {
		return Rates{}, nil
	}
	rates := Rates{Read: Rate{50, 100}, Write: Rate{10, 20}, Login: Rate{5, 10}}
	seen := map[string]bool{}
	for i, part := range strings.Split(s, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		rate := rates.class(name)
		switch {
		case rate == nil:
			return Rates{}, partError(i, part, "a limit is read=50/100, for read, write or login; or off alone")
		case seen[name]:
			return Rates{}, partError(i, part, "this class is there twice: name it once")
		}
		seen[name] = true
		var what string
		if *rate, what = parseRate(value); what != "" {
			return Rates{}, partError(i, part, what)
		}
	}
	return rates, nil
}

func (r *Rates) class(name string) *Rate {
	switch name {
	case "read":
		return &r.Read
	case "write":
		return &r.Write
	case "login":
		return &r.Login
	}
	return nil
}

// parseRate reads "50/100"; wrong says what to write, if anything.
func parseRate(s string) (r Rate, wrong string) {
	perSecond, burst, ok := strings.Cut(s, "/")
	if !ok {
		return Rate{}, "write a number a second and a burst, as read=50/100"
	}
	rate, err := strconv.ParseFloat(perSecond, 64)
	if err != nil || !(rate >= minPerSecond && rate <= maxPerSecond) { // nor NaN
		return Rate{}, "the number a second is from 0.001 to 1000000"
	}
	n, err := strconv.Atoi(burst)
	if err != nil || n < 1 || n > maxBurst {
		return Rate{}, "the burst is from 1 to 1000000"
	}
	return Rate{PerSecond: rate, Burst: n}, ""
}

func partError(i int, part, what string) error {
	if len(part) > 40 {
		part = part[:40]
	}
	return upstream.Errorf(upstream.Invalid, "rate limit, part %d, %q: %s", i+1, part, what)
}

// String writes rates as ParseRates reads them.
func (r Rates) String() string {
	if r == (Rates{}) {
		return "off"
	}
	return "read=" + r.Read.String() + ",write=" + r.Write.String() + ",login=" + r.Login.String()
}

// String writes a rate as "50/100".
func (r Rate) String() string {
	return strconv.FormatFloat(r.PerSecond, 'f', -1, 64) + "/" + strconv.Itoa(r.Burst)
}
