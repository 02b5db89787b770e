package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"upstream"
	"upstream/internal/synth"
)

// The calendar of every simulated customer, in weeks from Monday to Sunday:
// half a year of history, after two weeks until claims come back, and then a
// year of weekly runs, on Sundays, with a January in it.
const (
	historyWeeks   = 28
	monitoredWeeks = 52
	allWeeks       = historyWeeks + monitoredWeeks
)

var (
	firstDay   = upstream.MakeDay(2024, 3, 18)
	firstRun   = firstDay + historyWeeks*7 + 6
	lastDay    = firstDay + allWeeks*7 - 1
	monitored  = firstDay + historyWeeks*7 // the first monitored day
	monthsEach = float64(monitoredWeeks*7) / daysPerMonth
)

const (
	daysPerMonth = 365.25 / 12
	payerCount   = 8 // times 38 procedure groups
	siteCount    = 4

	// graceDays is how long after its end a change may still be told.
	graceDays = 28
)

// runs are the as-of dates of the weekly runs.
func runs() []upstream.Day {
	days := make([]upstream.Day, monitoredWeeks)
	for i := range days {
		days[i] = firstRun + upstream.Day(7*i)
	}
	return days
}

// Truth is one planted change, with what it is worth: a line of the truth file.
type Truth struct {
	Customer int    `json:"customer"`
	Placebo  int    `json:"placebo_customer,omitempty"` // the same claims without the change; 0: there are none
	Scenario string `json:"scenario"`
	synth.Drift
	Level upstream.Level `json:"level"`
	// Effect is Delta at the node: less where only one location has it.
	Effect float64 `json:"effect"`
	// PerWeek and Dollars are of the claims without the change.
	PerWeek float64        `json:"decided_per_week"`
	Dollars upstream.Money `json:"dollars_per_month_cents"`
}

// last is the last day on which telling the change still helps.
func (t *Truth) last() upstream.Day {
	if t.End == 0 {
		return lastDay
	}
	return t.End + graceDays
}

// improves tells a change for the better, which must not page anybody.
func (t *Truth) improves() bool { return t.Signal == upstream.DenialRate && t.Delta < 0 }

// headline tells the changes that recall, delay and the like are computed over:
// those of the one signal that all detectors have.
func (t *Truth) headline() bool {
	return t.Signal == upstream.DenialRate && t.Delta > 0 && t.Payer != synth.EveryPayer
}

// recipe is one kind of change that a customer-year may hold.
type recipe struct {
	name     string
	signal   upstream.Signal
	wide     bool // the whole payer
	site     bool // one location only
	delta    float64
	shape    synth.Shape
	carc     string
	smallest float64 // decided claims a week of the group
	also     *recipe // at the same payer from the same day
}

// Volumes of groups that changes may be planted in, in decided claims a week;
// smaller ones show nothing within a year.
const (
	smallestGroup = 8.
	smallestSite  = 30. // where one of four sites has the change
)

// newCARC is one that no denial has without it.
const newCARC = "288"

func step(points float64) recipe {
	return recipe{name: fmt.Sprintf("D1 step +%g", points), signal: upstream.DenialRate, delta: points / 100, smallest: smallestGroup}
}

func wide(points float64) recipe {
	return recipe{name: fmt.Sprintf("D2 payer-wide +%g", points), signal: upstream.DenialRate, delta: points / 100, wide: true}
}

func slower(factor float64) recipe {
	return recipe{name: fmt.Sprintf("D6 slow-down ×%g", factor), signal: upstream.DecisionTime, delta: factor, wide: true}
}

func feeCut(percent float64) recipe {
	return recipe{name: fmt.Sprintf("D7 fee cut %g %%", percent), signal: upstream.AllowedAmount, delta: percent / 100, smallest: smallestGroup}
}

