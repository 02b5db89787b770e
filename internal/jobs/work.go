package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"upstream"
	"upstream/internal/store"
)

// worker makes a river.Worker of a function.
type worker[A river.JobArgs] struct {
	river.WorkerDefaults[A]
	j    *Jobs
	work func(context.Context, *rivertype.JobRow, A) error
}

func addWorker[A river.JobArgs](all *river.Workers, j *Jobs, work func(context.Context, *rivertype.JobRow, A) error) {
	river.AddWorker(all, &worker[A]{j: j, work: work})
}

// Work implements river.Worker.
func (w *worker[A]) Work(ctx context.Context, job *river.Job[A]) error {
	start := w.j.o.Now()
	var put *river.JobSnoozeError
	err := guarded(w.j.o.Log, job.JobRow, func() error { return w.work(ctx, job.JobRow, job.Args) })
	if !errors.As(err, &put) { // a snoozed job comes again
		w.j.o.Observe(job.Kind, w.j.o.Now().Sub(start), max(start.Sub(job.ScheduledAt), 0), err)
	}
	return err
}

// errPanic is the error of a job that panicked; its trace is in the log.
var errPanic = upstream.Errorf(upstream.Internal, "a job panicked")

// guarded makes an error of a panic.
func guarded(log *slog.Logger, job *rivertype.JobRow, do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			// The value may quote a claim, the trace holds none.
			log.Error("a job panicked", "kind", job.Kind, "job", job.ID, "panic", fmt.Sprintf("%T", p), "trace", string(debug.Stack()))
			err = errPanic
		}
	}()
	return do()
}

// audited returns a context whose first change of the customer is audited as a job's.
func (j *Jobs) audited(ctx context.Context, kind, action string, customer int64, target string) context.Context {
	return store.WithAudit(ctx, upstream.AuditEntry{Customer: customer, At: j.o.Now(), Actor: "job:" + kind, Action: action, Target: target, Count: 1})
}

// workActions are how an attempt at each kind of work is audited.
var workActions = map[store.WorkKind]string{store.UploadWork: "upload.load", store.RunWork: "report_run.evaluate"}

// carry does the work of a row in its turn, and records in the row how that ends:
// success is do's to record, together with what it has done.
func (j *Jobs) carry(ctx context.Context, job *rivertype.JobRow, w store.Work, do func(context.Context) error) error {
	now := j.o.Now()
	claimed, err := j.store.Claim(ctx, w, now, now.Add(-j.o.pace.silent))
	switch {
	case err != nil:
		return err
	case claimed == store.Done:
		return nil
	case claimed == store.Busy: // or its job has just died
		return river.JobSnooze(j.o.pace.silent)
	}
	ctx = j.audited(ctx, job.Kind, workActions[w.Kind], w.Customer, strconv.FormatInt(w.ID, 10))
	err = j.alive(ctx, w, func(ctx context.Context) error {
		return guarded(j.o.Log, job, func() error { return do(ctx) })
	})
	if err == nil || errors.Is(err, store.ErrLost) {
		return nil
	}
	record, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace/2)
	defer cancel()
	switch {
	case ctx.Err() != nil: // we are stopping
		j.note(job, w, "given back", j.store.Release(record, w))
		return river.JobSnooze(0)
	case transient(err) && job.Attempt < job.MaxAttempts:
		j.note(job, w, "given back", j.store.Release(record, w))
		return err
	}
	j.o.Log.Error("a job failed", "kind", job.Kind, "job", job.ID, "customer", w.Customer, "id", w.ID, "error", err.Error())
	if failed := j.store.Fail(record, w, sentence(err, job), j.o.Now()); failed != nil && !errors.Is(failed, store.ErrLost) {
		return failed // the row is still running: the sweep finds it
	}
	return river.JobCancel(err)
}

// note logs that a row could not be changed. It is no loss: the sweep finds it.
func (j *Jobs) note(job *rivertype.JobRow, w store.Work, what string, err error) {
	if err != nil && !errors.Is(err, store.ErrLost) {
		j.o.Log.Warn("work could not be "+what, "kind", job.Kind, "job", job.ID, "customer", w.Customer, "id", w.ID, "error", err.Error())
	}
}

// alive gives signs of life while it does something, and stops it once the work is
// another job's: the error is store.ErrLost then.
func (j *Jobs) alive(ctx context.Context, w store.Work, do func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	ended, beaten := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(beaten)
		tick := time.NewTicker(j.o.pace.beat)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				if err := j.store.Beat(ctx, w, j.o.Now()); errors.Is(err, store.ErrLost) {
					cancel(store.ErrLost)
					return
				}
			}
		}
	}()
	err := do(ctx)
	if err != nil && errors.Is(context.Cause(ctx), store.ErrLost) {
		err = store.ErrLost
	}
	close(ended)
	cancel(nil) // a beat that waits for the database needs no answer
	<-beaten
	return err
}

// transient tells errors that another attempt may not meet.
func transient(err error) bool {
	code := upstream.ErrorCode(err)
	return code == upstream.Unavailable || code == upstream.Conflict
}

// sentence is what a person is told of an error. What has no code of ours is no
// sentence for a person, and may quote what it stumbled over.
func sentence(err error, job *rivertype.JobRow) string {
	if upstream.ErrorCode(err) == upstream.Internal {
		return fmt.Sprintf("a fault of ours ended this; report it with the number of the job, %d", job.ID)
	}
	if upstream.ErrorCode(err) == upstream.Unavailable { // its text is for the operator, and names files and hosts
		return fmt.Sprintf("the database could not take this: it was out of reach, busy or full; ask again, or the operator about job %d, whose log says which", job.ID)
	}
	return err.Error()
}
