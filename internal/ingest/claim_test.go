package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upstream"
)

// oneRow makes a file of one good row with changes of header and value: those
// of another header add a column.
func oneRow(changes ...[2]string) string {
	columns := [][2]string{
		{"claim_id", "A1"},
		{"payer", "Aetna"},
		{"cpt", "99213"},
		{"service_date", "2026-01-02"},
		{"submitted_date", "2026-01-05"},
		{"decided_date", "2026-01-15"},
		{"outcome", "PAID"},
		{"billed", "200.00"},
		{"allowed", "120.00"},
		{"paid", "96.00"},
	}
	for _, change := range changes {
		i := slices.IndexFunc(columns, func(c [2]string) bool { return c[0] == change[0] })
		if i < 0 {
			columns = append(columns, change)
			continue
		}
		columns[i] = change
	}
	var names, values []string
	for _, c := range columns {
		names = append(names, c[0])
		values = append(values, `"`+strings.ReplaceAll(c[1], `"`, `""`)+`"`)
	}
	return strings.Join(names, ",") + "\n" + strings.Join(values, ",") + "\n"
}

// goodClaim is what oneRow() holds.
func goodClaim() upstream.Claim {
	return upstream.Claim{
		ClaimID: "A1", Line: 1, Payer: "Aetna", CPT: "99213", Units: 1,
		ServiceDate: upstream.MakeDay(2026, 1, 2), SubmittedDate: upstream.MakeDay(2026, 1, 5),
		DecidedDate: upstream.MakeDay(2026, 1, 15), FirstDecidedDate: upstream.MakeDay(2026, 1, 15),
		Outcome: upstream.Paid, FirstOutcome: upstream.Paid, Billed: 20000, Allowed: 12000, Paid: 9600, Row: 1,
	}
}

