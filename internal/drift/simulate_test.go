package drift

import (
	"fmt"
	"math"
	"math/rand/v2"

	"upstream"
)

// simulation makes claims-like decisions: Poisson counts a business day with a
// weekly pattern, beta-binomial denials, and a shock to all of a payer's groups
// on one day. Defaults of zero mean the effect is off.
type simulation struct {
	seed   uint64
	days   int         // business days
	volume [][]float64 // claims a week, by payer and group
	logit  [][]float64 // log-odds of denial, by payer and group
	icc    float64     // by payer, when all are alike
	shock  float64     // standard deviation of a payer-day's shock in log-odds

	// change returns the volume's factor, the addition to the log-odds, and
	// then to the rate, of one group on one business day.
	change func(p, g, day int) (factor, logOdds, points float64)
}

// simulationStart is a Monday; the 65th business day after it opens a year.
var simulationStart = upstream.MakeDay(2022, 9, 26)

func (s *simulation) decisions() *upstream.Decisions {
	rng := rand.New(rand.NewPCG(s.seed, 1))
	days := make([]upstream.Day, 0, s.days)
	for day := simulationStart; len(days) < s.days; day++ {
		if day.IsBusiness() {
			days = append(days, day)
		}
	}
	d := &upstream.Decisions{From: simulationStart, To: days[len(days)-1]}
	weekday := [...]float64{1.25, .9, 1, .95, .9}
	for p := range s.volume {
		shocks := make([]float64, s.days)
		for i := range shocks {
			shocks[i] = rng.NormFloat64() * s.shock
		}
		for g := range s.volume[p] {
			n := newNode(fmt.Sprintf("Payer %c", 'A'+p%26), fmt.Sprintf("Group %02d", g), d)
			for i, day := range days {
				factor, logOdds, points := 1.0, 0.0, 0.0
				if s.change != nil {
					factor, logOdds, points = s.change(p, g, i)
				}
				rate := 1 / (1 + math.Exp(-s.logit[p][g]-shocks[i]-logOdds))
				rate = min(max(rate+points, .001), .97)
				at := day - d.From
				n.Decided[at] = poisson(rng, s.volume[p][g]/5*weekday[i%5]*factor)
				n.Denied[at] = clustered(rng, n.Decided[at], rate, s.icc)
				n.Allowed[at] = int64(n.Decided[at]-n.Denied[at]) * 100_00
			}
			d.Nodes = append(d.Nodes, n)
		}
	}
	return d
}

func newNode(payer, cptGroup string, d *upstream.Decisions) upstream.NodeDecisions {
	days := int(d.To-d.From) + 1
	return upstream.NodeDecisions{
		Payer: payer, CPTGroup: cptGroup,
		Decided: make([]int32, days), Denied: make([]int32, days), Allowed: make([]int64, days),
	}
}

// even is a grid of payers × groups of the same value.
func even(payers, groups int, v float64) [][]float64 {
	m := make([][]float64, payers)
	for p := range m {
		m[p] = make([]float64, groups)
		for g := range m[p] {
			m[p][g] = v
		}
	}
	return m
}

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

// practice is a customer like real ones: payers × groups with heavy-tailed
// volumes around total claims a week, and rates of their own.
func practice(seed uint64, payers, groups, days int, total float64) *simulation {
	rng := rand.New(rand.NewPCG(seed, 2))
	s := &simulation{
		seed: seed, days: days, icc: []float64{.003, .01, .02}[rng.IntN(3)], shock: .1,
		volume: even(payers, groups, 0), logit: even(payers, groups, 0),
	}
	sum := 0.0
	for p := range payers {
		base := logit(.07 + .01*float64(p%9))
		for g := range groups {
			share := math.Pow(float64(p+1), -.7) * math.Pow(float64(g+1), -1.05)
			s.volume[p][g] = share
			sum += share
			s.logit[p][g] = base + .35*rng.NormFloat64()
		}
	}
	for p := range payers {
		for g := range groups {
			s.volume[p][g] *= total / sum * math.Exp(.5*rng.NormFloat64())
		}
	}
	return s
}

func poisson(rng *rand.Rand, mean float64) int32 {
	if mean > 50 {
		return int32(max(0, math.Round(mean+math.Sqrt(mean)*rng.NormFloat64())))
	}
	limit, n := math.Exp(-mean), int32(-1)
	for p := 1.0; p > limit; n++ {
		p *= rng.Float64()
	}
	return max(n, 0)
}

// clustered draws from the beta-binomial with intraclass correlation icc.
func clustered(rng *rand.Rand, n int32, rate, icc float64) int32 {
	if icc > 0 {
		k := (1 - icc) / icc
		a, b := gamma(rng, rate*k), gamma(rng, (1-rate)*k)
		rate = a / (a + b)
	}
	x := int32(0)
	for range n {
		if rng.Float64() < rate {
			x++
		}
	}
	return x
}

// gamma draws by the method of Marsaglia and Tsang.
func gamma(rng *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(rng, shape+1) * math.Pow(rng.Float64(), 1/shape)
	}
	d := shape - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		x := rng.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v *= v * v
		if math.Log(1-rng.Float64()) < .5*x*x+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
