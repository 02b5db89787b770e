package synth

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upstream"
)

func group(name string) *string { return &name }

var (
	start = upstream.MakeDay(2026, 1, 20)

	officeDenials = Drift{Signal: upstream.DenialRate, Payer: "Anthem", CPTGroup: group("E/M office visits"), Shape: Step, Start: start, Delta: .10}
	oneCARC       = Drift{Signal: upstream.DenialRate, Payer: "UnitedHealthcare", Location: "South Clinic", CARC: "197", Shape: Step, Start: start, Delta: .30}
	fewerDenials  = Drift{Signal: upstream.DenialRate, Payer: "Medicaid Managed Care", Shape: Step, Start: start, Delta: -.06}
	slowDown      = Drift{Signal: upstream.DecisionTime, Payer: "Aetna", Shape: Step, Start: start, Delta: 1.5}
	feeCut        = Drift{Signal: upstream.AllowedAmount, Payer: "Blue Cross Blue Shield", CPTGroup: group("E/M office visits"), Shape: Step, Start: start, Delta: .03}
	ramp          = Drift{Signal: upstream.DenialRate, Payer: "Humana Medicare Advantage", Shape: Ramp, Start: start, Delta: .20}
	spike         = Drift{Signal: upstream.DenialRate, Payer: "UHC Medicare Advantage", Shape: Spike, Start: start, Delta: .20}
	market        = Drift{Signal: upstream.DenialRate, Payer: EveryPayer, Shape: Step, Start: start, Delta: .05}
	payLater      = Drift{Signal: upstream.DecisionTime, Payer: "Aetna", Only: OnlyPaid, Shape: Step, Start: start, Delta: 2}
	stall         = Drift{Signal: upstream.DecisionTime, Payer: "Cigna", Shape: Spike, Start: start, Delta: 3}
	takebacks     = Drift{Signal: upstream.Takeback, Payer: "HCSC", Shape: Spike, Start: start, Delta: .04}
	fewerOverturn = Drift{Signal: upstream.Overturn, Payer: "Medicaid Managed Care", Shape: Step, Start: start, Delta: .4}
	newCARC       = Drift{Signal: upstream.DenialRate, Payer: "Medicare", CARC: "288", Shape: Step, Start: start, Delta: .10}
)

func withDrifts(records int64, drifts ...Drift) Options {
	o := yearOf(records)
	o.Drifts = drifts
	return o
}

// TestPlaceboTwin holds the claims with a drift against those with it off: only
// what the drift touches may differ, and only as it says.
func TestPlaceboTwin(t *testing.T) {
	for name, d := range map[string]Drift{
		"denials": officeDenials, "one CARC": oneCARC, "fewer denials": fewerDenials, "slow-down": slowDown,
		"fee cut": feeCut, "ramp": ramp, "spike": spike, "market": market, "payments slow down": payLater,
		"stall": stall, "takeback wave": takebacks, "fewer overturns": fewerOverturn, "new CARC": newCARC,
	} {
		t.Run(name, func(t *testing.T) {
			o := withDrifts(60_000, d)
			with := generator(t, o)
			o.Placebo = true
			without := generator(t, o)
			var a, b upstream.Claim
			changed := 0
			for i := range o.Records {
				with.Claim(i, &a)
				without.Claim(i, &b)
				if b.ClaimID = a.ClaimID; a == b {
					continue
				}
				changed++
				if !in(d, &a) {
					t.Fatalf("claim %d is of another node: %s", i, cmp.Diff(b, a))
				}
				if !touches(d, &a, &b) {
					t.Fatalf("claim %d is none that the drift concerns: %s", i, cmp.Diff(b, a))
				}
				if a.SubmittedDate != b.SubmittedDate || a.ReceivedDate != b.ReceivedDate || a.CPT != b.CPT || a.Billed != b.Billed || a.ServiceDate != b.ServiceDate {
					t.Fatalf("claim %d is another claim: %s", i, cmp.Diff(b, a))
				}
			}
			if changed < 20 {
				t.Errorf("%d claims changed, want more", changed)
			}
		})
	}
}