// year is what happens in a customer-year: one change of each row, which takes
// turns over the customers, each at a payer of its own.
var year = [payerCount][]recipe{
	{step(3), step(5), step(10)},
	{step(10), step(3), step(5)},
	{wide(2), wide(3), wide(5)},
	{{name: "D3 one CARC at one location", signal: upstream.DenialRate, site: true, delta: .30, carc: "197", smallest: smallestSite}},
	{
		{name: "D4 ramp of six weeks +10", signal: upstream.DenialRate, delta: .10, shape: synth.Ramp, smallest: smallestGroup},
		{name: "D5 spike of four weeks +15", signal: upstream.DenialRate, delta: .15, shape: synth.Spike, smallest: smallestGroup},
		{name: "D8 new CARC +10", signal: upstream.DenialRate, delta: .10, carc: newCARC, smallest: smallestGroup},
	},
	{slower(1.25), slower(1.5), slower(2)},
	{feeCut(2), feeCut(3), feeCut(5), feeCut(10)},
	{
		{
			name: "D9 denials +5 with a slow-down", signal: upstream.DenialRate, delta: .05, wide: true,
			also: &recipe{name: "D9 slow-down ×1.5 with denials", signal: upstream.DecisionTime, delta: 1.5, wide: true},
		},
		{name: "D11 improvement −6", signal: upstream.DenialRate, delta: -.06, smallest: smallestGroup},
		{name: "D10 takeback wave 3 %", signal: upstream.Takeback, delta: .03, wide: true, shape: synth.Spike},
	},
}

// Changes start so many monitored days in: late enough for the season's start
// to be over at some, early enough to be found.
const (
	earliestStart = 21
	latestStart   = 266
)

// plan draws the changes of a customer-year. without are the claims without
// any, whose volumes say what can be planted and what it is worth.
func plan(customer, placebo int, r *rand.Rand, without *ledger) []Truth {
	volumes := without.volumes()
	payers := r.Perm(len(volumes))
	var truths []Truth
	for i, kinds := range year {
		if i >= len(payers) {
			break
		}
		start := (monitored + upstream.Day(earliestStart+r.IntN(latestStart-earliestStart))).NextBusiness()
		p := &volumes[payers[i]]
		for kind := &kinds[(customer-1)%len(kinds)]; kind != nil; kind = kind.also {
			t := kind.at(p, start, r)
			t.Customer, t.Placebo = customer, placebo
			t.ID = fmt.Sprintf("%d-%d", customer, len(truths)+1)
			truths = append(truths, t)
		}
	}
	return truths
}

// at plants the recipe at a payer.
func (k *recipe) at(p *payerVolume, start upstream.Day, r *rand.Rand) Truth {
	t := Truth{Scenario: k.name, Level: upstream.PayerLevel, Effect: k.delta}
	t.Drift = synth.Drift{Signal: k.signal, Payer: p.name, CARC: k.carc, Shape: k.shape, Start: start, Delta: k.delta}
	if k.shape == "" {
		t.Shape = synth.Step
	}
	if k.shape == synth.Spike {
		t.End = start + 27 // four weeks
	}
	groups := p.groups
	if !k.wide {
		g := pickGroup(groups, k.smallest, r)
		groups = groups[g : g+1]
		t.CPTGroup, t.Level = new(groups[0].name), upstream.GroupLevel
	}
	if k.site {
		site := groups[0].sites[r.IntN(len(groups[0].sites))]
		t.Location, t.Effect = site.name, k.delta*site.decided/groups[0].decided
	}
	for i := range groups {
		t.PerWeek += groups[i].decided / monitoredWeeks
		t.Dollars += groups[i].worth(k.signal, t.Effect, p.overturned)
	}
	return t
}

// pickGroup draws a group: six times of ten by volume, else any that is large
// enough; the largest where none is.
func pickGroup(groups []groupVolume, smallest float64, r *rand.Rand) int {
	var enough []int
	total, largest := 0.0, 0
	for i := range groups {
		if groups[i].decided >= smallest*monitoredWeeks {
			enough = append(enough, i)
			total += groups[i].decided
		}
		if groups[i].decided > groups[largest].decided {
			largest = i
		}
	}
	byVolume, u := r.Float64() < .6, r.Float64()
	switch {
	case len(enough) == 0:
		return largest
	case !byVolume:
		return enough[int(u*float64(len(enough)))]
	}
	left := u * total
	at := slices.IndexFunc(enough, func(i int) bool {
		left -= groups[i].decided
		return left < 0
	})
	return enough[max(at, 0)]
}

