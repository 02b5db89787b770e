package bench

import (
	"cmp"
	"slices"
	"strings"

	"upstream"
	"upstream/internal/drift"
	"upstream/internal/synth"
)

// ledger holds a customer's claims in memory, as far as detection reads them,
// and sums them up as the store does. It holds dated facts only, so detection as
// of any day can be computed from one ledger of all claims.
type ledger struct {
	until   upstream.Day // nothing later is known
	names   [dimensions]names
	groupOf []uint16 // by procedure
	facts   []fact

	// The nodes, numbered once all facts are there: -1 for pairs of payer and
	// group without a decision.
	numbers []int
	sorted  [][2]uint16
}

// The dimensions of a fact: those of a denial, and the payer.
const (
	byPayer    = upstream.Dimensions
	dimensions = upstream.Dimensions + 1
)

// fact is one primary claim. Undated days are zero.
type fact struct {
	is                      [dimensions]uint16 // the names' numbers
	submitted, decided      upstream.Day
	paid, repaid, takenBack upstream.Day
	outcome                 upstream.Outcome // of the first decision
	allowed, perUnit        upstream.Money
}

func (f *fact) isDecided() bool {
	return f.decided != 0 && upstream.IsDecided(upstream.Primary, f.outcome)
}
func (f *fact) isDenied() bool { return upstream.IsDenial(upstream.Primary, f.outcome) }

// names numbers texts in the order they come.
type names struct {
	text   []string
	number map[string]uint16
}

func (n *names) of(s string) uint16 {
	if k, ok := n.number[s]; ok {
		return k
	}
	if n.number == nil {
		n.number = map[string]uint16{}
	}
	k := uint16(len(n.text))
	n.number[strings.Clone(s)] = k
	n.text = append(n.text, strings.Clone(s))
	return k
}

// order returns the numbers sorted by their texts.
func (n *names) order() []uint16 {
	numbers := make([]uint16, len(n.text))
	for k := range numbers {
		numbers[k] = uint16(k)
	}
	slices.SortFunc(numbers, func(a, b uint16) int { return strings.Compare(n.text[a], n.text[b]) })
	return numbers
}

// ledgerOf sums up all claims of a generator.
func ledgerOf(g *synth.Generator, until upstream.Day) *ledger {
	l := &ledger{until: until, facts: make([]fact, 0, g.Records())}
	var c upstream.Claim
	for i := range g.Records() {
		g.Claim(i, &c)
		l.add(&c)
	}
	return l
}

// add takes a claim's first decision and what came of it.
func (l *ledger) add(c *upstream.Claim) {
	if c.Filing != upstream.Primary {
		return
	}
	f := fact{
		submitted: c.SubmittedDate, decided: c.FirstDecidedDate, outcome: c.FirstOutcome,
		repaid: c.RepaidDate,
	}
	f.is[byPayer] = l.names[byPayer].of(c.Payer)
	f.is[upstream.ByCPT] = l.names[upstream.ByCPT].of(c.CPT)
	if int(f.is[upstream.ByCPT]) == len(l.groupOf) {
		l.groupOf = append(l.groupOf, l.names[upstream.ByGroup].of(upstream.CPTGroup(c.CPT)))
	}
	f.is[upstream.ByGroup] = l.groupOf[f.is[upstream.ByCPT]]
	f.is[upstream.ByModifiers] = l.names[upstream.ByModifiers].of(c.Modifiers)
	f.is[upstream.ByPlace] = l.names[upstream.ByPlace].of(c.PlaceOfService)
	f.is[upstream.ByLocation] = l.names[upstream.ByLocation].of(c.Location)
	first := firstDecision(c)
	if f.isDenied() {
		carc := first.carc.First()
		if _, number, ok := strings.Cut(carc, "-"); ok {
			carc = number
		}
		f.is[upstream.ByCARC] = l.names[upstream.ByCARC].of(carc)
		f.is[upstream.ByRARC] = l.names[upstream.ByRARC].of(first.rarc.First())
	} else if f.isDecided() {
		units := upstream.Money(max(c.Units, 1))
		f.allowed, f.perUnit, f.paid = first.allowed, (first.allowed+units/2)/units, first.paid
		if c.ReversedDate != 0 && (c.RepaidDate == 0 || c.RepaidDate > c.ReversedDate+upstream.RestoreDays) {
			f.takenBack = c.ReversedDate + upstream.RestoreDays
		}
	}
	l.facts = append(l.facts, f)
}

// decision is what a first decision said.
type decision struct {
	allowed    upstream.Money
	carc, rarc upstream.Codes
	paid       upstream.Day
}

// firstDecision is that of the claim's own fields, where they hold it, and else
// its only state.
func firstDecision(c *upstream.Claim) decision {
	d := decision{c.FirstAllowed, c.FirstCARC, c.FirstRARC, c.FirstPaymentDate}
	if d == (decision{}) && c.DecidedDate == c.FirstDecidedDate {
		d = decision{c.Allowed, c.CARC, c.RARC, c.PaymentDate}
	}
	return d
}