// touches reports whether a drift may have made claim a of claim b: by the days
// it concerns, and by what it may change.
func touches(d Drift, a, b *upstream.Claim) bool {
	d = d.withDefaults()
	within := func(day upstream.Day) bool { return day >= d.Start && (d.End == 0 || day <= d.End) }
	firstOf := func(c upstream.Claim) upstream.Claim {
		return upstream.Claim{
			FirstDecidedDate: c.FirstDecidedDate, FirstPaymentDate: c.FirstPaymentDate, FirstOutcome: c.FirstOutcome,
			FirstAllowed: c.FirstAllowed, FirstCARC: c.FirstCARC, FirstRARC: c.FirstRARC,
		}
	}
	first := firstOf(*a) != firstOf(*b)
	switch d.Signal {
	case upstream.DecisionTime:
		// Open or submitted from Start on, and decided no earlier than that.
		if d.Only == OnlyPaid && (a.IsDenial() || b.IsDenial()) {
			return false
		}
		return first && (a.FirstDecidedDate == 0 || a.FirstDecidedDate >= d.Start) && b.FirstDecidedDate >= d.Start
	case upstream.Takeback:
		back, paid := a.ReversedDate, b.FirstDecidedDate
		return !first && a.Outcome == upstream.Reversed && within(back) && paid < d.Start && paid >= d.Start-waveReach &&
			(b.ReversedDate == 0 || b.ReversedDate > back)
	case upstream.Overturn:
		return !first && a.IsDenial() && within(a.FirstDecidedDate)
	case upstream.AllowedAmount:
		return within(a.DecidedDate)
	default:
		// Medicare's floor apart, a changed claim is decided in the drift's days.
		return within(a.FirstDecidedDate) || within(b.FirstDecidedDate)
	}
}

func TestPlaceboIsTheUndriftedYear(t *testing.T) {
	o := withDrifts(3000, officeDenials, slowDown)
	o.Placebo = true
	a, b := generator(t, o), generator(t, yearOf(3000))
	var x, y upstream.Claim
	for i := range o.Records {
		a.Claim(i, &x)
		b.Claim(i, &y)
		if y.ClaimID = x.ClaimID; x != y {
			t.Fatalf("claim %d differs: %s", i, cmp.Diff(x, y))
		}
	}
}

// in reports whether a claim is of the drift's node.
func in(d Drift, c *upstream.Claim) bool {
	return (d.Payer == EveryPayer || c.Payer == d.Payer) && (d.Location == "" || c.Location == d.Location) &&
		(d.CPTGroup == nil || upstream.CPTGroup(c.CPT) == *d.CPTGroup)
}

// excess returns denial rate with minus without the drifts over the decisions
// of a span of days, and the number of decisions.
func excess(t *testing.T, d Drift, from, to upstream.Day) (shift, n float64) {
	t.Helper()
	o := withDrifts(300_000, d)
	with := generator(t, o)
	o.Placebo = true
	without := generator(t, o)
	for sign, g := range map[float64]*Generator{1: with, -1: without} {
		decided, denied := 0.0, 0.0
		for _, c := range all(g) {
			if in(d, c) && c.IsDecided() && c.FirstDecidedDate >= from && c.FirstDecidedDate <= to {
				decided++
				if c.IsDenial() {
					denied++
				}
			}
		}
		shift += sign * denied / decided
		n = decided
	}
	return shift, n
}

func TestPlantedDenialsShowInTheClaims(t *testing.T) {
	for _, tc := range []struct {
		name     string
		d        Drift
		from, to upstream.Day
		want     float64
	}{
		{"step, before", officeDenials, start - 60, start - 1, 0},
		{"step, after", officeDenials, start, asOf - 30, .10},
		{"one CARC at one location", oneCARC, start, asOf - 30, .30},
		{"improvement", fewerDenials, start, asOf - 30, -.06},
		{"market", market, start, asOf - 30, .05},
		{"a CARC of its own", newCARC, start, asOf - 30, .10},
		{"ramp, first half", ramp, start, start + rampDays/2 - 1, .05},
		{"ramp, second half", ramp, start + rampDays/2, start + rampDays - 1, .15},
		{"ramp, at its height", ramp, start + rampDays, asOf - 30, .20},
		{"spike, before", spike, start - 30, start - 1, 0},
		{"spike, within", spike, start, start + spikeDays - 1, .20},
		{"spike, after", spike, start + spikeDays, asOf - 30, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			shift, n := excess(t, tc.d, tc.from, tc.to)
			near(t, "shift of the denial rate", shift, tc.want, 4*math.Sqrt(math.Abs(tc.want)*(1-math.Abs(tc.want))/n)+.012*math.Abs(tc.want)/.1)
		})
	}
}

func TestPlantedShiftShowsAgainstTheTimeBefore(t *testing.T) {
	// What a user sees: the rate after minus the rate before, January left out.
	var decided, denied [2]float64
	for _, c := range all(generator(t, withDrifts(300_000, officeDenials))) {
		k := -1
		switch d := c.FirstDecidedDate; {
		case d >= start-120 && d < upstream.MakeDay(2026, 1, 1):
			k = 0
		case d >= start+januaryDays && d < asOf-30:
			k = 1
		}
		if k >= 0 && in(officeDenials, c) && c.IsDecided() {
			decided[k]++
			if c.IsDenial() {
				denied[k]++
			}
		}
	}
	near(t, "after minus before", denied[1]/decided[1]-denied[0]/decided[0], .10, .02)
}

