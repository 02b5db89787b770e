package synth

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"upstream"
)

// maxDriftLine bounds one line of a drift file.
const maxDriftLine = 64 << 10

// ReadDrifts reads changes to plant, one JSON object a line (NDJSON), as
// WriteTruth writes them. Empty lines are skipped. Its error has code Invalid
// and names every bad line, up to twenty.
func ReadDrifts(r io.Reader) ([]Drift, error) {
	var drifts []Drift
	var problems []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxDriftLine)
	number := 0
	for lines.Scan() {
		number++
		text := bytes.TrimSpace(lines.Bytes())
		if number == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		if len(text) == 0 {
			continue
		}
		d, p := parseDrift(text)
		drifts = append(drifts, d)
		for _, what := range p {
			problems = append(problems, fmt.Sprintf("line %d: %s", number, what))
		}
		if len(problems) >= 20 {
			problems = append(problems[:20], "and perhaps more")
			break
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		problems = append(problems, fmt.Sprintf("line %d: longer than %d bytes; write one drift a line", number+1, maxDriftLine))
	case err != nil:
		return nil, upstream.Errorf(upstream.Unavailable, "can't read the drifts: %w", err)
	}
	if len(problems) > 0 {
		return nil, upstream.Errorf(upstream.Invalid, "can't use these drifts: %s", strings.Join(problems, "; "))
	}
	return drifts, nil
}

func parseDrift(text []byte) (Drift, []string) {
	var d Drift
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return d, []string{"not a JSON object with the fields of a drift: " + err.Error()}
	}
	if _, err := dec.Token(); err != io.EOF {
		return d, []string{"more than one JSON object; write one a line"}
	}
	return d, d.problems()
}

// WriteTruth writes what was planted, one JSON object a line.
func WriteTruth(w io.Writer, drifts []Drift) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, d := range drifts {
		if err := enc.Encode(d); err != nil {
			return upstream.Errorf(upstream.Unavailable, "can't write the planted drifts: %w", err)
		}
	}
	return nil
}
