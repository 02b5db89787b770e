package synth

import (
	"testing"

	"pgregory.net/rapid"

	"upstream"
)

// anyOptions draws options of all kinds, with drifts of all signals.
func anyOptions(t *rapid.T) Options {
	o := Options{
		Records:   rapid.Int64Range(1, 1e9).Draw(t, "records"),
		Seed:      rapid.Uint64().Draw(t, "seed"),
		Days:      rapid.IntRange(1, 900).Draw(t, "days"),
		AsOf:      asOf - upstream.Day(rapid.IntRange(0, 3000).Draw(t, "back")),
		Payers:    rapid.IntRange(1, 30).Draw(t, "payers"),
		Locations: rapid.IntRange(1, 20).Draw(t, "locations"),
		Placebo:   rapid.Bool().Draw(t, "placebo"),
		RandomIDs: rapid.Bool().Draw(t, "random ids"),
	}
	drift := rapid.Custom(func(t *rapid.T) Drift {
		signal := rapid.SampledFrom([]upstream.Signal{upstream.DenialRate, upstream.DecisionTime, upstream.AllowedAmount}).Draw(t, "signal")
		b := deltaBounds[signal]
		d := Drift{
			Signal: signal, Shape: rapid.SampledFrom([]Shape{"", Step, Ramp, Spike}).Draw(t, "shape"),
			Payer: rapid.SampledFrom(append(payerNames(o.Payers), EveryPayer)).Draw(t, "payer"),
			Start: o.first() + upstream.Day(rapid.IntRange(0, o.Days-1).Draw(t, "start")),
			Delta: rapid.Float64Range(b[0], b[1]).Draw(t, "delta"),
		}
		if d.effect() == 0 {
			d.Delta = b[1]
		}
		if rapid.Bool().Draw(t, "one location") {
			d.Location = locationsOf(o.Locations)[o.Locations-1]
		}
		if signal == upstream.DenialRate && d.Delta > 0 {
			d.CARC = rapid.SampledFrom([]string{"", "197", "CO-50", "999"}).Draw(t, "carc")
		}
		return d
	})
	o.Drifts = rapid.SliceOfN(drift, 0, 6).Draw(t, "drifts")
	return o
}

func TestEveryClaimIsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyOptions(t)
		g, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		var c upstream.Claim
		for range 200 {
			i := rapid.Int64Range(0, o.Records-1).Draw(t, "i")
			g.Claim(i, &c)
			for _, flaw := range flaws(&c, o.AsOf) {
				t.Errorf("claim %d: %s: %+v", i, flaw, c)
			}
		}
	})
}

// flaws lists what no claim of the generator may be.
func flaws(c *upstream.Claim, asOf upstream.Day) (f []string) {
	bad := func(is bool, what string) {
		if is {
			f = append(f, what)
		}
	}
	name, _ := upstream.PayerName(c.Payer)
	bad(name != c.Payer, "payer is not the one name of the payer")
	bad(!upstream.IsProcedureCode(c.CPT), "no procedure code")
	bad(c.ClaimID == "" || c.Line != 1 || c.Units < 1 || c.Location == "" || len(c.PlaceOfService) != 2, "field missing")
	bad(c.ServiceDate <= 0 || c.ServiceDate > c.SubmittedDate, "service after submission")
	bad(c.SubmittedDate > asOf || c.ReceivedDate > asOf || c.DecidedDate > asOf, "knows the future")
	bad(c.ReceivedDate != 0 && c.ReceivedDate < c.SubmittedDate, "received before submission")
	bad(c.Billed <= 0 || c.Allowed < 0 || c.Allowed > c.Billed || c.Paid < 0 || c.Paid > c.Allowed, "money out of order")
	bad(upstream.Settle(c.Outcome, c.Billed, c.Paid, c.CARC) != c.Outcome, "outcome is not what Settle makes of it")
	bad(c.FirstOutcome != c.Outcome || c.FirstDecidedDate != c.DecidedDate, "first decision is another")
	for _, codes := range []upstream.Codes{c.CARC, c.RARC} {
		parsed, err := upstream.ParseCodes(string(codes))
		bad(err != nil || parsed != codes, "codes do not parse back")
	}
	switch c.Outcome {
	case upstream.Pending:
		bad(c.DecidedDate != 0 || c.PaymentDate != 0 || c.CARC != "" || c.RARC != "" || c.Allowed != 0 || c.PayerControlNumber != "", "pending, but decided")
		return f
	case upstream.Denied:
		bad(c.Paid != 0 || c.Allowed != 0 || !c.CARC.HasDenial() || !c.IsDenial(), "denied, but not")
	case upstream.Paid:
		bad(c.Allowed == 0 || c.CARC.HasDenial() || c.RARC != "", "paid, but not")
	default:
		bad(true, "outcome of no first decision")
	}
	bad(!c.IsDecided(), "decided, but does not count")
	bad(c.ReceivedDate == 0 || c.DecidedDate < c.ReceivedDate, "decided before receipt")
	bad(!c.DecidedDate.IsBusiness(), "decided on a day off")
	bad(c.PaymentDate != c.DecidedDate, "remitted on another day")
	bad(c.PayerControlNumber == "", "no payer control number")
	return f
}

