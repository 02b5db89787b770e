package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"upstream"
	"upstream/internal/drift"
	"upstream/internal/store"
)

type detectCmd struct {
	Customer int64   `required:"" placeholder:"ID" help:"The customer whose claims are looked at."`
	AsOf     string  `placeholder:"DATE" help:"Use only what was known on that date, so that the past can be replayed. The last day with a decision if not given."`
	Detector string  `default:"upstream" enum:"upstream,threshold" help:"upstream, or threshold: the usual rule, to compare with."`
	Budget   float64 `default:"0.5" help:"False alarms a month that alerts may cost."`
	From     string  `default:"rollups" enum:"rollups,claims" help:"Read the rollups, or count the raw claims again; the events are the same."`
	JSON     bool    `name:"json" help:"Print the run and its events as JSON."`
}

func (*detectCmd) Help() string {
	return `Compares each payer, and each payer's procedure groups, with its own past and prints what changed: alerts first, within the budget of false alarms, then what is only watched, then what is over. The run and its events are kept: an event lives on under its id until it is over or somebody judges it with upstream event. A run as of a day before the last one looks back and changes no event.

Example:  upstream detect-drift --customer 1 --as-of 2026-03-31`
}

// detectReport is what --json prints.
type detectReport struct {
	Run    upstream.ReportRun    `json:"run"`
	Events []upstream.DriftEvent `json:"events"`
}

func (c *detectCmd) Run(a *app) error {
	if !(c.Budget > 0 && c.Budget <= 1000) {
		return upstream.Errorf(upstream.Invalid, "--budget must be more than 0 and at most 1000 false alarms a month")
	}
	asOf := upstream.Day(0)
	if c.AsOf != "" {
		var err error
		if asOf, err = upstream.ParseDay(c.AsOf); err != nil {
			return err
		}
	}
	return a.withTenant(c.Customer, func(t *store.Tenant) error {
		defer collectRarely(store.From(c.From))()
		d := detection{detector: c.Detector, asOf: asOf, today: a.today(), from: store.From(c.From), budget: c.Budget}
		found, err := saved(a, t, a.now, func() (finding, error) { return d.evaluate(a, t) })
		if err != nil {
			return err
		}
		if c.JSON {
			return a.printJSON(detectReport{found.run, found.events})
		}
		a.printFeed(found.run, found.events)
		return nil
	})
}

// collectRarely lets garbage wait until it is eight times what lives. A detection
// keeps most of what it allocates and is soon over: looking for garbage meanwhile
// takes a third of its time and saves less than a fifth of its memory. Reading
// claims leaves far more behind than it keeps, and collects as usual. end undoes it.
func collectRarely(from store.From) (end func()) {
	if from == store.FromClaims {
		return func() {}
	}
	before := debug.SetGCPercent(800)
	return func() { debug.SetGCPercent(before) }
}

// evaluations is how often a run is evaluated while others are saved in between.
const evaluations = 3

// saved evaluates and stores a run, again where another run came in between.
func saved(ctx context.Context, t *store.Tenant, now func() time.Time, evaluate func() (finding, error)) (finding, error) {
	for n := 1; ; n++ {
		started := now()
		f, err := evaluate()
		if err != nil {
			return f, err
		}
		f.run.StartedAt, f.run.FinishedAt = started, now()
		err = t.SaveRun(ctx, &f.run, f.events, f.basis)
		if upstream.ErrorCode(err) != upstream.Conflict || n == evaluations {
			return f, err
		}
	}
}

// detection is one evaluation to be done.
type detection struct {
	detector string
	asOf     upstream.Day // zero: the last decision known today
	today    upstream.Day
	from     store.From
	budget   float64
	without  signals // left out, to measure the others
}

// signals are those beside the denial rate.
type signals struct{ timing, amounts bool }

// finding is what an evaluation came to.
type finding struct {
	run             upstream.ReportRun
	events          []upstream.DriftEvent
	basis           int64 // the newest run that was known
	claimsInWindows int64
}

// amountWeeks are the weeks of allowed amounts that are read: those of an incident
// a year and a half old, with the half year before it.
const amountWeeks = 104

