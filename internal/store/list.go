package store

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"upstream"
)

// params collects the parameters of a statement while its text is written.
type params []any

// add adds a parameter and returns what stands for it in the text.
func (p *params) add(v any) string {
	*p = append(*p, v)
	return "$" + strconv.Itoa(len(*p))
}

// list adds parameters for IN. Their number is rounded up, the last one repeated,
// so that few different texts are prepared.
func (p *params) list(values []int64) string {
	n := 1
	for n < len(values) {
		n *= 2
	}
	first := len(*p) + 1
	for i := range n {
		p.add(values[min(i, len(values)-1)])
	}
	return placeholders(first, n)
}

// ordering is the order of a list: by a column and then by id.
type ordering struct {
	column string
	desc   bool
}

// byID is the order of lists that have no other.
var byID = ordering{"id", false}

// parseOrdering reads the name of an order, with a minus sign before it for the
// reverse one; the first of names is that of an empty text.
func parseOrdering(text string, names ...string) (ordering, error) {
	name, desc := strings.CutPrefix(cmp.Or(text, names[0]), "-")
	plain := make([]string, len(names))
	for i := range names {
		plain[i] = strings.TrimPrefix(names[i], "-")
	}
	if !slices.Contains(plain, name) {
		return ordering{}, upstream.Errorf(upstream.Invalid, "the list can't be ordered like that; order it by %s, with - before it for the reverse", strings.Join(plain, ", "))
	}
	return ordering{name, desc}, nil
}

// direction returns the words of SQL for an order, or of its reverse.
func (o ordering) direction(back bool) (order, beyond string) {
	if o.desc != back {
		return " DESC", " < "
	}
	return "", " > "
}

// paged makes a list of up to one row more than the page has, which were read in
// the page's direction.
func paged[T any](p upstream.Page, rows []T, keys []upstream.Key) upstream.List[T] {
	more := len(rows) > p.Limit()
	if more {
		rows, keys = rows[:p.Limit()], keys[:p.Limit()]
	}
	out := upstream.List[T]{Items: rows}
	if len(rows) == 0 {
		out.Items = []T{}
		return out
	}
	if p.Back() {
		slices.Reverse(rows)
		slices.Reverse(keys)
	}
	if more || p.Back() {
		out.Next = keys[len(keys)-1]
	}
	if p.Back() && more || !p.After.IsZero() || p.Offset > 0 {
		out.Previous = keys[0]
	}
	return out
}

// listing is a list of the rows of a small table, of which a customer has few
// enough to count them.
type listing struct {
	table, columns string
	id             string // the column that breaks ties
	order          ordering
	everybody      bool // no customer's alone: operators list these
	where          string
	args           params // the customer first, unless it is everybody's
	// count is a statement with the same parameters that knows how many rows there
	// are; without one they are counted.
	count string
}

// readList reads one page of a listing and counts all.
func readList[T any](x tx, l *listing, p upstream.Page, scan func(row) (T, error)) (out upstream.List[T], err error) {
	if err := p.Check(); err != nil {
		return out, err
	}
	where := " FROM " + l.table + " WHERE customer_id = $1" + l.where
	if l.everybody {
		where = " FROM " + l.table + " WHERE 1 = 1" + l.where
	}
	count, err := one(x, cmp.Or(l.count, "SELECT COUNT(*)"+where), l.args...)
	if err != nil {
		return out, err
	}
	args := slices.Clone(l.args)
	direction, beyond := l.order.direction(p.Back())
	idAlone := l.order.column == l.id
	at, order := cmp.Or(p.After, p.Before), l.id+direction
	if !idAlone {
		order = l.order.column + direction + ", " + order
	}
	switch {
	case at.IsZero():
	case idAlone:
		where += " AND " + l.id + beyond + args.add(at.ID)
	default:
		where += " AND (" + l.order.column + ", " + l.id + ")" + beyond + "(" + args.add(at.Value) + ", " + args.add(at.ID) + ")"
	}
	var rows []T
	var keys []upstream.Key
	keyAt := strings.Count(l.columns, ",") + 1
	err = x.query("SELECT "+l.columns+", "+l.order.column+", "+l.id+where+" ORDER BY "+order+" LIMIT "+args.add(p.Limit()+1)+" OFFSET "+args.add(p.Offset), args, func(r row) error {
		v, err := scan(r)
		key := upstream.Key{Value: r.int(keyAt), ID: r.int(keyAt + 1)}
		if idAlone {
			key.Value = 0
		}
		rows, keys = append(rows, v), append(keys, key)
		return err
	})
	if err != nil {
		return out, err
	}
	out = paged(p, rows, keys)
	out.Count = upstream.Count{N: count, Exact: true}
	return out, nil
}
