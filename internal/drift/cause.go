package drift

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"upstream"
)

const (
	// A value is named when it explains more than causeShare of the excess, and
	// its deviance is beyond what the largest of as many values reaches by chance:
	// 2 ln(values) + causeMargin.
	causeShare  = .5
	causeMargin = 4
	// causePrior is the weight in denials of the baseline's mix in each expectation.
	causePrior = 2
	// sameClaims is the overlap from which on two values are one cause.
	sameClaims = .95
	// Members of a payer's event are listed from memberShare of the excess on.
	memberShare = .10
	members     = 3
	// newDenials are the fewest of a value that never stood in the baseline.
	newDenials = 3
)

// causeOrder is the order in which dimensions are asked: the payer's own reason
// first, then where, then what was billed.
var causeOrder = [...]upstream.Dimension{
	upstream.ByGroup, upstream.ByCARC, upstream.ByLocation, upstream.ByCPT, upstream.ByRARC, upstream.ByModifiers, upstream.ByPlace,
}

// Explain fills in the root causes of a denial event from the payer's denials:
// for each value c of each dimension the denials x observed against those
// expected from the baseline, E, with deviance G = 2(x ln(x/E) − (x − E)) and
// share of the excess (x − E)/Σ(x − E) (after Bhagwan et al., "Adtributor",
// NSDI 2014). Where nothing explains most of it, Spread says over what it is
// spread. Events of other signals, and improvements, are left as they are.
func Explain(e *upstream.DriftEvent, d *upstream.Denials) {
	if e.Signal != upstream.DenialRate || e.Direction != upstream.Worse || e.BaselineN <= 0 {
		return
	}
	x := explanation{e: e, d: d}
	x.split()
	if x.excess <= 0 {
		return
	}
	e.RootCauses, e.Spread, e.JointShare = []upstream.RootCause{}, "", 0
	for _, dim := range causeOrder {
		if dim != upstream.ByGroup || e.Level != upstream.GroupLevel {
			x.ask(dim)
		}
	}
	x.conclude()
}

// explanation is one event's denials, before and since the change.
type explanation struct {
	e               *upstream.DriftEvent
	d               *upstream.Denials
	baseline, since []upstream.DenialCell
	before, after   float64 // denials
	scale           float64 // decided claims since over those before
	excess          float64
	named           []named
	spread          []string
}

// named is a cause with its place in the denials.
type named struct {
	dim   upstream.Dimension
	value int32
	cause upstream.RootCause
}

// split keeps the cells of the event's group and days.
func (x *explanation) split() {
	group := int32(-1)
	if x.e.CPTGroup != nil {
		group = int32(slices.Index(x.d.Values[upstream.ByGroup], *x.e.CPTGroup))
	}
	for _, c := range x.d.Cells {
		if x.e.CPTGroup != nil && c.Value[upstream.ByGroup] != group {
			continue
		}
		switch {
		case c.Day >= x.e.BaselineFirst && c.Day <= x.e.BaselineLast:
			x.baseline = append(x.baseline, c)
			x.before += float64(c.Count)
		case c.Day >= x.e.CurrentFirst && c.Day <= x.e.CurrentLast:
			x.since = append(x.since, c)
			x.after += float64(c.Count)
		}
	}
	x.scale = float64(x.e.CurrentN) / float64(x.e.BaselineN)
	x.excess = x.after - x.expect(x.before, 1)
}

// expect are the denials expected since the change of a value that had so many
// before it and a share of all of them, with a little of the mix as a prior.
func (x *explanation) expect(before, share float64) float64 {
	weight := causePrior / max(x.before, causePrior) // claims of the prior, over those of the baseline
	return (before + causePrior*share) / (1 + weight) * x.scale
}

