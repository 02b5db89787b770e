package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"upstream"
	"upstream/internal/drift"
)

// Streams of claims in which one thing is tried at a time: decisions that take
// longer, and a cut of a fee schedule.

// A customer has as many payers as in the scenarios; two of them slow down.
const (
	slowMedian = 18. // days to a decision
	slowSigma  = .45
	slowLeast  = 2.
	slowRate   = .10 // denied
)

// SlowDown is a slow-down that must be found in time.
type SlowDown struct {
	Factor  float64 `json:"factor"`
	PerWeek float64 `json:"per_week"`
	Within  int     `json:"within_days"`
}

var slowDowns = [...]SlowDown{{1.25, 30, 35}, {2, 300, 7}}

// SlowDownFigures tell how many were.
type SlowDownFigures struct {
	SlowDown
	Streams     int    `json:"streams"`
	InTime      int    `json:"found_in_time"`
	Found       int    `json:"found"`
	MedianDelay figure `json:"median_delay_days"`
	// NullStreams are the payers whose speed stayed, over half a year; FalseAlarms
	// their alarms.
	NullStreams int `json:"null_streams"`
	FalseAlarms int `json:"false_alarms"`
}

// trial is what became of the streams of one customer.
type trial struct {
	delays      []float64 // of each planted change; +Inf: not found
	nulls       int
	falseAlarms int
}

// slowCustomer draws a customer at which two payers slow down, and replays its
// weekly runs over half a year.
func slowCustomer(ctx context.Context, r *rand.Rand, s SlowDown) (trial, error) {
	starts := map[int]upstream.Day{1: monitored + 42, 5: monitored + 98} // Mondays
	l := &ledger{until: lastDay}
	for p := range payerCount {
		slowPayer(r, l, fmt.Sprintf("Payer %d", p), s, starts[p])
	}
	return tryOut(ctx, l, upstream.DecisionTime, runs()[:26], starts)
}

// slowPayer adds a payer's claims. From start on, everything undecided takes
// factor times as long as it would still have.
func slowPayer(r *rand.Rand, l *ledger, name string, s SlowDown, start upstream.Day) {
	number := 0
	for day := firstDay; day <= lastDay; day++ {
		if w := day.Weekday(); w == 0 || w == 6 {
			continue
		}
		for range poisson(r, s.PerWeek/5) {
			lag := max(math.Exp(math.Log(slowMedian)+slowSigma*r.NormFloat64()), slowLeast)
			denied := r.Float64() < slowRate
			decided := float64(day) + lag
			if from := math.Max(float64(day), float64(start)); start != 0 && decided >= float64(start) {
				decided = from + (decided-from)*s.Factor
			}
			number++
			l.add(slowClaim(name, number, day, remitted(decided), denied))
		}
	}
}

// remitted is the first Tuesday or Friday from a moment on.
func remitted(moment float64) upstream.Day {
	day := upstream.Day(math.Ceil(moment))
	for w := day.Weekday(); w != 2 && w != 5; w = day.Weekday() {
		day++
	}
	return day
}

func slowClaim(payer string, number int, submitted, decided upstream.Day, denied bool) *upstream.Claim {
	c := &upstream.Claim{
		ClaimID: fmt.Sprintf("%s-%d", payer, number), Line: 1, Payer: payer, CPT: "99213", Units: 1, PlaceOfService: "11", Location: "North Clinic",
		ServiceDate: submitted, SubmittedDate: submitted, ReceivedDate: submitted,
		Outcome: upstream.Pending, FirstOutcome: upstream.Pending, Billed: 200_00,
	}
	switch {
	case decided > lastDay:
		return c
	case denied:
		c.Outcome, c.CARC = upstream.Denied, "CO-16"
	default:
		c.Outcome, c.Allowed, c.Paid, c.CARC = upstream.Paid, 100_00, 100_00, "CO-45"
	}
	c.FirstOutcome, c.DecidedDate, c.FirstDecidedDate, c.PaymentDate = c.Outcome, decided, decided, decided
	return c
}

// tryOut replays the weekly runs of a customer and measures how long each change
// took; starts are by payer.
func tryOut(ctx context.Context, l *ledger, signal upstream.Signal, days []upstream.Day, starts map[int]upstream.Day) (trial, error) {
	own := contestant{ours, func() detector { return &incidents{budget: drift.DefaultBudget} }}
	told, err := replay(ctx, 0, newInMemory(l), days, []contestant{own})
	if err != nil {
		return trial{}, err
	}
	var t trial
	for p := range payerCount {
		start, changes := starts[p]
		delay := math.Inf(1)
		for _, a := range told {
			if a.Signal != signal || a.Tier != upstream.Alert || a.Payer == nil || *a.Payer != fmt.Sprintf("Payer %d", p) {
				continue
			}
			if changes && a.AsOf >= start {
				delay = min(delay, float64(a.AsOf-start)+1)
			} else {
				t.falseAlarms++
			}
		}
		if changes {
			t.delays = append(t.delays, delay)
		} else {
			t.nulls++
		}
	}
	return t, nil
}

