package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/libc"
	"upstream"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// sqliteEngine has one writer connection and a pool of readers on one file in
// WAL mode. A commit is on disk before it is acknowledged (synchronous=FULL).
type sqliteEngine struct {
	path    string
	file    os.FileInfo   // of the file that was opened
	turn    chan struct{} // holds one token: the right to use writer
	writer  *sqlite.Conn
	readers *sqlitex.Pool
	size    int // of readers

	walLimit, walNext int64 // bytes of the log from which on it is emptied, and tried to be next

	closing         sync.Once
	closed          chan struct{}
	reading, writes atomic.Int64 // who have a connection or wait for one
	waits, waited   atomic.Int64
}

// busyTimeout is how long a writer waits for another process before it gives up.
const busyTimeout = 30 * time.Second

var pinOnce sync.Once

// pinAllocator keeps pages of each size class of the C allocator alive that have
// room. SQLite allocates and frees one scratch block a B-tree balance; where it
// finds all pages full, the allocator maps and unmaps one each time, which took 20
// to 30 % of a bulk load.
func pinAllocator() {
	tls := libc.NewTLS()
	for size := 16; size <= 1<<14; size *= 2 {
		libc.Xmalloc(tls, libc.Tsize_t(size*3/4))
		var spare []uintptr
		for range 16 {
			libc.Xmalloc(tls, libc.Tsize_t(size))
			spare = append(spare, libc.Xmalloc(tls, libc.Tsize_t(size)))
		}
		for _, block := range spare {
			libc.Xfree(tls, block)
		}
	}
}

func openSQLite(path string) (engine, error) {
	pinOnce.Do(pinAllocator)
	if dir := filepath.Dir(path); path != "" {
		info, err := os.Stat(dir)
		if err != nil || !info.IsDir() {
			return nil, upstream.Errorf(upstream.NotFound, "the directory of the database %s does not exist; make it, or choose another file with --database sqlite:FILE", path)
		}
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, upstream.Errorf(upstream.Invalid, "the database %s is a directory; name a file with --database sqlite:FILE", path)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, upstream.Errorf(upstream.Unavailable, "can't open the database: %w", err)
	}
	writer, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, sqliteError(path, err)
	}
	if err := prepareSQLite(writer, true); err != nil {
		return nil, errors.Join(sqliteError(path, err), writer.Close())
	}
	file, err := os.Stat(path)
	if err != nil {
		return nil, errors.Join(upstream.Errorf(upstream.Unavailable, "can't open the database: %w", err), writer.Close())
	}
	size := max(4, runtime.NumCPU())
	readers, err := sqlitex.NewPool(path, sqlitex.PoolOptions{
		Flags: sqlite.OpenReadWrite, PoolSize: size,
		PrepareConn: func(c *sqlite.Conn) error { return prepareSQLite(c, false) },
	})
	if err != nil {
		return nil, errors.Join(sqliteError(path, err), writer.Close())
	}
	e := &sqliteEngine{path: path, file: file, turn: make(chan struct{}, 1), writer: writer, readers: readers, size: size, closed: make(chan struct{}), walLimit: walLimit, walNext: walLimit}
	e.turn <- struct{}{}
	return e, nil
}

func prepareSQLite(c *sqlite.Conn, writer bool) error {
	c.SetBusyTimeout(busyTimeout)
	pragmas := []string{"PRAGMA foreign_keys=on", "PRAGMA cache_size=-8000"}
	if writer {
		pragmas = []string{
			"PRAGMA page_size=4096", "PRAGMA journal_mode=wal", "PRAGMA synchronous=full", "PRAGMA foreign_keys=on",
			// Random claim ids touch the whole key index: 32 MB hold that of a million claims.
			"PRAGMA cache_size=-32000",
			"PRAGMA wal_autocheckpoint=8000", "PRAGMA journal_size_limit=67108864",
		}
	}
	for _, p := range pragmas {
		if err := sqlitex.ExecuteTransient(c, p, nil); err != nil {
			return err
		}
	}
	return nil
}

func (e *sqliteEngine) name() string { return "sqlite" }

func (e *sqliteEngine) close() (err error) {
	e.closing.Do(func() {
		close(e.closed)
		<-e.turn
		err = errors.Join(e.readers.Close(), e.writer.Close())
	})
	return err
}

