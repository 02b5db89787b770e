package drift

import (
	"math"
	"slices"

	"upstream"
)

// feeParts are the shares of the lines not below the rate that a cut takes below
// it, as the alternative mixes them in equal parts.
var feeParts = [...]float64{.1, .3, .6, .9}

// keyPrior is the weight of the payer's own share of lines below the rate in
// that of each of its keys, in lines.
const keyPrior = 5

// feeSums are a node's lines at one lag: in the current window how many, how many
// below their rate, and how many of these the baseline lets expect of just the
// same mix of keys, so that a shift towards keys that are always paid less is no
// cut; variance is that of the expectation, by the keys' own baselines.
type feeSums struct{ base, lines, below, expected, variance float64 }

func (s *feeSums) add(o *feeSums) {
	s.base += o.base
	s.lines += o.lines
	s.below += o.below
	s.expected += o.expected
	s.variance += o.variance
}

// addKey adds the counts of one key; prior is its payer's share below the rate.
func (s *feeSums) addKey(c *feeCounts, prior float64) {
	s.base += float64(c.base)
	if c.lines == 0 {
		return
	}
	weight := 1 / (float64(c.base) + keyPrior)
	q := (float64(c.baseBelow) + keyPrior*prior) * weight
	lines := float64(c.lines)
	s.lines += lines
	s.below += float64(c.below)
	s.expected += lines * q
	s.variance += lines * lines * q * (1 - q) * weight
}

// beta is the posterior of the share of lines below the rate, as if the baseline
// were one stream that tells as much as its keys do together.
func (s *feeSums) beta() beta {
	q := min(max(s.expected/s.lines, 1e-6), highestRate)
	weight := s.lines * s.lines * q * (1 - q) / s.variance
	return beta{q * weight, (1 - q) * weight}
}

// z is the rise of lines below the rate in standard deviations.
func (s *feeSums) z() float64 {
	if s.lines <= 0 {
		return 0
	}
	q := s.expected / s.lines
	return (s.below - s.expected) / math.Sqrt(s.lines*q*(1-q)+s.variance+1e-9)
}

// part is the share of the lines not below the rate that went below it.
func (s *feeSums) part() float64 {
	if s.lines <= s.expected {
		return 0
	}
	return (s.below - s.expected) / (s.lines - s.expected)
}

// feeLagSums are a node's sums at every lag.
type feeLagSums [feeLags]feeSums

func (s *feeLagSums) add(o *feeLagSums) {
	for i := range s {
		s[i].add(&o[i])
	}
}

// weekScan is the evidence for a change at one node, by lag in weeks.
type weekScan struct {
	lnR  float64 // ln of the Shiryaev–Roberts statistic in business days, -Inf without lags
	best int     // index of the lag with the largest likelihood ratio
	ln   [feeLags]float64
}

func (s *weekScan) lag() int { return weekLags[s.best] }

// scan weighs, at every lag with a baseline, a share of lines below the rate that
// rose against one that stayed, as shiryaevRoberts does with denials.
func (s *feeLagSums) scan() weekScan {
	var r weekScan
	for i := range s {
		switch w := &s[i]; {
		case w.base == 0:
			r.ln[i] = math.Inf(-1)
		case w.lines > 0:
			prior := w.beta()
			stayed := lnBeta(prior.a+w.below, prior.b+w.lines-w.below) - lnBeta(prior.a, prior.b)
			r.ln[i] = lnCut(w.lines, w.below, prior.a/(prior.a+prior.b)) - stayed
		}
	}
	r.combine()
	return r
}

// lnCut is ln of the probability of the current lines if a cut took one of
// feeParts of the lines that would not have been below the rate.
func lnCut(lines, below, q float64) float64 {
	var terms [len(feeParts)]float64
	rest := 1 - q
	lnRest := ln(rest)
	for i, part := range feeParts {
		terms[i] = (lines-below)*(lnRest+lnUncut[i]) + below*ln(q+part*rest)
	}
	return lnMean(&terms)
}

var lnUncut = func() (ln [len(feeParts)]float64) {
	for i, part := range feeParts {
		ln[i] = math.Log(1 - part)
	}
	return ln
}()

var lnWeekGaps = func() (ln [feeLags]float64) {
	before := 0
	for i, lag := range weekLags {
		ln[i] = math.Log(float64(5 * (lag - before)))
		before = lag
	}
	return ln
}()

// combine sums the likelihood ratios, each for as many business days as its lag
// stands for.
func (s *weekScan) combine() {
	s.best = 0
	top := math.Inf(-1)
	var terms [feeLags]float64
	for i, ratio := range s.ln {
		if ratio > s.ln[s.best] {
			s.best = i
		}
		terms[i] = ratio + lnWeekGaps[i]
		top = max(top, terms[i])
	}
	s.lnR = top
	if math.IsInf(top, -1) {
		return
	}
	sum := 0.0
	for _, v := range terms {
		if d := v - top; d > -negligible {
			sum += exp(d)
		}
	}
	s.lnR = top + ln(sum)
}

