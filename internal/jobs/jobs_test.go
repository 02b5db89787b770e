package jobs

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"
	"upstream"
	"upstream/internal/pgtest"
	"upstream/internal/store"
)

// observed counts the attempts of jobs.
type observed struct {
	sync.Mutex
	attempts, errors map[string]int
}

func (o *observed) observe(kind string, took, waited time.Duration, err error) {
	o.Lock()
	defer o.Unlock()
	if o.attempts == nil {
		o.attempts, o.errors = map[string]int{}, map[string]int{}
	}
	if took < 0 || waited < 0 {
		o.errors["negative time"]++
	}
	o.attempts[kind]++
	if err != nil {
		o.errors[kind]++
	}
}

func (o *observed) of(kind string) (attempts, errors int) {
	o.Lock()
	defer o.Unlock()
	return o.attempts[kind], o.errors[kind]
}

func TestAnUploadIsLoadedAndDetectionFollows(t *testing.T) {
	content := file(t, 20_000, 1)
	onBoth(t, func(w *world) {
		ctx := context.Background()
		var seen observed
		var tally upstream.Tally
		var told []upstream.DriftEvent
		loaded := func(t upstream.Tally) { seen.Lock(); defer seen.Unlock(); tally.Add(t) }
		detected := func(took time.Duration, events []upstream.DriftEvent) {
			seen.Lock()
			defer seen.Unlock()
			told = append(told, events...)
		}
		w.withoutNights()
		j := w.jobs(Options{Work: true, Observe: seen.observe, Loaded: loaded, Detected: detected, pace: pace{beat: time.Minute, silent: time.Hour, sweep: time.Hour}})
		u := w.receive(content)
		if err := j.EnqueueUpload(ctx, 1, u.ID); err != nil {
			w.Fatal(err)
		}
		u = w.loaded(u.ID)
		if u.Read != 20_000 || u.Inserted != 20_000 || w.claims() != 20_000 {
			w.Errorf("loaded %+v", u)
		}
		if _, err := w.tenant.UploadPart(ctx, u.ID, 0); upstream.ErrorCode(err) != upstream.NotFound {
			w.Errorf("its bytes are still there: %v", err)
		}
		r := w.ended(1)
		if r.Status != upstream.RunSuccess || r.RunType != "custom" || r.EventCount == 0 || r.Summary.DataVersion == 0 || r.AsOf == 0 || r.FinishedAt.IsZero() {
			w.Errorf("the run that follows: %+v", r)
		}
		events, err := w.tenant.Events(ctx, store.EventFilter{}, upstream.Page{})
		if err != nil || len(events.Items) == 0 || events.Items[0].ReportRun != r.ID {
			w.Errorf("%d events, %v", len(events.Items), err)
		}
		// The row is there a moment before the job has ended.
		w.until("both are observed", func() bool { n, _ := seen.of("upload"); m, _ := seen.of("report_run"); return n == 1 && m == 1 })
		seen.Lock()
		if tally != u.Tally || len(told) != r.EventCount {
			w.Errorf("told of %+v of %+v and %d of %d events", tally, u.Tally, len(told), r.EventCount)
		}
		seen.Unlock()
		w.audited("report_run.evaluate by job:report_run of 1", "upload.load by job:upload of 1")
		if _, errs := seen.of("upload"); errs != 0 || seen.errors["negative time"] != 0 {
			w.Errorf("observed %+v", seen.errors)
		}
	})
}

func TestARunThatWasAskedForEndsByItself(t *testing.T) {
	content := file(t, 20_000, 1)
	onBoth(t, func(w *world) {
		ctx := context.Background()
		w.loadDirectly(content) // before a sweep can find it
		j := w.jobs(Options{Work: true})
		r := w.request(store.RunRequest{Type: "monthly", AsOf: upstream.DayOf(now) - 30})
		if err := j.EnqueueRun(ctx, 1, r.ID); err != nil {
			w.Fatal(err)
		}
		r = w.ended(r.ID)
		if r.Status != upstream.RunSuccess || r.RunType != "monthly" || r.AsOf != upstream.DayOf(now)-30 || r.Summary.NodesConsidered == 0 {
			w.Errorf("%+v", r)
		}
		if err := j.EnqueueRun(ctx, 1, r.ID); upstream.ErrorCode(err) != upstream.NotFound {
			w.Errorf("enqueued when it has ended: %v", err)
		}
	})
}

