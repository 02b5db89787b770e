package drift

import (
	"cmp"
	"math"
	"slices"

	"upstream"
)

// feeStudy is what a node's keys were allowed in a baseline, the weeks from first
// to before cut, and in the current weeks from cut to before end: what the figures
// of an event are made of. Keys without a rate are in none of it.
type feeStudy struct {
	first, cut, end int
	keys            []keyStudy
	weekly          []tally // current lines, and those below their rates, by week

	sums       feeSums
	baseline   feeWindow
	current    feeWindow
	commonPart float64 // what the cut takes of a rate, of all keys together
}

// feeWindow are the lines of one window, and those of them below the rate, with
// the sums of allowed over the rate.
type feeWindow struct {
	lines, below            int64
	allowed, allowedOfBelow float64
}

// mean of allowed over the rate.
func (w *feeWindow) mean() float64 {
	if w.lines == 0 {
		return 0
	}
	return w.allowed / float64(w.lines)
}

func (w *feeWindow) add(o *feeWindow) {
	w.lines += o.lines
	w.below += o.below
	w.allowed += o.allowed
	w.allowedOfBelow += o.allowedOfBelow
}

// keyStudy is one key of a study.
type keyStudy struct {
	key               *upstream.AmountKey
	rate              float64
	baseline, current feeWindow
	expected          float64 // current lines below the rate, by the baseline
	spread            float64 // variance of their number
	after             float64 // the amount at which the current lines below the rate pile up
	since             int     // the first current week with lines there
	short             int64   // cents that the lines below came short of the rate
}

// study looks at the keys of groups. blocked are the weeks of a group, by age
// before end, that are no baseline.
func (f *fees) study(groups []int, first, cut, end int, blocked func(g int) uint64) *feeStudy {
	s := &feeStudy{first: first, cut: cut, end: end, weekly: make([]tally, end-cut)}
	var below []heap // current lines below, by allowed over the rate
	for _, g := range groups {
		out := blocked(g)
		for _, k := range f.keys[f.groups[g].from:f.groups[g].to] {
			var one keyStudy
			if one, below = s.study(&f.data.Keys[k], out, below); one.rate > 0 {
				s.keys = append(s.keys, one)
				s.baseline.add(&one.baseline)
				s.current.add(&one.current)
			}
		}
	}
	slices.SortFunc(below, func(a, b heap) int { return cmp.Compare(a.value, b.value) })
	var p pile
	for _, h := range below {
		p.add(h.value, h.count)
	}
	if len(p) > 0 {
		s.commonPart = 1 - p.mode()
	}
	s.expect()
	return s
}

// study reads one key; a rate of 0 means it has none. It appends the current
// lines below the rate to those of other keys.
func (s *feeStudy) study(key *upstream.AmountKey, blocked uint64, below []heap) (keyStudy, []heap) {
	k := keyStudy{key: key}
	inBaseline := func(week int) bool {
		age := s.end - 1 - week
		return week >= s.first && week < s.cut && (age >= 64 || blocked>>age&1 == 0)
	}
	var p pile
	for _, a := range key.Atoms {
		if a.Lines > 0 && a.Cents >= 0 && inBaseline(int(a.Week)) {
			p.add(float64(a.Cents), int64(a.Lines))
		}
	}
	if p.total() < rateLines {
		return k, below
	}
	k.rate = p.mode()
	if k.rate <= 0 {
		return k, below
	}
	p = p[:0]
	for _, a := range key.Atoms {
		week := int(a.Week)
		current := week >= s.cut && week < s.end
		if a.Lines <= 0 || a.Cents < 0 || !current && !inBaseline(week) {
			continue
		}
		w := feeWindow{lines: int64(a.Lines), allowed: float64(a.Lines) * float64(a.Cents) / k.rate}
		if isBelow(float64(a.Cents), k.rate) {
			w.below, w.allowedOfBelow = w.lines, w.allowed
		}
		if !current {
			k.baseline.add(&w)
			continue
		}
		k.current.add(&w)
		s.weekly[week-s.cut].n += float64(w.lines)
		s.weekly[week-s.cut].x += float64(w.below)
		if w.below > 0 {
			p.add(float64(a.Cents), w.below)
			below = append(below, heap{float64(a.Cents) / k.rate, w.below})
			k.short += (int64(math.Round(k.rate)) - int64(a.Cents)) * w.below
		}
	}
	k.after = p.nearest(p.mode()) // of two amounts the mode is their middle, which nobody paid
	k.since = s.firstWeekAt(key, k.after, k.rate)
	return k, below
}

// firstWeekAt is the first current week with a line at about an amount.
func (s *feeStudy) firstWeekAt(key *upstream.AmountKey, after, rate float64) int {
	first := s.end
	for _, a := range key.Atoms {
		if week := int(a.Week); week >= s.cut && week < first && a.Lines > 0 && math.Abs(float64(a.Cents)-after) <= (1-belowRate)*rate {
			first = week
		}
	}
	return first
}

// expect fills in what the baseline lets expect.
func (s *feeStudy) expect() {
	prior := (float64(s.baseline.below) + 1) / (float64(s.baseline.lines) + keyPrior)
	for i := range s.keys {
		k := &s.keys[i]
		var own feeSums
		own.addKey(&feeCounts{int32(k.baseline.lines), int32(k.baseline.below), int32(k.current.lines), int32(k.current.below)}, prior)
		k.expected = own.expected
		if own.lines > 0 {
			k.spread = own.expected*(1-own.expected/own.lines) + own.variance
		}
		s.sums.add(&own)
	}
}

// maxCodes bounds the list of an event's codes.
const maxCodes = 20

// codes are the rates that the payer stopped paying, dearest first. A key that
// merely has lines below its rate as before is none of them; where each key has
// too few lines to tell, all with more than expected are; and where the group by
// itself expects them, of which its payer knows no other, all with any.
func (s *feeStudy) codes(monday func(week int) upstream.Day) []upstream.CodeChange {
	surely := func(k *keyStudy) bool {
		rise := float64(k.current.below) - k.expected
		return k.current.below >= 2 && rise > 0 && rise >= 2*math.Sqrt(k.spread)
	}
	more := func(k *keyStudy) bool { return float64(k.current.below) > k.expected }
	anyBelow := func(k *keyStudy) bool { return k.current.below > 0 }
	var out []upstream.CodeChange
	for _, changed := range []func(*keyStudy) bool{surely, more, anyBelow} {
		for i := range s.keys {
			if k := &s.keys[i]; changed(k) {
				out = append(out, upstream.CodeChange{
					CPT: k.key.CPT, Modifiers: k.key.Modifiers, Place: k.key.Place, Location: k.key.Location,
					Before: cents(k.rate), After: cents(k.after), Since: monday(k.since),
					Lines: k.current.below, Short: upstream.Money(k.short),
				})
			}
		}
		if len(out) > 0 {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b upstream.CodeChange) int { return cmp.Compare(b.Short, a.Short) })
	return out[:min(len(out), maxCodes)]
}

func cents(v float64) upstream.Money { return upstream.Money(math.Round(v)) }
