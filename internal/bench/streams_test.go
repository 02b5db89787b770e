package bench

import (
	"math"
	"math/rand/v2"
	"testing"

	"upstream"
)

func TestStreamsHaveTheirVolumeRateAndClustering(t *testing.T) {
	for _, c := range []Cell{{5, 0}, {50, .01}, {500, .03}} {
		s := stream(rand.New(rand.NewPCG(1, 1)), streamPayers, streamGroups, evenly(c.PerWeek), .10, c.ICC)
		n, x, variance, expected := 0.0, 0.0, 0.0, 0.0
		for _, node := range s.decisions.Nodes {
			for i, decided := range node.Decided {
				d := float64(decided)
				n += d
				x += float64(node.Denied[i])
				off := float64(node.Denied[i]) - .1*d
				variance += off * off
				expected += .09 * d * (1 + (d-1)*c.ICC)
			}
		}
		weeks := float64(len(s.days)) / 5 * streamNodes
		if perWeek := n / weeks; math.Abs(perWeek/c.PerWeek-1) > .02 {
			t.Errorf("%v: %.2f claims a week", c, perWeek)
		}
		if rate := x / n; math.Abs(rate-.10) > .005 {
			t.Errorf("%v: rate %.4f", c, rate)
		}
		if ratio := variance / expected; math.Abs(ratio-1) > .05 {
			t.Errorf("%v: variance is %.3f of that of its clustering", c, ratio)
		}
	}
}

func TestTheBudgetGivesEachGroupItsRunLength(t *testing.T) {
	share, err := groupBudget()
	if err != nil {
		t.Fatal(err)
	}
	// B × the group's share of it is its rate of false alarms a month.
	if arl := 1 / (streamBudget(share) * share / streamNodes); math.Abs(arl-streamARL) > 1e-9 {
		t.Errorf("run length %v node-months", arl)
	}
}

func TestTheOracleHasItsRunLengthAndFindsARise(t *testing.T) {
	rise := Rise{150, .10}
	r := rand.New(rand.NewPCG(4, 4))
	const days = 200_000
	h := oracleThreshold(r, rise, days)
	null := make([]float64, days) // other numbers than it was calibrated on
	for i := range null {
		n := poisson(r, rise.PerWeek/5*weekdayVolume[i%5])
		null[i] = rise.weigh(n, batch(r, n, riseRate, riseICC))
	}
	if arl := days / float64(crossings(null, h)) / businessDaysPerMonth; arl < 150 || arl > 600 {
		t.Errorf("run length %.0f node-months, want about %d", arl, streamARL)
	}
	if day := oracleAlarm([]float64{-1, 5, -9, 1, 2, 3}, 4, 3); day != 5 {
		t.Errorf("alarm on day %d", day) // the alarm on day 1 came too early, and started it anew
	}
	if day := oracleAlarm([]float64{1, 1}, 4, 0); day != -1 {
		t.Errorf("alarm on day %d", day)
	}
}

func TestBetaBinomialLikelihoodsAreThoseOfTheBinomialWithoutClustering(t *testing.T) {
	got := lnBetaBinomial(30, 6, .2, 1e-9) - lnBetaBinomial(30, 6, .1, 1e-9)
	want := 6*math.Log(2) + 24*math.Log(.8/.9)
	if math.Abs(got-want) > 1e-4 {
		t.Errorf("%v, want %v", got, want)
	}
	// n = 1 has no clustering: ln(.2/.1), whatever the correlation.
	if got := lnBetaBinomial(1, 1, .2, .3) - lnBetaBinomial(1, 1, .1, .3); math.Abs(got-math.Ln2) > 1e-12 {
		t.Errorf("%v, want ln 2", got)
	}
}

func TestDelayCellsCountWhatWasNotFoundAsLonger(t *testing.T) {
	inf := math.Inf(1)
	c := delayCell(Rise{50, .1}, []delays{{10, 5}, {inf, 8}, {14, 7}})
	if c.Found != figure(2./3) || c.Ours != 14 || c.Oracle != 7 || c.Ratio != 2 {
		t.Errorf("%+v", c)
	}
	if c := delayCell(Rise{50, .1}, []delays{{inf, 5}}); !math.IsInf(float64(c.Ratio), 1) {
		t.Errorf("ratio %v where nothing was found", c.Ratio)
	}
	if c := delayCell(Rise{50, .1}, nil); !math.IsNaN(float64(c.Ratio)) {
		t.Errorf("ratio %v without streams", c.Ratio)
	}
}

func TestSlowClaimsWaitLongerFromTheStartOn(t *testing.T) {
	start := monitored
	waits := func(factor float64) (before, after float64) {
		l := &ledger{until: lastDay}
		slowPayer(rand.New(rand.NewPCG(2, 2)), l, "Payer 1", SlowDown{Factor: factor, PerWeek: 300}, start)
		var b, a []float64
		for _, f := range l.facts {
			switch {
			case f.decided != 0 && f.decided < start:
				b = append(b, float64(f.decided-f.submitted))
			case f.submitted >= start && f.submitted < lastDay-120:
				a = append(a, float64(f.decided-f.submitted))
			}
		}
		return float64(medianOf(b)), float64(medianOf(a))
	}
	before, same := waits(1)
	if before < 18 || before > 21 || math.Abs(same-before) > 2 { // 18 and the wait for a Tuesday or Friday
		t.Errorf("medians %v and %v", before, same)
	}
	if b, twice := waits(2); b != before || twice < 35 || twice > 40 {
		t.Errorf("medians %v and %v at twice the time", b, twice)
	}
}

func TestFeesLieOnTheContractsRateAndFallByTheCut(t *testing.T) {
	start := monitored
	l := &ledger{until: lastDay}
	feePayer(rand.New(rand.NewPCG(3, 3)), l, "Payer 0", start)
	short := func(from, to upstream.Day) float64 {
		below, n := 0.0, 0.0
		for _, f := range l.facts {
			if l.names[upstream.ByCPT].text[f.is[upstream.ByCPT]] != "99211" || f.decided < from || f.decided > to {
				continue
			}
			n++
			if float64(f.perUnit) < .993*4000 {
				below++
			}
		}
		return below / n
	}
	if before, after := short(firstDay, start-1), short(start, lastDay); before > .35 || after < .95 {
		t.Errorf("%.2f of lines below the rate before the cut, %.2f after", before, after)
	}
}
