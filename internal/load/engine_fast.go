package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// fastWire sends with fasthttp, whose requests and answers are used again and again.
// It never sends a request twice of itself: each one is counted.
type fastWire struct {
	ctx     context.Context // ends what is being dialled
	timeout time.Duration
	clients map[string]*fasthttp.HostClient // by scheme and host: redirects may lead to others
	request fasthttp.Request
	answer  fasthttp.Response

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

func newFastWire(ctx context.Context, o wireOptions) *fastWire {
	return &fastWire{ctx: ctx, timeout: o.timeout, clients: map[string]*fasthttp.HostClient{}, conns: map[net.Conn]struct{}{}}
}

func (w *fastWire) client(scheme, host string) *fasthttp.HostClient {
	if c, ok := w.clients[scheme+host]; ok {
		return c
	}
	c := &fasthttp.HostClient{
		Addr: fasthttp.AddMissingPort(host, scheme == "https"), IsTLS: scheme == "https", TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		Dial: w.dial, MaxConns: 1, MaxIdemponentCallAttempts: 1, MaxIdleConnDuration: time.Minute,
		ReadTimeout: w.timeout, WriteTimeout: w.timeout, ReadBufferSize: 16 << 10, NoDefaultUserAgentHeader: true,
		MaxResponseBodySize: 1 << 30,
		RetryIfErr:          func(*fasthttp.Request, int, error) (bool, bool) { return false, false },
	}
	w.clients[scheme+host] = c
	return c
}

func (w *fastWire) dial(address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: w.timeout}
	c, err := dialer.DialContext(w.ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	kept := &fastConn{c, w}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		_ = c.Close()
	}
	w.conns[kept] = struct{}{}
	return kept, nil
}

type fastConn struct {
	net.Conn
	w *fastWire
}

func (c *fastConn) Close() error {
	c.w.mu.Lock()
	delete(c.w.conns, c)
	c.w.mu.Unlock()
	return c.Conn.Close()
}

func (w *fastWire) exchange(q *request, a *answer) error {
	w.request.Reset()
	w.request.SetRequestURI(q.link.target)
	w.request.Header.SetHost(q.link.url.Host)
	w.request.URI().SetScheme(q.link.url.Scheme)
	w.request.Header.SetMethod(q.method)
	for name, values := range q.header {
		w.request.Header.Set(name, values[0])
	}
	w.request.SetBodyRaw(q.body)
	w.answer.Reset()
	if err := w.client(q.link.url.Scheme, q.link.url.Host).Do(&w.request, &w.answer); errors.Is(err, fasthttp.ErrTimeout) {
		return os.ErrDeadlineExceeded
	} else if err != nil {
		return err
	}
	a.status, a.header, a.set = w.answer.StatusCode(), w.header, nil
	for _, cookie := range w.answer.Header.Cookies() {
		a.set = append(a.set, string(cookie))
	}
	a.size = int64(len(w.answer.Body()))
	if !q.keep {
		return nil
	}
	var err error
	if a.body = w.answer.Body(); string(w.answer.Header.ContentEncoding()) == "gzip" {
		if a.body, err = w.answer.BodyGunzipWithLimit(maxKept); err != nil {
			err = fmt.Errorf("the answer's gzip is broken")
		}
	}
	return err
}

func (w *fastWire) header(name string) string { return string(w.answer.Header.Peek(name)) }

func (w *fastWire) close() {
	w.mu.Lock()
	w.closed = true
	var open []net.Conn
	for c := range w.conns {
		open = append(open, c)
	}
	w.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
}
