package load

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// table reads a CSV file as maps by column; each line must end in CR LF.
func table(t *testing.T, text string) (rows []map[string]string) {
	t.Helper()
	if strings.Count(text, "\n") != strings.Count(text, "\r\n") || !strings.HasSuffix(text, "\r\n") {
		t.Errorf("a line does not end in CR LF: %q", text)
	}
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, cell := range line {
			row[lines[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

func tableOf(t *testing.T, path string) []map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return table(t, string(text))
}

// The headers are Locust's, to the letter.
func TestTheFilesHaveLocustsColumns(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "x")
	c, err := NewCSVWriter(prefix, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(&Snapshot{Total: Figures{Name: Aggregated}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"stats":         "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%",
		"stats_history": "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,Total Min Response Time,Total Max Response Time,Total Average Content Size",
		"failures":      "Method,Name,Error,Occurrences",
		"exceptions":    "Count,Message,Traceback,Nodes",
	} {
		text, err := os.ReadFile(prefix + "_" + name + ".csv")
		if err != nil {
			t.Fatal(err)
		}
		if head, _, _ := strings.Cut(string(text), "\r\n"); head != want {
			t.Errorf("%s: %s", name, head)
		}
	}
}

func TestTheFilesOfARun(t *testing.T) {
	s, _ := sampleRun(t)
	var b bytes.Buffer
	rows := []Row{{At: began.Add(time.Second), Span: time.Second, Users: 3, Requests: 2, Failures: 1, Mean: 2, P50: 1.5, P95: 3, P99: 3, Max: 3}, {At: began.Add(2 * time.Second), Span: time.Second, Users: 3}}
	for _, write := range []func(io.Writer) error{
		func(w io.Writer) error { return WriteStatsCSV(w, s) },
		func(w io.Writer) error { return WriteFailuresCSV(w, s) },
		func(w io.Writer) error { return WriteExceptionsCSV(w, s) },
		func(w io.Writer) error { return WriteHistoryCSV(w, rows, s) },
	} {
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		b.WriteByte('\n')
	}
	golden(t, "files.csv", b.Bytes())
}

func TestWithoutRequestsPercentilesAreNotAvailable(t *testing.T) {
	var b bytes.Buffer
	if err := WriteStatsCSV(&b, NewRunner(t.Context(), nil).Snapshot()); err != nil {
		t.Fatal(err)
	}
	want := ",Aggregated,0,0,0,0,0,0,0,0,0" + strings.Repeat(",N/A", len(Quantiles)) + "\r\n"
	if _, got, _ := strings.Cut(b.String(), "\r\n"); got != want {
		t.Error(got)
	}
}

func TestTheFilesAlwaysHaveTheFinalState(t *testing.T) {
	for _, full := range []bool{false, true} {
		prefix := filepath.Join(t.TempDir(), "run")
		c, err := NewCSVWriter(prefix, full)
		if err != nil {
			t.Fatal(err)
		}
		early := ran(t, Plan{}, 2*time.Second, asked("/a", 10, 2*time.Second, time.Millisecond))
		early.UserCount = 7
		final := ran(t, Plan{}, 11*time.Second, append(asked("/a", 100, 11*time.Second, time.Millisecond), failing(asked("/b", 40, 11*time.Second, time.Millisecond), 2, "status 500")...))
		if err := c.Tick(early); err != nil {
			t.Fatal(err)
		}
		if got := tableOf(t, prefix+"_stats.csv"); len(got) != 2 || got[1]["Request Count"] != "10" {
			t.Errorf("after a second: %v", got)
		}
		if err := c.Close(final); err != nil {
			t.Fatal(err)
		}
		history := tableOf(t, prefix+"_stats_history.csv")
		var names []string
		for _, row := range history {
			names = append(names, row["Name"]+" "+row["Total Request Count"]+" "+row["User Count"])
		}
		want := []string{"Aggregated 10 7", "Aggregated 140 0"}
		if full {
			want = []string{"/a 10 7", "Aggregated 10 7", "/a 100 0", "/b 40 0", "Aggregated 140 0"}
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Error(diff)
		}
		if last := history[len(history)-1]; last["Total Failure Count"] != "20" || last["Timestamp"] != "1772438411" {
			t.Errorf("%v", last)
		}
		if got := tableOf(t, prefix+"_stats.csv"); len(got) != 3 || got[0]["Request Count"] != "100" || got[1]["Failure Count"] != "20" {
			t.Errorf("%v", got)
		}
		if got := tableOf(t, prefix+"_failures.csv"); len(got) != 1 || got[0]["Occurrences"] != "20" || got[0]["Error"] != "status 500" {
			t.Errorf("%v", got)
		}
		files, err := os.ReadDir(filepath.Dir(prefix))
		if err != nil || len(files) != 4 {
			t.Errorf("%d files: %v", len(files), err)
		}
	}
}

func TestWhereFilesCannotBeWrittenNoRunBegins(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "taken_stats.csv"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{filepath.Join(dir, "none", "x"), filepath.Join(dir, "file", "x"), filepath.Join(dir, "taken")} {
		if c, err := NewCSVWriter(prefix, false); err == nil || c != nil || !strings.Contains(err.Error(), "--csv "+prefix) {
			t.Errorf("%s: %v", prefix, err)
		}
		if _, err := os.Stat(prefix + "_stats.csv.new"); err == nil {
			t.Error("half a file is left")
		}
	}
}

func TestAReaderNeverFindsHalfAFile(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "x")
	c, err := NewCSVWriter(prefix, false)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := sampleRun(t)
	stop, read := make(chan struct{}), make(chan error)
	go func() {
		var err error
		for err == nil {
			var text []byte
			if text, err = os.ReadFile(prefix + "_stats.csv"); err == nil && !bytes.Contains(text, []byte("\r\n,Aggregated,")) {
				err = errors.New("half a file: " + string(text))
			}
			select {
			case <-stop:
				read <- err
				return
			default:
			}
		}
		<-stop
		read <- err
	}()
	for range 200 {
		if err := c.Tick(s); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	if err := <-read; err != nil {
		t.Error(err)
	}
	if err := c.Close(s); err != nil {
		t.Error(err)
	}
}

func TestAFullDiskIsTold(t *testing.T) {
	s, _ := sampleRun(t)
	for name, err := range map[string]error{
		"stats": WriteStatsCSV(full{}, s), "failures": WriteFailuresCSV(full{}, s), "exceptions": WriteExceptionsCSV(full{}, s), "history": WriteHistoryCSV(full{}, nil, s),
	} {
		if !errors.Is(err, errFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAHistoryThatCannotBeWrittenIsTold(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "x")
	c, err := NewCSVWriter(prefix, false)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := sampleRun(t)
	if err := c.history.Close(); err != nil { // as if the disk had gone
		t.Fatal(err)
	}
	if err := c.Tick(s); err == nil || !strings.Contains(err.Error(), "--csv") {
		t.Errorf("%v", err)
	}
	if err := c.Close(s); err == nil {
		t.Error("no error")
	}
	if got := tableOf(t, prefix+"_stats.csv"); len(got) != 4 {
		t.Errorf("the other files lack the final state: %v", got)
	}
}

func TestNoTextIsAFormula(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		begins := rapid.SampledFrom([]string{"=", "+", "-", "@", "\t", "\r", "\n", "", "a"})
		text := rapid.Custom(func(r *rapid.T) string { return begins.Draw(r, "begins") + rapid.String().Draw(r, "rest") })
		reason, message, name := text.Draw(r, "reason"), text.Draw(r, "message"), text.Draw(r, "name")
		s := &Snapshot{
			Endpoints: []Figures{{Method: "GET", Name: name}}, Total: Figures{Name: Aggregated},
			Failures: []Failure{{"GET", name, reason, 1, began, began}}, Exceptions: []Exception{{1, message, message}},
		}
		var b bytes.Buffer
		for _, write := range []func(io.Writer, *Snapshot) error{WriteStatsCSV, WriteFailuresCSV, WriteExceptionsCSV} {
			b.Reset()
			if err := write(&b, s); err != nil {
				r.Fatal(err)
			}
			lines, err := csv.NewReader(&b).ReadAll()
			if err != nil {
				r.Fatal(err)
			}
			for _, cell := range lines[1] {
				if cell != "" && strings.Contains("=+-@\t\r\n", cell[:1]) {
					r.Errorf("%q", cell)
				}
			}
		}
	})
}
