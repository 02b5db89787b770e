package main

import (
	"context"
	"fmt"

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
	return `Compares each payer, and each payer's procedure groups, with its own past and prints what changed: alerts first, within the budget of false alarms, then what is only watched. The run and its events are kept; an event that is found again keeps its id.

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
		started := a.now()
		d := detection{detector: c.Detector, asOf: asOf, today: a.today(), from: store.From(c.From), budget: c.Budget}
		found, err := d.evaluate(a, t)
		if err != nil {
			return err
		}
		run := found.run
		run.StartedAt, run.FinishedAt = started, a.now()
		if err := t.SaveRun(a, &run, found.events); err != nil {
			return err
		}
		if c.JSON {
			return a.printJSON(detectReport{run, found.events})
		}
		a.printFeed(run, found.events)
		return nil
	})
}

// detection is one evaluation to be done.
type detection struct {
	detector string
	asOf     upstream.Day // zero: the last decision known today
	today    upstream.Day
	from     store.From
	budget   float64
}

// finding is what an evaluation came to.
type finding struct {
	run             upstream.ReportRun
	events          []upstream.DriftEvent
	claimsInWindows int64
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
	decisions, err := t.Decisions(ctx, until, d.from)
	if err != nil {
		return finding{}, err
	}
	if decisions.Days() == 0 {
		if customer.Claims == 0 {
			return finding{}, upstream.Errorf(upstream.Invalid, "customer %d has no claims yet; load some with `upstream ingest --customer %d FILE`", customer.ID, customer.ID)
		}
		return finding{}, upstream.Errorf(upstream.Invalid, "nothing was decided by %s; choose a later --as-of", until)
	}
	if d.asOf == 0 {
		until = decisions.To
	}
	f := finding{run: upstream.ReportRun{RunType: "custom", Status: upstream.RunSuccess, Detector: d.detector, AsOf: until}}
	var result drift.Result
	if d.detector == "threshold" {
		result, err = d.threshold(ctx, t, until)
	} else {
		result = drift.New(drift.Data{Decisions: decisions}, drift.Options{Budget: d.budget}).At(until, nil)
	}
	if err != nil {
		return finding{}, err
	}
	return d.finish(ctx, t, f, result, customer, decisions)
}

func (d detection) threshold(ctx context.Context, t *store.Tenant, asOf upstream.Day) (drift.Result, error) {
	w := drift.ThresholdWindow(asOf)
	nodes, err := t.SubmittedWindows(ctx, w.BaselineFirst, w.CurrentFirst, asOf, d.from)
	return drift.Threshold(nodes, asOf), err
}

// finish adds what the pure result lacks: sample claims, counts, data version.
func (d detection) finish(ctx context.Context, t *store.Tenant, f finding, r drift.Result, customer upstream.Customer, decisions *upstream.Decisions) (finding, error) {
	if err := addSamples(ctx, t, r); err != nil {
		return f, err
	}
	f.events = r.Events
	f.run.Summary, f.run.EventCount = r.Summary, len(r.Events)
	f.run.Summary.DataVersion = customer.DataVersion
	first, last := int(r.Summary.FirstDay-decisions.From), int(r.Summary.LastDay-decisions.From)
	for _, n := range decisions.Nodes {
		for day := max(first, 0); day <= last && day < len(n.Decided); day++ {
			f.claimsInWindows += int64(n.Decided[day])
		}
	}
	return f, nil
}

// sampleClaims is how many claims an event names.
const sampleClaims = 5

func addSamples(ctx context.Context, t *store.Tenant, r drift.Result) error {
	for i := range r.Events {
		e := &r.Events[i]
		if e.Payer == nil {
			continue
		}
		group := ""
		if e.CPTGroup != nil {
			group = *e.CPTGroup
		}
		ids, err := t.SampleClaims(ctx, *e.Payer, group, e.CurrentFirst, e.CurrentLast, sampleClaims)
		if err != nil {
			return err
		}
		e.SampleClaimIDs = ids
	}
	return nil
}

// printFeed prints events as a person reads them.
func (a *app) printFeed(run upstream.ReportRun, events []upstream.DriftEvent) {
	a.printf("as of %s: %d nodes looked at, %d drift events\n", run.AsOf, run.Summary.NodesConsidered, len(events))
	for _, e := range events {
		a.printf("\n%s\n", headline(e))
		a.printf("   %s\n", evidence(e))
		if len(e.SampleClaimIDs) > 0 {
			a.printf("   claims:")
			for _, id := range e.SampleClaimIDs {
				a.printf(" %s", id)
			}
			a.printf("\n")
		}
	}
}

// headline tells an event in a line: "ALERT #3 Aetna, Physical therapy: denials
// 8.1 % → 17.2 % since 2026-03-04, about $4,100 a month".
func headline(e upstream.DriftEvent) string {
	node := "all payers"
	if e.Payer != nil {
		node = *e.Payer
	}
	if e.CPTGroup != nil {
		node += ", " + *e.CPTGroup
	}
	mark := map[upstream.Tier]string{upstream.Alert: "ALERT", upstream.Watch: "watch"}[e.Tier]
	return fmt.Sprintf("%s #%d  %s: denials %s → %s since %s, about %s a month", mark, e.ID, node,
		percent(e.BaselineValue), percent(e.CurrentValue), e.ChangeDate, e.DollarsPerMonth.Dollars())
}

func evidence(e upstream.DriftEvent) string {
	return fmt.Sprintf("change between %s and %s, known %s; %s claims against %s; ln evidence %.1f, %s sure",
		e.ChangeDateLow, e.ChangeDateHigh, e.KnownAt, thousands(e.CurrentN), thousands(e.BaselineN), e.LnEvidence, sureness(e.Confidence))
}

// sureness never says 100 %: nothing here is certain.
func sureness(p float64) string {
	if p > .999 {
		return "over 99.9 %"
	}
	return percent(p)
}

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }
