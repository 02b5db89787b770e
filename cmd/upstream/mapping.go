package main

import (
	"context"
	"errors"
	"text/tabwriter"

	"upstream"
	"upstream/internal/store"
)

type mappingCmd struct {
	Payer     mappingPayerCmd     `cmd:"" help:"Which payer is meant by a spelling in files."`
	CPT       mappingCPTCmd       `cmd:"" name:"cpt" help:"Which group a procedure code is in."`
	Unmatched mappingUnmatchedCmd `cmd:"" help:"List payers and codes that nothing knows yet."`
	Apply     mappingApplyCmd     `cmd:"" help:"Bring the claims that are there in line with the mappings."`
}

type mappingPayerCmd struct {
	List   mappingPayerListCmd   `cmd:"" help:"List the payer mappings."`
	Set    mappingPayerSetCmd    `cmd:"" help:"Say which payer is meant by a spelling."`
	Remove mappingPayerRemoveCmd `cmd:"" help:"Remove the mapping of a spelling."`
}

type mappingCPTCmd struct {
	List   mappingCPTListCmd   `cmd:"" help:"List the customer's own procedure groups."`
	Set    mappingCPTSetCmd    `cmd:"" help:"Put a procedure code into a group."`
	Remove mappingCPTRemoveCmd `cmd:"" help:"Put a code back into the group it has without a mapping."`
}

// forCustomer is what every command about mappings takes.
type forCustomer struct {
	Customer int64 `required:"" placeholder:"ID" help:"The customer."`
}

func (c *forCustomer) run(a *app, f func(*store.Tenant) error) error {
	return a.withTenant(c.Customer, f)
}

type mappingPayerListCmd struct {
	forCustomer
	JSON bool `name:"json" help:"Print the mappings as JSON."`
}

func (*mappingPayerListCmd) Help() string {
	return `Lists what the customer's files mean by their spellings of payers, beside the spellings that are known to all.

Example:  upstream mapping payer list --customer 1`
}

func (c *mappingPayerListCmd) Run(a *app) error {
	return c.run(a, func(t *store.Tenant) error {
		all, err := everyPage(func(p upstream.Page) (upstream.List[upstream.PayerMapping], error) { return t.PayerMappings(a, p) })
		if err != nil {
			return err
		}
		if c.JSON {
			return a.printJSON(all)
		}
		if len(all) == 0 {
			a.notef("there is no payer mapping; `upstream mapping unmatched --customer %d` shows what could be mapped", c.Customer)
			return nil
		}
		w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		row(w, "id", "spelling", "payer")
		for _, m := range all {
			row(w, m.ID, m.Raw, m.Payer)
		}
		return w.Flush()
	})
}

type mappingPayerSetCmd struct {
	Raw   string `arg:"" help:"A spelling as files have it; case, punctuation and legal forms make no difference."`
	Payer string `arg:"" help:"The payer's one name."`
	forCustomer
}

func (*mappingPayerSetCmd) Help() string {
	return `The mapping comes before the spellings that are known to all, and acts on every later load. For the claims that are there run "upstream mapping apply". A spelling that is set to itself stays a payer of its own.

Example:  upstream mapping payer set "Lake Cnty Trust" "Lake County Trust" --customer 1`
}

func (c *mappingPayerSetCmd) Run(a *app) error {
	return c.run(a, func(t *store.Tenant) error {
		m := upstream.PayerMapping{Raw: c.Raw, Payer: c.Payer}
		detail := c.Raw + " as " + c.Payer
		known, err := t.PayerMappingOf(a, c.Raw)
		switch {
		case err == nil:
			m.ID = known.ID
			m, err = t.ChangePayerMapping(a.audited(c.Customer, "payer_mapping.change", idText(m.ID), detail), m)
		case upstream.ErrorCode(err) == upstream.NotFound:
			m, err = t.CreatePayerMapping(a.audited(c.Customer, "payer_mapping.create", "", detail), m)
		}
		if err != nil {
			return err
		}
		a.printf("%s is %s from the next load on; `upstream mapping apply --customer %d` brings the claims that are there in line\n", m.Raw, m.Payer, c.Customer)
		return nil
	})
}

type mappingPayerRemoveCmd struct {
	Raw string `arg:"" help:"The spelling."`
	forCustomer
}

func (*mappingPayerRemoveCmd) Help() string {
	return `Acts on later loads. Claims that were loaded under the mapping keep the payer they have: how their file spelled it is not stored.

Example:  upstream mapping payer remove "Lake Cnty Trust" --customer 1`
}

func (c *mappingPayerRemoveCmd) Run(a *app) error {
	return c.run(a, func(t *store.Tenant) error {
		m, err := t.PayerMappingOf(a, c.Raw)
		if err == nil {
			err = t.DeletePayerMapping(a.audited(c.Customer, "payer_mapping.remove", idText(m.ID), m.Raw+" as "+m.Payer), m.ID)
		}
		if err == nil {
			a.printf("removed: %s as %s\n", m.Raw, m.Payer)
		}
		return err
	})
}

type mappingCPTListCmd struct {
	forCustomer
	JSON bool `name:"json" help:"Print the mappings as JSON."`
}

func (*mappingCPTListCmd) Help() string {
	return `Lists the codes that the customer has put into groups of its own choice. All others are in groups by the sections of the CPT code set.

Example:  upstream mapping cpt list --customer 1`
}

