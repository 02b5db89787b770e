package store

import (
	"context"
	"slices"
	"strings"

	"upstream"
)

// EventClaims lists the claims that prove an event, newest first, one page at a
// time: the page after a claim's ID holds older ones. All are claims for which the
// payer was billed first.
//
//   - DENIAL_RATE: first denials of the current days
//   - OVERTURN: those of them that still stood on the last of these days
//   - DECISION_TIME: waits that ended in the current days late, or were open so
//     long on the last one and not forgotten, see upstream.LateClaim
//   - ALLOWED_AMOUNT: lines of the event's codes first paid below the rate since
//   - TAKEBACK: payments taken back in the current days and not soon restored
func (t *Tenant) EventClaims(ctx context.Context, e *upstream.DriftEvent, page upstream.Page) (found []upstream.Claim, err error) {
	err = t.s.read(ctx, func(x tx) error {
		l, err := t.terms(x)
		if err != nil {
			return err
		}
		found, err = t.eventClaims(x, l, e, page)
		return err
	})
	return found, err
}

// SampleClaims sets the SampleClaimIDs of events to the newest n claims that prove them.
func (t *Tenant) SampleClaims(ctx context.Context, events []*upstream.DriftEvent, n int) error {
	return t.s.read(ctx, func(x tx) error {
		l, err := t.terms(x)
		if err != nil {
			return err
		}
		for _, e := range events {
			claims, err := t.eventClaims(x, l, e, upstream.Page{Size: n})
			if err != nil {
				return err
			}
			e.SampleClaimIDs = []string{}
			for i := range claims {
				e.SampleClaimIDs = append(e.SampleClaimIDs, claims[i].ClaimID)
			}
		}
		return nil
	})
}

// lineChunk bounds the parameters of one statement.
const lineChunk = 200

