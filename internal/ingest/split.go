package ingest

import (
	"bytes"
	"io"
)

const (
	maxRow    = 1 << 20 // bytes of one row without its line end
	maxBuffer = maxRow + 2
	firstRead = 64 << 10

	// doubtLines bounds a quoted field where an earlier quote turned out never
	// to close. Every line is then scanned at most that often, so that a file
	// full of stray quotes costs a constant factor and not its length squared.
	doubtLines = 8
)

// fault tells why a row could not be split into fields.
type fault uint8

const (
	sound     fault = iota
	tooLong         // longer than maxRow
	misquoted       // a quote opens in field number count and does not close
)

// splitter cuts a stream into rows and fields by RFC 4180, in constant memory:
// one buffer of at most maxBuffer bytes. It is lenient where the RFC is silent
// and the meaning plain: a quote inside an unquoted field, or one that stands
// alone inside a quoted field of one line, is a character like any other.
//
// A row that can't be split never takes its neighbours with it: reading resumes
// at the line after the row's first.
type splitter struct {
	src        io.Reader
	delim, eol byte
	width      int // fields kept of a row; the others are counted

	buf     []byte // buf[pos:] is read and not yet consumed
	pos     int
	offset  int64 // of buf[0] in the stream
	readErr error // io.EOF, or what else ended the stream
	doubt   int64 // rows that start before this offset span at most doubtLines

	// The row that next returned last, valid until it is called again.
	fields  [][]byte // width of them, count are set
	count   int
	surplus bool   // a field beyond width is not empty
	raw     []byte // the whole row without its line end
	cut     bool   // the stream ended before the row's line did
	second  int    // where in buf its second line starts; 0 for one line
	scratch []byte // fields whose doubled quotes are resolved
}

// setWidth says how many fields of a row are wanted.
func (s *splitter) setWidth(n int) {
	s.width, s.fields = n, make([][]byte, n)
}

// next splits the next row that is not an empty line. Its error is io.EOF or
// the reader's; the rows before it have all been returned then.
func (s *splitter) next() (fault, error) {
	for {
		data := s.buf[s.pos:]
		nl := bytes.IndexByte(data, s.eol)
		switch {
		case nl >= 0 && bytes.IndexByte(data[:nl], '"') < 0:
			s.pos += nl + 1
			if line := trimCR(data[:nl]); len(line) > 0 {
				return s.plain(line), nil
			}
		case nl >= 0 || s.readErr == io.EOF && len(data) > 0:
			if f, done := s.quotedRow(data, nl); done && (f != sound || len(s.raw) > 0) {
				return f, nil
			}
		case s.readErr != nil:
			return sound, s.readErr
		case !s.fill():
			s.skipLine()
			return tooLong, nil
		}
	}
}

// plain splits a line without quotes, as nearly all are.
func (s *splitter) plain(line []byte) fault {
	s.raw, s.second, s.cut, s.surplus = line, 0, false, false
	if len(line) > maxRow {
		return tooLong
	}
	fields, delim, n, start := s.fields, s.delim, 0, 0
	for i, b := range line {
		if b != delim {
			continue
		}
		if n < len(fields) {
			fields[n] = line[start:i]
		} else if i > start {
			s.surplus = true
		}
		n, start = n+1, i+1
	}
	s.count = n
	s.keep(line[start:])
	return sound
}

// keep appends a field to the row.
func (s *splitter) keep(field []byte) {
	if s.count < s.width {
		s.fields[s.count] = field
	} else if len(field) > 0 {
		s.surplus = true
	}
	s.count++
}

// quotedRow splits a row with quotes, or the unterminated last one. nl is the
// end of its first line, -1 if the stream ends before. It reports false when it
// needed more data and got it.
func (s *splitter) quotedRow(data []byte, nl int) (fault, bool) {
	final, bounded := s.readErr == io.EOF, false
	if s.offset+int64(s.pos) < s.doubt {
		data, bounded = firstLines(data, s.eol, doubtLines)
		final = final && !bounded
	}
	size, state := s.quoted(data, final)
	if (state == short || state == open) && !final && !bounded {
		if s.readErr == nil && s.fill() {
			return sound, false
		}
		if s.readErr != nil && s.readErr != io.EOF {
			s.pos = len(s.buf) // next returns the error: the row is not whole
			return sound, false
		}
	}
	first := s.pos + nl + 1
	if nl < 0 {
		first = len(s.buf)
	}
	if state == complete && len(s.raw) <= maxRow {
		s.second = 0
		if nl >= 0 && nl+1 < size {
			s.second = first
		}
		s.pos += size
		return sound, true
	}
	s.doubt = max(s.doubt, s.offset+int64(s.pos+size))
	s.pos, s.second, s.cut = first, 0, final && state == open
	if state == open || state == broken || bounded {
		return misquoted, true
	}
	return tooLong, true
}

// retry gives the later lines of a row of several lines another reading, as
// rows of their own: a row with the wrong number of fields is most likely one
// with a stray quote that swallowed its successors.
func (s *splitter) retry() {
	if s.second == 0 {
		return
	}
	s.doubt = max(s.doubt, s.offset+int64(s.pos))
	s.pos, s.second = s.second, 0
}

