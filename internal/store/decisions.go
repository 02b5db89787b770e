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
	b := &decisionsBuilder{until: int32(until), nodes: map[uint64]*nodePoints{}}
	var out *upstream.Decisions
	err := t.s.scan(ctx, func(x tx) error {
		last, err := t.lastDecision(x, from, until)
		if err != nil {
			return err
		}
		// The arrays count back from until: bring it near to the data.
		b.until = min(b.until, last)
		blobs := periods(int64((b.until-maxDecisionDays)>>periodBits), int64(b.until>>periodBits))
		if err := t.cells(x, seriesKind, blobs, from, b.add); err != nil {
			return err
		}
		l, err := t.terms(x)
		if err != nil {
			return err
		}
		out, err = b.build(x, l)
		return err
	})
	return out, err
}

// lastDecision returns the last day of the last period that has decisions by until.
func (t *Tenant) lastDecision(x tx, from From, until upstream.Day) (int32, error) {
	end := func(period int64) int32 { return int32(period+1)<<periodBits - 1 }
	if from == FromClaims {
		day, err := one(x, "SELECT COALESCE(MAX(first_decided_date), 0) FROM claim WHERE customer_id = $1 AND first_decided_date <= $2 AND filing = 0 AND first_outcome IN (2, 3, 4)", t.id, int64(until))
		return end(day >> periodBits), err
	}
	last, err := one(x, "SELECT COALESCE(MAX(period), 0) FROM rollup WHERE customer_id = $1 AND kind = $2 AND period <= $3", t.id, seriesKind.id, int64(until>>periodBits))
	if err != nil {
		return 0, err
	}
	waiting, _, _, err := t.segments(x, seriesKind, 1<<30)
	for i := range waiting {
		if waiting[i].key[seriesDay] <= int32(until) {
			last = max(last, int64(waiting[i].key[seriesPeriod]))
		}
	}
	return end(last), err
}

// decisionsBuilder spreads points over dense days.
type decisionsBuilder struct {
	until int32
	nodes map[uint64]*nodePoints
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

func (b *decisionsBuilder) add(c *cell) {
	back := int(b.until - c.key[seriesDay])
	if back < 0 || back > maxDecisionDays {
		return
	}
	n := b.node(uint32(c.key[seriesPayer]), uint32(c.key[seriesGroup]))
	if back >= len(n.decided) {
		size := max(back+1, min(2*len(n.decided), maxDecisionDays+1), 400)
		n.decided, n.denied, n.allowed = grown(n.decided, size), grown(n.denied, size), grown(n.allowed, size)
	}
	n.decided[back] += int32(c.sum[seriesDecided])
	n.denied[back] += int32(c.sum[seriesDenied])
	n.allowed[back] += c.sum[seriesAllowed]
	n.decisions += c.sum[seriesDecided]
}

func grown[T any](s []T, n int) []T {
	return append(s, make([]T, n-len(s))...)
}

// build turns the nodes into their final order and day range.
func (b *decisionsBuilder) build(x tx, l *terms) (*upstream.Decisions, error) {
	out := &upstream.Decisions{}
	low, high := b.span()
	if low > high {
		return out, nil
	}
	out.From, out.To = upstream.Day(b.until-int32(high)), upstream.Day(b.until-int32(low))
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

// span returns the last and the first day with a decision, counted back from
// until. It looks at the sums: a correction takes decisions away again.
func (b *decisionsBuilder) span() (low, high int) {
	low, high = math.MaxInt, -1
	for _, n := range b.nodes {
		decided := func(v int32) bool { return v != 0 }
		if i := slices.IndexFunc(n.decided, decided); i >= 0 {
			low = min(low, i)
		}
		for i := len(n.decided) - 1; i > high; i-- {
			if n.decided[i] != 0 {
				high = i
			}
		}
	}
	return low, high
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
