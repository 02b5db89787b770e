// Package drift finds the day a payer began to deny more, decide later, pay less
// or take back. It is pure: counts in, events with their evidence out, without
// I/O and without a clock.
//
// Every signal is a Shiryaev–Roberts statistic per node: it weighs all days on
// which the node may have changed. A budget of false alarms is split over signals
// and nodes; a gate takes out what all payers do at once; of a payer and its
// groups only one tells the story; and a story lives as one incident, whose days
// no baseline absorbs, until it is over. Start at detector.go for a run, run.go
// for denials, timing.go and fees.go for the other signals, life.go for incidents.
package drift

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"upstream"
)

// The method's constants. Days are business days.
const (
	businessDaysPerMonth = 21.74
	businessDaysPerYear  = 260

	historyDays      = 260 // what one evaluation looks at
	minBaselineDays  = 40  // left before every lag
	coldBaselineDays = 15  // the same, while history is shorter than coldStartDays
	coldStartDays    = 130
	firstAlarmDays   = 20

	// priorClaims is the weight of the payer's own rate in the prior of its
	// groups, in claims. A lag whose baseline holds fewer effective claims than
	// that would compare a group with its payer, not with itself: a procedure
	// billed for the first time would alarm for having a rate of its own.
	priorClaims = 20

	minICC       = .001  // of groups: no stream of batches is quite independent
	minPooledICC = .0001 // of whole payers

	// The shares of the false-alarm budget: of denials in groups and payers (the
	// market among them), and of the other signals, whose evidence grows so fast
	// that a small share delays them by a day or two.
	denialBudget   = .74
	decisionBudget = .12
	paymentBudget  = .02
	feeBudget      = .06
	takebackBudget = .03
	overturnBudget = .03

	// The parts of a signal's budget where it has nodes at both levels.
	groupPart, payerPart = .75, .25

	groupBudget = denialBudget * groupPart
	payerBudget = denialBudget * payerPart

	// watchARL is the average run length to a false watch: 30 node-months.
	watchARL = 30 * businessDaysPerMonth
	// minARL bounds what a large budget or few nodes may ask for. Without any
	// change the statistic averages 125, the sum of the days its lags stand
	// for, so it crosses thresholds of that size all the time.
	minARL = businessDaysPerYear

	// changesPerYear is the prior number of real changes a customer meets.
	changesPerYear = 8

	// DefaultBudget is the number of false alarms a customer-month.
	DefaultBudget = .5
)

// Options are what a user may set.
type Options struct {
	// Budget is the number of false alarms per customer-month that alerts may
	// cost; DefaultBudget when it is no positive number.
	Budget float64
}

// Data is what detection reads of one customer. A signal whose input is nil is off.
type Data struct {
	Decisions *upstream.Decisions
	Waits     *upstream.Waits
	Amounts   *upstream.Amounts
}

// Result is what one evaluation found: alerts before watches, dearest first.
type Result struct {
	Events  []upstream.DriftEvent
	Summary upstream.RunSummary
}

// Detector evaluates one customer's decisions as of any day. It keeps what days
// have in common, so it is not safe for concurrent use.
type Detector struct {
	*customer
	waits     *upstream.Waits
	signals   []watched
	budget    float64
	eras      []*era // by block
	moments   [][]knownMoments
	cached    []series
	cachedFor *era
	buffer    []tally
}

// watched is a signal beside the denial rate, with its share of the budget.
type watched struct {
	signal
	share float64
	tells func(*upstream.DriftEvent) bool // whether an event is of this signal
}

type knownMoments struct {
	moments
	known bool
}

// New sums up the data once, for any number of evaluations; they must not
// change afterwards. Give all there are: history begins at the first decision.
func New(data Data, o Options) *Detector {
	det := &Detector{customer: newCustomer(data.Decisions), waits: data.Waits, budget: o.Budget}
	if !(det.budget > 0) || math.IsInf(det.budget, 1) {
		det.budget = DefaultBudget
	}
	det.watch(data)
	blocks := len(det.days)/blockDays + 1
	det.eras = make([]*era, blocks)
	det.moments = make([][]knownMoments, len(det.payers))
	for p := range det.moments {
		det.moments[p] = make([]knownMoments, blocks)
	}
	return det
}

// watch sets up the signals beside the denial rate that the data allow, each on a
// processor of its own.
func (d *Detector) watch(data Data) {
	var all sync.WaitGroup
	if data.Waits != nil {
		clocks := [...]struct {
			clock upstream.Clock
			share float64
		}{
			{upstream.DecisionClock, decisionBudget},
			{upstream.PaymentClock, paymentBudget},
			{upstream.OverturnClock, overturnBudget},
			{upstream.TakebackClock, takebackBudget},
		}
		d.signals = make([]watched, len(clocks))
		for k, c := range clocks {
			all.Go(func() {
				t := newTiming(data.Waits, c.clock)
				d.signals[k] = watched{t, c.share, func(e *upstream.DriftEvent) bool {
					return e.Signal == t.signal() && (e.Signal != upstream.DecisionTime || e.Clock == c.clock)
				}}
			})
		}
	}
	if data.Amounts != nil {
		amounts := watched{newFees(data.Amounts), feeBudget, func(e *upstream.DriftEvent) bool { return e.Signal == upstream.AllowedAmount }}
		all.Wait()
		d.signals = append(d.signals, amounts)
	}
	all.Wait()
}

