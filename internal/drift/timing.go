package drift

import (
	"fmt"
	"math"
	"slices"

	"upstream"
)

// timingLags are the lags of the timing signals, in business days. Their baseline
// ends before the largest one, so that no slow-down is in it; slow-downs show
// within weeks, and a longer lag would cost half a year of history.
var timingLags = [...]int{1, 2, 3, 4, 5, 7, 10, 13, 17, 22, 30, 40}

const (
	// timingReach is the largest lag.
	timingReach = 40
	// timingEnds are the fewest ends of a baseline.
	timingEnds = 20
	// timingGate is the z by which a payer's pace must differ from the others'.
	timingGate = 2.5
	// stalledDays are so many business days without any end at any payer: no file
	// came, and nothing is known.
	stalledDays = 5
)

// timing watches one clock at every payer: slow-downs show in the waits that are
// still open. Each day the waits open at each age let expect ends, by the hazard
// of the payer's own baseline; what ended against it, over the days of a lag, is
// weighed at a few ratios: (O ln θ + (1−θ)E)/φ, the log-rank statistic of Biswas
// and Kalbfleisch (2008) in the Shiryaev–Roberts sum of all signals.
type timing struct {
	law    *law
	from   upstream.Day
	days   []upstream.Day // business days
	payers []*waits       // of this clock, sorted by payer
	all    *waits         // together, for the shape of slow clocks
	budget float64        // of the last scan, which track takes its threshold from
}

var _ signal = (*timing)(nil)

// newTiming sums up the waits on a clock; they must not change afterwards.
func newTiming(w *upstream.Waits, l *law) *timing {
	t := &timing{law: l, from: w.From, budget: DefaultBudget}
	for day := w.From; day <= w.To; day++ {
		if day.IsBusiness() {
			t.days = append(t.days, day)
		}
	}
	together := &upstream.PayerWaits{Clock: l.clock}
	for i := range w.Payers {
		p := &w.Payers[i]
		if p.Clock != l.clock || len(p.Started) == 0 || atOnce(p) {
			continue
		}
		t.payers = append(t.payers, newWaits(p, l))
		if l.pooled {
			if together.Started == nil {
				together.Started = make([]int32, len(p.Started))
			}
			for day, n := range p.Started {
				together.Started[day] += n
			}
			together.Ended = append(together.Ended, p.Ended...)
		}
	}
	if l.pooled && len(t.payers) > 0 {
		t.all = newWaits(together, l)
	}
	return t
}

// atOnce reports that every wait ended on the day it started: there is no pace to
// watch. Many practices' files give the decision's day as the payment's.
func atOnce(p *upstream.PayerWaits) bool {
	started, ended := int64(0), int64(0)
	for _, n := range p.Started {
		started += int64(n)
	}
	for _, e := range p.Ended {
		if e.Lag != 0 {
			return false
		}
		ended += int64(e.Count)
	}
	return started == ended
}

// paced reports that by a day some wait took more than a day: before that the
// payer counts as one that atOnce leaves out.
func (o *waits) paced(day int) bool {
	return o.law.width > 1 || slices.ContainsFunc(o.ended[day][1:], func(n int32) bool { return n > 0 })
}

// study is the evaluation of one payer on one day.
type study struct {
	*waits
	base  []stretch
	h     *hazard
	lags  [len(timingLags)]expectation // windows
	used  int
	end   int // day after the last one
	scan  scan
	share float64 // of the budget
	// decided tells that only decided claims are known, see decidedOnly.
	decided bool
}

// business is the number of business days through a calendar day.
func (t *timing) business(asOf upstream.Day) int {
	n, _ := slices.BinarySearch(t.days, asOf+1)
	return n
}

// offset is the first calendar day, counted from t.from, whose ends count on
// business day i.
func (t *timing) offset(i int) int {
	if i <= 0 {
		return 0
	}
	return int(t.days[i-1]-t.from) + 1
}

