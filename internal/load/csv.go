package load

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The files are Locust's, with its names, columns and order (its stats.py, 2.12):
// comma-separated, lines end in CR LF, times in milliseconds. Where Locust rounds to
// whole milliseconds these have up to three decimals.

// percentHeads are the columns of Quantiles.
func percentHeads() (heads []string) {
	for _, q := range Quantiles {
		heads = append(heads, percentHead(q))
	}
	return heads
}

func statsHead() []string {
	return append([]string{
		"Type", "Name", "Request Count", "Failure Count", "Median Response Time", "Average Response Time", "Min Response Time", "Max Response Time",
		"Average Content Size", "Requests/s", "Failures/s",
	}, percentHeads()...)
}

func historyHead() []string {
	return slices.Concat([]string{"Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s"}, percentHeads(), []string{
		"Total Request Count", "Total Failure Count", "Total Median Response Time", "Total Average Response Time", "Total Min Response Time",
		"Total Max Response Time", "Total Average Content Size",
	})
}

var (
	failuresHead   = []string{"Method", "Name", "Error", "Occurrences"}
	exceptionsHead = []string{"Count", "Message", "Traceback", "Nodes"}
)

// notAvailable is what Locust writes for a percentile of no requests.
const notAvailable = "N/A"

// exact writes milliseconds to the microsecond.
func exact(x float64) string { return plain(x, 3) }

func integer(n int64) string { return strconv.FormatInt(n, 10) }

// safe keeps a spreadsheet from taking a text for a formula, with an apostrophe before
// what begins as one (OWASP, CSV Injection).
func safe(text string) string {
	if text != "" && strings.Contains("=+-@\t\r\n", text[:1]) {
		return "'" + text
	}
	return text
}

func percentiles(l *Latency) (cells []string) {
	for i := range Quantiles {
		if l.Count == 0 {
			cells = append(cells, notAvailable)
		} else {
			cells = append(cells, exact(l.At[i]))
		}
	}
	return cells
}

// averageSize is of a body, in bytes.
func (f *Figures) averageSize() string {
	return plain(float64(f.Bytes)/float64(max(f.Requests, 1)), 3)
}

func statsRow(f *Figures) []string {
	r := &f.Response
	return append([]string{
		safe(f.Method), safe(f.Name), integer(f.Requests), integer(f.Failures), exact(r.Quantile(50)), exact(r.Mean), exact(r.Min), exact(r.Max),
		f.averageSize(), plain(f.RPS, 6), plain(f.FailuresPerSecond, 6),
	}, percentiles(r)...)
}

// totalCells end a row of the history.
func totalCells(f *Figures) []string {
	r := &f.Response
	return []string{integer(f.Requests), integer(f.Failures), exact(r.Quantile(50)), exact(r.Mean), exact(r.Min), exact(r.Max), f.averageSize()}
}

func historyRow(at time.Time, users int, f *Figures, rps, failing float64, l *Latency) []string {
	return slices.Concat([]string{
		integer(at.Unix()), strconv.Itoa(users), safe(f.Method), safe(f.Name), strconv.FormatFloat(rps, 'f', 6, 64), strconv.FormatFloat(failing, 'f', 6, 64),
	}, percentiles(l), totalCells(f))
}

func writeCSV(w io.Writer, head []string, rows [][]string) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	if head != nil {
		if err := c.Write(head); err != nil {
			return err
		}
	}
	return c.WriteAll(rows)
}

// WriteStatsCSV writes a row for each endpoint, and Aggregated.
func WriteStatsCSV(w io.Writer, s *Snapshot) error {
	var rows [][]string
	for i := range s.Endpoints {
		rows = append(rows, statsRow(&s.Endpoints[i]))
	}
	return writeCSV(w, statsHead(), append(rows, statsRow(&s.Total)))
}

// WriteFailuresCSV writes a row for each reason of failures of an endpoint.
func WriteFailuresCSV(w io.Writer, s *Snapshot) error {
	var rows [][]string
	for _, f := range s.Failures {
		rows = append(rows, []string{safe(f.Method), safe(f.Name), safe(f.Error), integer(f.Occurrences)})
	}
	return writeCSV(w, failuresHead, rows)
}

// WriteExceptionsCSV writes a row for each exception of tasks. Nodes is "local".
func WriteExceptionsCSV(w io.Writer, s *Snapshot) error {
	var rows [][]string
	for _, e := range s.Exceptions {
		rows = append(rows, []string{integer(e.Count), safe(e.Message), safe(e.Traceback), "local"})
	}
	return writeCSV(w, exceptionsHead, rows)
}

