package synth

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"upstream"
)

// sample is 200,000 claims of a placebo year, drawn once for these tests.
var sample = func() func(t *testing.T) []upstream.Claim {
	var claims []upstream.Claim
	return func(t *testing.T) []upstream.Claim {
		if claims == nil {
			for _, c := range all(generator(t, yearOf(200_000))) {
				claims = append(claims, *c)
			}
		}
		return claims
	}
}()

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s is %.4f, want %.4f ± %.4f", what, got, want, tolerance)
	}
}

func TestDenialRateByClassOfPayer(t *testing.T) {
	of := map[string]class{}
	for _, p := range payerTable {
		of[p.name] = p.class
	}
	var decided, denied [classes]float64
	for _, c := range sample(t) {
		// January has its own test, and the last weeks hold only fast decisions.
		if m := c.FirstDecidedDate.Time().Month(); c.IsDecided() && m != time.January && m != time.February && c.SubmittedDate < asOf-60 {
			decided[of[c.Payer]]++
			if c.IsDenial() {
				denied[of[c.Payer]]++
			}
		}
	}
	for k := range classes {
		if n := decided[k]; n > 0 {
			p := classTable[k].denialRate
			near(t, "denial rate of class "+string('0'+rune(k)), denied[k]/n, p, 4*math.Sqrt(p*(1-p)/n)+.05*p)
		}
	}
}

func TestMixOfCARCs(t *testing.T) {
	count, n := map[upstream.Codes]float64{}, 0.0
	for _, c := range sample(t) {
		if m := c.FirstDecidedDate.Time().Month(); c.IsDenial() && m != time.January && m != time.February {
			count[c.FirstCARC]++
			n++
		}
	}
	total := 0.0
	for _, r := range denialReasons {
		total += r.weight
	}
	near(t, "sum of the CARC weights", total, 100, 0)
	for _, r := range denialReasons {
		near(t, "share of "+string(r.value.carc), count[r.value.carc]/n, r.weight/100, .012)
	}
	if len(count) != len(denialReasons) {
		t.Errorf("%d CARCs, want %d", len(count), len(denialReasons))
	}
}

func TestRemarksFollowTheirReason(t *testing.T) {
	with, n := 0, 0
	for _, c := range sample(t) {
		if c.FirstCARC == "CO-16" {
			n++
			if c.FirstRARC != "" {
				with++
			}
		}
		if c.FirstCARC == "CO-197" && c.FirstRARC != "" {
			t.Fatal("CO-197 has no remark")
		}
	}
	if with != n || n == 0 { // X12: CARC 16 must come with a remark code
		t.Errorf("%d of %d CO-16 have a remark, want all", with, n)
	}
}

func TestJanuaryDeniesMoreForEligibility(t *testing.T) {
	var decided, denied [2]float64 // December, then the first two weeks of January
	eligibility := 0.0
	for _, c := range sample(t) {
		y, m, day := c.FirstDecidedDate.Time().Date()
		k := -1
		switch {
		case y == 2025 && m == time.December:
			k = 0
		case y == 2026 && m == time.January && day <= 14:
			k = 1
		}
		if k < 0 || !c.IsDecided() {
			continue
		}
		decided[k]++
		if c.IsDenial() {
			denied[k]++
			if k == 1 && (c.FirstCARC == "PR-27" || c.FirstCARC == "CO-22" || c.FirstCARC == "PR-31") {
				eligibility++
			}
		}
	}
	logit := func(k int) float64 { p := denied[k] / decided[k]; return math.Log(p / (1 - p)) }
	near(t, "logit shift in January", logit(1)-logit(0), .29, .12)
	if share := eligibility / denied[1]; share < .25 { // 13 % else
		t.Errorf("eligibility makes %.2f of January's denials, want more", share)
	}
	if g := generator(t, yearOf(1)); g.season[upstream.MakeDay(2026, 2, 12)-g.first] != 0 {
		t.Error("January lasts longer than six weeks")
	}
}

func TestMedianDaysToDecision(t *testing.T) {
	days := map[string][]int{}
	for _, c := range sample(t) {
		if c.IsDecided() && c.SubmittedDate < asOf-90 {
			days[c.Payer] = append(days[c.Payer], int(c.FirstDecidedDate-c.ReceivedDate))
		}
	}
	if len(days) != 10 {
		t.Fatalf("%d payers, want 10", len(days))
	}
	for k := range 10 {
		p := factsOf(k)
		d := days[p.name]
		slices.Sort(d)
		near(t, "median lag of "+p.name, float64(d[len(d)/2]), p.median, 2)
		if longest := d[len(d)-1]; longest < int(2*p.median) {
			t.Errorf("longest lag of %s is %d days: no tail", p.name, longest)
		}
	}
}