func (c *mappingCPTListCmd) Run(a *app) error {
	return c.run(a, func(t *store.Tenant) error {
		all, err := everyPage(func(p upstream.Page) (upstream.List[upstream.CPTMapping], error) { return t.CPTMappings(a, p) })
		if err != nil {
			return err
		}
		if c.JSON {
			return a.printJSON(all)
		}
		if len(all) == 0 {
			a.notef("the customer has put no code into another group; `upstream mapping unmatched --customer %d` shows codes without one", c.Customer)
			return nil
		}
		w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		row(w, "id", "code", "group")
		for _, m := range all {
			row(w, m.ID, m.Code, m.CPTGroup)
		}
		return w.Flush()
	})
}

type mappingCPTSetCmd struct {
	Code  string `arg:"" help:"A CPT or HCPCS code."`
	Group string `arg:"" help:"The group's name, one there is or a new one."`
	forCustomer
}

func (*mappingCPTSetCmd) Help() string {
	return `A code is in one group at a time, with all its claims: the mapping acts with the next load, or with "upstream mapping apply".

Example:  upstream mapping cpt set 0042T "CT and MRI" --customer 1`
}

func (c *mappingCPTSetCmd) Run(a *app) error {
	return c.run(a, func(t *store.Tenant) error {
		m := upstream.CPTMapping{Code: c.Code, CPTGroup: c.Group}
		detail := c.Code + " in " + c.Group
		known, err := t.CPTMappingOf(a, c.Code)
		switch {
		case err == nil:
			m.ID = known.ID
			m, err = t.ChangeCPTMapping(a.audited(c.Customer, "cpt_mapping.change", idText(m.ID), detail), m)
		case upstream.ErrorCode(err) == upstream.NotFound:
			m, err = t.CreateCPTMapping(a.audited(c.Customer, "cpt_mapping.create", "", detail), m)
		}
		if err != nil {
			return err
		}
		a.printf("%s is in %s with the next load; `upstream mapping apply --customer %d` does it now\n", m.Code, m.CPTGroup, c.Customer)
		return nil
	})
}

type mappingCPTRemoveCmd struct {
	Code string `arg:"" help:"The code."`
	forCustomer
}

func (*mappingCPTRemoveCmd) Help() string {
	return `The code goes back into its group by the sections of the CPT code set, with the next load or with "upstream mapping apply".

Example:  upstream mapping cpt remove 0042T --customer 1`
}

func (c *mappingCPTRemoveCmd) Run(a *app) error {
	return c.run(a, func(t *store.Tenant) error {
		m, err := t.CPTMappingOf(a, c.Code)
		if err == nil {
			err = t.DeleteCPTMapping(a.audited(c.Customer, "cpt_mapping.remove", idText(m.ID), m.Code+" in "+m.CPTGroup), m.ID)
		}
		if err == nil {
			a.printf("removed: %s in %s; it is in %s with the next load\n", m.Code, m.CPTGroup, upstream.CPTGroup(m.Code))
		}
		return err
	})
}

type mappingUnmatchedCmd struct {
	forCustomer
	JSON bool `name:"json" help:"Print them as JSON."`
}

func (*mappingUnmatchedCmd) Help() string {
	return `Lists the payers among the claims that no mapping and no known spelling names, and the codes that are in no group, those with most claims first. Of codes it counts the claims that a primary payer denied or allowed something for.

Example:  upstream mapping unmatched --customer 1`
}

// unmatched is what --json prints.
type unmatched struct {
	Payers []upstream.UnmatchedPayer `json:"payers"`
	Codes  []upstream.UnmatchedCode  `json:"codes"`
}

func (c *mappingUnmatchedCmd) Run(a *app) error {
	return c.run(a, func(t *store.Tenant) error {
		var all unmatched
		var err, failed error
		all.Payers, err = t.UnmatchedPayers(a)
		all.Codes, failed = t.UnmatchedCodes(a)
		if err = errors.Join(err, failed); err != nil {
			return err
		}
		if c.JSON {
			return a.printJSON(all)
		}
		if len(all.Payers)+len(all.Codes) == 0 {
			a.notef("every payer and code is known")
			return nil
		}
		w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		row(w, "what", "name", "claims")
		for _, p := range all.Payers {
			row(w, "payer", p.Payer, thousands(p.Claims))
		}
		for _, k := range all.Codes {
			row(w, "code", k.Code, thousands(k.Claims))
		}
		return w.Flush()
	})
}

type mappingApplyCmd struct{ forCustomer }

func (*mappingApplyCmd) Help() string {
	return `Gives the claims that were loaded before a mapping was made the payer and the group they have by it. Stopped, it goes on where it was when it is run again; run once more, it changes nothing. Drift events keep the names they were found under.

Example:  upstream mapping apply --customer 1`
}

func (c *mappingApplyCmd) Run(a *app) error {
	return c.run(a, func(t *store.Tenant) error {
		n, err := t.ApplyMappings(a.audited(c.Customer, "mapping.apply", "", ""))
		if err != nil {
			if errors.Is(err, context.Canceled) {
				a.notef("stopped: %s changed so far", count(n, "claim"))
			}
			return err
		}
		a.printf("%s changed\n", count(n, "claim"))
		return nil
	})
}
