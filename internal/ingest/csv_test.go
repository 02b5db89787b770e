package ingest

import (
	"io"
	"slices"
	"strings"
	"testing"

	"upstream"
)

const head = "claim id,payer,cpt,dos,status\n"

func TestEmptyRowsAreSkippedAndNotCounted(t *testing.T) {
	claims, rejects := loadText(t, "\n\n"+head+"\n,,,,\nA1,Aetna,99213,1/2/26,open\n  \n\r\n , ,\"\",,\nA2,Aetna,,1/2/26,open\n,,,,,,,\n")
	if len(claims) != 1 || claims[0].Row != 1 || len(rejects) != 1 || rejects[0].Row != 2 {
		t.Errorf("claims %+v, rejects %+v", claims, rejects)
	}
}

func TestRowsWithTheWrongNumberOfFields(t *testing.T) {
	tests := []struct{ name, row, reason string }{
		{"too few", "A1,Aetna,99213\n", "3 fields where the header has 5"},
		{"too many", "A1,Aetna,99213,1/2/26,open,more\n", "6 fields where the header has 5"},
		{"the file is cut", "A1,Aetna,99", "3 fields where the header has 5: the file ends in the middle of this row"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, rejects := loadText(t, head+test.row)
			want := upstream.Reject{Row: 1, ValueClass: "field count", Reason: test.reason}
			if len(rejects) != 1 || rejects[0] != want {
				t.Errorf("rejects %+v, want %+v", rejects, want)
			}
		})
	}
	claims, rejects := loadText(t, head+"A1,Aetna,99213,1/2/26,open,,\nA2,Aetna,99213,1/2/26,open")
	if len(claims) != 2 {
		t.Errorf("empty surplus fields, or a last row without a line end: %+v", rejects)
	}
}

func TestStrayQuotesLoseOnlyTheirOwnRow(t *testing.T) {
	good := "A2,Aetna,99213,1/2/26,open\nA3,Aetna,99213,1/2/26,open\nA4,\"Aetna\",99213,1/2/26,open\n"
	tests := []struct{ name, row, rest string }{
		{"before plain rows", "A1,\"Aetna,99213,1/2/26,open\n", strings.ReplaceAll(good, `"`, "")},
		{"before quoted rows", "A1,\"Aetna,99213,1/2/26,open\n", good},
		{"in the last field", "A1,Aetna,99213,1/2/26,\"open\n", good},
		{"closed by another stray quote", "A1,\"Aetna,99213,1/2/26,open\n", good + "A5,Aetna\",99213,1/2/26,open\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			claims, rejects := loadText(t, head+test.row+test.rest)
			var ids []string
			for _, c := range claims {
				ids = append(ids, c.ClaimID)
			}
			if len(ids) < 3 || !slices.Equal(ids[:3], []string{"A2", "A3", "A4"}) {
				t.Errorf("claims %v", ids)
			}
			if len(rejects) != 1 || rejects[0].Row != 1 {
				t.Errorf("rejects %+v", rejects)
			}
		})
	}
	_, rejects := loadText(t, head+"A1,\"Aetna,99213,1/2/26,open\n")
	want := upstream.Reject{Row: 1, Column: "payer", ValueClass: "quote", Reason: "a quote opens here and the file ends before it closes"}
	if len(rejects) != 1 || rejects[0] != want {
		t.Errorf("rejects %+v, want %+v", rejects, want)
	}
}

func TestALongRowIsRejectedAlone(t *testing.T) {
	claims, rejects := loadText(t, head+"A1,"+strings.Repeat("x", 3<<20)+",99213,1/2/26,open\nA2,Aetna,99213,1/2/26,open\n")
	want := upstream.Reject{Row: 1, ValueClass: "too long", Reason: "row longer than 1 MiB"}
	if len(rejects) != 1 || rejects[0] != want || len(claims) != 1 || claims[0].Row != 2 {
		t.Errorf("claims %+v, rejects %+v", claims, rejects)
	}
}

func TestEncodingIsDecidedRowByRow(t *testing.T) {
	claims, rejects := loadText(t, head+
		"A1,Caf\xe9 Trust,99213,1/2/26,open\nA2,Café Trust,99213,1/2/26,open\nA3,O\x92Hara\xa0,99213,1/2/26,open\nA4,x\x81,99213,1/2/26,open\n")
	if len(claims) != 3 || claims[0].Payer != "Café Trust" || claims[1].Payer != "Café Trust" || claims[2].Payer != "O’Hara" {
		t.Errorf("claims %+v", claims)
	}
	if len(rejects) != 1 || rejects[0].Column != "payer" {
		t.Errorf("a byte that Windows-1252 leaves open: %+v", rejects)
	}
	// A value too long to be decoded is too long, however much of it is space.
	_, rejects = loadText(t, head+"A1,\xe9"+strings.Repeat(" ", 2000)+",99213,1/2/26,open\n")
	if len(rejects) != 1 || rejects[0].ValueClass != "too long" {
		t.Errorf("rejects %+v", rejects)
	}
}

