package main

import (
	"cmp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"upstream"
	"upstream/internal/auth"
	"upstream/internal/store"
)

type apikeyCmd struct {
	Create apikeyCreateCmd `cmd:"" help:"Make an API key, with which a program acts for a customer."`
	List   apikeyListCmd   `cmd:"" help:"List a customer's API keys."`
	Revoke apikeyRevokeCmd `cmd:"" help:"End an API key, at once and for good."`
}

type apikeyCreateCmd struct {
	Name     string   `arg:"" help:"What the key is for."`
	Customer int64    `required:"" placeholder:"ID" help:"The customer."`
	Role     string   `required:"" enum:"viewer,analyst,admin,owner" placeholder:"ROLE" help:"What the program may do: viewer, analyst, admin or owner."`
	Scope    []string `placeholder:"NAME" help:"Only these resources, as claims or uploads; all if not given."`
	Expires  string   `placeholder:"DATE" help:"The last day on which the key works, in UTC; it doesn't expire if not given."`
	JSON     bool     `name:"json" help:"Print the key as JSON."`
}

func (*apikeyCreateCmd) Help() string {
	return `The key is printed once and can't be shown again: only its hash is stored.

Example:  upstream apikey create "nightly export" --customer 1 --role viewer --scope claims`
}

func (c *apikeyCreateCmd) Run(a *app) error {
	k := upstream.APIKey{Customer: c.Customer, Name: c.Name, Role: upstream.Role(c.Role), Scopes: c.Scope, CreatedBy: "cli"}
	if c.Expires != "" {
		last, err := upstream.ParseDay(c.Expires)
		if err != nil {
			return err
		}
		end := (last + 1).Time()
		k.ExpiresAt = &end
	}
	key, prefix, hash := auth.NewAPIKey()
	k.Prefix = prefix
	return a.withStore(func(s *store.Store) error {
		k, err := s.CreateAPIKey(a.audited(c.Customer, "api_key.create", "", c.Name), k, hash, a.now())
		if err != nil {
			return err
		}
		if c.JSON {
			return a.printJSON(createdKey{k, key})
		}
		a.printf("%s\n", key)
		a.notef("this is API key %d of customer %d; it can't be shown again", k.ID, k.Customer)
		return nil
	})
}

// createdKey is an API key with its text, which is told only now.
type createdKey struct {
	upstream.APIKey
	Key string `json:"key"`
}

type apikeyListCmd struct {
	Customer int64 `required:"" placeholder:"ID" help:"The customer."`
	JSON     bool  `name:"json" help:"Print the keys as JSON."`
}

func (*apikeyListCmd) Help() string {
	return "Lists the keys by their first characters, also those that were revoked.\n\nExample:  upstream apikey list --customer 1"
}

func (c *apikeyListCmd) Run(a *app) error {
	var keys []upstream.APIKey
	err := a.withDatabase(c.Customer, func(s *store.Store, _ *store.Tenant) (err error) {
		keys, err = everyPage(func(p upstream.Page) (upstream.List[upstream.APIKey], error) { return s.APIKeys(a, c.Customer, p) })
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(keys)
	}
	if len(keys) == 0 {
		a.notef("the customer has no API key; `upstream apikey create NAME --customer %d --role viewer` makes one", c.Customer)
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	row(w, "id", "key", "name", "role", "scopes", "state", "created")
	for i := range keys {
		k := &keys[i]
		row(w, k.ID, k.Prefix, k.Name, k.Role, cmp.Or(strings.Join(k.Scopes, ","), "all"), keyState(k, a.now()), k.CreatedAt.Format(time.DateOnly))
	}
	return nil
}

func keyState(k *upstream.APIKey, now time.Time) string {
	switch {
	case k.RevokedAt != nil:
		return "revoked"
	case !k.Live(now):
		return "expired"
	case k.ExpiresAt != nil:
		return "until " + k.ExpiresAt.Add(-time.Second).Format(time.DateOnly)
	}
	return "live"
}

type apikeyRevokeCmd struct {
	ID       int64 `arg:"" help:"The key's number in the customer."`
	Customer int64 `required:"" placeholder:"ID" help:"The customer."`
}

func (*apikeyRevokeCmd) Help() string {
	return "A key that was revoked already stays so.\n\nExample:  upstream apikey revoke 1 --customer 1"
}

func (c *apikeyRevokeCmd) Run(a *app) error {
	return a.withDatabase(c.Customer, func(s *store.Store, _ *store.Tenant) error {
		k, err := s.RevokeAPIKey(a.audited(c.Customer, "api_key.revoke", idText(c.ID), ""), c.Customer, c.ID, a.now())
		if err != nil {
			return err
		}
		a.printf("API key %d: %s is revoked\n", k.ID, k.Prefix)
		return nil
	})
}

func idText(id int64) string { return strconv.FormatInt(id, 10) }