func (e *sqliteEngine) read(ctx context.Context, _ time.Duration, f func(tx) error) error {
	c, done, err := e.reader(ctx)
	if err != nil {
		return err
	}
	defer done()
	return e.in(ctx, c, "BEGIN", f)
}

func (e *sqliteEngine) peek(ctx context.Context, sql string, args []any, each func(row) error) error {
	c, done, err := e.reader(ctx)
	if err != nil {
		return err
	}
	defer done()
	return e.told(ctx, (&sqliteTx{c}).query(sql, args, each))
}

func (e *sqliteEngine) write(ctx context.Context, _ int64, f func(tx) error) error {
	if err := e.takeTurn(ctx); err != nil {
		return err
	}
	defer e.endTurn()
	err := e.in(ctx, e.writer, "BEGIN IMMEDIATE", func(t tx) error {
		if err := f(t); err != nil {
			return err
		}
		// What is written to a deleted file is lost, however durably.
		return e.present()
	})
	if err == nil {
		e.emptyLog()
	}
	return err
}

// The write-ahead log is emptied at walLimit, and where readers are in the way for
// longer than checkpointWait, again after each quarter of it.
const (
	walLimit       = 64 << 20
	checkpointWait = time.Second
)

// emptyLog empties a large write-ahead log. SQLite's own checkpoints start it
// anew only when they find no reader in it, and so never while readers overlap:
// a bulk load under steady requests would fill the disk. This one waits for the
// readers of now; those who come meanwhile read the file. A log that stays large
// is no error: what was written is safe in it.
func (e *sqliteEngine) emptyLog() {
	log, err := os.Stat(e.path + "-wal")
	if err != nil || log.Size() < e.walNext {
		return
	}
	e.writer.SetBusyTimeout(checkpointWait)
	defer e.writer.SetBusyTimeout(busyTimeout)
	e.walNext = log.Size() + e.walLimit/4
	_ = (&sqliteTx{e.writer}).query("PRAGMA wal_checkpoint(TRUNCATE)", nil, func(r row) error {
		if busy := r.int(0) != 0; !busy {
			e.walNext = e.walLimit
		}
		return nil
	})
}

func (e *sqliteEngine) migrate(ctx context.Context, f func(tx) error) error {
	return e.write(ctx, 0, f)
}

// explain draws the tree of EXPLAIN QUERY PLAN, two spaces a level.
func (e *sqliteEngine) explain(ctx context.Context, sql string) (string, error) {
	c, done, err := e.reader(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	t := &sqliteTx{c}
	var plan strings.Builder
	depth := map[int64]int{}
	err = t.query("EXPLAIN QUERY PLAN "+sql, nil, func(r row) error {
		level := depth[r.int(1)] // of its parent's children
		depth[r.int(0)] = level + 1
		plan.WriteString(strings.Repeat("  ", level) + r.text(3) + "\n")
		return nil
	})
	return strings.TrimSuffix(plan.String(), "\n"), e.told(ctx, err)
}

// analyze has nothing to do: SQLite plans by the indexes alone.
func (e *sqliteEngine) analyze(context.Context) error { return nil }

func (e *sqliteEngine) in(ctx context.Context, c *sqlite.Conn, begin string, f func(tx) error) (err error) {
	c.SetInterrupt(ctx.Done())
	defer c.SetInterrupt(nil)
	t := &sqliteTx{c}
	if _, err := t.exec(begin); err != nil {
		return e.told(ctx, err)
	}
	done := false
	defer func() {
		if !done { // an error or a panic: nothing of it stays
			c.SetInterrupt(nil)
			_, rollback := t.exec("ROLLBACK")
			// SQLite has rolled back by itself after a full disk.
			if !c.AutocommitEnabled() {
				err = errors.Join(err, rollback)
			}
		}
	}()
	if err := f(t); err != nil {
		return e.told(ctx, err)
	}
	if _, err := t.exec("COMMIT"); err != nil {
		return e.told(ctx, err)
	}
	done = true
	return nil
}

type sqliteTx struct{ c *sqlite.Conn }

// statement is one that is prepared; done ends its use.
type statement struct {
	*sqlite.Stmt
	once bool // it is kept by nobody
}

func (s statement) done() error {
	if s.once {
		return s.Finalize()
	}
	return s.Reset()
}

// prepare leaves statements whose text is kept to the connection, which keeps them
// for ever; what comes after those is prepared for one use.
func (t *sqliteTx) prepare(sql string) (statement, error) {
	text, kept := sqliteTexts.text(sql)
	if kept {
		s, err := t.c.Prepare(text)
		return statement{s, false}, err
	}
	s, _, err := t.c.PrepareTransient(text)
	return statement{s, true}, err
}

// texts turns $1 texts into ?1 texts: SQLite would number $ parameters in the order
// they appear. It keeps the first ones: filters compose more than can be kept.
type texts struct {
	known sync.Map
	n     atomic.Int64
}

// maxTexts is some times what is written in this package.
const maxTexts = 800

var sqliteTexts texts

func (t *texts) text(sql string) (text string, kept bool) {
	if text, ok := t.known.Load(sql); ok {
		return text.(string), true
	}
	text = strings.ReplaceAll(sql, "$", "?")
	if t.n.Add(1) > maxTexts {
		t.n.Add(-1)
		return text, false
	}
	if _, twice := t.known.LoadOrStore(sql, text); twice {
		t.n.Add(-1)
	}
	return text, true
}

func (t *sqliteTx) query(sql string, args []any, each func(row) error) (err error) {
	s, err := t.prepare(sql)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.done()) }()
	bind(s.Stmt, args)
	r := &sqliteRow{s: s.Stmt}
	for {
		more, err := s.Step()
		if err != nil || !more {
			return err
		}
		if err := each(r); err != nil {
			return err
		}
	}
}