// LinesOf returns the ids of all lines of claims that are named by their claim ids,
// in ascending order and each once.
func (t *Tenant) LinesOf(ctx context.Context, claimIDs []string) (ids []int64, err error) {
	if len(claimIDs) == 0 {
		return nil, nil
	}
	err = t.s.read(ctx, func(x tx) error {
		for some := range slices.Chunk(claimIDs, lineChunk) {
			args := []any{t.id}
			for _, id := range some {
				args = append(args, id)
			}
			err := x.query("SELECT id FROM claim WHERE customer_id = $1 AND claim_id IN ("+placeholders(2, len(some))+")", args, func(r row) error {
				ids = append(ids, claimNumber(r.int(0)))
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	slices.Sort(ids)
	return slices.Compact(ids), err
}

func (t *Tenant) eventClaims(x tx, l *terms, e *upstream.DriftEvent, page upstream.Page) ([]upstream.Claim, error) {
	found := []upstream.Claim{}
	s := claimScan{tenant: t, e: e, terms: l}
	if err := s.begin(x, page.After.ID); err != nil {
		return nil, err
	}
	for rows := page.Limit(); !s.done && len(found) < page.Limit(); rows = min(2*rows, heldRows) {
		claims, err := s.page(x, rows)
		if err != nil {
			return nil, err
		}
		for i := range claims {
			if len(found) < page.Limit() && proves(&claims[i], e) {
				found = append(found, claims[i])
			}
		}
	}
	return found, nil
}

// heldRows bounds the rows that are held at once where few of them prove an event.
const heldRows = 4000

// claimScan walks the claims that may prove an event, a page at a time by key.
type claimScan struct {
	tenant *Tenant
	e      *upstream.DriftEvent
	terms  *terms
	where  string
	args   []any
	// byDay walks a payer's first denials by day, in their own index; other
	// claims have none and are walked by id.
	byDay   bool
	day, id int64 // the last row seen
	done    bool
}

// begin makes the condition that the database tests and finds the first page.
func (s *claimScan) begin(x tx, after int64) error {
	s.args, s.where = []any{s.tenant.id}, "customer_id = $1 AND filing = 0"
	if err := s.node(x); err != nil {
		return err
	}
	e := s.e
	denials := e.Signal == upstream.DenialRate || e.Signal == upstream.Overturn
	s.byDay = denials && e.Payer != nil
	switch {
	case denials:
		s.and("first_outcome = 3 AND first_decided_date >= ", e.CurrentFirst)
		s.and("first_decided_date <= ", e.CurrentLast)
	case e.Signal == upstream.DecisionTime:
		ended := "decided_date"
		if e.Clock == upstream.PaymentClock {
			ended = "payment_date"
		}
		s.and("submitted_date <= ", e.CurrentLast)
		s.and("("+ended+" IS NULL OR "+ended+" >= ", e.CurrentFirst)
		s.where += ")"
	case e.Signal == upstream.Takeback:
		s.and("decided_date >= ", e.CurrentFirst)
	case e.Signal == upstream.AllowedAmount && len(e.Codes) > 0:
		since := slices.MinFunc(e.Codes, func(a, b upstream.CodeChange) int { return int(a.Since - b.Since) }).Since
		s.and("first_outcome IN (2, 4) AND first_decided_date >= ", since)
		s.and("first_decided_date <= ", e.CurrentLast)
	default:
		s.done = true
	}
	s.day, s.id = int64(e.CurrentLast)+1, storedID(s.tenant.id+1, 0)
	if after == 0 {
		return nil
	}
	s.id, s.day = storedID(s.tenant.id, after), 0
	if !s.byDay {
		return nil
	}
	day, err := one(x, "SELECT first_decided_date FROM claim WHERE customer_id = $1 AND id = $2", s.tenant.id, s.id)
	if err == nil && day == 0 {
		err = upstream.Errorf(upstream.NotFound, "the claim this page begins after is not there any more; begin with the first page")
	}
	s.day = day
	return err
}

func (s *claimScan) and(condition string, day upstream.Day) {
	s.args = append(s.args, int64(day))
	s.where += " AND " + condition + placeholders(len(s.args), 1)
}

// node narrows the claims to the event's payer and codes.
func (s *claimScan) node(x tx) error {
	if s.e.Payer != nil {
		payer, err := s.terms.lookup(x, kindPayer, *s.e.Payer)
		if err != nil {
			return err
		}
		s.args = append(s.args, payer)
		s.where += " AND payer_id = " + placeholders(len(s.args), 1)
	}
	var codes []int64
	switch {
	case s.e.Signal == upstream.AllowedAmount:
		for _, c := range s.e.Codes {
			code, err := s.terms.lookup(x, kindCode, c.CPT)
			if err != nil {
				return err
			}
			codes = append(codes, code)
		}
	case s.e.CPTGroup == nil:
		return nil
	default:
		group, err := s.terms.lookup(x, kindGroup, *s.e.CPTGroup)
		if err != nil {
			return err
		}
		codes = s.terms.codesOf(group)
	}
	if s.done = len(codes) == 0; s.done {
		return nil
	}
	// With the bare column PostgreSQL looks each code up by itself and sorts what it
	// finds, as it can't know that a page holds five claims.
	s.where += " AND code_id + 0 IN (" + placeholders(len(s.args)+1, len(codes)) + ")"
	for _, code := range codes {
		s.args = append(s.args, code)
	}
	return nil
}

// page reads the next claims.
func (s *claimScan) page(x tx, limit int) ([]upstream.Claim, error) {
	args := append(slices.Clone(s.args), s.id, limit)
	at := placeholders(len(s.args)+1, 1)
	from, key, order := "claim", " AND id < "+at+" AND id > "+placeholders(len(s.args)+3, 1), "id DESC"
	if s.byDay {
		args = append(args, s.day)
		key, order = " AND (first_decided_date, id) < ("+placeholders(len(args), 1)+", "+at+")", "first_decided_date DESC, id DESC"
	} else {
		args = append(args, storedID(s.tenant.id, 0))
		from = s.tenant.claimsInOrder()
	}
	var rows []claimRow
	found := "(SELECT " + claimColumns + " FROM " + from + " WHERE " + s.where + key + " ORDER BY " + order + " LIMIT " + placeholders(len(s.args)+2, 1) + ")"
	err := x.query(selectWithPast(found)+" ORDER BY c."+strings.ReplaceAll(order, ", ", ", c."), args, func(r row) error {
		var c claimRow
		c.scan(r)
		rows = append(rows, c)
		return nil
	})
	s.done = len(rows) < limit
	claims := make([]upstream.Claim, len(rows))
	for i := range rows {
		s.day, s.id = rows[i].ints[colFirstDecided], rows[i].ints[colID]
		if err == nil {
			claims[i], err = s.terms.decode(x, &rows[i])
		}
	}
	return claims, err
}

// claimsInOrder is the table of claims for queries that walk it in the order of ids.
func (t *Tenant) claimsInOrder() string {
	if t.s.Engine() == "sqlite" {
		return "claim NOT INDEXED" // or it sorts all claims of the customer for every page
	}
	return "claim"
}

// codesOf returns the codes of a CPT group, sorted.
func (l *terms) codesOf(group int64) []int64 {
	codes := []int64{}
	for code, g := range l.derived[kindGroup] {
		if g == group {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return codes
}

func paid(o upstream.Outcome) bool { return o == upstream.Paid || o == upstream.Adjusted }

// proves reports whether a claim of an event's payer and codes is among its
// evidence.
func proves(c *upstream.Claim, e *upstream.DriftEvent) bool {
	during := func(d upstream.Day) bool { return d >= e.CurrentFirst && d <= e.CurrentLast }
	switch e.Signal {
	case upstream.DenialRate:
		return c.IsDenial() && during(c.FirstDecidedDate)
	case upstream.Overturn:
		return c.IsDenial() && during(c.FirstDecidedDate) && (c.RepaidDate == 0 || c.RepaidDate > e.CurrentLast)
	case upstream.Takeback:
		restored := c.RepaidDate != 0 && c.RepaidDate-c.ReversedDate <= upstream.RestoreDays
		return c.Filing == upstream.Primary && during(c.ReversedDate) && !restored
	case upstream.DecisionTime:
		return c.Filing == upstream.Primary && waitedLong(c, e)
	case upstream.AllowedAmount:
		return c.Filing == upstream.Primary && paid(c.FirstOutcome) && c.FirstDecidedDate <= e.CurrentLast && belowRate(c, e)
	}
	return false
}

// waitedLong reports whether a claim's wait ended late in the current days, or was
// open so long on the last one.
func waitedLong(c *upstream.Claim, e *upstream.DriftEvent) bool {
	start, end := c.SubmittedDate, c.FirstDecidedDate
	if e.Clock == upstream.PaymentClock {
		if !paid(c.FirstOutcome) {
			return false
		}
		start, end = c.FirstDecidedDate, c.FirstPaymentDate
	}
	if end == 0 || end > e.CurrentLast {
		open := int(e.CurrentLast - start)
		return open <= upstream.ForgottenDays && upstream.LateClaim(open, e.BaselineValue)
	}
	return end >= e.CurrentFirst && upstream.LateClaim(int(end-start), e.BaselineValue)
}

// Lines count as paid below a rate under 99.3 % of it: less is rounding.
const belowRateShare, wholeRate = 993, 1000

func belowRate(c *upstream.Claim, e *upstream.DriftEvent) bool {
	return slices.ContainsFunc(e.Codes, func(r upstream.CodeChange) bool {
		return c.CPT == r.CPT && c.Modifiers == r.Modifiers && c.PlaceOfService == r.Place && c.Location == r.Location &&
			c.FirstDecidedDate >= r.Since && c.FirstAllowed > 0 &&
			wholeRate*c.FirstAllowed < belowRateShare*r.Before*upstream.Money(max(c.Units, 1))
	})
}
