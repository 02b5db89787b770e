package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"time"

	"upstream"
)

// Answers of a customer's data are kept under a tag that is made of all they
// depend on: the customer, the revision of its data, the day, the program, the path
// and the query. What was kept before a commit has another tag and is never found again.
// The tag is an HMAC under a secret of the database: it tells nothing of what it
// is made of, and two databases may share a Redis.

// tagBytes make a collision as unlikely as a guess.
const tagBytes = 16

func (s *Server) tag(c *call, r *http.Request) (tag [tagBytes]byte) {
	buf := make([]byte, 0, 256)
	for _, n := range []int64{c.customer, c.revision, int64(upstream.DayOf(c.started))} {
		buf = binary.AppendVarint(buf, n)
	}
	buf = append(append(append(buf, s.Version...), '\n'), s.PublicURL...) // another program may answer otherwise
	buf = append(append(buf, '\n'), strings.TrimSuffix(r.URL.Path, "/")...)
	buf = append(buf, '?')
	buf = append(buf, r.URL.RawQuery...)
	k := s.keys.Load()
	mac := k.macs.Get().(*mac)
	defer k.macs.Put(mac)
	mac.Reset()
	_, _ = mac.Write(buf) // never fails
	copy(tag[:], mac.Sum(mac.sum[:0]))
	return tag
}

// keepFor is how long another server may find an answer in Redis.
const keepFor = time.Hour

// makeTimeout bounds the making of an answer that several requests may wait for.
const makeTimeout = 20 * time.Second

// keptAnswer returns an answer from what is kept, or makes it. Requests that want
// the same one wait for one making.
func (s *Server) keptAnswer(c *call, r *http.Request) *answer {
	tag := s.tag(c, r)
	e := chooseEncoding(r.Header.Get("Accept-Encoding"))
	if match := r.Header.Get("If-None-Match"); match != "" && match != "*" {
		// What the client has was made from the same tag; it need not be kept here.
		if etag := etagOf(tag, e); listHas(match, etag) {
			return &answer{status: http.StatusNotModified, etag: etag}
		}
		if etag := etagOf(tag, identity); listHas(match, etag) {
			return &answer{status: http.StatusNotModified, etag: etag}
		}
	}
	a := s.foundOrMade(c, r, tag, e)
	if a.status == http.StatusOK && r.Header.Get("If-None-Match") == "*" { // now that there is an answer
		return &answer{status: http.StatusNotModified, etag: a.etag}
	}
	return a
}

// foundOrMade returns the answer that is kept under a tag, or makes it.
func (s *Server) foundOrMade(c *call, r *http.Request, tag [tagBytes]byte, e encoding) *answer {
	key := string(append(tag[:], byte(e)))
	if a := s.find(r.Context(), key); a != nil {
		a.etag = etagOf(tag, a.encoding)
		return a
	}
	made, _, _ := s.making.Do(key, func() (any, error) {
		// Who asked first may go away while others wait.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), makeTimeout)
		defer cancel()
		a := s.make(ctx, c, r)
		if a.status == http.StatusOK {
			a.encode(e)
			s.keep(ctx, key, a)
		}
		return madeFor{a, c.id}, nil
	})
	first := made.(madeFor)
	a := *first.answer // each request sends its own
	if a.status == http.StatusOK {
		a.etag = etagOf(tag, a.encoding)
	} else if first.request != c.id { // a problem names the request
		a.body = bytes.Replace(a.body, requestID(first.request), requestID(c.id), 1)
	}
	return &a
}

// madeFor is an answer and the request that it was made for.
type madeFor struct {
	answer  *answer
	request string
}

// requestID is how a problem names a request.
func requestID(id string) []byte { return []byte(`"request_id":"` + id + `"`) }

func etagOf(tag [tagBytes]byte, e encoding) string {
	out := make([]byte, 0, 32)
	out = append(out, '"')
	out = base64.RawURLEncoding.AppendEncode(out, tag[:])
	if e != identity {
		out = append(append(out, '-'), encodingNames[e]...)
	}
	return string(append(out, '"'))
}

// listHas reports whether an If-None-Match header holds an entity tag.
func listHas(header, etag string) bool {
	for item := range strings.SplitSeq(header, ",") {
		item = strings.TrimPrefix(strings.TrimSpace(item), "W/")
		if item == etag {
			return true
		}
	}
	return false
}

// find looks for an answer here, then where other servers keep theirs.
func (s *Server) find(ctx context.Context, key string) *answer {
	b, ok := s.near.Get(ctx, key)
	if !ok && s.Shared != nil {
		if b, ok = s.Shared.Get(ctx, key); ok {
			s.near.Set(ctx, key, b, keepFor)
		}
	}
	if !ok {
		s.lookups.Miss()
		return nil
	}
	s.lookups.Hit()
	return unpack(b)
}

func (s *Server) keep(ctx context.Context, key string, a *answer) {
	b := a.pack()
	s.near.Set(ctx, key, b, keepFor)
	if s.Shared != nil {
		s.Shared.Set(ctx, key, b, keepFor)
	}
}

// pack is the form in which an answer is kept: its encoding, the claims that it
// shows, its link to the next page, its body.
func (a *answer) pack() []byte {
	link := a.header.Get("Link")
	b := make([]byte, 0, 1+2*binary.MaxVarintLen32+len(a.shown)+len(link)+len(a.body))
	b = append(b, byte(a.encoding))
	b = binary.AppendUvarint(b, uint64(len(a.shown)))
	b = append(b, a.shown...)
	b = binary.AppendUvarint(b, uint64(len(link)))
	b = append(b, link...)
	return append(b, a.body...)
}

// unpack is nil for what pack did not make.
func unpack(b []byte) *answer {
	cut := func() []byte {
		n, width := binary.Uvarint(b)
		if width <= 0 || n > uint64(len(b)-width) {
			b = nil
			return nil
		}
		part := b[width : width+int(n)]
		b = b[width+int(n):]
		return part
	}
	if len(b) == 0 || b[0] > byte(zstandard) {
		return nil
	}
	a := &answer{status: http.StatusOK, encoding: encoding(b[0])}
	b = b[1:]
	a.shown = cut()
	link := cut()
	if b == nil {
		return nil
	}
	a.header = jsonHeader
	if len(link) > 0 {
		a.header = http.Header{"Content-Type": jsonType, "Link": {string(link)}}
	}
	a.body = b
	return a
}

var jsonHeader = http.Header{"Content-Type": jsonType}

// mac is a reusable HMAC.
type mac struct {
	hash
	sum [sha256.Size]byte
}

type hash interface {
	Write([]byte) (int, error)
	Sum([]byte) []byte
	Reset()
}

// packIDs packs sorted ids into few bytes.
func packIDs(ids []int64) (b []byte) {
	last := int64(0)
	for _, id := range ids {
		b = binary.AppendVarint(b, id-last)
		last = id
	}
	return b
}

// readIDs is the inverse of packIDs.
func readIDs(b []byte) (ids []int64) {
	last := int64(0)
	for len(b) > 0 {
		d, n := binary.Varint(b)
		if n <= 0 {
			return ids
		}
		last += d
		ids, b = append(ids, last), b[n:]
	}
	return ids
}
