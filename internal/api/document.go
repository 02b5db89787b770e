package api

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"

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
	config.Info.Description = description
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer":  {Type: "http", Scheme: "bearer", Description: "An access token of auth/token/, or an API key."},
		"session": {Type: "apiKey", In: "cookie", Name: cookieName, Description: "The cookie of auth/login/."},
	}
	return huma.NewAPI(config, &humaAdapter{&route{}})
}

// newDocument writes the document of the routes that are registered.
func (s *Server) newDocument() (d document, err error) {
	s.describe()
	api := s.huma.OpenAPI()
	if d.json, err = json.MarshalIndent(api, "", "  "); err != nil {
		return d, err
	}
	if d.yaml, err = api.YAML(); err != nil {
		return d, err
	}
	if d.style, err = docs.ReadFile("docs/docs.css"); err != nil {
		return d, err
	}
	page, err := template.New("docs.html").Funcs(template.FuncMap{"schema": typeOf, "anchor": anchor, "words": enumOf}).ParseFS(docs, "docs/docs.html")
	if err != nil {
		return d, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, s.pageData())
	d.page = out.Bytes()
	return d, err
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
	Name, Description string
	Operations        []docOperation
}

type docPage struct {
	Title, Version string
	Description    []string // its paragraphs
	Groups         []docGroup
	Schemas        []docSchema
	Problems       []docProblem
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
	p := docPage{Title: api.Info.Title, Version: s.Version, Description: strings.Split(api.Info.Description, "\n\n")}
	for _, tag := range api.Tags {
		p.Groups = append(p.Groups, docGroup{Name: tag.Name, Description: tag.Description})
	}
	for _, rt := range s.routes {
		i := slices.IndexFunc(p.Groups, func(g docGroup) bool { return g.Name == rt.scope })
		p.Groups[i].Operations = append(p.Groups[i].Operations, rt.documented())
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
		if status >= "400" {
			d.Problems = append(d.Problems, status)
			continue
		}
		if r.Content == nil && d.Answer != nil || status == "304" {
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

// typeOf writes a schema's type in a few words.
func typeOf(s *huma.Schema) string {
	if s == nil {
		return ""
	}
	name := s.Type
	switch {
	case anchor(s) != "" && s.Type != huma.TypeArray:
		name = anchor(s)
	case s.Type == huma.TypeArray:
		name = "list of " + typeOf(s.Items)
	case s.Format != "":
		name += " (" + s.Format + ")"
	}
	if s.Nullable {
		name += " or null"
	}
	return name
}

// anchor is the name of the shape that a schema is, or lists; rows have theirs as a
// title.
func anchor(s *huma.Schema) string {
	for s != nil && s.Type == huma.TypeArray {
		s = s.Items
	}
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		return strings.TrimPrefix(s.Ref, "#/components/schemas/")
	}
	return s.Title
}

// enumOf are the words that a value, or each of a list, is one of.
func enumOf(s *huma.Schema) []any {
	if s != nil && s.Type == huma.TypeArray {
		s = s.Items
	}
	if s == nil {
		return nil
	}
	return s.Enum
}

// static serves what never changes while the server runs, compressed once.
func (s *Server) static(counters *telemetry.Route, contentType string, body func() []byte) http.HandlerFunc {
	var kept [len(encodingNames)]func() *answer
	for e := range kept {
		kept[e] = sync.OnceValue(func() *answer {
			a := &answer{status: http.StatusOK, body: body(), header: http.Header{
				"Content-Type": {contentType}, "Content-Security-Policy": {"default-src 'none'; style-src 'self'"},
			}}
			sum := sha256.Sum256(a.body)
			a.encode(encoding(e))
			a.etag = etagOf([tagBytes]byte(sum[:tagBytes]), a.encoding)
			return a
		})
	}
	return func(w http.ResponseWriter, r *http.Request) {
		counters.Begin()
		c := s.newCall(nil, r)
		a := *kept[chooseEncoding(r.Header.Get("Accept-Encoding"))]()
		if listHas(r.Header.Get("If-None-Match"), a.etag) {
			a.status = http.StatusNotModified
		}
		c.send(w, r, &a)
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