// baseline are the days of a baseline that ends before business day cut, without
// those that h leaves out.
func (t *timing) baseline(o *waits, cut int, h history, asOf upstream.Day) []stretch {
	first, last := max(t.offset(cut-t.law.history), o.first), t.offset(cut)
	days := []stretch{{first, last}}
	for _, s := range h.spans(t.node(o), asOf) {
		days = cutOut(days, int(s.first-t.from), int(s.last-t.from)+1)
	}
	return slices.DeleteFunc(days, func(s stretch) bool { return s.from >= s.to })
}

// cutOut takes the days from i to before j out of stretches.
func cutOut(days []stretch, i, j int) []stretch {
	var out []stretch
	for _, s := range days {
		if j <= s.from || i >= s.to {
			out = append(out, s)
			continue
		}
		out = append(out, stretch{s.from, i}, stretch{j, s.to})
	}
	return out
}

func (t *timing) node(o *waits) *upstream.DriftEvent {
	e := &upstream.DriftEvent{Signal: t.law.signal, Payer: &o.Payer, Level: upstream.PayerLevel}
	if t.law.signal == upstream.DecisionTime {
		e.Clock = t.law.clock
	}
	return e
}

// studyAt evaluates a payer as of the end of a business day; nil without enough
// history. The baseline ends before the largest lag, or so that three weeks are
// left while history is short.
func (t *timing) studyAt(o *waits, end int, h history) *study {
	firstBusiness := t.business(t.from + upstream.Day(o.first) - 1)
	if end-firstBusiness < t.law.least || o.first >= len(o.Started) || !o.paced(t.offset(end)) {
		return nil
	}
	cut := max(end-timingReach, firstBusiness+coldBaselineDays)
	asOf := t.days[end-1]
	s := &study{waits: o, base: t.baseline(o, cut, h, asOf), end: t.offset(end)}
	s.h = o.learn(s.base, t.shape(cut, h, asOf), t.from)
	if s.h.events < timingEnds {
		return nil
	}
	t.windows(s, end, cut)
	for i, w := range s.lags[:s.used] {
		s.scan.ln[i] = lnPace(s, w, t.law.ratios[:], timingLags[i])
	}
	s.scan.used = s.used
	s.scan.combine()
	return s
}

// shape is the hazard of all payers, for the clocks that pool it.
func (t *timing) shape(cut int, h history, asOf upstream.Day) []float64 {
	if t.all == nil {
		return nil
	}
	days := []stretch{{max(t.offset(cut-t.law.history), t.all.first), t.offset(cut)}}
	if days[0].from >= days[0].to {
		return make([]float64, t.all.ages)
	}
	return hazardOf(t.all.between(t.all.open, days), t.all.between(t.all.ended, days), t.law.smooth)
}

// windows sums ends and expectations over the days of each lag after the baseline.
func (t *timing) windows(s *study, end, cut int) {
	var sum expectation
	day := end - 1
	for i, lag := range timingLags {
		if end-lag < cut {
			break
		}
		for ; day >= end-lag; day-- {
			for d := t.offset(day); d < t.offset(day+1); d++ {
				observed, expected := s.expect(s.h, d, t.from)
				sum.observed += observed
				sum.expected += expected
			}
		}
		s.lags[i], s.used = sum, i+1
	}
}

// lnPace is ln of the mean likelihood ratio of a change of pace in a window of so
// many business days, deflated for their dispersion and for the error of the
// baseline.
func lnPace(s *study, w expectation, ratios []float64, days int) float64 {
	if w.expected <= 0 {
		return 0
	}
	phi := s.h.phi(days) * (1 + w.expected/max(s.h.events, 1))
	top, terms := math.Inf(-1), make([]float64, len(ratios))
	for j, theta := range ratios {
		terms[j] = (w.observed*math.Log(theta) + (1-theta)*w.expected) / phi
		top = max(top, terms[j])
	}
	sum := 0.0
	for _, v := range terms {
		sum += math.Exp(v - top)
	}
	return top + math.Log(sum/float64(len(terms)))
}

