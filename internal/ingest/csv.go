// Package ingest turns the files of a practice into claims. It reads them as
// streams in constant memory, and tells every row it can't use with its place
// and the reason, never with its content.
package ingest

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"upstream"
)

// Options are what a reader is told beside the file.
type Options struct {
	// FileHash is the hex SHA-256 of the file. The claims of a file without
	// claim numbers are named after it and their row, so that loading the file
	// twice changes nothing.
	FileHash string
	// Headers maps headers as in the file to field names, before the known
	// spellings. The fields are claim_id, line, payer, cpt, modifiers, units,
	// place_of_service, location, service_date, submitted_date, received_date,
	// decided_date, payment_date, outcome, billed, allowed, paid, carc, rarc,
	// payer_control_number and filing, and ignore for a column not to read.
	Headers map[string]string
}

// CSVReader reads claims from a delimited text file with a header row. It is
// not safe for concurrent use.
type CSVReader struct {
	rows   splitter
	layout *layout
	hash   string
	row    int64
	reject *upstream.Reject // of the row at hand

	latin   bool   // the row at hand is Windows-1252
	decoded []byte // its values as UTF-8
	joined  []byte // its modifiers, of several columns

	payers, cpts, modifiers, places, locations memo[string]
	carcs, rarcs                               memo[upstream.Codes]
	outcomes                                   memo[upstream.Outcome]
	filings                                    memo[upstream.Filing]
}

// NewCSV reads the header of a CSV file and finds out how the file is written:
// delimiter (comma, semicolon, tab or pipe), line ends, byte-order mark, and
// what each column holds. Rows in UTF-8 and Windows-1252 are both understood.
//
// A file must have columns for payer, CPT code, outcome, and submission or
// service date. Its errors say what the file is instead, or what it lacks.
func NewCSV(r io.Reader, o Options) (*CSVReader, error) {
	own, err := ownSpellings(o.Headers)
	if err != nil {
		return nil, err
	}
	c := &CSVReader{
		rows: splitter{src: r, eol: '\n'}, hash: o.FileHash,
		payers: newMemo(readPayer), cpts: newMemo(readCPT), modifiers: newMemo(readModifiers),
		places: newMemo(readPlace), locations: newMemo(readText),
		carcs: newMemo(readCodes), rarcs: newMemo(readCodes),
		outcomes: newMemo(readOutcome), filings: newMemo(readFiling),
	}
	c.rows.setWidth(maxColumns)
	if err := c.rows.begin(own); err != nil {
		return nil, err
	}
	header, err := c.header()
	if err != nil {
		return nil, err
	}
	if c.layout, err = recognise(header, own); err != nil {
		return nil, err
	}
	if !c.layout.has(claimID) && c.hash == "" {
		return nil, upstream.Errorf(upstream.Invalid,
			"the file has no column for claim_id, and no file hash was given to number its claims by; map a column to claim_id")
	}
	c.rows.setWidth(len(header))
	return c, nil
}

// header reads the header row, without the nameless columns at its end.
func (r *CSVReader) header() ([][]byte, error) {
	f, err := r.rows.next()
	switch {
	case err == io.EOF: // nothing but empty lines
		return nil, checkText(nil)
	case err != nil:
		return nil, r.readError(err)
	case f == tooLong:
		return nil, upstream.Errorf(upstream.Invalid, "the header row is longer than 1 MiB: this is no CSV file of claims")
	case f == misquoted:
		return nil, upstream.Errorf(upstream.Invalid, "a quote in the header row opens and does not close: correct the header")
	case r.rows.count > maxColumns:
		return nil, upstream.Errorf(upstream.Invalid, "the header row has more than %d columns: export only those of the claims", maxColumns)
	}
	header := r.rows.fields[:r.rows.count]
	for n := len(header); n > 0 && len(trim(header[n-1])) == 0; n-- {
		header = header[:n-1]
	}
	return header, nil
}

// Columns returns the columns of the file in its order, and what they are read as.
func (r *CSVReader) Columns() []Column {
	return append([]Column(nil), r.layout.columns...)
}

// Next reads the next row. It overwrites c with its claim, or returns why the
// row can't be used; c is undefined then. The error is io.EOF after the last
// row, or tells that the file could not be read to its end.
//
// Rows are counted from 1 behind the header. Empty rows, of nothing but
// delimiters too, are skipped and not counted. A missing submission date is
// that of the service, a missing decision date that of the payment. The outcome
// is settled by upstream.Settle; the row's decision is taken for the first one,
// upstream.Merge knows better when it has seen an earlier.
func (r *CSVReader) Next(c *upstream.Claim) (*upstream.Reject, error) {
	for {
		f, err := r.rows.next()
		if err != nil {
			return nil, r.readError(err)
		}
		r.row++
		r.reject = nil
		if r.usable(f) {
			r.claim(c)
		}
		if r.reject == nil {
			return nil, nil
		}
		if f == sound && r.blank() {
			r.row--
			continue
		}
		return r.reject, nil
	}
}

func (r *CSVReader) readError(err error) error {
	if err == io.EOF {
		return io.EOF
	}
	return upstream.Errorf(upstream.Unavailable, "the file could not be read after row %d; load it again: %w", r.row, err)
}

// usable checks the row as a whole, and prepares the reading of its fields.
func (r *CSVReader) usable(f fault) bool {
	s := &r.rows
	switch {
	case f == tooLong:
		r.fail("", classTooLong, "row longer than 1 MiB")
	case f == misquoted:
		column := ""
		if s.count < s.width {
			column = r.layout.columns[s.count].Header
		}
		reason := "a quote opens here and does not close; the lines after it are read as rows"
		if s.cut {
			reason = "a quote opens here and the file ends before it closes"
		}
		r.fail(column, classQuote, reason)
	case bytes.IndexByte(s.raw, 0) >= 0:
		r.fail(r.nulColumn(), classNUL, "it holds a NUL byte: the file is damaged, export it again")
	case s.count < s.width || s.surplus:
		reason := fmt.Sprintf("%d fields where the header has %d", s.count, s.width)
		if s.cut && s.count < s.width {
			reason += ": the file ends in the middle of this row"
		}
		r.fail("", classCount, reason)
		s.retry()
	}
	r.latin = !utf8.Valid(s.raw)
	r.decoded = r.decoded[:0]
	return r.reject == nil
}

func (r *CSVReader) nulColumn() string {
	for i, field := range r.rows.fields[:min(r.rows.count, r.rows.width)] {
		if bytes.IndexByte(field, 0) >= 0 {
			return r.layout.columns[i].Header
		}
	}
	return ""
}

// blank reports whether nothing stands in the row.
func (r *CSVReader) blank() bool {
	for _, field := range r.rows.fields[:min(r.rows.count, r.rows.width)] {
		if len(trim(field)) > 0 {
			return false
		}
	}
	return !r.rows.surplus
}

// fail rejects the row at hand; the first reason stays.
func (r *CSVReader) fail(column, class, reason string) {
	if r.reject == nil {
		r.reject = &upstream.Reject{Row: r.row, Column: column, ValueClass: class, Reason: reason}
	}
}
