package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"upstream"
)

const wideHeader = "Claim #,Line,Payer Name,CPT Code,Mod 1,Mod 2,Units,POS,Facility,DOS,Submit Date,Received Date,Remit Date,Check Date,Status,Charge Amount,Allowed Amount,Paid Amount,Denial Code,Remark Code\n"

// appendWide appends row i of a file with 20 columns: 11 spellings of payers,
// 40 codes, a year of dates, a tenth pending and a twelfth denied.
func appendWide(b []byte, i int) []byte {
	payers := [...]string{
		"MEDICARE PART B", "UHC", "AETNA", "United Healthcare", "BCBS", "UNITED HEALTH CARE",
		"Medicare", "Aetna", "Blue Cross Blue Shield", "Aetna US Healthcare", "BLUE CROSS",
	}
	day := upstream.MakeDay(2025, 1, 1) + upstream.Day(i*7%365)
	status, decided, checked, allowed, code, remark := "Paid", (day + 17).String(), (day + 19).String(), 12375+i%1000, "", ""
	switch {
	case i%10 == 3:
		status, decided, checked, allowed = "Pending", "", "", 0
	case i%12 == 5:
		status, allowed, code, remark = "Denied", 0, "CO-197", "N130"
	}
	modifier := [...]string{"", "25", "59", "LT"}[i/3%4]
	return fmt.Appendf(b, "A%09d,%d,%s,%d,%s,,1,11,Clinic %d,%s,%s,%s,%s,%s,%s,%d.50,%d.%02d,%d.00,%s,%s\n",
		i, 1+i%3, payers[i%11], 99201+i*13%40, modifier, i%9, day, day+3, day+5, decided, checked, status,
		200+i%300, allowed/100, allowed%100, allowed/125, code, remark)
}

// endless generates a file of at least size bytes without holding it, and calls
// sample every sampleEvery bytes. It makes no garbage of its own.
type endless struct {
	buf, rest []byte
	row       int
	left      int64
	next      func(b []byte, row int) []byte

	sample func()
	due    int
}

const sampleEvery = 4 << 20

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		if e.left <= 0 {
			return 0, io.EOF
		}
		e.buf = e.next(e.buf[:0], e.row)
		e.rest = e.buf
		e.row++
		e.left -= int64(len(e.rest))
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	if e.due += n; e.due >= sampleEvery {
		e.due = 0
		e.sample()
	}
	return n, nil
}

// memory is what reading a stream takes.
type memory struct {
	live  uint64 // bytes held at most, also in the midst of a row
	total uint64 // bytes allocated in all, garbage included
}

// readAll reads a stream to its end. Memory held is what a collection leaves:
// the heap between collections tells how busy the machine is, for the collector
// runs beside the reader and may lag behind it.
func readAll(t *testing.T, source *endless) (used memory, claims, rejects int) {
	t.Helper()
	var before, m runtime.MemStats
	measure := func(m *runtime.MemStats) {
		runtime.GC()
		runtime.ReadMemStats(m)
	}
	measure(&before)
	source.sample = func() {
		measure(&m)
		used.live = max(used.live, m.HeapAlloc-min(m.HeapAlloc, before.HeapAlloc))
	}
	c, err := NewCSV(io.MultiReader(strings.NewReader(wideHeader), source), Options{FileHash: testHash})
	if err != nil {
		t.Fatal(err)
	}
	var claim upstream.Claim
	for {
		reject, err := c.Next(&claim)
		switch {
		case err == io.EOF:
			source.sample()
			runtime.KeepAlive(c)
			used.total = m.TotalAlloc - before.TotalAlloc
			return used, claims, rejects
		case err != nil:
			t.Fatal(err)
		case reject != nil:
			rejects++
		default:
			claims++
		}
	}
}

func TestMemoryStaysConstant(t *testing.T) {
	longText := strings.Repeat("x,", 2048)
	const limit = 4 << 20
	tests := []struct {
		name string
		size int64
		next func(b []byte, row int) []byte
		want func(claims, rejects int) bool
	}{
		{
			"200 MB of claims", 200 << 20, appendWide,
			func(claims, rejects int) bool { return claims > 1e6 && rejects == 0 },
		},
		{
			"a line of 100 MB", 100 << 20, func(b []byte, row int) []byte { return append(b, longText...) },
			func(claims, rejects int) bool { return claims == 0 && rejects == 1 },
		},
		{"an open quote before 100 MB of claims", 100 << 20, func(b []byte, row int) []byte {
			if row == 0 {
				b = append(b, `A,1,"`...)
			}
			return appendWide(b, row)
		}, func(claims, rejects int) bool { return claims > 5e5 && rejects == 1 }},
		{
			"an open quote in every line", 20 << 20, func(b []byte, row int) []byte { return append(b, "\"a\n"...) },
			func(claims, rejects int) bool { return claims == 0 && rejects > 1e6 },
		},
		{"names that never repeat", 50 << 20, func(b []byte, row int) []byte {
			name := fmt.Sprintf("%0190d", row)
			return fmt.Appendf(b, "%d,1,%s,99213,,,,11,%s,2025-01-01,2025-01-02,,2025-01-09,,Paid,1,1,1,,\n", row, name, name)
		}, func(claims, rejects int) bool { return claims > 1e5 && rejects == 0 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			began := time.Now()
			used, claims, rejects := readAll(t, &endless{left: test.size, next: test.next})
			t.Logf("%d claims, %d rejects, %.1f MB held, %.1f MB allocated, %v", claims, rejects, float64(used.live)/(1<<20), float64(used.total)/(1<<20), time.Since(began))
			if used.live > limit {
				t.Errorf("%d bytes held at a time, more than %d", used.live, limit)
			}
			if rejects == 1 && claims == 0 && used.total > limit { // a row that is passed over is not allocated either
				t.Errorf("%d bytes allocated for one row, more than %d", used.total, limit)
			}
			if !test.want(claims, rejects) {
				t.Errorf("%d claims, %d rejects", claims, rejects)
			}
		})
	}
}

