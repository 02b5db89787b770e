package main

import (
	"cmp"
	"errors"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"upstream"
	"upstream/internal/store"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Check that nothing in the audit log was changed or removed."`
	List   auditListCmd   `cmd:"" help:"List who read or changed what, newest first."`
}

type auditVerifyCmd struct {
	Customer int64 `placeholder:"ID" help:"Only this customer; all, and what belongs to none, if not given."`
	JSON     bool  `name:"json" help:"Print the results as JSON."`
}

func (*auditVerifyCmd) Help() string {
	return `Each entry is sealed with the hash of the one before it. The exit code is 1 when one of them is not as it was written, or is missing.

Somebody who may write to the database can make a new log that is whole. Keep the hash that is printed somewhere else: as long as the log goes on from it, what came before is what it was.

Example:  upstream audit verify --customer 1`
}

func (c *auditVerifyCmd) Run(a *app) error {
	checks := []verifiedChain{}
	err := a.withStore(func(s *store.Store) error {
		customers, err := c.customers(a, s)
		if err != nil {
			return err
		}
		for _, id := range customers {
			check, err := s.VerifyAudit(a, id)
			if err != nil {
				return err
			}
			checks = append(checks, verifiedChain{id, check})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		if err := a.printJSON(checks); err != nil {
			return err
		}
	}
	var failed error
	for _, k := range checks {
		if !k.OK() {
			failed = errors.Join(failed, upstream.Errorf(upstream.Corrupt, "customer %d: audit entry %d: %s; compare it with a backup", k.Customer, k.FirstBad, k.Reason))
		} else if !c.JSON {
			a.printf("customer %d: audit entries as written: %s; hash of the last: %s\n", k.Customer, thousands(k.Entries), cmp.Or(k.Head, "-"))
		}
	}
	return failed
}

// customers returns those whose logs are to be checked.
func (c *auditVerifyCmd) customers(a *app, s *store.Store) ([]int64, error) {
	if c.Customer != 0 {
		_, err := s.Tenant(a, c.Customer)
		return []int64{c.Customer}, err
	}
	all, err := s.Customers(a)
	ids := []int64{0}
	for _, k := range all {
		ids = append(ids, k.ID)
	}
	return ids, err
}

// verifiedChain is what became of one customer's audit log.
type verifiedChain struct {
	Customer int64 `json:"customer"`
	store.AuditCheck
}

type auditListCmd struct {
	Customer int64  `required:"" placeholder:"ID" help:"The customer; 0 for what belongs to none."`
	Actor    string `placeholder:"NAME" help:"Only of this one, as user:ann or cli."`
	Action   string `placeholder:"NAME" help:"Only this action, as get_claims or user.create."`
	Target   string `placeholder:"ID" help:"Only what was done to this one."`
	From     string `placeholder:"DATE" help:"From this day on, in UTC."`
	To       string `placeholder:"DATE" help:"Up to this day and with it, in UTC."`
	Limit    int    `default:"50" placeholder:"N" help:"At most so many; 50 if not given."`
	JSON     bool   `name:"json" help:"Print the entries as JSON."`
}

func (*auditListCmd) Help() string {
	return "The entries may hold what was searched for: treat them as claims.\n\nExample:  upstream audit list --customer 1 --actor user:ann --from 2026-07-01"
}

func (c *auditListCmd) Run(a *app) error {
	filter, err := c.filter()
	if err != nil {
		return err
	}
	entries := []upstream.AuditEntry{}
	err = a.withStore(func(s *store.Store) error {
		page := upstream.Page{}
		for len(entries) < c.Limit {
			page.Size = min(c.Limit-len(entries), upstream.MaxPageSize)
			more, err := s.Audit(a, c.Customer, filter, page)
			if err != nil {
				return err
			}
			entries = append(entries, more.Items...)
			if page.After = more.Next; page.After.IsZero() {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(entries)
	}
	if len(entries) == 0 {
		a.notef("there is no such entry")
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	row(w, "id", "at", "actor", "action", "target", "count", "claims", "address", "detail")
	for i := range entries {
		e := &entries[i]
		row(w, e.ID, e.At.Format(time.RFC3339), oneLine(e.Actor), oneLine(e.Action), oneLine(e.Target), e.Count, len(e.Claims), oneLine(e.Address), oneLine(e.Detail))
	}
	return nil
}

// oneLine keeps a text that came with a request from moving the cursor of a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

func (c *auditListCmd) filter() (f store.AuditFilter, err error) {
	if c.Limit < 1 {
		return f, upstream.Errorf(upstream.Invalid, "--limit must be positive")
	}
	f = store.AuditFilter{Actor: c.Actor, Action: c.Action, Target: c.Target}
	if c.From != "" {
		day, err := upstream.ParseDay(c.From)
		if err != nil {
			return f, err
		}
		f.From = day.Time()
	}
	if c.To != "" {
		day, err := upstream.ParseDay(c.To)
		if err != nil {
			return f, err
		}
		f.To = (day + 1).Time()
	}
	return f, nil
}
