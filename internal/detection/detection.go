// Package detection runs a detector on what the store knows of a customer: it reads
// the data, evaluates it, explains what changed, names sample claims and keeps the
// run. What is computed is drift's; what is stored is store's.
package detection

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"upstream"
	"upstream/internal/drift"
	"upstream/internal/store"
)

// The detectors, by the names under which their runs are stored.
const (
	Upstream  = "upstream"
	Threshold = "threshold" // the usual rule, to compare with
)

// Detection is one evaluation to be done.
type Detection struct {
	Detector string       // Upstream or Threshold
	AsOf     upstream.Day // zero: the last decision known today
	Today    upstream.Day
	From     store.From
	Budget   float64 // false alarms a month that alerts may cost; zero: the default
	Without  Signals // left out, to measure the others
}

// Signals are those beside the denial rate.
type Signals struct{ Timing, Amounts bool }

// Finding is what an evaluation came to.
type Finding struct {
	Run             upstream.ReportRun
	Events          []upstream.DriftEvent
	ClaimsInWindows int64
	basis           int64 // what Incidents returned, for SaveRun
}

// evaluations is how often a run is evaluated while others are saved in between.
const evaluations = 3

// Save evaluates and stores a run, again where another run came in between. now is
// the clock that the run's start and end are read from.
func Save(ctx context.Context, t *store.Tenant, now func() time.Time, evaluate func() (Finding, error)) (Finding, error) {
	for n := 1; ; n++ {
		started := now()
		f, err := evaluate()
		if err != nil {
			return f, err
		}
		f.Run.StartedAt, f.Run.FinishedAt = started, now()
		err = t.SaveRun(ctx, &f.Run, f.Events, f.basis)
		if upstream.ErrorCode(err) != upstream.Conflict || n == evaluations {
			return f, err
		}
	}
}

// CollectRarely lets garbage wait until it is eight times what lives. A detection
// keeps most of what it allocates and is soon over: looking for garbage meanwhile
// takes a third of its time and saves less than a fifth of its memory. Reading
// claims leaves far more behind than it keeps, and collects as usual. end undoes it.
func CollectRarely(from store.From) (end func()) {
	if from == store.FromClaims {
		return func() {}
	}
	before := debug.SetGCPercent(800)
	return func() { debug.SetGCPercent(before) }
}

// amountWeeks are the weeks of allowed amounts that are read: those of an incident
// a year and a half old, with the half year before it.
const amountWeeks = 104

// Load reads all that detection looks at, as it was known at the end of a day.
func Load(ctx context.Context, t *store.Tenant, until upstream.Day, from store.From, without Signals) (data drift.Data, err error) {
	var waits, amounts error
	var all sync.WaitGroup
	if !without.Timing {
		all.Go(func() { data.Waits, waits = t.Waits(ctx, until, from) })
	}
	if !without.Amounts {
		all.Go(func() { data.Amounts, amounts = t.Amounts(ctx, until, amountWeeks, from) })
	}
	data.Decisions, err = t.Decisions(ctx, until, from)
	all.Wait()
	return data, errors.Join(err, waits, amounts)
}

// Evaluate reads what a detector needs and runs it. Nothing is stored. It is Invalid
// when nothing was decided by the day.
func (d Detection) Evaluate(ctx context.Context, t *store.Tenant) (Finding, error) {
	customer, err := t.Customer(ctx)
	if err != nil {
		return Finding{}, err
	}
	until := d.AsOf
	if until == 0 {
		until = d.Today
	}
	without := d.Without
	if d.Detector == Threshold {
		without = Signals{Timing: true, Amounts: true} // it knows denials only
	}
	data, err := Load(ctx, t, until, d.From, without)
	if err != nil {
		return Finding{}, err
	}
	if data.Decisions.Days() == 0 {
		return Finding{}, d.nothingDecided(customer, until)
	}
	if d.AsOf == 0 {
		until = data.Decisions.To
	}
	var f Finding
	if d.Detector == Threshold {
		f, err = d.threshold(ctx, t, until)
	} else {
		f, err = At(ctx, t, drift.New(data, drift.Options{Budget: d.Budget}), until, d.From)
	}
	f.Run.RunType, f.Run.Summary.DataVersion = "custom", customer.DataVersion
	f.ClaimsInWindows = decidedIn(data.Decisions, f.Run.Summary.FirstDay, f.Run.Summary.LastDay)
	return f, err
}

func (d Detection) nothingDecided(customer upstream.Customer, until upstream.Day) error {
	switch {
	case customer.Claims == 0:
		return upstream.Errorf(upstream.Invalid, "customer %d has no claims yet; load some with `upstream ingest --customer %d FILE`", customer.ID, customer.ID)
	case d.AsOf == 0:
		return upstream.Errorf(upstream.Invalid, "no claim of customer %d is known to be decided by today, %s; load claims with their decisions", customer.ID, until)
	}
	return upstream.Errorf(upstream.Invalid, "nothing was decided by %s; choose a later --as-of", until)
}

// At runs our own detector as of a day on what earlier runs told.
func At(ctx context.Context, t *store.Tenant, detector *drift.Detector, asOf upstream.Day, from store.From) (Finding, error) {
	known, basis, err := t.Incidents(ctx, Upstream, asOf)
	if err != nil {
		return Finding{}, err
	}
	r := detector.At(asOf, known)
	explained := make(chan error, 1)
	go func() { explained <- explain(ctx, t, r.Events, from) }()
	f, err := newFinding(ctx, t, Upstream, asOf, basis, r)
	return f, errors.Join(<-explained, err)
}

// threshold runs the usual rule, which knows nothing of earlier runs.
func (d Detection) threshold(ctx context.Context, t *store.Tenant, asOf upstream.Day) (Finding, error) {
	_, basis, err := t.Incidents(ctx, d.Detector, asOf)
	if err != nil {
		return Finding{}, err
	}
	w := drift.ThresholdWindow(asOf)
	nodes, err := t.SubmittedWindows(ctx, w.BaselineFirst, w.CurrentFirst, asOf, d.From)
	if err != nil {
		return Finding{}, err
	}
	return newFinding(ctx, t, d.Detector, asOf, basis, drift.Threshold(nodes, asOf))
}

// newFinding adds what the pure result lacks: sample claims.
func newFinding(ctx context.Context, t *store.Tenant, detector string, asOf upstream.Day, basis int64, r drift.Result) (Finding, error) {
	if err := addSamples(ctx, t, r.Events); err != nil {
		return Finding{}, err
	}
	run := upstream.ReportRun{Status: upstream.RunSuccess, Detector: detector, AsOf: asOf, EventCount: len(r.Events), Summary: r.Summary}
	return Finding{Run: run, Events: r.Events, basis: basis}, nil
}

// decidedIn counts the claims decided from one day through another.
func decidedIn(d *upstream.Decisions, from, to upstream.Day) (n int64) {
	first, last := int(from-d.From), int(to-d.From)
	for _, node := range d.Nodes {
		for day := max(first, 0); day <= last && day < len(node.Decided); day++ {
			n += int64(node.Decided[day])
		}
	}
	return n
}
