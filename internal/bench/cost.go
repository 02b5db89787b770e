package bench

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"upstream"
	"upstream/internal/drift"
)

// Cost tells how long detection takes at 1,200 nodes: 40 payers and 29 groups of
// each. These figures, and they alone, differ from machine to machine.
type Cost struct {
	Nodes        int     `json:"nodes"`
	EvaluateMS   figure  `json:"evaluate_ms"` // the first as-of date of a detector, which makes all estimates
	ReplayS      figure  `json:"replay_s"`    // every business day of a year
	BitIdentical bool    `json:"bit_identical"`
	Days         int     `json:"days"`
	PerWeek      float64 `json:"claims_per_week"`
}

const (
	costPayers    = 40
	costGroups    = 29
	costRepeats   = 25
	costSmallness = -1.05 // the exponent of volumes over ranks of groups
)

// measureCost runs by itself: nothing else may use the processors.
func measureCost(ctx context.Context, r *rand.Rand, perWeek float64, now func() time.Time) (Cost, error) {
	total := 0.0
	raw := func(node int) float64 {
		return math.Pow(float64(1+node/costGroups), -.7) * math.Pow(float64(1+node%costGroups), costSmallness)
	}
	for node := range costPayers * costGroups {
		total += raw(node)
	}
	s := stream(r, costPayers, costGroups, func(node int) float64 { return raw(node) * perWeek / total }, 0, .01)
	data := drift.Data{Decisions: s.decisions}
	c := Cost{Nodes: costPayers + costPayers*costGroups, Days: monitoredDays, PerWeek: perWeek}
	var took []float64
	for range costRepeats {
		det := drift.New(data, drift.Options{})
		start := now()
		det.At(s.decisions.To, nil)
		took = append(took, now().Sub(start).Seconds()*1000)
	}
	c.EvaluateMS = figure(slices.Min(took))
	var first [][]upstream.DriftEvent
	for range 2 {
		start := now()
		events, err := everyDay(ctx, data, s.days[historyDays:])
		if err != nil {
			return c, err
		}
		seconds := figure(now().Sub(start).Seconds())
		if first == nil {
			first, c.ReplayS = events, seconds
			continue
		}
		c.ReplayS, c.BitIdentical = min(c.ReplayS, seconds), reflect.DeepEqual(first, events)
	}
	return c, nil
}

// everyDay is a replay with everything it returned.
func everyDay(ctx context.Context, data drift.Data, days []upstream.Day) ([][]upstream.DriftEvent, error) {
	det := drift.New(data, drift.Options{})
	memory := incidents{}
	var all [][]upstream.DriftEvent
	for _, day := range days {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		found := det.At(day, memory.known)
		all = append(all, slices.Clone(found.Events))
		memory.remember(found.Events)
	}
	return all, nil
}
