package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// User is one simulated user: a connection, cookies, a token and random numbers of its
// own. Its methods are called by its own tasks only.
type User struct {
	Number int // from 0, in the order of spawning
	Class  *Class
	Rand   *rand.Rand // seeded by run and number
	Data   any        // what its class keeps

	run    *run
	wire   wire
	shard  *shard
	header http.Header
	jar    *cookiejar.Jar // nil until a cookie comes
	links  map[string]*link
	due    time.Duration // when the next request was meant to be sent, since the run began; none below 0
	slip   time.Duration // how late it woke for that; none below 0
	stop   chan struct{} // closed when it is to end
	answer answer
	call   call
}

// Response is what a task learns of an answer.
type Response struct {
	Status     int   // 0 without one
	Err        error // why it counts as failed; nil for success
	RetryAfter time.Duration
}

// Check is an answer as checks of an Option see it.
type Check struct {
	Status int
	Body   []byte
}

// call is what options say of a request.
type call struct {
	name   string
	expect []int
	into   any
	check  func(Check) error
}

// Option says how a request is counted or judged.
type Option func(*call)

// Name counts a request under a name other than its path: one for all pages of a list.
func Name(name string) Option { return func(c *call) { c.name = name } }

// Expect makes these statuses the only ones that succeed. Without it all below 400 do.
func Expect(statuses ...int) Option { return func(c *call) { c.expect = statuses } }

// JSON decodes the body; a failure to counts as the request's.
func JSON(into any) Option { return func(c *call) { c.into = into } }

// Checked has an answer of an expected status looked at; an error counts as a failure
// and is its reason, so that it must be the same text for the same fault.
func Checked(check func(Check) error) Option { return func(c *call) { c.check = check } }

// SetToken sends a bearer token with each further request; "" sends none.
func (u *User) SetToken(token string) {
	if delete(u.header, "Authorization"); token != "" {
		u.header["Authorization"] = []string{"Bearer " + token}
	}
}

// Get sends a GET request for a path below the host.
func (u *User) Get(path string, options ...Option) Response {
	return u.send(http.MethodGet, path, nil, options)
}

// Post sends a body as JSON.
func (u *User) Post(path string, body any, options ...Option) Response {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // of the class's own making
	}
	return u.send(http.MethodPost, path, b, options)
}

// Sleep lets some time pass within a task or OnStart; false when the user is to end.
func (u *User) Sleep(d time.Duration) bool { return u.run.sleep(u.stop, d) }

// errOver says that a run is over: what a task asks then is not sent and not counted.
var errOver = errors.New("the run is over")

func (u *User) send(method, path string, body []byte, options []Option) Response {
	c := &u.call
	*c = call{name: path}
	for _, option := range options {
		option(c)
	}
	if u.run.over.Load() {
		return Response{Err: errOver}
	}
	at, err := u.link(path)
	if err != nil {
		panic(err)
	}
	if delete(u.header, "Content-Type"); body != nil {
		u.header["Content-Type"] = []string{"application/json"}
	}
	began := u.run.now()
	intended := began
	if u.due >= 0 {
		intended = min(u.due, began)
	}
	a := &u.answer
	*a = answer{}
	err = u.follow(&request{method: method, link: at, header: u.header, body: body, keep: c.into != nil || c.check != nil})
	ended := u.run.now()
	s := sample{method: method, name: c.name, ended: ended, response: ended - intended, service: ended - began, slip: u.slip, size: a.size, throttled: err == nil && a.status == http.StatusTooManyRequests}
	u.due, u.slip = -1, -1
	failed := c.judge(a, err, u.run.failure)
	if failed != nil {
		s.failure = failed.Error()
	}
	u.shard.record(&s)
	r := Response{Status: a.status, Err: failed}
	if s.throttled {
		r.RetryAfter = retryAfter(a.header("Retry-After"))
	}
	return r
}

func retryAfter(text string) time.Duration {
	d, err := ParseRunTime(text)
	if err != nil {
		return time.Second
	}
	return d
}

// judge returns why an exchange failed.
func (c *call) judge(a *answer, err error, reason func(error) string) error {
	switch {
	case err != nil:
		return errors.New(reason(err))
	case a.status == http.StatusTooManyRequests && !slices.Contains(c.expect, a.status):
		return errors.New("status 429: the server throttles")
	case c.expect != nil && !slices.Contains(c.expect, a.status):
		return fmt.Errorf("status %d, not %s", a.status, strings.Trim(strings.ReplaceAll(fmt.Sprint(c.expect), " ", " or "), "[]"))
	case c.expect == nil && a.status >= 400:
		return fmt.Errorf("status %d", a.status)
	}
	if c.into != nil && json.Unmarshal(a.body, c.into) != nil {
		return errors.New("the body is not the JSON that was expected")
	}
	if c.check != nil {
		return c.check(Check{a.status, a.body})
	}
	return nil
}

