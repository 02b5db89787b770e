package main

import (
	"errors"
	"fmt"
	"strings"

	"upstream"
	"upstream/internal/store"
)

type rollupCmd struct {
	Verify  rollupVerifyCmd  `cmd:"" help:"Compute the rollups again from the claims and compare."`
	Rebuild rollupRebuildCmd `cmd:"" help:"Make the rollups again from the claims."`
}

type rollupVerifyCmd struct {
	Customer int64 `placeholder:"ID" help:"Only this customer; all of them if not given."`
}

func (*rollupVerifyCmd) Help() string {
	return "The exit code is 1 when a rollup differs from its claims.\n\nExample:  upstream rollup verify"
}

func (c *rollupVerifyCmd) Run(a *app) error {
	return a.eachCustomer(c.Customer, func(k upstream.Customer, t *store.Tenant) error {
		check, err := t.VerifyRollup(a)
		if err != nil {
			return err
		}
		if !check.OK() {
			var wrong []string
			for _, kind := range check.Kinds {
				if kind.Wrong > 0 {
					wrong = append(wrong, fmt.Sprintf("%s %s of %s", kind.Kind, thousands(int64(kind.Wrong)), thousands(int64(kind.Cells))))
				}
			}
			if check.WrongCount {
				wrong = append(wrong, "the count of claims")
			}
			return upstream.Errorf(upstream.Corrupt, "customer %d: rollup cells differ from the claims (%s); `upstream rollup rebuild --customer %d` mends them",
				k.ID, strings.Join(wrong, ", "), k.ID)
		}
		a.printf("customer %d: %s claims, %s cells, all equal\n", k.ID, thousands(check.Claims), thousands(int64(check.Cells())))
		return nil
	})
}

type rollupRebuildCmd struct {
	Customer int64 `placeholder:"ID" help:"Only this customer; all of them if not given."`
}

func (*rollupRebuildCmd) Help() string { return "Example:  upstream rollup rebuild --customer 1" }

func (c *rollupRebuildCmd) Run(a *app) error {
	return a.eachCustomer(c.Customer, func(k upstream.Customer, t *store.Tenant) error {
		if err := t.RebuildRollup(a); err != nil {
			return err
		}
		a.printf("customer %d: rollups made again from %s claims\n", k.ID, thousands(k.Claims))
		return nil
	})
}

// eachCustomer calls f with one customer, or with all when id is 0, and goes on
// after an error.
func (a *app) eachCustomer(id int64, f func(upstream.Customer, *store.Tenant) error) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	var ids []int64
	if id != 0 {
		ids = []int64{id}
	} else {
		customers, err := s.Customers(a)
		if err != nil {
			return errors.Join(err, s.Close())
		}
		for _, k := range customers {
			ids = append(ids, k.ID)
		}
	}
	var failed error
	for _, id := range ids {
		t, err := s.Tenant(a, id)
		if err == nil {
			var k upstream.Customer
			if k, err = t.Customer(a); err == nil {
				err = f(k, t)
			}
		}
		failed = errors.Join(failed, err)
	}
	return errors.Join(failed, s.Close())
}
