package jobs

import (
	"context"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"upstream"
	"upstream/internal/detection"
	"upstream/internal/store"
)

// The jobs. Their arguments make them unique while they are queued or run.

type loadArgs struct {
	Customer int64 `json:"customer"`
	Upload   int64 `json:"upload"`
	Turn     int64 `json:"turn"`
}

type detectArgs struct {
	Customer int64 `json:"customer"`
	Run      int64 `json:"run"`
	Turn     int64 `json:"turn"`
}

// remapArgs name a revision: mappings that change while they are applied are applied
// once more.
type remapArgs struct {
	Customer int64 `json:"customer"`
	Revision int64 `json:"revision"`
}

type foldArgs struct {
	Customer int64 `json:"customer"`
}

type dailyArgs struct {
	Day string `json:"day"`
}

type tidyArgs struct {
	Hour string `json:"hour"`
}

func (loadArgs) Kind() string   { return "upload" }
func (detectArgs) Kind() string { return "report_run" }
func (remapArgs) Kind() string  { return "remap" }
func (foldArgs) Kind() string   { return "fold" }
func (dailyArgs) Kind() string  { return "daily" }
func (tidyArgs) Kind() string   { return "tidy" }

// live are the states of a job that is still to end.
var live = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// InsertOpts implements river.JobArgsWithInsertOpts. What somebody waits for comes first.
func (loadArgs) InsertOpts() river.InsertOpts   { return once(2, live) }
func (detectArgs) InsertOpts() river.InsertOpts { return once(1, live) }
func (remapArgs) InsertOpts() river.InsertOpts  { return once(3, live) }
func (foldArgs) InsertOpts() river.InsertOpts   { return once(4, live) }

// liveOrDone keep what is done from being done again.
var liveOrDone = append([]rivertype.JobState{rivertype.JobStateCompleted}, live...)

// InsertOpts implements river.JobArgsWithInsertOpts: once a day.
func (dailyArgs) InsertOpts() river.InsertOpts { return once(3, liveOrDone) }

// InsertOpts implements river.JobArgsWithInsertOpts: once an hour.
func (tidyArgs) InsertOpts() river.InsertOpts { return once(4, liveOrDone) }

func once(priority int, states []rivertype.JobState) river.InsertOpts {
	return river.InsertOpts{Priority: priority, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: states}}
}

// argsOf returns the job that carries some work.
func argsOf(w store.Work) river.JobArgs {
	if w.Kind == store.UploadWork {
		return loadArgs{w.Customer, w.ID, w.Turn}
	}
	return detectArgs{w.Customer, w.ID, w.Turn}
}

// EnqueueUpload has an upload loaded that Receive has returned as created. An error
// is no loss: the next sweep, within a minute, enqueues it.
func (j *Jobs) EnqueueUpload(ctx context.Context, customer, upload int64) error {
	return j.enqueueWork(ctx, store.UploadWork, customer, upload)
}

// EnqueueRun has a run evaluated that store.Tenant.RequestRun has made. An error is
// no loss: the next sweep, within a minute, enqueues it.
func (j *Jobs) EnqueueRun(ctx context.Context, customer, run int64) error {
	return j.enqueueWork(ctx, store.RunWork, customer, run)
}

func (j *Jobs) enqueueWork(ctx context.Context, kind store.WorkKind, customer, id int64) error {
	t, err := j.store.Tenant(ctx, customer)
	if err != nil {
		return err
	}
	w, err := t.Work(ctx, kind, id)
	if err != nil {
		return err
	}
	_, err = j.insert(ctx, argsOf(w))
	return err
}

// EnqueueRemap has the customer's mappings applied to the claims that are there. Call
// it after the change of the mappings is committed.
func (j *Jobs) EnqueueRemap(ctx context.Context, customer int64) error {
	r, err := j.store.Revisions(ctx, customer)
	if err == nil {
		_, err = j.insert(ctx, remapArgs{customer, r.Data})
	}
	return err
}

func (j *Jobs) insert(ctx context.Context, args river.JobArgs) (*rivertype.JobInsertResult, error) {
	r, err := j.river.client.Insert(ctx, args, nil)
	if err != nil && ctx.Err() == nil {
		err = upstream.Errorf(upstream.Unavailable, "the job could not be enqueued: %w", err)
	}
	return r, err
}

