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
		NoSeason:  rapid.Bool().Draw(t, "no season"),
		ShockSD:   rapid.SampledFrom([]float64{0, .1, .3}).Draw(t, "shock"),
	}
	drift := rapid.Custom(func(t *rapid.T) Drift {
		signal := rapid.SampledFrom([]upstream.Signal{upstream.DenialRate, upstream.DecisionTime, upstream.AllowedAmount, upstream.Takeback, upstream.Overturn}).Draw(t, "signal")
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
		if signal == upstream.Takeback {
			d.Shape = rapid.SampledFrom([]Shape{"", Spike}).Draw(t, "shape of a wave")
		}
		if signal == upstream.DecisionTime && d.Delta > 1 && rapid.Bool().Draw(t, "only payments") {
			d.Only = OnlyPaid
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
	o.MixShifts = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) MixShift {
		group := rapid.SampledFrom(procedureTable).Draw(t, "group")[0].code
		return MixShift{
			Payer:    rapid.SampledFrom(append(payerNames(o.Payers), EveryPayer)).Draw(t, "payer"),
			CPTGroup: upstream.CPTGroup(group),
			Start:    o.first() + upstream.Day(rapid.IntRange(0, o.Days-1).Draw(t, "start")),
			Factor:   rapid.SampledFrom([]float64{0, .3, .5, 1.2}).Draw(t, "factor"),
		}
	}), 0, 4).Draw(t, "mix shifts")
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
	for _, codes := range []upstream.Codes{c.CARC, c.RARC} {
		parsed, err := upstream.ParseCodes(string(codes))
		bad(err != nil || parsed != codes, "codes do not parse back")
	}
	first := firstState(c)
	if c.FirstOutcome == upstream.Pending {
		bad(*c != upstream.Claim{
			ClaimID: c.ClaimID, Line: 1, Payer: c.Payer, CPT: c.CPT, Modifiers: c.Modifiers, Units: c.Units, PlaceOfService: c.PlaceOfService,
			Location: c.Location, ServiceDate: c.ServiceDate, SubmittedDate: c.SubmittedDate, ReceivedDate: c.ReceivedDate,
			Outcome: upstream.Pending, FirstOutcome: upstream.Pending, Billed: c.Billed,
		}, "pending, but decided")
		return f
	}
	switch c.FirstOutcome {
	case upstream.Denied:
		bad(first.Allowed != 0 || !first.CARC.HasDenial() || !c.IsDenial(), "denied, but not")
	case upstream.Paid:
		bad(first.Allowed == 0 || first.CARC.HasDenial() || first.RARC != "", "paid, but not")
	default:
		bad(true, "outcome of no first decision")
	}
	bad(!c.IsDecided(), "decided, but does not count")
	bad(c.ReceivedDate == 0 || c.FirstDecidedDate < c.ReceivedDate, "decided before receipt")
	for _, day := range []upstream.Day{c.FirstDecidedDate, c.DecidedDate, c.ReversedDate, c.RepaidDate} {
		bad(day != 0 && !day.IsBusiness(), "decided on a day off")
	}
	bad(c.PaymentDate != c.DecidedDate || c.FirstPaymentDate != c.FirstDecidedDate, "remitted on another day")
	bad(c.PayerControlNumber == "", "no payer control number")
	bad(c.ReversedDate != 0 && (c.ReversedDate <= c.FirstDecidedDate || c.FirstOutcome != upstream.Paid), "no payment to take back")
	bad(c.RepaidDate != 0 && (c.RepaidDate <= c.FirstDecidedDate || c.RepaidDate < c.ReversedDate), "paid again before")
	bad(c.ReversedDate != 0 && c.RepaidDate > c.ReversedDate+upstream.RestoreDays, "restored too late")
	switch {
	case c.RepaidDate != 0:
		bad(c.Outcome != upstream.Paid || c.DecidedDate != c.RepaidDate || c.Allowed == 0, "paid again, but not")
		bad(c.ReversedDate != 0 && (c.Allowed != c.FirstAllowed || c.CARC != c.FirstCARC), "restored, but otherwise")
		bad(c.ReversedDate == 0 && c.FirstOutcome != upstream.Denied, "no denial to overturn")
	case c.ReversedDate != 0:
		bad(c.Outcome != upstream.Reversed || c.DecidedDate != c.ReversedDate || c.Allowed != 0 || c.Paid != 0 || c.CARC != "", "taken back, but not")
	default:
		bad(first.Allowed != c.Allowed || first.CARC != c.CARC || first.RARC != c.RARC || c.Outcome != c.FirstOutcome || c.DecidedDate != c.FirstDecidedDate, "first decision is another")
	}
	return f
}

// firstState is a claim's first decision, as far as it is kept.
func firstState(c *upstream.Claim) upstream.Claim {
	return upstream.Claim{
		Outcome: c.FirstOutcome, DecidedDate: c.FirstDecidedDate, PaymentDate: c.FirstPaymentDate,
		Allowed: c.FirstAllowed, CARC: c.FirstCARC, RARC: c.FirstRARC,
	}
}

func TestAPileOfDriftsStaysInBounds(t *testing.T) {
	var drifts []Drift
	for range 60 {
		for _, d := range []Drift{
			{Signal: upstream.DecisionTime, Delta: 10},
			{Signal: upstream.AllowedAmount, Delta: -.5},
			{Signal: upstream.DenialRate, Delta: .9},
			{Signal: upstream.DenialRate, Delta: -.9},
			{Signal: upstream.DecisionTime, Delta: 10, Only: OnlyPaid},
			{Signal: upstream.Takeback, Delta: .9},
			{Signal: upstream.Overturn, Delta: 2},
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
		if c.Payer != "Medicare" || c.FirstDecidedDate == 0 {
			continue
		}
		days := c.FirstDecidedDate - c.ReceivedDate
		if c.FirstOutcome == upstream.Paid && days < medicareFloorDays {
			t.Fatalf("paid after %d days", days)
		}
		if c.FirstOutcome == upstream.Denied && days < medicareFloorDays {
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
		if c.Outcome == upstream.Paid && c.FirstOutcome == upstream.Paid && c.Paid == 0 {
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
