package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"upstream"
)

// postgresEngine is a pool of connections to PostgreSQL 15 or newer. Writers of
// one customer hold pg_advisory_xact_lock(customer): without it concurrent
// uploads leave wrong rollup cells.
type postgresEngine struct{ pool *pgxpool.Pool }

// migrationLock is the advisory lock of migrations, out of the range of customers.
const migrationLock = -1

func openPostgres(ctx context.Context, url string) (engine, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The parse error quotes the URL, which may hold a password.
		return nil, upstream.Errorf(upstream.Invalid, "the database URL can't be read; write it as postgres://user:password@host:5432/name")
	}
	switch config.ConnConfig.DefaultQueryExecMode {
	case pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec:
		// These answer in text; rows are read in the binary format. This one
		// also keeps no prepared statements, which is what poolers need.
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, postgresError(err)
	}
	e := &postgresEngine{pool}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, postgresError(err)
	}
	return e, nil
}

func (e *postgresEngine) name() string { return "postgres" }

func (e *postgresEngine) close() error {
	e.pool.Close()
	return nil
}

func (e *postgresEngine) read(ctx context.Context, f func(tx) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return e.in(ctx, options, "", 0, f)
}

func (e *postgresEngine) peek(ctx context.Context, sql string, args []any, each func(row) error) error {
	rows, err := e.pool.Query(ctx, sql, args...)
	if err == nil {
		defer rows.Close()
		for err == nil && rows.Next() {
			err = each(postgresRow(rows.RawValues()))
		}
		if err == nil {
			err = rows.Err()
		}
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return postgresError(err)
}

func (e *postgresEngine) write(ctx context.Context, customer int64, f func(tx) error) error {
	return e.in(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, "SELECT pg_advisory_xact_lock($1)", customer, f)
}

func (e *postgresEngine) migrate(ctx context.Context, f func(tx) error) error {
	return e.write(ctx, migrationLock, f)
}

// analyze doesn't wait for autovacuum, which comes after a minute: until then the
// planner takes the customer for a small one and reads all its claims to find some.
func (e *postgresEngine) analyze(ctx context.Context) error {
	_, err := e.pool.Exec(ctx, "ANALYZE claim, claim_past")
	return postgresError(err)
}

func (e *postgresEngine) in(ctx context.Context, options pgx.TxOptions, lock string, customer int64, f func(tx) error) error {
	err := pgx.BeginTxFunc(ctx, e.pool, options, func(p pgx.Tx) error {
		if lock != "" {
			if _, err := p.Exec(ctx, lock, customer); err != nil {
				return err
			}
		}
		return f(&postgresTx{ctx, p})
	})
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return postgresError(err)
}

// postgresError says what to do about what PostgreSQL reports; other errors pass.
func postgresError(err error) error {
	if err == nil {
		return nil
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return upstream.Errorf(upstream.Unavailable, "can't reach PostgreSQL at %s, database %s, as %s; check that it runs and that --database is right",
			connect.Config.Host, connect.Config.Database, connect.Config.User)
	}
	var server *pgconn.PgError
	if errors.As(err, &server) {
		switch server.Code[:2] {
		case "53": // insufficient resources: disk full, out of memory, too many connections
			return upstream.Errorf(upstream.Unavailable, "PostgreSQL has run out of room (%s); nothing of this step was kept: make room and run the command again", server.Message)
		case "57", "08": // shutdown, connection lost
			return upstream.Errorf(upstream.Unavailable, "PostgreSQL has closed the connection (%s); try again", server.Message)
		case "42": // privileges
			if server.Code == "42501" {
				return upstream.Errorf(upstream.Unavailable, "the PostgreSQL user may not do this (%s); grant it the database's schema", server.Message)
			}
		}
		// Never the row that failed: DETAIL holds claim content.
		return fmt.Errorf("PostgreSQL: %s (SQLSTATE %s)", server.Message, server.Code)
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err) {
		return upstream.Errorf(upstream.Unavailable, "the connection to PostgreSQL broke; try again")
	}
	return err
}

type postgresTx struct {
	ctx context.Context
	tx  pgx.Tx
}

func (t *postgresTx) query(sql string, args []any, each func(row) error) error {
	rows, err := t.tx.Query(t.ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(postgresRow(rows.RawValues())); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (t *postgresTx) exec(sql string, args ...any) (int64, error) {
	tag, err := t.tx.Exec(t.ctx, sql, args...)
	return tag.RowsAffected(), err
}

func (t *postgresTx) execMany(sql string, n int, args func(i int, params []any)) error {
	parameters := strings.Count(sql, "$")
	for start := 0; start < n; start += 1000 {
		var batch pgx.Batch
		for i := start; i < min(n, start+1000); i++ {
			params := make([]any, parameters)
			args(i, params)
			batch.Queue(sql, params...)
		}
		if err := t.tx.SendBatch(t.ctx, &batch).Close(); err != nil {
			return err
		}
	}
	return nil
}

func (t *postgresTx) script(sql string) error {
	_, err := t.tx.Exec(t.ctx, sql, pgx.QueryExecModeSimpleProtocol)
	return err
}

// insertClaims copies all rows at once and falls back to asking first which
// keys are taken: a first load has none, a repeated one mostly taken ones.
func (t *postgresTx) insertClaims(rows []claimRow) ([]int, error) {
	err := t.inSavepoint(func() error { return t.copyClaims(rows) })
	var server *pgconn.PgError
	if err == nil || !errors.As(err, &server) || server.Code != "23505" {
		return nil, err
	}
	known, err := t.takenKeys(rows)
	if err != nil {
		return nil, err
	}
	var taken []int
	var fresh []claimRow
	for i := range rows {
		key := rows[i].key()
		if known[key] {
			taken = append(taken, i)
			continue
		}
		known[key] = true // a second row of the same claim in this batch
		fresh = append(fresh, rows[i])
	}
	if len(fresh) == 0 {
		return taken, nil
	}
	return taken, t.copyClaims(fresh)
}

func (t *postgresTx) inSavepoint(f func() error) error {
	return pgx.BeginFunc(t.ctx, t.tx, func(pgx.Tx) error { return f() })
}

func (t *postgresTx) copyClaims(rows []claimRow) error {
	values := make([]any, claimInts+2)
	columns := strings.Split(claimColumns, ", ")
	_, err := t.tx.CopyFrom(t.ctx, pgx.Identifier{"claim"}, columns, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		rows[i].values(values)
		return values, nil
	}))
	return err
}

func (t *postgresTx) takenKeys(rows []claimRow) (map[claimKey]bool, error) {
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i] = rows[i].claimID
	}
	known := make(map[claimKey]bool, len(rows))
	err := t.query("SELECT claim_id, line FROM claim WHERE customer_id = $1 AND claim_id = ANY($2)",
		[]any{rows[0].ints[colCustomer], ids}, func(r row) error {
			known[claimKey{r.text(0), r.int(1)}] = true
			return nil
		})
	return known, err
}

// postgresRow is a row in PostgreSQL's binary format. All our integers are
// BIGINT, counts included.
type postgresRow [][]byte

func (r postgresRow) int(i int) int64 {
	switch b := r[i]; len(b) {
	case 8:
		return int64(binary.BigEndian.Uint64(b))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b)))
	}
	return 0
}
func (r postgresRow) text(i int) string  { return string(r[i]) }
func (r postgresRow) bytes(i int) []byte { return r[i] }
