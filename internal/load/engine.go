package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Engine names a way of sending requests.
type Engine string

// The engines. Both speak HTTP/1.1, with a connection of its own for each user.
const (
	Std  Engine = "std"  // net/http
	Fast Engine = "fast" // github.com/valyala/fasthttp, for three times the requests
)

// wire sends requests of one user.
type wire interface {
	// exchange sends a request and reads its answer whole.
	exchange(q *request, a *answer) error
	// close cuts what is under way and lets go of connections.
	close()
}

// request is what goes out.
type request struct {
	method string
	link   *link
	header http.Header // one value a name
	body   []byte
	keep   bool // the body of the answer is looked at
}

// link is where a request goes.
type link struct {
	url    *url.URL
	target string // path and query, as the request line has them
}

// answer is what came back; it is the user's and used again.
type answer struct {
	status int
	header func(name string) string
	set    []string // Set-Cookie headers
	size   int64    // of the body, in bytes, as it was sent
	body   []byte   // what was sent, decompressed; nil unless kept
}

// wireOptions are the same for all users of a run.
type wireOptions struct {
	engine  Engine
	timeout time.Duration // for a whole exchange
}

func newWire(ctx context.Context, o wireOptions) wire {
	if o.engine == Fast {
		return newFastWire(ctx, o)
	}
	return newStdWire(ctx, o)
}

// maxKept bounds an answer that is looked at.
const maxKept = 64 << 20

// reason puts an error of the network in the words of a person, without addresses and
// ports: they differ from request to request, and reasons are counted.
func reason(err error, timeout time.Duration) string {
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fmt.Sprintf("no answer within %v", timeout)
	case errors.As(err, &dns):
		return "no such host: " + dns.Name
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset by the server"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine has no free port left"
	case errors.Is(err, syscall.EMFILE):
		return "this process may open no more files: raise `ulimit -n`"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the answer was cut short"
	case errors.Is(err, io.EOF), strings.Contains(err.Error(), "server closed"):
		return "the server closed the connection without an answer"
	case containsAny(err.Error(), "malformed HTTP", "invalid response status", "error when reading response headers"):
		return "the answer is no HTTP"
	case strings.Contains(err.Error(), "tls: "), strings.Contains(err.Error(), "x509: "):
		return "TLS: " + lastPart(err)
	}
	return lastPart(err)
}

func containsAny(text string, some ...string) bool {
	return slices.ContainsFunc(some, func(part string) bool { return strings.Contains(text, part) })
}

// lastPart is what is innermost in an error: what went wrong, without where.
func lastPart(err error) string {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}