// loadDirectly loads a file without a job.
func (w *world) loadDirectly(content []byte) {
	w.Helper()
	u := w.receive(content)
	f := File{Name: "x", SHA256: u.SHA256, Bytes: bytes.NewReader(content)}
	if _, _, err := LoadCSV(context.Background(), w.tenant, f, store.LoadOptions{Now: now}); err != nil {
		w.Fatal(err)
	}
	work, err := w.tenant.Work(context.Background(), store.UploadWork, u.ID)
	if err == nil {
		err = w.store.FinishUpload(context.Background(), work)
	}
	if err != nil {
		w.Fatal(err)
	}
}

func TestWhatCannotBeDoneFailsWithASentence(t *testing.T) {
	onBoth(t, func(w *world) {
		ctx := context.Background()
		j := w.jobs(Options{Work: true})
		r := w.request(store.RunRequest{Type: "custom"}) // there is no claim
		if err := j.EnqueueRun(ctx, 1, r.ID); err != nil {
			w.Fatal(err)
		}
		if r = w.ended(r.ID); r.Status != upstream.RunFailed || !strings.Contains(r.Error, "has no claims yet") || r.FinishedAt.IsZero() {
			w.Errorf("%+v", r)
		}
		w.until("it is counted", func() bool {
			s, err := j.Stats(ctx)
			if err != nil {
				w.Fatal(err)
			}
			return s.Failed["report_run"] == 1 && s.Running == 0 && s.Queued == 0
		})
		for _, err := range []error{
			j.EnqueueRun(ctx, 1, 99), j.EnqueueRun(ctx, 99, r.ID), j.EnqueueUpload(ctx, 1, 99),
		} {
			if upstream.ErrorCode(err) != upstream.NotFound {
				w.Errorf("enqueued what isn't there: %v", err)
			}
		}
		if err := j.Healthy(ctx); err != nil {
			w.Errorf("healthy: %v", err)
		}
	})
}

// attempt carries a run's work in this goroutine.
func (w *world) attempt(j *Jobs, work store.Work, n int, do func(context.Context) error) error {
	return j.carry(context.Background(), &rivertype.JobRow{ID: 77, Kind: "report_run", Attempt: n, MaxAttempts: maxAttempts}, work, do)
}

func TestHowAnAttemptEndsIsInTheRow(t *testing.T) {
	unavailable := upstream.Errorf(upstream.Unavailable, "the disk is full")
	for _, test := range []struct {
		name    string
		attempt int
		do      func(context.Context) error
		status  upstream.RunStatus
		says    string
	}{
		{"a transient error is tried again", 1, func(context.Context) error { return unavailable }, upstream.RunRunning, ""},
		{"not for ever", maxAttempts, func(context.Context) error { return unavailable }, upstream.RunFailed, "the database could not take this: it was out of reach, busy or full; ask again, or the operator about job 77, whose log says which"},
		{"another error is for good", 1, func(context.Context) error { return upstream.Errorf(upstream.Invalid, "choose another day") }, upstream.RunFailed, "choose another day"},
		{"what quotes a claim is not told", 1, func(context.Context) error { return errors.New("parsing PATIENT-7") }, upstream.RunFailed, "a fault of ours ended this; report it with the number of the job, 77"},
		{"a panic is caught", 1, func(context.Context) error { panic("PATIENT-7") }, upstream.RunFailed, "a fault of ours ended this; report it with the number of the job, 77"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(w *world) {
				var log bytes.Buffer
				j := w.jobs(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
				r := w.request(store.RunRequest{Type: "custom"})
				err := w.attempt(j, store.Work{Kind: store.RunWork, Customer: 1, ID: r.ID, Turn: 1}, test.attempt, test.do)
				if err == nil {
					w.Error("the attempt is a success")
				}
				if r = w.run(r.ID); r.Status != test.status || r.Error != test.says {
					w.Errorf("%+v", r)
				}
				w.audited("report_run.evaluate by job:report_run of 1")
				queued, silent, err := w.store.Waiting(context.Background(), now)
				if err != nil || len(silent) != 0 || len(queued) != map[upstream.RunStatus]int{upstream.RunRunning: 1}[test.status] {
					w.Errorf("waiting are %v and %v, %v", queued, silent, err)
				}
				if test.name == "not for ever" && !strings.Contains(log.String(), "the disk is full") {
					w.Errorf("the log does not say why: %s", &log)
				}
				if test.name == "a panic is caught" && (!strings.Contains(log.String(), "a job panicked") || strings.Contains(log.String(), "PATIENT")) {
					w.Errorf("the log says %s", &log)
				}
			})
		})
	}
}

