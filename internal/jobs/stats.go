package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
	"upstream"
)

// Stats tell how the queue of the whole database stands.
type Stats struct {
	Queued  int64         // jobs that wait, for a worker or their next attempt
	Running int64         // jobs that are worked on
	Oldest  time.Duration // how long the first of those that wait for a worker has been due
	// Failed counts the jobs of the last 7 days that failed for good, by kind.
	Failed map[string]int64
}

// Stats counts the jobs.
func (j *Jobs) Stats(ctx context.Context) (Stats, error) {
	s := Stats{Failed: map[string]int64{}}
	counts, err := j.river.counts.JobCountByAllStates(ctx, &riverdriver.JobCountByAllStatesParams{})
	if err != nil {
		return s, upstream.Errorf(upstream.Unavailable, "the job queue doesn't answer: %w", err)
	}
	s.Running = int64(counts[rivertype.JobStateRunning])
	for _, state := range []rivertype.JobState{rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateScheduled} {
		s.Queued += int64(counts[state])
	}
	list := func(p *river.JobListParams, each func(*rivertype.JobRow)) {
		if err != nil {
			return
		}
		var r *river.JobListResult
		if r, err = j.river.client.JobList(ctx, p); err == nil {
			for _, job := range r.Jobs {
				each(job)
			}
		}
	}
	list(river.NewJobListParams().States(rivertype.JobStateAvailable).OrderBy(river.JobListOrderByScheduledAt, river.SortOrderAsc).First(1),
		func(job *rivertype.JobRow) { s.Oldest = max(time.Since(job.ScheduledAt), 0) }) // by River's own clock
	list(river.NewJobListParams().States(rivertype.JobStateCancelled, rivertype.JobStateDiscarded).First(maxListed),
		func(job *rivertype.JobRow) { s.Failed[job.Kind]++ })
	if err != nil {
		err = upstream.Errorf(upstream.Unavailable, "the job queue doesn't answer: %w", err)
	}
	return s, err
}

// maxListed bounds the failed jobs that are counted.
const maxListed = 10_000