// takebackMonths is how many months' payments a wave of takebacks is drawn from.
const takebackMonths = 4

// reworkCents is what it costs a practice to work a denial (domain facts: $57.23).
const reworkCents = 5723

// worth is what the change costs a month, in the formula that detection uses:
// the excess denials' expected allowed amounts that no later payment makes good,
// and the rework of each.
func (g *groupVolume) worth(s upstream.Signal, effect, overturned float64) upstream.Money {
	switch s {
	case upstream.DenialRate:
		excess := effect * g.decided / monthsEach
		return upstream.Money(excess * (g.meanAllowed()*(1-overturned) + reworkCents))
	case upstream.AllowedAmount:
		return upstream.Money(effect * g.allowed / monthsEach)
	case upstream.Takeback: // of four months' payments, within one
		return upstream.Money(effect * g.allowed / monthsEach * takebackMonths)
	}
	return 0
}

// calm is one kind of customer without any change to be found at a payer.
type calm struct {
	name string
	// plant changes the options of the claims.
	plant func(*synth.Options)
	// throughStore loads the claims week by week into a database, some late and
	// some twice, and detects after each load.
	throughStore bool
	truths       func(customer int) []Truth
}

// calms take turns over the null customers.
var calms = []calm{
	{name: "N1 January bump"},
	{name: "N0 no season", plant: func(o *synth.Options) { o.NoSeason = true }},
	{name: "N2 mix shift", plant: func(o *synth.Options) {
		o.MixShifts = []synth.MixShift{
			{Payer: "Aetna", CPTGroup: "CT and MRI", Start: monitored + 100, Factor: 3},
			{Payer: synth.EveryPayer, CPTGroup: "Physical therapy", Start: monitored + 200, Factor: 2},
		}
	}},
	{name: "N5 heavier clustering", plant: func(o *synth.Options) { o.ShockSD = .3 }},
	{name: "N3 own front-end error", truths: frontEndError},
	{name: "N4 late files, duplicates, reversals", throughStore: true},
}

// inDeck orders scenarios as they stand here.
func inDeck(a, b string) int { return slices.Index(deck(), a) - slices.Index(deck(), b) }

// deck are the names of all scenarios.
var deck = sync.OnceValue(func() []string {
	var all []string
	for _, kinds := range year {
		for i := range kinds {
			for k := &kinds[i]; k != nil; k = k.also {
				all = append(all, k.name)
			}
		}
	}
	for _, c := range calms {
		all = append(all, c.name)
	}
	return all
})

// frontEndError is an error of the practice's own: all payers deny more for
// missing information, for six weeks. One story at the market's level is right.
func frontEndError(customer int) []Truth {
	start := (monitored + 140).NextBusiness()
	return []Truth{{
		Customer: customer, Scenario: "N3 own front-end error", Level: upstream.MarketLevel, Effect: .08,
		Drift: synth.Drift{
			ID: fmt.Sprintf("%d-1", customer), Signal: upstream.DenialRate, Payer: synth.EveryPayer, CARC: "16",
			Shape: synth.Step, Start: start, End: start + 41, Delta: .08,
		},
	}}
}

// practice are the options of a customer's claims, before anything is planted.
// weekly are the sizes of practices to choose from, in claims a week.
func practice(r *rand.Rand, weekly []int64) synth.Options {
	claims := weekly[r.IntN(len(weekly))] * allWeeks
	return synth.Options{Records: claims, Seed: r.Uint64(), Days: allWeeks * 7, AsOf: lastDay, Payers: payerCount, Locations: siteCount}
}
