package ingest

import (
	"bytes"
	"io"

	"upstream"
)

// delimiters in the order of preference where the header leaves a choice.
var delimiters = [...]byte{',', ';', '\t', '|'}

const zipMagic = "PK\x03\x04"

// foreign are the beginnings of files that are no CSV, with what to say.
var foreign = []struct{ magic, advice string }{
	{zipMagic, "this is a ZIP archive, not CSV: unpack it and load the CSV file inside"},
	{"PK\x05\x06", "this is an empty ZIP archive, not CSV: export the claims as CSV"},
	{"\xD0\xCF\x11\xE0", "this is an old Excel workbook (XLS), not CSV: open it and save it as CSV (UTF-8)"},
	{"%PDF", "this is a PDF document, not CSV: export the claims as CSV"},
	{"\x1F\x8B", "this is a gzip file, not CSV: unpack it and load the CSV file inside"},
	{"{\\rtf", "this is an RTF document, not CSV: export the claims as CSV"},
	{"ISA*", "this is an X12 file, not CSV: export the claims as CSV"},
	{"<", "this is a web page or XML, not CSV: open it in a spreadsheet and save it as CSV (UTF-8)"},
	{"\xFF\xFE", "this is UTF-16 text: save it as CSV in UTF-8"},
	{"\xFE\xFF", "this is UTF-16 text: save it as CSV in UTF-8"},
}

// checkText says what a file is that is no CSV, from its first bytes.
func checkText(head []byte) error {
	text := bytes.TrimLeft(head, " \t\r\n")
	if len(text) == 0 {
		return upstream.Errorf(upstream.Invalid, "the file is empty: export the claims again, with a header row")
	}
	for _, f := range foreign {
		if !bytes.HasPrefix(text, []byte(f.magic)) {
			continue
		}
		if f.magic == zipMagic && isWorkbook(head) {
			return upstream.Errorf(upstream.Invalid, "this is an XLSX workbook, not CSV: open it and save it as CSV (UTF-8)")
		}
		return upstream.Errorf(upstream.Invalid, "%s", f.advice)
	}
	head = head[:min(len(head), 512)]
	switch nul := bytes.Count(head, []byte{0}); {
	case nul == 0:
		return nil
	case nul*3 > len(head) && bytes.IndexByte(head, 0) <= 1 && !bytes.Contains(head, []byte{0, 0}):
		return upstream.Errorf(upstream.Invalid, "this is UTF-16 text: save it as CSV in UTF-8")
	}
	if line, _, _ := bytes.Cut(head, []byte("\n")); bytes.IndexByte(line, 0) < 0 {
		return nil // a damaged row: it will be rejected in its place
	}
	return upstream.Errorf(upstream.Invalid, "this is a binary file, not CSV: export the claims as CSV")
}

// isWorkbook knows an Office Open XML spreadsheet among ZIP archives by the
// parts that stand first in it.
func isWorkbook(head []byte) bool {
	return bytes.Contains(head, []byte("[Content_Types].xml")) || bytes.Contains(head, []byte("xl/"))
}

// lineEnd returns the byte that ends rows: a carriage return only if the first
// row ends with one that no line feed follows, as old Macintosh exports do.
func lineEnd(head []byte) byte {
	quoted := false
	for i, c := range head {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\n':
			return '\n'
		case c == '\r':
			if i+1 < len(head) && head[i+1] != '\n' && head[i+1] != '\r' {
				return '\r'
			}
			return '\n'
		}
	}
	return '\n'
}

// namedDelimiter reads the line "sep=;" that spreadsheets write before the
// header, and returns what follows it.
func namedDelimiter(head []byte) (delim byte, rest []byte) {
	line, rest, found := bytes.Cut(head, []byte("\n"))
	line = trimCR(line)
	if !found || len(line) != 5 || !bytes.EqualFold(line[:4], []byte("sep=")) {
		return 0, head
	}
	if bytes.IndexByte(delimiters[:], line[4]) < 0 {
		return 0, rest
	}
	return line[4], rest
}

// begin fills the splitter, and finds out how the file is written.
func (s *splitter) begin(own map[string]field) error {
	s.fill()
	if len(s.buf) == 0 && !s.ended() {
		return nil // the read error is told by the first row
	}
	if err := checkText(s.buf); err != nil {
		return err
	}
	rest := bytes.TrimPrefix(s.buf, []byte("\xEF\xBB\xBF"))
	delim, rest := namedDelimiter(rest)
	if len(bytes.TrimSpace(rest)) == 0 && s.ended() {
		return checkText(nil)
	}
	rest = bytes.TrimLeft(rest, "\r\n")
	s.eol = lineEnd(rest)
	// The header must stand whole at the buffer's start, to be read repeatedly.
	s.offset = int64(len(s.buf) - len(rest))
	s.buf = s.buf[:copy(s.buf, rest)]
	for bytes.IndexByte(s.buf, s.eol) < 0 && s.readErr == nil {
		if !s.fill() {
			return upstream.Errorf(upstream.Invalid, "the header row is longer than 1 MiB: this is no CSV file of claims")
		}
	}
	if s.delim = delim; delim == 0 {
		s.delim = s.likeliestDelimiter(own)
	}
	return nil
}

// ended reports whether the stream is read to its end.
func (s *splitter) ended() bool { return s.readErr == io.EOF }

// likeliestDelimiter reads the header with each delimiter, and returns the one
// that shows most known columns, else most columns.
func (s *splitter) likeliestDelimiter(own map[string]field) byte {
	best, bestKnown, bestCount := delimiters[0], 0, 1
	for _, d := range delimiters {
		s.delim = d
		f, err := s.next()
		s.pos, s.doubt = 0, 0
		if err != nil || f != sound {
			continue
		}
		n := known(s.fields[:min(s.count, s.width)], own)
		if n > bestKnown || n == bestKnown && s.count > bestCount {
			best, bestKnown, bestCount = d, n, s.count
		}
	}
	return best
}
