package drift

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strings"

	"upstream"
)

// What it takes to be told as a cause.
const (
	mostOfExcess  = .5  // a cause explains more of the excess than this
	memberShare   = .1  // a payer's groups are listed from here on
	maxMembers    = 3   // and so many
	minorDenials  = 3   // of a code that is told beside the causes; one is a typing error
	apartEvidence = 4   // G of its share of the denials, two standard errors
	sameCells     = .95 // two values on so many common denials say one thing
	minCovered    = 10  // baseline denials that can show that one value implies another
	monthsSeen    = 365 // days in which a new code wasn't seen
)

// precedence is the order in which dimensions explain: of two that say the same,
// the first does.
var precedence = [...]upstream.Dimension{
	upstream.ByCARC, upstream.ByLocation, upstream.ByGroup, upstream.ByCPT,
	upstream.ByRARC, upstream.ByModifiers, upstream.ByPlace,
}

// Explain fills the root causes of a denial event, their joint share, and over
// what the excess is spread where a dimension has none, from its payer's
// denials in the event's two windows; of a group event only the group's. Of an
// improvement it explains what fell.
//
// A value c of a dimension with K values is expected to have E = its baseline
// share of the claims decided × the claims decided now. Of x denials it explains
// (x − E)/Σ(x − E) of the excess. It is a cause when that is more than half,
// when G = 2(x ln(x/E) − (x − E)) > 2 ln K + 4, and when its share of the denials
// has risen, by two standard errors: a location with 80 % of all claims has 80 %
// of any excess, and explains nothing. Nor does a dimension with one value.
// What is told beside the causes is minor.
func Explain(e *upstream.DriftEvent, d *upstream.Denials) {
	if e.Signal != upstream.DenialRate {
		return
	}
	e.RootCauses, e.JointShare, e.Spread = []upstream.RootCause{}, 0, ""
	a := newAttribution(e, d)
	if a == nil {
		return
	}
	var named []part
	var spread []string
	for _, dimension := range precedence {
		if dimension == upstream.ByGroup && e.CPTGroup != nil {
			continue
		}
		parts := a.parts(dimension)
		cause, found := mainPart(parts)
		if found && !a.redundant(&cause, named) {
			named = append(named, cause)
			e.RootCauses = append(e.RootCauses, a.root(&cause, false))
		} else if !found {
			spread = append(spread, spreadOver(dimension, parts)...)
		}
		for _, p := range minorParts(dimension, parts) {
			if !found || p.value != cause.value {
				e.RootCauses = append(e.RootCauses, a.root(&p, true))
			}
		}
	}
	slices.SortFunc(e.RootCauses, func(a, b upstream.RootCause) int {
		return cmp.Or(cmp.Compare(b.ShareOfExcess, a.ShareOfExcess), cmp.Compare(a.Dimension, b.Dimension), cmp.Compare(a.Value, b.Value))
	})
	e.JointShare = a.joint(named)
	e.Spread = strings.Join(spread, "; ")
}

// DenialsToExplain tells which denials of a payer Explain looks at for some of its
// events: those on the days from first through last, of some CPT groups, or of all
// where it names none.
func DenialsToExplain(events ...*upstream.DriftEvent) (groups []string, first, last upstream.Day) {
	first = math.MaxInt32
	whole := false
	for _, e := range events {
		first, last = min(first, e.BaselineFirst, e.CurrentFirst-monthsSeen), max(last, e.CurrentLast)
		if e.CPTGroup == nil {
			whole = true
			continue
		}
		groups = append(groups, *e.CPTGroup)
	}
	if whole {
		groups = nil
	}
	return groups, first, last
}

// attribution are the denials of an event before and since its change.
type attribution struct {
	values       *[upstream.Dimensions][]string
	before, now  []upstream.DenialCell // the two windows
	decided      [2]float64            // claims decided in them
	denied       [2]float64
	sign         float64 // -1 of an improvement
	codeSeen     []bool  // CARCs of the year
	excessDenied float64 // what the windows' totals differ by, in denials, in the event's direction
}

