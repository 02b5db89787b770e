package load

import (
	"embed"
	"errors"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"strings"
)

// PageOptions say what a page shows and offers.
type PageOptions struct {
	Plan    Plan                      // what the form begins with, and all that it does not ask
	Classes []*Class                  // those that can be chosen; Plan has those that are at first
	Judge   func(*Snapshot) []Verdict // holds a run against targets; nil for none
	Auth    string                    // "user:password" that everything asks for; "" for nothing
	Version string                    // of the program, for the foot of the page
	Logs    func() []string           // the last lines of the log; nil for none
}

// Page is the load tester's page with Locust's REST interface, and /metrics.
type Page struct {
	PageOptions
	runner  *Runner
	feed    *feed
	handler http.Handler
}

// NewPage makes a page of a runner. It holds a goroutine until Close.
func NewPage(runner *Runner, o PageOptions) (*Page, error) {
	if o.Auth != "" && (strings.HasPrefix(o.Auth, ":") || !strings.Contains(o.Auth, ":")) {
		return nil, errors.New("web auth: give a name and a password, as user:password")
	}
	if o.Judge == nil {
		o.Judge = func(*Snapshot) []Verdict { return nil }
	}
	p := &Page{PageOptions: o, runner: runner}
	p.feed = newFeed(p.view)
	p.handler = p.guarded(p.routes())
	return p, nil
}

// ServeHTTP answers a request.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// Close ends all streams of events, so that a server can shut down.
func (p *Page) Close() { p.feed.close() }

func (p *Page) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.index)
	mux.HandleFunc("GET /events", p.events)
	mux.HandleFunc("POST /swarm", p.swarm)
	for _, method := range []string{"GET", "POST"} { // Locust has GET; forms post
		mux.HandleFunc(method+" /stop", p.stop)
		mux.HandleFunc(method+" /stats/reset", p.reset)
	}
	mux.HandleFunc("GET /stats/requests", p.stats)
	mux.HandleFunc("GET /stats/requests/csv", p.csv("requests", WriteStatsCSV))
	mux.HandleFunc("GET /stats/failures/csv", p.csv("failures", WriteFailuresCSV))
	mux.HandleFunc("GET /stats/requests_full_history/csv", p.csv("requests_full_history", p.history))
	mux.HandleFunc("GET /stats/report", p.report)
	mux.HandleFunc("GET /exceptions", p.exceptions)
	mux.HandleFunc("GET /exceptions/csv", p.csv("exceptions", WriteExceptionsCSV))
	mux.HandleFunc("GET /tasks", p.tasks)
	mux.HandleFunc("GET /logs", p.logs)
	mux.Handle("GET /metrics", exposition(p.runner))
	mux.HandleFunc("GET /assets/{name}", asset)
	return mux
}

// templates and page.css are the page; dist is what `make assets` adds to it, charts and
// live figures.
var (
	//go:embed page
	pageFiles embed.FS
	//go:embed all:dist
	distFiles embed.FS

	templates = template.Must(template.New("").Funcs(words).ParseFS(pageFiles, "page/*.html"))
)

// The files of the page, below /assets/.
const (
	styleFile  = "page.css"
	bundleFile = "load.js"
	chartsFile = "load.css" // of the library that draws
)

// assetText returns a file of the page; "" where it has not been built.
func assetText(name string) string {
	b, err := fs.ReadFile(distFiles, "dist/"+name)
	if name == styleFile {
		b, err = fs.ReadFile(pageFiles, "page/"+name)
	}
	if err != nil {
		return ""
	}
	return string(b)
}

func asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	text := ""
	switch name {
	case styleFile, chartsFile:
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		text = assetText(name)
	case bundleFile:
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		text = assetText(name)
	}
	if text == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = io.WriteString(w, text) // the client may have gone
}
