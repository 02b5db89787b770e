package drift

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"upstream"
)

// feeStream is one payer × CPT group of a simulation: lines a week over six codes
// of which 85 % are paid at the contract rate, give or take 0.2 %, the rest as
// multiple procedures, assistants, charges below the rate, or at last year's rate.
type feeStream struct {
	payer    string
	codes    [6]string
	location string
	volume   float64
	exact    bool // amounts at the rate are it, to the cent

	// change is the factor on a share of the lines in a week.
	change func(week int) (factor, share float64)
}

var (
	officeVisits = [6]string{"99202", "99203", "99212", "99213", "99214", "99215"}
	therapy      = [6]string{"97110", "97112", "97116", "97140", "97150", "97530"}
	xrays        = [6]string{"73010", "73030", "73060", "73070", "73080", "73090"}

	feeRates = [6]float64{4000, 7500, 11000, 15000, 22000, 40000}
	feeStart = upstream.MakeDay(2024, 1, 1) // a Monday
)

// cutFrom cuts all lines by a share of the rate from a week on.
func cutFrom(week int, cut, share float64) func(int) (float64, float64) {
	return func(w int) (float64, float64) {
		if w < week {
			return 1, 0
		}
		return 1 - cut, share
	}
}

func feeAmounts(seed uint64, weeks int, streams ...feeStream) *upstream.Amounts {
	rng := rand.New(rand.NewPCG(seed, 9))
	var b feeBuilder
	for _, s := range streams {
		mix := [6]float64{.3, .25, .18, .12, .1, .05}
		sum := 0.0
		for i := range mix {
			mix[i] *= gamma(rng, 40)
			sum += mix[i]
		}
		for week := range weeks {
			factor, share := 1.0, 0.0
			if s.change != nil {
				factor, share = s.change(week)
			}
			for range poisson(rng, s.volume) {
				code, u := 0, rng.Float64()*sum
				for code < 5 && u >= mix[code] {
					u -= mix[code]
					code++
				}
				ratio := offContract(rng, s.exact)
				if rng.Float64() < share {
					ratio *= factor
				}
				b.add(s.payer, s.codes[code], s.location, feeRates[code]*ratio, week, 1)
			}
		}
	}
	return b.amounts(weeks)
}

// offContract is allowed over the contract's rate.
func offContract(rng *rand.Rand, exact bool) float64 {
	ratio := 1.0
	if noise := .002 * rng.NormFloat64(); !exact {
		ratio += min(max(noise, -.004), .004)
	}
	switch u := rng.Float64(); {
	case u < .06:
		return ratio * .5
	case u < .10:
		return ratio * (.8 + .1*rng.Float64())
	case u < .13:
		return .6 + .4*rng.Float64()
	case u < .15:
		return ratio * .975
	}
	return ratio
}

// feeBuilder collects lines in any order.
type feeBuilder struct{ lines []feeLine }

type feeLine struct {
	payer, cpt, location string
	atom                 upstream.Atom
}

func (b *feeBuilder) add(payer, cpt, location string, cents float64, week, lines int) {
	atom := upstream.Atom{Cents: upstream.Money(math.Round(cents)), Week: int32(week), Lines: int32(lines)}
	b.lines = append(b.lines, feeLine{payer, cpt, location, atom})
}

func (b *feeBuilder) amounts(weeks int) *upstream.Amounts {
	slices.SortFunc(b.lines, func(a, b feeLine) int {
		return cmp.Or(cmp.Compare(a.payer, b.payer), cmp.Compare(a.cpt, b.cpt), cmp.Compare(a.location, b.location),
			cmp.Compare(a.atom.Cents, b.atom.Cents), cmp.Compare(a.atom.Week, b.atom.Week))
	})
	a := &upstream.Amounts{First: feeStart, Weeks: weeks}
	for i, l := range b.lines {
		if i == 0 || l.payer != b.lines[i-1].payer || l.cpt != b.lines[i-1].cpt || l.location != b.lines[i-1].location {
			a.Keys = append(a.Keys, upstream.AmountKey{Payer: l.payer, CPT: l.cpt, Location: l.location, Place: "11"})
		}
		k := &a.Keys[len(a.Keys)-1]
		if n := len(k.Atoms); n > 0 && k.Atoms[n-1].Cents == l.atom.Cents && k.Atoms[n-1].Week == l.atom.Week {
			k.Atoms[n-1].Lines += l.atom.Lines
			continue
		}
		k.Atoms = append(k.Atoms, l.atom)
	}
	return a
}

// sundayOf is the last day of a week.
func sundayOf(week int) upstream.Day { return feeStart + upstream.Day(7*week+6) }

// onePayer is a payer with one group of codes.
func onePayer(volume float64, change func(int) (float64, float64)) feeStream {
	return feeStream{payer: "Payer A", codes: officeVisits, volume: volume, change: change}
}

// payersAlike are payers with three groups each; change is that of a payer's group.
func payersAlike(payers int, volume float64, change func(p, g int) func(int) (float64, float64)) []feeStream {
	var out []feeStream
	for p := range payers {
		for g, codes := range [][6]string{officeVisits, therapy, xrays} {
			s := feeStream{payer: fmt.Sprintf("Payer %c", 'A'+p), codes: codes, volume: volume, exact: true}
			if change != nil {
				s.change = change(p, g)
			}
			out = append(out, s)
		}
	}
	return out
}
