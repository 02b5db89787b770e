package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"upstream"
	"upstream/internal/store"
)

type eventCmd struct {
	List        eventListCmd        `cmd:"" help:"List drift events."`
	Show        eventShowCmd        `cmd:"" help:"Show one drift event with its evidence and history."`
	Claims      eventClaimsCmd      `cmd:"" help:"List the claims that prove a drift event."`
	Acknowledge eventAcknowledgeCmd `cmd:"" help:"Say that somebody is at it; it stays in the feed."`
	Resolve     eventResolveCmd     `cmd:"" help:"Say that it is over."`
	Noise       eventNoiseCmd       `cmd:"" help:"Say that nothing had changed; its node then needs more evidence."`
	Reopen      eventReopenCmd      `cmd:"" help:"Take such a verdict back."`
}

type eventListCmd struct {
	Customer int64  `required:"" placeholder:"ID" help:"The customer."`
	Status   string `enum:",open,acknowledged,resolved,noise" default:"" placeholder:"STATUS" help:"Only events of this status: open, acknowledged, resolved or noise."`
	All      bool   `help:"Events of every status; without it those that go on."`
	Detector string `default:"upstream" enum:"upstream,threshold" help:"Whose events: upstream, or threshold."`
	JSON     bool   `name:"json" help:"Print the events as JSON."`
}

func (*eventListCmd) Help() string {
	return `Lists the drift events that go on, open or acknowledged, in the order in which they were found.

Example:  upstream event list --customer 1`
}

func (c *eventListCmd) Run(a *app) error {
	filter := store.EventFilter{Detector: c.Detector}
	switch {
	case c.All && c.Status != "":
		return upstream.Errorf(upstream.Invalid, "--all and --status can't both be given")
	case c.Status != "":
		filter.Statuses = []upstream.EventStatus{upstream.EventStatus(c.Status)}
	case !c.All:
		filter.Statuses = upstream.ActiveStatuses
	}
	return a.withTenant(c.Customer, func(t *store.Tenant) error {
		events, err := allEvents(a, t, filter)
		if err != nil {
			return err
		}
		if c.JSON {
			if events == nil {
				events = []upstream.DriftEvent{}
			}
			return a.printJSON(events)
		}
		if len(events) == 0 {
			a.notef("there is no such event; `upstream detect-drift --customer %d` looks for some, --all lists those that are over", c.Customer)
			return nil
		}
		w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		defer w.Flush()
		row(w, "id", "tier", "status", "owner", "event")
		for i := range events {
			e := &events[i]
			row(w, e.ID, e.Tier, e.Status, e.Owner, headline(e, a.today()))
		}
		return nil
	})
}

type eventShowCmd struct {
	ID       int64 `arg:"" help:"The event's number."`
	Customer int64 `required:"" placeholder:"ID" help:"The customer."`
	JSON     bool  `name:"json" help:"Print the event and its history as JSON."`
}

func (*eventShowCmd) Help() string {
	return `Prints what changed, the evidence for it, and what runs and people did with the event since.

Example:  upstream event show 3 --customer 1`
}

// eventReport is what --json prints.
type eventReport struct {
	Event   upstream.DriftEvent `json:"event"`
	History []store.EventChange `json:"history"`
}

func (c *eventShowCmd) Run(a *app) error {
	return a.withTenant(c.Customer, func(t *store.Tenant) error {
		e, err := t.Event(a, c.ID)
		if err != nil {
			return err
		}
		history, err := t.EventHistory(a, c.ID)
		if err != nil {
			return err
		}
		if c.JSON {
			return a.printJSON(eventReport{e, history})
		}
		a.printf("%s\n", marked(&e, a.today()))
		a.printEvidence(&e)
		for _, k := range history {
			a.printf("   %s  %s\n", k.At.Format("2006-01-02 15:04"), historyLine(k))
		}
		return nil
	})
}

