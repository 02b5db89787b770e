package store

import (
	"context"

	"upstream"
)

// SampleClaims returns up to limit claim ids of denials of a payer, of one CPT
// group or of all when group is "", that were first decided from first through
// last, newest first.
func (t *Tenant) SampleClaims(ctx context.Context, payer, group string, first, last upstream.Day, limit int) ([]string, error) {
	s := denialScan{first: int64(first), day: int64(last) + 1, limit: limit, found: []string{}}
	err := t.s.read(ctx, func(x tx) (err error) {
		l := newTerms(t.id)
		if err := l.loadGroups(x); err != nil {
			return err
		}
		if s.payer, err = l.lookup(x, kindPayer, payer); err != nil {
			return err
		}
		if group != "" {
			if s.group, err = l.lookup(x, kindGroup, group); err != nil {
				return err
			}
		}
		for !s.done {
			if err := s.page(x, t.id, l); err != nil {
				return err
			}
		}
		return nil
	})
	return s.found, err
}

// denialScan walks a payer's denials back in time, a page at a time by key, so
// that it reads little more than it returns.
type denialScan struct {
	payer, group, first int64
	day, id             int64 // the last row seen
	limit               int
	found               []string
	done                bool
}

const denialPage = 200

func (s *denialScan) page(x tx, customer int64, l *terms) error {
	rows := 0
	err := x.query(`SELECT claim_id, code_id, filing, first_outcome, first_decided_date, decided_date, id FROM claim
		WHERE customer_id = $1 AND payer_id = $2 AND outcome = 3 AND decided_date >= $3 AND (decided_date, id) < ($4, $5)
		ORDER BY decided_date DESC, id DESC LIMIT 200`,
		[]any{customer, s.payer, s.first, s.day, s.id}, func(r row) error {
			rows++
			s.day, s.id = r.int(5), r.int(6)
			denial := upstream.IsDenial(upstream.Filing(r.int(2)), upstream.Outcome(r.int(3))) && r.int(4) >= s.first
			if denial && (s.group == 0 || l.groups[r.int(1)] == s.group) && len(s.found) < s.limit {
				s.found = append(s.found, r.text(0))
			}
			return nil
		})
	s.done = rows < denialPage || len(s.found) >= s.limit
	return err
}
