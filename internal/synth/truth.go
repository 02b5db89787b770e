package synth

import (
	"bytes"
	"encoding/json"
	"io"

	"upstream"
)

// ReadDrifts reads changes to plant, one JSON object a line (NDJSON), as
// WriteTruth writes them. Empty lines are skipped. Its error has code Invalid
// and names every bad line, up to twenty.
func ReadDrifts(r io.Reader) ([]Drift, error) {
	return ReadLines(r, "drift", "these drifts", parseDrift)
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
