package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"upstream"
)

// postgresEngine is a pool of connections to PostgreSQL 15 or newer. Writers of
// one customer hold pg_advisory_xact_lock(customer): without it concurrent
// uploads leave wrong rollup cells. It is for other processes; those of this one
// take turns before that.
type postgresEngine struct {
	conns      *pgxpool.Pool
	writers    turns
	waiting    atomic.Int32 // for a connection
	ownTimeout bool         // the URL sets statement_timeout: it holds for reads
	closed     atomic.Bool
}

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
	if !strings.Contains(url, "pool_max_conns=") {
		config.MaxConns = int32(max(4, 4*runtime.NumCPU()))
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectLimit
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, postgresError(err, false)
	}
	e := &postgresEngine{conns: pool, ownTimeout: strings.Contains(url, "statement_timeout")}
	if err := e.ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return e, nil
}

// connectLimit is how long to wait for a server that doesn't answer, unless the URL
// says connect_timeout.
const connectLimit = 5 * time.Second

func (e *postgresEngine) name() string { return "postgres" }

func (e *postgresEngine) close() error {
	e.closed.Store(true)
	e.conns.Close()
	return nil
}

func (e *postgresEngine) pool() upstream.PoolStats {
	s := e.conns.Stat()
	return upstream.PoolStats{
		Open: int(s.TotalConns()), Busy: int(s.AcquiredConns()), Max: int(s.MaxConns()),
		Waiting: int(e.waiting.Load()), Waits: s.EmptyAcquireCount(), Waited: s.EmptyAcquireWaitTime(),
	}
}

// ping runs a statement: a connection that is merely open proves nothing.
func (e *postgresEngine) ping(ctx context.Context) error {
	return e.peek(ctx, "SELECT 1", nil, func(row) error { return nil })
}

// Each transaction sets its own limit, in the round trip that begins it: a
// setting of the session would not survive a pooler.
func (e *postgresEngine) read(ctx context.Context, limit time.Duration, f func(tx) error) error {
	begin := "begin isolation level repeatable read read only"
	if limit == 0 || !e.ownTimeout {
		begin += fmt.Sprintf("; set local statement_timeout = %d", limit.Milliseconds())
	}
	return e.in(ctx, begin, f)
}

func (e *postgresEngine) peek(ctx context.Context, sql string, args []any, each func(row) error) error {
	var seen bool
	return e.with(ctx, func(c *pgxpool.Conn) (bool, error) {
		rows, err := c.Query(ctx, sql, args...)
		err = forEach(rows, err, func(r row) error {
			seen = true
			return each(r)
		})
		return !seen, err
	})
}

func (e *postgresEngine) write(ctx context.Context, customer int64, f func(tx) error) error {
	done, err := e.writers.take(ctx, customer)
	if err != nil {
		return err
	}
	defer done()
	return e.in(ctx, "begin isolation level read committed; set local statement_timeout = 0", func(t tx) error {
		if _, err := t.exec("SELECT pg_advisory_xact_lock($1)", customer); err != nil {
			return err
		}
		return f(t)
	})
}

func (e *postgresEngine) migrate(ctx context.Context, f func(tx) error) error {
	return e.write(ctx, migrationLock, f)
}

// analyze doesn't wait for autovacuum, which comes after a minute: until then the
// planner takes the customer for a small one and reads all its claims to find some.
func (e *postgresEngine) analyze(ctx context.Context) error {
	return e.with(ctx, func(c *pgxpool.Conn) (bool, error) {
		_, err := c.Exec(ctx, "ANALYZE claim, claim_past")
		return true, err
	})
}

func (e *postgresEngine) in(ctx context.Context, begin string, f func(tx) error) error {
	return e.with(ctx, func(c *pgxpool.Conn) (again bool, err error) {
		t, err := c.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
		if err != nil {
			return true, err
		}
		defer func() { _ = t.Rollback(ctx) }() // after a commit it does nothing
		if err := f(&postgresTx{ctx, t}); err != nil {
			return false, err
		}
		return false, t.Commit(ctx)
	})
}

// with runs f on a connection of the pool. Connections that died while they lay
// idle are found here: f, which says whether it may run again, gets another one,
// so that a restart of PostgreSQL fails no request that comes after it.
func (e *postgresEngine) with(ctx context.Context, f func(*pgxpool.Conn) (again bool, err error)) error {
	for first := true; ; first = false {
		again, dead, err := e.once(ctx, f)
		if err == nil || !dead || !again || !first {
			return err
		}
		e.conns.Reset()
	}
}

func (e *postgresEngine) once(ctx context.Context, f func(*pgxpool.Conn) (bool, error)) (again, dead bool, err error) {
	c, err := e.acquire(ctx)
	if err != nil {
		return false, false, err
	}
	defer c.Release()
	again, err = f(c)
	dead = c.Conn().IsClosed()
	if err != nil && ctx.Err() != nil {
		return false, dead, ctx.Err()
	}
	return again, dead, postgresError(err, dead)
}

// acquire takes a connection, which the caller releases.
func (e *postgresEngine) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, connectionWait)
	defer cancel()
	e.waiting.Add(1)
	defer e.waiting.Add(-1)
	c, err := e.conns.Acquire(limited)
	switch {
	case err == nil:
		return c, nil
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, ctx.Err()
	case e.closed.Load():
		return nil, errClosed
	case limited.Err() != nil:
		return nil, upstream.Errorf(upstream.Unavailable, "no connection to PostgreSQL became free in time; try again, or raise pool_max_conns in the database's URL: %w", limited.Err())
	}
	return nil, postgresError(err, false)
}

// explain asks for the plan that holds for any parameters: none are known here.
func (e *postgresEngine) explain(ctx context.Context, sql string) (string, error) {
	const name = "upstream_explain"
	var plan strings.Builder
	err := e.with(ctx, func(c *pgxpool.Conn) (bool, error) {
		t, err := c.BeginTx(ctx, pgx.TxOptions{BeginQuery: "begin read only; set local plan_cache_mode = force_generic_plan"})
		if err != nil {
			return true, err
		}
		// A prepared statement outlives its transaction, and one that has failed
		// lets nothing be deallocated.
		defer func() {
			_ = t.Rollback(ctx)
			_ = c.Conn().Deallocate(ctx, name)
		}()
		prepared, err := t.Prepare(ctx, name, sql)
		if err != nil {
			return false, err
		}
		explain := "EXPLAIN EXECUTE " + name
		if n := len(prepared.ParamOIDs); n > 0 {
			explain += "(NULL" + strings.Repeat(", NULL", n-1) + ")"
		}
		rows, err := t.Query(ctx, explain, pgx.QueryExecModeSimpleProtocol)
		return false, forEach(rows, err, func(r row) error {
			plan.WriteString(r.text(0) + "\n")
			return nil
		})
	})
	return strings.TrimSuffix(plan.String(), "\n"), err
}

type postgresTx struct {
	ctx context.Context
	tx  pgx.Tx
}

func (t *postgresTx) query(sql string, args []any, each func(row) error) error {
	rows, err := t.tx.Query(t.ctx, sql, args...)
	return forEach(rows, err, each)
}

func forEach(rows pgx.Rows, err error, each func(row) error) error {
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