func TestAddedDenialsBearTheDriftsCARC(t *testing.T) {
	o := withDrifts(200_000, oneCARC)
	with := generator(t, o)
	o.Placebo = true
	without := generator(t, o)
	var a, b upstream.Claim
	added := 0
	for i := range o.Records {
		with.Claim(i, &a)
		without.Claim(i, &b)
		if a.IsDenial() && !b.IsDenial() {
			added++
			if a.FirstCARC != "CO-197" {
				t.Fatalf("claim %d denied for %s", i, a.FirstCARC)
			}
		}
		if b.IsDenial() && a.FirstCARC != b.FirstCARC {
			t.Fatalf("claim %d was denied anyhow, for another reason", i)
		}
	}
	if added < 100 {
		t.Errorf("%d denials added", added)
	}
}

func TestANewCARCIsNewToTheClaims(t *testing.T) {
	first, n := upstream.Day(0), 0
	for _, c := range all(generator(t, withDrifts(100_000, newCARC))) {
		if c.FirstCARC == "CO-288" {
			n++
			if first == 0 || c.FirstDecidedDate < first {
				first = c.FirstDecidedDate
			}
			if !in(newCARC, c) || !c.IsDenial() {
				t.Fatalf("CO-288 at another node: %+v", *c)
			}
		}
	}
	if n < 200 || first < start {
		t.Errorf("%d denials with the new CARC, the first on %s", n, first)
	}
}

func TestPlantedFeeCutMovesTheAtom(t *testing.T) {
	mode := func(g *Generator, from, to upstream.Day) (rate upstream.Money, share float64) {
		counts, n := map[upstream.Money]float64{}, 0.0
		for _, c := range all(g) {
			if in(feeCut, c) && c.CPT == "99214" && c.FirstOutcome == upstream.Paid && c.FirstDecidedDate >= from && c.FirstDecidedDate <= to {
				counts[c.FirstAllowed]++
				n++
			}
		}
		for r, k := range counts {
			if k > counts[rate] {
				rate = r
			}
		}
		return rate, counts[rate] / n
	}
	g := generator(t, withDrifts(300_000, feeCut))
	before, _ := mode(g, start-90, start-1)
	after, share := mode(g, start, asOf)
	near(t, "rate after over before", float64(after)/float64(before), .97, .0001)
	near(t, "share at the new rate", share, contractShare, .04)
}

func TestDriftsOfOneNodeAdd(t *testing.T) {
	shift := 0.0
	second := officeDenials
	second.CPTGroup, second.Delta = nil, .05
	o := withDrifts(300_000, officeDenials, second)
	for sign, placebo := range map[float64]bool{1: false, -1: true} {
		o.Placebo = placebo
		decided, denied := 0.0, 0.0
		for _, c := range all(generator(t, o)) {
			if in(officeDenials, c) && c.IsDecided() && c.FirstDecidedDate >= start && c.FirstDecidedDate < asOf-30 {
				decided++
				if c.IsDenial() {
					denied++
				}
			}
		}
		shift += sign * denied / decided
	}
	near(t, "shift of two drifts", shift, .15, .015)
}

func TestDescribe(t *testing.T) {
	end := start + 6
	for _, tc := range []struct {
		d    Drift
		want string
	}{
		{
			Drift{Signal: upstream.DenialRate, Payer: "AETNA HMO", CPTGroup: group("Physical therapy"), Location: "South Clinic", CARC: "197", Start: start, Delta: .1},
			"Aetna, Physical therapy: denials +10 points from 2026-01-20, CARC 197 at South Clinic",
		},
		{market, "All payers: denials +5 points from 2026-01-20"},
		{fewerDenials, "Medicaid Managed Care: denials -6 points from 2026-01-20"},
		{slowDown, "Aetna: decisions take 1.5 times as long from 2026-01-20"},
		{feeCut, "Blue Cross Blue Shield, E/M office visits: allowed amounts -3 % from 2026-01-20"},
		{payLater, "Aetna: payments take 2 times as long from 2026-01-20"},
		{takebacks, "HCSC: 4 % of the last 120 days' payments taken back from 2026-01-20 to 2026-02-16"},
		{fewerOverturn, "Medicaid Managed Care: denials overturned 0.4 times as often from 2026-01-20"},
		{ramp, "Humana Medicare Advantage: denials +20 points from 2026-01-20, rising over six weeks"},
		{spike, "UHC Medicare Advantage: denials +20 points from 2026-01-20 to 2026-02-16"},
		{Drift{Signal: upstream.AllowedAmount, Payer: "Cigna", Start: start, End: end, Delta: -.025}, "Cigna: allowed amounts +2.5 % from 2026-01-20 to 2026-01-26"},
	} {
		if got := tc.d.Describe(); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}

func TestCarcOfFindsItsGroupCode(t *testing.T) {
	for in, want := range map[string]upstream.Codes{"": "", "197": "CO-197", "27": "PR-27", "b7": "CO-B7", "OA-16": "OA-16", "999": "CO-999"} {
		if got := carcOf(in); got != want {
			t.Errorf("carcOf(%q) = %q, want %q", in, got, want)
		}
	}
}