func slowDownFigures(s SlowDown, trials []trial) SlowDownFigures {
	f := SlowDownFigures{SlowDown: s, MedianDelay: none}
	var found []float64
	for _, t := range trials {
		f.NullStreams += t.nulls
		f.FalseAlarms += t.falseAlarms
		f.Streams += len(t.delays)
		for _, d := range t.delays {
			if d <= float64(s.Within) {
				f.InTime++
			}
			if !math.IsInf(d, 1) {
				found = append(found, d)
			}
		}
	}
	f.Found, f.MedianDelay = len(found), medianOf(found)
	return f
}

// A fee cut: a fee schedule of six codes, five lines a week, of which most are
// paid at the contract's rate and some are not, for reasons of their own.
const (
	feeCutShare    = .02
	feeLinesWeekly = 5.
)

var feeSchedule = []struct {
	cpt   string
	cents float64
	share float64
}{{"99211", 4000, .3}, {"99212", 7500, .25}, {"99213", 11000, .18}, {"99214", 15000, .12}, {"99203", 22000, .1}, {"99215", 40000, .05}}

// FeeCutFigures tell how many cuts were found.
type FeeCutFigures struct {
	Percent     float64 `json:"percent"`
	PerWeek     float64 `json:"lines_per_week"`
	Streams     int     `json:"streams"`
	NextRun     int     `json:"found_by_next_run"`
	Found       int     `json:"found"`
	MedianDelay figure  `json:"median_delay_days"`
	NullStreams int     `json:"null_streams"`
	FalseAlarms int     `json:"false_alarms"`
}

// feeCustomer draws a customer at which four payers cut their fees, and replays
// its weekly runs.
func feeCustomer(ctx context.Context, r *rand.Rand) (trial, error) {
	starts := map[int]upstream.Day{0: monitored + 98, 2: monitored + 140, 4: monitored + 182, 6: monitored + 224} // Mondays
	l := &ledger{until: lastDay}
	for p := range payerCount {
		feePayer(r, l, fmt.Sprintf("Payer %d", p), starts[p])
	}
	return tryOut(ctx, l, upstream.AllowedAmount, runs(), starts)
}

func feePayer(r *rand.Rand, l *ledger, name string, start upstream.Day) {
	number := 0
	for day := firstDay; day <= lastDay; day++ {
		if w := day.Weekday(); w == 0 || w == 6 {
			continue
		}
		for range poisson(r, feeLinesWeekly/5) {
			k, u := 0, r.Float64()
			for ; k < len(feeSchedule)-1 && u >= feeSchedule[k].share; k++ {
				u -= feeSchedule[k].share
			}
			factor := offRate(r)
			if start != 0 && day >= start {
				factor *= 1 - feeCutShare
			}
			number++
			c := slowClaim(name, number, day, day, false)
			c.CPT = feeSchedule[k].cpt
			c.Allowed = upstream.Money(math.Round(feeSchedule[k].cents * factor))
			c.Billed, c.Paid = 3*c.Allowed, c.Allowed
			l.add(c)
		}
	}
}

// offRate is what a line pays over the contract's rate: most are within .2 %,
// 6 % halved as a second procedure, 4 % reduced for an assistant or a modifier,
// 3 % capped by the charge, 2 % at last year's rate.
func offRate(r *rand.Rand) float64 {
	near := 1 + min(max(.002*r.NormFloat64(), -.004), .004)
	switch u := r.Float64(); {
	case u < .06:
		return .5 * near
	case u < .10:
		return near * (.8 + .1*r.Float64())
	case u < .13:
		return .6 + .4*r.Float64()
	case u < .15:
		return .975 * near
	}
	return near
}

func feeCutFigures(trials []trial) FeeCutFigures {
	f := FeeCutFigures{Percent: 100 * feeCutShare, PerWeek: feeLinesWeekly, MedianDelay: none}
	s := slowDownFigures(SlowDown{Within: 7}, trials)
	f.Streams, f.NextRun, f.Found, f.MedianDelay = s.Streams, s.InTime, s.Found, s.MedianDelay
	f.NullStreams, f.FalseAlarms = s.NullStreams, s.FalseAlarms
	return f
}
