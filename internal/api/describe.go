package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// resources are the tags of the document: the first parts of paths, in the order of
// the routes.
var resources = []*huma.Tag{
	{Name: "health", Description: "Whether the service works; costs next to nothing."},
	{Name: "auth", Description: "Signing in and out, of programs and browsers, and one's sessions."},
	{Name: "dashboard", Description: "The morning's figures in one answer."},
	{Name: "drift-events", Description: "What insurers have changed, with the evidence, and what was done about it."},
	{Name: "claims", Description: "Claims as they stand now, and sums of them by payer."},
	{Name: "payer-summary", Description: "Sums of claims by payer."},
	{Name: "denial-rate-trend", Description: "Denial rates over time."},
	{Name: "reports", Description: "Runs of detection: by schedule, after uploads and on demand."},
	{Name: "report-runs", Description: "Another name of reports."},
	{Name: "uploads", Description: "Files of claims, how far they are loaded, and the rows that could not be used."},
	{Name: "payer-mappings", Description: "A customer's own spellings of payers."},
	{Name: "cpt-mappings", Description: "A customer's own groups of procedures."},
	{Name: "settings", Description: "When detection runs, and how many false alarms it may cost."},
	{Name: "users", Description: "Who may sign in, and as what."},
	{Name: "api-keys", Description: "Keys of programs."},
	{Name: "audit", Description: "The log of who read claims or changed something."},
	{Name: "customers", Description: "The practices that share this server; nothing crosses them."},
}

// description is what holds for every operation. Paragraphs end with an empty line.
const description = `Upstream warns a medical practice, days after it starts, that an insurer has changed how it decides or pays claims.

Money is in integer cents, rates are fractions of 1, dates are YYYY-MM-DD, times are RFC 3339 in UTC. Every path works with and without the slash at its end. Unknown parameters and bad values are told, never ignored.

Programs sign in at auth/token/ or bring an API key, browsers use the cookie of auth/login/. A superuser says which customer is meant with the parameter customer.

Lists have the shape {count, next, previous, results}. Follow next as it is: a cursor, which costs the same at any depth, or the number of a page where one was asked for, up to row 10,000.

Answers about a customer's data have an ETag that changes with every committed change. Send it back in If-None-Match: 304 says that nothing changed. A POST with an Idempotency-Key is done once, however often it is sent.

Requests are limited by token and by class (read, write, login); RateLimit tells what is left. Errors are problems (RFC 9457).`

// answered describes the statuses of answers that are no problems, refused those of
// problems.
var (
	answered = map[int]string{
		http.StatusOK: "The answer.", http.StatusCreated: "It is made; Location tells where it is.",
		http.StatusAccepted: "It is recorded and goes on in the background; Location tells where to ask how far it is.", http.StatusNoContent: "Done.",
	}
	refused = map[int]string{
		http.StatusBadRequest:            "The body could not be read to its end.",
		http.StatusUnauthorized:          "There is no valid token, key or session.",
		http.StatusForbidden:             "The role or the scopes of who asks do not reach this.",
		http.StatusNotFound:              "There is no such thing, or it belongs to another customer.",
		http.StatusRequestTimeout:        "The body came too slowly.",
		http.StatusConflict:              "It is there already, or somebody changed it at the same time.",
		http.StatusRequestEntityTooLarge: "The body is too large.",
		http.StatusUnsupportedMediaType:  "The body is of a type that is not taken here.",
		http.StatusUnprocessableEntity:   "Parameters or fields are wrong; errors names each.",
		http.StatusTooManyRequests:       "Too many requests; Retry-After says when to ask again.",
		http.StatusInternalServerError:   "A fault of ours; the log has it under the request id.",
		http.StatusServiceUnavailable:    "A part can't be reached just now; Retry-After says when to ask again.",
	}
)

// headers are those of answers.
var headers = map[string]*huma.Header{
	"X-Request-Id":     header("The request, as the log names it. One that the client sends is kept."),
	"RateLimit":        header("What is left, as \"read\";r=99;t=2: the class, requests, seconds until all are back (draft-ietf-httpapi-ratelimit-headers). Missing where there is no limit."),
	"RateLimit-Policy": header("The limit, as \"read\";q=100;w=2: the class, requests at once, seconds in which they come back."),
	"Retry-After":      {Description: "Seconds to wait.", Schema: &huma.Schema{Type: huma.TypeInteger}},
	"WWW-Authenticate": header("How to sign in."),
	"ETag":             header("The state of the data that the answer was made of, for If-None-Match."),
	"Cache-Control":    header("private, no-cache: to be kept by who asked alone, and asked about each time."),
	"Link":             header("The next page, as RFC 8288 writes it."),
	"Location":         header("Where it is."),
	"Set-Cookie":       header("The session; empty when it has ended."),
}

func header(description string) *huma.Header {
	return &huma.Header{Description: description, Schema: &huma.Schema{Type: huma.TypeString}}
}

