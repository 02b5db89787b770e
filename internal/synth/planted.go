package synth

import (
	"fmt"
	"math"

	"upstream"
)

// recipe is a change that Planted would like to make.
type recipe struct {
	name     string
	signal   upstream.Signal
	payer    string
	groups   []string // by preference; nil: payer wide
	location int      // index; -1: all
	carc     string
	shape    Shape
	start    float64   // as a share of the days
	deltas   []float64 // mildest first
}

// recipes is the default set, in order of what a demo shows first. Each has a
// payer of its own, so that no story hides another.
var recipes = []recipe{
	// At the second of four sites 37 points are nearly 10 of the node's.
	{"procedure group", upstream.DenialRate, "Aetna", []string{"Physical therapy", "E/M office visits"}, 1, "197", Step, .66, []float64{.37, .50, .70}},
	{"payer wide", upstream.DenialRate, "Anthem", nil, -1, "", Step, .42, []float64{.04, .06, .10, .15}},
	{"one CARC at one location", upstream.DenialRate, "UnitedHealthcare", []string{"CT and MRI", "Physical therapy", "E/M office visits"}, 1, "197", Step, .74, []float64{.25, .35, .50}},
	{"ramp", upstream.DenialRate, "Medicaid Managed Care", []string{"E/M office visits"}, -1, "", Ramp, .52, []float64{.08, .12, .18}},
	{"slow-down", upstream.DecisionTime, "Cigna", nil, -1, "", Step, .60, []float64{1.5, 2}},
	{"fee cut", upstream.AllowedAmount, "Blue Cross Blue Shield", []string{"E/M office visits"}, -1, "", Step, .70, []float64{.03}},
	{"medical necessity", upstream.DenialRate, "Medicare", []string{"Lab chemistry", "E/M office visits"}, -1, "50", Step, .33, []float64{.08, .12, .18}},
	{"takeback wave", upstream.Takeback, "UHC Medicare Advantage", nil, -1, "", Spike, .56, []float64{.03, .06}},
	{"procedure group, late", upstream.DenialRate, "Humana Medicare Advantage", []string{"X-ray", "Physical therapy", "E/M office visits"}, -1, "", Step, .80, []float64{.12, .18, .25}},
}

const (
	// A change needs history before it and time to show itself after it.
	plantedBaseline = 70 // days
	plantedShow     = 35 // days, at least
	plantedHorizon  = 70 // days, as many as count

	// plantedEvidence is the log-likelihood ratio a denial change must gather
	// within plantedHorizon: about twice the ln ARL of a node at the default alarm budget.
	plantedEvidence = 16.0

	// Fewest decided claims a week for the other signals (assumed).
	plantedSlowVolume = 30
	plantedCutVolume  = 20
	// Fewest payments that a wave takes back (assumed).
	plantedTakebacks = 25
)

// Planted returns the default changes for these options: those of a fixed set
// whose payer is generated, with room before and after them and enough claims to
// be found at all.
// Small or short data get fewer or stronger ones, or none. The options' own
// Drifts are not looked at.
func Planted(o Options) []Drift {
	o.Drifts = nil
	g, err := New(o)
	if err != nil {
		return nil
	}
	o = g.options
	s := newStream(o.Seed, "planted drifts")
	var drifts []Drift
	for _, r := range recipes {
		jitter := int(s.uniform() * 14)
		k := payerIndex(r.payer, o.Payers)
		if k < 0 || r.location >= o.Locations {
			continue
		}
		after := max(int(r.start*float64(o.Days))+jitter, plantedBaseline)
		start := (g.first + upstream.Day(after)).NextBusiness()
		if int(o.AsOf-start) < plantedShow {
			continue
		}
		weeks := min(float64(o.AsOf-start), plantedHorizon) / 7
		if group, delta, ok := g.visible(r, k, weeks); ok {
			drifts = append(drifts, r.drift(g, len(drifts)+1, group, start, delta))
		}
	}
	return drifts
}

func (r *recipe) drift(g *Generator, number int, group string, start upstream.Day, delta float64) Drift {
	d := Drift{
		ID: fmt.Sprintf("planted-%d", number), Name: r.name, Signal: r.signal,
		Payer: r.payer, CARC: r.carc, Shape: r.shape, Start: start, Delta: delta,
	}
	if group != "" {
		d.CPTGroup = &group
	}
	if r.location >= 0 {
		d.Location = g.locations[r.location]
	}
	return d
}

// visible returns the first of a recipe's groups, with the mildest delta, whose
// volume can show the change within so many weeks; group "" is the whole payer.
func (g *Generator) visible(r recipe, payer int, weeks float64) (group string, delta float64, ok bool) {
	weekly := float64(g.options.Records) * 7 / float64(g.options.Days) * payerMix(g.options.Seed, g.options.Payers)[payer]
	strength := 1.0 // of the change at the node, where only a location has it
	if r.location >= 0 {
		strength = locationShares(g.options.Locations)[r.location]
	}
	rate := classTable[g.payers[payer].class].denialRate
	groups := r.groups
	if groups == nil {
		groups = []string{""}
	}
	for _, group := range groups {
		volume := weekly
		if group != "" {
			k := groupIndex(group)
			volume *= groupShares()[k]
			rate = float64(chance(g.nodes[payer*len(g.groups)+k].logit)) / scale
		}
		for _, delta := range r.deltas {
			switch r.signal {
			case upstream.DecisionTime:
				ok = volume*(delta-1) >= plantedSlowVolume/2.
			case upstream.AllowedAmount:
				ok = volume >= plantedCutVolume
			case upstream.Takeback:
				ok = volume*waveReach/7*(1-rate)*delta >= plantedTakebacks
			default:
				ok = volume*weeks*divergence(rate+delta*strength, rate) >= plantedEvidence
			}
			if ok {
				return group, delta, true
			}
		}
	}
	return "", 0, false
}

// divergence is the Kullback–Leibler divergence of Bernoulli(q) from Bernoulli(p):
// the evidence that one decided claim brings.
func divergence(q, p float64) float64 {
	return q*math.Log(q/p) + (1-q)*math.Log((1-q)/(1-p))
}
