// Package jobs carries uploads and report runs to their end, on any number of
// servers that share a database: it receives files, loads them, runs detection after
// them, nightly and weekly, and tidies up.
//
// The row of an upload or run is the truth of how far it is (store.Work). River
// carries it to a worker and may lose it: a sweep finds what no job is at, so that a
// crash at any moment only delays the end. All jobs may be repeated.
package jobs

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"upstream"
	"upstream/internal/store"
)

// Options say what jobs do beside the database.
type Options struct {
	Log     *slog.Logger     // nothing is logged when nil
	Now     func() time.Time // the clock that is stored; time.Now when nil
	Work    bool             // false: only enqueue
	Workers int              // jobs at once; one a processor when 0
	// DailyHour is the hour, in UTC, from which the detections of a day are due; 2
	// when nil.
	DailyHour *int
	// Observe is told of each attempt of a job: how long it took, and how long it
	// had waited since it was due.
	Observe func(kind string, took, waited time.Duration, err error)
	// Loaded is told what became of the rows of an upload.
	Loaded func(upstream.Tally)
	// Detected is told of each detection that was stored: how long it took, and
	// what it tells of.
	Detected func(took time.Duration, events []upstream.DriftEvent)

	pace pace
}

// pace is how fast what is lost is found. Tests are faster.
type pace struct {
	beat   time.Duration // between signs of life of a job
	silent time.Duration // without one a job is taken for dead; clocks of servers may differ by less
	sweep  time.Duration // between sweeps
	retry  time.Duration // before the second attempt, five times as long before each further one
}

var usualPace = pace{beat: 10 * time.Second, silent: time.Minute, sweep: 30 * time.Second, retry: time.Second}

// Jobs is the door to the queue, safe for use by many goroutines.
type Jobs struct {
	store   *store.Store
	o       Options
	river   *queue
	started bool
	stop    context.CancelFunc // of the sweeps
	sweeps  sync.WaitGroup
}

// Open connects to the queue of a database, of which s is the store, and brings its
// schema up to date. On SQLite the queue has a file of its own beside the database's,
// named after it with -jobs: it may be lost or left out of a backup.
func Open(ctx context.Context, databaseURL string, s *store.Store, o Options) (*Jobs, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration, time.Duration, error) {}
	}
	if o.Loaded == nil {
		o.Loaded = func(upstream.Tally) {}
	}
	if o.Detected == nil {
		o.Detected = func(time.Duration, []upstream.DriftEvent) {}
	}
	if o.pace == (pace{}) {
		o.pace = usualPace
	}
	j := &Jobs{store: s, o: o}
	var err error
	j.river, err = openQueue(ctx, databaseURL, s, j.config())
	return j, err
}

// config is River's: few of its defaults suit jobs that may take hours.
func (j *Jobs) config() *river.Config {
	workers := river.NewWorkers()
	addWorker(workers, j, j.load)
	addWorker(workers, j, j.detect)
	addWorker(workers, j, j.remap)
	addWorker(workers, j, j.fold)
	addWorker(workers, j, j.daily)
	addWorker(workers, j, j.tidy)
	c := &river.Config{
		Workers: workers, Logger: quiet(j.o.Log), MaxAttempts: maxAttempts, RetryPolicy: backoff(j.o.pace.retry),
		JobTimeout: -1, RescueStuckJobsAfter: 10 * time.Minute,
		FetchCooldown: 10 * time.Millisecond, FetchPollInterval: time.Second,
		CompletedJobRetentionPeriod: 50 * time.Hour, // longer than a day's job is due
		CancelledJobRetentionPeriod: failedRetention, DiscardedJobRetentionPeriod: failedRetention,
	}
	if j.o.Work {
		c.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: j.o.Workers}}
	}
	return c
}

const (
	maxAttempts     = 5
	failedRetention = 7 * 24 * time.Hour
)

// Start begins to work on jobs, unless these Jobs only enqueue. It ends with Stop,
// not with its context.
func (j *Jobs) Start(ctx context.Context) error {
	if !j.o.Work {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	if err := j.river.client.Start(ctx); err != nil {
		return upstream.Errorf(upstream.Unavailable, "the job queue can't be started: %w", err)
	}
	j.started = true
	sweeping, stop := context.WithCancel(ctx)
	j.stop = stop
	j.sweeps.Go(func() { j.sweepOften(sweeping) })
	return nil
}

// stopGrace is how long cancelled jobs have to give back what they are at.
const stopGrace = 15 * time.Second

// Stop takes no more jobs and waits for those that run. Once its context ends it
// cancels them: they go on where they were, on another server or after the next
// start. Then it closes the queue.
func (j *Jobs) Stop(ctx context.Context) error {
	var err error
	if j.started {
		j.stop()
		j.sweeps.Wait()
		if err = j.river.client.Stop(ctx); err != nil {
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
			defer cancel()
			err = j.river.client.StopAndCancel(grace)
		}
		j.started = false
	}
	return errors.Join(err, j.river.close())
}

// Healthy is nil when the queue answers.
func (j *Jobs) Healthy(ctx context.Context) error {
	if _, err := j.river.client.JobList(ctx, river.NewJobListParams().First(1)); err != nil {
		return upstream.Errorf(upstream.Unavailable, "the job queue doesn't answer: %w", err)
	}
	return nil
}
