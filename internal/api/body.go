package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxBody bounds a JSON body, in bytes; maxDepth how deep it may be nested, maxDigits
// how long its numbers are.
const maxBody, maxDepth, maxDigits = 256 << 10, 32, 40

// readBody reads a JSON body and finds what decoders let pass or choke on. A body
// without a Content-Type is taken for JSON.
func (rt *route) readBody(r *http.Request) error {
	if rt.op.RequestBody == nil || rt.has(streamed) {
		return nil
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return unsupported("send the body as it is, without Content-Encoding")
	}
	if text := r.Header.Get("Content-Type"); text != "" {
		kind, params, err := mime.ParseMediaType(text)
		if charset := params["charset"]; err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
			return unsupported("send the body as application/json, which is in UTF-8")
		}
	}
	if r.ContentLength > maxBody {
		return bodyProblem(&http.MaxBytesError{Limit: maxBody})
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return bodyProblem(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	delete(r.Header, "Content-Type") // huma knows one spelling
	if len(body) == 0 {
		return nil // where one is needed huma says so
	}
	return checkJSON(body)
}

func unsupported(detail string) error {
	return &Problem{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Detail: detail}
}

// bodyProblem tells why a body could not be read.
func bodyProblem(err error) error {
	var tooLarge *http.MaxBytesError
	var slow interface{ Timeout() bool }
	switch {
	case errors.As(err, &tooLarge):
		return &Problem{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Detail: "the body is larger than " + itoa(tooLarge.Limit) + " bytes; send less at once"}
	case errors.As(err, &slow) && slow.Timeout():
		return &Problem{Status: http.StatusRequestTimeout, Code: "timeout", Detail: "the body took too long to come; send it again"}
	}
	return &Problem{Status: http.StatusBadRequest, Code: "bad_request", Detail: "the body ended before it was whole; send it again"}
}

// level is an object or an array around a token of JSON.
type level struct {
	names map[string]bool // of the object's members so far; nil in an array
	name  string          // of the member, or the index in the array
	index int
	value bool // what comes next is the value of a member
}

// checkJSON finds what is no JSON, nested too deep, or ambiguous: a member given
// twice, of which two readers may take different ones. It also finds the texts that
// no database takes.
func checkJSON(body []byte) error {
	notJSON := &Problem{Status: http.StatusBadRequest, Code: "bad_request", Detail: "the body must be JSON, in UTF-8 and without a byte order mark"}
	if !utf8.Valid(body) || !json.Valid(body) {
		return notJSON
	}
	var wrong invalids
	var levels []*level
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return wrong.err() // the end: it is valid
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			levels = levels[:len(levels)-1]
			continue
		}
		var in *level
		if len(levels) > 0 {
			in = levels[len(levels)-1]
			if in.begin(token) {
				if in.names[in.name] {
					wrong.add(location(levels), "must be given once")
				}
				in.names[in.name] = true
				continue
			}
		}
		switch token := token.(type) {
		case string:
			if strings.ContainsRune(token, 0) {
				wrong.add(location(levels), "must be plain text")
			}
		case json.Number:
			if _, err := token.Float64(); err != nil || len(token) > maxDigits {
				wrong.add(location(levels), "must be a number of a usual size")
			}
		}
		if token == json.Delim('{') || token == json.Delim('[') {
			if len(levels) == maxDepth {
				return &Problem{Status: http.StatusBadRequest, Code: "bad_request", Detail: "the body is nested too deep"}
			}
			next := &level{index: -1}
			if token == json.Delim('{') {
				next.names = map[string]bool{}
			}
			levels = append(levels, next)
		}
	}
}

// begin reports whether a token is the name of a member, and notes where we are.
func (l *level) begin(token json.Token) bool {
	if l.names == nil {
		l.index++
		l.name = strconv.Itoa(l.index)
		return false
	}
	l.value = !l.value
	if l.value {
		l.name, _ = token.(string)
	}
	return l.value
}

// location is a place in a body, as body.scopes.2.
func location(levels []*level) string {
	out := "body"
	for _, l := range levels {
		out += "." + printable(l.name)
	}
	return out
}
