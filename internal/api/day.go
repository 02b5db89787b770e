package api

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"upstream"
)

// day is a date in parameters and answers: YYYY-MM-DD, null for none.
type day struct{ upstream.Day }

// Days and times outside of these years are mistakes; the first day of 1970 is no
// date at all, see upstream.Day.
const firstYear, lastYear = 1970, 2199

// UnmarshalText reads a parameter.
func (d *day) UnmarshalText(text []byte) error {
	parsed, err := upstream.ParseDay(string(text))
	if year := parsed.Time().Year(); err != nil || parsed == 0 || year < firstYear || year > lastYear {
		return errors.New("must be a date from 1970-01-02 to 2199-12-31, as 2026-03-31")
	}
	d.Day = parsed
	return nil
}

// UnmarshalJSON reads a date in a body.
func (d *day) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	return d.UnmarshalText([]byte(text))
}

// instant is a time in parameters; the zero one is none.
type instant struct{ time.Time }

// UnmarshalText reads a parameter.
func (i *instant) UnmarshalText(text []byte) error {
	parsed, err := time.Parse(time.RFC3339Nano, string(text))
	if year := parsed.Year(); err != nil || year < firstYear || year > lastYear {
		return errors.New("must be a time from 1970 to 2199 with its zone, as 2026-03-31T08:00:00Z")
	}
	i.Time = parsed
	return nil
}

// Schema is that of a time.
func (instant) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
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

// timesBetween notes the same of times.
func (e *invalids) timesBetween(after, before instant) {
	if !after.IsZero() && !before.IsZero() && before.Before(after.Time) {
		e.add("query.created_before", "must not be before created_after")
	}
}