// The parameters that requests may have as headers.
var (
	ifNoneMatch       = &huma.Param{Name: "If-None-Match", In: "header", Description: "The ETag of an answer that is at hand: 304 says that it still holds.", Schema: &huma.Schema{Type: huma.TypeString}}
	idempotencyHeader = &huma.Param{
		Name: "Idempotency-Key", In: "header", Description: "Makes it safe to send the request again: within 24 hours it is done once.",
		Schema: &huma.Schema{Type: huma.TypeString, Pattern: idempotencyKey.String()}, Example: "7c1f0f4e-0c4e-4d0c-9a53-5a1b6f9b1d0e",
	}
)

// created and accepted are the answers of routes that make something, now or later.
func created(op *huma.Operation)  { op.DefaultStatus = http.StatusCreated }
func accepted(op *huma.Operation) { op.DefaultStatus = http.StatusAccepted }

// describe completes what huma made of the types.
func (s *Server) describe() {
	api := s.huma.OpenAPI()
	api.Tags = resources
	api.Components.Headers, api.Components.Responses = headers, map[string]*huma.Response{}
	for _, rt := range s.routes {
		for _, p := range rt.op.Parameters {
			describeParameter(rt, p)
		}
		for status, r := range rt.op.Responses {
			rt.op.Responses[status] = s.describeResponse(rt, status, r)
		}
		rt.describeOthers()
	}
	for name, schema := range api.Components.Schemas.Map() {
		describeFields(name, schema)
	}
}

func describeParameter(rt *route, p *huma.Param) {
	p.Schema.Nullable = false // no parameter is null: it is left out
	if p.In == "path" {
		p.Description = "The id of the " + map[string]string{
			"drift-events": "drift event", "reports": "report run", "report-runs": "report run", "payer-mappings": "payer mapping", "cpt-mappings": "CPT mapping",
			"api-keys": "API key", "auth": "session",
		}[rt.scope]
		if strings.HasSuffix(p.Description, " ") {
			p.Description += strings.TrimSuffix(rt.scope, "s")
		}
		p.Description += "."
	}
	if p.Name == "ordering" && p.Description == "" {
		p.Description = "What rows are ordered by; - puts the greatest first."
	}
	if p.Schema.Format == "date" {
		p.Example = "2026-03-31"
	}
}

// describeResponse adds headers; all routes share what they say of a problem.
func (s *Server) describeResponse(rt *route, status string, r *huma.Response) *huma.Response {
	code, err := strconv.Atoi(status)
	if err != nil {
		panic("api: no status " + status)
	}
	names := []string{"X-Request-Id", "RateLimit", "RateLimit-Policy"}
	if code < http.StatusBadRequest {
		for name := range r.Headers {
			names = append(names, name)
		}
		if rt.has(kept) {
			names = append(names, "ETag", "Cache-Control")
		}
		r.Description, r.Headers = answered[code], headersOf(names)
		return r
	}
	switch code {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		names = append(names, "Retry-After")
	case http.StatusUnauthorized:
		names = append(names, "WWW-Authenticate")
	}
	r.Description, r.Headers = refused[code], headersOf(names)
	name := strings.ReplaceAll(http.StatusText(code), " ", "")
	s.huma.OpenAPI().Components.Responses[name] = r
	return &huma.Response{Ref: "#/components/responses/" + name}
}

func headersOf(names []string) map[string]*huma.Header {
	out := map[string]*huma.Header{}
	for _, name := range names {
		if _, known := headers[name]; !known {
			panic("api: nothing describes the header " + name)
		}
		out[name] = &huma.Header{Ref: "#/components/headers/" + name}
	}
	return out
}

// describeOthers adds what follows from how a route is handled.
func (rt *route) describeOthers() {
	op := rt.op
	switch {
	case rt.has(kept):
		op.Parameters = append(op.Parameters, ifNoneMatch)
		op.Responses["304"] = &huma.Response{Description: "What If-None-Match names still holds.", Headers: headersOf([]string{"X-Request-Id", "RateLimit", "RateLimit-Policy", "ETag", "Cache-Control"})}
	case rt.has(momentary):
		op.Responses["503"] = &huma.Response{Description: "A part that answers depend on does not work.", Headers: headersOf([]string{"X-Request-Id"}), Content: op.Responses["200"].Content}
	case rt.has(streamed):
		op.Responses["200"] = &huma.Response{Description: "The same bytes were loaded before; this is their upload.", Headers: op.Responses["202"].Headers, Content: op.Responses["202"].Content}
	case rt.method == http.MethodPost && !rt.has(secret):
		op.Parameters = append(op.Parameters, idempotencyHeader)
	}
}

// describeFields adds the words for fields whose types say nothing.
func describeFields(name string, schema *huma.Schema) {
	for field, of := range schema.Properties {
		if of.Description != "" || of.Ref != "" {
			continue
		}
		if of.Description = fieldWords[name+"."+field]; of.Description == "" {
			of.Description = fieldWords[field]
		}
	}
}
