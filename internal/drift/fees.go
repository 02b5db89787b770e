package drift

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"upstream"
)

// fees watches what payers allow per unit. They pay from tables, so amounts pile
// up on a contract rate, which the payer's own history tells: the half-sample
// mode of the amounts of a payer × CPT × modifiers × place × location. A cut is a
// rise of the share of lines below the rate, at payer × CPT group or payer.
//
// Only whole weeks are used. One week is five business days where it is compared
// with an average run length.
//
// A raise is no cut: until the new rate has half of the baseline's lines the old
// one stays the rate, which nothing is below, and from then on the lines at the
// old one are below in the baseline too. For as long a cut that undoes the raise
// doesn't show.
//
// Amounts are per unit and the units aren't in the data: dollars count a line as
// one unit, so they are a lower bound where lines have several.
type fees struct {
	// budget is what track takes for a node's threshold, as scan takes its
	// argument: the run's, or else DefaultBudget.
	budget float64

	data    *upstream.Amounts
	start   int        // the first week with a line
	payers  []feePayer // sorted by name
	groups  []feeGroup // sorted by payer, then name
	keys    []int32    // indexes of data.Keys, by group
	volumes []int64    // lines of a group through a week: [group × weeks]
	reader  keyReader
	counts  [][feeLags]feeCounts // of one payer's keys, while it is evaluated
	now     feeRun               // the last evaluation, and one of an earlier week
	then    feeRun
}

type feePayer struct {
	name     string
	from, to int // groups
}

type feeGroup struct {
	payer    int
	name     string
	from, to int // keys
}

var _ signal = (*fees)(nil)

// newFees sorts the keys into nodes, once for any number of scans; the amounts
// must not change afterwards. An evaluation reads 39 weeks before its end, and
// track the 26 before the change: data that begin later tell less.
func newFees(a *upstream.Amounts) *fees {
	f := &fees{data: a, budget: DefaultBudget}
	f.keys = make([]int32, len(a.Keys))
	for i := 0; i < len(a.Keys); {
		j := i + 1
		for j < len(a.Keys) && a.Keys[j].Payer == a.Keys[i].Payer {
			j++
		}
		f.addPayer(i, j)
		i = j
	}
	f.countLines()
	return f
}

// addPayer sorts the keys from i to before j, of one payer, into CPT groups.
func (f *fees) addPayer(i, j int) {
	var names []string
	group := make([]int32, j-i) // of each key
	for k := i; k < j; k++ {
		if k > i && f.data.Keys[k].CPT == f.data.Keys[k-1].CPT {
			group[k-i] = group[k-i-1]
			continue
		}
		name := f.data.Groups.Of(f.data.Keys[k].CPT)
		at := slices.Index(names, name)
		if at < 0 {
			at = len(names)
			names = append(names, name)
		}
		group[k-i] = int32(at)
	}
	order := make([]int, len(names))
	for at := range order {
		order[at] = at
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(names[a], names[b]) })
	p := feePayer{f.data.Keys[i].Payer, len(f.groups), len(f.groups) + len(names)}
	start := make([]int, len(names)) // where the group's next key goes
	size := make([]int, len(names))
	for _, at := range group {
		size[at]++
	}
	next := i
	for _, at := range order {
		start[at] = next
		f.groups = append(f.groups, feeGroup{len(f.payers), names[at], next, next + size[at]})
		next += size[at]
	}
	for k, at := range group {
		f.keys[start[at]] = int32(i + k)
		start[at]++
	}
	f.payers = append(f.payers, p)
}

// countLines sums up each group's lines by week.
func (f *fees) countLines() {
	weeks := max(f.data.Weeks, 0)
	f.volumes = make([]int64, len(f.groups)*weeks)
	f.start = weeks
	for g := range f.groups {
		sum := f.volumes[g*weeks : (g+1)*weeks]
		for _, k := range f.keys[f.groups[g].from:f.groups[g].to] {
			atoms := f.data.Keys[k].Atoms
			for i := range atoms {
				if w := int(atoms[i].Week); uint(w) < uint(weeks) && atoms[i].Lines > 0 {
					sum[w] += int64(atoms[i].Lines)
				}
			}
		}
		for w := range sum {
			if sum[w] > 0 && w < f.start {
				f.start = w
			}
			if w > 0 {
				sum[w] += sum[w-1]
			}
		}
	}
}

// through is the number of weeks that were over at the end of a day.
func (f *fees) through(asOf upstream.Day) int {
	if asOf < f.data.First {
		return 0
	}
	return min(int(asOf-f.data.First+1)/7, max(f.data.Weeks, 0))
}

// monday is the first day of a week.
func (f *fees) monday(week int) upstream.Day { return f.data.First + upstream.Day(7*week) }

// lines are those of a group in the weeks from i to before j.
func (f *fees) lines(g, i, j int) (n int64) {
	sum := f.volumes[g*f.data.Weeks : (g+1)*f.data.Weeks]
	if j > 0 {
		n = sum[j-1]
	}
	if i > 0 {
		n -= sum[i-1]
	}
	return n
}

// feeShares are the shares of the false-alarm budget: of groups by the root of
// their lines within reach, of payers with lines evenly.
type feeShares struct {
	group []float64
	payer float64
}

func (f *fees) shares(end int) feeShares {
	s := feeShares{group: make([]float64, len(f.groups))}
	roots, payers := 0.0, 0
	for _, p := range f.payers {
		any := false
		for g := p.from; g < p.to; g++ {
			n := f.lines(g, max(0, end-feeReach), end)
			s.group[g] = math.Sqrt(float64(n))
			roots += s.group[g]
			any = any || n > 0
		}
		if any {
			payers++
		}
	}
	if payers > 0 {
		s.payer = payerPart / float64(payers)
		for g := range s.group {
			s.group[g] *= groupPart / roots
		}
	}
	return s
}

// node names a group, or with g < 0 a payer, or with p < 0 too the market.
func (f *fees) node(p, g int) *upstream.DriftEvent {
	n := &upstream.DriftEvent{Signal: upstream.AllowedAmount, Level: upstream.MarketLevel}
	if p >= 0 {
		n.Payer, n.Level = new(f.payers[p].name), upstream.PayerLevel
	}
	if g >= 0 {
		n.CPTGroup, n.Level = new(f.groups[g].name), upstream.GroupLevel
	}
	return n
}

// members are the groups of a node, from the first to before the last.
func (f *fees) members(p, g int) (from, to int) {
	switch {
	case g >= 0:
		return g, g + 1
	case p >= 0:
		return f.payers[p].from, f.payers[p].to
	}
	return 0, len(f.groups)
}

// find is the inverse of node. A name without lines has none.
func (f *fees) find(e *upstream.DriftEvent) (p, g int, ok bool) {
	if e.Payer == nil {
		return -1, -1, true
	}
	p, ok = slices.BinarySearchFunc(f.payers, *e.Payer, func(p feePayer, name string) int { return cmp.Compare(p.name, name) })
	if !ok || e.CPTGroup == nil {
		return p, -1, ok
	}
	from, to := f.payers[p].from, f.payers[p].to
	g, ok = slices.BinarySearchFunc(f.groups[from:to], *e.CPTGroup, func(g feeGroup, name string) int { return cmp.Compare(g.name, name) })
	return p, from + g, ok
}
