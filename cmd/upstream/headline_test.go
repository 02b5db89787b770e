package main

import (
	"testing"

	"upstream"
)

func TestHeadlinesTellWhatWhereSinceWhenWhyAndHowMuch(t *testing.T) {
	day := func(s string) upstream.Day {
		d, err := upstream.ParseDay(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	money := func(dollars int64) *upstream.Money { return new(upstream.Money(100 * dollars)) }
	asOf := day("2026-06-30")
	tests := []struct {
		name  string
		event upstream.DriftEvent
		want  string
	}{
		{"denials of a group", upstream.DriftEvent{
			Signal: upstream.DenialRate, Level: upstream.GroupLevel, Payer: new("Aetna"), CPTGroup: new("Physical therapy"),
			BaselineValue: .081, CurrentValue: .172, ChangeDate: day("2026-03-04"), ChangeDateLow: day("2026-03-02"), ChangeDateHigh: day("2026-03-07"),
			RootCauses: []upstream.RootCause{
				{Dimension: "carc", Value: "197", ShareOfExcess: .9},
				{Dimension: "location", Value: "South Clinic", ShareOfExcess: .85},
				{Dimension: "carc", Value: "11", ShareOfExcess: .1, New: true, Minor: true},
			},
			JointShare: .81, DollarsPerMonth: 4100_00, DollarsLow: money(2300), DollarsHigh: money(6400), EvidenceClaims: 212,
		}, "Aetna, Physical therapy: denials 8 % → 17 % since 4 March (± 3 days), CARC 197 at South Clinic explains 81 % of it, $4,100 a month (90 %: 2,300–6,400), 212 claims"},
		{"denials of a payer, spread, of last year", upstream.DriftEvent{
			Signal: upstream.DenialRate, Level: upstream.PayerLevel, Payer: new("Cigna"),
			BaselineValue: .031, CurrentValue: .062, ChangeDate: day("2025-12-30"), ChangeDateLow: day("2025-12-30"), ChangeDateHigh: day("2025-12-31"),
			RootCauses:      []upstream.RootCause{{Dimension: "cpt_group", Value: "Imaging", ShareOfExcess: .3, Minor: true}},
			Spread:          "all 4 locations, none above 30 %",
			DollarsPerMonth: 900_00, EvidenceClaims: 1,
		}, "Cigna: denials 3.1 % → 6.2 % since 30 December 2025 (± 1 day), $900 a month, 1 claim"},
		{"a start that may lie far back", upstream.DriftEvent{
			Signal: upstream.DenialRate, Level: upstream.PayerLevel, Payer: new("Cigna"), BaselineValue: .06, CurrentValue: .12,
			ChangeDate: day("2026-06-01"), ChangeDateLow: day("2026-04-07"), ChangeDateHigh: day("2026-06-04"),
		}, "Cigna: denials 6 % → 12 % since 1 June (between 7 April and 4 June)"},
		{"a code never seen", upstream.DriftEvent{
			Signal: upstream.DenialRate, Level: upstream.PayerLevel, Payer: new("Cigna"), BaselineValue: .06, CurrentValue: .12, ChangeDate: day("2026-06-01"),
			RootCauses: []upstream.RootCause{{Dimension: "carc", Value: "252", ShareOfExcess: .7, New: true}},
		}, "Cigna: denials 6 % → 12 % since 1 June, CARC 252 (new) explains 70 % of it"},
		{"the market", upstream.DriftEvent{
			Signal: upstream.DenialRate, Level: upstream.MarketLevel, BaselineValue: .08, CurrentValue: .12, ChangeDate: day("2026-06-01"), DollarsPerMonth: 9000_00, EvidenceClaims: 4321,
		}, "All payers: denials 8 % → 12 % since 1 June, the market or your own front end, $9,000 a month, 4,321 claims"},
		{"an improvement", upstream.DriftEvent{
			Signal: upstream.DenialRate, Level: upstream.PayerLevel, Payer: new("Cigna"), Direction: upstream.Better, BaselineValue: .17, CurrentValue: .08,
			ChangeDate: day("2026-06-01"), DollarsPerMonth: -4100_00, DollarsLow: money(-6400), DollarsHigh: money(-2300), EvidenceClaims: 12,
		}, "Cigna: denials 17 % → 8 % since 1 June, an improvement, $4,100 a month gained (90 %: 2,300–6,400)"},
		{"decisions", upstream.DriftEvent{
			Signal: upstream.DecisionTime, Clock: upstream.DecisionClock, Level: upstream.PayerLevel, Payer: new("Humana"), BaselineValue: 14, CurrentValue: 21,
			ChangeDate: day("2026-05-04"), ChangeDateLow: day("2026-05-02"), ChangeDateHigh: day("2026-05-06"), EvidenceClaims: 340, DollarsPerMonth: 5000_00,
		}, "Humana: decisions take 14 → 21 days since 4 May (± 2 days), $5,000 held back, 340 claims"},
		{"payments", upstream.DriftEvent{
			Signal: upstream.DecisionTime, Clock: upstream.PaymentClock, Level: upstream.PayerLevel, Payer: new("Humana"), BaselineValue: 3, CurrentValue: 7.5, ChangeDate: day("2026-05-04"),
		}, "Humana: payments take 3 → 7.5 days since 4 May"},
		{"allowed amounts", upstream.DriftEvent{
			Signal: upstream.AllowedAmount, Level: upstream.GroupLevel, Payer: new("Cigna"), CPTGroup: new("Office visits"), BaselineValue: .985, CurrentValue: .957,
			ChangeDate: day("2026-03-02"), Codes: []upstream.CodeChange{{CPT: "99214", Before: 131_20, After: 127_26, Lines: 212, Short: 835_28}},
			DollarsPerMonth: 300_00, DollarsLow: money(200), DollarsHigh: money(400), EvidenceClaims: 212,
		}, "Cigna, Office visits: allowed amounts 98.5 % → 95.7 % of the contract's rate since 2 March, 99214: 131.20 → 127.26 (−3.0 %), 212 lines, $835, $300 a month (90 %: 200–400), 212 claims"},
		{"takebacks", upstream.DriftEvent{
			Signal: upstream.Takeback, Level: upstream.PayerLevel, Payer: new("Anthem"), BaselineValue: .003, CurrentValue: .021, ChangeDate: day("2026-03-02"), EvidenceClaims: 40,
		}, "Anthem: payments taken back 0.3 % → 2.1 % since 2 March, 40 claims"},
		{"overturns", upstream.DriftEvent{
			Signal: upstream.Overturn, Level: upstream.PayerLevel, Payer: new("Anthem"), BaselineValue: .45, CurrentValue: .2, ChangeDate: day("2026-03-02"), EvidenceClaims: 90,
		}, "Anthem: denials overturned 45 % → 20 % since 2 March, 90 claims"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := headline(&test.event, asOf); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestManyCodesAreCutShort(t *testing.T) {
	e := upstream.DriftEvent{Codes: make([]upstream.CodeChange, 6)}
	for i := range e.Codes { // the last is the first with another modifier
		e.Codes[i] = upstream.CodeChange{CPT: "9921" + string(rune('1'+i%5)), Before: 100_00, After: 103_00, Lines: 1}
	}
	want := "99211: 100.00 → 103.00 (+3.0 %), 2 lines, $0; 99212: 100.00 → 103.00 (+3.0 %), 1 line, $0; and 3 more"
	if got := codes(&e); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatARunClosedIsTold(t *testing.T) {
	e := upstream.DriftEvent{ID: 3, Signal: upstream.DenialRate, Payer: new("Aetna"), BaselineValue: .08, CurrentValue: .17, Status: upstream.Resolved, Resolution: upstream.ResolvedBack}
	if got, want := resolvedLine(&e), "resolved #3  Aetna: denials 8 % → 17 %; it is back where it was"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	p := upstream.PromptPay{Payer: "Aetna", LimitDays: 30, FirstDay: 20_454, LastDay: 20_483, Decided: 1200, Late: 14, Overdue: 3}
	if got, want := promptPayLine(p), "prompt pay: Aetna decided 14 of 1,200 claims after the limit of 30 days from 2026-01-01 to 2026-01-30; 3 overdue"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
