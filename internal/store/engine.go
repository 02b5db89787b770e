package store

import (
	"context"
	"time"

	"upstream"
)

// readLimit is how long one statement of a read may take on a database that is
// shared; connectionWait is how long to wait for one of the pool's connections.
const (
	readLimit      = 30 * time.Second
	connectionWait = 30 * time.Second
)

// errClosed is what a store answers after Close.
var errClosed = upstream.Errorf(upstream.Unavailable, "the database is closed: upstream is stopping")

// engine is one of the two databases. Both run the same SQL texts, with $1
// for parameters; what differs is behind these few methods.
type engine interface {
	// read runs f on one consistent snapshot. PostgreSQL ends a statement that takes
	// longer than the limit, unless it is zero.
	read(ctx context.Context, limit time.Duration, f func(tx) error) error
	// peek runs one query without a transaction around it, which is the fastest way
	// to read a row.
	peek(ctx context.Context, sql string, args []any, each func(row) error) error
	// write runs f in one durable transaction. Writers of one customer take
	// turns; customer 0 is for what belongs to none.
	write(ctx context.Context, customer int64, f func(tx) error) error
	// migrate runs f in a transaction that no other migration shares.
	migrate(ctx context.Context, f func(tx) error) error
	// analyze renews what the query planner knows of the claims.
	analyze(ctx context.Context) error
	// explain returns the plan of a statement, which it doesn't run.
	explain(ctx context.Context, sql string) (string, error)
	ping(ctx context.Context) error
	pool() upstream.PoolStats
	name() string
	close() error
}

// tx is a transaction or snapshot on either engine, bound to the context it was
// begun with.
type tx interface {
	query(sql string, args []any, each func(row) error) error
	exec(sql string, args ...any) (affected int64, err error)
	// execMany runs one statement n times; args fills the parameters of each run.
	execMany(sql string, n int, args func(i int, params []any)) error
	// insertClaims inserts the rows whose (customer_id, claim_id, line) is not
	// taken and returns the positions of the others, ascending.
	insertClaims(rows []claimRow) (taken []int, err error)
	// script runs a migration.
	script(sql string) error
}

// row is the current row of a query; columns count from 0 and NULL reads as
// zero. Bytes are valid until the next row.
type row interface {
	int(column int) int64
	text(column int) string
	bytes(column int) []byte
}