func TestWeekdaysOfDecisions(t *testing.T) {
	var at [7]float64
	n := 0.0
	for _, c := range sample(t) {
		if c.FirstDecidedDate != 0 {
			at[c.FirstDecidedDate.Weekday()]++
			n++
		}
	}
	for w, weight := range [7]float64{0, 1.25, .9, 1, .95, .9, 0} {
		near(t, "share of "+time.Weekday(w).String(), at[w]/n, weight/5, .06)
	}
}

func TestServiceToSubmission(t *testing.T) {
	var days []int
	for _, c := range sample(t) {
		days = append(days, int(c.SubmittedDate-c.ServiceDate))
	}
	slices.Sort(days)
	if m := days[len(days)/2]; m < 3 || m > 5 {
		t.Errorf("median %d days, want 3 to 5", m)
	}
}

func TestFrequencyOfProcedures(t *testing.T) {
	groups, codes, n := map[string]float64{}, map[string]float64{}, 0.0
	for _, c := range sample(t) {
		groups[upstream.CPTGroup(c.CPT)]++
		codes[c.CPT]++
		n++
	}
	if len(groups) != len(procedureTable) {
		t.Errorf("%d groups, want %d", len(groups), len(procedureTable))
	}
	near(t, "share of 99213 and 99214", (codes["99213"]+codes["99214"])/n, .35, .01)
	// Zipf: the third group stands to the second as its rank says.
	second, third := groups[upstream.CPTGroup("97110")], groups[upstream.CPTGroup("84443")]
	near(t, "third group over second", third/second, math.Pow(2./3, zipfExponent), .03)
	near(t, "all shares", sum(groupShares()), 1, 1e-12)
}

func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

func TestContractRateIsAnAtom(t *testing.T) {
	type key struct{ payer, cpt string }
	amounts := map[key]map[upstream.Money]float64{}
	n := map[key]float64{}
	for _, c := range sample(t) {
		if c.FirstOutcome == upstream.Paid {
			k := key{c.Payer, c.CPT}
			if amounts[k] == nil {
				amounts[k] = map[upstream.Money]float64{}
			}
			amounts[k][c.FirstAllowed/upstream.Money(c.Units)]++
			n[k]++
		}
	}
	lines, exact := 0.0, 0.0
	for k, m := range amounts {
		most := 0.0
		for _, count := range m {
			most = max(most, count)
		}
		if n[k] >= 200 {
			near(t, k.payer+" "+k.cpt+" at its rate", most/n[k], contractShare, .11)
			lines += n[k]
			exact += most
		}
	}
	near(t, "lines at exactly the contract rate", exact/lines, contractShare, .01)
}

func TestChargesStandAboveContracts(t *testing.T) {
	var ratios []float64
	for seed := range uint64(60) {
		o := yearOf(1)
		o.Seed = seed
		g := generator(t, o)
		j := 0
		for _, group := range procedureTable {
			for _, f := range group {
				ratio := float64(g.procedures[j].charge) / float64(f.medicare)
				if f.medicare > 2000 { // whole dollars round small charges up
					ratios = append(ratios, ratio)
				}
				for k := range g.payers {
					if rate := g.rates[k*len(g.procedures)+j]; g.procedures[j].charge <= rate {
						t.Fatalf("%s is charged below a contract", f.code)
					}
				}
				j++
			}
		}
	}
	slices.Sort(ratios)
	near(t, "median charge over Medicare", ratios[len(ratios)/2], chargeMedian, .15)
	near(t, "upper quartile", ratios[len(ratios)*3/4], 3.6, .25)
	near(t, "lower quartile", ratios[len(ratios)/4], 1.8, .15)
}

func TestContractRatesOverMedicare(t *testing.T) {
	o := yearOf(1)
	o.Payers = len(payerTable)
	g := generator(t, o)
	for k, p := range g.payers {
		low, high := classTable[p.class].rateLow, classTable[p.class].rateHigh
		mean, n := 0.0, 0.0
		j := 0
		for _, group := range procedureTable {
			for _, f := range group {
				mean += float64(g.rates[k*len(g.procedures)+j]) / float64(f.medicare)
				n++
				j++
			}
		}
		if mean /= n; mean < low-.03 || mean > high+.03 {
			t.Errorf("%s pays %.2f of Medicare, want %.2f to %.2f", p.name, mean, low, high)
		}
	}
}