// newAttribution is nil where there is no excess to explain.
func newAttribution(e *upstream.DriftEvent, d *upstream.Denials) *attribution {
	a := &attribution{values: &d.Values, decided: [2]float64{float64(e.BaselineN), float64(e.CurrentN)}, sign: 1}
	if e.Direction == upstream.Better {
		a.sign = -1
	}
	group := -1
	if e.CPTGroup != nil {
		if group = slices.Index(d.Values[upstream.ByGroup], *e.CPTGroup); group < 0 {
			return nil
		}
	}
	a.before = within(d.Cells, e.BaselineFirst, e.BaselineLast, group)
	a.now = within(d.Cells, e.CurrentFirst, e.CurrentLast, group)
	a.denied = [2]float64{denialsOn(a.before), denialsOn(a.now)}
	if a.decided[0] <= 0 || a.decided[1] <= 0 {
		return nil
	}
	a.excessDenied = a.sign * (a.denied[1] - a.denied[0]/a.decided[0]*a.decided[1])
	if a.excessDenied <= 0 {
		return nil
	}
	a.codeSeen = make([]bool, len(d.Values[upstream.ByCARC]))
	for _, c := range within(d.Cells, e.CurrentFirst-monthsSeen, e.CurrentFirst-1, group) {
		a.codeSeen[c.Value[upstream.ByCARC]] = true
	}
	return a
}

// within are the cells of the days from first through last, of one group unless
// it is -1.
func within(cells []upstream.DenialCell, first, last upstream.Day, group int) []upstream.DenialCell {
	from := sort.Search(len(cells), func(i int) bool { return cells[i].Day >= first })
	to := sort.Search(len(cells), func(i int) bool { return cells[i].Day > last })
	if from >= to {
		return nil
	}
	cells = cells[from:to]
	if group < 0 {
		return cells
	}
	var own []upstream.DenialCell
	for i := range cells {
		if int(cells[i].Value[upstream.ByGroup]) == group {
			own = append(own, cells[i])
		}
	}
	return own
}

// denialsOn counts the denials that carry all of the values.
func denialsOn(cells []upstream.DenialCell, match ...*part) float64 {
	n := int64(0)
	for i := range cells {
		if !slices.ContainsFunc(match, func(p *part) bool { return cells[i].Value[p.dimension] != p.value }) {
			n += int64(cells[i].Count)
		}
	}
	return float64(n)
}

// part is what one value of a dimension has of the excess.
type part struct {
	dimension   upstream.Dimension
	value       int32
	name        string
	before, now float64 // denials in the two windows
	expected    float64 // in the current one
	share       float64 // of the excess
	g           float64 // deviance of now from expected, 0 in the other direction
	apart       float64 // deviance of its share of the denials now from the expected share
	enough      float64 // what g must be to stand out
	unseen      bool    // in the 12 months before
}

// parts splits the excess over the values of a dimension that occur, in their
// order. The expectation of each is smoothed by a prior that adds a half denial
// at most to each value and two to all, at the baseline's denial rate, so that
// their sum hardly changes.
func (a *attribution) parts(dimension upstream.Dimension) []part {
	names := a.values[dimension]
	counts := make([][2]int64, len(names))
	for w, cells := range [2][]upstream.DenialCell{a.before, a.now} {
		for i := range cells {
			counts[cells[i].Value[dimension]][w] += int64(cells[i].Count)
		}
	}
	var parts []part
	for v, c := range counts {
		if c[0]+c[1] > 0 {
			parts = append(parts, part{
				dimension: dimension, value: int32(v), name: names[v], before: float64(c[0]), now: float64(c[1]),
				unseen: dimension == upstream.ByCARC && !a.codeSeen[v],
			})
		}
	}
	k := float64(len(parts))
	prior := min(.5, 2/k)
	rate := (a.denied[0] + .5) / (a.decided[0] + 1)
	scale := a.decided[1] / (a.decided[0] + k*prior/rate)
	expected, excess := 0.0, 0.0
	for i := range parts {
		p := &parts[i]
		p.expected = (p.before + prior) * scale
		expected += p.expected
		excess += a.sign * (p.now - p.expected)
	}
	for i := range parts {
		parts[i].weigh(a.sign, a.denied[1], expected, excess)
		parts[i].enough = 2*math.Log(k) + 4
	}
	return parts
}

