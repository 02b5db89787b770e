package synth

import (
	"io"
	"strconv"
	"strings"

	"upstream"
)

// csvHeader names the columns by the words of this program, which every mapping
// of its reader knows.
const csvHeader = "claim_id,line,payer,cpt,modifiers,units,place_of_service,location," +
	"service_date,submitted_date,received_date,decided_date,payment_date,outcome," +
	"billed,allowed,paid,carc,rarc,payer_control_number\r\n"

// flushAt is how much a writer gathers before it writes.
const flushAt = 64 << 10

// CSVWriter writes claims as a practice-management export (RFC 4180): dates
// YYYY-MM-DD, amounts in dollars, undecided columns empty.
type CSVWriter struct {
	w    io.Writer
	buf  []byte
	days dayCache
	err  error
}

// NewCSVWriter returns a writer; the header goes first. Close must be called.
func NewCSVWriter(w io.Writer) *CSVWriter {
	c := &CSVWriter{w: w, buf: make([]byte, 0, flushAt+4096)}
	c.buf = append(c.buf, csvHeader...)
	return c
}

// Write appends one state of a claim, a row. A reversed line has no amounts, its
// charge apart. An error of the underlying writer stays.
func (w *CSVWriter) Write(c *upstream.Claim) error {
	if w.err != nil {
		return w.err
	}
	b := w.buf
	b = append(appendField(b, c.ClaimID), ',')
	b = append(strconv.AppendInt(b, int64(c.Line), 10), ',')
	b = append(appendField(b, c.Payer), ',')
	b = append(appendField(b, c.CPT), ',')
	b = append(appendField(b, c.Modifiers), ',')
	b = append(strconv.AppendInt(b, int64(c.Units), 10), ',')
	b = append(appendField(b, c.PlaceOfService), ',')
	b = append(appendField(b, c.Location), ',')
	for _, d := range [...]upstream.Day{c.ServiceDate, c.SubmittedDate, c.ReceivedDate, c.DecidedDate, c.PaymentDate} {
		b = append(w.days.append(b, d), ',')
	}
	b = append(append(b, c.Outcome.String()...), ',')
	b = append(c.Billed.AppendPlain(b), ',')
	if c.Outcome != upstream.Pending {
		b = c.Allowed.AppendPlain(b)
	}
	b = append(b, ',')
	if c.Outcome != upstream.Pending {
		b = c.Paid.AppendPlain(b)
	}
	b = append(b, ',')
	b = append(appendField(b, string(c.CARC)), ',')
	b = append(appendField(b, string(c.RARC)), ',')
	b = append(appendField(b, c.PayerControlNumber), '\r', '\n')
	w.buf = b
	if len(b) >= flushAt {
		w.flush()
	}
	return w.err
}

func (w *CSVWriter) flush() {
	if w.err == nil {
		w.err = writeAll(w.w, w.buf)
	}
	w.buf = w.buf[:0]
}

// Close writes what is left. It does not close the underlying writer.
func (w *CSVWriter) Close() error {
	w.flush()
	return w.err
}

func writeAll(w io.Writer, b []byte) error {
	if _, err := w.Write(b); err != nil {
		return upstream.Errorf(upstream.Unavailable, "can't write the claims: %w", err)
	}
	return nil
}

func appendField(b []byte, s string) []byte {
	if !strings.ContainsAny(s, ",\"\r\n") {
		return append(b, s...)
	}
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			b = append(b, '"')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// dayCache remembers how days are written: a file has millions of dates and few
// hundred days.
type dayCache struct {
	day  [1024]upstream.Day
	text [1024][10]byte
}

// append appends YYYY-MM-DD, or nothing for no date.
func (c *dayCache) append(b []byte, d upstream.Day) []byte {
	if d == 0 {
		return b
	}
	k := uint32(d) % uint32(len(c.day))
	if c.day[k] != d {
		copy(c.text[k][:], d.String())
		c.day[k] = d
	}
	return append(b, c.text[k][:]...)
}
