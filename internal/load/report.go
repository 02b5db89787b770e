package load

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
)

// Bounds of a report, so that one of a long run with many faults is a file of less than
// 200 kB still.
const (
	reportRows   = 600
	reportBytes  = 56 << 10 // of rows
	reportFaults = 20
	reportTrace  = 1000 // bytes of a traceback
)

// WriteReport writes a run as one HTML file that needs nothing beside it: tables, and
// charts where the file is opened with script.
func WriteReport(w io.Writer, s *Snapshot, rows []Row, verdicts []Verdict) error {
	own := *s
	own.SteadyFrom, own.SteadyTo = s.SteadyFrom.UTC(), s.SteadyTo.UTC() // whoever opens it, wherever
	own.Failures = own.Failures[:min(len(own.Failures), reportFaults)]
	own.Exceptions = nil
	for _, e := range s.Exceptions[:min(len(s.Exceptions), reportFaults)] {
		e.Traceback = e.Traceback[:min(len(e.Traceback), reportTrace)]
		own.Exceptions = append(own.Exceptions, e)
	}
	v := newView(&own, rows, verdicts)
	style, script := assetText(styleFile)+assetText(chartsFile), assetText(bundleFile)
	v.Open = script == ""
	return templates.ExecuteTemplate(w, "report.html", struct {
		*view
		Policy string
		Style  template.CSS
		Script template.JS
		Data   event
	}{
		v,
		fmt.Sprintf("default-src 'none'; img-src data:; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", hash(style), hash(script)),
		template.CSS(style), template.JS(script),
		event{Rows: fitting(rows, reportRows, reportBytes), State: s.State},
	})
}

// fitting joins rows so that they are at most some, and take little more than so many
// bytes.
func fitting(rows []Row, most, bytes int) []json.RawMessage {
	all, size := encodeRows(downsample(rows, most)), 0
	for _, r := range all {
		size += len(r)
	}
	if size > bytes {
		return encodeRows(downsample(rows, len(all)*bytes/size))
	}
	return all
}

// hash names a script or a style that a policy allows.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
