package drift

import (
	"math"
	"math/rand/v2"
	"testing"

	"upstream"
)

func TestClusteringIsRecovered(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, want := range []float64{0, .01, .03} {
		var m moments
		for range 40 {
			decided, denied := make([]float64, 260), make([]float64, 260)
			for i := range decided {
				n := poisson(rng, 30)
				decided[i], denied[i] = float64(n), float64(clustered(rng, n, .12, want))
			}
			s := cumulate(decided, denied)
			for block := range 260 / blockDays {
				m = m.plus(blockMoments(s, block))
			}
		}
		if got := m.icc(); math.Abs(got-want) > .002 {
			t.Errorf("intraclass correlation %.4f, simulated with %.4f", got, want)
		}
	}
}

func TestMomentsOfDegenerateBlocks(t *testing.T) {
	for _, c := range []struct {
		name string
		n, x float64
	}{
		{"empty", 0, 0}, {"too few claims", .5, 0}, {"all denied", 10, 10}, {"none denied", 10, 0}, {"one claim a day", 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := blockMoments(steady(blockDays, c.n, c.x), 0).icc(); got != 0 {
				t.Errorf("intraclass correlation is %g", got)
			}
			if got := dispersion([]series{steady(blockDays, c.n, c.x)}, 0, blockDays); got < 1.05 || got > 20 {
				t.Errorf("dispersion is %g", got)
			}
		})
	}
	if got := (moments{10, 1}).icc(); got != .5 {
		t.Errorf("intraclass correlation is %g, it ends at one half", got)
	}
}

func TestCommonShocksShowInTheDispersion(t *testing.T) {
	shocked := func(sd float64) float64 {
		s := simulation{seed: 6, days: 130, volume: even(1, 30, 100), logit: even(1, 30, logit(.1)), shock: sd}
		det := New(Data{Decisions: s.decisions()}, Options{})
		return dispersion(det.payers[0].members, 0, 120)
	}
	if quiet, loud := shocked(0), shocked(.3); quiet > 1.4 || loud < 2*quiet {
		t.Errorf("dispersion is %.2f without shocks, %.2f with", quiet, loud)
	}
}

// dayOf makes decisions of one node with claims on given days only.
func dayOf(from, to upstream.Day, on map[upstream.Day]int32) *upstream.Decisions {
	d := &upstream.Decisions{From: from, To: to}
	n := newNode("Payer", "Group", d)
	for day, decided := range on {
		n.Decided[day-from], n.Denied[day-from] = decided, decided/2
	}
	d.Nodes = append(d.Nodes, n)
	return d
}

func TestWeekendsCountOnTheNextBusinessDay(t *testing.T) {
	friday := upstream.MakeDay(2025, 7, 4) // Independence Day
	thursday, monday := friday-1, friday+3
	d := dayOf(thursday-2, monday+1, map[upstream.Day]int32{thursday: 1, friday: 2, friday + 1: 4, friday + 2: 8, monday: 16, monday + 1: 32})
	c := newCustomer(d)
	if c.first != thursday || c.days[0] != thursday || len(c.days) != 3 {
		t.Fatalf("history begins %s with business days %v", c.first, c.days)
	}
	for i, want := range []float64{1, 30, 32} {
		if got := c.groups[0].counts.between(i, i+1).n; got != want {
			t.Errorf("business day %s has %g decisions, want %g", c.days[i], got, want)
		}
	}
	for asOf, want := range map[upstream.Day]int{thursday - 1: 0, thursday: 1, friday: 1, monday - 1: 1, monday: 2, monday + 1: 3, monday + 90: 3} {
		if got := c.through(asOf); got != want {
			t.Errorf("%d business days as of %s, want %d", got, asOf, want)
		}
	}
	if got := c.opens(1); got != friday {
		t.Errorf("Monday's count begins %s, want the Friday of the holiday", got)
	}
}

func TestDecisionsAfterTheLastBusinessDayWait(t *testing.T) {
	saturday := upstream.MakeDay(2025, 3, 8)
	c := newCustomer(dayOf(saturday-1, saturday+1, map[upstream.Day]int32{saturday - 1: 1, saturday: 2, saturday + 1: 3}))
	if got := c.through(saturday + 1); got != 1 {
		t.Errorf("%d business days count as of Sunday", got)
	}
	if got := c.groups[0].counts.between(1, 2).n; got != 5 {
		t.Errorf("Monday has %g decisions, want the weekend's 5", got)
	}
}

func TestImpossibleCountsDoNotSpread(t *testing.T) {
	monday := upstream.MakeDay(2025, 3, 10)
	d := dayOf(monday, monday+4, map[upstream.Day]int32{monday: 4})
	copy(d.Nodes[0].Decided, []int32{4, -3, 5, 0, 2})
	copy(d.Nodes[0].Denied, []int32{9, 1, -2, 1, 1})
	if got, want := newCustomer(d).groups[0].counts.between(0, 5), (tally{11, 5}); got != want {
		t.Errorf("counts are %+v, want %+v", got, want)
	}
}

