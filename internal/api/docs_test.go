package api

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
)

// pageOf is what matters of a page.
type pageOf struct {
	ids      map[string]bool
	links    []string // what a browser would load or go to
	headings []int
	tables   int
	captions int
	cells    int    // header cells without a scope
	lang     string // of the document
	text     strings.Builder
}

// readPage reads a page as XML, which ours are: that finds elements that are not
// closed and attributes without quotes.
func readPage(t *testing.T, body []byte) *pageOf {
	t.Helper()
	p := &pageOf{ids: map[string]bool{}}
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.CharData:
			p.text.Write(token)
		case xml.StartElement:
			p.element(t, token)
		}
	}
}

func (p *pageOf) element(t *testing.T, e xml.StartElement) {
	t.Helper()
	attributes := map[string]string{}
	for _, a := range e.Attr {
		attributes[a.Name.Local] = a.Value
	}
	if id := attributes["id"]; id != "" {
		if p.ids[id] {
			t.Errorf("two elements are called %s", id)
		}
		p.ids[id] = true
	}
	for _, name := range []string{"href", "src", "action"} {
		if to, ok := attributes[name]; ok {
			p.links = append(p.links, to)
		}
	}
	switch name := e.Name.Local; name {
	case "html":
		p.lang = attributes["lang"]
	case "h1", "h2", "h3", "h4", "h5", "h6":
		p.headings = append(p.headings, int(name[1]-'0'))
	case "table":
		p.tables++
	case "caption":
		p.captions++
	case "th":
		if attributes["scope"] == "" {
			p.cells++
		}
	case "script", "style", "img", "iframe":
		t.Errorf("the page has a <%s>", name)
	}
}

func TestTheDocsPageIsWhole(t *testing.T) {
	w := newDocumented(t)
	got := w.get("docs/")
	if policy := got.header.Get("Content-Security-Policy"); policy != "default-src 'none'; style-src 'self'" {
		t.Errorf("Content-Security-Policy %q", policy)
	}
	if kind := got.header.Get("Content-Type"); kind != "text/html; charset=utf-8" || !bytes.HasPrefix(got.body, []byte("<!doctype html>")) {
		t.Errorf("Content-Type %q", kind)
	}
	p := readPage(t, got.body)
	for _, rt := range w.server.routes {
		if !p.ids[rt.op.OperationID] || !p.ids[rt.scope] {
			t.Errorf("%s %s is not on the page", rt.method, rt.path)
		}
	}
	for name := range w.server.huma.OpenAPI().Components.Schemas.Map() {
		if !p.ids["shape-"+name] {
			t.Errorf("the shape %s is not on the page", name)
		}
	}
	for code := range statuses {
		if !p.ids["problem-"+string(code)] {
			t.Errorf("the problem %s, whose type leads here, is not on the page", code)
		}
	}
	for _, text := range []string{"<no value>", "%!", "list of list of", "null or null"} {
		if strings.Contains(p.text.String(), text) {
			t.Errorf("the page says %q", text)
		}
	}
}

// The page works without the internet, and each of its links leads somewhere.
func TestTheDocsPageLeadsNowhereElse(t *testing.T) {
	w := newDocumented(t)
	p := readPage(t, w.get("docs/").body)
	for _, to := range p.links {
		if anchor, ok := strings.CutPrefix(to, "#"); ok {
			if !p.ids[anchor] {
				t.Errorf("there is no %s on the page", to)
			}
			continue
		}
		path, ok := strings.CutPrefix(to, Prefix)
		if !ok {
			t.Errorf("the page leads to %s", to)
			continue
		}
		w.get(path) // answers 200
	}
	if style := w.get("docs/docs.css").body; regexp.MustCompile(`url\(|@import|//`).Match(style) {
		t.Error("the style loads something")
	}
}

// What a screen reader needs: a language, headings in order, captions, scopes.
func TestTheDocsPageCanBeHeard(t *testing.T) {
	p := readPage(t, newDocumented(t).get("docs/").body)
	if p.lang != "en" || p.tables == 0 || p.captions != p.tables || p.cells != 0 {
		t.Errorf("lang %q, %d tables with %d captions, %d header cells without a scope", p.lang, p.tables, p.captions, p.cells)
	}
	last := 0
	for _, h := range p.headings {
		if h > last+1 || h == 1 && last != 0 {
			t.Errorf("a heading of level %d after one of level %d", h, last)
		}
		last = h
	}
}
