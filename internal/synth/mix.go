package synth

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"upstream"
)

// MixShift is a change of what the practice does: from Start on, by submitted
// day, a procedure group's share of its claims at a payer is multiplied by
// Factor, and the other groups share the rest as before. The number of claims
// stays. A later shift builds on those before it. It turns claims of the one
// kind into the other and leaves all others as they are.
type MixShift struct {
	Payer    string       `json:"payer"` // "*": all
	CPTGroup string       `json:"cpt_group"`
	Start    upstream.Day `json:"start"`
	Factor   float64      `json:"factor"`
}

// largestShare is the most of a payer's claims that a shift may give one group.
const largestShare = .9

func (m MixShift) withDefaults() MixShift {
	if m.Payer != EveryPayer {
		m.Payer, _ = upstream.PayerName(m.Payer)
	}
	return m
}

func (m MixShift) concerns(payer string) bool { return m.Payer == EveryPayer || m.Payer == payer }

// mixProblems lists what is wrong with the mix shifts of o.
func mixProblems(o Options) (p []string) {
	for k, m := range o.MixShifts {
		bad := func(what string) { p = append(p, fmt.Sprintf("mix shift %d: %s", k+1, what)) }
		if m.Payer != EveryPayer && payerIndex(m.Payer, o.Payers) < 0 {
			bad("the payer is none of the generated ones: " + strings.Join(payerNames(o.Payers), ", "))
		}
		if groupIndex(m.CPTGroup) < 0 {
			bad("cpt_group is none of the generated procedure groups")
		}
		if m.Start < o.first() || m.Start > o.AsOf {
			bad(fmt.Sprintf("start must lie in the data, %s to %s", o.first(), o.AsOf))
		}
		if !(m.Factor >= 0 && m.Factor <= 1000) || m.Factor == 1 { // so that NaN fails
			bad("factor must be 0 to 1000, and not 1")
		}
	}
	if len(p) > 0 {
		return p
	}
	for _, name := range payerNames(o.Payers) {
		shares := groupShares()
		for _, m := range o.shiftsOf(name) {
			g := groupIndex(m.CPTGroup)
			if shares[g]*m.Factor > largestShare {
				return []string{fmt.Sprintf("mix shifts make %s more than %g %% of the claims at %s", m.CPTGroup, largestShare*100, name)}
			}
			multiplyShare(shares, func(k int) bool { return k == g }, m.Factor)
		}
	}
	return nil
}

// shiftsOf returns the mix shifts at a payer in the order of their days.
func (o Options) shiftsOf(payer string) []MixShift {
	shifts := slices.DeleteFunc(slices.Clone(o.MixShifts), func(m MixShift) bool { return !m.concerns(payer) })
	slices.SortStableFunc(shifts, func(a, b MixShift) int { return int(a.Start - b.Start) })
	return shifts
}

// multiplyShare multiplies the shares of those within and scales the others, so
// that the sum stays 1. It returns the sum of those within, before.
func multiplyShare(shares []float64, within func(k int) bool, factor float64) float64 {
	share := 0.0
	for k, s := range shares {
		if within(k) {
			share += s
		}
	}
	for k := range shares {
		if within(k) {
			shares[k] *= factor
		} else {
			shares[k] *= (1 - share*factor) / (1 - share)
		}
	}
	return share
}

// mixEffect is a mix shift at one payer, ready for claims: from its first day on
// a claim of another group (grows), or of the group itself, is turned with that
// chance into one of the other side.
type mixEffect struct {
	first   int32 // day index
	group   int
	grows   bool
	chance  int64
	instead chooser[int] // procedures
}

// addMixShifts prepares the options' mix shifts; weights are the shares of the
// procedures without them.
func (g *Generator) addMixShifts(weights []float64) {
	for k := range g.payers {
		p := &g.payers[k]
		shares := slices.Clone(weights)
		for _, m := range g.options.shiftsOf(p.name) {
			e := mixEffect{first: int32(m.Start - g.first), group: groupIndex(m.CPTGroup), grows: m.Factor > 1}
			within := func(j int) bool { return g.procedures[j].group == e.group }
			share := multiplyShare(shares, within, m.Factor)
			if share == 0 { // shifted away before
				continue
			}
			var choices []choice[int]
			for j, s := range shares {
				if within(j) == e.grows && s > 0 {
					choices = append(choices, choice[int]{s, j})
				}
			}
			e.instead = newChooser(choices)
			e.chance = int64(math.Round(scale * (1 - m.Factor)))
			if e.grows {
				e.chance = int64(math.Round(scale * share * (m.Factor - 1) / (1 - share)))
			}
			p.mixes = append(p.mixes, e)
		}
	}
}

// shift returns the procedure of a claim after its payer's mix shifts. Each
// takes two random numbers of its own.
func (g *Generator) shift(mixes []mixEffect, procedure int, day int32, claim uint64) int {
	s := stream(mix(claim))
	for k := range mixes {
		turned, which := s.pair()
		m := &mixes[k]
		if day >= m.first && (g.procedures[procedure].group == m.group) != m.grows && int64(turned) < m.chance {
			procedure = m.instead.pick(which)
		}
	}
	return procedure
}
