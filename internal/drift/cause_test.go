package drift

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"upstream"
)

// denialsOf draws denials whose excess since a day has one CARC, and one location
// if site is not negative, and returns them with the event.
func denialsOf(rng *rand.Rand, perDay, points float64, carc, site int) (*upstream.DriftEvent, *upstream.Denials) {
	carcs := []string{"16", "197", "50", "29", "97", "18", "27", "22", "4", "11", "96", "204", "B7", "252"}
	weights := []float64{.22, .12, .09, .06, .08, .09, .08, .05, .05, .03, .05, .03, .02, .03}
	const days, since, sites, base = 200, 30, 8, .1
	d := &upstream.Denials{}
	d.Values[upstream.ByGroup] = []string{"Imaging"}
	d.Values[upstream.ByCARC] = carcs
	for i := range sites {
		d.Values[upstream.ByLocation] = append(d.Values[upstream.ByLocation], fmt.Sprint("Site ", i))
	}
	for _, dim := range []upstream.Dimension{upstream.ByRARC, upstream.ByCPT, upstream.ByModifiers, upstream.ByPlace} {
		d.Values[dim] = []string{""}
	}
	e := &upstream.DriftEvent{
		Signal: upstream.DenialRate, Level: upstream.GroupLevel, Payer: new("Aetna"), CPTGroup: new("Imaging"), Direction: upstream.Worse,
		BaselineFirst: 1, BaselineLast: days, CurrentFirst: days + 1, CurrentLast: days + since,
	}
	for day := upstream.Day(1); day <= days+since; day++ {
		n := poisson(rng, perDay)
		add := func(carc, site int) {
			c := upstream.DenialCell{Day: day, Count: 1}
			c.Value[upstream.ByCARC], c.Value[upstream.ByLocation] = int32(carc), int32(site)
			d.Cells = append(d.Cells, c)
		}
		for range clustered(rng, n, base, .01) {
			add(pick(rng, weights), rng.IntN(sites))
		}
		if day <= days {
			e.BaselineN += int64(n)
			continue
		}
		e.CurrentN += int64(n)
		for range clustered(rng, n, points, .01) {
			where := site
			if site < 0 {
				where = rng.IntN(sites)
			}
			add(carc, where)
		}
	}
	return e, d
}

func pick(rng *rand.Rand, weights []float64) int {
	u := rng.Float64()
	for i, w := range weights {
		if u -= w; u < 0 {
			return i
		}
	}
	return len(weights) - 1
}

func causeOf(e *upstream.DriftEvent, dim upstream.Dimension) string {
	for _, c := range e.RootCauses {
		if c.Dimension == dim.String() {
			return c.Value
		}
	}
	return ""
}

func TestCausesAreNamedRight(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	const events = 150
	for _, perWeek := range []float64{50, 150, 500} {
		for _, points := range []float64{.05, .10} {
			carcs, sites := 0, 0
			for i := range events {
				carc, site := rng.IntN(14), -1
				if i%2 == 0 {
					site = rng.IntN(8)
				}
				e, d := denialsOf(rng, perWeek/5, points, carc, site)
				Explain(e, d)
				if causeOf(e, upstream.ByCARC) == d.Values[upstream.ByCARC][carc] {
					carcs++
				}
				want := ""
				if site >= 0 {
					want = d.Values[upstream.ByLocation][site]
				}
				if causeOf(e, upstream.ByLocation) == want {
					sites++
				}
			}
			t.Logf("%3.0f a week, +%.0f points: CARC right %.0f %%, location verdict right %.0f %%", perWeek, 100*points, 100*float64(carcs)/events, 100*float64(sites)/events)
			if least := 130; perWeek*points >= 5 && (carcs < 147 || sites < least) {
				t.Errorf("%.0f a week, +%.0f points: CARC right in %d, location in %d of %d", perWeek, 100*points, carcs, sites, events)
			}
		}
	}
}

func TestCauseIsTheClaimsThatHaveAllOfIt(t *testing.T) {
	e, d := denialsOf(rand.New(rand.NewPCG(5, 5)), 60, .1, 1, 3)
	Explain(e, d)
	if causeOf(e, upstream.ByCARC) != "197" || causeOf(e, upstream.ByLocation) != "Site 3" || e.JointShare < .75 || e.JointShare > 1 {
		t.Errorf("%+v, together %.2f", e.RootCauses, e.JointShare)
	}
	if e.Spread != "" {
		t.Errorf("spread over %s", e.Spread)
	}
}

func TestSpreadExcessNamesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	e, d := denialsOf(rng, 60, 0, 0, -1)
	more, extra := denialsOf(rng, 60, 0, 0, -1)
	_ = more
	for _, c := range extra.Cells { // twice as many of everything
		if c.Day >= e.CurrentFirst {
			d.Cells = append(d.Cells, c)
		}
	}
	slices.SortStableFunc(d.Cells, func(a, b upstream.DenialCell) int { return int(a.Day - b.Day) })
	Explain(e, d)
	if len(e.RootCauses) != 0 || !strings.Contains(e.Spread, "CARCs, none above") || !strings.Contains(e.Spread, "locations, none above") {
		t.Errorf("%+v, %q", e.RootCauses, e.Spread)
	}
}

func TestNewCARCIsReportedOnItsOwn(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	e, d := denialsOf(rng, 60, .1, 1, -1) // 197 explains most
	d.Values[upstream.ByCARC] = append(d.Values[upstream.ByCARC], "288")
	for i := range 30 {
		c := upstream.DenialCell{Day: e.CurrentFirst + upstream.Day(i), Count: 1}
		c.Value[upstream.ByCARC] = 14
		d.Cells = append(d.Cells, c)
	}
	Explain(e, d)
	i := slices.IndexFunc(e.RootCauses, func(c upstream.RootCause) bool { return c.Value == "288" })
	if i < 0 || !e.RootCauses[i].New || e.RootCauses[i].ShareOfExcess > .5 {
		t.Errorf("%+v", e.RootCauses)
	}
	if causeOf(e, upstream.ByCARC) != "197" {
		t.Errorf("the main cause is %q", causeOf(e, upstream.ByCARC))
	}
}

func TestExplainLeavesOthersAlone(t *testing.T) {
	for name, e := range map[string]*upstream.DriftEvent{
		"another signal": {Signal: upstream.DecisionTime, Direction: upstream.Worse, BaselineN: 5},
		"an improvement": {Signal: upstream.DenialRate, Direction: upstream.Better, BaselineN: 5},
		"no baseline":    {Signal: upstream.DenialRate, Direction: upstream.Worse},
		"no denials":     {Signal: upstream.DenialRate, Direction: upstream.Worse, BaselineN: 5, CurrentN: 5},
	} {
		Explain(e, &upstream.Denials{})
		if e.RootCauses != nil || e.Spread != "" {
			t.Errorf("%s is explained: %+v", name, e)
		}
	}
}