func TestGroupsStandApartAtAPayer(t *testing.T) {
	o := yearOf(1)
	o.Payers = 60
	g := generator(t, o)
	n, squares := 0.0, 0.0
	for k := range g.payers {
		nodes := g.nodes[k*len(g.groups):][:len(g.groups)]
		mean := 0.0
		for _, x := range nodes {
			mean += float64(x.logit) / logitUnit / float64(len(nodes))
		}
		for _, x := range nodes {
			d := float64(x.logit)/logitUnit - mean
			squares += d * d
			n++
		}
	}
	near(t, "logit sd of groups", math.Sqrt(squares/n), groupLogitSD, .02)
}

func TestPayersHoldTheRateOfTheirClassOverTheirGroups(t *testing.T) {
	g := generator(t, yearOf(1))
	shares := groupShares()
	for k, p := range g.payers {
		mean := 0.0
		for j, share := range shares {
			mean += share * float64(chance(g.nodes[k*len(g.groups)+j].logit)) / scale
		}
		near(t, "mean denial rate of "+p.name, mean, classTable[p.class].denialRate, 5e-5)
	}
}

func TestPayerDayShock(t *testing.T) {
	g := generator(t, yearOf(1))
	n, squares := 0.0, 0.0
	for _, p := range g.payers {
		for _, s := range p.shock {
			squares += math.Pow(float64(s)/logitUnit, 2)
			n++
		}
	}
	near(t, "logit sd of payer days", math.Sqrt(squares/n), payerDayShockSD, .005)
}

func TestOptionsOfDailyLife(t *testing.T) {
	o := yearOf(1)
	o.ShockSD, o.NoSeason = .3, true
	g := generator(t, o)
	shocks := generator(t, yearOf(1)).payers[3].shock
	for d, s := range g.payers[3].shock {
		near(t, "shock of a day over the usual one", float64(s), 3*float64(shocks[d]), 2)
	}
	if slices.Max(g.season) != 0 {
		t.Error("a year without seasons has one")
	}
	a, b := yearOf(3000), yearOf(3000)
	b.NoSeason = true
	var x, y upstream.Claim
	with, without := generator(t, a), generator(t, b)
	for i := range a.Records {
		with.Claim(i, &x)
		without.Claim(i, &y)
		y.ClaimID = x.ClaimID
		if m := x.FirstDecidedDate.Time().Month(); x != y && m != time.January && m != time.February {
			t.Fatalf("claim %d decided %s differs without the season", i, x.FirstDecidedDate)
		}
	}
}

func TestPayerMixIsDirichlet(t *testing.T) {
	const seeds, n = 2000, 10
	var mean, squares [n]float64
	for seed := range uint64(seeds) {
		mix := payerMix(seed, n)
		near(t, "sum of the mix", sum(mix), 1, 1e-12)
		for k, share := range mix {
			mean[k] += share / seeds
			squares[k] += share * share / seeds
		}
	}
	total := 0.0
	for k := range n {
		total += factsOf(k).share
	}
	for k := range n {
		p := factsOf(k).share / total
		name := factsOf(k).name
		near(t, "mean share of "+name, mean[k], p, .004)
		near(t, "sd of "+name, math.Sqrt(squares[k]-mean[k]*mean[k]), math.Sqrt(p*(1-p)/(payerMixConcentration+1)), .004)
	}
}

func TestModifiersUnitsAndPlacesFitTheProcedure(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range sample(t) {
		switch c.CPT {
		case "97110":
			if !strings.HasPrefix(c.Modifiers, "GP") || c.Units > 4 {
				t.Fatalf("physical therapy with modifiers %q, %d units", c.Modifiers, c.Units)
			}
		case "99232":
			if c.PlaceOfService != "21" {
				t.Fatalf("hospital visit at place %s", c.PlaceOfService)
			}
		case "99213":
			if c.Units != 1 {
				t.Fatalf("%d visits at once", c.Units)
			}
		}
		seen[c.Modifiers], seen[c.PlaceOfService], seen[c.Location] = true, true, true
	}
	for _, want := range []string{"", "25", "RT", "LT", "GP 59", "11", "10", "22", "24", "12", "North Clinic", "West Clinic"} {
		if !seen[want] {
			t.Errorf("never saw %q", want)
		}
	}
}