func (t *sqliteTx) exec(sql string, args ...any) (int64, error) {
	s, err := t.prepare(sql)
	if err != nil {
		return 0, err
	}
	bind(s.Stmt, args)
	if _, err := s.Step(); err != nil {
		_ = s.done() // repeats the error of Step
		return 0, err
	}
	return int64(t.c.Changes()), s.done()
}

func (t *sqliteTx) execMany(sql string, n int, args func(i int, params []any)) (err error) {
	s, err := t.prepare(sql)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.done()) }()
	params := make([]any, s.BindParamCount())
	for i := range n {
		args(i, params)
		bind(s.Stmt, params)
		if _, err := s.Step(); err != nil {
			return err
		}
		if err := s.Reset(); err != nil {
			return err
		}
	}
	return nil
}

func (t *sqliteTx) script(sql string) error {
	return sqlitex.ExecuteScript(t.c, sql, nil)
}

func (t *sqliteTx) insertClaims(rows []claimRow) (taken []int, err error) {
	s, err := t.prepare(insertClaimSQL + " ON CONFLICT DO NOTHING")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.done()) }()
	for i := range rows {
		rows[i].bind(s.Stmt)
		if _, err := s.Step(); err != nil {
			return nil, err
		}
		if t.c.Changes() == 0 {
			taken = append(taken, i)
		}
		if err := s.Reset(); err != nil {
			return nil, err
		}
	}
	return taken, nil
}

func (r *claimRow) bind(s *sqlite.Stmt) {
	for i, v := range &r.ints {
		if v == 0 && isDateColumn(i) {
			s.BindNull(i + 1)
		} else {
			s.BindInt64(i+1, v)
		}
	}
	s.BindText(claimInts+1, r.claimID)
	s.BindText(claimInts+2, r.payerControlNumber)
}

func bind(s *sqlite.Stmt, args []any) {
	for i, a := range args {
		switch v := a.(type) {
		case nil:
			s.BindNull(i + 1)
		case int64:
			s.BindInt64(i+1, v)
		case int:
			s.BindInt64(i+1, int64(v))
		case string:
			s.BindText(i+1, v)
		case []byte:
			s.BindBytes(i+1, v)
		default:
			panic(fmt.Sprintf("store: parameter %d is a %T", i+1, a))
		}
	}
}

type sqliteRow struct {
	s   *sqlite.Stmt
	buf []byte
}

func (r *sqliteRow) int(i int) int64   { return r.s.ColumnInt64(i) }
func (r *sqliteRow) text(i int) string { return r.s.ColumnText(i) }
func (r *sqliteRow) bytes(i int) []byte {
	n := r.s.ColumnLen(i)
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	r.buf = r.buf[:n]
	r.s.ColumnBytes(i, r.buf)
	return r.buf
}
