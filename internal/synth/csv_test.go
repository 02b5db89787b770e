package synth

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upstream"
)

func TestCSVReadsBackToTheSameClaims(t *testing.T) {
	o := yearOf(3000)
	o.Drifts = Planted(yearOf(1_000_000))
	g := generator(t, o)
	var file bytes.Buffer
	w := NewCSVWriter(&file)
	var want []upstream.Claim
	for _, c := range states(g) {
		if err := w.Write(c); err != nil {
			t.Fatal(err)
		}
		want = append(want, asTold(*c))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(want)+1 || len(want) <= 3000 {
		t.Fatalf("%d rows, want a header and %d states of 3000 claims", len(rows), len(want))
	}
	for i, row := range rows[1:] {
		if diff := cmp.Diff(want[i], asTold(claimOf(t, rows[0], row))); diff != "" {
			t.Fatalf("row %d: %s", i, diff)
		}
	}
}

// asTold is a state as a row tells it, which knows of no other.
func asTold(c upstream.Claim) upstream.Claim {
	c.FirstOutcome, c.FirstDecidedDate = c.Outcome, c.DecidedDate
	c.FirstAllowed, c.FirstCARC, c.FirstRARC, c.FirstPaymentDate = c.Allowed, c.CARC, c.RARC, c.PaymentDate
	c.ReversedDate, c.RepaidDate = 0, 0
	if c.Outcome == upstream.Reversed {
		c.ReversedDate = c.DecidedDate
	}
	return c
}

// claimOf reads a row by its header, as a reader of files would.
func claimOf(t *testing.T, header, row []string) upstream.Claim {
	t.Helper()
	at := map[string]string{}
	for k, name := range header {
		at[name] = row[k]
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		must(err)
		return n
	}
	day := func(s string) upstream.Day {
		if s == "" {
			return 0
		}
		d, err := upstream.ParseDay(s)
		must(err)
		return d
	}
	money := func(s string) upstream.Money {
		if s == "" {
			return 0
		}
		m, err := upstream.ParseMoney(s)
		must(err)
		return m
	}
	codes := func(s string) upstream.Codes {
		c, err := upstream.ParseCodes(s)
		must(err)
		return c
	}
	said, ok := map[string]upstream.Outcome{"pending": upstream.Pending, "paid": upstream.Paid, "denied": upstream.Denied, "reversed": upstream.Reversed}[at["outcome"]]
	if !ok {
		t.Fatalf("outcome %q", at["outcome"])
	}
	payer, _ := upstream.PayerName(at["payer"])
	c := upstream.Claim{
		ClaimID: at["claim_id"], Line: number(at["line"]), Payer: payer, CPT: at["cpt"], Modifiers: at["modifiers"],
		Units: number(at["units"]), PlaceOfService: at["place_of_service"], Location: at["location"],
		ServiceDate: day(at["service_date"]), SubmittedDate: day(at["submitted_date"]), ReceivedDate: day(at["received_date"]),
		DecidedDate: day(at["decided_date"]), PaymentDate: day(at["payment_date"]),
		Billed: money(at["billed"]), Allowed: money(at["allowed"]), Paid: money(at["paid"]),
		CARC: codes(at["carc"]), RARC: codes(at["rarc"]), PayerControlNumber: at["payer_control_number"],
	}
	c.Outcome = upstream.Settle(said, c.Billed, c.Paid, c.CARC)
	return c
}

func TestCSVQuotesWhatNeedsIt(t *testing.T) {
	for in, want := range map[string]string{
		"":             "",
		"plain text":   "plain text",
		"a,b":          `"a,b"`,
		`say "x"`:      `"say ""x"""`,
		"two\nlines":   "\"two\nlines\"",
		"carriage\rre": "\"carriage\rre\"",
	} {
		if got := string(appendField(nil, in)); got != want {
			t.Errorf("field %q is written %s, want %s", in, got, want)
		}
	}
}

func TestCSVOfNoClaimsIsAHeader(t *testing.T) {
	var file bytes.Buffer
	if err := NewCSVWriter(&file).Close(); err != nil || file.String() != csvHeader {
		t.Errorf("wrote %q, error %v", file.String(), err)
	}
}

// failAfter fails once n bytes are through.
type failAfter struct{ n int }

var errFull = errors.New("disk full")

func (f *failAfter) Write(b []byte) (int, error) {
	if f.n -= len(b); f.n < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestWritersReportAFullDisk(t *testing.T) {
	g := generator(t, yearOf(5000))
	type writer interface {
		Write(*upstream.Claim) error
		Close() error
	}
	for name, w := range map[string]writer{
		"csv": NewCSVWriter(&failAfter{100_000}),
		"835": NewERAWriter(&failAfter{100_000}, asOf),
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			for _, c := range states(g) {
				if err = w.Write(c); err != nil {
					break
				}
			}
			if upstream.ErrorCode(err) != upstream.Unavailable || !errors.Is(err, errFull) {
				t.Errorf("error %v, want unavailable and its cause", err)
			}
			if again := w.Close(); again != err {
				t.Errorf("Close says %v after %v", again, err)
			}
		})
	}
}

func TestDayCacheWritesAnyDay(t *testing.T) {
	var c dayCache
	for _, s := range []string{"2026-03-04", "2023-05-16", "2026-03-04", "", "1999-12-31"} {
		d := upstream.Day(0)
		if s != "" {
			d, _ = upstream.ParseDay(s)
		}
		if got := string(c.append(nil, d)); got != s {
			t.Errorf("wrote %q, want %q", got, s)
		}
	}
}

func BenchmarkCSVWriter(b *testing.B) {
	g := generator(b, yearOf(1_000_000))
	claims := make([]upstream.Claim, 10_000)
	for i := range claims {
		g.Claim(int64(i)*100, &claims[i])
	}
	w := NewCSVWriter(io.Discard)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := w.Write(&claims[i%len(claims)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func TestCSVHasNoFormula(t *testing.T) {
	var file bytes.Buffer
	w := NewCSVWriter(&file)
	for _, c := range states(generator(t, yearOf(2000))) {
		if err := w.Write(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, field := range row {
			if field != "" && strings.Contains("=+-@", field[:1]) {
				t.Fatalf("field %q would be a formula in a spreadsheet", field)
			}
		}
	}
}
