package load

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestJUnitHasACaseForEachVerdict(t *testing.T) {
	s, verdicts := sampleRun(t)
	var b bytes.Buffer
	if err := WriteJUnit(&b, s, verdicts, ExitOptions{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "junit.xml", b.Bytes())
	b.Reset()
	if err := WriteJUnit(&b, s, verdicts, ExitOptions{TargetsGiven: true}); err != nil {
		t.Fatal(err)
	}
	var suites junitSuites
	if err := xml.Unmarshal(b.Bytes(), &suites); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, v := range verdicts {
		if v.Outcome != Met {
			failed++
		}
	}
	if u := suites.Suite; u.Failures != failed || u.Skipped != 0 || u.Tests != len(verdicts) || len(u.Cases) != len(verdicts) {
		t.Errorf("%+v", u)
	}
}

func TestJUnitIsXMLWhateverTheNames(t *testing.T) {
	v := []Verdict{{Method: "GET", Name: "/<&\">\x00\xff", What: "p50", Outcome: Missed, Why: "\x01]]>"}}
	var b bytes.Buffer
	if err := WriteJUnit(&b, NewRunner(t.Context(), nil).Snapshot(), v, ExitOptions{}); err != nil {
		t.Fatal(err)
	}
	var suites junitSuites
	if err := xml.Unmarshal(b.Bytes(), &suites); err != nil || !strings.HasPrefix(suites.Suite.Cases[0].Class, `GET /<&">`) {
		t.Errorf("%v: %s", err, b.String())
	}
}

func TestTheSummaryIsMarkdown(t *testing.T) {
	s, verdicts := sampleRun(t)
	code, why := ExitCode(s, verdicts, ExitOptions{OnError: 1})
	var b bytes.Buffer
	if err := WriteSummary(&b, s, verdicts, code, why); err != nil {
		t.Fatal(err)
	}
	golden(t, "summary.md", b.Bytes())
}

func TestNamesDoNotBreakASummary(t *testing.T) {
	samples := failing(asked("/a|b<script>`*_", 2, 11*time.Second, time.Millisecond), 1, "x|y\n# not a heading <img src=x>")
	s := ran(t, Plan{Host: "http://x"}, 11*time.Second, samples)
	var b bytes.Buffer
	if err := WriteSummary(&b, s, Judge(s, []Target{{Method: "GET", Name: "/a|b<script>`*_", MaxP50: 1}}), 0, "x."); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script>", "<img", "a|b", "x|y", "\n# not"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q in\n%s", bad, b.String())
		}
	}
}

func TestAnExitCodeIsSaidInWords(t *testing.T) {
	s, _ := sampleRun(t)
	for code, says := range map[int]string{0: "passed", 1: "failed", 98: "says nothing", 99: "failed"} {
		var b bytes.Buffer
		if err := WriteSummary(&b, s, nil, code, "So."); err != nil || !strings.HasPrefix(b.String(), "## Load test: "+says+"\n") {
			t.Errorf("%d: %v %s", code, err, b.String())
		}
	}
}

// full is a disk.
type full struct{}

var errFull = errors.New("no space left on device")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestReportsTellThatTheDiskIsFull(t *testing.T) {
	s, verdicts := sampleRun(t)
	result := NewResult(s, verdicts, 0, "")
	for name, err := range map[string]error{
		"JSON": result.Write(full{}), "JUnit": WriteJUnit(full{}, s, verdicts, ExitOptions{}), "summary": WriteSummary(full{}, s, verdicts, 0, ""),
	} {
		if !errors.Is(err, errFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARegressionIsToldAsOneEverywhere(t *testing.T) {
	for what, says := range map[string]string{rps: "rps ≥ 80/s (baseline)", "p95": "p95 ≤ 80 ms (baseline)"} {
		v := Verdict{Method: "GET", Name: "/a", What: what + AgainstBaseline, Limit: 80, Measured: 70, Low: 60, High: 75, Outcome: Missed, Why: "0.70 times"}
		if v.Asks() != says {
			t.Error(v.Asks())
		}
	}
	v := Verdict{What: failures, Limit: .015, Measured: .02, Low: .01, High: .03, Outcome: Missed}
	if got := v.Asks() + "; " + v.says(); got != "failures ≤ 1.5 %; missed: measured 2 % (95 % interval 1 % – 3 %)" {
		t.Error(got)
	}
}