// loadData reads all that detection looks at, as it was known at the end of a day.
func loadData(ctx context.Context, t *store.Tenant, until upstream.Day, from store.From, without signals) (data drift.Data, err error) {
	var waits, amounts error
	var all sync.WaitGroup
	if !without.timing {
		all.Go(func() { data.Waits, waits = t.Waits(ctx, until, from) })
	}
	if !without.amounts {
		all.Go(func() { data.Amounts, amounts = t.Amounts(ctx, until, amountWeeks, from) })
	}
	data.Decisions, err = t.Decisions(ctx, until, from)
	all.Wait()
	return data, errors.Join(err, waits, amounts)
}

// evaluate reads what a detector needs and runs it. Nothing is stored.
func (d detection) evaluate(ctx context.Context, t *store.Tenant) (finding, error) {
	customer, err := t.Customer(ctx)
	if err != nil {
		return finding{}, err
	}
	until := d.asOf
	if until == 0 {
		until = d.today
	}
	without := d.without
	if d.detector == "threshold" {
		without = signals{timing: true, amounts: true} // it knows denials only
	}
	data, err := loadData(ctx, t, until, d.from, without)
	if err != nil {
		return finding{}, err
	}
	if data.Decisions.Days() == 0 {
		if customer.Claims == 0 {
			return finding{}, upstream.Errorf(upstream.Invalid, "customer %d has no claims yet; load some with `upstream ingest --customer %d FILE`", customer.ID, customer.ID)
		}
		if d.asOf == 0 {
			return finding{}, upstream.Errorf(upstream.Invalid, "no claim of customer %d is known to be decided by today, %s; load claims with their decisions", customer.ID, until)
		}
		return finding{}, upstream.Errorf(upstream.Invalid, "nothing was decided by %s; choose a later --as-of", until)
	}
	if d.asOf == 0 {
		until = data.Decisions.To
	}
	f, err := finding{}, error(nil)
	if d.detector == "threshold" {
		f, err = d.threshold(ctx, t, until)
	} else {
		f, err = evaluateAt(ctx, t, drift.New(data, drift.Options{Budget: d.budget}), until, d.from)
	}
	f.run.RunType, f.run.Summary.DataVersion = "custom", customer.DataVersion
	f.claimsInWindows = decidedIn(data.Decisions, f.run.Summary.FirstDay, f.run.Summary.LastDay)
	return f, err
}

// evaluateAt runs the detector as of a day on what earlier runs told.
func evaluateAt(ctx context.Context, t *store.Tenant, detector *drift.Detector, asOf upstream.Day, from store.From) (finding, error) {
	known, basis, err := t.Incidents(ctx, upstreamDetector, asOf)
	if err != nil {
		return finding{}, err
	}
	r := detector.At(asOf, known)
	explained := make(chan error, 1)
	go func() { explained <- explain(ctx, t, r.Events, from) }()
	f, err := newFinding(ctx, t, upstreamDetector, asOf, basis, r)
	return f, errors.Join(<-explained, err)
}

// upstreamDetector is the name under which our own detector's runs are stored.
const upstreamDetector = "upstream"

// threshold runs the usual rule, which knows nothing of earlier runs.
func (d detection) threshold(ctx context.Context, t *store.Tenant, asOf upstream.Day) (finding, error) {
	_, basis, err := t.Incidents(ctx, d.detector, asOf)
	if err != nil {
		return finding{}, err
	}
	w := drift.ThresholdWindow(asOf)
	nodes, err := t.SubmittedWindows(ctx, w.BaselineFirst, w.CurrentFirst, asOf, d.from)
	if err != nil {
		return finding{}, err
	}
	return newFinding(ctx, t, d.detector, asOf, basis, drift.Threshold(nodes, asOf))
}

