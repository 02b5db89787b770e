package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"upstream"
	"upstream/internal/drift"
)

// Streams are customers as daily counts, without claims: Poisson decisions with
// a weekly pattern, denied by batch (a beta-binomial day), all groups of equal
// volume. They show what a detector does at a given volume and clustering.
const (
	streamPayers = 5
	streamGroups = 8 // a payer
	streamNodes  = streamPayers * streamGroups

	// streamARL is the average run length to a false alarm for which the
	// budget is set, in node-months.
	streamARL = 300

	historyDays   = 130 // business days, half a year
	monitoredDays = 260

	businessDaysPerMonth = 21.74
)

// weekdayVolume is the weekly pattern of decisions, Monday first.
var weekdayVolume = [5]float64{1.25, .9, 1, .95, .9}

// streamRates are the denial rates of groups, in turn.
var streamRates = [...]float64{.05, .10, .20}

// shifted is a planted rise in a stream.
type shifted struct {
	node, day int // business day
	points    float64
}

// streamCustomer is a simulated customer.
type streamCustomer struct {
	days      []upstream.Day // business days
	decisions *upstream.Decisions
	rates     []float64 // by node, before any shift
}

// stream draws a customer whose groups have the given volume, in decided claims
// a week, and intraclass correlation; rate 0 takes those of streamRates.
func stream(r *rand.Rand, payers, groups int, volume func(node int) float64, rate, icc float64, shifts ...shifted) streamCustomer {
	c := streamCustomer{decisions: &upstream.Decisions{From: firstDay}}
	for day := firstDay; len(c.days) < historyDays+monitoredDays; day++ {
		if w := day.Weekday(); w != 0 && w != 6 && day.IsBusiness() {
			c.days = append(c.days, day)
		}
	}
	d := c.decisions
	d.To = c.days[len(c.days)-1]
	span := int(d.To-d.From) + 1
	for node := range payers * groups {
		n := upstream.NodeDecisions{
			Payer: fmt.Sprintf("Payer %02d", node/groups), CPTGroup: fmt.Sprintf("Group %02d", node%groups),
			Decided: make([]int32, span), Denied: make([]int32, span), Allowed: make([]int64, span),
		}
		base := rate
		if base == 0 {
			base = streamRates[node%len(streamRates)]
		}
		c.rates = append(c.rates, base)
		for i, day := range c.days {
			p := base
			for _, s := range shifts {
				if s.node == node && i >= s.day {
					p += s.points
				}
			}
			at := day - d.From
			n.Decided[at] = poisson(r, volume(node)/5*weekdayVolume[day.Weekday()-1])
			n.Denied[at] = batch(r, n.Decided[at], p, icc)
			n.Allowed[at] = 100_00 * int64(n.Decided[at]-n.Denied[at])
		}
		d.Nodes = append(d.Nodes, n)
	}
	return c
}

func evenly(volume float64) func(int) float64 { return func(int) float64 { return volume } }

