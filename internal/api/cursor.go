package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"slices"
	"strings"
)

// A cursor is a place in a list: the keys of the row it stands beside. It is bound
// to the customer, the list and its filters, and signed: it can't be made up, nor
// used for another list.
//
//	version | key, key, … (varints) | HMAC-SHA256 over all of that and what it is bound to, cut to 16 bytes
//
// in base64url.
const cursorVersion = 1

// encodeCursor makes the cursor of a place.
func (s *Server) encodeCursor(bound string, keys ...int64) string {
	b := []byte{cursorVersion}
	for _, k := range keys {
		b = binary.AppendVarint(b, k)
	}
	return base64.RawURLEncoding.EncodeToString(append(b, s.signCursor(bound, b)...))
}

// decodeCursor is the inverse; ok is false for what encodeCursor has not made for
// the same list.
func (s *Server) decodeCursor(bound, text string, keys int) (out []int64, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 1+tagBytes || b[0] != cursorVersion {
		return nil, false
	}
	b, sum := b[:len(b)-tagBytes], b[len(b)-tagBytes:]
	if !hmac.Equal(sum, s.signCursor(bound, b)) {
		return nil, false
	}
	for b = b[1:]; len(b) > 0; {
		k, n := binary.Varint(b)
		if n <= 0 {
			return nil, false
		}
		out, b = append(out, k), b[n:]
	}
	return out, len(out) == keys
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
