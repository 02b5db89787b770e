package synth

import (
	"math"
	"strconv"
	"time"

	"upstream"
)

// class is what the sources of the distributions distinguish among payers.
type class uint8

const (
	commercial class = iota
	blues
	marketplace
	medicare
	medicareAdvantage
	medicaidManaged
	medicaid
	classes
)

// patientShare is who pays the allowed amount instead of the payer.
type patientShare uint8

const (
	nothing     patientShare = iota
	deductible               // PR-1: all of it, so the payer pays nothing; no denial
	coinsurance              // PR-2: a percentage
	copay                    // PR-3: a fixed amount
)

// classTable holds what is known by class of payer.
//
// denialRate: share of claims denied at first pass. Premier 2024, Kodiak 2024,
// KFF 2025, Dunn and Gottlieb 2021.
//
// rateLow, rateHigh: contract rates over the Medicare fee schedule; a payer
// draws its own between them. Commercial: HCCI, Milliman 2023. Medicaid: KFF.
// Medicare Advantage follows Medicare; marketplace: assumed.
//
// shares of patient responsibility: assumed.
//
// filing: X12 835 CLP06, claim filing indicator code.
var classTable = [classes]struct {
	denialRate        float64
	rateLow, rateHigh float64
	shares            []choice[patientShare]
	filing            string
}{
	commercial:        {.07, 1.22, 1.43, privateShares, "12"},
	blues:             {.06, 1.22, 1.43, privateShares, "BL"},
	marketplace:       {.14, 1.05, 1.20, []choice[patientShare]{{.25, nothing}, {.25, deductible}, {.25, coinsurance}, {.25, copay}}, "HM"},
	medicare:          {.06, 1.00, 1.00, []choice[patientShare]{{.30, nothing}, {.05, deductible}, {.65, coinsurance}}, "MB"},
	medicareAdvantage: {.10, 1.00, 1.00, []choice[patientShare]{{.35, nothing}, {.02, deductible}, {.15, coinsurance}, {.48, copay}}, "16"},
	medicaidManaged:   {.13, .72, .72, []choice[patientShare]{{.95, nothing}, {.05, copay}}, "MC"},
	medicaid:          {.16, .72, .72, []choice[patientShare]{{.97, nothing}, {.03, copay}}, "MC"},
}

var privateShares = []choice[patientShare]{{.20, nothing}, {.12, deductible}, {.33, coinsurance}, {.35, copay}}

// payerFacts describes one payer.
//
// share: percent of a practice's claims. By line of business 48 % commercial, 17
// Medicare, 18 Medicare Advantage, 11 Medicaid managed, 4 Medicaid, 2 other
// (assumed, consistent with CMS NHE 2023 and CRS IF10830); within commercial
// the shares of AMA Competition in Health Insurance 2025 with 14 % for other
// Blues, within Medicare Advantage those of the three largest sponsors.
//
// median: days from receipt to decision. AMA report cards 2012 and 2013; CMS
// Pub 100-04 for Medicare; where these have none (Medicaid, Kaiser, Centene,
// Tricare, Oscar), assumed; other Blues as Regence.
//
// sigma: of the lognormal lag, .30–.45, assumed.
//
// remits: the two weekdays on which the payer decides; assumed, chosen so that
// all together decide Mon 1.25, Tue .9, Wed 1.0, Thu .95, Fri .9 (assumed).
type payerFacts struct {
	name   string
	class  class
	share  float64
	median float64
	sigma  float64
	remits [2]time.Weekday
}

var payerTable = []payerFacts{
	{"Medicare", medicare, 17, 14, .30, [2]time.Weekday{time.Monday, time.Thursday}},
	{"Medicaid Managed Care", medicaidManaged, 11, 12, .40, [2]time.Weekday{time.Tuesday, time.Friday}},
	{"UnitedHealthcare", commercial, 9.6, 11, .35, [2]time.Weekday{time.Wednesday, time.Friday}},
	{"UHC Medicare Advantage", medicareAdvantage, 8.9, 11, .35, [2]time.Weekday{time.Monday, time.Thursday}},
	{"Blue Cross Blue Shield", blues, 8.4, 9, .35, [2]time.Weekday{time.Tuesday, time.Thursday}},
	{"Anthem", blues, 7.2, 7, .40, [2]time.Weekday{time.Monday, time.Thursday}},
	{"Aetna", commercial, 7.2, 14, .35, [2]time.Weekday{time.Tuesday, time.Friday}},
	{"Humana Medicare Advantage", medicareAdvantage, 5.6, 6, .40, [2]time.Weekday{time.Wednesday, time.Friday}},
	{"Cigna", commercial, 5.4, 7, .35, [2]time.Weekday{time.Monday, time.Wednesday}},
	{"HCSC", blues, 4.8, 6, .40, [2]time.Weekday{time.Wednesday, time.Friday}},
	{"Medicaid", medicaid, 4, 14, .45, [2]time.Weekday{time.Tuesday, time.Thursday}},
	{"Kaiser Permanente", commercial, 3.6, 8, .35, [2]time.Weekday{time.Monday, time.Thursday}},
	{"Aetna Medicare Advantage", medicareAdvantage, 3.5, 14, .35, [2]time.Weekday{time.Tuesday, time.Friday}},
	{"Centene", marketplace, 1.8, 10, .40, [2]time.Weekday{time.Monday, time.Wednesday}},
	{"Tricare", commercial, 1.2, 12, .40, [2]time.Weekday{time.Wednesday, time.Friday}},
	{"Oscar Health", marketplace, .8, 9, .40, [2]time.Weekday{time.Tuesday, time.Thursday}},
}