func TestWorkIsOneJobsAtATime(t *testing.T) {
	onBoth(t, func(w *world) {
		ctx := context.Background()
		at := now
		o := Options{Now: func() time.Time { return at }, pace: pace{beat: time.Millisecond, silent: time.Minute, sweep: time.Hour}}
		j := w.jobs(o)
		r := w.request(store.RunRequest{Type: "custom"})
		work := store.Work{Kind: store.RunWork, Customer: 1, ID: r.ID, Turn: 1}
		never := func(context.Context) error { w.Error("it was done twice"); return nil }
		err := w.attempt(j, work, 1, func(ctx context.Context) error {
			var snooze *rivertype.JobSnoozeError
			if err := w.attempt(j, work, 1, never); !errors.As(err, &snooze) || snooze.Duration != time.Minute {
				w.Errorf("another attempt meanwhile: %v", err)
			}
			if _, err := w.store.Requeue(ctx, work, at.Add(time.Second)); err != nil { // as a sweep that thinks us dead
				w.Error(err)
			}
			<-ctx.Done() // a beat finds out
			return ctx.Err()
		})
		if err != nil {
			w.Errorf("who lost its work says %v", err)
		}
		if err := w.attempt(j, work, 1, never); err != nil { // an old turn
			w.Errorf("an old turn says %v", err)
		}
		if queued, _, err := w.store.Waiting(ctx, now); err != nil || len(queued) != 1 || queued[0].Turn != 2 || queued[0].Lost != 1 {
			w.Errorf("waiting is %v, %v", queued, err)
		}
	})
}

func TestTwoWorkersOnOnePostgreSQLRunEachJobOnce(t *testing.T) {
	w := newWorld(t, pgtest.URL(t))
	ctx := context.Background()
	var seen observed
	const uploads = 12
	var first *Jobs
	for range 2 {
		first = w.jobs(Options{Work: true, Workers: 2, Observe: seen.observe, pace: pace{beat: time.Second, silent: time.Minute, sweep: 20 * time.Millisecond, retry: time.Second}})
	}
	ids := []int64{}
	for i := range uploads {
		u := w.receive(file(t, 500, uint64(i+1)))
		if err := first.EnqueueUpload(ctx, 1, u.ID); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, u.ID)
	}
	read := int64(0)
	for i, id := range ids {
		read += w.loaded(id).Read
		w.ended(int64(i + 1))
	}
	w.until("all is observed", func() bool { n, _ := seen.of("report_run"); return n >= uploads })
	if n, errs := seen.of("upload"); n != uploads || errs != 0 {
		t.Errorf("%d attempts of %d uploads, %d errors", n, uploads, errs)
	}
	if n, _ := seen.of("daily"); n != 1 {
		t.Errorf("the day was done %d times", n)
	}
	if read != uploads*500 {
		t.Errorf("%d rows are read", read)
	}
	w.claims()
}

func TestASweepFindsWhatHasNoJob(t *testing.T) {
	content := file(t, 2_000, 1)
	onBoth(t, func(w *world) {
		ctx := context.Background()
		never := w.receive(content)                        // inserted, and then a crash
		run := w.request(store.RunRequest{Type: "custom"}) // the same
		claimed := w.receive(file(t, 1_000, 2))            // its worker is dead
		work, err := w.tenant.Work(ctx, store.UploadWork, claimed.ID)
		if err == nil {
			_, err = w.store.Claim(ctx, work, now.Add(-time.Hour), now.Add(-2*time.Hour))
		}
		if err != nil {
			w.Fatal(err)
		}
		lost := w.receive(file(t, 1_000, 3)) // River has lost its job
		j := w.jobs(Options{})
		if err := j.EnqueueUpload(ctx, 1, lost.ID); err != nil {
			w.Fatal(err)
		}
		w.stop(j)
		w.loseQueue()
		w.jobs(Options{Work: true})
		for _, id := range []int64{never.ID, claimed.ID, lost.ID} {
			w.loaded(id)
		}
		if r := w.ended(run.ID); r.Status == upstream.RunRunning {
			w.Errorf("%+v", r)
		}
		w.claims()
	})
}

