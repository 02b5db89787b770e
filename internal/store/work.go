package store

import (
	"context"
	"time"

	"upstream"
)

// WorkKind is what a job carries to its end.
type WorkKind string

// The kinds of work.
const (
	UploadWork WorkKind = "upload" // an upload whose bytes are kept
	RunWork    WorkKind = "run"    // a report run that was asked for
)

// Work is an upload or a report run that a job carries to its end. Its row is the
// truth of how far it is; whatever carries the job may lose it.
//
// Turn counts how often the work was given to a job. Only a job of the last turn may
// go on: one that was thought dead and wakes up finds that it has nothing to do.
type Work struct {
	Kind     WorkKind
	Customer int64
	ID       int64
	Turn     int64
	Lost     int64 // how often the job that was at it died
}

// workTable is how a kind of work is stored.
type workTable struct {
	table, unfinished string
	running, queued   string // how to set the status; an upload that is loaded keeps it
	fail              string
}

var workTables = map[WorkKind]workTable{
	UploadWork: {
		table: "upload", unfinished: "body <> 0",
		running: ", status = CASE WHEN status = 'success' THEN status ELSE 'running' END",
		queued:  ", status = CASE WHEN status = 'success' THEN status ELSE 'queued' END",
		fail:    "UPDATE upload SET status = CASE WHEN status = 'success' THEN status ELSE 'failed' END, error = $1",
	},
	RunWork: {
		table: "report_run", unfinished: "status = 'running' AND turn > 0",
		fail: "UPDATE report_run SET status = 'failed', error = $1",
	},
}

// where chooses the row of a work, in its turn and while it isn't done. The first
// of its parameters has the number n.
func (w workTable) where(n int) string {
	return " WHERE customer_id = " + placeholders(n, 1) + " AND id = " + placeholders(n+1, 1) + " AND turn = " + placeholders(n+2, 1) + " AND " + w.unfinished
}

