package jobs

import (
	"context"
	"errors"

	"github.com/riverqueue/river/rivertype"
)

// enqueueTidy enqueues the tidying of this hour.
func (j *Jobs) enqueueTidy(ctx context.Context) error {
	_, err := j.insert(ctx, tidyArgs{j.o.Now().UTC().Format("2006-01-02T15")})
	return err
}

// tidy removes what has expired, and applies mappings whose job was lost between the
// change and its enqueueing.
func (j *Jobs) tidy(ctx context.Context, _ *rivertype.JobRow, a tidyArgs) error {
	now := j.o.Now()
	_, sessions := j.store.PruneSessions(ctx, now)
	_, answers := j.store.PruneIdempotent(ctx, now)
	customers, err := j.store.Customers(ctx)
	for _, c := range customers {
		t, failed := j.store.Tenant(ctx, c.ID)
		if failed == nil && c.Claims > 0 {
			_, failed = t.ApplyMappings(j.audited(ctx, a.Kind(), "mapping.apply", c.ID, ""))
		}
		err = errors.Join(err, failed)
	}
	return errors.Join(sessions, answers, err)
}
