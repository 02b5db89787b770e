package api

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// answer is what a request gets. It is an http.ResponseWriter, so that handlers
// fill it, and is sent when it is whole: nobody gets half an answer.
type answer struct {
	status   int
	header   http.Header
	body     []byte
	encoding encoding // of body
	etag     string
	shown    []byte // ids of the claims that it shows, see packIDs
}

// Header is that of the answer.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader sets the status, once.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, p...)
	return len(p), nil
}

// encoding is how a body is compressed.
type encoding byte

const (
	identity encoding = iota
	gzipped
	zstandard
)

var encodingNames = [...]string{identity: "", gzipped: "gzip", zstandard: "zstd"}

// compressAbove is the size from which on bodies are compressed: smaller ones fit
// in a packet anyway.
const compressAbove = 1 << 10

// chooseEncoding returns the best encoding that an Accept-Encoding header allows.
func chooseEncoding(accept string) encoding {
	if accept == "" {
		return identity
	}
	best, bestQ := identity, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(part, ";")
		q := 1.0
		if _, weight, ok := strings.Cut(params, "="); ok {
			var err error
			if q, err = strconv.ParseFloat(strings.TrimSpace(weight), 64); err != nil {
				continue
			}
		}
		var e encoding
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			e = gzipped
		case "zstd":
			e = zstandard
		default:
			continue
		}
		if q > bestQ || q == bestQ && q > 0 && e > best {
			best, bestQ = e, q
		}
	}
	return best
}

var (
	gzipWriters = sync.Pool{New: func() any {
		w, err := gzip.NewWriterLevel(io.Discard, gzip.DefaultCompression)
		if err != nil {
			panic(err) // the level is a constant
		}
		return w
	}}
	zstdWriter = sync.OnceValue(func() *zstd.Encoder {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic(err) // the options are constants
		}
		return w
	})
)

// encode compresses the body where that is worth it.
func (a *answer) encode(e encoding) {
	if e == identity || a.encoding != identity || len(a.body) <= compressAbove {
		return
	}
	switch e {
	case gzipped:
		var out bytes.Buffer
		w := gzipWriters.Get().(*gzip.Writer)
		defer gzipWriters.Put(w)
		w.Reset(&out)
		_, _ = w.Write(a.body) // a buffer takes all
		_ = w.Close()
		a.body = out.Bytes()
	case zstandard:
		a.body = zstdWriter().EncodeAll(a.body, make([]byte, 0, len(a.body)/4))
	}
	a.encoding = e
}

// Header values that never change, so that no request allocates them.
var (
	noSniff       = []string{"nosniff"}
	jsonType      = []string{"application/json"}
	privately     = []string{"private, no-cache"} // kept by nobody else, and asked about each time
	notAtAll      = []string{"no-store"}
	varyAll       = []string{"Authorization, Cookie, Accept-Encoding"}
	encodingValue = [...][]string{gzipped: {"gzip"}, zstandard: {"zstd"}}
)

// send writes an answer.
func (c *call) send(w http.ResponseWriter, r *http.Request, a *answer) {
	h := w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	h["X-Request-Id"] = []string{c.id}
	h["X-Content-Type-Options"] = noSniff
	h["Vary"] = varyAll
	if a.etag != "" {
		h["Etag"] = []string{a.etag}
		h["Cache-Control"] = privately
	} else if h["Cache-Control"] == nil {
		h["Cache-Control"] = notAtAll
	}
	if a.status == http.StatusNotModified {
		w.WriteHeader(a.status)
		return
	}
	a.encode(chooseEncoding(r.Header.Get("Accept-Encoding")))
	if a.encoding != identity {
		h["Content-Encoding"] = encodingValue[a.encoding]
	}
	if a.status != http.StatusNoContent {
		h["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // who went away can't be told
	}
}
