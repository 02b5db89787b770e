package upstream_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"upstream"
)

func TestMoneyIsReadWithoutRounding(t *testing.T) {
	for in, want := range map[string]upstream.Money{
		"0": 0, "1": 100, "1.5": 150, "1234.50": 123450, "$1,234.50": 123450, "(100.00)": -10000, "($1,080.00)": -108000, "-$5": -500, "$-5": -500,
		" 7 ": 700, ".5": 50, "3.": 300, "+2": 200, "1.500": 150,
	} {
		if got, err := upstream.ParseMoney(in); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "$", "()", "nan", "1.005", "1,5.2.3", "1e5", "12 34", "--5", "99999999999999999999", ",5"} {
		if got, err := upstream.ParseMoney(in); err == nil {
			t.Errorf("%q is %d, want an error", in, got)
		}
	}
}

func TestMoneyIsWrittenForPeopleAndForFiles(t *testing.T) {
	for m, want := range map[upstream.Money][3]string{
		0: {"$0.00", "$0", "0.00"}, 5: {"$0.05", "$0", "0.05"}, 123450: {"$1,234.50", "$1,235", "1234.50"}, -123456789: {"-$1,234,567.89", "-$1,234,568", "-1234567.89"},
	} {
		if got := [3]string{m.String(), m.Dollars(), m.Plain()}; got != want {
			t.Errorf("%d is %v, want %v", int64(m), got, want)
		}
	}
}

func FuzzParseMoney(f *testing.F) {
	for _, s := range []string{"$1,234.50", "(5)", "-1", "0.00", "1e9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := upstream.ParseMoney(s)
		if err != nil {
			return
		}
		if back, err := upstream.ParseMoney(m.Plain()); err != nil || back != m {
			t.Errorf("%q is %d, written %q, read %d, %v", s, m, m.Plain(), back, err)
		}
	})
}

func TestFederalHolidaysAsObserved(t *testing.T) {
	want := map[int][]string{
		2024: {"01-01", "01-15", "02-19", "05-27", "06-19", "07-04", "09-02", "10-14", "11-11", "11-28", "12-25"},
		2026: {"01-01", "01-19", "02-16", "05-25", "06-19", "07-03", "09-07", "10-12", "11-11", "11-26", "12-25"},
		// 1 January 2028 is a Saturday: kept on 31 December 2027.
		2027: {"01-01", "01-18", "02-15", "05-31", "06-18", "07-05", "09-06", "10-11", "11-11", "11-25", "12-24", "12-31"},
	}
	for year, days := range want {
		var got []string
		for d := upstream.MakeDay(year, 1, 1); d < upstream.MakeDay(year+1, 1, 1); d++ {
			if w := d.Weekday(); w != time.Saturday && w != time.Sunday && !d.IsBusiness() {
				got = append(got, d.String()[5:])
			}
		}
		if !slices.Equal(got, days) {
			t.Errorf("%d: %v, want %v", year, got, days)
		}
	}
	if d := upstream.MakeDay(2026, 7, 3).NextBusiness(); d.String() != "2026-07-06" {
		t.Errorf("business day after Independence Day is %s", d)
	}
}

func TestDayAgreesWithTheCalendar(t *testing.T) {
	for d := upstream.MakeDay(1950, 1, 1); d < upstream.MakeDay(2101, 1, 1); d += 13 {
		if d == 0 {
			continue
		}
		if d.Weekday() != d.Time().Weekday() || upstream.DayOf(d.Time().Add(23*time.Hour)) != d {
			t.Fatalf("%s", d)
		}
		back, err := upstream.ParseDay(d.String())
		if err != nil || back != d {
			t.Fatalf("%s read as %s, %v", d, back, err)
		}
	}
	var days []upstream.Day
	if err := json.Unmarshal([]byte(`["2026-03-04",null]`), &days); err != nil || days[0].String() != "2026-03-04" || !days[1].IsZero() {
		t.Errorf("%v, %v", days, err)
	}
	if b, err := json.Marshal(days); err != nil || string(b) != `["2026-03-04",null]` {
		t.Errorf("%s, %v", b, err)
	}
	for _, bad := range []string{`"2026-13-01"`, `5`, `"x`} {
		if err := json.Unmarshal([]byte("["+bad+"]"), &days); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestManySpellingsNameOnePayer(t *testing.T) {
	for raw, want := range map[string]string{
		"UHC": "UnitedHealthcare", "United Healthcare": "UnitedHealthcare", "united health-care": "UnitedHealthcare", "UnitedHealthcare, Inc.": "UnitedHealthcare",
		"AETNA": "Aetna", "Aetna US Healthcare": "Aetna", "BCBS": "Blue Cross Blue Shield", "MEDICARE PART B": "Medicare", "UHC Medicare": "UHC Medicare Advantage",
	} {
		if got, known := upstream.PayerName(raw); got != want || !known {
			t.Errorf("%q is %q (%t), want %q", raw, got, known, want)
		}
	}
	if got, known := upstream.PayerName("  Acme   Benefit  Trust "); got != "Acme Benefit Trust" || known {
		t.Errorf("unknown payer %q, %t", got, known)
	}
	if name, _ := upstream.PayerName("Humana"); name == "Humana Medicare Advantage" {
		t.Error("a Medicare Advantage plan is a payer of its own")
	}
}

func TestCPTGroups(t *testing.T) {
	for code, want := range map[string]string{
		"99213": "E/M office visits", "97110": "Physical therapy", "97803": "Nutrition therapy", "20610": "Joint injections", "36415": "Venipuncture",
		"80053": "Lab panels", "70551": "CT and MRI", "73030": "X-ray", "J0131": "Drugs", "00100": "Anesthesia", "99999": "Other", "0001F": "Other", "": "Other", "ABCDE": "Other",
	} {
		if got := upstream.CPTGroup(code); got != want {
			t.Errorf("%s is %q, want %q", code, got, want)
		}
	}
	for code, want := range map[string]bool{"99213": true, "J0131": true, "0001F": true, "0042T": true, "9921": false, "992133": false, "=cmd|": false, "Z1234": false, "99a13": false, "j0131": false} {
		if got := upstream.IsProcedureCode(code); got != want {
			t.Errorf("%q: %t", code, got)
		}
	}
}

func TestErrorsHaveACodeAndKeepTheirCause(t *testing.T) {
	err := fmt.Errorf("outer: %w", upstream.Errorf(upstream.NotFound, "no file: %w", io.ErrUnexpectedEOF))
	if upstream.ErrorCode(err) != upstream.NotFound || !errors.Is(err, io.ErrUnexpectedEOF) || err.Error() != "outer: no file: unexpected EOF" {
		t.Errorf("%v, %s", err, upstream.ErrorCode(err))
	}
	if upstream.ErrorCode(nil) != "" || upstream.ErrorCode(io.EOF) != upstream.Internal {
		t.Error("nil has no code, a foreign error is internal")
	}
	joined := errors.Join(upstream.Errorf(upstream.Conflict, "a"), nil)
	if upstream.ErrorCode(joined) != upstream.Conflict {
		t.Error("a joined error keeps its code")
	}
}

func TestPageSizesAreBounded(t *testing.T) {
	for size, want := range map[int]int{0: 50, -1: 50, 10: 10, 500: 500, 501: 500} {
		if got := (upstream.Page{Size: size}).Limit(); got != want {
			t.Errorf("%d: %d, want %d", size, got, want)
		}
	}
}