// loseQueue removes all that River knows.
func (w *world) loseQueue() {
	w.Helper()
	if path, ok := strings.CutPrefix(w.url, "sqlite:"); ok {
		for _, end := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(path + "-jobs" + end); err != nil && !errors.Is(err, os.ErrNotExist) {
				w.Error(err)
			}
		}
		return
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, w.url)
	if err != nil {
		w.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, "TRUNCATE river_job"); err != nil {
		w.Error(err)
	}
}

func TestWorkThatKillsItsJobsFailsInTheEnd(t *testing.T) {
	onBoth(t, func(w *world) {
		ctx := context.Background()
		j := w.jobs(Options{})
		u := w.receive(file(t, 100, 1))
		for n := 0; n <= maxLost; n++ {
			work, err := w.tenant.Work(ctx, store.UploadWork, u.ID)
			if err != nil {
				w.Fatalf("after %d deaths: %v", n, err)
			}
			if c, err := w.store.Claim(ctx, work, now.Add(-time.Hour), now); err != nil || c != store.Mine {
				w.Fatalf("after %d deaths: %v, %v", n, c, err)
			}
			if err := j.sweep(ctx); err != nil {
				w.Fatal(err)
			}
		}
		if u = w.upload(u.ID); u.Status != upstream.UploadFailed || !strings.Contains(u.Error, "the server stopped 11 times") {
			w.Errorf("%+v", u)
		}
	})
}

func TestStoppingGivesBackWhatTakesTooLong(t *testing.T) {
	content := file(t, 40_000, 1)
	onBoth(t, func(w *world) {
		ctx := context.Background()
		j := w.jobs(Options{Work: true})
		u := w.receive(content)
		if err := j.EnqueueUpload(ctx, 1, u.ID); err != nil {
			w.Fatal(err)
		}
		w.until("some of it is loaded", func() bool { return w.upload(u.ID).Read > 0 })
		if s, err := j.Stats(ctx); err != nil || s.Running == 0 {
			w.Errorf("meanwhile %+v, %v", s, err)
		}
		hurried, cancel := context.WithCancel(ctx)
		cancel()
		if err := j.Stop(hurried); err != nil {
			w.Errorf("stop: %v", err)
		}
		if u = w.upload(u.ID); u.Status != upstream.UploadQueued || u.Read >= 40_000 {
			w.Fatalf("given back: %+v", u)
		}
		w.jobs(Options{Work: true})
		if u = w.loaded(u.ID); u.Inserted != 40_000 || w.claims() != 40_000 {
			w.Errorf("loaded: %+v", u)
		}
	})
}

func TestStoppingWaitsForWhatRuns(t *testing.T) {
	content := file(t, 10_000, 1)
	onBoth(t, func(w *world) {
		j := w.jobs(Options{Work: true})
		u := w.receive(content)
		if err := j.EnqueueUpload(context.Background(), 1, u.ID); err != nil {
			w.Fatal(err)
		}
		w.until("it is loaded", func() bool { return w.upload(u.ID).Status == upstream.UploadRunning })
		w.stop(j)
		if u = w.upload(u.ID); u.Status != upstream.UploadSuccess || !w.done(store.UploadWork, u.ID) {
			w.Errorf("%+v", u)
		}
	})
}

func TestAKilledWorkersUploadIsLoadedOnceByAnother(t *testing.T) {
	content := file(t, 60_000, 1)
	onBoth(t, func(w *world) {
		ctx := context.Background()
		j := w.jobs(Options{Now: time.Now})
		u := w.receive(content)
		if err := j.EnqueueUpload(ctx, 1, u.ID); err != nil {
			w.Fatal(err)
		}
		kept := int64(0)
		for range 2 {
			c := child(t, w.url)
			w.until("some of it is loaded", func() bool { return w.upload(u.ID).Read > kept })
			if err := c.Process.Kill(); err != nil {
				w.Fatal(err)
			}
			_ = c.Wait() // it was killed
			if u = w.upload(u.ID); u.Read == 60_000 {
				w.Fatal("it was loaded before it could be killed; the file must be larger")
			}
			kept = u.Read
		}
		w.jobs(Options{Work: true, Now: time.Now, pace: quick})
		if u = w.loaded(u.ID); u.Read != 60_000 || u.Inserted != 60_000 || w.claims() != 60_000 {
			w.Errorf("loaded: %+v", u)
		}
		if r := w.ended(1); r.Status != upstream.RunSuccess {
			w.Errorf("the run that follows: %+v", r)
		}
	})
}