// weigh compares a part with the totals of its dimension.
func (p *part) weigh(sign, now, expected, excess float64) {
	over := sign * (p.now - p.expected)
	if over <= 0 || excess <= 0 {
		return
	}
	p.share = over / excess
	p.g = 2 * (lnRatio(p.now, p.expected) - (p.now - p.expected))
	rest, proportion := now-p.now, p.expected/expected
	if sign*(p.now-now*proportion) > 0 {
		p.apart = 2 * (lnRatio(p.now, now*proportion) + lnRatio(rest, now*(1-proportion)))
	}
}

// lnRatio is x ln(x/expected), 0 at 0.
func lnRatio(x, expected float64) float64 {
	if x <= 0 || expected <= 0 {
		return 0
	}
	return x * math.Log(x/expected)
}

// mainPart is the part that explains most of the excess, if one does.
func mainPart(parts []part) (best part, found bool) {
	for _, p := range parts {
		if len(parts) > 1 && p.standsOut() && p.share > mostOfExcess && (!found || p.g > best.g) {
			best, found = p, true
		}
	}
	return best, found
}

// minorParts are those that are told though they don't explain most: the code
// with the most evidence, codes that are new, and the groups of a payer that
// have most of the excess.
func minorParts(dimension upstream.Dimension, parts []part) []part {
	var out []part
	switch dimension {
	case upstream.ByCARC:
		if len(parts) < 2 {
			return nil
		}
		top := -1
		for i, p := range parts {
			if p.name != "" && p.g > p.enough && max(p.now, p.expected) >= minorDenials && (top < 0 || p.g > parts[top].g) {
				top = i
			}
		}
		for i, p := range parts {
			if i == top || p.unseen && p.standsOut() && p.now >= minorDenials && p.share >= memberShare {
				out = append(out, p)
			}
		}
	case upstream.ByGroup:
		for _, p := range parts {
			if p.name != "" && p.share >= memberShare {
				out = append(out, p)
			}
		}
		slices.SortStableFunc(out, func(a, b part) int { return cmp.Compare(b.share, a.share) })
		out = out[:min(len(out), maxMembers)]
	}
	return out
}

// standsOut reports whether a value explains more of the excess than chance and
// its size do. Having no value is none.
func (p *part) standsOut() bool {
	return p.name != "" && p.g > p.enough && p.apart > apartEvidence
}

// redundant reports whether a cause says what one of the causes before it said:
// both are on the same denials; or all denials of the other carry this value
// now, and did before (a procedure that is always billed with a modifier). A
// location never is: it is where somebody can act.
func (a *attribution) redundant(p *part, named []part) bool {
	if p.dimension == upstream.ByLocation {
		return false
	}
	for i := range named {
		o := &named[i]
		both := denialsOn(a.now, p, o)
		always := o.before >= minCovered && denialsOn(a.before, p, o) >= sameCells*o.before
		if both >= sameCells*o.now && (always || both >= sameCells*p.now) {
			return true
		}
	}
	return false
}

// joint is the share of the excess on the denials that carry the values of all
// causes. That of one cause is its own.
func (a *attribution) joint(named []part) float64 {
	switch len(named) {
	case 0:
		return 0
	case 1:
		return min(named[0].share, 1)
	}
	match := make([]*part, len(named))
	for i := range named {
		match[i] = &named[i]
	}
	over := a.sign * (denialsOn(a.now, match...) - denialsOn(a.before, match...)/a.decided[0]*a.decided[1])
	return min(max(over/a.excessDenied, 0), 1)
}

func (a *attribution) root(p *part, minor bool) upstream.RootCause {
	return upstream.RootCause{
		Dimension: p.dimension.String(), Value: p.name, ShareOfExcess: min(p.share, 1), G: p.g,
		New: p.unseen && a.sign > 0, Minor: minor,
	}
}
