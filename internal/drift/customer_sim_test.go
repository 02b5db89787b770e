package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

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

func TestSimCustomers(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("UPSTREAM_SIM"))
	if n == 0 {
		t.Skip()
	}
	base, _ := strconv.Atoi(os.Getenv("UPSTREAM_SIM_SEED"))
	budget := .5
	if b, err := strconv.ParseFloat(os.Getenv("UPSTREAM_SIM_B"), 64); err == nil {
		budget = b
	}
	for _, mode := range []string{"null", "drift", "placebo"} {
		fp, tp, tr, dup, level, covered := 0, 0, 0, 0, 0, 0
		kinds := map[string][2]int{}
		var delays, dates []float64
		var detail string
		for c := range n {
			d, truth := simCustomer(uint64(base+c), mode != "null", mode == "placebo")
			det := New(Data{Decisions: d}, Options{Budget: budget})
			known := map[int64]upstream.DriftEvent{}
			var list []upstream.DriftEvent
			first := map[int]bool{}
			alerted := map[int64]bool{}
			next := int64(1)
			for end := coldStartDays + 5; end <= len(det.days); end += 5 {
				r := det.At(det.days[end-1], list)
				for _, e := range r.Events {
					if e.ID == 0 {
						e.ID = next
						next++
					}
					if was, ok := known[e.ID]; ok && e.Tier == upstream.Alert && was.Status != e.Status {
						detail += fmt.Sprintf("  closed c%d #%d %s day %d %s/%s chg %d %s\n", c, e.ID, e.Level, end, name(e.Payer), name(e.CPTGroup), det.dayIndex(e.ChangeDate), e.Resolution)
					}
					known[e.ID] = e
					if e.Tier != upstream.Alert || alerted[e.ID] || e.Direction == upstream.Better {
						continue
					}
					alerted[e.ID] = true
					hit := -1
					for i, tt := range truth {
						if e.Payer == nil || *e.Payer != fmt.Sprintf("Payer %c", 'A'+tt.payer) {
							continue
						}
						if e.CPTGroup != nil {
							in := false
							for g := range tt.groups {
								in = in || *e.CPTGroup == fmt.Sprintf("Group %02d", g)
							}
							if !in {
								continue
							}
						}
						if end-1 < tt.start || end-1 > tt.end+20 {
							continue
						}
						hit = i
						if first[i] {
							dup++
							detail += fmt.Sprintf("  dup c%d #%d %s day %d %s/%s %s chg %d truth %+v\n", c, e.ID, e.Level, end, name(e.Payer), name(e.CPTGroup), tt.kind, det.dayIndex(e.ChangeDate), tt.start)
							continue
						}
						first[i] = true
						tp++
						delays = append(delays, float64(end-tt.start)*1.4)
						if (e.Level == upstream.PayerLevel) == (tt.kind == "payer") {
							level++
						} else {
							detail += fmt.Sprintf("  level c%d %s %s\n", c, e.Level, tt.kind)
						}
						if tt.kind != "ramp" {
							dates = append(dates, math.Abs(float64(det.dayIndex(e.ChangeDate)-tt.start)))
							if det.dayIndex(e.ChangeDateLow) <= tt.start && tt.start <= det.dayIndex(e.ChangeDateHigh) {
								covered++
							}
						}
						k := kinds[tt.kind]
						k[0]++
						kinds[tt.kind] = k
					}
					if hit < 0 {
						fp++
						detail += fmt.Sprintf("  false c%d #%d %s day %d %s/%s chg %d known %d ln %.1f\n", c, e.ID, e.Level, end, name(e.Payer), name(e.CPTGroup), det.dayIndex(e.ChangeDate), det.through(e.KnownAt), e.LnEvidence)
					}
				}
				list = list[:0:0]
				for id := int64(1); id < next; id++ {
					list = append(list, known[id])
				}
			}
			for i, tt := range truth {
				if !first[i] {
					detail += fmt.Sprintf("  miss c%d %s vol %.0f delta %.2f start %d\n", c, tt.kind, tt.vol, tt.delta, tt.start)
				}
			}
			tr += len(truth)
			for _, tt := range truth {
				k := kinds[tt.kind]
				k[1]++
				kinds[tt.kind] = k
			}
		}
		pct := func(a, b int) float64 { return 100 * float64(a) / math.Max(float64(b), 1) }
		med := func(v []float64) float64 {
			if len(v) == 0 {
				return math.NaN()
			}
			return median(v)
		}
		t.Logf("%-8s B %.2g: false/cm %.3f recall %.1f%% precision %.1f%% dup %.2f level %.0f%% delay %.0f date err %.1f bd covered %.0f%% kinds %v", mode, budget,
			float64(fp)/float64(n*12), pct(tp, tr), pct(tp, tp+fp), float64(dup)/math.Max(float64(tp), 1), pct(level, tp), med(delays), med(dates), pct(covered, len(dates)), kinds)
		if os.Getenv("UPSTREAM_SIM_V") != "" {
			t.Log("\n" + detail)
		}
	}
}