// scan is how far the scanner of quoted rows came.
type scan uint8

const (
	complete scan = iota
	short         // the data ends in the row, outside quotes
	open          // the data ends in the row, inside quotes
	broken        // the quotes can't be meant as they stand
)

// quoted splits the row at the start of data and returns its length with its
// line end, or how much it looked at. final says that no data follow.
func (s *splitter) quoted(data []byte, final bool) (int, scan) {
	s.count, s.surplus, s.scratch = 0, false, s.scratch[:0]
	for i := 0; ; i++ {
		var field []byte
		if i < len(data) && data[i] == '"' {
			var state scan
			if field, i, state = s.quotedField(data, i+1, final); state != complete {
				return i, state
			}
		} else {
			start := i
			for i < len(data) && data[i] != s.delim && data[i] != s.eol {
				i++
			}
			if i == len(data) && !final {
				return i, short
			}
			if field = data[start:i]; i == len(data) || data[i] == s.eol {
				field = trimCR(field)
			}
		}
		s.keep(field)
		if i == len(data) || data[i] != s.delim {
			s.raw, s.cut = trimCR(data[:i]), i == len(data)
			return min(i+1, len(data)), complete
		}
	}
}

// quotedField reads a field from behind its opening quote. It returns the text
// and where the delimiter, line end or end of data after it stands.
//
// A quote that is neither doubled nor at the field's end is taken as it is, but
// not in a field that also spans lines: that one was most likely opened by a
// stray quote, and the quote at hand is the next field's own.
func (s *splitter) quotedField(data []byte, from int, final bool) ([]byte, int, scan) {
	doubled, alone, lines := false, false, false
	for i := from; ; {
		quote := bytes.IndexByte(data[i:], '"')
		text := data[i:]
		if quote >= 0 {
			text = text[:quote]
		}
		lines = lines || bytes.IndexByte(text, s.eol) >= 0
		i += len(text)
		if lines && alone {
			return nil, i, broken
		}
		if quote < 0 {
			return nil, i, open
		}
		end := i + 1
		for s.eol == '\n' && end < len(data) && data[end] == '\r' {
			end++
		}
		switch {
		case end == len(data) && !final:
			return nil, end, open
		case end == len(data), data[end] == s.eol, end == i+1 && data[end] == s.delim:
			return s.resolve(data[from:i], doubled), end, complete
		case data[i+1] == '"':
			doubled = true
			i += 2
		default:
			alone = true
			i++
		}
	}
}

// resolve turns the doubled quotes of a field into single ones, beside the
// buffer: the row may have to be read a second time.
func (s *splitter) resolve(text []byte, doubled bool) []byte {
	if !doubled {
		return text
	}
	start := len(s.scratch)
	for {
		i := bytes.Index(text, []byte(`""`))
		if i < 0 {
			s.scratch = append(s.scratch, text...)
			return s.scratch[start:]
		}
		s.scratch = append(s.scratch, text[:i+1]...)
		text = text[i+2:]
	}
}

// fill drops what is consumed and reads until the buffer is full, growing it
// when the row at hand takes all of it. Reading full buffers makes the result
// independent of how the reader cuts its data. It reports false when the row
// is longer than a row may be.
func (s *splitter) fill() bool {
	if s.pos > 0 {
		n := copy(s.buf, s.buf[s.pos:])
		s.offset += int64(s.pos)
		s.buf, s.pos = s.buf[:n], 0
	}
	if len(s.buf) == cap(s.buf) {
		if cap(s.buf) >= maxBuffer {
			return false
		}
		bigger := make([]byte, len(s.buf), min(max(2*cap(s.buf), firstRead), maxBuffer))
		copy(bigger, s.buf)
		s.buf = bigger
	}
	for idle := 0; len(s.buf) < cap(s.buf) && s.readErr == nil; {
		n, err := s.src.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf, s.readErr = s.buf[:len(s.buf)+n], err
		if idle++; n > 0 {
			idle = 0
		} else if idle > 100 && err == nil {
			s.readErr = io.ErrNoProgress
		}
	}
	return true
}

// skipLine consumes the rest of a line of any length.
func (s *splitter) skipLine() {
	for {
		if nl := bytes.IndexByte(s.buf[s.pos:], s.eol); nl >= 0 {
			s.pos += nl + 1
			return
		}
		s.pos = len(s.buf)
		if s.readErr != nil {
			return
		}
		s.fill()
	}
}

// trimCR drops the carriage returns in front of a line feed.
func trimCR(line []byte) []byte {
	for len(line) > 0 && line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	return line
}

// firstLines returns the first n lines of data and whether that leaves any out.
func firstLines(data []byte, eol byte, n int) ([]byte, bool) {
	end := 0
	for range n {
		i := bytes.IndexByte(data[end:], eol)
		if i < 0 {
			return data, false
		}
		end += i + 1
	}
	return data[:end], end < len(data)
}