func TestADayIsDoneOnce(t *testing.T) {
	content := file(t, 20_000, 1)
	onBoth(t, func(w *world) {
		ctx := context.Background()
		w.loadDirectly(content)
		newest := func() int64 {
			id := int64(0)
			for {
				if _, err := w.tenant.ReportRun(ctx, id+1); err != nil {
					return id
				}
				id++
			}
		}
		day := func(at time.Time, want int64, runType string) {
			w.Helper()
			for range 2 { // River forgets in between
				var seen observed
				j := w.jobs(Options{Work: true, Now: func() time.Time { return at }, Observe: seen.observe})
				w.until("the day is done", func() bool { n, _ := seen.of("daily"); return n == 1 })
				w.until("its run has ended", func() bool { return want == 0 || w.run(want).Status != upstream.RunRunning })
				w.stop(j)
				w.loseQueue()
			}
			if got := newest(); got != want {
				w.Errorf("%s: %d runs, want %d", at, got, want)
			}
			if r := w.run(want); r.RunType != runType || r.Status != upstream.RunSuccess {
				w.Errorf("%s: %+v", at, r)
			}
		}
		tuesday := time.Date(2026, 6, 30, 2, 0, 0, 0, time.UTC)
		day(tuesday.Add(2*24*time.Hour-time.Second), 1, "custom") // Wednesday's: it is 1:59:59 on Thursday
		day(tuesday.Add(2*24*time.Hour), 1, "custom")             // Thursday: nothing new
		day(tuesday.Add(6*24*time.Hour), 2, "weekly")             // Monday
	})
}

func TestMappingsAreAppliedByAJob(t *testing.T) {
	content := file(t, 500, 1)
	onBoth(t, func(w *world) {
		ctx := context.Background()
		w.loadDirectly(content)
		payers := func() map[string]bool {
			found := map[string]bool{}
			d, err := w.tenant.Decisions(ctx, upstream.DayOf(now), store.FromRollups)
			if err != nil {
				w.Fatal(err)
			}
			for _, n := range d.Nodes {
				found[n.Payer] = true
			}
			return found
		}
		var one string
		for payer := range payers() {
			one = payer
		}
		j := w.jobs(Options{Work: true})
		if _, err := w.tenant.CreatePayerMapping(ctx, upstream.PayerMapping{Raw: one, Payer: "Brook Valley Plan"}); err != nil {
			w.Fatal(err)
		}
		if err := j.EnqueueRemap(ctx, 1); err != nil {
			w.Fatal(err)
		}
		w.until("the claims are renamed", func() bool { return payers()["Brook Valley Plan"] && !payers()[one] })
		w.claims()
	})
}

func TestARemapIsAuditedWhereItChangesClaims(t *testing.T) {
	content := file(t, 500, 1)
	onBoth(t, func(w *world) {
		ctx := context.Background()
		w.loadDirectly(content)
		d, err := w.tenant.Decisions(ctx, upstream.DayOf(now), store.FromRollups)
		if err != nil {
			w.Fatal(err)
		}
		if _, err := w.tenant.CreatePayerMapping(ctx, upstream.PayerMapping{Raw: d.Nodes[0].Payer, Payer: "Brook Valley Plan"}); err != nil {
			w.Fatal(err)
		}
		j := w.jobs(Options{})
		for range 2 { // the second one finds nothing to change
			if err := j.remap(ctx, nil, remapArgs{Customer: 1}); err != nil {
				w.Fatal(err)
			}
		}
		w.audited("mapping.apply by job:remap of ")
	})
}

