package upstream_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"upstream"
)

func TestSettleIsTheOneDefinitionOfADenial(t *testing.T) {
	tests := []struct {
		name         string
		said         upstream.Outcome
		billed, paid upstream.Money
		carc         upstream.Codes
		want         upstream.Outcome
	}{
		{"denied with a denial-class code", upstream.Denied, 100, 0, "CO-197", upstream.Denied},
		{"denied without any code: the word holds", upstream.Denied, 100, 0, "", upstream.Denied},
		{"called denied, but only the deductible", upstream.Denied, 100, 0, "PR-1", upstream.Paid},
		{"called denied, but only contract and deductible", upstream.Denied, 100, 0, "CO-45 PR-1", upstream.Paid},
		{"called paid, nothing paid, denial-class code", upstream.Paid, 100, 0, "CO-45 CO-16", upstream.Denied},
		{"called adjusted, nothing paid, denial-class code", upstream.Adjusted, 100, 0, "50", upstream.Denied},
		{"paid nothing because of the deductible", upstream.Paid, 100, 0, "PR-1", upstream.Paid},
		{"called denied, but something was paid", upstream.Denied, 100, 5, "CO-97", upstream.Adjusted},
		{"paid with a code", upstream.Paid, 100, 5, "CO-97", upstream.Paid},
		{"pending", upstream.Pending, 100, 0, "CO-197", upstream.Pending},
		{"negative charge is a takeback", upstream.Paid, -100, 64, "", upstream.Reversed},
		{"negative payment is a takeback", upstream.Denied, 100, -64, "CO-197", upstream.Reversed},
		{"reversed", upstream.Reversed, 100, 0, "", upstream.Reversed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := upstream.Settle(test.said, test.billed, test.paid, test.carc); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func TestOnlyPrimaryClaimsCountAsDenials(t *testing.T) {
	tests := []struct {
		filing          upstream.Filing
		first           upstream.Outcome
		decided, denial bool
	}{
		{upstream.Primary, upstream.Denied, true, true},
		{upstream.Primary, upstream.Paid, true, false},
		{upstream.Primary, upstream.Adjusted, true, false},
		{upstream.Primary, upstream.Pending, false, false},
		{upstream.Primary, upstream.Reversed, false, false},
		{upstream.Secondary, upstream.Denied, false, false},
		{upstream.Tertiary, upstream.Paid, false, false},
	}
	for _, test := range tests {
		c := upstream.Claim{Filing: test.filing, FirstOutcome: test.first, Outcome: upstream.Paid}
		if c.IsDecided() != test.decided || c.IsDenial() != test.denial {
			t.Errorf("filing %d, first %s: decided %t, denial %t", test.filing, test.first, c.IsDecided(), c.IsDenial())
		}
	}
}

func TestParseCodes(t *testing.T) {
	for in, want := range map[string]upstream.Codes{
		"": "", "197": "197", "co-197": "CO-197", "CO197": "CO-197", "CO 45, PR2": "CO-45 PR-2", "16;50|N130": "16 50 N130", "B7": "B7", "CO-B7/MA01": "CO-B7 MA01",
	} {
		if got, err := upstream.ParseCodes(in); err != nil || got != want {
			t.Errorf("%q became %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"NONE", "N/A", "CO", "197 CO", "precertification absent", "CO-", "1234567", "=1+1"} {
		if got, err := upstream.ParseCodes(in); upstream.ErrorCode(err) != upstream.Invalid {
			t.Errorf("%q became %q, %v", in, got, err)
		}
	}
	if got := upstream.Codes("CO-197 PR-1").First(); got != "CO-197" {
		t.Error(got)
	}
}

// states draws a state of one claim; row tells states apart.
func states() *rapid.Generator[upstream.Claim] {
	return rapid.Custom(func(t *rapid.T) upstream.Claim {
		c := upstream.Claim{
			ClaimID: "A", Line: 1, Payer: "Aetna", CPT: "99213", SubmittedDate: 100, Outcome: upstream.Pending, FirstOutcome: upstream.Pending,
			Upload: rapid.Int64Range(1, 3).Draw(t, "upload"), Row: rapid.Int64Range(1, 1000).Draw(t, "row"),
			Billed: upstream.Money(rapid.Int64Range(1, 3).Draw(t, "billed")),
		}
		if rapid.Bool().Draw(t, "decided") {
			c.DecidedDate = 100 + upstream.Day(rapid.IntRange(0, 4).Draw(t, "lag"))
			c.FirstDecidedDate = c.DecidedDate
			c.Outcome = rapid.SampledFrom([]upstream.Outcome{upstream.Paid, upstream.Denied, upstream.Adjusted, upstream.Reversed}).Draw(t, "outcome")
			c.FirstOutcome = c.Outcome
		}
		return c
	})
}

// fileOf is the date of an upload's file.
func fileOf(c upstream.Claim) upstream.Day { return upstream.Day(200 + c.Upload) }

func merged(states []upstream.Claim) upstream.Claim {
	c := states[0]
	for _, s := range states[1:] {
		c, _ = upstream.Merge(c, s, fileOf(c), fileOf(s))
	}
	return c
}

func TestMergeDoesNotDependOnTheOrderOfFiles(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		all := rapid.SliceOfNDistinct(states(), 1, 6, func(c upstream.Claim) [2]int64 { return [2]int64{c.Upload, c.Row} }).Draw(r, "states")
		shuffled := rapid.Permutation(all).Draw(r, "order")
		a, b := merged(all), merged(shuffled)
		// Which of two equal states was read first is not part of the claim.
		a.Upload, a.Row, b.Upload, b.Row = 0, 0, 0, 0
		// Two states with the same content in other files are one state, so that
		// a restatement does not move a tie; leave ties of one day out.
		if tied(all) {
			return
		}
		if diff := cmp.Diff(a, b); diff != "" {
			r.Fatal(diff)
		}
	})
}

// tied reports whether two states were decided on one day, or both are pending.
func tied(all []upstream.Claim) bool {
	seen := map[upstream.Day]bool{}
	for _, c := range all {
		if seen[c.DecidedDate] {
			return true
		}
		seen[c.DecidedDate] = true
	}
	return false
}

func TestMergeAgainChangesNothing(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		all := rapid.SliceOfN(states(), 1, 5).Draw(r, "states")
		c := merged(all)
		again := c
		again.Upload, again.Row = 9, 9
		if out, changed := upstream.Merge(c, again, fileOf(c), 999); changed || out != c {
			r.Fatalf("%+v became %+v", c, out)
		}
	})
}

func TestMergeKeepsWhatTheNewerStateLeavesEmpty(t *testing.T) {
	known := upstream.Claim{ID: 7, ClaimID: "A", Outcome: upstream.Pending, FirstOutcome: upstream.Pending, Modifiers: "25", Location: "North", ServiceDate: 99, Upload: 1}
	newer := upstream.Claim{ClaimID: "A", Outcome: upstream.Paid, FirstOutcome: upstream.Paid, DecidedDate: 110, FirstDecidedDate: 110, Location: "South", Upload: 2}
	got, changed := upstream.Merge(known, newer, 1, 2)
	want := newer
	want.ID, want.Modifiers, want.ServiceDate = 7, "25", 99
	if diff := cmp.Diff(want, got); diff != "" || !changed {
		t.Error(diff, changed)
	}
}

func TestOnOneDayATakebackNeverStandsFirst(t *testing.T) {
	reversal := upstream.Claim{ClaimID: "A", Outcome: upstream.Reversed, FirstOutcome: upstream.Reversed, DecidedDate: 110, FirstDecidedDate: 110, Upload: 1, Row: 1}
	denial := upstream.Claim{ClaimID: "A", Outcome: upstream.Denied, FirstOutcome: upstream.Denied, DecidedDate: 110, FirstDecidedDate: 110, Upload: 1, Row: 2}
	got, _ := upstream.Merge(reversal, denial, 1, 1)
	if got.FirstOutcome != upstream.Denied || got.Outcome != upstream.Denied {
		t.Errorf("%+v", got)
	}
}

func TestResubmissionKeepsTheFirstSubmission(t *testing.T) {
	denied := upstream.Claim{ClaimID: "A", SubmittedDate: 100, Outcome: upstream.Denied, FirstOutcome: upstream.Denied, DecidedDate: 109, FirstDecidedDate: 109, Upload: 1}
	again := upstream.Claim{ClaimID: "A", SubmittedDate: 110, Outcome: upstream.Paid, FirstOutcome: upstream.Paid, DecidedDate: 128, FirstDecidedDate: 128, Upload: 2}
	for name, got := range map[string]upstream.Claim{"in order": merged([]upstream.Claim{denied, again}), "late": merged([]upstream.Claim{again, denied})} {
		if got.SubmittedDate != 100 || got.FirstDecidedDate != 109 || !got.IsDenial() || got.Outcome != upstream.Paid {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestSecondaryPayerDoesNotEraseThePrimarysDecision(t *testing.T) {
	primary := upstream.Claim{ClaimID: "A", Payer: "Aetna", SubmittedDate: 100, Outcome: upstream.Denied, FirstOutcome: upstream.Denied, DecidedDate: 109, FirstDecidedDate: 109, Upload: 1}
	secondary := upstream.Claim{ClaimID: "A", Payer: "Cigna", Filing: upstream.Secondary, SubmittedDate: 112, Outcome: upstream.Paid, FirstOutcome: upstream.Paid, DecidedDate: 128, FirstDecidedDate: 128, Upload: 2}
	for name, got := range map[string]upstream.Claim{"in order": merged([]upstream.Claim{primary, secondary}), "late": merged([]upstream.Claim{secondary, primary})} {
		if diff := cmp.Diff(primary, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
