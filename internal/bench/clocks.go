package bench

import (
	"cmp"
	"slices"
	"strings"

	"upstream"
)

// clocks are the waits that detection watches, in the order of their names.
var clocks = []struct {
	name upstream.Clock
	// of returns when the wait of a claim started and ended; zero: not (yet).
	of func(f *fact) (start, end upstream.Day)
}{
	{upstream.PaymentClock, func(f *fact) (upstream.Day, upstream.Day) {
		return f.payable(), f.paid
	}},
	{upstream.OverturnClock, func(f *fact) (upstream.Day, upstream.Day) {
		if !f.isDenied() {
			return 0, 0
		}
		return f.decided, f.repaid
	}},
	{upstream.TakebackClock, func(f *fact) (upstream.Day, upstream.Day) {
		return f.payable(), f.takenBack
	}},
	{upstream.DecisionClock, func(f *fact) (upstream.Day, upstream.Day) {
		start := f.submitted
		if !f.isDecided() {
			return start, 0
		}
		return start, f.decided
	}},
}

// payable is the day of a first decision to pay.
func (f *fact) payable() upstream.Day {
	if !f.isDecided() || f.isDenied() {
		return 0
	}
	return f.decided
}

// waits are those of all clocks.
func (l *ledger) waits() *upstream.Waits {
	w := &upstream.Waits{From: firstSubmitted(l.facts), To: l.until}
	days := int(w.To-w.From) + 1
	for _, p := range l.names[byPayer].order() {
		for _, clock := range clocks {
			pw := upstream.PayerWaits{Payer: l.names[byPayer].text[p], Clock: clock.name, Started: make([]int32, max(days, 0))}
			for i := range l.facts {
				f := &l.facts[i]
				if f.is[byPayer] != p {
					continue
				}
				pw.Undecided = pw.Undecided || f.outcome == upstream.Pending
				start, end := clock.of(f)
				if start == 0 || start > w.To {
					continue
				}
				pw.Started[start-w.From]++
				if end == 0 || end > w.To {
					continue
				}
				wait := upstream.Wait{Start: int32(start - w.From), Lag: int32(end - start), Count: 1}
				if clock.name == upstream.DecisionClock && f.isDenied() {
					wait.Denied = 1
				}
				pw.Ended = append(pw.Ended, wait)
			}
			pw.Ended = combine(pw.Ended, func(a, b upstream.Wait) int {
				return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Lag, b.Lag))
			}, func(sum *upstream.Wait, v upstream.Wait) {
				sum.Count += v.Count
				sum.Denied += v.Denied
			})
			w.Payers = append(w.Payers, pw)
		}
	}
	return w
}

func firstSubmitted(facts []fact) upstream.Day {
	first := upstream.Day(0)
	for i := range facts {
		if s := facts[i].submitted; first == 0 || s < first {
			first = s
		}
	}
	return first
}

// amounts are the allowed amounts of the last whole weeks.
func (l *ledger) amounts(weeks int) *upstream.Amounts {
	type line struct {
		key   [5]uint16
		cents upstream.Money
		week  int32
		lines int32
	}
	end := l.until + 1
	end -= upstream.Day((int(end.Weekday()) + 6) % 7) // the Monday after the last whole week
	a := &upstream.Amounts{First: end - upstream.Day(7*weeks), Weeks: weeks}
	var lines []line
	for i := range l.facts {
		f := &l.facts[i]
		if f.payable() == 0 || f.decided < a.First || f.decided >= end {
			continue
		}
		key := [5]uint16{f.is[byPayer], f.is[upstream.ByCPT], f.is[upstream.ByModifiers], f.is[upstream.ByPlace], f.is[upstream.ByLocation]}
		lines = append(lines, line{key, f.perUnit, int32(f.decided-a.First) / 7, 1})
	}
	texts := [5]*names{&l.names[byPayer], &l.names[upstream.ByCPT], &l.names[upstream.ByModifiers], &l.names[upstream.ByPlace], &l.names[upstream.ByLocation]}
	rank := ranks(texts[:])
	lines = combine(lines, func(a, b line) int {
		for i := range a.key {
			if a.key[i] != b.key[i] {
				return int(rank[i][a.key[i]]) - int(rank[i][b.key[i]])
			}
		}
		return cmp.Or(cmp.Compare(a.cents, b.cents), cmp.Compare(a.week, b.week))
	}, func(sum *line, v line) { sum.lines += v.lines })
	for i, v := range lines {
		if i == 0 || lines[i-1].key != v.key {
			text := func(k int) string { return texts[k].text[v.key[k]] }
			a.Keys = append(a.Keys, upstream.AmountKey{Payer: text(0), CPT: text(1), Modifiers: text(2), Place: text(3), Location: text(4)})
		}
		k := &a.Keys[len(a.Keys)-1]
		k.Atoms = append(k.Atoms, upstream.Atom{Cents: v.cents, Week: v.week, Lines: v.lines})
	}
	return a
}

// ranks tell the place of each number in the order of the texts.
func ranks(n []*names) [][]uint16 {
	out := make([][]uint16, len(n))
	for i := range n {
		out[i] = make([]uint16, len(n[i].text))
		for place, k := range n[i].order() {
			out[i][k] = uint16(place)
		}
	}
	return out
}

// payerVolume and groupVolume tell how much there is to be denied, over the
// monitored weeks.
type payerVolume struct {
	name       string
	groups     []groupVolume // by name
	overturned float64       // share of denials later paid, within half a year
}

type groupVolume struct {
	name                     string
	decided, denied, allowed float64 // claims, claims, cents
	sites                    []siteVolume
}

type siteVolume struct {
	name    string
	decided float64
}

func (g *groupVolume) meanAllowed() float64 {
	if g.decided <= g.denied {
		return 0
	}
	return g.allowed / (g.decided - g.denied)
}

// overturnDays is how long a denial may take to be overturned.
const overturnDays = 180

// volumes are those of all payers, by name.
func (l *ledger) volumes() []payerVolume {
	var out []payerVolume
	for _, p := range l.names[byPayer].order() {
		groups := make([]groupVolume, len(l.names[upstream.ByGroup].text))
		for i := range groups {
			groups[i].name = l.names[upstream.ByGroup].text[i]
			for _, site := range l.names[upstream.ByLocation].text {
				groups[i].sites = append(groups[i].sites, siteVolume{name: site})
			}
		}
		denied, overturned := 0.0, 0.0
		for i := range l.facts {
			f := &l.facts[i]
			if f.is[byPayer] != p || !f.isDecided() {
				continue
			}
			if f.isDenied() && f.decided+overturnDays <= l.until {
				denied++
				if f.repaid != 0 && f.repaid <= f.decided+overturnDays {
					overturned++
				}
			}
			if f.decided >= monitored {
				groups[f.is[upstream.ByGroup]].count(f)
			}
		}
		v := payerVolume{name: l.names[byPayer].text[p], overturned: overturned / max(denied, 1)}
		for _, g := range l.names[upstream.ByGroup].order() {
			if groups[g].decided > 0 {
				v.groups = append(v.groups, groups[g])
			}
		}
		if len(v.groups) > 0 {
			out = append(out, v)
		}
	}
	for _, p := range out {
		for i := range p.groups {
			slices.SortFunc(p.groups[i].sites, func(a, b siteVolume) int { return strings.Compare(a.name, b.name) })
		}
	}
	return out
}

func (g *groupVolume) count(f *fact) {
	g.decided++
	g.sites[f.is[upstream.ByLocation]].decided++
	if f.isDenied() {
		g.denied++
	} else {
		g.allowed += float64(f.allowed)
	}
}
