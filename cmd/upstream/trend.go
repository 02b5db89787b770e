package main

import (
	"strings"
	"text/tabwriter"

	"upstream"
	"upstream/internal/drift"
	"upstream/internal/store"
)

type trendCmd struct {
	Customer int64  `required:"" placeholder:"ID" help:"The customer whose claims are looked at."`
	Payer    string `placeholder:"NAME" help:"One payer; all of them, one after the other, if not given."`
	Weeks    int    `default:"26" help:"How many weeks, the last ones."`
	AsOf     string `placeholder:"DATE" help:"Use only what was known on that date. Today if not given."`
	JSON     bool   `name:"json" help:"Print the weeks as JSON."`
}

func (*trendCmd) Help() string {
	return `Prints, by week of submission, which share of the claims is denied among those decided within 45 days. Weeks younger than that are estimated from the claims that are old enough to tell (Aalen-Johansen), so fast denials or fast payments don't bend them; they are hatched, and the share decided so far stands beside them.

Example:  upstream trend --customer 1 --payer Aetna`
}

// payerTrend is one payer's weeks, as --json prints them.
type payerTrend struct {
	Payer string              `json:"payer"`
	Weeks []upstream.WeekRate `json:"weeks"`
}

func (c *trendCmd) Run(a *app) error {
	if c.Weeks < 1 || c.Weeks > 156 {
		return upstream.Errorf(upstream.Invalid, "--weeks must be 1 to 156")
	}
	asOf := a.today()
	if c.AsOf != "" {
		var err error
		if asOf, err = upstream.ParseDay(c.AsOf); err != nil {
			return err
		}
	}
	return a.withTenant(c.Customer, func(t *store.Tenant) error {
		trends, err := c.read(a, t, asOf)
		if err != nil {
			return err
		}
		if c.JSON {
			return a.printJSON(trends)
		}
		for _, p := range trends {
			a.printTrend(p)
		}
		return nil
	})
}

func (c *trendCmd) read(a *app, t *store.Tenant, asOf upstream.Day) ([]payerTrend, error) {
	waits, err := t.Waits(a, asOf, store.FromRollups)
	if err != nil {
		return nil, err
	}
	wanted := c.Payer
	if wanted != "" {
		if wanted, err = t.PayerName(a, wanted); err != nil {
			return nil, err
		}
	}
	trends := []payerTrend{}
	for i := range waits.Payers {
		p := &waits.Payers[i]
		if p.Clock != upstream.DecisionClock || wanted != "" && p.Payer != wanted {
			continue
		}
		weeks := drift.Mature(p, waits.From, asOf)
		trends = append(trends, payerTrend{p.Payer, weeks[max(len(weeks)-c.Weeks, 0):]})
	}
	switch {
	case len(trends) > 0:
		return trends, nil
	case wanted != "":
		return nil, upstream.Errorf(upstream.NotFound, "no claims of that payer were submitted by %s; leave --payer out to see the payers there are", asOf)
	}
	return nil, upstream.Errorf(upstream.Invalid, "no claims were submitted by %s; load some with `upstream ingest`, or choose a later --as-of", asOf)
}

// barWidth is how many characters stand for a denial rate of one half.
const barWidth = 40

func (a *app) printTrend(p payerTrend) {
	a.printf("%s\n", p.Payer)
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	row(w, "WEEK OF", "SUBMITTED", "DECIDED", "DENIED", "")
	for _, k := range p.Weeks {
		if k.DecidedShare == 0 { // nothing to estimate from
			row(w, k.Week, thousands(k.Submitted), "0 %", "–", "")
			continue
		}
		mark := "█"
		if k.Immature {
			mark = "░"
		}
		bar := strings.Repeat(mark, min(int(k.DenialRate*2*barWidth+.5), barWidth))
		row(w, k.Week, thousands(k.Submitted), percent(k.DecidedShare), percent(k.DenialRate), bar)
	}
	w.Flush()
	a.printf("\n")
}
