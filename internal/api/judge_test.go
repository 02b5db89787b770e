package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// judge holds every answer of a test against the document.
type judge struct {
	t      testing.TB
	next   http.Handler
	router routers.Router
}

// beyond30 are the keywords that mean something, or something else, from OpenAPI 3.1 on.
var beyond30 = []string{
	"$defs", "const", "contains", "contentSchema", "dependentRequired", "dependentSchemas", "else", "exclusiveMaximum", "exclusiveMinimum", "if",
	"nullable", "patternProperties", "prefixItems", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
}

func newJudge(t testing.TB, s *Server) *judge {
	t.Helper()
	router, err := routerOf(string(s.document.json))
	if err != nil {
		t.Fatal("the document is no OpenAPI that can be judged by: ", err)
	}
	return &judge{t, s, router}
}

// known are the routers of the documents that were read; most servers have the same.
var known = map[string]routers.Router{}

// routerOf reads a document.
func routerOf(text string) (routers.Router, error) {
	if router, ok := known[text]; ok {
		return router, nil
	}
	// As a document of 3.1 each answer would have its schemas compiled anew, which
	// takes longer than all else. The same validator without that knows every keyword
	// of ours.
	for _, keyword := range beyond30 {
		if strings.Contains(text, `"`+keyword+`":`) {
			return nil, fmt.Errorf("it says %q, which is overlooked in OpenAPI 3.0: let the judge hold it as 3.1", keyword)
		}
	}
	document, err := openapi3.NewLoader().LoadFromData([]byte(text))
	if err == nil {
		err = document.Validate(context.Background())
	}
	if err != nil {
		return nil, err
	}
	document.Servers, document.OpenAPI = nil, "3.0.3"
	router, err := gorillamux.NewRouter(document)
	known[text] = router
	return router, err
}

func (j *judge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	recorder := &teeWriter{ResponseWriter: w, status: http.StatusOK}
	j.next.ServeHTTP(recorder, r)
	j.hold(r, recorder)
}

// hold compares an answer with the document; paths that are in no document have
// problems or pages for answers.
func (j *judge) hold(r *http.Request, got *teeWriter) {
	path := r.URL.Path
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	asked := &http.Request{Method: r.Method, URL: &url.URL{Path: path, RawQuery: r.URL.RawQuery}, Header: r.Header}
	route, params, err := j.router.FindRoute(asked)
	if err != nil || r.Method == http.MethodHead || got.status == http.StatusNotModified {
		return
	}
	body := got.body.Bytes()
	if got.Header().Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(bytes.NewReader(body))
		if err == nil {
			body, err = io.ReadAll(unzipped)
		}
		if err != nil {
			j.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
	} else if got.Header().Get("Content-Encoding") != "" {
		return
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: asked, PathParams: params, Route: route},
		Status:                 got.status, Header: got.Header(), Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	in.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(context.Background(), in); err != nil {
		j.t.Errorf("%s %s departs from the document: %v\n%s", r.Method, r.URL.RequestURI(), err, body)
	}
}

// teeWriter keeps what it passes on.
type teeWriter struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (w *teeWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *teeWriter) Write(p []byte) (int, error) {
	w.body.Write(p)
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController through.
func (w *teeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
