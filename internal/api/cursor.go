package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"slices"
	"strings"

	"upstream"
)

// A cursor is a place in a list: the keys of the row it stands beside. It is bound
// to the customer, the list and its filters, and signed: it can't be made up, nor
// used for another list.
//
//	version | way, value, id (varints) | HMAC-SHA256 over all of that and what it is bound to, cut to 16 bytes
//
// in base64url.
const cursorVersion = 1

// way is from a place on, or back from it.
type way int64

const forth, back way = 0, 1

// encodeCursor makes the cursor of a place.
func (s *Server) encodeCursor(bound string, w way, at upstream.Key) string {
	b := []byte{cursorVersion}
	for _, k := range []int64{int64(w), at.Value, at.ID} {
		b = binary.AppendVarint(b, k)
	}
	return base64.RawURLEncoding.EncodeToString(append(b, s.signCursor(bound, b)...))
}

// decodeCursor is the inverse; ok is false for what encodeCursor has not made for
// the same list.
func (s *Server) decodeCursor(bound, text string) (w way, at upstream.Key, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 1+tagBytes || b[0] != cursorVersion {
		return 0, at, false
	}
	b, sum := b[:len(b)-tagBytes], b[len(b)-tagBytes:]
	if !hmac.Equal(sum, s.signCursor(bound, b)) {
		return 0, at, false
	}
	var keys [3]int64
	b = b[1:]
	for i := range keys {
		k, n := binary.Varint(b)
		if n <= 0 {
			return 0, at, false
		}
		keys[i], b = k, b[n:]
	}
	return way(keys[0]), upstream.Key{Value: keys[1], ID: keys[2]}, len(b) == 0
}

func (s *Server) signCursor(bound string, b []byte) []byte {
	h := hmac.New(sha256.New, s.keys.Load().secret)
	h.Write([]byte("cursor\x00" + bound + "\x00"))
	h.Write(b)
	return h.Sum(nil)[:tagBytes]
}

// notBound are the parameters that may change from page to page of one list.
var notBound = []string{"cursor", "page", "page_size", "fields"}

// bound names the list that a request asks for: customer, path and filters.
func (c *call) bound(path string, query url.Values) string {
	var b strings.Builder
	b.WriteString(itoa(c.customer) + " " + strings.TrimSuffix(path, "/"))
	names := make([]string, 0, len(query))
	for name := range query {
		if !slices.Contains(notBound, name) && name != "customer" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString("\x00" + name + "=" + query.Get(name))
	}
	return b.String()
}
