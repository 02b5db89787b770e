package load

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxReported is how many reasons of failures a summary lists.
const maxReported = 10

// WriteSummary writes a run in Markdown, for the page of a CI job. Why is the sentence
// of ExitCode.
func WriteSummary(w io.Writer, s *Snapshot, verdicts []Verdict, code int, why string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "## Load test: %s\n\n%s Exit code %d.\n\n", outcomeOf(code), cell(why), code)
	fmt.Fprintf(&b, "%s against %s, %s, begun %s.\n\n", s.Elapsed().Round(time.Second/10), cell(s.Plan.Host), cell(s.Plan.model()), s.Started.UTC().Format("2006-01-02 15:04:05 UTC"))
	if len(verdicts) > 0 {
		markdownRow(&b, "endpoint", "target", "measured", "95 % interval", "outcome")
		markdownRow(&b, "---", "---", "---:", "---:", "---")
		for i := range verdicts {
			v := &verdicts[i]
			outcome := string(v.Outcome)
			if v.Outcome != Met {
				outcome = "**" + outcome + "**"
			}
			if v.Why != "" {
				outcome += ": " + cell(v.Why)
			}
			markdownRow(&b, cell(v.Method+" "+v.Name), v.Asks(), v.Is(), v.Interval(), outcome)
		}
		b.WriteByte('\n')
	}
	writeEndpoints(&b, s)
	writeFailures(&b, s)
	for _, note := range Notes(s) {
		fmt.Fprintf(&b, "- %s\n", cell(note))
	}
	_, err := w.Write(b.Bytes())
	return err
}

func writeEndpoints(b *bytes.Buffer, s *Snapshot) {
	markdownRow(b, "endpoint", "requests", "failures", "requests/s", "p50 ms", "p95 ms", "p99 ms", "max ms", "service p95 ms")
	markdownRow(b, "---", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:")
	for _, f := range append(s.Endpoints[:len(s.Endpoints):len(s.Endpoints)], s.Total) {
		r := &f.Response
		markdownRow(b, cell(strings.TrimSpace(f.Method+" "+f.Name)), fmt.Sprint(f.Requests), fmt.Sprint(f.Failures), plain(f.RPS, 1),
			ms(r.Quantile(50)), ms(r.Quantile(95)), ms(r.Quantile(99)), ms(r.Max), ms(f.Service.Quantile(95)))
	}
	b.WriteByte('\n')
}

func writeFailures(b *bytes.Buffer, s *Snapshot) {
	if len(s.Failures)+len(s.Exceptions) == 0 {
		return
	}
	markdownRow(b, "occurrences", "failure")
	markdownRow(b, "---:", "---")
	for _, f := range s.Failures[:min(len(s.Failures), maxReported)] {
		markdownRow(b, fmt.Sprint(f.Occurrences), cell(strings.TrimSpace(f.Method+" "+f.Name)+": "+f.Error))
	}
	for _, e := range s.Exceptions[:min(len(s.Exceptions), maxReported)] {
		markdownRow(b, fmt.Sprint(e.Count), "exception: "+cell(e.Message))
	}
	b.WriteByte('\n')
}

func outcomeOf(code int) string {
	switch code {
	case 0:
		return "passed"
	case ExitGenerator:
		return "says nothing"
	}
	return "failed"
}

// model says how a plan asks.
func (p *Plan) model() string {
	if p.Arrivals != nil {
		return fmt.Sprintf("open model, %s arrivals a second, %d users at most", p.Arrivals, p.Users)
	}
	return fmt.Sprintf("closed model, %d users", p.Users)
}

func markdownRow(b *bytes.Buffer, cells ...string) {
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}

// marks are what Markdown takes for its own.
var marks = strings.NewReplacer(`\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "&", "&amp;", "<", "&lt;", ">", "&gt;")

// cell is a text that Markdown shows as it is, in one line.
func cell(text string) string { return marks.Replace(oneLine(text)) }