// Waiting lists the work of all customers that nobody is at: what is queued, and
// what has given no sign of life since an instant.
func (s *Store) Waiting(ctx context.Context, silentSince time.Time) (queued, silent []Work, err error) {
	err = s.read(ctx, func(x tx) error {
		for _, kind := range []WorkKind{UploadWork, RunWork} {
			k := workTables[kind]
			err := x.query("SELECT customer_id, id, turn, lost, seen_at FROM "+k.table+" WHERE "+k.unfinished+" AND seen_at < $1 ORDER BY customer_id, id",
				[]any{silentSince.UnixMicro()}, func(r row) error {
					w := Work{kind, r.int(0), r.int(1), r.int(2), r.int(3)}
					if r.int(4) == 0 {
						queued = append(queued, w)
					} else {
						silent = append(silent, w)
					}
					return nil
				})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return queued, silent, err
}

// Work returns an upload or run as the work that it is now. It is NotFound when it
// is done, or no work of a job.
func (t *Tenant) Work(ctx context.Context, kind WorkKind, id int64) (w Work, err error) {
	k := workTables[kind]
	w = Work{Kind: kind, Customer: t.id, ID: id}
	err = t.s.read(ctx, func(x tx) error {
		w.Turn, err = one(x, "SELECT turn FROM "+k.table+" WHERE customer_id = $1 AND id = $2 AND "+k.unfinished, t.id, id)
		return err
	})
	if err == nil && w.Turn == 0 {
		err = upstream.Errorf(upstream.NotFound, "there is nothing to do for %s %d of customer %d", kind, id, t.id)
	}
	return w, err
}

// Requeue takes work from its job for another one, unless that job has given a sign
// of life since an instant: the work that is returned is of the next turn. It is
// ErrLost when the job lives, or the work is done or was requeued already.
func (s *Store) Requeue(ctx context.Context, w Work, silentSince time.Time) (Work, error) {
	k := workTables[w.Kind]
	err := s.changeWork(ctx, w, "UPDATE "+k.table+" SET turn = turn + 1, lost = lost + 1, seen_at = 0"+k.queued+k.where(1)+" AND seen_at < $4", w.Customer, w.ID, w.Turn, silentSince.UnixMicro())
	w.Turn, w.Lost = w.Turn+1, w.Lost+1
	return w, err
}

// Claimed tells whose work is.
type Claimed int

// What Claim finds.
const (
	Mine Claimed = iota // the caller's, who is to Beat until it ends
	Busy                // another job is at it
	Done                // it is done, or another turn's
)

// Claim begins work, or goes on with that of a job which has given no sign of life
// since an instant.
func (s *Store) Claim(ctx context.Context, w Work, now, silentSince time.Time) (c Claimed, err error) {
	k := workTables[w.Kind]
	err = s.write(ctx, w.Customer, func(x tx) error {
		n, err := x.exec("UPDATE "+k.table+" SET seen_at = $1"+k.running+k.where(2)+" AND seen_at < $5",
			now.UnixMicro(), w.Customer, w.ID, w.Turn, silentSince.UnixMicro())
		if err != nil || n == 1 {
			return err
		}
		c = Done
		n, err = one(x, "SELECT COUNT(*) FROM "+k.table+k.where(1), w.Customer, w.ID, w.Turn)
		if n == 1 {
			c = Busy
		}
		return err
	})
	return c, err
}

// Beat is a sign of life. It is ErrLost when the work is another job's now, or done:
// the caller is to stop.
func (s *Store) Beat(ctx context.Context, w Work, now time.Time) error {
	k := workTables[w.Kind]
	return s.writeQuietly(ctx, w.Customer, func(x tx) error {
		return changed(x.exec("UPDATE "+k.table+" SET seen_at = $1"+k.where(2), now.UnixMicro(), w.Customer, w.ID, w.Turn))
	})
}

// Release gives work back, for a later attempt of the same turn. It is ErrLost when
// the work is done or another turn's.
func (s *Store) Release(ctx context.Context, w Work) error {
	k := workTables[w.Kind]
	return s.changeWork(ctx, w, "UPDATE "+k.table+" SET seen_at = 0"+k.queued+k.where(1), w.Customer, w.ID, w.Turn)
}

// Fail ends work for good, with a sentence for a person; the bytes of an upload go.
// It is ErrLost when the work is done or another turn's.
func (s *Store) Fail(ctx context.Context, w Work, sentence string, now time.Time) error {
	k := workTables[w.Kind]
	return s.write(ctx, w.Customer, func(x tx) error {
		if err := changed(x.exec(k.fail+k.where(2), sentence, w.Customer, w.ID, w.Turn)); err != nil {
			return err
		}
		if w.Kind == UploadWork {
			return dropBodyOf(x, w)
		}
		_, err := x.exec("UPDATE report_run SET finished_at = $1 WHERE customer_id = $2 AND id = $3", now.UnixMicro(), w.Customer, w.ID)
		return err
	})
}

// FinishUpload ends the work of a loaded upload: its bytes go.
func (s *Store) FinishUpload(ctx context.Context, w Work) error {
	return s.writeQuietly(ctx, w.Customer, func(x tx) error { return dropBodyOf(x, w) })
}

// changeWork runs a statement that changes the row of a work.
func (s *Store) changeWork(ctx context.Context, w Work, sql string, args ...any) error {
	return s.write(ctx, w.Customer, func(x tx) error { return changed(x.exec(sql, args...)) })
}

// ErrLost is the error of who goes on with work that is done, or another job's now.
// It is a Conflict.
var ErrLost = upstream.Errorf(upstream.Conflict, "this was ended, or taken over by another job")

// changed is ErrLost unless a statement has changed a row.
func changed(n int64, err error) error {
	if err == nil && n == 0 {
		err = ErrLost
	}
	return err
}

// Unfolded lists the customers who have so many segments that readers take longer:
// their rollups are to be folded.
func (s *Store) Unfolded(ctx context.Context) (customers []int64, err error) {
	err = s.read(ctx, func(x tx) error {
		return x.query("SELECT DISTINCT customer_id FROM (SELECT customer_id, kind, COUNT(*) AS n FROM rollup_segment GROUP BY customer_id, kind) counts WHERE n > $1 ORDER BY customer_id",
			[]any{foldAfter / 2}, func(r row) error {
				customers = append(customers, r.int(0))
				return nil
			})
	})
	return customers, err
}
