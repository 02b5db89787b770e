package drift

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"upstream"
)

// A code of each of 29 CPT groups; seven codes from each on are of the same.
var groupCodes = [...]string{
	"11100", "19100", "20220", "20550", "22100", "29050", "29860", "31200", "33200", "36400",
	"38200", "43200", "50100", "56000", "61000", "64450", "66000", "69100", "70500", "71100",
	"76700", "80100", "82100", "85100", "87100", "90800", "93300", "97110", "99202",
}

// feePractice is a customer of 40 payers × 29 groups × 7 codes with about
// 270,000 atoms in 39 weeks: most lines at the rate, the rest spread.
func feePractice(weeks int) *upstream.Amounts {
	rng := rand.New(rand.NewPCG(3, 3))
	a := &upstream.Amounts{First: feeStart, Weeks: weeks}
	for p := range 40 {
		for k := range 29 * 7 {
			code, _ := strconv.Atoi(groupCodes[k/7])
			key := upstream.AmountKey{Payer: fmt.Sprintf("Payer %02d", p), CPT: fmt.Sprintf("%05d", code+k%7), Place: "11"}
			rate := 2000 + rng.IntN(30000)
			at := map[[2]int]int{}
			for week := range weeks {
				for range poisson(rng, 1.4) {
					ratio := offContract(rng, true)
					at[[2]int{int(float64(rate) * ratio), week}]++
				}
			}
			var b feeBuilder
			for cell, n := range at {
				b.add("", "", "", float64(cell[0]), cell[1], n)
			}
			if c := b.amounts(weeks); len(c.Keys) > 0 {
				key.Atoms = c.Keys[0].Atoms
			}
			a.Keys = append(a.Keys, key)
		}
	}
	return a
}

// BenchmarkFeesFirst8000Keys sorts 8,120 keys into nodes and evaluates once.
func BenchmarkFeesFirst8000Keys(b *testing.B) {
	a := feePractice(39)
	atoms := 0
	for i := range a.Keys {
		atoms += len(a.Keys[i].Atoms)
	}
	for b.Loop() {
		newFees(a).scan(sundayOf(38), history{}, .5)
	}
	b.ReportMetric(float64(atoms), "atoms")
}

// BenchmarkFeesAgain8000Keys is the evaluation of another week, of a customer
// whose incidents are known.
func BenchmarkFeesAgain8000Keys(b *testing.B) {
	f := newFees(feePractice(39))
	var h history
	for week := 37; week < 39; week++ {
		h.known = append(h.known, f.scan(sundayOf(week), h, .5)...)
	}
	b.ReportMetric(float64(len(h.known)), "incidents")
	for week := 0; b.Loop(); week++ {
		f.scan(sundayOf(37+week%2), h, .5)
	}
}

// BenchmarkFeesTrack brings one incident of a payer up to date.
func BenchmarkFeesTrack(b *testing.B) {
	f := newFees(feePractice(39))
	e := *f.node(3, -1)
	e.ChangeDate = sundayOf(29) + 1
	for b.Loop() {
		f.track(&e, sundayOf(38))
	}
}