func TestValuesOfARow(t *testing.T) {
	type change = [2]string
	tests := []struct {
		name    string
		changes []change
		want    func(c *upstream.Claim)
	}{
		{"as it is", nil, func(c *upstream.Claim) {}},
		{"space around values", []change{{"claim_id", " A1\t"}, {"payer", "\u00a0 Aetna "}, {"paid", " 96 "}}, func(c *upstream.Claim) {}},
		{"line and units", []change{{"line", "3"}, {"units", "2.00"}}, func(c *upstream.Claim) { c.Line, c.Units = 3, 2 }},
		{"empty line and units", []change{{"line", ""}, {"units", ""}}, func(c *upstream.Claim) {}},
		{"units taken back", []change{{"units", "-1"}}, func(c *upstream.Claim) { c.Units = -1 }},
		{"a code in lower case", []change{{"cpt", "j1100"}}, func(c *upstream.Claim) { c.CPT = "J1100" }},
		{"a payer as it is spelled", []change{{"payer", "united  health-care, inc."}}, func(c *upstream.Claim) { c.Payer = "united health-care, inc." }},
		{"a payer in two lines", []change{{"payer", " Lake\nCounty  Trust "}}, func(c *upstream.Claim) { c.Payer = "Lake County Trust" }},
		{"modifiers", []change{{"modifiers", "lt, 59"}}, func(c *upstream.Claim) { c.Modifiers = "LT 59" }},
		{"modifiers in columns", []change{{"mod1", "25"}, {"mod2", ""}, {"Modifier 3", "rt"}}, func(c *upstream.Claim) { c.Modifiers = "25 RT" }},
		{"no modifiers in columns", []change{{"mod1", ""}, {"mod2", " "}}, func(c *upstream.Claim) {}},
		{"place of service", []change{{"pos", "2"}}, func(c *upstream.Claim) { c.PlaceOfService = "02" }},
		{"place with its name", []change{{"pos", "11 - Office"}}, func(c *upstream.Claim) { c.PlaceOfService = "11" }},
		{"location", []change{{"location", "North\tClinic"}}, func(c *upstream.Claim) { c.Location = "North Clinic" }},
		{"other dates", []change{{"received_date", "1/7/26"}, {"payment_date", "20260117"}}, func(c *upstream.Claim) {
			c.ReceivedDate, c.PaymentDate = upstream.MakeDay(2026, 1, 7), upstream.MakeDay(2026, 1, 17)
		}},
		{"no submission date", []change{{"submitted_date", ""}}, func(c *upstream.Claim) { c.SubmittedDate = c.ServiceDate }},
		{"no service date", []change{{"service_date", ""}}, func(c *upstream.Claim) { c.ServiceDate = 0 }},
		{"service keyed after submission", []change{{"service_date", "2026-01-08"}}, func(c *upstream.Claim) { c.ServiceDate += 6 }},
		{"decided on the day of submission", []change{{"decided_date", "2026-01-05"}}, func(c *upstream.Claim) {
			c.DecidedDate = c.SubmittedDate
		}},
		{"no decision date but a payment", []change{{"decided_date", ""}, {"payment_date", "2026-01-20"}}, func(c *upstream.Claim) {
			c.PaymentDate = upstream.MakeDay(2026, 1, 20)
			c.DecidedDate = c.PaymentDate
		}},
		{"no money", []change{{"billed", ""}, {"allowed", ""}, {"paid", ""}}, func(c *upstream.Claim) { c.Billed, c.Allowed, c.Paid = 0, 0, 0 }},
		{"money as spreadsheets write it", []change{{"billed", "$1,234.50"}, {"allowed", "+5"}, {"paid", "5.0"}}, func(c *upstream.Claim) {
			c.Billed, c.Allowed, c.Paid = 123450, 500, 500
		}},
		{"codes", []change{{"denial code", "CO-45, pr2"}, {"remark code", "n130;MA01"}}, func(c *upstream.Claim) { c.CARC, c.RARC = "CO-45 PR-2", "N130 MA01" }},
		{"payer's number", []change{{"payer control number", "0012 34"}}, func(c *upstream.Claim) { c.PayerControlNumber = "0012 34" }},
		{"filing", []change{{"filing", "secondary"}}, func(c *upstream.Claim) { c.Filing = upstream.Secondary }},
		{"filing by number", []change{{"filing", "3"}}, func(c *upstream.Claim) { c.Filing = upstream.Tertiary }},
		{"an unread column", []change{{"patient", "=cmd|'/C calc'!A0"}}, func(c *upstream.Claim) {}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			claims, rejects := loadText(t, oneRow(test.changes...))
			if len(claims) != 1 {
				t.Fatalf("rejected: %+v", rejects)
			}
			want := goodClaim()
			test.want(&want)
			want.Decide() // a file tells one state
			if diff := cmp.Diff(want, claims[0]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOutcomesAreSettledByTheDefinitionOfADenial(t *testing.T) {
	tests := []struct {
		said, billed, paid, carc string
		want                     upstream.Outcome
	}{
		{"Paid", "200", "96", "", upstream.Paid},
		{" approved ", "200", "96", "", upstream.Paid},
		{"ACCEPTED", "200", "0", "PR-1", upstream.Paid},
		{"Paid in Full", "200", "96", "CO-45", upstream.Paid},
		{"Denied", "200", "0", "", upstream.Denied},
		{"rejected", "200", "0", "CO-197", upstream.Denied},
		{"DECLINED", "200", "0", "16", upstream.Denied},
		{"denied", "200", "0", "PR-1", upstream.Paid},
		{"denied", "200", "50", "CO-197", upstream.Adjusted},
		{"paid", "200", "0", "CO-50", upstream.Denied},
		{"Adjusted", "200", "50", "CO-45", upstream.Adjusted},
		{"partially_paid", "200", "50", "", upstream.Adjusted},
		{"Take-Back", "200", "0", "", upstream.Reversed},
		{"reversed", "200", "0", "", upstream.Reversed},
		{"paid", "(200)", "-96", "", upstream.Reversed},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			claims, rejects := loadText(t, oneRow([2]string{"outcome", test.said}, [2]string{"billed", test.billed},
				[2]string{"paid", test.paid}, [2]string{"carc", test.carc}))
			if len(claims) != 1 {
				t.Fatalf("rejected: %+v", rejects)
			}
			if c := claims[0]; c.Outcome != test.want || c.FirstOutcome != test.want || c.FirstDecidedDate != c.DecidedDate {
				t.Errorf("is %v, at first %v; want %v", c.Outcome, c.FirstOutcome, test.want)
			}
		})
	}
	for _, said := range []string{"pending", "Open", "SUBMITTED", "in process"} {
		claims, rejects := loadText(t, oneRow([2]string{"outcome", said}, [2]string{"decided_date", ""}))
		if len(claims) != 1 || claims[0].Outcome != upstream.Pending || !claims[0].FirstDecidedDate.IsZero() || claims[0].Allowed != 12000 {
			t.Errorf("%s is %+v, %+v", said, claims, rejects)
		}
	}
}

func TestRowsThatCannotBeUsed(t *testing.T) {
	type change = [2]string
	tests := []struct {
		name          string
		changes       []change
		column, class string
		reason        string // a part of it
	}{
		{"no claim number", []change{{"claim_id", " "}}, "claim_id", "empty", "no claim number"},
		{"a long claim number", []change{{"claim_id", strings.Repeat("9", 65)}}, "claim_id", "too long", "longer than 64 bytes"},
		{"a rounded claim number", []change{{"claim_id", "1.23457E+11"}}, "claim_id", "number", "rounded"},
		{"a formula for a claim number", []change{{"claim_id", "@SUM(1)"}}, "claim_id", "formula", "formula"},
		{"a dash before a claim number", []change{{"claim_id", "-12"}}, "claim_id", "formula", "formula"},
		{"a line break in a claim number", []change{{"claim_id", "A\n1"}}, "claim_id", "text", "control characters"},
		{"line zero", []change{{"line", "0"}}, "line", "number", "from 1 to 9999"},
		{"half a line", []change{{"line", "1.5"}}, "line", "number", "whole number"},
		{"a line in words", []change{{"line", "one"}}, "line", "text", "whole number"},
		{"no payer", []change{{"payer", "\u00a0"}}, "payer", "empty", "no payer"},
		{"a payer without a letter", []change{{"payer", "?!"}}, "payer", "text", "no payer"},
		{"a long payer", []change{{"payer", strings.Repeat("x", 201)}}, "payer", "too long", "200"},
		{"a formula for a payer", []change{{"payer", "=HYPERLINK(1)"}}, "payer", "formula", "formula"},
		{"an escape sequence for a payer", []change{{"payer", "Trust \x1b[2J"}}, "payer", "text", "control characters"},
		{"a formula for a location", []change{{"location", "+cmd"}}, "location", "formula", "formula"},
		{"control characters in a location", []change{{"location", "a\x07"}}, "location", "text", "control characters"},
		{"no code", []change{{"cpt", ""}}, "cpt", "empty", "no CPT"},
		{"a short code", []change{{"cpt", "1234"}}, "cpt", "number", "not a CPT"},
		{"a code in words", []change{{"cpt", "visit"}}, "cpt", "text", "not a CPT"},
		{"a modifier too long", []change{{"modifiers", "25 599"}}, "modifiers", "text", "two characters"},
		{"a modifier of no letters", []change{{"modifiers", "é"}}, "modifiers", "text", "two characters"},
		{"five modifiers", []change{{"modifiers", "25 59 LT RT XS"}}, "modifiers", "text", "more than four"},
		{"five modifiers in columns", []change{{"mod1", "25 59"}, {"mod2", "LT RT XS"}}, "mod1", "text", "more than four"},
		{"modifiers without end", []change{{"mod1", strings.Repeat("1", 60)}, {"mod2", "11111"}}, "mod1", "too long", "more than four"},
		{"a place in words", []change{{"pos", "Office"}}, "pos", "text", "place-of-service"},
		{"a date that is none", []change{{"service_date", "2026-02-30"}}, "service_date", "date", "not a date"},
		{"a spreadsheet's day number", []change{{"submitted_date", "45720"}}, "submitted_date", "number", "not a date"},
		{"a formula for a date", []change{{"decided_date", "=TODAY()"}}, "decided_date", "formula", "not a date"},
		{"no dates", []change{{"submitted_date", ""}, {"service_date", ""}}, "submitted_date", "empty", "no submission date"},
		{"decided too early", []change{{"decided_date", "2026-01-04"}}, "decided_date", "date", "before it was submitted"},
		{"paid too early", []change{{"decided_date", ""}, {"check date", "1/4/26"}}, "check date", "date", "before it was submitted"},
		{"decided without a date", []change{{"decided_date", ""}}, "decided_date", "empty", "no date"},
		{"decided and paid without a date", []change{{"decided_date", ""}, {"check date", ""}}, "decided_date", "empty", "no date"},
		{"pending yet decided", []change{{"outcome", "pending"}}, "decided_date", "date", "pending"},
		{"pending yet paid", []change{{"outcome", "open"}, {"decided_date", ""}, {"check date", "1/20/26"}}, "check date", "date", "pending"},
		{"no outcome", []change{{"outcome", ""}}, "outcome", "empty", "no outcome"},
		{"unknown outcome", []change{{"outcome", "closed"}}, "outcome", "text", "unknown outcome"},
		{"not a number", []change{{"billed", "nan"}}, "billed", "text", "not an amount"},
		{"a third of a cent", []change{{"paid", "1.333"}}, "paid", "text", "not an amount"},
		{"a date for money", []change{{"allowed", "2026-01-02"}}, "allowed", "date", "not an amount"},
		{"a formula for money", []change{{"allowed", "=1+1"}}, "allowed", "formula", "not an amount"},
		{"a code in words for CARC", []change{{"carc", "None"}}, "carc", "text", "not a list"},
		{"a phrase for RARC", []change{{"rarc", "see letter"}}, "rarc", "text", "not a list"},
		{"unknown filing", []change{{"filing", "fourth"}}, "filing", "text", "unknown filing"},
		{"a NUL", []change{{"note", "a\x00b"}}, "note", "nul", "NUL"},
		{"the first flaw is told", []change{{"payer", ""}, {"cpt", ""}}, "payer", "empty", "no payer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			claims, rejects := loadText(t, oneRow(test.changes...))
			if len(claims) != 0 || len(rejects) != 1 {
				t.Fatalf("claims %+v, rejects %+v", claims, rejects)
			}
			r := rejects[0]
			if r.Row != 1 || r.Column != test.column || r.ValueClass != test.class || !strings.Contains(r.Reason, test.reason) {
				t.Errorf("rejected as %+v", r)
			}
			for _, change := range test.changes {
				if value := strings.TrimSpace(change[1]); len(value) > 2 && strings.Contains(fmt.Sprint(r), value) && value != "pending" {
					t.Errorf("the reject tells the value: %+v", r)
				}
			}
		})
	}
}

func TestFilesWithoutADecisionDate(t *testing.T) {
	head := "claim id,payer,cpt,dos,status"
	claims, rejects := loadText(t, head+"\nA1,Aetna,99213,1/2/26,paid\nA2,Aetna,99213,1/2/26,open\n")
	if len(claims) != 1 || claims[0].ClaimID != "A2" || claims[0].SubmittedDate != upstream.MakeDay(2026, 1, 2) {
		t.Errorf("claims %+v", claims)
	}
	if len(rejects) != 1 || rejects[0].Column != "" || rejects[0].ValueClass != "empty" {
		t.Errorf("rejects %+v", rejects)
	}
	claims, rejects = loadText(t, head+",check date\nA1,Aetna,99213,1/2/26,paid,1/9/26\nA2,Aetna,99213,,open,\nA3,Aetna,99213,1/2/26,paid,\n")
	if len(claims) != 1 || claims[0].DecidedDate != upstream.MakeDay(2026, 1, 9) {
		t.Errorf("claims %+v", claims)
	}
	if len(rejects) != 2 || rejects[0].Column != "dos" || rejects[1].Column != "check date" {
		t.Errorf("rejects %+v", rejects)
	}
}

// TestEveryClaimWrittenIsReadBack holds for any claim a file can state.
func TestEveryClaimWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := rapid.Map(rapid.Int32Range(10000, 20000), func(n int32) upstream.Day { return upstream.Day(n) })
		money := rapid.Map(rapid.Int64Range(-1e9, 1e9), func(n int64) upstream.Money { return upstream.Money(n) })
		want := upstream.Claim{
			ClaimID: rapid.StringMatching(`[A-Z0-9][A-Z0-9./-]{0,30}[A-Z]`).Draw(t, "claim"), Line: rapid.IntRange(1, 9999).Draw(t, "line"),
			Payer: rapid.StringMatching(`Trust [A-Z][a-zé"',;]{0,20}[a-z]`).Draw(t, "payer"), CPT: rapid.StringMatching(`[0-9]{5}|[A-V][0-9]{4}`).Draw(t, "cpt"),
			Units: rapid.IntRange(-99, 99).Draw(t, "units"), Row: 1, ServiceDate: day.Draw(t, "service"),
			Billed: money.Draw(t, "billed"), Allowed: money.Draw(t, "allowed"), Paid: money.Draw(t, "paid"),
		}
		want.SubmittedDate = want.ServiceDate + upstream.Day(rapid.IntRange(0, 30).Draw(t, "keyed"))
		want.DecidedDate = want.SubmittedDate + upstream.Day(rapid.IntRange(0, 90).Draw(t, "lag"))
		said := rapid.SampledFrom([]upstream.Outcome{upstream.Paid, upstream.Denied, upstream.Adjusted, upstream.Reversed}).Draw(t, "outcome")
		want.Outcome = upstream.Settle(said, want.Billed, want.Paid, "")
		want.Decide()
		claims, rejects, err := drain(strings.NewReader(oneRow(
			[2]string{"claim_id", want.ClaimID}, [2]string{"line", fmt.Sprint(want.Line)}, [2]string{"payer", want.Payer},
			[2]string{"cpt", want.CPT}, [2]string{"units", fmt.Sprint(want.Units)}, [2]string{"service_date", want.ServiceDate.String()},
			[2]string{"submitted_date", want.SubmittedDate.String()}, [2]string{"decided_date", want.DecidedDate.String()},
			[2]string{"outcome", said.String()}, [2]string{"billed", want.Billed.Plain()},
			[2]string{"allowed", want.Allowed.String()}, [2]string{"paid", want.Paid.Plain()})), Options{})
		if err != nil || len(claims) != 1 || claims[0] != want {
			t.Fatalf("%v %+v\n%s", err, rejects, cmp.Diff([]upstream.Claim{want}, claims))
		}
	})
}
