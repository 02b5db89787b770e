package api

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"upstream/internal/telemetry"
)

// document is the OpenAPI document and the page that shows it, made once.
type document struct{ json, yaml, page, style []byte }

//go:embed docs
var docs embed.FS

// newHuma makes the part of huma that reads parameters, checks them by their
// types, and writes the document. It serves nothing by itself.
func (s *Server) newHuma() huma.API {
	huma.NewErrorWithContext = humaProblem
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return humaProblem(nil, status, message, errs...)
	}
	huma.ValidateStrictCasing = true
	huma.DefaultArrayNullable = false // an empty list is [], never null
	config := huma.DefaultConfig("Upstream", s.Version)
	aliases(config.Components.Schemas)
	config.CreateHooks = nil
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.Info.Description = "Upstream warns a medical practice, days after it starts, that an insurer has changed how it decides or pays claims. " +
		"Money is in integer cents, rates are fractions of 1, dates are YYYY-MM-DD, times are RFC 3339 in UTC. Every path works with and without the slash at its end."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer":  {Type: "http", Scheme: "bearer", Description: "An access token of auth/token/, or an API key."},
		"session": {Type: "apiKey", In: "cookie", Name: cookieName, Description: "The cookie of auth/login/."},
	}
	return huma.NewAPI(config, &humaAdapter{&route{}})
}

// newDocument writes the document of the routes that are registered.
func (s *Server) newDocument() (d document, err error) {
	api := s.huma.OpenAPI()
	for _, rt := range s.routes {
		documentProblems(rt.op)
	}
	if d.json, err = json.MarshalIndent(api, "", "  "); err != nil {
		return d, err
	}
	if d.yaml, err = api.YAML(); err != nil {
		return d, err
	}
	if d.style, err = docs.ReadFile("docs/docs.css"); err != nil {
		return d, err
	}
	page, err := template.New("docs.html").Funcs(template.FuncMap{"schema": describe, "anchor": anchor}).ParseFS(docs, "docs/docs.html")
	if err != nil {
		return d, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, s.pageData())
	d.page = out.Bytes()
	return d, err
}

// documentProblems adds the headers of problems, and 304.
func documentProblems(op *huma.Operation) {
	for status, r := range op.Responses {
		text := &huma.Schema{Type: huma.TypeString}
		if r.Headers == nil {
			r.Headers = map[string]*huma.Param{}
		}
		r.Headers["X-Request-Id"] = &huma.Header{Description: "The request, as the log names it.", Schema: text}
		switch status {
		case "429", "503":
			r.Headers["Retry-After"] = &huma.Header{Description: "Seconds to wait.", Schema: &huma.Schema{Type: huma.TypeInteger}}
		case "401":
			r.Headers["WWW-Authenticate"] = &huma.Header{Description: "How to sign in.", Schema: text}
		}
	}
}

// docOperation is an operation as the page shows it.
type docOperation struct {
	*huma.Operation
	Who       string
	Body      *huma.Schema
	Answer    *huma.Schema
	Status    string
	Problems  []string
	BodyTypes []string
}

type docGroup struct {
	Name       string
	Operations []docOperation
}

type docPage struct {
	Title, Version, Description string
	Groups                      []docGroup
	Schemas                     []docSchema
	Problems                    []docProblem
}

type docSchema struct {
	Name   string
	Schema *huma.Schema
}

type docProblem struct {
	Code   string
	Status int
}

func (s *Server) pageData() docPage {
	api := s.huma.OpenAPI()
	p := docPage{Title: api.Info.Title, Version: s.Version, Description: api.Info.Description}
	for _, rt := range s.routes {
		if len(p.Groups) == 0 || p.Groups[len(p.Groups)-1].Name != rt.scope {
			p.Groups = append(p.Groups, docGroup{Name: rt.scope})
		}
		g := &p.Groups[len(p.Groups)-1]
		g.Operations = append(g.Operations, rt.documented())
	}
	for name, schema := range api.Components.Schemas.Map() {
		p.Schemas = append(p.Schemas, docSchema{name, schema})
	}
	slices.SortFunc(p.Schemas, func(a, b docSchema) int { return strings.Compare(a.Name, b.Name) })
	for code, known := range statuses {
		p.Problems = append(p.Problems, docProblem{string(code), known.status})
	}
	for status, code := range codesOfStatus {
		p.Problems = append(p.Problems, docProblem{code, status})
	}
	p.Problems = append(p.Problems, docProblem{"method_not_allowed", http.StatusMethodNotAllowed}, docProblem{"too_many_requests", http.StatusTooManyRequests})
	slices.SortFunc(p.Problems, func(a, b docProblem) int {
		return (a.Status-b.Status)*1000 + strings.Compare(a.Code, b.Code)
	})
	p.Problems = slices.Compact(p.Problems)
	return p
}

func (rt *route) documented() docOperation {
	d := docOperation{Operation: rt.op, Who: rt.whoMay()}
	if rt.op.RequestBody != nil {
		for kind, media := range rt.op.RequestBody.Content {
			d.BodyTypes = append(d.BodyTypes, kind)
			d.Body = media.Schema
		}
		slices.Sort(d.BodyTypes)
	}
	for status, r := range rt.op.Responses {
		if status >= "400" || status == "default" {
			d.Problems = append(d.Problems, status)
			continue
		}
		d.Status = status
		for _, media := range r.Content {
			d.Answer = media.Schema
		}
	}
	slices.Sort(d.Problems)
	return d
}

func (rt *route) whoMay() string {
	switch {
	case rt.who == anyone:
		return "anyone"
	case rt.who.superuser:
		return "superusers"
	}
	return "role " + string(rt.who.role) + " or above"
}

// describe writes a schema's type in a few words.
func describe(s *huma.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		return strings.TrimPrefix(s.Ref, "#/components/schemas/")
	case s.Type == huma.TypeArray:
		return "list of " + describe(s.Items)
	case s.Format != "":
		return s.Type + " (" + s.Format + ")"
	}
	return s.Type
}

func anchor(s *huma.Schema) string {
	for s != nil && s.Type == huma.TypeArray {
		s = s.Items
	}
	if s == nil {
		return ""
	}
	return strings.TrimPrefix(s.Ref, "#/components/schemas/")
}

// static serves what never changes while the server runs.
func (s *Server) static(counters *telemetry.Route, contentType string, body func() []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		counters.Begin()
		c := s.newCall(nil, r)
		a := &answer{status: http.StatusOK, header: http.Header{"Content-Type": {contentType}, "Cache-Control": {"no-cache"}, "Content-Security-Policy": {"default-src 'none'; style-src 'self'"}}, body: body()}
		c.send(w, r, a)
		counters.End(a.status, s.Now().Sub(c.started), int64(len(a.body)))
	}
}

// documents are the paths of the document and its page.
func (s *Server) documents() {
	counters := s.Metrics.Route(Prefix+"docs/", http.MethodGet)
	for path, h := range map[string]http.HandlerFunc{
		"openapi.json":  s.static(counters, "application/json", func() []byte { return s.document.json }),
		"openapi.yaml":  s.static(counters, "application/yaml", func() []byte { return s.document.yaml }),
		"docs/docs.css": s.static(counters, "text/css; charset=utf-8", func() []byte { return s.document.style }),
		"docs/{$}":      s.static(counters, "text/html; charset=utf-8", func() []byte { return s.document.page }),
		"docs":          s.static(counters, "text/html; charset=utf-8", func() []byte { return s.document.page }),
	} {
		s.mux.HandleFunc("GET "+Prefix+path, h)
	}
}
