package store

import (
	"context"
	"slices"

	"upstream"
)

// SampleClaims returns up to limit claim ids of denials of a payer, of one CPT
// group or of all when group is "", that were first decided from first through
// last, newest first.
func (t *Tenant) SampleClaims(ctx context.Context, payer, group string, first, last upstream.Day, limit int) ([]string, error) {
	s := denialScan{first: int64(first), day: int64(last) + 1, limit: limit, found: []string{}}
	err := t.s.read(ctx, func(x tx) (err error) {
		l := newTerms(t.id)
		if err := l.loadDerived(x); err != nil {
			return err
		}
		if s.payer, err = l.lookup(x, kindPayer, payer); err != nil {
			return err
		}
		if group != "" {
			groupID, err := l.lookup(x, kindGroup, group)
			if err != nil {
				return err
			}
			s.codes = l.codesOf(groupID)
			s.done = len(s.codes) == 0
		}
		for !s.done {
			if err := s.page(x, t.id); err != nil {
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
	payer, first int64
	codes        []int64 // of the CPT group; nil for all
	day, id      int64   // the last row seen
	limit        int
	found        []string
	done         bool
}

// denialPage is a few more than the samples of an event: some rows are denials
// of a secondary payer.
const denialPage = 16

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

func (s *denialScan) page(x tx, customer int64) error {
	args := []any{customer, s.payer, s.first, s.day, s.id, denialPage}
	ofGroup := ""
	if s.codes != nil {
		ofGroup = " AND code_id IN (" + placeholders(len(args)+1, len(s.codes)) + ")"
		for _, code := range s.codes {
			args = append(args, code)
		}
	}
	rows := 0
	err := x.query(`SELECT claim_id, filing, first_outcome, first_decided_date, id FROM claim
		WHERE customer_id = $1 AND payer_id = $2 AND first_outcome = 3 AND first_decided_date >= $3 AND (first_decided_date, id) < ($4, $5)`+ofGroup+`
		ORDER BY first_decided_date DESC, id DESC LIMIT $6`,
		args, func(r row) error {
			rows++
			s.day, s.id = r.int(3), r.int(4)
			denial := upstream.IsDenial(upstream.Filing(r.int(1)), upstream.Outcome(r.int(2)))
			if denial && len(s.found) < s.limit {
				s.found = append(s.found, r.text(0))
			}
			return nil
		})
	s.done = rows < denialPage || len(s.found) >= s.limit
	return err
}