// load loads an upload, and asks for the detection that follows it.
func (j *Jobs) load(ctx context.Context, job *rivertype.JobRow, a loadArgs) error {
	w := store.Work{Kind: store.UploadWork, Customer: a.Customer, ID: a.Upload, Turn: a.Turn}
	return j.carry(ctx, job, w, func(ctx context.Context) error {
		t, err := j.store.Tenant(ctx, a.Customer)
		if err != nil {
			return err
		}
		u, err := t.UploadByID(ctx, a.Upload)
		if err != nil {
			return err
		}
		if u.Status != upstream.UploadSuccess {
			file := File{Name: u.Filename, SHA256: u.SHA256, Date: u.FileDate, Bytes: &body{ctx: ctx, t: t, upload: u.ID}}
			if u, _, err = LoadCSV(ctx, t, file, store.LoadOptions{BatchRows: batchRows, Now: j.o.Now(), Job: true}); err != nil {
				return err
			}
			j.o.Loaded(u.Tally)
		}
		if err := j.afterLoad(ctx, a.Customer, t, u); err != nil {
			return err
		}
		return j.store.FinishUpload(ctx, w)
	})
}

// batchRows keeps the transactions of a load so short that a request which writes
// waits for some tens of milliseconds.
const batchRows = 1000

// afterLoad asks for a detection on what an upload has changed.
func (j *Jobs) afterLoad(ctx context.Context, customer int64, t *store.Tenant, u upstream.Upload) error {
	s, err := t.Settings(ctx)
	if err != nil || !s.DetectionAfterUpload || u.Inserted+u.Updated == 0 {
		return err
	}
	return j.request(ctx, customer, t, store.RunRequest{Type: "custom", Detector: detection.Upstream, Key: "upload " + u.SHA256})
}

// request makes a run and enqueues it.
func (j *Jobs) request(ctx context.Context, customer int64, t *store.Tenant, r store.RunRequest) error {
	run, created, err := t.RequestRun(ctx, r, j.o.Now())
	if err != nil || !created {
		return err
	}
	if err := j.EnqueueRun(ctx, customer, run.ID); err != nil { // the sweep will
		j.o.Log.Warn("a run could not be enqueued yet", "customer", customer, "run", run.ID, "error", err.Error())
	}
	return nil
}

// detect evaluates a run.
func (j *Jobs) detect(ctx context.Context, job *rivertype.JobRow, a detectArgs) error {
	w := store.Work{Kind: store.RunWork, Customer: a.Customer, ID: a.Run, Turn: a.Turn}
	return j.carry(ctx, job, w, func(ctx context.Context) error {
		t, err := j.store.Tenant(ctx, a.Customer)
		if err != nil {
			return err
		}
		run, err := t.ReportRun(ctx, a.Run)
		if err != nil {
			return err
		}
		s, err := t.Settings(ctx)
		if err != nil {
			return err
		}
		d := detection.Detection{Detector: run.Detector, AsOf: run.AsOf, Today: upstream.DayOf(j.o.Now()), From: store.FromRollups, Budget: s.AlertBudget}
		start := j.o.Now()
		found, err := detection.Save(ctx, t, j.o.Now, func() (detection.Finding, error) {
			f, err := d.Evaluate(ctx, t)
			f.Run.ID, f.Run.RunType = run.ID, run.RunType
			return f, err
		})
		if err == nil {
			j.o.Detected(j.o.Now().Sub(start), found.Events)
		}
		return err
	})
}

func (j *Jobs) remap(ctx context.Context, _ *rivertype.JobRow, a remapArgs) error {
	t, err := j.store.Tenant(ctx, a.Customer)
	if err == nil {
		_, err = t.ApplyMappings(j.audited(ctx, a.Kind(), "mapping.apply", a.Customer, ""))
	}
	return err
}

func (j *Jobs) fold(ctx context.Context, _ *rivertype.JobRow, a foldArgs) error {
	t, err := j.store.Tenant(ctx, a.Customer)
	if err != nil {
		return err
	}
	return t.Fold(ctx)
}
