package synth

import "upstream"

// The distributions that concern no single payer or procedure, with their
// sources. "Assumed" marks what no public source gives.

// denialReasons is the mix of leading CARCs of denials (assumed from partial
// sources), with the X12 group code each mostly comes with. The last four make
// up its "other 4 %".
var denialReasons = []choice[reason]{
	{20, reason{"CO-16", []upstream.Codes{"M51", "N382", "MA130", "N290"}, 1}},
	{11, reason{"CO-197", nil, 0}},
	{8, reason{"CO-50", []upstream.Codes{"N115", "M25"}, .6}},
	{9, reason{"CO-97", []upstream.Codes{"M15", "N19"}, .5}},
	{9, reason{"OA-18", []upstream.Codes{"N522"}, .3}},
	{7, reason{"PR-27", []upstream.Codes{"N30"}, .3}},
	{5, reason{"CO-22", []upstream.Codes{"MA04"}, .4}},
	{4, reason{"CO-29", []upstream.Codes{"N211"}, .2}},
	{7, reason{"PR-96", []upstream.Codes{"N130", "N425"}, .7}},
	{4, reason{"PR-204", []upstream.Codes{"N130"}, .4}},
	{6, reason{"CO-11", []upstream.Codes{"M76", "N657"}, .5}},
	{4, reason{"CO-4", []upstream.Codes{"N519"}, .4}},
	{2, reason{"CO-B7", []upstream.Codes{"N570"}, .3}},
	{1, reason{"PR-31", []upstream.Codes{"N382"}, .3}},
	{1, reason{"OA-109", []upstream.Codes{"N418"}, .3}},
	{1, reason{"CO-252", []upstream.Codes{"N706"}, 1}},
	{1, reason{"CO-151", []upstream.Codes{"N362"}, .5}},
}

// reason is a CARC and the remark codes that come with it, in remarkShare of
// the denials (assumed).
type reason struct {
	carc        upstream.Codes
	remarks     []upstream.Codes
	remarkShare float64
}

// January: plans change, deductibles and eligibility start anew. All payers
// deny more for eligibility and coordination of benefits; assumed.
const (
	januaryLogit = .35
	januaryDays  = 42 // fades to nothing, linearly
)

var januaryReasons = []choice[upstream.Codes]{{5, "PR-27"}, {3, "CO-22"}, {2, "PR-31"}}

// Lags.
const (
	slowTailShare  = .02 // of decisions take slowTailFactor times as long; assumed
	slowTailFactor = 3

	// Service to submission: lognormal, median 3–5 days; assumed.
	submissionMedian = 4.0
	submissionSigma  = .6
	submissionMax    = 60

	receivedNextDay = .5 // of claims reach the payer the day after; assumed
)

// submissionWeekday weighs the days on which a practice submits, Sunday first;
// federal holidays count as Saturdays. Assumed, as is the day-to-day spread.
var submissionWeekday = [7]float64{0, 1.15, 1.05, 1, .98, .82, .04}

const submissionDaySD = .06

// What comes of a first decision.
//
// Denials: 54 % of private denials are later paid (Premier), fewer of
// government payers' and of those nobody reworks; 45 % of all assumed. Rework
// goes in rounds of 45 to 60 days, of which the first mostly settles it; median
// 50 days from denial to payment, sigma assumed.
//
// Payments: payers audit after the fact and take 0.8 % back in remittances,
// median two months later (assumed; CMS's improper payment rates are of dollars
// and count what is never taken back). Most reversals only make way for a
// corrected payment, in the same remittance or one of the next; a third of them
// stand (assumed).
const (
	overturnShare  = .45
	overturnMedian = 50.0 // days
	overturnSigma  = .5

	reversalShare  = .008
	reversalMedian = 60.0 // days
	reversalSigma  = .6
	restoredShare  = 2. / 3
)

// restoreDays are the days from a reversal to its correction, before it waits
// for a remittance day: with the wait all are within upstream.RestoreDays.
var restoreDays = []choice[int32]{{50, 0}, {15, 3}, {20, 7}, {12, 14}, {3, 24}}

// waveReach is how far back, in days of first decisions, a wave of takebacks
// looks (assumed: an audit of a quarter's payments and a month).
const waveReach = 120

// Allowed amounts: 85 % of lines are paid at exactly the contract's rate (AMA
// report cards); the split of the rest is assumed. A factor of 0 stands for a
// cut drawn between oddLow and 1.
const contractShare = .85

var offContract = []choice[float64]{
	{5, .97}, // an old fee schedule
	{4, .50}, // multiple-procedure reduction
	{3, .85}, // non-physician practitioner
	{3, 0},
}

const oddLow = .60

// Patient responsibility: assumed.
var (
	copays             = []choice[upstream.Money]{{15, 1500}, {25, 2000}, {20, 2500}, {20, 3000}, {12, 4000}, {8, 5000}}
	coinsurancePercent = []choice[int64]{{20, 10}, {65, 20}, {15, 30}}
)

// medicareCoinsurance is that of Part B, 42 U.S.C. 1395l(a)(1).
const medicareCoinsurance = 20

// locationNames are the practice's sites; past them come numbered ones. A site
// is a bit smaller than the one before (assumed).
var locationNames = []string{
	"North Clinic", "South Clinic", "East Clinic", "West Clinic", "Downtown", "Lakeside",
	"Hillcrest", "Riverside", "Oak Street", "Airport Road", "University", "Harbor",
}

const locationDecay = .90
