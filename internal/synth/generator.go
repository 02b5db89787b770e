package synth

import (
	"math"
	"math/bits"
	"slices"
	"strconv"
	"time"

	"upstream"
)

// Generator makes the claims of its options. It is safe for concurrent use; its
// size does not depend on the number of claims.
//
// Everything random that a claim needs is looked up in tables of integers, so
// that a last-bit difference of floating point between machines cannot change a
// claim, and a claim costs no exponential.
type Generator struct {
	options Options
	first   upstream.Day // first submission day; day indexes count from it
	key     uint64       // of the claims' random numbers
	prefix  string       // of claim ids
	digits  int

	until      []int64 // claims submitted through day d
	payers     []payer
	procedures []procedure
	groups     []string
	locations  []string
	nodes      []node           // payer × group
	rates      []upstream.Money // payer × procedure: contract rate per unit
	season     []int32          // by decision day: what January adds, in logit units

	whichPayer     chooser[int]
	whichProcedure chooser[int]
	whichLocation  chooser[int]
	serviceLag     []uint8 // quantiles of days from service to submission
	overturnLag    []uint8 // quantiles of days from denial to overturn
	reversalLag    []uint8 // and from payment to reversal
	restoreLag     chooser[int32]
	reasons        chooser[reason]
	januaryCARC    chooser[upstream.Codes]
	cuts           chooser[int64] // factors in 2^-32; 0 for one to be drawn
	copayAmount    chooser[upstream.Money]
	coinsuranceOf  chooser[int64]
}

// procedure is a code of one generator, ready for drawing.
type procedure struct {
	code      string
	group     int
	charge    upstream.Money // per unit
	units     chooser[int]
	modifiers chooser[string]
	places    chooser[string]
}

// node is a payer and procedure group: the level at which payers set policy.
type node struct {
	logit    int32 // of the denial rate
	*changes       // most nodes share one without any
}

// changes are the effects planted at a node, in order, by what they change.
type changes struct {
	denials   []effect
	slower    []effect // whatever is decided
	payLater  []effect // only decisions to pay
	cuts      []effect
	overturns []effect
	waves     []effect // of takebacks
}

// none are the changes of a node where nothing was planted.
var none = new(changes)

// Logits are looked up in steps of 1/logitUnit between ±logitLimit.
const (
	logitUnit  = 1024
	logitLimit = 8
)

func toLogit(x float64) int32 { return int32(math.Round(x * logitUnit)) }

// scale is the fixed point of probabilities and factors: 1 is 2^32.
const scale = 1 << 32

// denialChance holds the logistic function in units of 1/scale.
var denialChance = func() []uint32 {
	t := make([]uint32, 2*logitLimit*logitUnit)
	for k := range t {
		t[k] = uint32(math.Round(scale * logistic(float64(k)/logitUnit-logitLimit)))
	}
	return t
}()

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// chance returns the probability of a logit, in units of 1/scale.
func chance(logit int32) int64 {
	k := logit + logitLimit*logitUnit
	return int64(denialChance[min(max(k, 0), int32(len(denialChance)-1))])
}

func newGenerator(o Options) *Generator {
	g := &Generator{options: o, first: o.first(), digits: idDigits(o.Records)}
	s := newStream(o.Seed, "claims")
	g.key = s.next()
	g.prefix = idPrefix(g.Identity())
	g.until = submissions(o)
	g.season = season(o)
	for k := range o.Payers {
		g.payers = append(g.payers, newPayer(o, k))
	}
	g.locations = locationsOf(o.Locations)
	weights := g.addProcedures()
	mix := payerMix(o.Seed, o.Payers)
	g.whichPayer = newChooser(indexed(mix))
	g.whichProcedure = newChooser(indexed(weights))
	g.whichLocation = newChooser(indexed(locationShares(o.Locations)))
	g.addNodes(weights)
	g.addRates()
	g.addSmallTables()
	g.addMixShifts(weights)
	for _, d := range o.Drifts {
		g.plant(d)
	}
	return g
}

func indexed(weights []float64) []choice[int] {
	c := make([]choice[int], len(weights))
	for k, w := range weights {
		c[k] = choice[int]{w, k}
	}
	return c
}

// submissions allots the claims to days, exactly: day d ends with claim
// floor(records × weight through d / whole weight).
func submissions(o Options) []int64 {
	s := newStream(o.Seed, "submission days")
	through, total := make([]uint64, o.Days), uint64(0)
	for d := range through {
		day := o.first() + upstream.Day(d)
		w := submissionWeekday[day.Weekday()]
		if w > 0 && !day.IsBusiness() {
			w = submissionWeekday[time.Saturday]
		}
		spread := math.Exp(submissionDaySD * s.normal())
		total += uint64(math.Round(1e6 * w * spread))
		through[d] = total
	}
	if total == 0 { // the only day is a Sunday
		through[len(through)-1], total = 1, 1
	}
	until := make([]int64, o.Days)
	for d, t := range through {
		high, low := bits.Mul64(uint64(o.Records), t)
		// t == total would overflow the quotient only if records did.
		share, _ := bits.Div64(high, low, total)
		until[d] = int64(share)
	}
	return until
}

func season(o Options) []int32 {
	t := make([]int32, o.Days)
	if o.NoSeason {
		return t
	}
	for d := range t {
		day := o.first() + upstream.Day(d)
		since := float64(day - upstream.MakeDay(day.Time().Year(), time.January, 1))
		if since < januaryDays {
			t[d] = toLogit(januaryLogit * (1 - since/januaryDays))
		}
	}
	return t
}