func TestResultDoesNotDependOnHowTheReaderCuts(t *testing.T) {
	var big bytes.Buffer
	big.WriteString(wideHeader)
	for i := range 1500 { // several buffers
		row := appendWide(nil, i)
		if i%97 == 0 {
			row = bytes.Replace(row, []byte("Clinic"), []byte(`"Clinic`), 1)
		}
		big.Write(row)
	}
	for name, data := range map[string][]byte{
		"stray quotes": big.Bytes(), "messy.csv": sample(t, "messy.csv"), "messy-1252.csv": sample(t, "messy-1252.csv"),
	} {
		t.Run(name, func(t *testing.T) {
			claims, rejects := load(t, bytes.NewReader(data), Options{})
			for way, wrap := range map[string]func(io.Reader) io.Reader{
				"bytes": iotest.OneByteReader, "halves": iotest.HalfReader, "error with data": iotest.DataErrReader,
			} {
				gotClaims, gotRejects := load(t, wrap(bytes.NewReader(data)), Options{})
				if fmt.Sprint(claims, rejects) != fmt.Sprint(gotClaims, gotRejects) {
					t.Errorf("read by %s, the rows differ", way)
				}
			}
		})
	}
}

func TestReadErrorIsToldAfterTheRowsBeforeIt(t *testing.T) {
	broken := errors.New("connection lost")
	text := "claim id,payer,cpt,dos,status\nA1,Aetna,99213,2026-01-02,open\nA2,Aetna,\"99213"
	claims, rejects, err := drain(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), Options{})
	if len(claims) != 1 || len(rejects) != 0 {
		t.Errorf("%d claims and %d rejects before the error, want 1 and 0", len(claims), len(rejects))
	}
	if !errors.Is(err, broken) || upstream.ErrorCode(err) != upstream.Unavailable || !strings.Contains(err.Error(), "after row 1") {
		t.Errorf("the error is %v", err)
	}
	text += "\nA3,Aetna"
	if claims, rejects, err := drain(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), Options{}); len(claims) != 1 || len(rejects) != 0 || !errors.Is(err, broken) {
		t.Errorf("an error behind an open quote: %d claims, rejects %+v, %v", len(claims), rejects, err)
	}
	if _, err := NewCSV(iotest.ErrReader(broken), Options{}); !errors.Is(err, broken) {
		t.Errorf("the error in the header is %v", err)
	}
	stuck := readerFunc(func([]byte) (int, error) { return 0, nil })
	if _, err := NewCSV(stuck, Options{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that gives nothing ends in %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func benchmark(b *testing.B, data []byte) {
	b.Helper()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	rows := 0
	for b.Loop() {
		c, err := NewCSV(bytes.NewReader(data), Options{FileHash: testHash})
		if err != nil {
			b.Fatal(err)
		}
		var claim upstream.Claim
		for {
			reject, err := c.Next(&claim)
			if err == io.EOF {
				break
			}
			if reject != nil || err != nil {
				b.Fatal(reject, err)
			}
			rows++
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(rows)/float64(b.N), "rows/op")
}

func BenchmarkCSV(b *testing.B) {
	data := []byte(wideHeader)
	for i := range 100000 {
		data = appendWide(data, i)
	}
	b.Run("20 columns", func(b *testing.B) { benchmark(b, data) })
	var quoted bytes.Buffer
	for line := range bytes.Lines(data) {
		quoted.WriteByte('"')
		quoted.Write(bytes.ReplaceAll(bytes.TrimSpace(line), []byte(","), []byte(`","`)))
		quoted.WriteString("\"\n")
	}
	b.Run("20 quoted columns", func(b *testing.B) { benchmark(b, quoted.Bytes()) })
	b.Run("pm-export", func(b *testing.B) { benchmark(b, sample(b, "pm-export.csv")) })
}