// historyLine tells one entry of a history: "acknowledged by ann, owner ben: asked Aetna".
func historyLine(k store.EventChange) string {
	line := string(k.Status)
	if k.Resolution != "" {
		line += " (" + k.Resolution + ")"
	}
	switch {
	case k.Run != 0:
		line += fmt.Sprintf(" by run %d", k.Run)
	case k.Who != "":
		line += " by " + k.Who
	}
	if k.Owner != "" {
		line += ", owner " + k.Owner
	}
	if k.Note != "" {
		line += ": " + k.Note
	}
	return line
}

type eventClaimsCmd struct {
	ID       int64  `arg:"" help:"The event's number."`
	Customer int64  `required:"" placeholder:"ID" help:"The customer."`
	CSV      string `name:"csv" placeholder:"FILE" help:"Write all of them as CSV; - is standard output."`
	Limit    int    `placeholder:"N" help:"At most so many, the newest; 50 if not given, all with --csv."`
}

func (*eventClaimsCmd) Help() string {
	return `Lists the claims that prove an event, newest first: the denials, the claims decided late or still waiting, the lines paid below the rate, the payments taken back, or the denials that still stand.

Example:  upstream event claims 3 --customer 1 --csv aetna.csv`
}

func (c *eventClaimsCmd) Run(a *app) error {
	if c.Limit < 0 {
		return upstream.Errorf(upstream.Invalid, "--limit must be positive")
	}
	return a.withTenant(c.Customer, func(t *store.Tenant) error {
		e, err := t.Event(a, c.ID)
		if err != nil {
			return err
		}
		if c.CSV != "" {
			return c.writeCSV(a, t, &e)
		}
		w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		row(w, "claim", "line", "payer", "cpt", "location", "submitted", "first decided", "first outcome", "carc", "billed")
		n, err := eachClaim(a, t, &e, c.limit(50), func(k *upstream.Claim) error {
			row(w, k.ClaimID, k.Line, k.Payer, k.CPT, k.Location, k.SubmittedDate, k.FirstDecidedDate, k.FirstOutcome, k.CARC, k.Billed.Plain())
			return nil
		})
		if err = errors.Join(err, w.Flush()); err != nil {
			return err
		}
		if int64(n) < e.EvidenceClaims {
			a.notef("%s of %s; --limit shows more, --csv FILE writes all", thousands(int64(n)), count(e.EvidenceClaims, "claim"))
		}
		return nil
	})
}

func (c *eventClaimsCmd) limit(unset int) int {
	if c.Limit == 0 {
		return unset
	}
	return c.Limit
}

// claimColumns are the columns of --csv.
var claimColumns = []string{
	"claim_id", "line", "payer", "cpt", "modifiers", "units", "place_of_service", "location", "service_date", "submitted_date", "received_date",
	"first_decided_date", "first_outcome", "decided_date", "outcome", "payment_date", "billed", "allowed", "paid", "carc", "rarc", "payer_control_number",
}

func (c *eventClaimsCmd) writeCSV(a *app, t *store.Tenant, e *upstream.DriftEvent) error {
	f, err := a.create(c.CSV)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	_ = w.Write(claimColumns) // an error stays in w
	n, err := eachClaim(a, t, e, c.limit(0), func(k *upstream.Claim) error { return w.Write(claimRecord(k)) })
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if c.CSV != "-" {
		a.printf("%s written to %s\n", count(int64(n), "claim"), c.CSV)
	}
	return nil
}

func claimRecord(k *upstream.Claim) []string {
	record := []string{
		k.ClaimID, strconv.Itoa(k.Line), k.Payer, k.CPT, k.Modifiers, strconv.Itoa(k.Units), k.PlaceOfService, k.Location,
		k.ServiceDate.String(), k.SubmittedDate.String(), k.ReceivedDate.String(),
		k.FirstDecidedDate.String(), k.FirstOutcome.String(), k.DecidedDate.String(), k.Outcome.String(), k.PaymentDate.String(),
		k.Billed.Plain(), k.Allowed.Plain(), k.Paid.Plain(), string(k.CARC), string(k.RARC), k.PayerControlNumber,
	}
	for i, text := range record { // a spreadsheet would run these as a formula
		if strings.HasPrefix(text, "=") || strings.HasPrefix(text, "+") || strings.HasPrefix(text, "@") {
			record[i] = "'" + text
		}
	}
	return record
}