// scan implements signal.
func (t *timing) scan(asOf upstream.Day, h history, budget float64) []upstream.DriftEvent {
	t.budget = budget
	end := t.business(asOf)
	if end == 0 || t.stalled(end) {
		return nil
	}
	studies := make([]*study, len(t.payers))
	watched := 0
	for p, o := range t.payers {
		if t.law.clock == upstream.DecisionClock && !o.Undecided {
			studies[p] = t.decidedOnly(o, end, h)
		} else {
			studies[p] = t.studyAt(o, end, h)
		}
		if studies[p] != nil {
			watched++
		}
	}
	var out []upstream.DriftEvent
	for p, s := range studies {
		if s == nil {
			continue
		}
		node := t.node(t.payers[p])
		if h.open(node) {
			continue
		}
		s.share = 1 / float64(watched) / h.quieted(node)
		tier := t.tier(s.scan.lnR, s.share)
		if tier == "" || !t.standsOut(studies, p) {
			continue
		}
		out = append(out, t.event(s, node, tier, end, h))
	}
	slices.SortFunc(out, func(a, b upstream.DriftEvent) int { return int(math.Copysign(1, b.LnEvidence-a.LnEvidence)) })
	return out
}

// tier is that of denials, with the clock's own budget.
func (t *timing) tier(lnR, share float64) upstream.Tier {
	d := Detector{budget: t.budget}
	return d.tier(lnR, share)
}

// stalled reports that no payer's waits have ended for days though some are open:
// the practice's files have stopped, and nothing can be said of the payers.
func (t *timing) stalled(end int) bool {
	if end < stalledDays {
		return false
	}
	for _, o := range t.payers {
		from, to := o.ended[t.offset(end-stalledDays)], o.ended[t.offset(end)]
		if slices.Compare(from, to) != 0 {
			return false
		}
	}
	return t.law.clock == upstream.DecisionClock
}

// standsOut is the gate: ln(O/E) at the payer's lag, less the median of the other
// payers, over the standard error of both. What all payers do at once, around
// Christmas or when the practice's files come late, stands out nowhere.
func (t *timing) standsOut(studies []*study, p int) bool {
	own := studies[p]
	i := own.scan.best
	if i >= own.used {
		return true
	}
	pace, variance := own.pace(own.lags[i], timingLags[i])
	var others []float64
	for q, s := range studies {
		if q != p && s != nil && i < s.used && s.lags[i].expected > 0 {
			other, _ := s.pace(s.lags[i], timingLags[i])
			others = append(others, other)
		}
	}
	middle, off := 0.0, 0.0
	if len(others) >= gatePayers {
		middle, off = consensus(others)
	}
	apart := pace - middle
	if !t.law.more {
		apart = -apart
	}
	return apart >= timingGate*math.Sqrt(variance+off*off)
}

// pace is ln(O/E) with its variance.
func (s *study) pace(w expectation, days int) (ln, variance float64) {
	return math.Log((w.observed + .5) / (w.expected + .5)), s.h.phi(days) * (1/(w.expected+.5) + 1/max(s.h.events, 1))
}

// first is the first day with a start at any payer.
func (t *timing) first() int {
	first := math.MaxInt32
	for _, o := range t.payers {
		first = min(first, o.first)
	}
	return first
}

// notes implements signal.
func (t *timing) notes(asOf upstream.Day) []string {
	end := t.business(asOf)
	if end == 0 || len(t.payers) == 0 {
		return nil
	}
	var out []string
	if t.stalled(end) {
		out = append(out, fmt.Sprintf("No payer has decided anything in the last %d business days. That is taken for missing files: decision times are not judged.", stalledDays))
	}
	if last := t.business(t.from + upstream.Day(t.first()) - 1); end-last < t.law.least {
		out = append(out, fmt.Sprintf("%s are watched from %d business days of decisions on; there are %d.", t.law.what, t.law.least, max(end-last, 0)))
	}
	if t.law.clock != upstream.DecisionClock {
		return out
	}
	blind := 0
	for _, o := range t.payers {
		if !o.Undecided {
			blind++
		}
	}
	switch {
	case blind == len(t.payers):
		out = append(out, "The data hold no undecided claims: a slow-down shows only in the claims that come back late, weeks after it starts, and claims that never come back show nowhere. Load submitted claims too (837, or an export with pending ones).")
	case blind > 0:
		out = append(out, fmt.Sprintf("The data of %d of %d payers hold no undecided claims: their slow-downs show only in the claims that come back late, weeks after they start.", blind, len(t.payers)))
	}
	return out
}