// newFinding adds what the pure result lacks: sample claims.
func newFinding(ctx context.Context, t *store.Tenant, detector string, asOf upstream.Day, basis int64, r drift.Result) (finding, error) {
	if err := addSamples(ctx, t, r.Events); err != nil {
		return finding{}, err
	}
	run := upstream.ReportRun{Status: upstream.RunSuccess, Detector: detector, AsOf: asOf, EventCount: len(r.Events), Summary: r.Summary}
	return finding{run: run, events: r.Events, basis: basis}, nil
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

// explain fills in the root causes of the denial events, payer by payer.
func explain(ctx context.Context, t *store.Tenant, events []upstream.DriftEvent, from store.From) error {
	byPayer := map[string][]*upstream.DriftEvent{}
	for i := range events {
		if e := &events[i]; e.Signal == upstream.DenialRate && e.Payer != nil && e.Status != upstream.Resolved {
			byPayer[*e.Payer] = append(byPayer[*e.Payer], e)
		}
	}
	return sideBySide(slices.Collect(maps.Keys(byPayer)), func(payer string) error {
		groups, first, last := drift.DenialsToExplain(byPayer[payer]...)
		denials, err := t.Denials(ctx, payer, groups, first, last, from)
		if err != nil {
			return err
		}
		for _, e := range byPayer[payer] {
			drift.Explain(e, denials)
		}
		return nil
	})
}

// sideBySide does work on each item, on all processors.
func sideBySide[T any](items []T, work func(T) error) error {
	errs := make([]error, len(items))
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(items)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(items); i = int(next.Add(1)) - 1 {
				errs[i] = work(items[i])
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// sampleClaims is how many claims an event names.
const sampleClaims = 5

// addSamples names some of the denials that prove each event that goes on. They
// alone have an index; `upstream event claims` lists those of any event.
func addSamples(ctx context.Context, t *store.Tenant, events []upstream.DriftEvent) error {
	var proven []*upstream.DriftEvent
	for i := range events {
		e := &events[i]
		if denials := e.Signal == upstream.DenialRate || e.Signal == upstream.Overturn; denials && e.Status != upstream.Resolved {
			proven = append(proven, e)
		}
	}
	return t.SampleClaims(ctx, proven, sampleClaims)
}

// printFeed prints events as a person reads them: those that go on, then those
// that the run closed, then what the run could not see.
func (a *app) printFeed(run upstream.ReportRun, events []upstream.DriftEvent) {
	var closed []*upstream.DriftEvent
	for i := range events {
		if events[i].Status == upstream.Resolved {
			closed = append(closed, &events[i])
		}
	}
	a.printf("as of %s: %d nodes looked at, %d drift events\n", run.AsOf, run.Summary.NodesConsidered, len(events)-len(closed))
	for i := range events {
		if e := &events[i]; e.Status != upstream.Resolved {
			a.printf("\n%s\n", marked(e, run.AsOf))
			a.printEvidence(e)
		}
	}
	if len(closed)+len(run.Summary.Notes)+len(run.Summary.PromptPay) > 0 {
		a.printf("\n")
	}
	for _, e := range closed {
		a.printf("%s\n", resolvedLine(e))
	}
	for _, note := range run.Summary.Notes {
		a.printf("note: %s\n", note)
	}
	for _, p := range run.Summary.PromptPay {
		a.printf("%s\n", promptPayLine(p))
	}
}

func (a *app) printEvidence(e *upstream.DriftEvent) {
	a.printf("   %s\n", evidence(e))
	if e.Spread != "" {
		a.printf("   spread over %s\n", e.Spread)
	}
	if len(e.SampleClaimIDs) > 0 {
		a.printf("   claims: %s\n", strings.Join(e.SampleClaimIDs, " "))
	}
}

func evidence(e *upstream.DriftEvent) string {
	told := fmt.Sprintf("change between %s and %s, known %s; %s claims against %s; ln evidence %.1f, %s sure",
		e.ChangeDateLow, e.ChangeDateHigh, e.KnownAt, thousands(e.CurrentN), thousands(e.BaselineN), e.LnEvidence, sureness(e.Confidence))
	if e.Quieted > 1 {
		told += fmt.Sprintf("; needed %.0f times the evidence after noise verdicts", e.Quieted)
	}
	return told
}

// sureness never says 100 %: nothing here is certain.
func sureness(p float64) string {
	if p > .999 {
		return "over 99.9 %"
	}
	return percent(p)
}
