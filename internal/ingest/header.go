package ingest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"upstream"
)

// Column is a column of the file and what it was read as.
type Column struct {
	Header string `json:"header"` // as the file names it, shortened to 80 characters
	Field  string `json:"field"`  // of a claim, as in Options.Headers; "" when the column is not read
}

const (
	maxColumns    = 1000
	maxListed     = 20 // headers in an error message
	maxHeaderName = 80 // characters kept of a header
)

// layout says which column holds which field.
type layout struct {
	columns   []Column
	of        [numFields]int // column of a field, -1 if the file has none
	modifiers []int          // one column, or several to be joined
}

func (l *layout) has(f field) bool { return l.of[f] >= 0 }

// recognise maps the headers of a file to fields: by the customer's mapping
// first, else by the known spellings. Two columns that mean one field equally
// well are an error and not a guess: which of two amounts is the right one
// nobody can tell from the header. Modifiers alone may stand in several columns.
func recognise(row [][]byte, own map[string]field) (*layout, error) {
	l := &layout{columns: make([]Column, len(row))}
	meaning := make([]spelling, len(row))
	var best [numFields]int
	for f := range numFields {
		l.of[f], best[f] = -1, 1<<30
	}
	for i, raw := range row {
		name := headerText(raw)
		l.columns[i].Header = columnName(name, i)
		meaning[i] = meaningOf(name, own)
		if f := meaning[i].field; f < numFields {
			best[f] = min(best[f], meaning[i].tier)
		}
	}
	for i, m := range meaning {
		if m.field >= numFields || m.tier > best[m.field] {
			continue
		}
		if m.field == modifiers {
			l.modifiers = append(l.modifiers, i)
		} else if l.has(m.field) {
			return nil, upstream.Errorf(upstream.Invalid,
				"the columns %q and %q both mean %s; map the one not to read to %q", l.columns[l.of[m.field]].Header,
				l.columns[i].Header, m.field, ignoreName)
		}
		if !l.has(m.field) {
			l.of[m.field] = i
		}
		l.columns[i].Field = m.field.String()
	}
	return l, l.complete(row)
}

// ownSpellings reads the customer's mapping, keyed by headerText.
func ownSpellings(mapping map[string]string) (map[string]field, error) {
	own := make(map[string]field, len(mapping))
	for _, header := range slices.Sorted(maps.Keys(mapping)) {
		f, err := fieldNamed(mapping[header])
		if err != nil {
			return nil, err
		}
		own[headerText([]byte(header))] = f
	}
	return own, nil
}

func meaningOf(header string, own map[string]field) spelling {
	if f, ok := own[header]; ok {
		return spelling{f, 0}
	}
	if s, ok := spellings[headerKey(header)]; ok {
		return s
	}
	return spelling{ignored, 0}
}

// known counts the headers that mean a field.
func known(row [][]byte, own map[string]field) int {
	n := 0
	for _, raw := range row {
		if meaningOf(headerText(raw), own).field < numFields {
			n++
		}
	}
	return n
}

// complete checks that nothing a claim can't be without is missing.
func (l *layout) complete(row [][]byte) error {
	var missing []string
	for _, f := range []field{payer, cpt, outcome} {
		if !l.has(f) {
			missing = append(missing, f.String())
		}
	}
	if !l.has(submittedDate) && !l.has(serviceDate) {
		missing = append(missing, "submitted_date or service_date")
	}
	if missing == nil {
		return nil
	}
	// What is no header row may be a claim, which no message may show.
	if len(row) == 0 || slices.ContainsFunc(row, looksLikeData) {
		return upstream.Errorf(upstream.Invalid,
			"the file has no header row: its first row must name the columns, with at least payer, cpt, outcome and submitted_date or service_date")
	}
	return upstream.Errorf(upstream.Invalid, "no column is known to hold %s; the columns are %s. Rename a column or map it",
		strings.Join(missing, ", "), l.listed())
}

// listed writes the headers for an error message.
func (l *layout) listed() string {
	var b strings.Builder
	for i, c := range l.columns {
		if i == maxListed {
			fmt.Fprintf(&b, " and %d more", len(l.columns)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", c.Header)
	}
	return b.String()
}

// looksLikeData tells a value from a column's name.
func looksLikeData(b []byte) bool {
	b = bytes.TrimSpace(b)
	digits := 0
	for _, c := range b {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	class := valueClass(b)
	return digits >= 4 || class == classNumber || class == classDate || class == classFormula
}

// headerText is a header as UTF-8, in one line and without space around it.
func headerText(raw []byte) string {
	if !utf8.Valid(raw) {
		raw = appendWindows1252(nil, raw)
	}
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, string(raw))
	return strings.Join(strings.Fields(text), " ")
}

// columnName is what messages call a column.
func columnName(header string, i int) string {
	if header == "" {
		return fmt.Sprintf("column %d", i+1)
	}
	return shorten(header)
}

// shorten keeps the first maxHeaderName characters.
func shorten(s string) string {
	n := 0
	for i := range s {
		if n == maxHeaderName {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
