package store

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"upstream"
)

// Customers lists all customers by id.
func (s *Store) Customers(ctx context.Context) ([]upstream.Customer, error) {
	var out []upstream.Customer
	err := s.read(ctx, func(t tx) error {
		return t.query("SELECT "+customerColumns+" FROM customer ORDER BY id", nil, func(r row) error {
			out = append(out, scanCustomer(r))
			return nil
		})
	})
	return out, err
}

// CustomersPage lists customers by id, one page at a time.
func (s *Store) CustomersPage(ctx context.Context, page upstream.Page) (list upstream.List[upstream.Customer], err error) {
	l := &listing{table: "customer", columns: customerColumns, id: "id", order: byID, everybody: true}
	err = s.read(ctx, func(x tx) error {
		list, err = readList(x, l, page, func(r row) (upstream.Customer, error) { return scanCustomer(r), nil })
		return err
	})
	return list, err
}

// CreateCustomer makes a customer; the first one has id 1. A name that is taken
// is a Conflict.
func (s *Store) CreateCustomer(ctx context.Context, name string, now time.Time) (upstream.Customer, error) {
	name, err := customerName(name)
	if err != nil {
		return upstream.Customer{}, err
	}
	c := upstream.Customer{Name: name, CreatedAt: now.UTC().Truncate(time.Microsecond)}
	err = s.write(ctx, 0, func(t tx) error {
		if err := freeCustomerName(t, name, 0); err != nil {
			return err
		}
		if c.ID, err = one(t, "SELECT COALESCE(MAX(id), 0) + 1 FROM customer"); err != nil {
			return err
		}
		nameAuditTarget(ctx, c.ID)
		_, err = t.exec("INSERT INTO customer (id, name, created_at, rollup_format, revision) VALUES ($1, $2, $3, $4, 1)", c.ID, name, c.CreatedAt.UnixMicro(), rollupFormat)
		return err
	})
	return c, err
}

// RenameCustomer gives a customer another name; one that is taken is a Conflict.
func (s *Store) RenameCustomer(ctx context.Context, id int64, name string) (c upstream.Customer, err error) {
	if name, err = customerName(name); err != nil {
		return c, err
	}
	err = s.write(ctx, 0, func(t tx) error {
		if err := freeCustomerName(t, name, id); err != nil {
			return err
		}
		// Answers about the customer show its name too.
		if _, err := t.exec("UPDATE customer SET name = $1, revision = revision + 1 WHERE id = $2", name, id); err != nil {
			return err
		}
		c, err = readCustomer(t, id)
		return err
	})
	return c, err
}

// customerName brings a name to its one form.
func customerName(name string) (string, error) {
	name = strings.Join(strings.Fields(name), " ")
	if name == "" || len(name) > 200 || !isText(name) {
		return "", upstream.Errorf(upstream.Invalid, "a customer needs a name of 1 to 200 characters")
	}
	return name, nil
}

// freeCustomerName refuses a name that another customer has.
func freeCustomerName(t tx, name string, id int64) error {
	taken, err := one(t, "SELECT COUNT(*) FROM customer WHERE name = $1 AND id <> $2", name, id)
	if err == nil && taken > 0 {
		err = upstream.Errorf(upstream.Conflict, "there is a customer of that name already; `upstream customer list` shows it")
	}
	return err
}

// readCustomer returns a customer, or NotFound.
func readCustomer(t tx, id int64) (c upstream.Customer, err error) {
	err = t.query("SELECT "+customerColumns+" FROM customer WHERE id = $1", []any{id}, func(r row) error {
		c = scanCustomer(r)
		return nil
	})
	if err == nil && c.ID == 0 {
		err = upstream.Errorf(upstream.NotFound, "there is no customer %d; `upstream customer create NAME` makes one, `upstream customer list` shows those there are", id)
	}
	return c, err
}

// isText reports whether both engines store a text as it is.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

const customerColumns = "id, name, created_at, claims, data_version"

func scanCustomer(r row) upstream.Customer {
	return upstream.Customer{ID: r.int(0), Name: r.text(1), CreatedAt: instant(r.int(2)), Claims: r.int(3), DataVersion: r.int(4)}
}
