package upstream_test

import (
	"slices"
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

// states draws a state of one claim, as a reader that sees it alone; row tells
// states apart.
func states() *rapid.Generator[upstream.Claim] {
	return rapid.Custom(func(t *rapid.T) upstream.Claim {
		c := upstream.Claim{
			ClaimID: "A", Line: 1, Payer: "Aetna", CPT: "99213", SubmittedDate: 100, Outcome: upstream.Pending,
			ReceivedDate: rapid.SampledFrom([]upstream.Day{0, 101, 103}).Draw(t, "received"),
			Upload:       rapid.Int64Range(1, 3).Draw(t, "upload"), Row: rapid.Int64Range(1, 1000).Draw(t, "row"),
			Billed: upstream.Money(rapid.Int64Range(1, 3).Draw(t, "billed")),
		}
		if rapid.Bool().Draw(t, "decided") {
			c.DecidedDate = 100 + upstream.Day(rapid.IntRange(0, 8).Draw(t, "lag"))
			c.Outcome = rapid.SampledFrom([]upstream.Outcome{upstream.Paid, upstream.Denied, upstream.Adjusted, upstream.Reversed}).Draw(t, "outcome")
			c.Allowed = upstream.Money(rapid.Int64Range(0, 3).Draw(t, "allowed"))
			c.CARC = rapid.SampledFrom([]upstream.Codes{"", "CO-45", "CO-197"}).Draw(t, "carc")
			c.RARC = rapid.SampledFrom([]upstream.Codes{"", "N130"}).Draw(t, "rarc")
			c.PaymentDate = rapid.SampledFrom([]upstream.Day{0, c.DecidedDate + 2}).Draw(t, "payment")
		}
		c.Decide()
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

func paying(o upstream.Outcome) bool { return o == upstream.Paid || o == upstream.Adjusted }

// history is what the states of a claim say together about its past; states that
// were decided on one day are in no order here.
func history(all []upstream.Claim) (first upstream.Claim, reversed, repaid upstream.Day) {
	ordered := slices.SortedFunc(slices.Values(all), func(a, b upstream.Claim) int { return int(a.DecidedDate - b.DecidedDate) })
	for _, c := range ordered {
		pays := paying(c.Outcome)
		switch {
		case c.Outcome == upstream.Pending:
		case first.FirstDecidedDate == 0:
			first = c
		case pays && repaid == 0 && (!paying(first.Outcome) || reversed != 0):
			repaid = c.DecidedDate
		}
		if c.Outcome == upstream.Reversed && reversed == 0 {
			reversed = c.DecidedDate
		}
	}
	return first, reversed, repaid
}

func TestMergeDoesNotDependOnTheOrderOfFiles(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		// One state a day: which of two states of one day stands is told by their
		// files, and a file that only restates a claim is not remembered.
		all := rapid.SliceOfNDistinct(states(), 1, 6, func(c upstream.Claim) upstream.Day { return c.DecidedDate }).Draw(r, "states")
		inOrder := merged(slices.SortedFunc(slices.Values(all), func(a, b upstream.Claim) int { return int(a.DecidedDate - b.DecidedDate) }))
		first, reversed, repaid := history(all)
		if diff := cmp.Diff(
			[]any{first.FirstDecidedDate, first.Outcome, first.Allowed, first.CARC, first.RARC, first.PaymentDate, reversed, repaid},
			[]any{inOrder.FirstDecidedDate, inOrder.FirstOutcome, inOrder.FirstAllowed, inOrder.FirstCARC, inOrder.FirstRARC, inOrder.FirstPaymentDate, inOrder.ReversedDate, inOrder.RepaidDate},
		); first.FirstDecidedDate != 0 && diff != "" {
			r.Fatalf("in the order of decision: the history -, merged +\n%s", diff)
		}
		shuffled := merged(rapid.Permutation(all).Draw(r, "order"))
		// A payment that was replaced before a reversal was known is forgotten, if
		// it was not the first: then a later one, or none, is known to restore.
		if paying(inOrder.FirstOutcome) && shuffled.RepaidDate != inOrder.RepaidDate {
			restores := func(c upstream.Claim) bool { return paying(c.Outcome) && c.DecidedDate == shuffled.RepaidDate }
			if shuffled.RepaidDate != 0 && (shuffled.RepaidDate < reversed || !slices.ContainsFunc(all, restores)) {
				r.Fatalf("repaid on %d, which no state says", shuffled.RepaidDate)
			}
			if shuffled.RepaidDate != 0 && shuffled.RepaidDate < inOrder.RepaidDate {
				r.Fatalf("repaid on %d, but first on %d", shuffled.RepaidDate, inOrder.RepaidDate)
			}
			shuffled.RepaidDate = inOrder.RepaidDate
		}
		// Which of two equal states was read first is not part of the claim.
		inOrder.Upload, inOrder.Row, shuffled.Upload, shuffled.Row = 0, 0, 0, 0
		if diff := cmp.Diff(inOrder, shuffled); diff != "" {
			r.Fatal(diff)
		}
	})
}

// What is told about the past of a claim does not depend on the order of files
// either where states share a day, as long as none of them is forgotten: of a
// denial nothing is.
func TestPastOfADenialDoesNotDependOnTheOrderOfFiles(t *testing.T) {
	past := func(c upstream.Claim) []any {
		return []any{c.FirstDecidedDate, c.FirstOutcome, c.FirstAllowed, c.FirstCARC, c.FirstRARC, c.FirstPaymentDate, c.ReversedDate, c.RepaidDate}
	}
	rapid.Check(t, func(r *rapid.T) {
		all := rapid.SliceOfN(states(), 1, 6).Draw(r, "states")
		a, b := merged(all), merged(rapid.Permutation(all).Draw(r, "order"))
		if !a.IsDenial() && !b.IsDenial() {
			return
		}
		if diff := cmp.Diff(past(a), past(b)); diff != "" {
			r.Fatal(diff)
		}
	})
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

func TestDecideMakesTheStateTheFirstDecision(t *testing.T) {
	full := func(o upstream.Outcome) upstream.Claim {
		return upstream.Claim{
			Outcome: o, DecidedDate: 110, PaymentDate: 112, Allowed: 80, CARC: "CO-45", RARC: "N130",
			FirstAllowed: 1, FirstCARC: "x", FirstRARC: "x", FirstPaymentDate: 1, ReversedDate: 1, RepaidDate: 1,
		}
	}
	for _, o := range []upstream.Outcome{upstream.Paid, upstream.Denied, upstream.Adjusted, upstream.Reversed} {
		c := full(o)
		c.Decide()
		want := full(o)
		want.FirstOutcome, want.FirstDecidedDate, want.FirstPaymentDate = o, 110, 112
		want.FirstAllowed, want.FirstCARC, want.FirstRARC, want.ReversedDate, want.RepaidDate = 80, "CO-45", "N130", 0, 0
		if o == upstream.Reversed {
			want.ReversedDate = 110
		}
		if diff := cmp.Diff(want, c); diff != "" {
			t.Errorf("%s: %s", o, diff)
		}
	}
	open := upstream.Claim{Outcome: upstream.Pending, Allowed: 80, CARC: "CO-45"}
	if open.Decide(); open.FirstOutcome != upstream.Pending || open.FirstAllowed != 0 || open.FirstCARC != "" {
		t.Errorf("a pending claim has a first decision: %+v", open)
	}
}

// state is a state of a claim that a file tells, decided on a day.
func state(o upstream.Outcome, day upstream.Day, allowed upstream.Money) upstream.Claim {
	c := upstream.Claim{ClaimID: "A", SubmittedDate: 90, Outcome: o, DecidedDate: day, Allowed: allowed, Row: int64(day)}
	c.Decide()
	return c
}

func TestWhenAPaymentWasReversedAndRestored(t *testing.T) {
	const denied, paid, adjusted, reversed = upstream.Denied, upstream.Paid, upstream.Adjusted, upstream.Reversed
	tests := []struct {
		name             string
		states           []upstream.Claim
		reversed, repaid upstream.Day
	}{
		{"paid", []upstream.Claim{state(paid, 100, 80)}, 0, 0},
		{"paid, and more", []upstream.Claim{state(paid, 100, 80), state(paid, 120, 90)}, 0, 0},
		{"denied", []upstream.Claim{state(denied, 100, 0)}, 0, 0},
		{"denied again", []upstream.Claim{state(denied, 100, 0), state(denied, 120, 0)}, 0, 0},
		{"overturned", []upstream.Claim{state(denied, 100, 0), state(adjusted, 120, 80), state(paid, 130, 80)}, 0, 120},
		{"overturned on one day", []upstream.Claim{state(denied, 100, 0), state(paid, 100, 80)}, 0, 100},
		{"overturned and taken back", []upstream.Claim{state(denied, 100, 0), state(paid, 120, 80), state(reversed, 150, 0)}, 150, 120},
		{"taken back", []upstream.Claim{state(paid, 100, 80), state(reversed, 150, 0)}, 150, 0},
		{"taken back twice", []upstream.Claim{state(paid, 100, 80), state(reversed, 150, 0), state(reversed, 190, 0)}, 150, 0},
		{"reversed and corrected on one day", []upstream.Claim{state(paid, 100, 80), state(reversed, 150, 0), state(adjusted, 150, 70)}, 150, 150},
		{"restored later", []upstream.Claim{state(paid, 100, 80), state(reversed, 150, 0), state(adjusted, 170, 70)}, 150, 170},
		{"the data begin with a correction", []upstream.Claim{state(reversed, 150, 0), state(paid, 150, 80)}, 150, 150},
		{"the data begin with a takeback", []upstream.Claim{state(reversed, 150, 0), state(paid, 170, 80)}, 150, 170},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for i := range test.states {
				test.states[i].Row = int64(i)
			}
			if c := merged(test.states); c.ReversedDate != test.reversed || c.RepaidDate != test.repaid {
				t.Errorf("reversed on %d and repaid on %d, want %d and %d", c.ReversedDate, c.RepaidDate, test.reversed, test.repaid)
			}
		})
	}
}

func TestFirstDecisionMovesAsOne(t *testing.T) {
	early, late := state(upstream.Denied, 100, 0), state(upstream.Paid, 120, 80)
	early.CARC, late.PaymentDate = "CO-197", 122
	early.Decide()
	late.Decide()
	for name, c := range map[string]upstream.Claim{"in order": merged([]upstream.Claim{early, late}), "late": merged([]upstream.Claim{late, early})} {
		if c.FirstOutcome != upstream.Denied || c.FirstCARC != "CO-197" || c.FirstAllowed != 0 || c.FirstPaymentDate != 0 || c.RepaidDate != 120 || c.Allowed != 80 {
			t.Errorf("%s: %+v", name, c)
		}
	}
	// The payment of a decision may be told later than the decision.
	told := late
	told.PaymentDate = 0
	told.Decide()
	for name, c := range map[string]upstream.Claim{"in order": merged([]upstream.Claim{told, late}), "late": merged([]upstream.Claim{late, told})} {
		if c.FirstPaymentDate != 122 {
			t.Errorf("%s: first paid on %d, want 122", name, c.FirstPaymentDate)
		}
	}
}
