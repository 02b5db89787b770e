package drift

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"upstream"
)

// simulatedIncident is a stream of one node whose rate rises from 10 % by
// points on a day, as of the first day on which its statistic reaches a run
// length of 300 node-months.
type simulatedIncident struct {
	counts, effective series
	frame             frame
	scan              scan
}

// simulateIncident returns ok false when nothing is found within 160 days.
func simulateIncident(rng *rand.Rand, volume, points, icc float64) (in simulatedIncident, ok bool) {
	const days, change = 330, 170
	decided, denied := make([]float64, days), make([]float64, days)
	weekday := [...]float64{1.25, .9, 1, .95, .9}
	for i := range decided {
		rate := .1
		if i >= change {
			rate += points
		}
		n := poisson(rng, volume/5*weekday[i%5])
		decided[i], denied[i] = float64(n), float64(clustered(rng, n, rate, icc))
	}
	in.counts = cumulate(decided, denied)
	in.effective = weigh(make([]tally, days+1), in.counts, icc, 0, days)
	for end := change + 1; end <= days; end++ {
		in.frame = frameAt(end)
		in.scan = shiryaevRoberts(in.effective, in.frame, tenPercent, priorClaims)
		if in.scan.lnR >= math.Log(300*businessDaysPerMonth) {
			return in, true
		}
	}
	return in, false
}

var tenPercent = beta{.1 * priorClaims, .9 * priorClaims}

// coverage counts how often intervals cover the truth.
type coverage struct {
	n, covered  int
	bias, width float64
}

func (c *coverage) add(e estimate, truth float64) {
	c.n++
	if e.low <= truth && truth <= e.high {
		c.covered++
	}
	c.bias += e.mean - truth
	c.width += e.high - e.low
}

func (c *coverage) check(t *testing.T) {
	t.Helper()
	share := float64(c.covered) / float64(c.n)
	t.Logf("%3d alarms: 90 %% interval covers %.0f %%, bias %+.1f points, width %.1f", c.n,
		100*share, 100*c.bias/float64(c.n), 100*c.width/float64(c.n))
	// Two standard errors of 200 alarms are 4.5 points at the ends of 85–97 %.
	if share < .81 || share > .99 {
		t.Errorf("the 90 %% interval covers the truth in %.0f %% of %d", 100*share, c.n)
	}
}

// The interval is judged where it is read: at the alarm, which a lucky run of
// denials brings forward.
func TestShiftIntervalsCoverAtAlarmTime(t *testing.T) {
	for _, volume := range []float64{50, 150, 500} {
		for _, points := range []float64{.05, .10} {
			t.Run(label(volume, points), func(t *testing.T) {
				var c coverage
				for r := range simulations(200) {
					in, ok := simulateIncident(rand.New(rand.NewPCG(41, r)), volume, points, .01)
					if ok {
						c.add(shiftPosterior(in.effective, in.frame, tenPercent, upstream.Worse), points)
					}
				}
				c.check(t)
			})
		}
	}
}

// Two weeks after the alarm the interval is narrower, and against a frozen
// baseline, from the true day on, it holds what it promises.
func TestSettledShiftIntervalsCover(t *testing.T) {
	for _, points := range []float64{.05, .10, .40} {
		var c coverage
		for r := range simulations(200) {
			rng := rand.New(rand.NewPCG(42, r))
			var baseline, current tally
			for range 200 {
				n := poisson(rng, 20)
				baseline = baseline.batch(n, clustered(rng, n, .1, .01), .01)
			}
			for range 30 {
				n := poisson(rng, 20)
				current = current.batch(n, clustered(rng, n, .1+points, .01), .01)
			}
			c.add(shiftBetween(baseline, current, tenPercent, upstream.Worse), points)
		}
		c.check(t)
	}
}

// batch adds a day's effective claims.
func (t tally) batch(n, x int32, icc float64) tally {
	if n == 0 {
		return t
	}
	deflate := 1 / (1 + float64(n-1)*icc)
	return tally{t.n + float64(n)*deflate, t.x + float64(x)*deflate}
}

func TestPayerExcessIntervalsCoverAtAlarmTime(t *testing.T) {
	for _, points := range []float64{.03, .05} {
		t.Run(label(500, points), func(t *testing.T) {
			var c coverage
			for r := range simulations(60) {
				s := practice(r+1, 1, 10, 300, 500)
				s.icc, s.shock = .01, .1
				s.change = func(_, _, day int) (float64, float64, float64) {
					if day >= 200 {
						return 1, 0, points
					}
					return 1, 0, 0
				}
				det := New(Data{Decisions: s.decisions()}, Options{})
				for end := 201; end <= 300; end++ {
					f, spread := frameAt(end), det.spread(det.era(end), 0)
					payer := &det.payers[0]
					overall := payer.counts.between(f.start, f.end)
					if standardised(payer.members, overall, f, spread, false).lnR >= math.Log(300*businessDaysPerMonth) {
						c.add(excessPosterior(payer.members, overall, f, spread, upstream.Worse), points)
						break
					}
				}
			}
			c.check(t)
		})
	}
}