// At evaluates as of the end of a day. Nothing decided later is used, so a
// replay over past days returns what the runs of those days did. After the last
// day of the decisions the answer no longer changes.
//
// known are the incidents of earlier runs. The result holds the open ones with
// what is known of them now, resolved where they ended, and new ones without an id.
func (d *Detector) At(asOf upstream.Day, known []upstream.DriftEvent) Result {
	r := Result{Events: []upstream.DriftEvent{}}
	r.Summary.Parameters = d.parameters()
	end := d.through(asOf)
	if end == 0 {
		return r
	}
	r.Summary.FirstDay, r.Summary.LastDay = d.opens(frameAt(end).start), d.days[end-1]
	if end < firstAlarmDays {
		r.Summary.Notes = []string{fmt.Sprintf("Nothing is compared yet: that takes %d business days of decisions, and there are %d.", firstAlarmDays, end)}
		return r
	}
	h := history{known: slices.DeleteFunc(slices.Clone(known), func(e upstream.DriftEvent) bool { return e.KnownAt > asOf })}
	told := make([][]upstream.DriftEvent, len(d.signals))
	notes := make([][]string, len(d.signals))
	var all sync.WaitGroup
	for k, w := range d.signals {
		all.Go(func() { told[k], notes[k] = d.evaluate(w, asOf, end, h), w.notes(asOf) })
	}
	others := func() []upstream.DriftEvent {
		all.Wait()
		return slices.Concat(told...)
	}
	denials := d.denials(asOf, end, h, others, &r.Summary)
	r.Events = append(append(r.Events, others()...), denials...)
	r.Summary.Notes = slices.Concat(notes...)
	r.Summary.PromptPay = d.breaches(asOf)
	r.sort()
	return r
}

// breaches are those of prompt-pay laws.
func (d *Detector) breaches(asOf upstream.Day) []upstream.PromptPay {
	if d.waits == nil {
		return nil
	}
	return promptPay(d.waits, asOf, promptPayDays)
}

// evaluate runs a signal other than the denial rate.
func (d *Detector) evaluate(w watched, asOf upstream.Day, end int, h history) []upstream.DriftEvent {
	day := d.days[end-1]
	open := openKnown(h.known, w.tells)
	open, found := absorb(open, w.scan(asOf, h, d.budget*w.share), day)
	told := advance(open, found, day, func(e *upstream.DriftEvent) standing { return w.track(e, asOf) })
	for i := range told {
		if isOpen(&told[i]) {
			d.price(&told[i], end)
		}
	}
	return told
}

// denials evaluates the denial signal, and in the end waits for what the others tell.
func (d *Detector) denials(asOf upstream.Day, end int, h history, others func() []upstream.DriftEvent, sum *upstream.RunSummary) []upstream.DriftEvent {
	open := openKnown(h.known, func(e *upstream.DriftEvent) bool { return e.Signal == upstream.DenialRate })
	r := d.newRun(asOf, end, h)
	groups, payers := r.scanGroups(sum), r.scanPayers(sum)
	stories := r.scanMarket(r.tell(groups, payers), sum)
	stories = append(stories, r.scanBetter(sum)...)
	var found []upstream.DriftEvent
	for _, s := range stories {
		found = append(found, r.event(s))
	}
	told := others()
	found = slices.DeleteFunc(found, func(e upstream.DriftEvent) bool { return r.merelySlow(&e, told) })
	open, found = absorb(open, found, d.days[end-1])
	return advance(open, found, d.days[end-1], r.track)
}

// prior expects of a group what its payer did over the history. The ten claims
// with one denial keep it off 0 and 1.
func (d *Detector) prior(p int, f frame) beta {
	t := d.payers[p].counts.between(f.start, f.end)
	rate := (t.x + 1) / (t.n + 10)
	return beta{priorClaims * rate, priorClaims * (1 - rate)}
}

// arl is the average run length to a false alert of a node, in business days.
func (d *Detector) arl(share float64) float64 {
	return math.Max(businessDaysPerMonth/(d.budget*share), minARL)
}

// tier is "" below both thresholds. A node with a large share of the budget may
// have an alert threshold below the watch's; then it has alerts only.
func (d *Detector) tier(lnR, share float64) upstream.Tier {
	switch {
	case share <= 0:
		return ""
	case lnR >= math.Log(d.arl(share)):
		return upstream.Alert
	case lnR >= math.Log(watchARL):
		return upstream.Watch
	}
	return ""
}

// parameters are what a reader needs to repeat a run.
func (d *Detector) parameters() map[string]any {
	return map[string]any{
		"method":                  "shiryaev-roberts",
		"budget":                  d.budget,
		"lags":                    lags[:],
		"shifts":                  shifts[:],
		"odds_ratios":             oddsRatios[:],
		"prior_claims":            priorClaims,
		"history_days":            historyDays,
		"min_baseline_days":       minBaselineDays,
		"cold_start_days":         coldStartDays,
		"cold_baseline_days":      coldBaselineDays,
		"first_alarm_days":        firstAlarmDays,
		"icc_floor":               minICC,
		"group_budget":            groupBudget,
		"payer_budget":            payerBudget,
		"decision_budget":         decisionBudget,
		"payment_budget":          paymentBudget,
		"fee_budget":              feeBudget,
		"takeback_budget":         takebackBudget,
		"overturn_budget":         overturnBudget,
		"watch_arl_days":          watchARL,
		"min_arl_days":            minARL,
		"group_gate_z":            groupGate,
		"payer_gate_z":            payerGate,
		"gate_min_payers":         gatePayers,
		"gate_market_z":           marketMoved,
		"prior_changes_per_year":  changesPerYear,
		"business_days_per_month": businessDaysPerMonth,
	}
}