// maxRedirects is how many redirects are followed, as in a browser.
const maxRedirects = 20

var errRedirects = fmt.Errorf("redirected more than %d times", maxRedirects)

// follow exchanges a request, and those that redirects ask for.
func (u *User) follow(q *request) error {
	for range maxRedirects + 1 {
		u.sendCookies(q)
		if err := u.wire.exchange(q, &u.answer); err != nil {
			return err
		}
		if err := u.keepCookies(q); err != nil {
			return err
		}
		if u.answer.status < 301 || u.answer.status > 308 || u.answer.status > 303 && u.answer.status < 307 {
			return nil
		}
		if err := u.redirect(q); err != nil {
			return err
		}
		u.answer = answer{}
	}
	return errRedirects
}

// redirect makes the request that an answer redirects to. A token never goes to
// another host.
func (u *User) redirect(q *request) error {
	to, err := q.link.url.Parse(u.answer.header("Location"))
	if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" {
		return errors.New("redirected to what is no address")
	}
	if to.Host != q.link.url.Host {
		q.header = q.header.Clone()
		delete(q.header, "Authorization")
	}
	if u.answer.status <= http.StatusSeeOther && q.method != http.MethodHead {
		q.method, q.body = http.MethodGet, nil
	}
	q.link = newLink(to)
	return nil
}

func (u *User) sendCookies(q *request) {
	if u.jar == nil {
		return
	}
	delete(q.header, "Cookie")
	var pairs []string
	for _, c := range u.jar.Cookies(q.link.url) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	if pairs != nil {
		q.header["Cookie"] = []string{strings.Join(pairs, "; ")}
	}
}

func (u *User) keepCookies(q *request) (err error) {
	if len(u.answer.set) == 0 {
		return nil
	}
	if u.jar == nil {
		if u.jar, err = cookiejar.New(nil); err != nil {
			return err
		}
	}
	var cookies []*http.Cookie
	for _, line := range u.answer.set {
		if c, err := http.ParseSetCookie(line); err == nil {
			cookies = append(cookies, c)
		}
	}
	u.jar.SetCookies(q.link.url, cookies)
	return nil
}

// maxLinks bounds the paths whose parsed form a user keeps.
const maxLinks = 64

func (u *User) link(path string) (*link, error) {
	if l, ok := u.links[path]; ok {
		return l, nil
	}
	at, err := url.Parse(u.run.host + path)
	if err != nil {
		return nil, err
	}
	l := newLink(at)
	if len(u.links) < maxLinks {
		u.links[path] = l
	}
	return l, nil
}

func newLink(u *url.URL) *link { return &link{url: u, target: u.RequestURI()} }

// live does tasks until the run or the user ends. A task that panics is an exception,
// as in Locust, and the user goes on.
func (u *User) live() {
	if err := u.start(); err != nil {
		u.run.end(err) // before arrivals can begin
		return
	}
	u.run.started()
	if u.run.schedule != nil {
		u.arrive()
	} else {
		u.wander()
	}
	if u.Class.OnStop != nil {
		u.guard(func() { u.Class.OnStop(u) })
	}
}

func (u *User) start() (err error) {
	if u.Class.OnStart == nil {
		return nil
	}
	u.guard(func() { err = u.Class.OnStart(u) })
	if errors.Is(err, errOver) {
		return nil
	}
	return err
}

// wander is the closed model: a task, a wait, a task.
func (u *User) wander() {
	for !u.ending() {
		began := u.run.now()
		task := u.Class.pick(u.Rand)
		u.guard(func() { task.Run(u) })
		if u.Class.Wait == nil {
			continue
		}
		ended := u.run.now()
		if d := u.Class.Wait(u.Rand, ended-began); d > 0 {
			if !u.Sleep(d) {
				return
			}
			u.due = ended + d
			u.slip = u.run.now() - u.due
		}
	}
}

// arrive is the open model: the next arrival that nobody has taken, at its time or as
// soon as this user is free.
func (u *User) arrive() {
	select {
	case <-u.run.open:
	case <-u.stop:
		return
	}
	for !u.ending() || u.run.isEnded() {
		due, more := u.run.arrival()
		if !more {
			<-u.stop // others may be at the last ones
			return
		}
		if d := due - u.run.now(); d > 0 {
			if !u.Sleep(d) {
				u.run.giveBack(due) // to another user, or to this one if it is due after all
				continue
			}
			u.slip = u.run.now() - due
		}
		u.due = due
		task := u.Class.pick(u.Rand)
		u.guard(func() { task.Run(u) })
	}
}

func (u *User) ending() bool {
	select {
	case <-u.stop:
		return true
	default:
		return false
	}
}

// guard has a task's panic counted as an exception.
func (u *User) guard(f func()) {
	defer func() {
		if p := recover(); p != nil {
			u.run.stats.exception(fmt.Sprint(p), string(debug.Stack()), u.run.now())
		}
	}()
	f()
}
