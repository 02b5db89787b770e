package ingest

import (
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"

	"upstream"
)

var sampleNames = []string{"pm-export.csv", "reference-columns.csv", "messy.csv", "messy-1252.csv"}

// seed is the beginning of a sample: the fuzzing engine spends its time on
// making larger inputs small again.
func seed(f *testing.F, name string) []byte {
	data := sample(f, name)
	return data[:min(len(data), 3000)]
}

// FuzzCSV holds what a reader promises about any file at all.
func FuzzCSV(f *testing.F) {
	for _, name := range sampleNames {
		data := seed(f, name)
		f.Add(data)
		f.Add(data[:len(data)/2]) // cut in the middle of a row
	}
	header := "claim id,payer,cpt,mod1,mod2,dos,submit date,check date,status,billed,paid,reason\n"
	for _, row := range []string{
		"A1,Aetna,99213,25,59,1/2/26,,1/9/26,paid,$10.00,5,\n", "A1,\"Aet\nna\",99213,,,20260102,,,open,,,\n",
		"A1,\"Aetna,99213\nA2,Aetna,99213,,,1/2/26,,,open,,,\n", "A1,=1+1,99213,,,1/2/26,,,open,,,\n",
		"A1,A\x00,99213,,,1/2/26,,,open,,,\n", "1.2E+11,Caf\xe9,j1100,,,\"Mar 4, 2026\",,,pending,(5),,\n", ",,,,,,,,,,,\n",
	} {
		f.Add([]byte(header + row))
	}
	f.Add([]byte("sep=;\r\npayer;cpt;status;dos\rAetna;99213;open;1/2/26\r"))
	f.Add([]byte("PK\x03\x04[Content_Types].xml"))
	f.Add([]byte("\xff\xfep\x00a\x00y\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		claims, rejects, err := drain(bytes.NewReader(data), Options{})
		if err != nil {
			if upstream.ErrorCode(err) != upstream.Invalid {
				t.Errorf("the file is refused with %v", err)
			}
			return
		}
		checkRows(t, claims, rejects)
		for _, c := range claims {
			checkClaim(t, c)
		}
		for _, cut := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader} {
			again, rejectsAgain, err := drain(cut(bytes.NewReader(data)), Options{})
			if err != nil || !reflect.DeepEqual(claims, again) || !reflect.DeepEqual(rejects, rejectsAgain) {
				t.Errorf("the file reads otherwise when it comes in pieces: %v", err)
			}
		}
	})
}

// checkRows holds that rows are numbered 1 to n, each a claim or a reject.
func checkRows(t *testing.T, claims []upstream.Claim, rejects []upstream.Reject) {
	t.Helper()
	for row := int64(1); len(claims)+len(rejects) > 0; row++ {
		switch {
		case len(claims) > 0 && claims[0].Row == row:
			claims = claims[1:]
		case len(rejects) > 0 && rejects[0].Row == row:
			if r := rejects[0]; r.Reason == "" || r.ValueClass == "" {
				t.Errorf("row %d is rejected without a reason: %+v", row, r)
			}
			rejects = rejects[1:]
		default:
			t.Fatalf("row %d is neither a claim nor a reject", row)
		}
	}
}

func checkClaim(t *testing.T, c upstream.Claim) {
	t.Helper()
	bad := func(what string) { t.Errorf("row %d: %s: %+v", c.Row, what, c) }
	if !upstream.IsProcedureCode(c.CPT) {
		bad("no procedure code")
	}
	if c.Payer == "" || c.ClaimID == "" || c.Line < 1 {
		bad("no key or payer")
	}
	if c.SubmittedDate.IsZero() {
		bad("no submission date")
	}
	decided := c.Outcome != upstream.Pending
	if decided == c.DecidedDate.IsZero() || decided && c.DecidedDate < c.SubmittedDate {
		bad("dates that contradict the outcome")
	}
	once := c
	if once.Decide(); once != c {
		bad("a first decision that is not the state the row tells")
	}
	if c.FirstOutcome != c.Outcome || c.FirstDecidedDate != c.DecidedDate || c.Outcome < upstream.Pending || c.Outcome > upstream.Reversed {
		bad("outcomes that contradict each other")
	}
	if c.Outcome == upstream.Denied && c.Paid != 0 {
		bad("a denial with a payment")
	}
	for _, text := range []string{c.ClaimID, c.Payer, c.CPT, c.Modifiers, c.PlaceOfService, c.Location, string(c.CARC), string(c.RARC), c.PayerControlNumber} {
		if !utf8.ValidString(text) || len(text) > 800 {
			bad("text that is no UTF-8, or too long")
		}
		if strings.ContainsFunc(text, unicode.IsControl) || text != "" && strings.Contains("=+-@", text[:1]) {
			bad("text that a terminal or a spreadsheet would obey")
		}
	}
}
