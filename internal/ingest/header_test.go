package ingest

import (
	"fmt"
	"strings"
	"testing"

	"upstream"
)

func newCSV(text string, headers map[string]string) (*CSVReader, error) {
	return NewCSV(strings.NewReader(text), Options{FileHash: testHash, Headers: headers})
}

func TestHeadersAreKnownInManySpellings(t *testing.T) {
	tests := map[field]string{
		claimID: "Claim #|Claim ID|claim_number|CLAIM NO.|Claim|CLP01", claimLine: "Line|Line #|line_no|Service Line",
		payer: "Payer|Payer Name|insurance|Insurance Company|Payor|Carrier|Plan Name", cpt: "CPT|CPT Code|CPT/HCPCS|procedure|Proc Code|HCPCS",
		modifiers: "Modifiers|Mod|Modifier 1|mod4", units: "Units|Qty|# Units|Quantity", placeOfService: "POS|Place of Service|POS Code",
		location: "Location|Facility|Clinic Name|Site", serviceDate: "DOS|date_of_service|Service Date|From Date|DOS From",
		submittedDate: "Submit Date|date submitted|Submission Date|Bill Date|Claim Date", receivedDate: "Received Date|Date Received",
		decidedDate: "Remit Date|date decided|Adjudication Date|Decision Date|ERA Date", paymentDate: "Payment Date|Check Date|Paid Date|EFT Date",
		outcome: "Status|claim status|Outcome|Decision", billed: "Charge Amount|billed|Charges|Charge $|Billed ($)|Total Charge",
		allowed: "Allowed Amount|allowed_amount|Allowed|Allowed $", paid: "Paid Amount|paid|Payment|Insurance Paid|$ Paid",
		carc: "Denial Code|reason|CARC|Reason Code|Adjustment Reason Code", rarc: "RARC|Remark Code|Remark Codes",
		payerControlNumber: "Payer Control Number|ICN|Payer Claim Control Number|payer_claim_number", filing: "Filing|filing order|COB",
	}
	if len(tests) != int(numFields) {
		t.Errorf("%d fields are tested, there are %d", len(tests), numFields)
	}
	for f, headers := range tests {
		for h := range strings.SplitSeq(headers+"|"+f.String()+"|"+strings.ToUpper(f.String()), "|") {
			if got := meaningOf(headerText([]byte(h)), nil); got.field != f {
				t.Errorf("%q does not mean %v", h, f)
			}
		}
	}
	for _, h := range []string{"", "Patient Name", "DOB", "Service Date To", "Note", "Balance", "Provider", "Last Bill Date"} {
		if got := meaningOf(h, nil); got.field != ignored {
			t.Errorf("%q means %v", h, got.field)
		}
	}
}

func TestSpellingsAreWrittenAsTheyAreCompared(t *testing.T) {
	listed := 0
	for f := range numFields {
		for _, tier := range fieldTable[f].headers {
			for h := range strings.FieldsSeq(tier) {
				listed++
				if headerKey(h) != h {
					t.Errorf("%q of %v can never match", h, f)
				}
				if spellings[h].field != f {
					t.Errorf("%q means both %v and %v", h, f, spellings[h].field)
				}
			}
		}
	}
	if listed != len(spellings) {
		t.Errorf("%d spellings are listed, %d are distinct", listed, len(spellings))
	}
}

func TestTheMoreSpecificOfTwoColumnsIsRead(t *testing.T) {
	claims, rejects := loadText(t, "Insurance,Payer,CPT,Code,Status,Claim Status,DOS,Bill Date,Submit Date\n"+
		"x,Aetna,99213,y,z,open,1/2/26,q,1/5/26\n")
	if len(claims) != 1 || claims[0].Payer != "Aetna" || claims[0].SubmittedDate != upstream.MakeDay(2026, 1, 5) {
		t.Errorf("claims %+v, rejects %+v", claims, rejects)
	}
}

