package load

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// view is what the templates of the page and of a report show.
type view struct {
	*Snapshot
	Verdicts []Verdict
	Charted  []Row
	Few      []Row // of Charted, for tables beside charts
	Open     bool  // tables beside charts are open, as there are no charts
}

// fewRows is how many rows a table beside a chart has: enough to see a shape.
const fewRows = 20

func newView(s *Snapshot, rows []Row, verdicts []Verdict) *view {
	return &view{Snapshot: s, Verdicts: verdicts, Charted: rows, Few: downsample(rows, fewRows)}
}

func (p *Page) view() *view {
	s := p.runner.Snapshot()
	if s.State == Ready {
		s.Plan = p.Plan
	}
	return newView(s, p.runner.Rows(0), p.Judge(s))
}

// parts are what of the page changes while a run goes on, by the ids of the elements
// that they are in. Each is a template.
func (v *view) parts() map[string]template.HTML {
	parts := map[string]template.HTML{}
	for _, id := range []string{
		"now", "statistics-table", "latency-table", "rps-says", "times-says", "users-says", "seconds-table", "heat-table",
		"failures-table", "exceptions-table", "ratio-table", "targets-table",
	} {
		var text strings.Builder
		if err := templates.ExecuteTemplate(&text, id, v); err != nil {
			text.Reset() // a mistake of ours must not end a run
			text.WriteString(template.HTMLEscapeString("This can't be shown: " + err.Error()))
		}
		parts[id] = template.HTML(text.String()) // html/template has escaped it
	}
	return parts
}

// index answers the page.
func (p *Page) index(w http.ResponseWriter, _ *http.Request) { p.show(w, http.StatusOK, nil, nil) }

// show answers the page with what was sent and what is wrong with it, if anything is.
func (p *Page) show(w http.ResponseWriter, status int, sent url.Values, wrong error) {
	v := p.view()
	page := struct {
		*view
		Form    form
		Wrong   []string
		Bundled bool
		Version string
	}{v, p.fields(v.Plan, sent), nil, assetText(bundleFile) != "", p.Version}
	v.Open = !page.Bundled
	if wrong != nil {
		page.Wrong = strings.Split(wrong.Error(), "\n")
	}
	var text strings.Builder
	if err := templates.ExecuteTemplate(&text, "index.html", page); err != nil {
		http.Error(w, fmt.Sprintf("The page can't be made: %v", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text.String())) // the client may have gone
}

// Goes tells that a run can be edited.
func (v *view) Goes() bool { return v.State == Spawning || v.State == Running }

// Busy tells that no run can begin.
func (v *view) Busy() bool { return v.Goes() || v.State == Stopping }

// Says is the state in a sentence.
func (v *view) Says() string {
	switch v.State {
	case Spawning:
		return "Users are being spawned."
	case Running:
		return "All users are there; the run goes on."
	case Stopping:
		return "The run is stopping: tasks end."
	case Stopped:
		if v.Reason != "" {
			return "The run ended by itself: " + v.Reason
		}
		return "The run is over; its figures stay."
	}
	return "Ready for a run."
}

// FailShare is the share of all requests that failed, from 0 to 1.
func (v *view) FailShare() float64 {
	if v.Total.Requests == 0 {
		return 0
	}
	return float64(v.Total.Failures) / float64(v.Total.Requests)
}

// Ratios are of the users that there are or, before a run, of those that are planned.
func (v *view) Ratios() []classRatio {
	users := v.Users
	if v.UserCount == 0 {
		users = Distribute(v.Plan.Classes, min(v.Plan.Users, MaxUsers))
	}
	return ratios(v.Plan.Classes, users)
}

// Peak is the row with the most requests a second.
func (v *view) Peak() *Row {
	peak := &Row{}
	for i := range v.Charted {
		if v.Charted[i].Whole() && v.Charted[i].RPS() > peak.RPS() {
			peak = &v.Charted[i]
		}
	}
	return peak
}

// Slowest is the highest p99 of a row.
func (v *view) Slowest() *Row {
	slowest := &Row{}
	for i := range v.Charted {
		if v.Charted[i].P99 > slowest.P99 {
			slowest = &v.Charted[i]
		}
	}
	return slowest
}

// Judged counts verdicts of an outcome.
func (v *view) Judged(outcome Outcome) (n int) {
	for i := range v.Verdicts {
		if v.Verdicts[i].Outcome == outcome {
			n++
		}
	}
	return n
}

// band is a row of the table beside the heat map.
type band struct {
	Label string
	Count []int64 // by Few's rows
}

// Bands are the bands of response times that had any, the slowest first.
func (v *view) Bands() (bands []band) {
	for i := len(Heat{}) - 1; i >= 0; i-- {
		b, any := band{Label: bandLabel(i)}, int64(0)
		for j := range v.Few {
			b.Count = append(b.Count, v.Few[j].Heat[i])
			any += v.Few[j].Heat[i]
		}
		if any > 0 {
			bands = append(bands, b)
		}
	}
	return bands
}

func bandLabel(i int) string {
	if i == len(HeatBounds) {
		return "above " + plain(HeatBounds[i-1], 1) + " ms"
	}
	return "to " + plain(HeatBounds[i], 1) + " ms"
}
