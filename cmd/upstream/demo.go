package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"text/tabwriter"

	"upstream"
	"upstream/internal/api"
	"upstream/internal/detection"
	"upstream/internal/drift"
	"upstream/internal/store"
	"upstream/internal/synth"
)

type demoCmd struct {
	Records     int64  `default:"250000" help:"Claims to make, over one year."`
	Listen      string `default:"localhost:8000" placeholder:"ADDRESS" help:"Where the API answers; loopback only, as everybody knows the demo's passwords."`
	NoServe     bool   `help:"Print what was found and end."`
	serverFlags `kong:"set='rates=off',set='admin=off',set='drain=0s'"`
}

func (*demoCmd) Help() string {
	return `Makes a customer named "Demo Practice" and a year of claims with planted drifts in the database, replays the year week by week, and prints what was found beside what was planted. Then it serves the API to this machine, with two users: testuser, password testpass123, an analyst of the practice, and admin, password admin123, a superuser. Run again, it uses what is there. Ctrl-C ends it.

Example:  upstream demo --records 1000000`
}

const (
	demoName = "Demo Practice"
	demoSeed = 1
)

func (c *demoCmd) Run(a *app) error {
	if !loopback(c.Listen) || c.Admin != "off" && !loopback(c.Admin) {
		return upstream.Errorf(upstream.Forbidden, "the demo is for this machine only, as everybody knows its passwords: --listen and --admin must be addresses like localhost:8000; `upstream serve` serves others")
	}
	var d doors
	if !c.NoServe {
		var err error
		if d, err = c.open(c.Listen); err != nil { // before the claims are made
			return err
		}
		defer d.close()
		c.PublicURL = c.address(d.public[0].Addr())
	}
	s, err := a.open()
	if err != nil {
		return err
	}
	if err = refuseOthersUsers(a, s); err == nil {
		err = c.run(a, s)
	}
	if err == nil && !c.NoServe {
		err = c.serve(a, s, d, func(*api.Options) error { return c.banner(a, s) })
	}
	return errors.Join(err, s.Close())
}

// address is how a browser on this machine reaches the demo.
func (c *demoCmd) address(listens net.Addr) string {
	if host, _, _ := net.SplitHostPort(c.Listen); host == "localhost" {
		return fmt.Sprintf("http://localhost:%d", listens.(*net.TCPAddr).Port)
	}
	return "http://" + listens.String()
}

// banner tells where to look and who may sign in.
func (c *demoCmd) banner(a *app, s *store.Store) error {
	open, err := openDemoUsers(a, s)
	if err != nil {
		return err
	}
	a.printf("\nUpstream answers at %s%s, documentation at %[1]s%[2]sdocs/\n", c.PublicURL, api.Prefix)
	for _, u := range demoUsers {
		what := "analyst of " + demoName
		if u.superuser {
			what = "superuser"
		}
		if slices.Contains(open, u) {
			a.printf("  %-8s  password %-11s  %s\n", u.name, u.password, what)
		} else {
			a.printf("  %-8s  with another password than the demo's, or disabled\n", u.name)
		}
	}
	a.printf("For this machine only: it listens on loopback, and anyone on it can sign in. Ctrl-C ends it.\n")
	return nil
}

func (c *demoCmd) run(a *app, s *store.Store) error {
	customer, asOf, err := c.customer(a, s)
	if err != nil {
		return err
	}
	t, err := s.Tenant(a, customer.ID)
	if err != nil {
		return err
	}
	options := synth.Options{Records: c.Records, Seed: demoSeed, AsOf: asOf}
	options.Drifts = synth.Planted(options)
	g, err := synth.New(options)
	if err != nil {
		return err
	}
	start := a.now()
	u, added, err := a.generate(t, g, 1000)
	if err != nil {
		return err
	}
	if added > 0 {
		a.printf("%s claims of %s from %s to %s, %.1f s\n", thousands(u.Read), demoName, u.DateMin, u.DateMax, a.now().Sub(start).Seconds())
	}
	start = a.now()
	weeks, err := a.replay(t, asOf)
	if err != nil {
		return err
	}
	a.printf("%d weekly detections replayed in %.1f s; nothing after its week is used by any of them\n", weeks, a.now().Sub(start).Seconds())
	events, err := allEvents(a, t, store.EventFilter{Detector: detection.Upstream})
	if err != nil {
		return err
	}
	a.compare(options.Drifts, events, asOf)
	if err := makeDemoUsers(a, s, customer.ID); err != nil {
		return err
	}
	a.printf(`
What to try next (customer %d, in %s):
  upstream detect-drift --customer %d                     today's drift feed with its evidence
  upstream event list --customer %d                       what goes on; upstream event --help judges it
  upstream detect-drift --customer %d --detector threshold  what the usual rule cries
  upstream benchmark-drift --customer %d                  how fast detection is
  upstream rollup verify                                 the rollups equal the claims
  upstream customer create "My practice", then upstream ingest --customer ID FILE.csv
`, customer.ID, databaseName(a.database), customer.ID, customer.ID, customer.ID, customer.ID)
	return nil
}