// eachClaim passes the claims of an event to f, up to limit; all when it is zero.
func eachClaim(a *app, t *store.Tenant, e *upstream.DriftEvent, limit int, f func(*upstream.Claim) error) (n int, err error) {
	page := upstream.Page{Size: upstream.MaxPageSize}
	for {
		if limit > 0 {
			page.Size = min(limit-n, upstream.MaxPageSize)
		}
		claims, err := t.EventClaims(a, e, page)
		if err != nil {
			return n, err
		}
		for i := range claims {
			if err := f(&claims[i]); err != nil {
				return n, err
			}
			n++
		}
		if len(claims) < page.Size || n == limit {
			return n, nil
		}
		page.After.ID = claims[len(claims)-1].ID
	}
}

// verdictFlags are what every verdict takes.
type verdictFlags struct {
	ID       int64   `arg:"" help:"The event's number."`
	Customer int64   `required:"" placeholder:"ID" help:"The customer."`
	Note     *string `help:"What others should know about it."`
	Owner    *string `help:"Who takes care of it."`
	By       string  `placeholder:"NAME" help:"Who says so, for the history."`
}

// judge records a verdict and prints what follows from it.
func (v *verdictFlags) judge(a *app, action string, status upstream.EventStatus, tell func(io.Writer, *upstream.DriftEvent)) error {
	return a.withTenant(v.Customer, func(t *store.Tenant) error {
		detail := ""
		if v.Note != nil {
			detail = *v.Note
		}
		e, err := t.Judge(a.audited(v.Customer, action, idText(v.ID), detail), v.ID, store.Verdict{Status: status, Owner: v.Owner, Note: v.Note, Who: v.By}, a.now())
		if err != nil {
			return err
		}
		tell(a.stdout, &e)
		return nil
	})
}

type eventAcknowledgeCmd struct{ verdictFlags }

func (*eventAcknowledgeCmd) Help() string {
	return `Marks an event as seen. Detection goes on with it and closes it when it is over.

Example:  upstream event acknowledge 3 --customer 1 --owner ann --note "called Aetna"`
}

func (c *eventAcknowledgeCmd) Run(a *app) error {
	return c.judge(a, "event.acknowledge", upstream.Acknowledged, func(w io.Writer, e *upstream.DriftEvent) {
		fmt.Fprintf(w, "acknowledged: %s\n", node(e))
	})
}

type eventResolveCmd struct{ verdictFlags }

func (*eventResolveCmd) Help() string {
	return `Closes an event. What it came to counts as normal from now on; a further change is a new event.

Example:  upstream event resolve 3 --customer 1 --note "Aetna reprocessed the claims"`
}

func (c *eventResolveCmd) Run(a *app) error {
	return c.judge(a, "event.resolve", upstream.Resolved, func(w io.Writer, e *upstream.DriftEvent) {
		fmt.Fprintf(w, "resolved: %s\n", node(e))
	})
}

type eventNoiseCmd struct{ verdictFlags }

func (*eventNoiseCmd) Help() string {
	return `Closes an event as a false alarm. Its payer, or payer and procedure group, needs twice the evidence from now on, twice again for each further verdict of noise; nothing else changes.

Example:  upstream event noise 3 --customer 1 --note "our own coding change"`
}

func (c *eventNoiseCmd) Run(a *app) error {
	return c.judge(a, "event.noise", upstream.Noise, func(w io.Writer, e *upstream.DriftEvent) {
		fmt.Fprintf(w, "noise: %s needs twice the evidence from now on; nothing else changes\n", node(e))
	})
}

type eventReopenCmd struct{ verdictFlags }

func (*eventReopenCmd) Help() string {
	return `Opens an event again that was acknowledged, resolved or judged as noise.

Example:  upstream event reopen 3 --customer 1`
}

func (c *eventReopenCmd) Run(a *app) error {
	return c.judge(a, "event.reopen", upstream.Open, func(w io.Writer, e *upstream.DriftEvent) {
		fmt.Fprintf(w, "open again: %s\n", node(e))
	})
}
