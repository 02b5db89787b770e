package ingest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upstream"
)

const testHash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// sample reads a file of testdata.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// load reads all rows of a file.
func load(t testing.TB, r io.Reader, o Options) ([]upstream.Claim, []upstream.Reject) {
	t.Helper()
	claims, rejects, err := drain(r, o)
	if err != nil {
		t.Fatal(err)
	}
	return claims, rejects
}

func drain(r io.Reader, o Options) (claims []upstream.Claim, rejects []upstream.Reject, err error) {
	if o.FileHash == "" {
		o.FileHash = testHash
	}
	c, err := NewCSV(r, o)
	if err != nil {
		return nil, nil, err
	}
	for {
		var claim upstream.Claim
		reject, err := c.Next(&claim)
		switch {
		case errors.Is(err, io.EOF):
			return claims, rejects, nil
		case err != nil:
			return claims, rejects, err
		case reject != nil:
			rejects = append(rejects, *reject)
		default:
			claims = append(claims, claim)
		}
	}
}

func loadText(t testing.TB, text string) ([]upstream.Claim, []upstream.Reject) {
	t.Helper()
	return load(t, strings.NewReader(text), Options{})
}

func TestPracticeManagementExportLoadsWhole(t *testing.T) {
	data := sample(t, "pm-export.csv")
	claims, rejects := load(t, bytes.NewReader(data), Options{})
	if len(claims) != 400 || len(rejects) != 0 {
		t.Fatalf("%d claims, rejects %v; want 400 and none", len(claims), rejects)
	}
	payers, keys := map[string]bool{}, map[upstream.Claim]bool{}
	pending, denials := 0, 0
	for i, c := range claims {
		name, _ := upstream.PayerName(c.Payer)
		payers[name] = true
		keys[upstream.Claim{ClaimID: c.ClaimID, Line: c.Line}] = true
		if c.Outcome == upstream.Pending {
			pending++
			if !c.DecidedDate.IsZero() {
				t.Errorf("row %d is pending and decided", c.Row)
			}
		}
		if c.IsDenial() {
			denials++
		}
		if c.Row != int64(i+1) {
			t.Errorf("claim %d has row %d", i, c.Row)
		}
	}
	if len(payers) != 4 || len(keys) != 400 || pending != 24 || denials != 45 {
		t.Errorf("%d payers, %d keys, %d pending, %d denials; want 4, 400, 24, 45", len(payers), len(keys), pending, denials)
	}
	spellings := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		spellings[strings.Split(line, ",")[2]] = true
	}
	if len(spellings)-1 != 11 {
		t.Errorf("%d spellings of payers; the README says 11", len(spellings)-1)
	}
	want := upstream.Claim{
		ClaimID: "A100001", Line: 1, Payer: "UHC", CPT: "99213", Units: 1, PlaceOfService: "11",
		Location: "North Clinic", ServiceDate: upstream.MakeDay(2026, 3, 24), SubmittedDate: upstream.MakeDay(2026, 3, 29),
		DecidedDate: upstream.MakeDay(2026, 4, 12), FirstDecidedDate: upstream.MakeDay(2026, 4, 12),
		Outcome: upstream.Denied, FirstOutcome: upstream.Denied, Billed: 22250, CARC: "50", Row: 2,
	}
	want.Decide()
	if claims[1] != want {
		t.Errorf("row 2 is\n%+v, want\n%+v", claims[1], want)
	}
}

func TestReferenceColumnsGetClaimNumbersOfFileAndRow(t *testing.T) {
	data := sample(t, "reference-columns.csv")
	claims, rejects := load(t, bytes.NewReader(data), Options{})
	if len(claims) != bytes.Count(data, []byte("\n"))-1 || len(rejects) != 0 {
		t.Fatalf("%d claims, rejects %v", len(claims), rejects)
	}
	ids := map[string]bool{}
	for _, c := range claims {
		ids[c.ClaimID] = true
	}
	if len(ids) != len(claims) || claims[0].ClaimID != "0123456789abcdef-1" || claims[0].Line != 1 {
		t.Errorf("%d ids for %d claims, the first %q line %d", len(ids), len(claims), claims[0].ClaimID, claims[0].Line)
	}
	again, _ := load(t, bytes.NewReader(data), Options{})
	for i := range claims {
		again[i].Upload = 2
		if _, changed := upstream.Merge(claims[i], again[i], 1, 2); changed {
			t.Fatalf("loading the file again changes row %d", i+1)
		}
	}
	other, _ := load(t, bytes.NewReader(data), Options{FileHash: strings.Repeat("f", 64)})
	if ids[other[0].ClaimID] {
		t.Error("another file gives the same claim numbers")
	}
}

var messyRejects = []upstream.Reject{
	{Row: 21, Column: "date_of_service", ValueClass: "date", Reason: "not a date of 1990 to 2100; write it as 2026-03-31"},
	{Row: 22, Column: "claim status", ValueClass: "text", Reason: "unknown outcome; write paid, denied, pending, adjusted or reversed"},
	{Row: 23, Column: "insurance", ValueClass: "empty", Reason: "no payer"},
	{Row: 24, Column: "date decided", ValueClass: "date", Reason: "decided before it was submitted"},
	{Row: 25, Column: "billed", ValueClass: "text", Reason: "not an amount of money; write it as 1234.50"},
	{Row: 26, Column: "date decided", ValueClass: "empty", Reason: "the outcome is a decision, yet it has no date"},
	{Row: 27, Column: "claim_number", ValueClass: "empty", Reason: "no claim number"},
	{Row: 28, Column: "procedure", ValueClass: "formula", Reason: "a spreadsheet formula; write the value itself"},
	{Row: 29, Column: "", ValueClass: "field count", Reason: "4 fields where the header has 13"},
}

func TestMessyFileRejectsNineRowsAndRepeatsOne(t *testing.T) {
	first, _ := load(t, bytes.NewReader(sample(t, "messy.csv")), Options{})
	for _, name := range []string{"messy.csv", "messy-1252.csv"} {
		t.Run(name, func(t *testing.T) {
			claims, rejects := load(t, bytes.NewReader(sample(t, name)), Options{})
			if len(claims) != 22 {
				t.Fatalf("%d usable rows, want 22", len(claims))
			}
			for i, want := range messyRejects {
				if i >= len(rejects) || rejects[i] != want {
					t.Fatalf("rejects are\n%+v, want\n%+v", rejects, messyRejects)
				}
			}
			if len(rejects) != len(messyRejects) {
				t.Errorf("%d rejects, want %d", len(rejects), len(messyRejects))
			}
			for i := range claims {
				if claims[i] != first[i] {
					t.Errorf("row %d differs between the encodings", claims[i].Row)
				}
			}
			if _, changed := upstream.Merge(claims[0], claims[20], 1, 1); changed {
				t.Error("the first claim again is no duplicate of it")
			}
			keys := map[string]bool{}
			for _, c := range claims {
				keys[c.ClaimID] = true
			}
			if len(keys) != 21 {
				t.Errorf("%d claims, want 21", len(keys))
			}
			takeback := claims[21]
			if takeback.ClaimID != "C1" || takeback.Outcome != upstream.Reversed || takeback.Billed != -10000 || takeback.Allowed != 108000 {
				t.Errorf("the takeback line is %+v", takeback)
			}
		})
	}
}