func locationsOf(n int) []string {
	names := slices.Clone(locationNames[:min(n, len(locationNames))])
	for k := len(names); k < n; k++ {
		names = append(names, "Clinic "+strconv.Itoa(k+1))
	}
	return names
}

func locationShares(n int) []float64 {
	shares, total := make([]float64, n), 0.0
	for k := range shares {
		shares[k] = math.Pow(locationDecay, float64(k))
		total += shares[k]
	}
	for k := range shares {
		shares[k] /= total
	}
	return shares
}

// groupShares returns the share of each group of procedureTable in all lines.
func groupShares() []float64 {
	shares := make([]float64, len(procedureTable))
	rest := 0.0
	for k := 1; k < len(shares); k++ {
		shares[k] = math.Pow(float64(k+1), -zipfExponent)
		rest += shares[k]
	}
	for k := 1; k < len(shares); k++ {
		shares[k] *= (1 - officeShare) / rest
	}
	shares[0] = officeShare
	return shares
}

// addProcedures fills procedures and groups and returns the share of each
// procedure in all lines.
func (g *Generator) addProcedures() []float64 {
	var weights []float64
	for k, share := range groupShares() {
		g.groups = append(g.groups, upstream.CPTGroup(procedureTable[k][0].code))
		for _, f := range procedureTable[k] {
			weights = append(weights, share*f.weight)
			g.procedures = append(g.procedures, procedure{
				code: f.code, group: k,
				units: newChooser(f.units), modifiers: newChooser(f.modifiers), places: newChooser(f.places),
			})
		}
	}
	return weights
}

// addNodes draws how far each group stands from its payer's rate and then moves
// the payer, so that the rate over its mix of groups is that of its class.
func (g *Generator) addNodes(weights []float64) {
	shares := make([]float64, len(g.groups))
	for k, w := range weights {
		shares[g.procedures[k].group] += w
	}
	s := newStream(g.options.Seed, "group denial rates")
	for k := range g.payers {
		apart := make([]float64, len(shares))
		for j := range apart {
			apart[j] = groupLogitSD * s.normal()
		}
		middle := middleLogit(classTable[g.payers[k].class].denialRate, apart, shares)
		for j := range apart {
			g.nodes = append(g.nodes, node{toLogit(middle + apart[j]), none})
		}
	}
}

// middleLogit solves Σ shares · logistic(x + apart) = rate for x, by bisection.
func middleLogit(rate float64, apart, shares []float64) float64 {
	low, high := -logitLimit/1.0, logitLimit/1.0
	for range 50 {
		x, mean := (low+high)/2, 0.0
		for j := range apart {
			mean += shares[j] * logistic(x+apart[j])
		}
		if mean < rate {
			low = x
		} else {
			high = x
		}
	}
	return (low + high) / 2
}

// addRates draws contracts and then the practice's charges above them.
func (g *Generator) addRates() {
	s := newStream(g.options.Seed, "contract rates")
	best := make([]float64, len(g.procedures))
	var facts []procedureFacts
	for _, group := range procedureTable {
		facts = append(facts, group...)
	}
	for k := range g.payers {
		t := &classTable[g.payers[k].class]
		level := t.rateLow + (t.rateHigh-t.rateLow)*s.uniform()
		for j, f := range facts {
			apart := math.Exp(codeRateSD * s.normal())
			if t.rateLow == t.rateHigh { // pays the schedule itself
				apart = 1
			}
			rate := math.Round(float64(f.medicare) * level * apart)
			g.rates = append(g.rates, upstream.Money(rate))
			best[j] = max(best[j], rate)
		}
	}
	s = newStream(g.options.Seed, "chargemaster")
	for j, f := range facts {
		times := min(chargeMedian*math.Exp(chargeSigma*s.normal()), chargeMost)
		dollars := math.Ceil(max(times*float64(f.medicare), chargeOverRates*best[j]) / 100)
		g.procedures[j].charge = upstream.Money(dollars) * 100
	}
}

func (g *Generator) addSmallTables() {
	g.serviceLag = lagQuantilesOf(submissionMedian, submissionSigma, 0, submissionMax)
	// The median of a correction is that of its remittance, for which it waits.
	g.overturnLag = lagQuantilesOf(overturnMedian-remittanceWait, overturnSigma, 1, longestLag)
	g.reversalLag = lagQuantilesOf(reversalMedian-remittanceWait, reversalSigma, 1, longestLag)
	g.restoreLag = newChooser(restoreDays)
	g.reasons = newChooser(denialReasons)
	g.januaryCARC = newChooser(januaryReasons)
	cuts := make([]choice[int64], len(offContract))
	for k, c := range offContract {
		cuts[k] = choice[int64]{c.weight, int64(math.Round(c.value * scale))}
	}
	g.cuts = newChooser(cuts)
	g.copayAmount = newChooser(copays)
	g.coinsuranceOf = newChooser(coinsurancePercent)
}

// remittanceWait is about how many days pass until the next remittance day.
const remittanceWait = 1.5

// lagQuantilesOf tabulates a lognormal law of whole days.
func lagQuantilesOf(median, sigma, least, most float64) []uint8 {
	t := make([]uint8, 1024)
	for q := range t {
		z := normalQuantile((float64(q) + .5) / float64(len(t)))
		t[q] = uint8(math.Round(min(max(median*math.Exp(sigma*z), least), most)))
	}
	return t
}