// poisson draws by multiplication, and above 50 from the normal law.
func poisson(r *rand.Rand, mean float64) int32 {
	if mean > 50 {
		return int32(max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	limit, n := math.Exp(-mean), int32(-1)
	for p := 1.0; p > limit; n++ {
		p *= r.Float64()
	}
	return max(n, 0)
}

// batch draws the denials of a day whose rate is drawn from a beta law of
// intraclass correlation icc.
func batch(r *rand.Rand, n int32, rate, icc float64) int32 {
	if icc > 0 {
		k := (1 - icc) / icc
		a, b := gamma(r, rate*k), gamma(r, (1-rate)*k)
		rate = a / (a + b)
	}
	x := int32(0)
	for range n {
		if r.Float64() < rate {
			x++
		}
	}
	return x
}

// gamma draws by the method of Marsaglia and Tsang.
func gamma(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(r, shape+1) * math.Pow(r.Float64(), 1/shape)
	}
	d := shape - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v *= v * v
		if math.Log(1-r.Float64()) < .5*x*x+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// streamBudget gives each of the equal groups an average run length of
// streamARL: a budget B of which a group has the share s costs B·s false alarms
// a month there.
func streamBudget(groupBudget float64) float64 {
	return streamNodes / (streamARL * groupBudget)
}

// groupBudget is the detector's share of the budget for the groups' denials.
func groupBudget() (float64, error) {
	none := &upstream.Decisions{From: firstDay, To: firstDay}
	v, ok := drift.New(drift.Data{Decisions: none}, drift.Options{}).At(firstDay, nil).Summary.Parameters["group_budget"].(float64)
	if !ok || !(v > 0 && v <= 1) {
		return 0, fmt.Errorf("the detector's parameters lack group_budget, without which no average run length can be set")
	}
	return v, nil
}

// Cell is one of the grid of volumes and clusterings.
type Cell struct {
	PerWeek float64
	ICC     float64
}

// The grid, as in the paper simulations behind the method.
var (
	gridVolumes = [...]float64{5, 15, 50, 150, 500}
	gridICCs    = [...]float64{0, .01, .03}
)

func grid() []Cell {
	var cells []Cell
	for _, v := range gridVolumes {
		for _, icc := range gridICCs {
			cells = append(cells, Cell{v, icc})
		}
	}
	return cells
}

// onsets are how many alarms a customer of a cell raised, of nothing.
type onsets struct{ usual, ours int }

// nullStream replays one customer of a cell: the usual rule weekly, ours daily,
// which is the harder.
func nullStream(ctx context.Context, r *rand.Rand, c Cell, budget float64) (onsets, error) {
	s := stream(r, streamPayers, streamGroups, evenly(c.PerWeek), 0, c.ICC)
	data := drift.Data{Decisions: s.decisions}
	v := &onCounts{data: data}
	usual := contestants()[0]
	own := contestant{ours, func() detector { return &incidents{budget: budget} }}
	daily := s.days[historyDays:]
	told, err := replay(ctx, 0, v, daily, []contestant{own})
	if err != nil {
		return onsets{}, err
	}
	var weekly []upstream.Day
	for i := 4; i < len(daily); i += 5 {
		weekly = append(weekly, daily[i])
	}
	byRule, err := replay(ctx, 0, v, weekly, []contestant{usual})
	return onsets{len(byRule), atGroups(told)}, err
}

func atGroups(told []Told) (n int) {
	for _, t := range told {
		if t.Level == upstream.GroupLevel && t.Tier == upstream.Alert && t.Signal == upstream.DenialRate {
			n++
		}
	}
	return n
}

// onCounts is the view of daily counts. Claims have no day of submission there,
// so the usual rule is given the best there is: that of the decision.
type onCounts struct {
	data drift.Data
	det  *drift.Detector
}

func (*onCounts) advance(context.Context, upstream.Day) error { return nil }

func (v *onCounts) windows(_ context.Context, asOf upstream.Day) ([]upstream.NodeWindow, error) {
	w := drift.ThresholdWindow(asOf)
	d := v.data.Decisions
	out := make([]upstream.NodeWindow, len(d.Nodes))
	for i := range d.Nodes {
		n := &d.Nodes[i]
		out[i].Payer, out[i].CPTGroup = n.Payer, n.CPTGroup
		for day := max(w.BaselineFirst, d.From); day <= min(w.CurrentLast, d.To); day++ {
			decided, denied := int64(n.Decided[day-d.From]), int64(n.Denied[day-d.From])
			if day >= w.CurrentFirst {
				out[i].CurrentN += decided
				out[i].CurrentDenied += denied
				continue
			}
			out[i].BaselineN += decided
			out[i].BaselineDenied += denied
			out[i].BaselineAllowed += upstream.Money(n.Allowed[day-d.From])
		}
	}
	return out, nil
}

func (v *onCounts) detect(_ context.Context, asOf upstream.Day, budget float64, known []upstream.DriftEvent) (drift.Result, error) {
	if v.det == nil {
		v.det = drift.New(v.data, drift.Options{Budget: budget})
	}
	return v.det.At(asOf, known), nil
}

func (*onCounts) denials(context.Context, string, upstream.Day, upstream.Day) (*upstream.Denials, error) {
	return &upstream.Denials{}, nil
}
