package drift

import (
	"math/rand/v2"
	"testing"

	"upstream"
)

// flowCase is a change of how a payer decides, and what must be said of the
// denials of the four weeks after.
type flowCase struct {
	name      string
	change    waitStudy
	risen     bool // the denials themselves rose
	shareRise bool // their share of the decisions did, by two points at least
}

func TestDenialFlowTellsARiseFromASlowDown(t *testing.T) {
	for _, c := range []flowCase{
		{"no change", waitStudy{}, false, false},
		{"payments slow down", waitStudy{slower: 1.5, onlyPayments: true}, false, true},
		{"payments slow down, denied sooner than paid", waitStudy{slower: 1.5, onlyPayments: true, denIn: 9}, false, true},
		{"all decisions slow down", waitStudy{slower: 1.5}, false, false},
		{"denials rise", waitStudy{points: .05}, true, true},
		{"denials rise, payments slow down", waitStudy{points: .05, slower: 1.5, onlyPayments: true}, true, true},
		{"denials rise, payments take twice as long", waitStudy{points: .05, slower: 2, onlyPayments: true}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			const change, last = 350, 350 + 34
			s := c.change
			s.volume, s.denial, s.payIn, s.days, s.change = 300, .1, 18, 420, change
			if s.denIn == 0 {
				s.denIn = 18
			}
			sum, rise, n, over := 0.0, 0.0, 0.0, 0.0
			for r := range simulations(40) {
				claims := s.claims(rand.New(rand.NewPCG(52, r)))
				at := func(day int) upstream.Day { return simulationStart + upstream.Day(day) }
				e := denialFlow(waitsFrom(claims, 419), at(0), at(100), at(change+7), at(last))
				n++
				sum += e.z()
				rise += decidedShare(claims, change+7, last) - decidedShare(claims, 100, change-1)
				if e.z() >= 2 {
					over++
				}
			}
			t.Logf("z is %.1f on average, 2 or more in %.0f %%; the share of denials rose by %.1f points", sum/n, 100*over/n, 100*rise/n)
			if got := rise/n > .02; got != c.shareRise {
				t.Errorf("the share of denials rose by %.1f points", 100*rise/n)
			}
			if c.risen && over < .95*n || !c.risen && over > .1*n {
				t.Errorf("a rise is seen in %.0f of %.0f", over, n)
			}
		})
	}
}

func TestFlowWithoutClaims(t *testing.T) {
	at := func(day int) upstream.Day { return simulationStart + upstream.Day(day) }
	some := waitsFrom([]waitingClaim{{0, 5, true}, {3, 9, false}}, 40)
	unknown := waitsFrom((&waitStudy{volume: 300, denial: .1, payIn: 10, denIn: 10, days: 100}).claims(rand.New(rand.NewPCG(1, 1))), 99)
	unknown.Undecided = false
	for name, got := range map[string]expectation{
		"no waits":                    denialFlow(&upstream.PayerWaits{Undecided: true}, at(0), at(0), at(5), at(9)),
		"hardly a denial":             denialFlow(some, at(0), at(0), at(20), at(40)),
		"undecided claims not known":  denialFlow(unknown, at(0), at(0), at(60), at(99)),
		"a baseline that ends before": denialFlow(some, at(0), at(30), at(20), at(40)),
		"a window before the first":   denialFlow(some, at(0), at(-20), at(-10), at(-5)),
		"a window after the last day": denialFlow(some, at(0), at(0), at(90), at(95)),
	} {
		if got != (expectation{}) || got.z() != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
