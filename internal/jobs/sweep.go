package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river/rivertype"
	"upstream"
	"upstream/internal/detection"
	"upstream/internal/store"
)

// sweepOften sweeps at once and then again and again. Each server does: a sweep
// costs some reads of small indexes, repeats nothing, and needs nobody to be elected.
func (j *Jobs) sweepOften(ctx context.Context) {
	tick := time.NewTicker(j.o.pace.sweep)
	defer tick.Stop()
	for {
		if err := j.sweep(ctx); err != nil && ctx.Err() == nil {
			j.o.Log.Warn("a sweep failed; the next one will do its work", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// receiverSilence is after how long without a part a receiver is dead.
const receiverSilence = time.Hour

// sweep finds what was lost or is due.
func (j *Jobs) sweep(ctx context.Context) error {
	pruned, err := j.store.PruneBodies(ctx, j.o.Now().Add(-receiverSilence))
	if pruned > 0 {
		j.o.Log.Info("the bytes of uploads that were cut off are removed", "uploads", pruned)
	}
	return errors.Join(err, j.revive(ctx), j.foldMany(ctx), j.enqueueDay(ctx), j.enqueueTidy(ctx))
}

// revive sees to it that all work has a job.
func (j *Jobs) revive(ctx context.Context) error {
	since := j.o.Now().Add(-j.o.pace.silent)
	queued, silent, err := j.store.Waiting(ctx, since)
	for _, w := range queued {
		err = errors.Join(err, j.reviveQueued(ctx, w, since))
	}
	for _, w := range silent {
		err = errors.Join(err, j.reviveSilent(ctx, w, since))
	}
	return err
}

// reviveQueued enqueues work, which does nothing when it has a job. Where River says
// that the job runs, its worker may have died before it claimed the work: another
// turn doesn't wait for River to notice.
func (j *Jobs) reviveQueued(ctx context.Context, w store.Work, since time.Time) error {
	r, err := j.insert(ctx, argsOf(w))
	if err != nil || !r.UniqueSkippedAsDuplicate || r.Job.State != rivertype.JobStateRunning {
		return err
	}
	if at := r.Job.AttemptedAt; at == nil || time.Since(*at) < j.o.pace.silent { // River's own clock
		return nil
	}
	return j.requeue(ctx, w, since)
}

// maxLost is how many of its jobs may die before work has failed: it may be what
// kills them.
const maxLost = 10

// reviveSilent gives work to another job whose own has died.
func (j *Jobs) reviveSilent(ctx context.Context, w store.Work, since time.Time) error {
	j.o.Log.Warn("a job has died", "kind", w.Kind, "customer", w.Customer, "id", w.ID, "times", w.Lost+1)
	return j.requeue(ctx, w, since)
}

func (j *Jobs) requeue(ctx context.Context, w store.Work, since time.Time) error {
	w, err := j.store.Requeue(ctx, w, since)
	switch {
	case err != nil:
	case w.Lost > maxLost:
		err = j.store.Fail(ctx, w, fmt.Sprintf("the server stopped %d times while it worked on this; report it", w.Lost), j.o.Now())
	default:
		_, err = j.insert(ctx, argsOf(w))
	}
	if errors.Is(err, store.ErrLost) { // another server's sweep was faster, or the job lives
		return nil
	}
	return err
}

// foldMany enqueues the folding of rollups that have many segments.
func (j *Jobs) foldMany(ctx context.Context) error {
	customers, err := j.store.Unfolded(ctx)
	for _, c := range customers {
		_, failed := j.insert(ctx, foldArgs{c})
		err = errors.Join(err, failed)
	}
	return err
}

// enqueueDay enqueues the detections of the newest day that is due. That they are
// done once is River's to see to, and that of the runs' keys when River has lost it.
func (j *Jobs) enqueueDay(ctx context.Context) error {
	hour := 2
	if j.o.DailyHour != nil {
		hour = *j.o.DailyHour
	}
	day := upstream.DayOf(j.o.Now().Add(-time.Duration(hour) * time.Hour))
	_, err := j.insert(ctx, dailyArgs{day.String()})
	return err
}

// daily asks for the runs of a day of all customers.
func (j *Jobs) daily(ctx context.Context, _ *rivertype.JobRow, a dailyArgs) error {
	day, err := upstream.ParseDay(a.Day)
	if err != nil {
		return err
	}
	customers, err := j.store.Customers(ctx)
	for _, c := range customers {
		err = errors.Join(err, j.dailyOf(j.audited(ctx, a.Kind(), "report_run.create", c.ID, ""), c, day))
	}
	return err
}

func (j *Jobs) dailyOf(ctx context.Context, c upstream.Customer, day upstream.Day) error {
	t, err := j.store.Tenant(ctx, c.ID)
	if err != nil || c.Claims == 0 {
		return err
	}
	s, err := t.Settings(ctx)
	if err != nil {
		return err
	}
	if s.WeeklyReport && strings.EqualFold(day.Weekday().String(), s.WeeklyReportDay) {
		return j.request(ctx, c.ID, t, store.RunRequest{Type: "weekly", Detector: detection.Upstream, Key: "week " + day.String()})
	}
	if !s.NightlyDetection {
		return nil
	}
	last, err := t.LastRun(ctx, detection.Upstream)
	if err != nil || last.ID != 0 && last.Summary.DataVersion == c.DataVersion { // it would find the same
		return err
	}
	return j.request(ctx, c.ID, t, store.RunRequest{Type: "custom", Detector: detection.Upstream, Key: "night " + day.String()})
}
