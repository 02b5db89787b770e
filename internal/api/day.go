package api

import (
	"github.com/danielgtaylor/huma/v2"
	"upstream"
)

// day is a date in parameters and answers: YYYY-MM-DD, null for none.
type day struct{ upstream.Day }

// UnmarshalText reads a parameter.
func (d *day) UnmarshalText(text []byte) (err error) {
	d.Day, err = upstream.ParseDay(string(text))
	return err
}

// Schema is that of a date, also where an answer holds an upstream.Day.
func (day) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date", Nullable: true}
}

// between notes that a range ends before it begins.
func (e *invalids) between(from string, first day, to string, last day) {
	if first.Day != 0 && last.Day != 0 && last.Day < first.Day {
		e.add("query."+to, "must not be before "+from)
	}
}