func TestStandardisationIgnoresMix(t *testing.T) {
	members := []series{cumulateMix(5, 5, .02), cumulateMix(5, 20, .4)}
	counts, f := sumOf(members), frameAt(200)
	overall := counts.between(f.start, f.end)
	windows := make([]expectation, len(lags))
	used := expectations(members, overall, f, lags[:], windows)
	if used != len(lags)-1 && used != len(lags) {
		t.Fatalf("%d lags are used", used)
	}
	for i, w := range windows[:10] {
		if math.Abs(w.observed-w.expected) > .1*w.expected+.5 {
			t.Errorf("lag %d: %g observed, %g expected", lags[i], w.observed, w.expected)
		}
	}
	if r := standardised(members, overall, f, 1.05, false); r.lnR > math.Log(watchARL) {
		t.Errorf("a shift of volume alone has ln R %g", r.lnR)
	}
	// The same volumes, pooled, look like a rise.
	if r := shiryaevRoberts(counts, f, beta{4, 16}, priorClaims); r.lnR < math.Log(watchARL) {
		t.Errorf("pooled, the shift has ln R %g only", r.lnR)
	}
}

// cumulateMix has before claims a day for 190 of 200 days, then after, at one rate.
func cumulateMix(before, after, rate float64) series {
	decided, denied := make([]float64, 200), make([]float64, 200)
	for i := range decided {
		decided[i] = before
		if i >= 190 {
			decided[i] = after
		}
		denied[i] = decided[i] * rate
	}
	return cumulate(decided, denied)
}

func sumOf(members []series) series {
	sum := make([]tally, len(members[0].sum))
	for _, m := range members {
		for i, t := range m.sum {
			sum[i].n += t.n
			sum[i].x += t.x
		}
	}
	return series{0, sum}
}

func TestLikelihoodRatioIsOneSided(t *testing.T) {
	rise := func(denied float64) series {
		decided, x := make([]float64, 200), make([]float64, 200)
		for i := range x {
			decided[i], x[i] = 20, 4
			if i >= 187 {
				x[i] = denied
			}
		}
		return cumulate(decided, x)
	}
	if got, _ := likelihoodRatio(rise(0), frameAt(200)); got > 1e-9 {
		t.Errorf("a fall has likelihood ratio %g", got)
	}
	got, best := likelihoodRatio(rise(9), frameAt(200))
	baseline, current := tally{187 * 20, 187 * 4}, tally{13 * 20, 13 * 9}
	all := tally{200 * 20, 187*4 + 13*9}
	entropy := func(c tally) float64 { return c.x*math.Log(c.x/c.n) + (c.n-c.x)*math.Log(1-c.x/c.n) }
	if want := entropy(baseline) + entropy(current) - entropy(all); math.Abs(got-want) > 1e-9 || lags[best] != 13 {
		t.Errorf("likelihood ratio %g at lag %d, want %g at 13", got, lags[best], want)
	}
}

func TestConsensusIsRobust(t *testing.T) {
	middle, off := consensus([]float64{.1, .2, 9, .1, .15, .12, .18})
	if middle != .15 || math.Abs(off-1.25*1.4826*.05/math.Sqrt(7)) > 1e-12 {
		t.Errorf("%g with error %g", middle, off)
	}
	if even := median([]float64{4, 1, 3, 2}); even != 2.5 {
		t.Errorf("median of four is %g", even)
	}
}

func TestBudgetIsSplitAsPromised(t *testing.T) {
	det := New(Data{Decisions: practice(1, 5, 7, 140, 3000).decisions()}, Options{Budget: 2})
	e := det.era(140)
	alarms := 0.0
	for _, share := range append(append([]float64{e.market}, e.group...), e.payer...) {
		alarms += businessDaysPerMonth / (businessDaysPerMonth / (2 * share))
	}
	if want := 2 * (groupBudget + payerBudget); math.Abs(alarms-want) > 1e-9 {
		t.Errorf("the nodes' run lengths allow %g alarms a month, of the budget of 2 denials have %g", alarms, want)
	}
	if all := groupBudget + payerBudget + decisionBudget + paymentBudget + feeBudget + takebackBudget + overturnBudget; math.Abs(all-1) > 1e-9 {
		t.Errorf("the signals' shares add up to %g", all)
	}
	for g := 1; g < 7; g++ {
		a, b := det.groups[0].counts.between(e.start, e.end).n, det.groups[g].counts.between(e.start, e.end).n
		if got, want := e.group[g]/e.group[0], math.Sqrt(b/a); math.Abs(got-want) > 1e-9 {
			t.Errorf("shares of groups 0 and %d are as 1 to %g, the roots of their volumes as 1 to %g", g, got, want)
		}
	}
}

func TestTierFollowsTheRunLength(t *testing.T) {
	det := New(Data{Decisions: &upstream.Decisions{}}, Options{})
	for _, c := range []struct {
		name       string
		lnR, share float64
		want       upstream.Tier
	}{
		{"below both", math.Log(watchARL) - .01, .01, ""},
		{"watch", math.Log(watchARL), .01, upstream.Watch},
		{"just no alert", math.Log(businessDaysPerMonth/(.5*.01)) - 1e-9, .01, upstream.Watch},
		{"alert", math.Log(businessDaysPerMonth/(.5*.01)) + 1e-9, .01, upstream.Alert},
		{"alert below the watch", math.Log(400), .12, upstream.Alert},
		{"never on less than a year's run", math.Log(minARL) - .01, .75, ""},
		{"no share", 99, 0, ""},
	} {
		if got := det.tier(c.lnR, c.share); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPosteriorAddsTheEvidenceToThePrior(t *testing.T) {
	for _, c := range []struct{ lnR, share, want float64 }{
		{math.Log(32.5), 1, .5}, // 260/8 makes the odds even
		{math.Log(3250), .01, .5},
		{math.Log(3250 * 9), .01, .9},
		{math.Inf(-1), 1, 0},
		{1e4, 1, 1},
	} {
		if got := posterior(c.lnR, c.share); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("ln R %g at share %g: %g, want %g", c.lnR, c.share, got, c.want)
		}
	}
}
