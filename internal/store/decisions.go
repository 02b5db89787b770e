package store

import (
	"cmp"
	"context"
	"math"
	"slices"

	"upstream"
)

// From tells what an aggregate is computed from; the answer is the same.
type From string

// The two ways. Rollups are what the program uses, claims the proof.
const (
	FromRollups From = "rollups"
	FromClaims  From = "claims"
)

// maxDecisionDays bounds what a claim with a wrong date costs. It is far more
// than detection looks back, because estimates are made in blocks of days that
// count from the first decision: a first day that moved would move them.
const maxDecisionDays = 3660

// Decisions reads the daily decision counts that detection reads, of the last
// ten years through until. It is empty when nothing was decided by then.
func (t *Tenant) Decisions(ctx context.Context, until upstream.Day, from From) (*upstream.Decisions, error) {
	if from == FromRollups {
		if err := t.foldIfMany(ctx); err != nil {
			return nil, err
		}
	}
	b := &decisionsBuilder{until: int32(until), nodes: map[uint64]*nodePoints{}, first: math.MaxInt32}
	var out *upstream.Decisions
	err := t.s.read(ctx, func(x tx) (err error) {
		if from == FromClaims {
			err = t.pointsFromClaims(x, b)
		} else {
			err = t.pointsFromRollups(x, b)
		}
		if err != nil {
			return err
		}
		out, err = b.build(x, newTerms(t.id))
		return err
	})
	return out, err
}

func (t *Tenant) pointsFromRollups(x tx, b *decisionsBuilder) error {
	err := x.query("SELECT period, cells FROM rollup_series WHERE customer_id = $1 AND period >= $2 AND period <= $3 ORDER BY period",
		[]any{t.id, int64((b.until - maxDecisionDays) >> periodBits), int64(b.until >> periodBits)}, func(r row) error {
			return decodePoints(int32(r.int(0)), r.bytes(1), func(payer, group uint32) func(int32, pointSum) {
				n := b.node(payer, group)
				return func(day int32, s pointSum) { b.add(n, day, s) }
			})
		})
	if err != nil {
		return err
	}
	waiting, _, _, err := t.segments(x, 1<<30)
	for _, p := range seriesOf(waiting) {
		b.add(b.node(p.payer, p.group), p.day, p.pointSum)
	}
	return err
}

func (t *Tenant) pointsFromClaims(x tx, b *decisionsBuilder) error {
	l := newTerms(t.id)
	if err := l.loadGroups(x); err != nil {
		return err
	}
	return x.query("SELECT payer_id, code_id, submitted_date, first_decided_date, filing, first_outcome, allowed FROM claim WHERE customer_id = $1 AND first_decided_date <= $2",
		[]any{t.id, int64(b.until)}, func(r row) error {
			var c claimRow
			v := &c.ints
			v[colPayer], v[colCode], v[colSubmitted], v[colFirstDecided] = r.int(0), r.int(1), r.int(2), r.int(3)
			v[colFiling], v[colFirstOutcome], v[colAllowed] = r.int(4), r.int(5), r.int(6)
			k, s := cellOf(&c, l.groups[v[colCode]])
			if p, ok := pointOf(cell{k, s}); ok {
				b.add(b.node(p.payer, p.group), p.day, p.pointSum)
			}
			return nil
		})
}

// decisionsBuilder spreads points over dense days.
type decisionsBuilder struct {
	until, first, last int32
	nodes              map[uint64]*nodePoints
}

type nodePoints struct {
	payer, group uint32
	// By day counted back from until, so that the arrays need no first day yet.
	decided, denied []int32
	allowed         []int64
	decisions       int64
}

func (b *decisionsBuilder) node(payer, group uint32) *nodePoints {
	key := uint64(payer)<<32 | uint64(group)
	n := b.nodes[key]
	if n == nil {
		n = &nodePoints{payer: payer, group: group}
		b.nodes[key] = n
	}
	return n
}

func (b *decisionsBuilder) add(n *nodePoints, day int32, s pointSum) {
	back := int(b.until - day)
	if back < 0 || back > maxDecisionDays {
		return
	}
	if back >= len(n.decided) {
		size := max(back+1, min(2*len(n.decided), maxDecisionDays+1), 400)
		n.decided, n.denied, n.allowed = grown(n.decided, size), grown(n.denied, size), grown(n.allowed, size)
	}
	n.decided[back] += int32(s.decided)
	n.denied[back] += int32(s.denied)
	n.allowed[back] += s.allowed
	n.decisions += s.decided
	if s.decided != 0 {
		b.first, b.last = min(b.first, day), max(b.last, day)
	}
}

func grown[T any](s []T, n int) []T {
	return append(s, make([]T, n-len(s))...)
}

// build turns the nodes into their final order and day range.
func (b *decisionsBuilder) build(x tx, l *terms) (*upstream.Decisions, error) {
	out := &upstream.Decisions{}
	if b.last == 0 {
		return out, nil
	}
	out.From, out.To = upstream.Day(b.first), upstream.Day(b.last)
	low, high := int(b.until-b.last), int(b.until-b.first) // offsets back from until
	for _, n := range b.nodes {
		if n.decisions == 0 {
			continue
		}
		payer, err := l.value(x, kindPayer, int64(n.payer))
		if err != nil {
			return nil, err
		}
		group, err := l.value(x, kindGroup, int64(n.group))
		if err != nil {
			return nil, err
		}
		out.Nodes = append(out.Nodes, upstream.NodeDecisions{
			Payer: payer, CPTGroup: group,
			Decided: forward(n.decided, low, high), Denied: forward(n.denied, low, high), Allowed: forward(n.allowed, low, high),
		})
	}
	slices.SortFunc(out.Nodes, func(a, b upstream.NodeDecisions) int {
		return cmp.Or(cmp.Compare(a.Payer, b.Payer), cmp.Compare(a.CPTGroup, b.CPTGroup))
	})
	return out, nil
}

// forward reverses s[low..high] in place, so that the earliest day comes first.
func forward[T any](s []T, low, high int) []T {
	if high >= len(s) {
		s = grown(s, high+1)
	}
	s = s[low : high+1]
	slices.Reverse(s)
	return s
}
