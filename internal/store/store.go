// Package store is the only place that knows SQL: claims, rollups, uploads and
// drift events of many customers, on an embedded SQLite file or on PostgreSQL.
//
// No claim is reached without a Tenant, and every key begins with the customer.
// A method that changes something has committed, durably, when it returns.
package store

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"upstream"
)

// Store is an open database, safe for use by many goroutines.
type Store struct {
	db           engine
	queries      atomic.Int64
	slow         *slowLog // nil: nobody asks
	dictionaries dictionaries
	look         looks
}

// Open opens the database of a URL, makes it if it is a file that does not exist
// yet, and brings its schema up to date; after an upgrade that may mean to make
// all rollups again, some seconds for each million claims. sqlite:FILE is the embedded database,
// postgres://… a PostgreSQL one.
func Open(ctx context.Context, url string) (*Store, error) {
	db, err := openEngine(ctx, url)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, look: manyLooks}
	if err := s.migrate(ctx); err != nil {
		db.close()
		return nil, err
	}
	if err := s.renewRollups(ctx); err != nil {
		db.close()
		return nil, err
	}
	return s, nil
}

func openEngine(ctx context.Context, url string) (engine, error) {
	scheme, rest, found := strings.Cut(url, ":")
	switch {
	case found && scheme == "sqlite" && strings.TrimPrefix(rest, "//") != "":
		return openSQLite(strings.TrimPrefix(rest, "//"))
	case found && (scheme == "postgres" || scheme == "postgresql"):
		return openPostgres(ctx, url)
	}
	return nil, upstream.Errorf(upstream.Invalid, "the database must be sqlite:FILE or postgres://user:password@host:5432/name; set it with --database or UPSTREAM_DATABASE")
}

// Exists reports whether the URL names a database that is there already, as far
// as that shows without opening it: the file of sqlite:FILE.
func Exists(url string) bool {
	path, isFile := strings.CutPrefix(url, "sqlite:")
	if !isFile {
		return true
	}
	_, err := os.Stat(strings.TrimPrefix(path, "//"))
	return err == nil
}

// Close waits for transactions under way and closes the database.
func (s *Store) Close() error { return s.db.close() }

// Engine returns "sqlite" or "postgres".
func (s *Store) Engine() string { return s.db.name() }

// Queries returns how many statements have been run since Open.
func (s *Store) Queries() int64 { return s.queries.Load() }

// read runs f on one snapshot, for somebody who waits: a statement that takes
// longer than readLimit is ended.
func (s *Store) read(ctx context.Context, f func(tx) error) error {
	w := s.statements(ctx)
	defer w.told(ctx)
	return s.db.read(ctx, readLimit, w.in(f))
}

// scan is read for what goes over all claims and may take minutes.
func (s *Store) scan(ctx context.Context, f func(tx) error) error {
	w := s.statements(ctx)
	defer w.told(ctx)
	return s.db.read(ctx, 0, w.in(f))
}

// peek runs one query that reads a row or few by key, outside of a transaction.
func (s *Store) peek(ctx context.Context, sql string, args []any, each func(row) error) error {
	w := s.statements(ctx)
	defer w.told(ctx)
	start, rows := w.begin(), int64(0)
	err := s.db.peek(ctx, sql, args, func(r row) error {
		rows++
		return each(r)
	})
	w.end(sql, start, rows)
	return err
}

// write runs f in one durable transaction and advances the revision of what it
// belongs to: the customer's, or that of access for customer 0. The audit entry
// that the context carries, if any, is appended by the same transaction.
func (s *Store) write(ctx context.Context, customer int64, f func(tx) error) error {
	return s.writeAudited(ctx, customer, func(t tx) error {
		if err := f(t); err != nil {
			return err
		}
		return advance(t, customer)
	})
}

// writeAudited is write for what no answer has shown yet, so that none need be made
// anew: a sign-in.
func (s *Store) writeAudited(ctx context.Context, customer int64, f func(tx) error) error {
	entry, mine := auditOf(ctx), false
	err := s.writeQuietly(ctx, customer, func(t tx) error {
		if err := f(t); err != nil {
			return err
		}
		if mine = entry.take(); !mine {
			return nil
		}
		return entry.append(t)
	})
	if mine && err != nil {
		entry.putBack()
	}
	return err
}

func advance(t tx, customer int64) error {
	if customer == 0 {
		_, err := t.exec("UPDATE access SET revision = revision + 1 WHERE id = 1")
		return err
	}
	_, err := t.exec("UPDATE customer SET revision = revision + 1 WHERE id = $1", customer)
	return err
}

// writeQuietly is write for changes that no answer shows.
func (s *Store) writeQuietly(ctx context.Context, customer int64, f func(tx) error) error {
	w := s.statements(ctx)
	defer w.told(ctx)
	return s.db.write(ctx, customer, w.in(f))
}

// Revisions are what answers are keyed by: one that was made at the same
// revisions is not stale. Data belongs to a customer, Access to users and keys.
type Revisions struct{ Access, Data int64 }

// Revisions reads the revisions in one statement; Data is zero for a customer
// that doesn't exist.
func (s *Store) Revisions(ctx context.Context, customer int64) (r Revisions, err error) {
	err = s.peek(ctx, "SELECT a.revision, COALESCE(c.revision, 0) FROM access a LEFT JOIN customer c ON c.id = $1 WHERE a.id = 1", []any{customer}, func(row row) error {
		r = Revisions{row.int(0), row.int(1)}
		return nil
	})
	return r, err
}

func instant(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// one returns the single integer of a query; zero without a row.
func one(t tx, sql string, args ...any) (v int64, err error) {
	err = t.query(sql, args, func(r row) error {
		v = r.int(0)
		return nil
	})
	return v, err
}

// Tenant is the door to the data of one customer.
type Tenant struct {
	s  *Store
	id int64
}

// Tenant returns the door to a customer, or NotFound.
func (s *Store) Tenant(ctx context.Context, customer int64) (*Tenant, error) {
	t := &Tenant{s, customer}
	_, err := t.Customer(ctx)
	return t, err
}

// KnownTenant is Tenant for a customer whose revision has just been read: it asks
// for nothing.
func (s *Store) KnownTenant(customer int64) *Tenant { return &Tenant{s, customer} }

// Customer returns the customer's record as it stands now.
func (t *Tenant) Customer(ctx context.Context) (c upstream.Customer, err error) {
	err = t.s.read(ctx, func(x tx) error {
		c, err = readCustomer(x, t.id)
		return err
	})
	return c, err
}
