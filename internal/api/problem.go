package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"upstream"
)

// Problem is an error as RFC 9457 describes it.
type Problem struct {
	Type      string   `json:"type" format:"uri-reference" doc:"Where the kind of error is described."`
	Title     string   `json:"title" doc:"The HTTP status in words."`
	Status    int      `json:"status" doc:"The HTTP status."`
	Detail    string   `json:"detail" doc:"What is wrong and what to do, in a sentence."`
	Code      string   `json:"code" doc:"The kind of error, for programs."`
	RequestID string   `json:"request_id" doc:"The request, as the server's log names it."`
	Errors    []Detail `json:"errors,omitempty" doc:"Each thing that is wrong, where there may be several."`

	retryAfter time.Duration
	challenge  bool
}

// Detail is one thing that is wrong with a request.
type Detail struct {
	Location string `json:"location" doc:"Where, as query.page or body.status."`
	Message  string `json:"message" doc:"What."`
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is what huma asks for.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of problems.
func (p *Problem) ContentType(string) string { return problemJSON }

const problemJSON = "application/problem+json"

// statuses are the HTTP statuses of the codes of errors, and whether it helps to
// ask again later.
var statuses = map[upstream.Code]struct {
	status int
	later  time.Duration
}{
	upstream.Invalid:     {http.StatusUnprocessableEntity, 0},
	upstream.NotFound:    {http.StatusNotFound, 0},
	upstream.SignedOut:   {http.StatusUnauthorized, 0},
	upstream.Forbidden:   {http.StatusForbidden, 0},
	upstream.Conflict:    {http.StatusConflict, 0},
	upstream.Unavailable: {http.StatusServiceUnavailable, time.Second},
	upstream.Corrupt:     {http.StatusInternalServerError, 0},
	upstream.Internal:    {http.StatusInternalServerError, 0},
}

// problemOf makes the problem of an error. What is a fault of ours is logged and
// not told: its text is for us.
func problemOf(ctx context.Context, err error) *Problem {
	c := of(ctx)
	var p *Problem
	if errors.As(err, &p) {
		return p.complete(c)
	}
	var invalid invalids
	if errors.As(err, &invalid) {
		return invalid.problem().complete(c)
	}
	code := upstream.ErrorCode(err)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		code, err = upstream.Unavailable, upstream.Errorf(upstream.Unavailable, "the answer took too long and was given up; try again, or ask for less")
	}
	known := statuses[code]
	p = &Problem{Status: known.status, Code: string(code), Detail: err.Error(), retryAfter: known.later, challenge: code == upstream.SignedOut}
	if p.Status == http.StatusInternalServerError {
		p.Detail = "a fault of ours; the log has it under the request id"
		c.log(ctx, "fault", err)
	}
	if code == upstream.Unavailable {
		p.Detail = "the database or another part can't be reached just now; try again in a moment"
		c.log(ctx, "unavailable", err)
	}
	return p.complete(c)
}

// complete returns the problem with what follows from the rest. It is a copy: some
// problems are shared by requests.
func (p *Problem) complete(c *call) *Problem {
	whole := *p
	whole.Title, whole.RequestID = http.StatusText(p.Status), c.id
	whole.Type = Prefix + "docs/#problem-" + p.Code
	return &whole
}

// answer is the problem as it is sent.
func (p *Problem) answer(c *call) *answer {
	body, err := json.Marshal(p.complete(c))
	if err != nil {
		panic(err) // it is made of texts
	}
	a := &answer{status: p.Status, header: http.Header{"Content-Type": {problemJSON}}, body: append(body, '\n')}
	p.headers(a.header)
	return a
}

// GetHeaders is what huma asks for.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	p.headers(h)
	return h
}

func (p *Problem) headers(h http.Header) {
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(max(int((p.retryAfter+time.Second-1)/time.Second), 1)))
	}
	if p.challenge {
		h.Set("WWW-Authenticate", `Bearer realm="upstream"`)
	}
}

// invalids are the things that are wrong with a request.
type invalids []Detail

func (e invalids) Error() string { return e.problem().Detail }

func (e *invalids) add(location, message string) {
	if len(*e) < maxDetails {
		*e = append(*e, Detail{location, message})
	}
}

// err is nil where nothing is wrong.
func (e invalids) err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

func (e invalids) problem() *Problem {
	sentences := make([]string, len(e))
	for i, d := range e {
		sentences[i] = d.Location + ": " + d.Message
	}
	slices.Sort(sentences)
	return &Problem{Status: http.StatusUnprocessableEntity, Code: string(upstream.Invalid), Detail: strings.Join(slices.Compact(sentences), "; "), Errors: e}
}

// codesOfStatus name the problems that huma finds by itself.
var codesOfStatus = map[int]string{
	http.StatusBadRequest: "bad_request", http.StatusRequestTimeout: "timeout", http.StatusRequestEntityTooLarge: "too_large",
	http.StatusUnsupportedMediaType: "unsupported_media_type", http.StatusUnprocessableEntity: string(upstream.Invalid),
	http.StatusNotAcceptable: "not_acceptable",
}

// maxDetails bounds what is told of a request of which nearly all is wrong.
const maxDetails = 20

// shortened is a location of which clients made up the names.
func shortened(location string) string {
	if len(location) <= maxLocation {
		return location
	}
	return strings.ToValidUTF8(location[:maxLocation], "") + "…"
}

const maxLocation = 200

// humaProblem turns what huma finds wrong into a problem, without the values: they
// may be claim content.
func humaProblem(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
	p := &Problem{Status: status, Code: codesOfStatus[status], Detail: message}
	for _, err := range errs[:min(len(errs), maxDetails)] {
		var known *huma.ErrorDetail
		if errors.As(err, &known) { // its Error writes the value, which is the whole body for each member too many
			d := Detail{shortened(known.Location), known.Message}
			if strings.HasPrefix(d.Message, "json: ") { // it writes what stands there, and types of ours
				d.Message = "must be as the document says"
			}
			p.Errors = append(p.Errors, d)
			continue
		}
		p.Errors = append(p.Errors, Detail{Location: "request", Message: err.Error()})
	}
	if status == http.StatusUnprocessableEntity && len(p.Errors) > 0 {
		p.Detail = invalids(p.Errors).problem().Detail
	}
	if status == http.StatusInternalServerError {
		p.Code, p.Detail, p.Errors = string(upstream.Internal), "a fault of ours; the log has it under the request id", nil
	}
	if ctx == nil { // huma makes an example of a problem
		return p
	}
	return p.complete(of(ctx.Context()))
}