// tallies are the denials by value of a dimension.
func (x *explanation) tallies(dim upstream.Dimension) (before, since []float64) {
	n := len(x.d.Values[dim])
	before, since = make([]float64, n), make([]float64, n)
	for _, c := range x.baseline {
		before[c.Value[dim]] += float64(c.Count)
	}
	for _, c := range x.since {
		since[c.Value[dim]] += float64(c.Count)
	}
	return before, since
}

// ask looks for values of a dimension that explain the excess.
func (x *explanation) ask(dim upstream.Dimension) {
	before, since := x.tallies(dim)
	var found []named
	values, largest := 0, 0.0
	for v := range before {
		if before[v] > 0 || since[v] > 0 {
			values++
		}
	}
	if values < 2 {
		return
	}
	threshold := 2*math.Log(float64(values)) + causeMargin
	for v := range before {
		share := (before[v] + .5) / (x.before + .5*float64(values))
		expected := x.expect(before[v], share)
		part := (since[v] - expected) / x.excess
		largest = max(largest, part)
		g := 0.0
		if since[v] > expected {
			g = 2 * (since[v]*math.Log(since[v]/expected) - (since[v] - expected))
		}
		value := x.d.Values[dim][v]
		if value == "" || g <= threshold || dim == upstream.ByRARC && value == "" {
			continue
		}
		isNew := dim == upstream.ByCARC && before[v] == 0 && since[v] >= newDenials
		if part > causeShare || isNew && part > 0 || dim == upstream.ByGroup && part >= memberShare {
			found = append(found, named{dim, int32(v), upstream.RootCause{Dimension: dim.String(), Value: value, ShareOfExcess: min(part, 1), G: g, New: isNew}})
		}
	}
	slices.SortFunc(found, func(a, b named) int {
		return cmp.Or(cmp.Compare(b.cause.ShareOfExcess, a.cause.ShareOfExcess), cmp.Compare(a.cause.Value, b.cause.Value))
	})
	found = found[:min(len(found), members)]
	for _, n := range found {
		if !x.repeats(n) {
			x.named = append(x.named, n)
		}
	}
	if len(found) == 0 && (dim == upstream.ByCARC || dim == upstream.ByLocation || dim == upstream.ByGroup) {
		x.spread = append(x.spread, fmt.Sprintf("%d %s, none above %.0f %%", values, plural[dim], 100*min(max(largest, 0), 1)))
	}
}

var plural = map[upstream.Dimension]string{upstream.ByCARC: "CARCs", upstream.ByLocation: "locations", upstream.ByGroup: "procedure groups"}

// repeats reports whether a value stands on the same claims as one that is named.
func (x *explanation) repeats(n named) bool {
	for _, o := range x.named {
		if o.dim == n.dim {
			continue
		}
		own, other, both := 0.0, 0.0, 0.0
		for _, c := range x.since {
			a, b := c.Value[n.dim] == n.value, c.Value[o.dim] == o.value
			if a {
				own += float64(c.Count)
			}
			if b {
				other += float64(c.Count)
			}
			if a && b {
				both += float64(c.Count)
			}
		}
		if both >= sameClaims*own && both >= sameClaims*other {
			return true
		}
	}
	return false
}

// conclude writes the causes, the share that those above half explain together,
// and what is spread.
func (x *explanation) conclude() {
	for _, n := range x.named {
		x.e.RootCauses = append(x.e.RootCauses, n.cause)
	}
	x.e.Spread = strings.Join(x.spread, "; ")
	main := slices.DeleteFunc(slices.Clone(x.named), func(n named) bool { return n.cause.ShareOfExcess <= causeShare })
	if len(main) == 0 {
		return
	}
	count := func(cells []upstream.DenialCell) (sum float64) {
		for _, c := range cells {
			if !slices.ContainsFunc(main, func(n named) bool { return c.Value[n.dim] != n.value }) {
				sum += float64(c.Count)
			}
		}
		return sum
	}
	before := count(x.baseline)
	together := count(x.since) - x.expect(before, before/max(x.before, 1))
	x.e.JointShare = min(max(together/x.excess, 0), 1)
}