// maxPayers bounds Options.Payers.
const maxPayers = 200

// factsOf returns the k-th payer. Past the table come small regional plans with
// the figures of commercial payers (assumed).
func factsOf(k int) payerFacts {
	if k < len(payerTable) {
		return payerTable[k]
	}
	like := payerTable[k%len(payerTable)]
	return payerFacts{
		name: "Community Health Plan " + strconv.Itoa(k+1), class: commercial,
		share: .5, median: 10, sigma: .40, remits: like.remits,
	}
}

// payer is a payer of one generator, ready for drawing.
type payer struct {
	payerFacts
	lag    []uint32 // quantiles of days from receipt to decision, in lagUnit
	floor  int32    // days before a payment, not a denial, may go out
	remit  []int32  // by day: the first remittance day at or after it
	shock  []int32  // by decision day: what the payer's systems add, in logit units
	shares chooser[patientShare]
	mixes  []mixEffect
}

const (
	payerMixConcentration = 60  // Dirichlet around the shares, assumed
	payerDayShockSD       = .10 // logit, assumed, unless Options say otherwise
	medicareFloorDays     = 14  // CMS Pub 100-04 chapter 1, 80.2.1.2: electronic claims

	lagUnit      = 64 // a day in the fixed point of lags
	lagQuantiles = 4096
	longestLag   = 250 // days; nothing of interest is longer
)

// newPayer prepares the k-th payer of o.
func newPayer(o Options, k int) payer {
	p := payer{payerFacts: factsOf(k)}
	p.shares = newChooser(classTable[p.class].shares)
	if p.class == medicare {
		p.floor = medicareFloorDays
	}
	p.remit = remittanceDays(p.remits, o.first(), o.Days)
	p.lag = make([]uint32, lagQuantiles)
	// The median of the table is that of the decision, which waits for the next
	// remittance day and counts whole days; the law under it is that much faster.
	median := max(p.median-meanWait(p.remits)-.5, 1)
	for q := range p.lag {
		z := normalQuantile((float64(q) + .5) / lagQuantiles)
		lag := min(median*math.Exp(p.sigma*z), longestLag)
		p.lag[q] = uint32(math.Round(lag * lagUnit))
	}
	s := newStream(o.Seed, "payer day shock "+strconv.Itoa(k))
	p.shock = make([]int32, o.Days)
	for d := range p.shock {
		p.shock[d] = toLogit(o.ShockSD * s.normal())
	}
	return p
}

// remittanceDays returns, for each day, the index of the first day at or after
// it on which the payer decides: one of its weekdays, or the next business day
// when that is a holiday. An index of days or more lies after the data.
func remittanceDays(remits [2]time.Weekday, first upstream.Day, days int) []int32 {
	const past = 8 // a remittance day stands at most so far behind the end
	decides := make([]bool, days+past)
	for d := -past; d < days+past; d++ {
		day := first + upstream.Day(d)
		if w := day.Weekday(); w != remits[0] && w != remits[1] {
			continue
		}
		if at := int(day.NextBusiness() - first); at >= 0 && at < len(decides) {
			decides[at] = true
		}
	}
	next := make([]int32, days)
	at := len(decides)
	for d := len(decides) - 1; d >= 0; d-- {
		if decides[d] {
			at = d
		}
		if d < days {
			next[d] = int32(at)
		}
	}
	return next
}

// remittance returns the payer's remittance day for what is ready at that time,
// in 1/lagUnit days; ok tells that it is within the data.
func (p *payer) remittance(ready int64) (day int32, ok bool) {
	return p.remittanceFrom(int32((ready + lagUnit - 1) / lagUnit))
}

// remittanceFrom is remittance for a whole day.
func (p *payer) remittanceFrom(day int32) (remitted int32, ok bool) {
	if int(day) >= len(p.remit) {
		return 0, false
	}
	remitted = p.remit[day]
	return remitted, int(remitted) < len(p.remit)
}

// meanWait is the mean of days from any day to the next of two weekdays.
func meanWait(remits [2]time.Weekday) float64 {
	wait := 0
	for w := range time.Weekday(7) {
		a, b := (remits[0]-w+7)%7, (remits[1]-w+7)%7
		wait += int(min(a, b))
	}
	return float64(wait) / 7
}

// payerMix draws the practice's mix of payers from a Dirichlet distribution
// around their shares; it sums to 1.
func payerMix(seed uint64, n int) []float64 {
	s := newStream(seed, "payer mix")
	nominal, total := make([]float64, n), 0.0
	for k := range nominal {
		nominal[k] = factsOf(k).share
		total += nominal[k]
	}
	mix, sum := make([]float64, n), 0.0
	for k := range mix {
		alpha := payerMixConcentration * nominal[k] / total
		// No payer vanishes: whoever asked for n payers sees n.
		mix[k] = max(s.gamma(alpha), .05*alpha)
		sum += mix[k]
	}
	for k := range mix {
		mix[k] /= sum
	}
	return mix
}
