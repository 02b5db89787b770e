package drift

import (
	"fmt"
	"math"

	"upstream"
)

// standingWeeks are the last ones, which tell whether a cut still shows.
const standingWeeks = 4

// track implements signal. The rates and the share of lines below them are those
// of the 26 weeks before the change.
func (f *fees) track(e *upstream.DriftEvent, asOf upstream.Day) standing {
	p, g, ok := f.find(e)
	end := f.through(asOf)
	cut := int(e.ChangeDate-f.data.First) / 7
	first := max(cut-feeWeeks, f.start)
	if !ok || e.ChangeDate < f.data.First || first >= cut || cut >= end {
		return absent
	}
	var groups []int
	for m, to := f.members(p, g); m < to; m++ {
		groups = append(groups, m)
	}
	s := f.study(groups, first, cut, end, func(int) uint64 { return 0 })
	if s.baseline.lines < rateLines || s.current.lines == 0 {
		return absent
	}
	f.fill(e, s)
	share := f.shares(end).of(g)
	switch {
	case share > 0 && s.recovered().lnR >= math.Log(feeARL(f.budget, share)):
		return over
	case s.shows():
		return present
	}
	return absent
}

// since are the current lines of the last weeks, and before those of the weeks
// from the change until then.
func (s *feeStudy) since(weeks int) (before, last tally) {
	for i, t := range s.weekly {
		sum := &before
		if i >= len(s.weekly)-weeks {
			sum = &last
		}
		sum.n += t.n
		sum.x += t.x
	}
	return before, last
}

// shows reports whether the last weeks are likelier under the share of lines
// below the rate that the incident had before them than under the baseline's.
func (s *feeStudy) shows() bool {
	before, last := s.since(standingWeeks)
	if before.n < rateLines {
		before = last
	}
	cutShare, q := (before.x+1)/(before.n+2), s.normal()
	if last.n <= 0 || cutShare <= q {
		return false
	}
	return last.x*math.Log(cutShare/q)+paid(last)*math.Log((1-cutShare)/(1-q)) > 0
}

// normal is the share of the current lines that the baseline expects below.
func (s *feeStudy) normal() float64 {
	b := s.sums.beta()
	return b.a / (b.a + b.b)
}

// recovered weighs, at every lag, a share of lines below the rate that fell back
// to the baseline's against one that stayed as it was since the change.
func (s *feeStudy) recovered() weekScan {
	var r weekScan
	q := s.normal()
	for i, lag := range weekLags {
		before, last := s.since(lag)
		if lag >= len(s.weekly) || before.n < rateLines || before.rate() <= q {
			r.ln[i] = math.Inf(-1)
			continue
		}
		a, b := before.x+1, paid(before)+1
		stayed := lnBeta(a+last.x, b+paid(last)) - lnBeta(a, b)
		r.ln[i] = last.x*ln(q) + paid(last)*ln(1-q) - stayed
	}
	r.combine()
	return r
}

// notes implements signal.
func (f *fees) notes(asOf upstream.Day) []string {
	end := f.through(asOf)
	if weeks := max(end-f.start, 0); weeks < firstAlarmDays/5 {
		return []string{fmt.Sprintf("Allowed amounts are compared from %d whole weeks of decisions on; there are %d.", firstAlarmDays/5, weeks)}
	}
	silent, payers := 0, 0
	for p := range f.payers {
		if f.payerLines(p, end-standingWeeks, end) == 0 {
			continue
		}
		payers++
		if !f.hasRate(p, end-1-feeWeeks, end-1) {
			silent++
		}
	}
	if silent == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Allowed amounts of %d of %d payers aren't watched: none of their codes has the %d paid lines in the %d weeks before the last that a contract rate is read from.", silent, payers, rateLines, feeWeeks)}
}

// payerLines are the lines of a payer in the weeks from i to before j.
func (f *fees) payerLines(p, i, j int) (n int64) {
	for g := f.payers[p].from; g < f.payers[p].to; g++ {
		n += f.lines(g, max(i, 0), j)
	}
	return n
}

// hasRate reports whether any key of a payer has a rate from the weeks from i to
// before j.
func (f *fees) hasRate(p, i, j int) bool {
	from, to := f.groups[f.payers[p].from].from, f.groups[f.payers[p].to-1].to
	for _, k := range f.keys[from:to] {
		lines := int64(0)
		for _, a := range f.data.Keys[k].Atoms {
			if int(a.Week) >= i && int(a.Week) < j && a.Lines > 0 && a.Cents > 0 {
				lines += int64(a.Lines)
			}
		}
		if lines >= rateLines {
			return true
		}
	}
	return false
}
