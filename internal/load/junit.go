package load

import (
	"encoding/xml"
	"io"
	"strconv"
	"time"
)

type junitSuites struct {
	XMLName xml.Name   `xml:"testsuites"`
	Suite   junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Time      string      `xml:"time,attr"` // seconds
	Timestamp string      `xml:"timestamp,attr,omitempty"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMessage `xml:"failure"`
	Skipped *junitMessage `xml:"skipped"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
}

// WriteJUnit writes the verdicts as JUnit's XML, a test case each. One that could not
// be judged is skipped, or a failure where the user gave the targets, as for ExitCode.
func WriteJUnit(w io.Writer, s *Snapshot, verdicts []Verdict, o ExitOptions) error {
	took := strconv.FormatFloat(s.Elapsed().Seconds(), 'f', 3, 64)
	suite := junitSuite{Name: "upstream loadtest", Tests: len(verdicts), Time: took}
	if !s.Started.IsZero() {
		suite.Timestamp = s.Started.UTC().Format(time.RFC3339)
	}
	for i := range verdicts {
		v := &verdicts[i]
		c := junitCase{Class: v.Method + " " + v.Name, Name: v.Asks()}
		switch {
		case o.fails(v):
			c.Failure = &junitMessage{v.says(), string(v.Outcome)}
			suite.Failures++
		case v.Outcome == Unjudged:
			c.Skipped = &junitMessage{Message: v.says()}
			suite.Skipped++
		}
		suite.Cases = append(suite.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(junitSuites{Suite: suite}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// says puts what was measured into a sentence's part.
func (v *Verdict) says() string {
	text := string(v.Outcome)
	if is := v.Is(); is != "" {
		text += ": measured " + is
		if between := v.Interval(); between != "" {
			text += " (95 % interval " + between + ")"
		}
	}
	if v.Why != "" {
		text += ": " + v.Why
	}
	return text
}
