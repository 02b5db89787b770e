package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"upstream"
)

// What is kept of the texts of an audit entry, in bytes. An entry is shortened
// rather than refused: a request could otherwise keep itself out of the log.
const (
	maxAuditText   = 300
	maxAuditDetail = 16 << 10
)

// auditTurn is the advisory lock under which a chain is added to by itself. It is
// not the customer's, so that a read of claims does not wait for a load.
func auditTurn(customer int64) int64 { return migrationLock - 1 - customer }

// AppendAudit adds entries to the chains of their customers, one durable
// transaction a customer, and gives each its id and hash. When it fails, the
// entries that have an id are stored.
func (s *Store) AppendAudit(ctx context.Context, entries []upstream.AuditEntry) error {
	byCustomer := map[int64][]*upstream.AuditEntry{}
	customers := []int64{}
	for i := range entries {
		e := &entries[i]
		if byCustomer[e.Customer] == nil {
			customers = append(customers, e.Customer)
		}
		byCustomer[e.Customer] = append(byCustomer[e.Customer], e)
	}
	for _, customer := range customers {
		group := byCustomer[customer]
		err := s.writeQuietly(ctx, auditTurn(customer), func(x tx) error { return appendAudit(x, customer, group) })
		if err != nil {
			for _, e := range group {
				e.ID, e.Hash = 0, ""
			}
			return err
		}
	}
	return nil
}

// appendAudit adds entries to a customer's chain inside a transaction. It is to be
// the last that the transaction does: from here to the commit the chain's row is
// held, and with it everybody who adds to the chain.
func appendAudit(x tx, customer int64, entries []*upstream.AuditEntry) error {
	n := int64(len(entries))
	_, err := x.exec(`INSERT INTO audit_head (customer_id, entries, hash) VALUES ($1, $2, '')
		ON CONFLICT (customer_id) DO UPDATE SET entries = audit_head.entries + excluded.entries`, customer, n)
	if err != nil {
		return err
	}
	head, err := readHead(x, customer)
	if err != nil {
		return err
	}
	for i, e := range entries {
		tidy(e)
		e.Customer, e.ID = customer, head.entries-n+1+int64(i)
		head.hash = e.Seal(head.hash)
		e.Hash = head.hash
	}
	claims := make([]string, n)
	for i, e := range entries {
		text, err := json.Marshal(e.Claims)
		if err != nil {
			return err
		}
		claims[i] = string(text)
	}
	err = x.execMany("INSERT INTO audit_entry ("+auditColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)", len(entries), func(i int, p []any) {
		e := entries[i]
		copy(p, []any{customer, e.ID, e.At.UnixMicro(), e.Actor, e.Action, e.Target, e.Detail, claims[i], e.Address, e.Request, e.Count, e.Hash})
	})
	if err != nil {
		return err
	}
	_, err = x.exec("UPDATE audit_head SET hash = $1 WHERE customer_id = $2", head.hash, customer)
	return err
}

// tidy brings an entry to the form in which it is stored, which is what is sealed.
func tidy(e *upstream.AuditEntry) {
	for _, text := range []*string{&e.Actor, &e.Action, &e.Target, &e.Address, &e.Request} {
		*text = shortened(*text, maxAuditText)
	}
	e.Detail = shortened(e.Detail, maxAuditDetail)
	e.At = instant(e.At.UnixMicro())
	e.Count = max(e.Count, 1)
	if e.Claims == nil {
		e.Claims = []int64{}
	}
}

// auditHead is the end of a chain: how many entries it has and the last one's hash.
type auditHead struct {
	entries int64
	hash    string
}

func readHead(x tx, customer int64) (h auditHead, err error) {
	err = x.query("SELECT entries, hash FROM audit_head WHERE customer_id = $1", []any{customer}, func(r row) error {
		h = auditHead{r.int(0), r.text(1)}
		return nil
	})
	return h, err
}

const auditColumns = "customer_id, id, made_at, actor, action, target, detail, claims, address, request, repeats, hash"

func scanAudit(r row) (upstream.AuditEntry, error) {
	e := upstream.AuditEntry{
		Customer: r.int(0), ID: r.int(1), At: instant(r.int(2)), Actor: r.text(3), Action: r.text(4), Target: r.text(5), Detail: r.text(6),
		Address: r.text(8), Request: r.text(9), Count: r.int(10), Hash: r.text(11),
	}
	return e, json.Unmarshal([]byte(r.text(7)), &e.Claims)
}

// carried is an audit entry on its way, in a context, into one transaction.
type carried struct {
	entry  upstream.AuditEntry
	target string // the result of the method that writes
	taken  atomic.Bool
}

type carriedKey struct{}

// WithAudit returns a context whose first committed change appends the entry: both
// are stored or neither is. An entry without a Target gets the id of what a method
// makes. The context is one request's, which makes its changes one after another.
func WithAudit(ctx context.Context, entry upstream.AuditEntry) context.Context {
	return context.WithValue(ctx, carriedKey{}, &carried{entry: entry})
}

// DescribeAudit sets the Detail of the entry that a context carries: what is about to
// be changed. It does nothing without an entry.
func DescribeAudit(ctx context.Context, detail string) {
	if c := auditOf(ctx); c != nil {
		c.entry.Detail = detail
	}
}

