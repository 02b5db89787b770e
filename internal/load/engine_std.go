package load

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// stdWire sends with net/http. A deadline for each exchange is set on the connection
// itself: a context with one costs more than all the rest here.
//
// net/http sends a GET again, on another connection, where one that it used before
// breaks without an answer. What a server failed at would be counted as an answer, and
// two requests as one: once something was sent, no connection is made in an exchange.
type stdWire struct {
	timeout   time.Duration
	transport *http.Transport
	sent      atomic.Bool // something, in this exchange

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	until  time.Time // when this exchange is to be over
	broke  error     // how the last connection did
	closed bool
}

func newStdWire(ctx context.Context, o wireOptions) *stdWire {
	w := &stdWire{timeout: o.timeout, conns: map[net.Conn]struct{}{}}
	w.transport = &http.Transport{
		DisableCompression:  true, // what is asked for and counted is what goes over the wire
		MaxIdleConnsPerHost: 1,
		MaxConnsPerHost:     1,
		DialContext:         func(_ context.Context, _, address string) (net.Conn, error) { return w.dial(ctx, address, false) },
		DialTLSContext:      func(_ context.Context, _, address string) (net.Conn, error) { return w.dial(ctx, address, true) },
	}
	return w
}

// dial makes a connection. TLS is below what is kept: its own messages are no requests.
func (w *stdWire) dial(ctx context.Context, address string, secure bool) (net.Conn, error) {
	if w.sent.Load() {
		return nil, w.broken()
	}
	dialer := net.Dialer{Timeout: w.timeout}
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil || !secure {
		return w.keep(c, err)
	}
	_ = c.SetDeadline(time.Now().Add(w.timeout))
	host, _, _ := net.SplitHostPort(address) // which the transport has put together
	s := tls.Client(c, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12})
	if err = s.HandshakeContext(ctx); err != nil {
		_ = c.Close()
	}
	return w.keep(s, err)
}

// keptConn is a connection that its wire knows.
type keptConn struct {
	net.Conn
	w *stdWire
}

func (w *stdWire) keep(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	kept := &keptConn{c, w}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[kept] = struct{}{}
	_ = c.SetDeadline(w.until)
	if w.closed {
		_ = c.Close()
	}
	return kept, nil
}

func (w *stdWire) broken() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return cmp.Or(w.broke, io.EOF)
}

func (c *keptConn) Write(b []byte) (int, error) {
	c.w.sent.Store(true) // before an answer can come
	n, err := c.Conn.Write(b)
	if n == 0 {
		c.w.sent.Store(false)
	}
	return n, err
}

func (c *keptConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.w.mu.Lock()
		c.w.broke = err
		c.w.mu.Unlock()
	}
	return n, err
}

func (c *keptConn) Close() error {
	c.w.mu.Lock()
	delete(c.w.conns, c)
	c.w.mu.Unlock()
	return c.Conn.Close()
}

// deadline sets how long the connections may take; the zero time is forever, so that
// one that rests is not closed.
func (w *stdWire) deadline(at time.Time) {
	w.mu.Lock()
	w.until = at
	for c := range w.conns {
		_ = c.SetDeadline(at)
	}
	w.mu.Unlock()
}

func (w *stdWire) exchange(q *request, a *answer) error {
	r := http.Request{
		Method: q.method, URL: q.link.url, Host: q.link.url.Host, Header: q.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if q.body != nil {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(q.body)), int64(len(q.body))
	}
	w.sent.Store(false)
	w.deadline(time.Now().Add(w.timeout))
	response, err := w.transport.RoundTrip(&r)
	if err != nil {
		return err
	}
	a.status, a.header, a.set = response.StatusCode, response.Header.Get, response.Header["Set-Cookie"]
	if q.keep {
		a.body, err = io.ReadAll(io.LimitReader(response.Body, maxKept))
		a.size = int64(len(a.body))
	}
	if err == nil {
		var rest int64
		rest, err = io.Copy(io.Discard, response.Body)
		a.size += rest
	}
	_ = response.Body.Close()
	w.deadline(time.Time{})
	if err == nil && q.keep && a.header("Content-Encoding") == "gzip" {
		a.body, err = gunzip(a.body)
	}
	return err
}

func gunzip(b []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("the answer is said to be gzip and isn't")
	}
	out, err := io.ReadAll(io.LimitReader(r, maxKept))
	if err != nil {
		return nil, fmt.Errorf("the answer's gzip is broken")
	}
	return out, nil
}

func (w *stdWire) close() {
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
	w.transport.CloseIdleConnections()
}