// data is everything that detection reads.
func (l *ledger) data() drift.Data {
	return drift.Data{Decisions: l.decisions(), Waits: l.waits(), Amounts: l.amounts(allWeeks)}
}

// nodes numbers payer × group pairs in the order of their names.
func (l *ledger) nodes() (numbers []int, sorted [][2]uint16) {
	if l.numbers != nil {
		return l.numbers, l.sorted
	}
	groups := len(l.names[upstream.ByGroup].text)
	numbers = make([]int, len(l.names[byPayer].text)*groups)
	for i := range l.facts {
		if f := &l.facts[i]; f.isDecided() {
			numbers[int(f.is[byPayer])*groups+int(f.is[upstream.ByGroup])]++
		}
	}
	for _, p := range l.names[byPayer].order() {
		for _, g := range l.names[upstream.ByGroup].order() {
			at := &numbers[int(p)*groups+int(g)]
			if *at > 0 {
				*at = len(sorted)
				sorted = append(sorted, [2]uint16{p, g})
			} else {
				*at = -1
			}
		}
	}
	l.numbers, l.sorted = numbers, sorted
	return numbers, sorted
}

// decisions are the daily counts, from the first day with a decision through
// the last.
func (l *ledger) decisions() *upstream.Decisions {
	d := &upstream.Decisions{}
	for i := range l.facts {
		if f := &l.facts[i]; f.isDecided() {
			if d.From == 0 || f.decided < d.From {
				d.From = f.decided
			}
			d.To = max(d.To, f.decided)
		}
	}
	numbers, sorted := l.nodes()
	days, groups := int(d.To-d.From)+1, len(l.names[upstream.ByGroup].text)
	for _, n := range sorted {
		d.Nodes = append(d.Nodes, upstream.NodeDecisions{
			Payer: l.names[byPayer].text[n[0]], CPTGroup: l.names[upstream.ByGroup].text[n[1]],
			Decided: make([]int32, days), Denied: make([]int32, days), Allowed: make([]int64, days),
		})
	}
	for i := range l.facts {
		f := &l.facts[i]
		if !f.isDecided() {
			continue
		}
		n := &d.Nodes[numbers[int(f.is[byPayer])*groups+int(f.is[upstream.ByGroup])]]
		day := f.decided - d.From
		n.Decided[day]++
		if f.isDenied() {
			n.Denied[day]++
		} else {
			n.Allowed[day] += int64(f.allowed)
		}
	}
	return d
}

// windows counts what the usual rule compares as of a day.
func (l *ledger) windows(asOf upstream.Day) []upstream.NodeWindow {
	w := drift.ThresholdWindow(asOf)
	numbers, sorted := l.nodes()
	groups := len(l.names[upstream.ByGroup].text)
	all := make([]upstream.NodeWindow, len(sorted))
	for i := range l.facts {
		f := &l.facts[i]
		if !f.isDecided() || f.submitted < w.BaselineFirst || f.submitted > w.CurrentLast || f.decided > asOf {
			continue
		}
		n := &all[numbers[int(f.is[byPayer])*groups+int(f.is[upstream.ByGroup])]]
		denied := int64(0)
		if f.isDenied() {
			denied = 1
		}
		if f.submitted >= w.CurrentFirst {
			n.CurrentN++
			n.CurrentDenied += denied
			continue
		}
		n.BaselineN++
		n.BaselineDenied += denied
		n.BaselineAllowed += f.allowed
	}
	out := all[:0]
	for i, n := range all {
		if n.BaselineN > 0 || n.CurrentN > 0 {
			n.Payer, n.CPTGroup = l.names[byPayer].text[sorted[i][0]], l.names[upstream.ByGroup].text[sorted[i][1]]
			out = append(out, n)
		}
	}
	return out
}

// denials are a payer's first denials from first through last.
func (l *ledger) denials(payer string, first, last upstream.Day) *upstream.Denials {
	d := &upstream.Denials{}
	for dim := range upstream.Dimensions {
		d.Values[dim] = l.names[dim].text
	}
	p, known := l.names[byPayer].number[payer]
	if !known {
		return d
	}
	for i := range l.facts {
		f := &l.facts[i]
		if f.is[byPayer] != p || !f.isDenied() || f.decided < first || f.decided > last {
			continue
		}
		cell := upstream.DenialCell{Day: f.decided, Count: 1}
		for dim := range upstream.Dimensions {
			cell.Value[dim] = int32(f.is[dim])
		}
		d.Cells = append(d.Cells, cell)
	}
	d.Cells = combine(d.Cells, func(a, b upstream.DenialCell) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), slices.Compare(a.Value[:], b.Value[:]))
	}, func(sum *upstream.DenialCell, c upstream.DenialCell) { sum.Count += c.Count })
	return d
}

// combine sorts and sums what compares equal.
func combine[T any](v []T, compare func(a, b T) int, add func(sum *T, v T)) []T {
	slices.SortFunc(v, compare)
	out := v[:0]
	for _, x := range v {
		if n := len(out); n > 0 && compare(out[n-1], x) == 0 {
			add(&out[n-1], x)
			continue
		}
		out = append(out, x)
	}
	return out
}