func TestFormsOfTheFile(t *testing.T) {
	for name, text := range map[string]string{
		"comma":         "payer,cpt,dos,status\nAetna,99213,1/2/26,open\n",
		"semicolon":     "payer;cpt;dos;status\nAetna;99213;1/2/26;open\n",
		"tab":           "payer\tcpt\tdos\tstatus\nAetna\t99213\t1/2/26\topen\n",
		"pipe":          "payer|cpt|dos|status\nAetna|99213|1/2/26|open\n",
		"named":         "sep=|\r\npayer|cpt|dos|status\r\nAetna|99213|1/2/26|open\r\n",
		"named oddly":   "sep=:\npayer,cpt,dos,status\nAetna,99213,1/2/26,open\n",
		"mark":          "\ufeffpayer,cpt,dos,status\nAetna,99213,1/2/26,open\n",
		"mark, named":   "\ufeffsep=;\npayer;cpt;dos;status\nAetna;99213;1/2/26;open\n",
		"old Macintosh": "payer,cpt,dos,status,note\rAetna,99213,1/2/26,open,\"a\nb\"\r",
		"commas in a name": "\"Payer, as billed, or other\";payer;cpt;dos;status\n" +
			"a,b,c;Aetna;99213;1/2/26;open\n",
		"line break in a header": "payer,cpt,dos,status,\"a\nnote\"\nAetna,99213,1/2/26,open,\n",
	} {
		t.Run(name, func(t *testing.T) {
			claims, rejects := loadText(t, text)
			if len(claims) != 1 || claims[0].Payer != "Aetna" || claims[0].ServiceDate != upstream.MakeDay(2026, 1, 2) {
				t.Errorf("claims %+v, rejects %+v", claims, rejects)
			}
		})
	}
}

func TestAHeaderLongerThanTheFirstReadIsRead(t *testing.T) {
	var names, values strings.Builder
	for i := range 900 {
		names.WriteString("," + strings.Repeat("n", 150+i%7))
		values.WriteString(",v")
	}
	claims, rejects := loadText(t, "\n\npayer,cpt,dos,status"+names.String()+"\nAetna,99213,1/2/26,open"+values.String()+"\n")
	if len(claims) != 1 {
		t.Errorf("rejects %+v", rejects)
	}
}

func TestNextOverwritesTheClaimAndStaysAtTheEnd(t *testing.T) {
	r, err := NewCSV(strings.NewReader(head+"A1,Aetna,99213,1/2/26,open\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := upstream.Claim{Location: "left over", Upload: 7, Paid: 5}
	if reject, err := r.Next(&c); reject != nil || err != nil {
		t.Fatal(reject, err)
	}
	if c.Location != "" || c.Paid != 0 || c.Upload != 0 {
		t.Errorf("the claim keeps what stood in it: %+v", c)
	}
	for range 3 {
		if reject, err := r.Next(&c); reject != nil || err != io.EOF {
			t.Errorf("after the last row come %v, %v", reject, err)
		}
	}
}

func TestColumnsTellWhatIsRead(t *testing.T) {
	r, err := NewCSV(strings.NewReader("Claim #,Patient,Payer Name,CPT Code,Mod 1,Mod 2,DOS,Claim Status,Status,, "+strings.Repeat("é", 100)+"\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Column{
		{"Claim #", "claim_id"},
		{"Patient", ""},
		{"Payer Name", "payer"},
		{"CPT Code", "cpt"},
		{"Mod 1", "modifiers"},
		{"Mod 2", "modifiers"},
		{"DOS", "service_date"},
		{"Claim Status", "outcome"},
		{"Status", ""},
		{"column 10", ""},
		{strings.Repeat("é", 80) + "…", ""},
	}
	got := r.Columns()
	if !slices.Equal(got, want) {
		t.Errorf("columns are %q, want %q", got, want)
	}
	got[0].Header = "changed"
	if r.Columns()[0].Header != "Claim #" {
		t.Error("the columns returned are the reader's own")
	}
}

func TestAFileWithoutClaimNumbersNeedsItsHash(t *testing.T) {
	_, err := NewCSV(strings.NewReader("payer,cpt,dos,status\n"), Options{})
	if upstream.ErrorCode(err) != upstream.Invalid || !strings.Contains(err.Error(), "claim_id") {
		t.Errorf("error is %v", err)
	}
}
