package main

import (
	"encoding/json"
	"errors"
	"runtime/debug"
	"text/tabwriter"
	"time"

	"upstream"
)

type customerCmd struct {
	Create customerCreateCmd `cmd:"" help:"Make a customer; the first one has id 1."`
	List   customerListCmd   `cmd:"" help:"List the customers."`
}

type customerCreateCmd struct {
	Name string `arg:"" help:"The practice's name."`
	JSON bool   `name:"json" help:"Print the customer as JSON."`
}

func (*customerCreateCmd) Help() string {
	return "Example:  upstream customer create \"Northside Orthopedics\""
}

func (c *customerCreateCmd) Run(a *app) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	made, err := s.CreateCustomer(a.audited(0, "customer.create", "", c.Name), c.Name, a.now())
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(made)
	}
	a.printf("customer %d: %s\n", made.ID, made.Name)
	return nil
}

type customerListCmd struct {
	JSON bool `name:"json" help:"Print the customers as JSON."`
}

func (*customerListCmd) Help() string { return "Example:  upstream customer list" }

func (c *customerListCmd) Run(a *app) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	customers, err := s.Customers(a)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	if c.JSON {
		if customers == nil {
			customers = []upstream.Customer{}
		}
		return a.printJSON(customers)
	}
	if len(customers) == 0 {
		a.notef("there is no customer yet; `upstream customer create NAME` makes one")
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	row(w, "id", "name", "claims", "created")
	for _, k := range customers {
		row(w, k.ID, k.Name, k.Claims, k.CreatedAt.Format(time.DateOnly))
	}
	return nil
}

func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

type migrateCmd struct{}

func (*migrateCmd) Help() string {
	return "Example:  upstream migrate --database postgres://upstream@localhost/upstream"
}

func (*migrateCmd) Run(a *app) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	v, err := s.SchemaVersion(a)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	a.printf("the database is at schema version %d\n", v)
	return nil
}

type versionCmd struct{}

func (*versionCmd) Help() string { return "Example:  upstream version" }

func (*versionCmd) Run(a *app) error {
	goVersion := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
	}
	a.printf("upstream %s (%s)\n", version, goVersion)
	return nil
}
