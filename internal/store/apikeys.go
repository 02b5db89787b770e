package store

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"upstream"
)

// maxScopes bounds the scopes of a key.
const maxScopes = 50

var scopeForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,49}$`)

// CreateAPIKey stores a key of a customer by the hash of its text and returns it
// with its id.
func (s *Store) CreateAPIKey(ctx context.Context, k upstream.APIKey, hash string, now time.Time) (upstream.APIKey, error) {
	k.Name = strings.TrimSpace(k.Name)
	k.CreatedAt, k.RevokedAt = instant(now.UnixMicro()), nil
	if k.Scopes == nil {
		k.Scopes = []string{}
	}
	if err := checkAPIKey(&k, hash); err != nil {
		return k, err
	}
	scopes, err := json.Marshal(k.Scopes)
	if err != nil {
		return k, err
	}
	err = s.write(ctx, 0, func(x tx) error {
		if _, err := readCustomer(x, k.Customer); err != nil {
			return err
		}
		if k.ID, err = one(x, "SELECT COALESCE(MAX(id), 0) + 1 FROM api_key WHERE customer_id = $1", k.Customer); err != nil {
			return err
		}
		nameAuditTarget(ctx, k.ID)
		_, err = x.exec(`INSERT INTO api_key (customer_id, id, key_hash, name, prefix, role, scopes, created_by, created_at, expires_at, revoked_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0)`,
			k.Customer, k.ID, hash, k.Name, k.Prefix, string(k.Role), string(scopes), k.CreatedBy, k.CreatedAt.UnixMicro(), orNever(k.ExpiresAt))
		return err
	})
	return k, err
}

func checkAPIKey(k *upstream.APIKey, hash string) error {
	if n := utf8.RuneCountInString(k.Name); n < 1 || n > 100 || !isText(k.Name) || strings.ContainsFunc(k.Name, unicode.IsControl) {
		return upstream.Errorf(upstream.Invalid, "an API key needs a name of 1 to 100 characters")
	}
	if _, err := upstream.ParseRole(string(k.Role)); err != nil {
		return err
	}
	if hash == "" || !isText(hash) || !isText(k.Prefix) || !isText(k.CreatedBy) {
		return upstream.Errorf(upstream.Internal, "an API key came without a hash, or with a text that can't be stored")
	}
	if k.ExpiresAt != nil && !k.ExpiresAt.After(k.CreatedAt) {
		return upstream.Errorf(upstream.Invalid, "the API key would have expired already; choose a later date")
	}
	if len(k.Scopes) > maxScopes {
		return upstream.Errorf(upstream.Invalid, "an API key has at most %d scopes", maxScopes)
	}
	for _, scope := range k.Scopes {
		if !scopeForm.MatchString(scope) {
			return upstream.Errorf(upstream.Invalid, "a scope is the name of a resource, as claims or drift-events")
		}
	}
	return nil
}

// orNever and everNever write and read an instant that may be missing.
func orNever(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixMicro()
}

func everNever(micros int64) *time.Time {
	if micros == 0 {
		return nil
	}
	t := instant(micros)
	return &t
}

const apiKeyColumns = "customer_id, id, name, prefix, role, scopes, created_by, created_at, expires_at, revoked_at"

func scanAPIKey(r row) (upstream.APIKey, error) {
	k := upstream.APIKey{
		Customer: r.int(0), ID: r.int(1), Name: r.text(2), Prefix: r.text(3), Role: upstream.Role(r.text(4)),
		CreatedBy: r.text(6), CreatedAt: instant(r.int(7)), ExpiresAt: everNever(r.int(8)), RevokedAt: everNever(r.int(9)),
	}
	return k, json.Unmarshal([]byte(r.text(5)), &k.Scopes)
}

// APIKeys lists a customer's keys by id, revoked ones included, one page at a time.
func (s *Store) APIKeys(ctx context.Context, customer int64, page upstream.Page) (list upstream.List[upstream.APIKey], err error) {
	l := &listing{table: "api_key", columns: apiKeyColumns, id: "id", order: byID, args: params{customer}}
	err = s.read(ctx, func(x tx) error {
		list, err = readList(x, l, page, scanAPIKey)
		return err
	})
	return list, err
}

// RevokeAPIKey ends a key of a customer and returns it. One that is revoked
// already keeps the time at which it was.
func (s *Store) RevokeAPIKey(ctx context.Context, customer, id int64, now time.Time) (k upstream.APIKey, err error) {
	err = s.write(ctx, 0, func(x tx) error {
		if _, err := x.exec("UPDATE api_key SET revoked_at = $1 WHERE customer_id = $2 AND id = $3 AND revoked_at = 0", now.UnixMicro(), customer, id); err != nil {
			return err
		}
		err := x.query("SELECT "+apiKeyColumns+" FROM api_key WHERE customer_id = $1 AND id = $2", []any{customer, id}, func(r row) (err error) {
			k, err = scanAPIKey(r)
			return err
		})
		if err == nil && k.ID == 0 {
			err = upstream.Errorf(upstream.NotFound, "customer %d has no API key %d; `upstream apikey list --customer %d` shows those there are", customer, id, customer)
		}
		return err
	})
	return k, err
}

// APIKeyByHash returns the key with a hash, also one that is no longer Live;
// found is false when there is none.
func (s *Store) APIKeyByHash(ctx context.Context, hash string) (k upstream.APIKey, found bool, err error) {
	if !isText(hash) {
		return k, false, nil
	}
	err = s.peek(ctx, "SELECT "+apiKeyColumns+" FROM api_key WHERE key_hash = $1", []any{hash}, func(r row) (err error) {
		k, err = scanAPIKey(r)
		return err
	})
	return k, k.ID != 0, err
}