// A fall is a rise of the paid claims: on the mirrored counts both say the same.
func TestAFallMirrorsARise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		claims := rapid.Float64Range(50, 5000)
		baseline := tally{n: claims.Draw(t, "baseline")}
		current := tally{n: claims.Draw(t, "current")}
		// Within these rates no shift of up to .5 leaves the bounds, which aren't mirrored.
		share := rapid.Float64Range(.45, .55)
		baseline.x, current.x = baseline.n*share.Draw(t, "before"), current.n*share.Draw(t, "after")
		mirrored := func(c tally) tally { return tally{c.n, c.n - c.x} }
		rise := shiftBetween(baseline, current, beta{10, 10}, upstream.Worse)
		fall := shiftBetween(mirrored(baseline), mirrored(current), beta{10, 10}, upstream.Better)
		for _, pair := range [][2]float64{{rise.mean, fall.mean}, {rise.low, fall.low}, {rise.high, fall.high}} {
			if math.Abs(pair[0]-pair[1]) > 1e-3 {
				t.Errorf("rise %+v, fall %+v", rise, fall)
			}
		}
	})
}

func TestEstimatesAreOrderedWhateverTheCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "days")
		decided, denied := make([]float64, n), make([]float64, n)
		for i := range decided {
			decided[i] = float64(rapid.IntRange(0, 1_000_000).Draw(t, "decided") >> rapid.IntRange(0, 20).Draw(t, "smaller"))
			denied[i] = math.Floor(decided[i] * rapid.Float64Range(0, 1).Draw(t, "rate"))
		}
		s := cumulate(decided, denied)
		f := frameAt(n)
		for _, direction := range []upstream.Direction{upstream.Worse, upstream.Better} {
			baseline, current := f.windows(s, min(5, n))
			for name, e := range map[string]estimate{
				"node":    shiftPosterior(s, f, tenPercent, direction),
				"settled": shiftBetween(baseline, current, tenPercent, direction),
				"payer":   excessPosterior([]series{s}, s.between(f.start, f.end), f, 1.05, direction),
			} {
				if !(0 <= e.low && e.low <= e.mean && e.mean <= e.high && e.high <= 1) {
					t.Errorf("%s, %s: %+v", name, direction, e)
				}
			}
		}
	})
}

func TestNoCountsNoShift(t *testing.T) {
	empty := estimate{}
	for name, got := range map[string]estimate{
		"no days":              shiftPosterior(series{0, []tally{{}}}, frame{}, tenPercent, upstream.Worse),
		"no claims":            shiftPosterior(steady(100, 0, 0), frameAt(100), tenPercent, upstream.Worse),
		"hardly a baseline":    shiftBetween(tally{19, 2}, tally{50, 20}, tenPercent, upstream.Worse),
		"nothing to rise to":   shiftBetween(tally{1e6, 1e6}, tally{50, 50}, tenPercent, upstream.Worse),
		"payer without claims": excessPosterior([]series{steady(100, 0, 0)}, tally{}, frameAt(100), 1.05, upstream.Worse),
		"nothing expected":     excessOf(expectation{observed: 3, decided: 10}, 1.05, upstream.Worse),
		"nothing decided":      excessOf(expectation{observed: 3, expected: 2}, 1.05, upstream.Better),
	} {
		if got != empty {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A shift of volume to groups that are always denied more is no excess.
func TestMixIsNoExcess(t *testing.T) {
	members := []series{cumulateMix(5, 5, .02), cumulateMix(5, 20, .4)}
	counts, f := sumOf(members), frameAt(200)
	got := excessPosterior(members, counts.between(f.start, f.end), f, 1.05, upstream.Worse)
	pooled := shiftPosterior(counts, f, tenPercent, upstream.Worse)
	if got.low > .005 || pooled.low < .03 {
		t.Errorf("excess is %+v standardised, %+v pooled", got, pooled)
	}
}

func TestPriceOfExcessDenials(t *testing.T) {
	shift := estimate{.10, .05, .20}
	for _, c := range []struct {
		name                         string
		monthly, allowed, overturned float64
		mid, low, high               upstream.Money
	}{
		// 20 denials a month at $100, of which 40 % come back, and $57.23 of work each.
		{"as billed", 200, 100_00, .4, 20 * (60_00 + 57_23), 10 * (60_00 + 57_23), 40 * (60_00 + 57_23)},
		{"all overturned", 200, 100_00, 1, 20 * 57_23, 10 * 57_23, 40 * 57_23},
		{"a share can't exceed one", 200, 100_00, 1.5, 20 * 57_23, 10 * 57_23, 40 * 57_23},
		{"nothing paid before", 200, -5, 0, 20 * 57_23, 10 * 57_23, 40 * 57_23},
		{"no claims", 0, 100_00, 0, 0, 0, 0},
	} {
		mid, low, high := shift.price(c.monthly, c.allowed, c.overturned)
		if mid != c.mid || low != c.low || high != c.high {
			t.Errorf("%s: %s (%s–%s), want %s (%s–%s)", c.name, mid, low, high, c.mid, c.low, c.high)
		}
	}
}

func BenchmarkShiftPosterior(b *testing.B) {
	in, _ := simulateIncident(rand.New(rand.NewPCG(1, 1)), 150, .1, .01)
	for b.Loop() {
		shiftPosterior(in.effective, in.frame, tenPercent, upstream.Worse)
	}
}
