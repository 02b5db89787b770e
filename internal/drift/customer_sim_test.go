package drift

import (
	"math/rand/v2"

	"upstream"
)

type simTruth struct {
	kind       string
	payer      int
	groups     map[int]bool
	start, end int // business days
	delta, vol float64
}

func simCustomer(seed uint64, drifts, placebo bool) (*upstream.Decisions, []simTruth) {
	const P, K = 8, 35
	T := coldStartDays + 260
	rng := rand.New(rand.NewPCG(seed, 77))
	s := practice(seed, P, K, T, []float64{1500, 3000, 6000}[seed%3])
	var truth []simTruth
	if drifts {
		used := map[int]bool{}
		for _, kind := range []string{"payer", "group", "group", "group", "group", "ramp", "spike", "group"} {
			for range 200 {
				var t simTruth
				t.kind, t.groups = kind, map[int]bool{}
				if kind == "payer" {
					t.payer = rng.IntN(P)
					for g := range K {
						t.groups[g] = true
						t.vol += s.volume[t.payer][g]
					}
					t.delta = []float64{.02, .03, .05}[rng.IntN(3)]
				} else {
					t.payer = rng.IntN(P)
					g := rng.IntN(K)
					if rng.Float64() < .6 {
						u := rng.Float64()
						tot := 0.0
						for p := range P {
							for k := range K {
								tot += s.volume[p][k]
							}
						}
						u *= tot
					pick:
						for p := range P {
							for k := range K {
								if u -= s.volume[p][k]; u <= 0 {
									t.payer, g = p, k
									break pick
								}
							}
						}
					}
					t.vol = s.volume[t.payer][g]
					if t.vol < 8 {
						continue
					}
					t.groups[g] = true
					t.delta = []float64{.04, .06, .10, .15}[rng.IntN(4)]
				}
				clash := false
				if used[t.payer] {
					for _, o := range truth {
						if o.payer == t.payer {
							if o.kind == "payer" || kind == "payer" {
								clash = true
							}
							for g := range t.groups {
								clash = clash || o.groups[g]
							}
						}
					}
				}
				if clash {
					continue
				}
				used[t.payer] = true
				t.start = coldStartDays + 15 + rng.IntN(175)
				t.end = T
				if kind == "spike" {
					t.end = t.start + 20
				}
				truth = append(truth, t)
				break
			}
		}
	}
	s.change = func(p, g, day int) (float64, float64, float64) {
		_, lo, _ := january(p, g, day)
		points := 0.0
		if !placebo {
			for _, t := range truth {
				if t.payer != p || !t.groups[g] || day < t.start || day >= t.end {
					continue
				}
				f := 1.0
				if t.kind == "ramp" {
					f = min(float64(day-t.start)/30, 1)
				}
				points += t.delta * f
			}
		}
		return 1, lo, points
	}
	return s.decisions(), truth
}
