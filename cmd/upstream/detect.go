package main

import (
	"fmt"
	"strings"

	"upstream"
	"upstream/internal/detection"
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
		defer detection.CollectRarely(store.From(c.From))()
		d := detection.Detection{Detector: c.Detector, AsOf: asOf, Today: a.today(), From: store.From(c.From), Budget: c.Budget}
		found, err := detection.Save(a.audited(c.Customer, "report_run.create", "", c.Detector), t, a.now, func() (detection.Finding, error) { return d.Evaluate(a, t) })
		if err != nil {
			return err
		}
		if c.JSON {
			return a.printJSON(detectReport{found.Run, found.Events})
		}
		a.printFeed(found.Run, found.Events)
		return nil
	})
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