// interval returns the youngest and oldest age of the change in weeks between
// which its posterior puts mass; all weeks a lag stands for are equally likely.
func (s *weekScan) interval(mass float64) (youngest, oldest int) {
	// lnR counts days, of which a week has five.
	youngest, oldest = ageInterval(s.ln[:], weekLags[:], s.lnR-math.Log(5), mass)
	return min(youngest, s.lag()), max(oldest, s.lag())
}

// feeRun is one evaluation, at the end of a week.
type feeRun struct {
	end    int
	budget float64
	past   history // what it needs of it: incidents of allowed amounts
	shares feeShares
	groups []feeLagSums
	payers []feeLagSums // of all their groups that are scanned
	closed []bool       // of a group: an incident is open at it or its payer
	marked []bool       // of a group: the past has an incident at it, its payer or the market
}

// evaluate sums up all nodes at the end of a week. What it returns is valid until
// the next evaluation; of the same week it is the last one again, unless there
// are incidents, which change what a baseline is.
func (f *fees) evaluate(end int, budget float64, past history) *feeRun {
	run := &f.now
	if run.end == end && len(run.past.known)+len(past.known) == 0 {
		run.budget = budget
		return run
	}
	f.begin(run, end, budget, past)
	plain := newCalendar(f.start, end, 0)
	for p := range f.payers {
		f.evaluatePayer(p, run, plain)
	}
	return run
}

// begin readies a run for its payers, in the memory of a former one.
func (f *fees) begin(run *feeRun, end int, budget float64, past history) {
	if run.groups == nil {
		run.groups = make([]feeLagSums, len(f.groups))
		run.payers = make([]feeLagSums, len(f.payers))
		run.closed = make([]bool, len(f.groups))
		run.marked = make([]bool, len(f.groups))
	}
	clear(run.marked)
	for i := range past.known {
		if p, g, ok := f.find(&past.known[i]); ok {
			from, to := f.members(p, g)
			for g := from; g < to; g++ {
				run.marked[g] = true
			}
		}
	}
	run.end, run.budget, run.past, run.shares = end, budget, past, f.shares(end)
}

// evaluatePayer sums up the groups of one payer and the payer itself.
func (f *fees) evaluatePayer(p int, run *feeRun, plain *calendar) {
	payer := &f.payers[p]
	first, last := f.groups[payer.from].from, f.groups[payer.to-1].to
	f.counts = slices.Grow(f.counts[:0], last-first)[:last-first]
	var prior [feeLags]struct{ base, below float64 }
	for g := payer.from; g < payer.to; g++ {
		c := f.calendar(p, g, run, plain)
		for k := f.groups[g].from; k < f.groups[g].to; k++ {
			counts := &f.counts[k-first]
			f.reader.read(f.data.Keys[f.keys[k]].Atoms, c, counts)
			for i := range counts {
				prior[i].base += float64(counts[i].base)
				prior[i].below += float64(counts[i].baseBelow)
			}
		}
	}
	var shares [feeLags]float64
	for i := range shares {
		shares[i] = (prior[i].below + 1) / (prior[i].base + keyPrior)
	}
	run.payers[p] = feeLagSums{}
	for g := payer.from; g < payer.to; g++ {
		sums := &run.groups[g]
		*sums = feeLagSums{}
		for k := f.groups[g].from; k < f.groups[g].to; k++ {
			counts := &f.counts[k-first]
			for i := range counts {
				sums[i].addKey(&counts[i], shares[i])
			}
		}
		run.closed[g] = run.marked[g] && (run.past.open(f.node(p, g)) || run.past.open(f.node(p, -1)))
		if !run.closed[g] {
			run.payers[p].add(sums)
		}
	}
}

// calendar is the run's, without the weeks of former incidents.
func (f *fees) calendar(p, g int, run *feeRun, plain *calendar) *calendar {
	if blocked := f.blocked(p, g, run); blocked != 0 {
		return newCalendar(f.start, run.end, blocked)
	}
	return plain
}

// blocked are the weeks, bit i for that of age i, of former incidents at a group,
// its payer or the market.
func (f *fees) blocked(p, g int, run *feeRun) (weeks uint64) {
	if !run.marked[g] {
		return 0
	}
	last := f.monday(run.end) - 1
	for _, node := range [...]*upstream.DriftEvent{f.node(-1, -1), f.node(p, -1), f.node(p, g)} {
		for _, s := range run.past.spans(node, last) {
			for age := range feeReach {
				if monday := f.monday(run.end - 1 - age); monday <= s.last && monday+6 >= s.first {
					weeks |= 1 << age
				}
			}
		}
	}
	return weeks
}