func TestCustomersHeadersComeBeforeTheKnownOnes(t *testing.T) {
	text := "Payer,Kostentraeger,Leistung,Status,Entscheid,DOS,Datum  1\nx,Aetna,99213,y,open,bad,2026-01-02\n"
	r, err := newCSV(text, map[string]string{
		"Kostentraeger": "payer", " Leistung ": "CPT", "Entscheid": "outcome", "Datum 1": "Service Date", "DOS": "ignore", "Absent": "units",
	})
	if err != nil {
		t.Fatal(err)
	}
	var c upstream.Claim
	if reject, err := r.Next(&c); reject != nil || err != nil || c.Payer != "Aetna" || c.CPT != "99213" || c.ServiceDate.IsZero() {
		t.Errorf("claim %+v, reject %+v, error %v", c, reject, err)
	}
}

func TestHeadersThatCannotBeRead(t *testing.T) {
	good := "payer,cpt,dos,status"
	var many strings.Builder
	for i := range 30 {
		fmt.Fprintf(&many, ",Extra %d", i)
	}
	tests := []struct {
		name, text string
		headers    map[string]string
		contains   []string
		without    []string
	}{
		{"a column is missing", "payer,Foo,dos,status\n", nil, []string{"hold cpt;", `"payer", "Foo", "dos", "status"`}, nil},
		{"all are missing", "Foo;Bar\n", nil, []string{"payer, cpt, outcome, submitted_date or service_date", `"Foo", "Bar"`}, nil},
		{"many columns", "payer,cpt,dos" + many.String() + "\n", nil, []string{"hold outcome", `"Extra 16" and 13 more`}, []string{"Extra 17"}},
		{"a long name", "payer,cpt,dos," + strings.Repeat("n", 500) + "\n", nil, []string{strings.Repeat("n", 80) + "…"}, []string{strings.Repeat("n", 81)}},
		{"a row of data", "A1,Aetna,99213,2026-01-02,PAID\n", nil, []string{"no header row"}, []string{"A1", "Aetna", "PAID"}},
		{"dates alone", "Smith,1/2/60,paid\n", nil, []string{"no header row"}, []string{"Smith", "1/2/60"}},
		{"nothing but delimiters", ",,,\n", nil, []string{"no header row"}, nil},
		{"two columns for one field", good + ",CPT Code,CPT-Code\n", nil, []string{`"cpt" and "CPT Code" both mean cpt`, `"ignore"`}, nil},
		{"one column twice", good + ",Paid,paid\n", nil, []string{`"Paid" and "paid" both mean paid`}, nil},
		{"two mapped to one field", good + ",a,b\n", map[string]string{"a": "paid", "b": "paid"}, []string{`"a" and "b" both mean paid`}, nil},
		{"an unknown field", good + "\n", map[string]string{"a": "patient"}, []string{`unknown field "patient"`, "claim_id, line, payer", "ignore"}, nil},
		{"an open quote", "payer,\"cpt,dos\nx,y,z\n", nil, []string{"quote in the header"}, nil},
		{"a header without end", strings.Repeat("x", 3<<20), nil, []string{"longer than 1 MiB"}, nil},
		{"a header over the limit by one", strings.Repeat("x", maxRow+1) + "\n", nil, []string{"longer than 1 MiB"}, nil},
		{"too many columns", strings.Repeat("x,", 1001) + "\n", nil, []string{"more than 1000 columns"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := newCSV(test.text, test.headers)
			if upstream.ErrorCode(err) != upstream.Invalid {
				t.Fatalf("error is %v", err)
			}
			for _, part := range test.contains {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			for _, part := range test.without {
				if strings.Contains(err.Error(), part) {
					t.Errorf("%q says %q", err, part)
				}
			}
		})
	}
}

func TestHeaderErrorsAreTheSameEveryTime(t *testing.T) {
	mapping := map[string]string{"a": "x", "b": "y", "c": "z"}
	_, first := newCSV("payer,cpt\n", mapping)
	for range 50 {
		if _, err := newCSV("payer,cpt\n", mapping); err.Error() != first.Error() {
			t.Fatalf("%v, then %v", first, err)
		}
	}
}

func TestHeadersInWindows1252(t *testing.T) {
	r, err := newCSV("payer,cpt,dos,status,Pr\xe9nom\n", nil)
	if err != nil || r.Columns()[4].Header != "Prénom" {
		t.Errorf("columns %v, error %v", r, err)
	}
}