// auditOf returns the entry a context carries; nil for none.
func auditOf(ctx context.Context) *carried {
	c, _ := ctx.Value(carriedKey{}).(*carried)
	return c
}

// nameAuditTarget names what a method has made to the entry it is audited by.
func nameAuditTarget(ctx context.Context, id int64) {
	if c := auditOf(ctx); c != nil {
		c.target = strconv.FormatInt(id, 10)
	}
}

// take reports whether the entry is for the caller to append.
func (c *carried) take() bool { return c != nil && c.taken.CompareAndSwap(false, true) }

// putBack leaves the entry to the next transaction: this one failed.
func (c *carried) putBack() { c.taken.Store(false) }

func (c *carried) append(x tx) error {
	e := c.entry
	e.Target = cmp.Or(e.Target, c.target)
	return appendAudit(x, e.Customer, []*upstream.AuditEntry{&e})
}

// AuditFilter chooses audit entries; what is empty chooses all.
type AuditFilter struct {
	Actor, Action, Target string
	From, To              time.Time // From on, before To
}

// countedEntries bounds how far the entries that a filter chooses are counted: a
// log only grows.
const countedEntries = 10_000

// Audit lists a customer's entries, newest first, one page at a time. A rare
// action, target or time reads all entries down to the ones that are found; an
// actor is looked up.
func (s *Store) Audit(ctx context.Context, customer int64, f AuditFilter, page upstream.Page) (list upstream.List[upstream.AuditEntry], err error) {
	l := listing{
		table: "audit_entry", columns: auditColumns, id: "id", order: ordering{"id", true}, args: params{customer},
		count: "SELECT COALESCE(MAX(id), 0) FROM audit_entry WHERE customer_id = $1", // ids have no gaps
	}
	for _, c := range []struct{ column, value string }{{"actor", f.Actor}, {"action", f.Action}, {"target", f.Target}} {
		if !isText(c.value) { // nobody has written that
			return upstream.List[upstream.AuditEntry]{Items: []upstream.AuditEntry{}, Count: upstream.Count{Exact: true}}, nil
		}
		if c.value != "" {
			l.where += " AND " + c.column + " = " + l.args.add(c.value)
		}
	}
	if !f.From.IsZero() {
		l.where += " AND made_at >= " + l.args.add(f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		l.where += " AND made_at < " + l.args.add(f.To.UnixMicro())
	}
	if l.where != "" {
		l.count = fmt.Sprintf("SELECT COUNT(*) FROM (SELECT 1 FROM audit_entry WHERE customer_id = $1%s LIMIT %d) counted", l.where, countedEntries+1)
	}
	err = s.read(ctx, func(x tx) error {
		list, err = readList(x, &l, page, scanAudit)
		return err
	})
	if l.where != "" && list.Count.N > countedEntries {
		list.Count = upstream.Count{N: countedEntries, Exact: false}
	}
	return list, err
}

// AuditCheck is the result of VerifyAudit.
type AuditCheck struct {
	Entries  int64  `json:"entries"`   // that are intact, from the first on
	FirstBad int64  `json:"first_bad"` // the id of the first entry that is not; 0 when all are
	Reason   string `json:"reason"`    // what is wrong with it
	// Head is the hash of the last intact entry. Kept elsewhere it proves later
	// that the entries up to it are those of today.
	Head string `json:"head"`
}

// OK reports whether the chain is whole.
func (c AuditCheck) OK() bool { return c.FirstBad == 0 }

// VerifyAudit computes a customer's chain again and finds the first entry that was
// changed, moved or removed, at the end too. Somebody who may write to the
// database can make a whole new chain; only a hash that was kept elsewhere, or
// the backups, tell that one from the true one.
func (s *Store) VerifyAudit(ctx context.Context, customer int64) (c AuditCheck, err error) {
	err = s.read(ctx, func(x tx) error {
		end, err := readHead(x, customer)
		if err != nil {
			return err
		}
		err = x.query("SELECT "+auditColumns+" FROM audit_entry WHERE customer_id = $1 ORDER BY id", []any{customer}, func(r row) error {
			if c.OK() {
				c.check(r)
			}
			return nil
		})
		if err != nil || !c.OK() {
			return err
		}
		switch {
		case c.Entries < end.entries:
			c.FirstBad, c.Reason = c.Entries+1, "the entry is missing, and all after it"
		case c.Entries > end.entries:
			c.FirstBad, c.Reason = end.entries+1, "the entry was not added by the program"
		case c.Head != end.hash:
			c.FirstBad, c.Reason = max(c.Entries, 1), "the entry is not the one that was added last"
		}
		return nil
	})
	return c, err
}

// check goes on with the next entry of a chain that is whole so far.
func (c *AuditCheck) check(r row) {
	next := c.Entries + 1
	e, err := scanAudit(r)
	switch {
	case e.ID != next:
		c.FirstBad, c.Reason = next, "the entry is missing"
	case err != nil || e.Hash != e.Seal(c.Head):
		c.FirstBad, c.Reason = next, "the entry is not as it was written, or not where it was"
	default:
		c.Entries, c.Head = next, e.Hash
	}
}
