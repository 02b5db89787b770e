package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

// fastWire writes and reads messages of fasthttp, which are used again and again, on
// a connection of its own. Unlike fasthttp's clients it never sends a request twice,
// which would count it once, and keeps no goroutine for each user.
type fastWire struct {
	ctx     context.Context // ends what is being dialled
	timeout time.Duration
	request fasthttp.Request
	answer  fasthttp.Response
	to      string       // scheme and host of the connection
	socket  syscall.Conn // below the connection
	rests   time.Time    // since when it rests

	mu     sync.Mutex
	conn   net.Conn // nil for none
	closed bool
}

// Buffers are lent for an exchange: nothing is left in them between two.
var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 16<<10) }}
	writers = sync.Pool{New: func() any { return bufio.NewWriter(nil) }}
)

func newFastWire(ctx context.Context, o wireOptions) *fastWire {
	return &fastWire{ctx: ctx, timeout: o.timeout}
}

// connect returns the connection to a host, the one there is or another.
func (w *fastWire) connect(at *url.URL) (net.Conn, error) {
	deadline := time.Now().Add(w.timeout)
	if to := at.Scheme + "://" + at.Host; to != w.to {
		w.hangUp()
		w.to = to
	}
	if w.conn != nil && w.rested() {
		w.hangUp()
	}
	if w.conn != nil {
		return w.conn, w.conn.SetDeadline(deadline)
	}
	dialer := net.Dialer{Deadline: deadline}
	c, err := dialer.DialContext(w.ctx, "tcp", fasthttp.AddMissingPort(at.Host, at.Scheme == "https"))
	if err != nil {
		return nil, err
	}
	w.socket, _ = c.(syscall.Conn)
	if at.Scheme == "https" {
		c = tls.Client(c, &tls.Config{ServerName: at.Hostname(), MinVersion: tls.VersionTLS12})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn = c; w.closed {
		_ = c.Close()
	}
	return c, c.SetDeadline(deadline)
}

// restless is how long a connection may rest without being looked at.
const restless = time.Second

// rested tells whether the server closed a connection that rested, as it may.
func (w *fastWire) rested() (closed bool) {
	if w.socket == nil || time.Since(w.rests) < restless {
		return false
	}
	raw, err := w.socket.SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Read(func(fd uintptr) bool {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		closed = n > 0 || err == nil || !errors.Is(err, syscall.EAGAIN) // what comes unasked is no answer
		return true
	})
	return closed || err != nil
}

// hangUp closes the connection, if there is one.
func (w *fastWire) hangUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

func (w *fastWire) exchange(q *request, a *answer) error {
	c, err := w.connect(q.link.url)
	if err == nil {
		w.prepare(q)
		err = w.talk(c)
	}
	if err != nil {
		w.hangUp()
		return err
	}
	if w.answer.ConnectionClose() {
		w.hangUp()
	} else {
		w.rests = time.Now()
		_ = c.SetDeadline(time.Time{}) // it may rest as long as it likes
	}
	a.status, a.header = w.answer.StatusCode(), w.header
	for _, cookie := range w.answer.Header.Cookies() {
		a.set = append(a.set, string(cookie))
	}
	a.size = int64(len(w.answer.Body()))
	if !q.keep {
		return nil
	}
	if a.body = w.answer.Body(); string(w.answer.Header.ContentEncoding()) == "gzip" {
		if a.body, err = w.answer.BodyGunzipWithLimit(maxKept); err != nil {
			return fmt.Errorf("the answer's gzip is broken")
		}
	}
	return nil
}

func (w *fastWire) prepare(q *request) {
	w.request.Reset()
	w.request.Header.SetMethod(q.method)
	w.request.Header.SetRequestURI(q.link.target)
	w.request.Header.SetHost(q.link.url.Host)
	for name, values := range q.header {
		w.request.Header.Set(name, values[0])
	}
	w.request.SetBodyRaw(q.body)
	w.answer.Reset()
	w.answer.SkipBody = q.method == fasthttp.MethodHead
}

// talk sends the request and reads the answer, whatever comes before it.
func (w *fastWire) talk(c net.Conn) error {
	out, in := writers.Get().(*bufio.Writer), readers.Get().(*bufio.Reader)
	defer func() {
		out.Reset(nil)
		in.Reset(nil)
		writers.Put(out)
		readers.Put(in)
	}()
	out.Reset(c)
	in.Reset(c)
	if err := w.request.Write(out); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if _, err := in.Peek(1); err != nil { // fasthttp would say less of why
		return err
	}
	err := w.answer.ReadLimitBody(in, 1<<30)
	if errors.Is(err, fasthttp.ErrTimeout) { // which doesn't say so as others do
		return os.ErrDeadlineExceeded
	}
	return err
}

func (w *fastWire) header(name string) string { return string(w.answer.Header.Peek(name)) }

func (w *fastWire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.conn != nil {
		_ = w.conn.Close()
	}
}
