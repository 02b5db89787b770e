package drift

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func steady(days int, n, x float64) series {
	decided, denied := make([]float64, days), make([]float64, days)
	for i := range decided {
		decided[i], denied[i] = n, x
	}
	return cumulate(decided, denied)
}

func TestStatisticWithoutDecisionsIsItsNullMean(t *testing.T) {
	s := steady(200, 0, 0)
	r := shiryaevRoberts(s, frameAt(200), beta{2, 18}, 0)
	if want := math.Log(125); math.Abs(r.lnR-want) > 1e-12 {
		t.Errorf("ln R is %g without any decision, want ln of the 125 days the lags stand for", r.lnR)
	}
}

func TestLagsNeedABaseline(t *testing.T) {
	for _, c := range []struct {
		name       string
		end        int
		baseline   int
		n, minimum float64
		want       int
	}{
		{"cold start leaves 15 days", 20, coldBaselineDays, 10, priorClaims, 5},
		{"too little history", 15, coldBaselineDays, 10, priorClaims, 0},
		{"a year leaves all lags", 260, minBaselineDays, 10, priorClaims, len(lags)},
		{"130 days leave 40", 130, minBaselineDays, 10, priorClaims, 14},
		{"few claims leave none", 20, coldBaselineDays, 1, priorClaims, 0},
		{"few claims leave the short lags", 60, minBaselineDays, .5, priorClaims, 9},
		{"no minimum of claims", 60, minBaselineDays, 0, 0, 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := frame{max(0, c.end-historyDays), c.end, c.baseline}
			r := shiryaevRoberts(steady(c.end, c.n, 0), f, beta{2, 18}, c.minimum)
			if r.used != c.want {
				t.Errorf("%d lags, want %d", r.used, c.want)
			}
			if c.want == 0 && !math.IsInf(r.lnR, -1) {
				t.Errorf("ln R is %g without a lag", r.lnR)
			}
		})
	}
}

func TestFrameFollowsTheHistory(t *testing.T) {
	for _, c := range []struct {
		end  int
		want frame
	}{
		{20, frame{0, 20, coldBaselineDays}},
		{129, frame{0, 129, coldBaselineDays}},
		{130, frame{0, 130, minBaselineDays}},
		{260, frame{0, 260, minBaselineDays}},
		{300, frame{40, 300, minBaselineDays}},
	} {
		if got := frameAt(c.end); got != c.want {
			t.Errorf("at %d: %+v, want %+v", c.end, got, c.want)
		}
	}
}

func TestEvidenceGrowsWithTheRise(t *testing.T) {
	last := math.Inf(-1)
	for _, denied := range []float64{3, 4, 6, 9} {
		decided, x := make([]float64, 200), make([]float64, 200)
		for i := range x {
			decided[i], x[i] = 30, 3
			if i >= 190 {
				x[i] = denied
			}
		}
		r := shiryaevRoberts(cumulate(decided, x), frameAt(200), beta{2, 18}, priorClaims)
		if r.lnR <= last {
			t.Errorf("ln R is %g with %g denied a day, %g with fewer", r.lnR, denied, last)
		}
		if denied == 9 && r.lag() != 10 {
			t.Errorf("the change is dated %d days ago, it was 10", r.lag())
		}
		last = r.lnR
	}
}

// TestSplitWithoutDecisionsRepeatsTheLagBefore holds the shortcut for lags
// between which nothing was decided to what the long way gives.
func TestSplitWithoutDecisionsRepeatsTheLagBefore(t *testing.T) {
	decided, denied := make([]float64, 200), make([]float64, 200)
	for i := range decided {
		if i < 160 || i > 197 {
			decided[i], denied[i] = 7, float64(i%3)
		}
	}
	s := cumulate(decided, denied)
	r := shiryaevRoberts(s, frameAt(200), beta{2, 18}, 0)
	for i := 2; lags[i] <= 40; i++ {
		if r.ln[i] != r.ln[1] {
			t.Errorf("lag %d has %g, lag %d has %g", lags[i], r.ln[i], lags[1], r.ln[1])
		}
	}
	base, current := frameAt(200).windows(s, 30)
	a, b := 2+base.x, 18+paid(base)
	want := lnRisen(current, a/(a+b)) - (lnBeta(a+current.x, b+paid(current)) - lnBeta(a, b))
	if math.Abs(r.ln[10]-want) > 1e-9 {
		t.Errorf("lag 30 has %g, the formula %g", r.ln[10], want)
	}
}

func TestWeighingDiscountsClusteredClaims(t *testing.T) {
	counts := cumulate([]float64{1, 0, 101}, []float64{1, 0, 10})
	s := weigh(make([]tally, 4), counts, .01, 0, 3)
	if got := s.between(0, 1); got != (tally{1, 1}) {
		t.Errorf("a single claim weighs %+v", got)
	}
	if got := s.between(1, 2); got != (tally{}) {
		t.Errorf("an empty day weighs %+v", got)
	}
	// 101/(1+100·0.01) = 50.5 effective claims at the same rate
	if got := s.between(2, 3); math.Abs(got.n-50.5) > 1e-9 || math.Abs(got.rate()-10./101) > 1e-12 {
		t.Errorf("a batch of 101 weighs %+v", got)
	}
	part := weigh(make([]tally, 4), counts, .01, 2, 3)
	if got := part.between(2, 3); math.Abs(got.n-50.5) > 1e-9 {
		t.Errorf("the same batch weighs %+v where the series begins later", got)
	}
}

func TestIntervalHoldsTheChange(t *testing.T) {
	for _, c := range []struct {
		name             string
		ln               []float64
		youngest, oldest int
	}{
		{"all mass on one day", []float64{0, 0, 100}, 3, 3},
		{"two equal days", []float64{50, 50}, 1, 2},
		{"one lag stands for three days", []float64{0, 0, 0, 0, 0, 0, 90}, 8, 10},
		{"a flat likelihood spreads evenly", []float64{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1, 119},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := scan{used: len(c.ln)}
			copy(s.ln[:], c.ln)
			s.combine()
			if youngest, oldest := s.interval(.9); youngest != c.youngest || oldest != c.oldest {
				t.Errorf("%d to %d days, want %d to %d", youngest, oldest, c.youngest, c.oldest)
			}
		})
	}
}

func TestIntervalIsWithinTheLags(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scan{used: rapid.IntRange(1, len(lags)).Draw(t, "lags")}
		for i := range s.used {
			s.ln[i] = rapid.Float64Range(-500, 500).Draw(t, "ln")
		}
		s.combine()
		youngest, oldest := s.interval(.9)
		if youngest < 1 || youngest > s.lag() || s.lag() > oldest || oldest > lags[s.used-1] {
			t.Errorf("%d to %d days around %d", youngest, oldest, s.lag())
		}
		if s.lnR < s.ln[s.best] || math.IsNaN(s.lnR) || math.IsInf(s.lnR, 0) {
			t.Errorf("ln R is %g", s.lnR)
		}
	})
}
