package synth

import (
	"testing"
	"time"

	"upstream"
)

func TestPayerTable(t *testing.T) {
	seen := map[string]bool{}
	total := 0.0
	for k := range maxPayers {
		p := factsOf(k)
		if name, _ := upstream.PayerName(p.name); name != p.name {
			t.Errorf("%q is not the one name of that payer, %q is", p.name, name)
		}
		if seen[p.name] {
			t.Errorf("%q twice", p.name)
		}
		seen[p.name] = true
		if p.remits[0] == p.remits[1] || p.share <= 0 || p.sigma < .3 || p.sigma > .45 || p.median < 5 {
			t.Errorf("%s has figures outside the sources: %+v", p.name, p)
		}
		if k < len(payerTable) {
			total += p.share
		}
	}
	if total < 95 || total > 101 {
		t.Errorf("the named payers make %.1f %% of claims", total)
	}
}

func TestProcedureTable(t *testing.T) {
	groups, codes := map[string]bool{}, map[string]bool{}
	for k, group := range procedureTable {
		name := upstream.CPTGroup(group[0].code)
		if groups[name] || name == upstream.OtherGroup {
			t.Errorf("group %d is %q again", k, name)
		}
		groups[name] = true
		weight := 0.0
		for _, f := range group {
			if upstream.CPTGroup(f.code) != name {
				t.Errorf("%s is of %q, not %q", f.code, upstream.CPTGroup(f.code), name)
			}
			if codes[f.code] || !upstream.IsProcedureCode(f.code) || f.medicare <= 0 {
				t.Errorf("%s is wrong or there twice", f.code)
			}
			codes[f.code] = true
			weight += f.weight
		}
		near(t, "weights of "+name, weight, 1, 1e-9)
	}
	if n := len(groups); n < 35 || n > 40 {
		t.Errorf("%d groups, want 35 to 40", n)
	}
}

func TestReasonsAreOfTheDenialClass(t *testing.T) {
	for _, r := range denialReasons {
		if !r.value.carc.HasDenial() {
			t.Errorf("%s denies nothing", r.value.carc)
		}
	}
	for _, r := range januaryReasons {
		if !r.value.HasDenial() {
			t.Errorf("%s denies nothing", r.value)
		}
	}
}

func TestRemittanceDays(t *testing.T) {
	monThu := [2]time.Weekday{time.Monday, time.Thursday}
	first := upstream.MakeDay(2026, time.January, 12) // a Monday
	for _, tc := range []struct {
		name    string
		day, at string
	}{
		{"on the day itself", "2026-01-12", "2026-01-12"},
		{"the next of two weekdays", "2026-01-13", "2026-01-15"},
		{"over the weekend to a holiday Monday, hence Tuesday", "2026-01-16", "2026-01-20"},
		{"the holiday itself", "2026-01-19", "2026-01-20"},
		{"after the moved one", "2026-01-21", "2026-01-22"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			day, _ := upstream.ParseDay(tc.day)
			next := remittanceDays(monThu, first, 30)
			if got := first + upstream.Day(next[day-first]); got.String() != tc.at {
				t.Errorf("decided %s, want %s", got, tc.at)
			}
		})
	}
	t.Run("a moved day before the data begins", func(t *testing.T) {
		tuesday := upstream.MakeDay(2026, time.January, 20)
		if next := remittanceDays(monThu, tuesday, 5); next[0] != 0 {
			t.Errorf("the Tuesday after the holiday decides on day %d, want 0", next[0])
		}
	})
	t.Run("past the end of the data", func(t *testing.T) {
		if next := remittanceDays(monThu, first, 6); next[4] < 6 {
			t.Errorf("Friday decides on day %d, want one after the data", next[4])
		}
	})
}

func TestMeanWait(t *testing.T) {
	near(t, "wait for Monday or Thursday", meanWait([2]time.Weekday{time.Monday, time.Thursday}), 9./7, 1e-12)
	near(t, "wait for Monday or Tuesday", meanWait([2]time.Weekday{time.Monday, time.Tuesday}), 15./7, 1e-12)
}

func TestNoPayerVanishesFromTheMix(t *testing.T) {
	for seed := range uint64(50) {
		for k, share := range payerMix(seed, maxPayers) {
			if share <= 1e-6 {
				t.Fatalf("seed %d: payer %d has share %g", seed, k, share)
			}
		}
	}
}