func TestAPileOfDriftsStaysInBounds(t *testing.T) {
	var drifts []Drift
	for range 60 {
		for _, d := range []Drift{
			{Signal: upstream.DecisionTime, Delta: 10},
			{Signal: upstream.AllowedAmount, Delta: -.5},
			{Signal: upstream.DenialRate, Delta: .9},
			{Signal: upstream.DenialRate, Delta: -.9},
		} {
			d.Payer, d.Start = EveryPayer, asOf-200
			drifts = append(drifts, d)
		}
	}
	for i, c := range all(generator(t, withDrifts(5000, drifts...))) {
		for _, flaw := range flaws(c, asOf) {
			t.Fatalf("claim %d: %s: %+v", i, flaw, *c)
		}
	}
}

func TestPayerControlNumbersAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for i, c := range all(generator(t, yearOf(20_000))) {
		if n := c.PayerControlNumber; n != "" && seen[n] {
			t.Fatalf("claim %d repeats a payer control number", i)
		}
		seen[c.PayerControlNumber] = true
	}
}

func TestTimesRoundsHalfUp(t *testing.T) {
	for _, tc := range []struct{ amount, factor, want int64 }{
		{100, scale, 100},
		{100, scale / 2, 50},
		{101, scale / 2, 51},
		{-101, scale / 2, -50},
		{9_999_999_99, scale * 97 / 100, 969_999_999},
		{0, scale, 0},
	} {
		if got := times(tc.amount, tc.factor); got != tc.want {
			t.Errorf("times(%d, %d) = %d, want %d", tc.amount, tc.factor, got, tc.want)
		}
	}
}

func TestMedicarePaysNothingBeforeItsFloor(t *testing.T) {
	early := 0
	for _, c := range all(generator(t, yearOf(30_000))) {
		if c.Payer != "Medicare" || c.DecidedDate == 0 {
			continue
		}
		days := c.DecidedDate - c.ReceivedDate
		if c.Outcome == upstream.Paid && days < medicareFloorDays {
			t.Fatalf("paid after %d days", days)
		}
		if c.Outcome == upstream.Denied && days < medicareFloorDays {
			early++
		}
	}
	if early == 0 {
		t.Error("no denial came before the floor, which binds only payments")
	}
}

func TestDeductibleIsPaidAndNoDenial(t *testing.T) {
	whole := 0
	for _, c := range all(generator(t, yearOf(20_000))) {
		if c.Outcome == upstream.Paid && c.Paid == 0 {
			whole++
			if c.IsDenial() || c.Allowed == 0 {
				t.Fatalf("unpaid for the deductible, but %+v", *c)
			}
		}
	}
	if whole < 1000 {
		t.Errorf("%d of 20000 lines left whole to the patient, want some", whole)
	}
}
