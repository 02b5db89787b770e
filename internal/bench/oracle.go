package bench

import (
	"context"
	"math"
	"math/rand/v2"

	"upstream"
	"upstream/internal/drift"
)

// The oracle is a CUSUM that knows the denial rates before and after the change
// and the clustering: no detector of its false alarms is faster (Moustakides
// 1986). What the method needs more than that is the price of not knowing.

// Rise is a planted rise for which the delay is held against the oracle's.
type Rise struct {
	PerWeek float64 `json:"per_week"`
	Points  float64 `json:"points"`
}

// rises are those with a target.
var rises = [...]Rise{{150, .05}, {500, .05}, {50, .10}, {150, .10}, {500, .10}}

const (
	riseRate = .10
	riseICC  = .01
)

// DelayCell holds the median delays, in calendar days, for one rise.
type DelayCell struct {
	Rise
	Streams int    `json:"streams"`
	Found   figure `json:"found"` // share, by the end of half a year
	Ours    figure `json:"median_delay_days"`
	Oracle  figure `json:"oracle_median_delay_days"`
	Ratio   figure `json:"over_oracle"`
}

// weigh is the ln likelihood ratio of a day's denials after and before the rise.
func (r Rise) weigh(n, x int32) float64 {
	return lnBetaBinomial(n, x, riseRate+r.Points, riseICC) - lnBetaBinomial(n, x, riseRate, riseICC)
}

// lnBetaBinomial leaves out the binomial coefficient, which cancels.
func lnBetaBinomial(n, x int32, rate, icc float64) float64 {
	k := (1 - icc) / icc
	a, b := rate*k, (1-rate)*k
	return lnBeta(float64(x)+a, float64(n-x)+b) - lnBeta(a, b)
}

func lnBeta(a, b float64) float64 {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}

// oracleThreshold calibrates the CUSUM on streams without a change, to one alarm
// in streamARL node-months.
func oracleThreshold(r *rand.Rand, rise Rise, days int) float64 {
	increments := make([]float64, days)
	for i := range increments {
		n := poisson(r, rise.PerWeek/5*weekdayVolume[i%5])
		increments[i] = rise.weigh(n, batch(r, n, riseRate, riseICC))
	}
	wanted := float64(days) / (streamARL * businessDaysPerMonth)
	low, high := 0.0, 30.0
	for range 30 {
		middle := (low + high) / 2
		if float64(crossings(increments, middle)) > wanted {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// crossings are the alarms of a CUSUM that starts anew after each.
func crossings(increments []float64, threshold float64) (n int) {
	sum := 0.0
	for _, v := range increments {
		if sum = max(sum, 0) + v; sum >= threshold {
			n++
			sum = 0
		}
	}
	return n
}

// oracleAlarm is the first business day at or after start on which the CUSUM is
// over its threshold; -1: never. Earlier, false alarms start it anew.
func oracleAlarm(increments []float64, threshold float64, start int) int {
	sum := 0.0
	for day, v := range increments {
		if sum = max(sum, 0) + v; sum < threshold {
			continue
		}
		if day >= start {
			return day
		}
		sum = 0
	}
	return -1
}

// delays are those of one planted rise; +Inf: not found in time.
type delays struct{ ours, oracle float64 }

// riseHorizon is how long a rise is looked for, in business days.
const riseHorizon = 130

// risen replays one customer with a rise at two groups, of different payers.
func risen(ctx context.Context, r *rand.Rand, rise Rise, budget, threshold float64) ([]delays, error) {
	shifts := []shifted{
		{r.IntN(streamGroups), historyDays + 20 + r.IntN(40), rise.Points},
		{2*streamGroups + r.IntN(streamGroups), historyDays + 60 + r.IntN(40), rise.Points},
	}
	s := stream(r, streamPayers, streamGroups, evenly(rise.PerWeek), riseRate, riseICC, shifts...)
	v := &onCounts{data: drift.Data{Decisions: s.decisions}}
	own := contestant{ours, func() detector { return &incidents{budget: budget} }}
	told, err := replay(ctx, 0, v, s.days[historyDays:], []contestant{own})
	if err != nil {
		return nil, err
	}
	var out []delays
	for _, shift := range shifts {
		n := &s.decisions.Nodes[shift.node]
		start := s.days[shift.day]
		d := delays{math.Inf(1), math.Inf(1)}
		at, early := firstOverlap(told, n, start)
		if early { // a false alarm was open already: no delay can be told
			continue
		}
		if at != 0 && at < s.days[min(shift.day+riseHorizon, len(s.days)-1)] {
			d.ours = float64(at-start) + 1
		}
		increments := make([]float64, 0, len(s.days))
		for _, day := range s.days[historyDays:] {
			i := day - s.decisions.From
			increments = append(increments, rise.weigh(n.Decided[i], n.Denied[i]))
		}
		if day := oracleAlarm(increments, threshold, shift.day-historyDays); day >= 0 && day < shift.day-historyDays+riseHorizon {
			d.oracle = float64(s.days[historyDays+day]-start) + 1
		}
		out = append(out, d)
	}
	return out, nil
}

// firstOverlap is the day of the first alarm at the node, its payer or above,
// from start on; early tells that one came before, within two months.
func firstOverlap(told []Told, n *upstream.NodeDecisions, start upstream.Day) (at upstream.Day, early bool) {
	for _, t := range told {
		overlaps := (t.Payer == nil || *t.Payer == n.Payer) && (t.CPTGroup == nil || *t.CPTGroup == n.CPTGroup)
		if !overlaps || t.Tier != upstream.Alert || t.Signal != upstream.DenialRate {
			continue
		}
		if t.AsOf < start {
			early = early || start-t.AsOf <= 60
		} else if at == 0 {
			at = t.AsOf
		}
	}
	return at, early
}

// delayCell sums up the streams of one rise. Medians count what was not found
// as longer than all that was.
func delayCell(rise Rise, all []delays) DelayCell {
	c := DelayCell{Rise: rise, Streams: len(all), Found: none, Ours: none, Oracle: none, Ratio: none}
	if len(all) == 0 {
		return c
	}
	var own, oracle []float64
	found := 0
	for _, d := range all {
		own, oracle = append(own, d.ours), append(oracle, d.oracle)
		if !math.IsInf(d.ours, 1) {
			found++
		}
	}
	c.Found, c.Ours, c.Oracle = share(found, len(all)), medianOf(own), medianOf(oracle)
	if c.Ratio = c.Ours / c.Oracle; math.IsInf(float64(c.Ours), 1) {
		c.Ratio = c.Ours // more than half were never found
	}
	return c
}