func TestWhatACustomerHasSwitchedOffIsNotDone(t *testing.T) {
	content := file(t, 2_000, 1)
	onBoth(t, func(w *world) {
		ctx := context.Background()
		var seen observed
		off := upstream.DefaultSettings()
		off.DetectionAfterUpload, off.NightlyDetection, off.WeeklyReportDay = false, false, "sunday"
		if err := w.tenant.SaveSettings(ctx, off, now); err != nil {
			w.Fatal(err)
		}
		u := w.receive(content)
		j := w.jobs(Options{Work: true, Observe: seen.observe})
		w.loaded(u.ID)
		c, err := w.tenant.Customer(ctx)
		if err != nil {
			w.Fatal(err)
		}
		day := upstream.DayOf(now)
		for _, d := range []upstream.Day{day, day + 3, day + 5} { // Wednesday, Saturday, Monday
			if err := j.dailyOf(ctx, c, d); err != nil {
				w.Error(err)
			}
		}
		if r, err := w.tenant.ReportRun(ctx, 1); upstream.ErrorCode(err) != upstream.NotFound {
			w.Errorf("a run was made: %+v, %v", r, err)
		}
		if err := j.dailyOf(ctx, c, day+4); err != nil { // Sunday
			w.Error(err)
		}
		if r := w.ended(1); r.RunType != "weekly" {
			w.Errorf("on the day of the weekly report: %+v", r)
		}
	})
}

func TestSegmentsThatPileUpAreFolded(t *testing.T) {
	onBoth(t, func(w *world) {
		ctx := context.Background()
		for i := range 12 {
			w.loadDirectly(file(t, 50, uint64(i+1)))
		}
		for i := range 12 { // each deletion leaves a segment
			if _, err := w.tenant.DeleteClaims(ctx, []string{w.claimID(i)}); err != nil {
				w.Fatal(err)
			}
		}
		if c, err := w.store.Unfolded(ctx); err != nil || len(c) != 1 {
			w.Fatalf("unfolded are %v, %v", c, err)
		}
		w.jobs(Options{Work: true})
		w.until("they are folded", func() bool {
			c, err := w.store.Unfolded(ctx)
			return err == nil && len(c) == 0
		})
		w.claims()
	})
}

// claimID is the id of a claim of the first file.
func (w *world) claimID(n int) string {
	lines := strings.Split(string(file(w, 50, 1)), "\n")
	id, _, _ := strings.Cut(lines[n+1], ",")
	return id
}

func TestWhoOnlyEnqueuesWorksOnNothing(t *testing.T) {
	onBoth(t, func(w *world) {
		ctx := context.Background()
		j := w.jobs(Options{})
		u := w.receive(file(t, 100, 1))
		for range 2 { // unique
			if err := j.EnqueueUpload(ctx, 1, u.ID); err != nil {
				w.Fatal(err)
			}
		}
		if s, err := j.Stats(ctx); err != nil || s.Queued != 1 || s.Running != 0 || s.Oldest < 0 {
			w.Errorf("%+v, %v", s, err)
		}
		w.jobs(Options{Work: true})
		w.loaded(u.ID)
	})
}

func TestAQueueThatCannotBeOpenedSaysSo(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/test.db")
	for url, code := range map[string]upstream.Code{
		"sqlite:/nowhere/at/all.db":                  upstream.Unavailable,
		"postgres://nobody:secret@127.0.0.1:1/none":  upstream.Unavailable,
		"postgres://nobody:secret@127.0.0.1:port/no": upstream.Invalid,
	} {
		_, err := Open(context.Background(), url, w.store, Options{})
		if upstream.ErrorCode(err) != code || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestServersThatStartAtOnceShareAQueue(t *testing.T) {
	onBoth(t, func(w *world) {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				j, err := Open(context.Background(), w.url, w.store, Options{Now: clock})
				if err == nil {
					err = errors.Join(j.Healthy(context.Background()), j.EnqueueRemap(context.Background(), 1), j.Stop(context.Background()))
				}
				if err != nil {
					w.Error(err)
				}
			})
		}
		all.Wait()
		if s, err := w.jobs(Options{}).Stats(context.Background()); err != nil || s.Queued != 1 {
			w.Errorf("%+v, %v", s, err)
		}
	})
}

func TestTheQueueIsBesideTheDatabaseWhateverItsName(t *testing.T) {
	path := t.TempDir() + "/100% ä?#&.db"
	w := newWorld(t, "sqlite:"+path)
	j := w.jobs(Options{})
	if _, err := os.Stat(path + "-jobs"); err != nil {
		t.Error(err)
	}
	w.stop(j)
	if err := j.Healthy(context.Background()); upstream.ErrorCode(err) != upstream.Unavailable {
		t.Errorf("healthy when it is closed: %v", err)
	}
}
