package upstream

import "time"

// SlowQuery is a statement that took longer than the store's owner allows.
type SlowQuery struct {
	SQL  string        // with $1 for parameters, never their values
	Took time.Duration // until the last row had been read
	Rows int64         // read or changed
	Plan string        // how the database runs it; empty when the text was explained less than a minute ago
}

// PoolStats are the connections to the database.
type PoolStats struct {
	Open, Busy, Max int
	Waiting         int           // who wait for a connection now
	Waits           int64         // who had to wait, since Open
	Waited          time.Duration // they together
}

// QueueStats are the jobs of a kind that wait or run.
type QueueStats struct {
	Kind             string
	Waiting, Running int64
	OldestWait       time.Duration // of the job that has waited longest; zero without one
}
