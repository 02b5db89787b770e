package load

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"
	"time"
)

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}

// locustStats is an entry of /stats/requests, with the keys of Locust 2.12 and 2.46.
// Times are milliseconds, with their fractions.
type locustStats struct {
	Method            string  `json:"method"`
	Name              string  `json:"name"`
	SafeName          string  `json:"safe_name"` // as HTML
	Requests          int64   `json:"num_requests"`
	Failures          int64   `json:"num_failures"`
	Mean              float64 `json:"avg_response_time"`
	Min               float64 `json:"min_response_time"`
	Max               float64 `json:"max_response_time"`
	CurrentRPS        float64 `json:"current_rps"`
	CurrentFailures   float64 `json:"current_fail_per_sec"`
	RPS               float64 `json:"total_rps"`
	FailuresPerSecond float64 `json:"total_fail_per_sec"`
	Median            float64 `json:"median_response_time"`
	Ninetieth         float64 `json:"ninetieth_response_time"`
	NinetyNinth       float64 `json:"ninety_ninth_response_time"`
	P95               float64 `json:"response_time_percentile_0.95"`
	P99               float64 `json:"response_time_percentile_0.99"`
	AvgContentLength  float64 `json:"avg_content_length"`
}

func newLocustStats(f *Figures) locustStats {
	length := 0.0
	if f.Requests > 0 {
		length = float64(f.Bytes) / float64(f.Requests)
	}
	l := &f.Response
	return locustStats{
		Method: f.Method, Name: f.Name, SafeName: html.EscapeString(f.Name), Requests: f.Requests, Failures: f.Failures,
		Mean: l.Mean, Min: l.Min, Max: l.Max, Median: l.Quantile(50), Ninetieth: l.Quantile(90), NinetyNinth: l.Quantile(99), P95: l.Quantile(95), P99: l.Quantile(99),
		CurrentRPS: f.CurrentRPS, CurrentFailures: f.CurrentFailures, RPS: f.RPS, FailuresPerSecond: f.FailuresPerSecond, AvgContentLength: length,
	}
}

// locustError is a failure. Its texts are as they are, and so are those of exceptions;
// Locust 2.12 makes HTML of them.
type locustError struct {
	Method      string  `json:"method"`
	Name        string  `json:"name"`
	Error       string  `json:"error"`
	Occurrences int64   `json:"occurrences"`
	FirstSeen   float64 `json:"first_seen"` // Unix seconds
	LastSeen    float64 `json:"last_seen"`
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// stats answers /stats/requests. Its total_rps is over the run, as in newer Locusts; in
// 2.12 it is what current_rps is.
func (p *Page) stats(w http.ResponseWriter, _ *http.Request) {
	s := p.runner.Snapshot()
	entries, failures := []locustStats{}, []locustError{}
	for i := range s.Endpoints {
		entries = append(entries, newLocustStats(&s.Endpoints[i]))
	}
	entries = append(entries, newLocustStats(&s.Total))
	for _, f := range s.Failures {
		failures = append(failures, locustError{f.Method, f.Name, f.Error, f.Occurrences, unix(f.First), unix(f.Last)})
	}
	ratio := 0.0
	if s.Total.Requests > 0 {
		ratio = float64(s.Total.Failures) / float64(s.Total.Requests)
	}
	p50, p95 := current(s, 50), current(s, 95)
	writeJSON(w, map[string]any{
		"stats": entries, "errors": failures, "total_rps": s.Total.RPS, "total_fail_per_sec": s.Total.FailuresPerSecond, "current_rps": s.Total.CurrentRPS, "current_fail_per_sec": s.Total.CurrentFailures,
		"fail_ratio": ratio, "state": s.State, "user_count": s.UserCount,
		"current_response_time_percentile_50": p50, "current_response_time_percentile_95": p95,
		"current_response_time_percentiles": map[string]any{"response_time_percentile_0.5": p50, "response_time_percentile_0.95": p95},
	})
}

// current is a percentile of the last ten seconds; nil without requests.
func current(s *Snapshot, percent float64) any {
	if s.Total.Current.Count == 0 {
		return nil
	}
	return s.Total.Current.Quantile(percent)
}

func (p *Page) exceptions(w http.ResponseWriter, _ *http.Request) {
	type exception struct {
		Count     int64  `json:"count"`
		Message   string `json:"msg"`
		Traceback string `json:"traceback"`
		Nodes     string `json:"nodes"`
	}
	all := []exception{}
	for _, e := range p.runner.Snapshot().Exceptions {
		all = append(all, exception{e.Count, e.Message, e.Traceback, "local"})
	}
	writeJSON(w, map[string]any{"exceptions": all})
}

// tasks answers which share of the users that there are each class and task has.
func (p *Page) tasks(w http.ResponseWriter, _ *http.Request) {
	plan, _ := p.base()
	s := p.runner.Snapshot()
	type task struct {
		Ratio float64 `json:"ratio"`
	}
	type class struct {
		Ratio float64         `json:"ratio"`
		Tasks map[string]task `json:"tasks"`
	}
	perClass, total := map[string]class{}, map[string]class{}
	for _, c := range ratios(plan.Classes, s.Users) {
		own, all := class{c.Share, map[string]task{}}, class{c.Share, map[string]task{}}
		for _, t := range c.Tasks {
			own.Tasks[t.Name], all.Tasks[t.Name] = task{t.OfClass}, task{t.OfAll}
		}
		perClass[c.Name], total[c.Name] = own, all
	}
	writeJSON(w, map[string]any{"per_class": perClass, "total": total})
}

func (p *Page) logs(w http.ResponseWriter, _ *http.Request) {
	lines := []string{}
	if p.Logs != nil {
		lines = append(lines, p.Logs()...)
	}
	writeJSON(w, map[string]any{"master": lines, "workers": map[string]any{}})
}

// download names a file that a browser saves, with the time as Locust has it.
func download(w http.ResponseWriter, kind, name, extension string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%s_%d.%s", name, time.Now().Unix(), extension))
}

func (p *Page) csv(name string, write func(io.Writer, *Snapshot) error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var text strings.Builder
		if err := write(&text, p.runner.Snapshot()); err != nil {
			http.Error(w, "The file can't be made: "+err.Error(), http.StatusInternalServerError)
			return
		}
		download(w, "text/csv; charset=utf-8", name, "csv")
		_, _ = io.WriteString(w, text.String()) // the client may have gone
	}
}

// history is there without --csv-full-history too, which Locust asks for.
func (p *Page) history(w io.Writer, s *Snapshot) error {
	return WriteHistoryCSV(w, p.runner.Rows(0), s)
}

func (p *Page) report(w http.ResponseWriter, r *http.Request) {
	s := p.runner.Snapshot()
	var text strings.Builder
	if err := WriteReport(&text, s, p.runner.Rows(0), p.Judge(s)); err != nil {
		http.Error(w, "The report can't be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	if r.URL.Query().Get("download") != "" {
		download(w, "text/html; charset=utf-8", "report", "html")
	} else {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
	}
	w.Header().Set("Content-Security-Policy", "frame-ancestors 'none'") // the report has its own within
	_, _ = io.WriteString(w, text.String())                             // the client may have gone
}