// databaseName tells where the data is without the password of a URL.
func databaseName(url string) string {
	if strings.HasPrefix(url, "sqlite:") {
		return url
	}
	return "PostgreSQL"
}

// customer finds the demo customer or makes it. The demo's year ends on the day
// the customer was made, so that a later run finds the claims of the first.
func (c *demoCmd) customer(a *app, s *store.Store) (upstream.Customer, upstream.Day, error) {
	customers, err := s.Customers(a)
	if err != nil {
		return upstream.Customer{}, 0, err
	}
	i := slices.IndexFunc(customers, func(k upstream.Customer) bool { return k.Name == demoName })
	if i >= 0 {
		a.printf("%s is there already: customer %d\n", demoName, customers[i].ID)
		return customers[i], upstream.DayOf(customers[i].CreatedAt), nil
	}
	made, err := s.CreateCustomer(a, demoName, a.now())
	return made, upstream.DayOf(made.CreatedAt), err
}

// replay runs detection as of each of the last 52 weeks, as a schedule would
// have done, and stores the runs.
func (a *app) replay(t *store.Tenant, asOf upstream.Day) (weeks int, err error) {
	data, err := detection.Load(a, t, asOf, store.FromRollups, detection.Signals{})
	if err != nil || data.Decisions.Days() == 0 {
		return 0, err
	}
	detector := drift.New(data, drift.Options{})
	for day := asOf - 51*7; day <= asOf; day += 7 {
		if day < data.Decisions.From {
			continue
		}
		_, err := detection.Save(a, t, a.now, func() (detection.Finding, error) {
			f, err := detection.At(a, t, detector, day, store.FromRollups)
			f.Run.RunType = "weekly"
			return f, err
		})
		if err != nil {
			return weeks, err
		}
		weeks++
	}
	return weeks, nil
}

// allEvents lists the drift events that a filter chooses.
func allEvents(a *app, t *store.Tenant, f store.EventFilter) ([]upstream.DriftEvent, error) {
	return everyPage(func(p upstream.Page) (upstream.List[upstream.DriftEvent], error) { return t.Events(a, f, p) })
}

// compare prints what was planted beside what alerted, and then the alerts that
// tell of nothing planted.
func (a *app) compare(planted []synth.Drift, events []upstream.DriftEvent, asOf upstream.Day) {
	alerts := slices.DeleteFunc(slices.Clone(events), func(e upstream.DriftEvent) bool { return e.Tier != upstream.Alert })
	used := map[int64]bool{}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	a.printf("\n")
	row(w, "PLANTED", "FOUND", "KNOWN", "DAYS")
	for _, d := range planted {
		found := slices.IndexFunc(alerts, func(e upstream.DriftEvent) bool { return tells(e, d) })
		if found < 0 {
			row(w, d.Describe(), "not found", "", "")
			continue
		}
		for _, e := range alerts {
			if tells(e, d) {
				used[e.ID] = true
			}
		}
		e := alerts[found]
		row(w, d.Describe(), marked(&e, asOf), e.KnownAt, int(e.KnownAt-d.Start))
	}
	w.Flush()
	others := slices.DeleteFunc(alerts, func(e upstream.DriftEvent) bool { return used[e.ID] })
	a.printf("\n%d alerts tell of nothing planted", len(others))
	for _, e := range others {
		a.printf("\n  %s", marked(&e, asOf))
	}
	a.printf("\n")
}

// matchDays is how long after its end a drift may still be found.
const matchDays = 28

// tells reports whether an event tells of a planted drift: same signal,
// overlapping node, known between the drift's start and four weeks after its end.
func tells(e upstream.DriftEvent, d synth.Drift) bool {
	if e.Signal != d.Signal || e.Payer == nil || (*e.Payer != d.Payer && d.Payer != synth.EveryPayer) {
		return false
	}
	if e.CPTGroup != nil && d.CPTGroup != nil && *e.CPTGroup != *d.CPTGroup {
		return false
	}
	return e.KnownAt >= d.Start && (d.End == 0 || e.KnownAt <= d.End+matchDays)
}
