package jobs

import (
	"context"
	"database/sql"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
	_ "modernc.org/sqlite" // the driver for database/sql
	"upstream"
	"upstream/internal/store"
)

// client is River's client of either database.
type client interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	StopAndCancel(ctx context.Context) error
	Insert(ctx context.Context, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
	JobList(ctx context.Context, params *river.JobListParams) (*river.JobListResult, error)
}

// queue is River on one of the two databases.
type queue struct {
	client client
	counts riverdriver.Executor
	close  func() error
}

func openQueue(ctx context.Context, databaseURL string, s *store.Store, config *river.Config) (*queue, error) {
	if path, ok := strings.CutPrefix(databaseURL, "sqlite:"); ok {
		return openSQLite(ctx, strings.TrimPrefix(path, "//")+"-jobs", s, config)
	}
	return openPostgres(ctx, databaseURL, s, config)
}

// openSQLite keeps the queue in a file of its own: River writes often, if little, and
// would wait for the batches of loads, and they for it. Its rows may be lost, so that
// its commits need not wait for the disk. One connection, as River's driver wants it.
func openSQLite(ctx context.Context, path string, s *store.Store, config *river.Config) (*queue, error) {
	file := (&url.URL{Path: path}).EscapedPath()
	db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=busy_timeout(30000)&_pragma=journal_mode(wal)&_pragma=synchronous(normal)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	driver := riversqlite.New(db)
	err = migrate(ctx, s, driver, config.Logger)
	var c *river.Client[*sql.Tx]
	if err == nil {
		c, err = river.NewClient(driver, config)
	}
	if err != nil {
		db.Close()
		return nil, queueError(ctx, err)
	}
	return &queue{client: c, counts: driver.GetExecutor(), close: db.Close}, nil
}

// The store's pool is for answers. River listens on one connection and needs few
// others: for fetching, inserting, and what its leader does.
const postgresConns = 4

func openPostgres(ctx context.Context, databaseURL string, s *store.Store, config *river.Config) (*queue, error) {
	settings, err := pgxpool.ParseConfig(databaseURL)
	if err != nil { // it quotes the URL, which may hold a password
		return nil, upstream.Errorf(upstream.Invalid, "the database URL can't be read; write it as postgres://user:password@host:5432/name")
	}
	settings.MaxConns, settings.MinConns = postgresConns, 0
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return nil, queueError(ctx, err)
	}
	driver := riverpgxv5.New(pool)
	err = migrate(ctx, s, driver, config.Logger)
	var c *river.Client[pgx.Tx]
	if err == nil {
		c, err = river.NewClient(driver, config)
	}
	if err != nil {
		pool.Close()
		return nil, queueError(ctx, err)
	}
	return &queue{client: c, counts: driver.GetExecutor(), close: func() error { pool.Close(); return nil }}, nil
}

// migrate brings River's tables up to date, each migration in a transaction of its
// own, while no other process does.
func migrate[T any](ctx context.Context, s *store.Store, driver riverdriver.Driver[T], log *slog.Logger) error {
	m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: log})
	if err != nil {
		return err
	}
	return s.Exclusively(ctx, func() error {
		_, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
}

func queueError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return upstream.Errorf(upstream.Unavailable, "the job queue can't be opened; check the database and its directory: %w", err)
}

// backoff is a retry policy: the second attempt comes after a while, each further one
// after five times as long.
type backoff time.Duration

// NextRetry implements river.ClientRetryPolicy.
func (b backoff) NextRetry(job *rivertype.JobRow) time.Time {
	wait := time.Duration(b)
	for range min(len(job.Errors), maxAttempts) {
		wait *= 5
	}
	return time.Now().Add(wait) // by River's own clock
}

// quiet keeps of River's log what somebody has to look at.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(warnings{log.Handler()}) }

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
