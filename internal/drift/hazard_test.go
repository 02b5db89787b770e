package drift

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"upstream"
)

func TestInventoryEqualsARecount(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, p := anyWaits(rt)
		cal := newWorkdays(w.From, w.To)
		v := newInventoryBuilder(&cal, fastBins, make([]bool, len(cal.days)), true).build(p)
		bin := fastBins.lookup()
		for slot := range cal.days {
			risk, ends := make([]int32, v.bins), make([]int32, v.bins)
			for start, n := range p.Started {
				age := cal.offset(slot) - start
				if age < 0 || age >= fastBins.horizon {
					continue
				}
				for _, e := range p.Ended {
					if int(e.Start) != start {
						continue
					}
					switch at := cal.ended(e); {
					case at >= 0 && at < slot:
						n -= e.Count
					case at == slot:
						ends[bin[age]] += e.Count
					}
				}
				risk[bin[age]] += n
			}
			for i, c := range v.row(slot) {
				if full := fastBins.from[i] + fastBins.width(i); v.first >= len(cal.days) || cal.offset(slot)-cal.offset(v.first) < full {
					risk[i], ends[i] = 0, 0
				}
				if c.risk != risk[i] || c.ends != ends[i] {
					rt.Fatalf("slot %d, bin %d: %+v, want {%d %d}", slot, i, c, risk[i], ends[i])
				}
			}
		}
	})
}

func anyWaits(t *rapid.T) (*upstream.Waits, *upstream.PayerWaits) {
	days := rapid.IntRange(1, 90).Draw(t, "days")
	from := simStart + upstream.Day(rapid.IntRange(0, 400).Draw(t, "from"))
	w := &upstream.Waits{From: from, To: from + upstream.Day(days-1), Payers: []upstream.PayerWaits{{
		Payer: "A", Clock: upstream.DecisionClock, Undecided: true, Started: make([]int32, days),
	}}}
	p := &w.Payers[0]
	for range rapid.IntRange(0, 30).Draw(t, "waits") {
		start, n := rapid.IntRange(0, days-1).Draw(t, "start"), rapid.Int32Range(1, 5).Draw(t, "count")
		p.Started[start] += n
		if rapid.Bool().Draw(t, "ends") {
			p.Ended = append(p.Ended, upstream.Wait{Start: int32(start), Lag: rapid.Int32Range(-3, 100).Draw(t, "lag"), Count: n})
		}
	}
	p.Ended = sumWaits(p.Ended)
	return w, p
}

func TestLikelihoodRatioOfHazards(t *testing.T) {
	sure := contrast{observed: 60, expected: 100, known: 1e12, phi: 1, unlike: 1e-3}
	for _, theta := range []float64{.5, .75, .9, 1.5} {
		want := 60*math.Log(theta) + (1-theta)*100
		d := 1e3
		exact := 60*math.Log(theta) - (d+60)*math.Log((d+theta*100)/(d+100))
		if got := sure.lnRatio(theta); math.Abs(got-exact) > 1e-6 || math.Abs(got-want) > .3*math.Abs(want)+1 {
			t.Errorf("θ = %g: %g, want %g, about %g", theta, got, exact, want)
		}
	}
	doubled := sure
	doubled.phi = 2
	unsure := sure
	unsure.known = 20
	if a, b, c := sure.lnRatio(.75), doubled.lnRatio(.75), unsure.lnRatio(.75); b >= a || c >= a || b <= 0 {
		t.Errorf("evidence %g; with twice the variance %g, with a short baseline %g", a, b, c)
	}
	if (&contrast{phi: 1}).lnRatio(.5) != 0 {
		t.Error("nothing expected tells something")
	}
}

func TestMedianAndShareOfHazards(t *testing.T) {
	var h hazards
	for i := range fastBins.from {
		h.rate[i] = .1
	}
	// (1−.1)^(5/7) a calendar day: half are left after 9.21 of them.
	if got := h.median(&fastBins); math.Abs(got-8.71) > .05 {
		t.Errorf("the median is %.3f days", got)
	}
	if got, want := h.share(&overturnBins, 1), 1-math.Pow(.9, 181*5./7); math.Abs(got-want) > .2 {
		t.Errorf("the share is %.4f", got)
	}
	if got := (&hazards{}).median(&fastBins); got != 168 {
		t.Errorf("a median nobody reaches is %g", got)
	}
	h.rate[0] = 1
	if got := h.median(&fastBins); got != 0 {
		t.Errorf("the median of what ends at once is %g", got)
	}
}