// WriteHistoryCSV writes the history as rows of charts have it, and the present state
// as its last row. Rows know of a second's requests what a chart shows; the other
// columns are N/A.
func WriteHistoryCSV(w io.Writer, rows []Row, s *Snapshot) error {
	var lines [][]string
	var requests, failures int64
	for i := range rows {
		r := &rows[i]
		requests, failures = requests+r.Requests, failures+r.Failures
		known := map[float64]float64{50: r.P50, 95: r.P95, 99: r.P99, 100: r.Max}
		line := []string{
			integer(r.At.Unix()), strconv.Itoa(r.Users), "", Aggregated,
			strconv.FormatFloat(r.RPS(), 'f', 6, 64), strconv.FormatFloat(perSecond(r.Failures, r.Span), 'f', 6, 64),
		}
		for _, q := range Quantiles {
			if at, ok := known[q]; ok && r.Requests > 0 {
				line = append(line, exact(at))
			} else {
				line = append(line, notAvailable)
			}
		}
		line = append(line, integer(requests), integer(failures))
		for range 5 {
			line = append(line, notAvailable)
		}
		lines = append(lines, line)
	}
	last := historyRow(s.Taken, s.UserCount, &s.Total, s.Total.CurrentRPS, s.Total.CurrentFailures, &s.Total.Response)
	return writeCSV(w, historyHead(), append(lines, last))
}

// CSVWriter keeps the four files of --csv up to date.
type CSVWriter struct {
	prefix  string
	full    bool
	history *os.File
}

// NewCSVWriter makes the files PREFIX_stats.csv, _stats_history.csv, _failures.csv and
// _exceptions.csv, without rows yet; where it can't, no run need begin. Full writes a
// row of the history for each endpoint too.
func NewCSVWriter(prefix string, full bool) (*CSVWriter, error) {
	c := &CSVWriter{prefix: prefix, full: full}
	var err error
	if c.history, err = os.Create(prefix + "_stats_history.csv"); err != nil {
		return nil, c.problem(err)
	}
	err = writeCSV(c.history, historyHead(), nil)
	if err == nil {
		err = c.replace(&Snapshot{Total: Figures{Name: Aggregated}})
	}
	if err != nil {
		return nil, c.problem(errors.Join(err, c.history.Close()))
	}
	return c, nil
}

func (c *CSVWriter) problem(err error) error {
	return fmt.Errorf("the files of --csv %s can't be written: give a prefix in a directory that is there and may be written to, with room on its disk: %w", c.prefix, err)
}

// Tick writes the present state; it is called each second.
func (c *CSVWriter) Tick(s *Snapshot) error {
	if err := errors.Join(c.append(s), c.replace(s)); err != nil {
		return c.problem(err)
	}
	return nil
}

// Close writes the final state and closes the files. The last row of the history has
// the totals of the run.
func (c *CSVWriter) Close(s *Snapshot) error {
	if err := errors.Join(c.append(s), c.history.Close(), c.replace(s)); err != nil {
		return c.problem(err)
	}
	return nil
}

// append writes the rows of a moment in one go, so that a kill leaves no half of one.
// The percentiles are, as in Locust, those of the run so far, but of the last ten
// seconds in a full history.
func (c *CSVWriter) append(s *Snapshot) error {
	shown := []Figures{s.Total}
	if c.full {
		shown = append(slices.Clone(s.Endpoints), s.Total)
	}
	var rows [][]string
	for i := range shown {
		f := &shown[i]
		l := &f.Response
		if c.full {
			l = &f.Current
		}
		rows = append(rows, historyRow(s.Taken, s.UserCount, f, f.CurrentRPS, f.CurrentFailures, l))
	}
	var b strings.Builder
	if err := writeCSV(&b, nil, rows); err != nil {
		return err
	}
	_, err := c.history.WriteString(b.String())
	return err
}

// replace writes the files that have the present state only, each as a new file that
// takes the old one's place: whoever reads finds a whole one.
func (c *CSVWriter) replace(s *Snapshot) error {
	return errors.Join(
		replaceFile(c.prefix+"_stats.csv", s, WriteStatsCSV),
		replaceFile(c.prefix+"_failures.csv", s, WriteFailuresCSV),
		replaceFile(c.prefix+"_exceptions.csv", s, WriteExceptionsCSV),
	)
}

func replaceFile(path string, s *Snapshot, write func(io.Writer, *Snapshot) error) error {
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	err = errors.Join(write(f, s), f.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	return nil
}
