package store

import (
	"context"

	"upstream"
	"zombiezen.com/go/sqlite"
)

func (e *sqliteEngine) told(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return sqliteError(e.path, err)
}

// sqliteError says what to do about what SQLite reports; other errors pass.
func sqliteError(path string, err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultOK:
		return nil
	case sqlite.ResultFull:
		return upstream.Errorf(upstream.Unavailable, "the disk that holds %s is full; nothing of this step was kept: make room and run the command again", path)
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return upstream.Errorf(upstream.Unavailable, "another process has been writing to %s for %s; try again when it has finished", path, busyTimeout)
	case sqlite.ResultNotADB:
		return upstream.Errorf(upstream.Invalid, "%s is not an Upstream database; name another file with --database sqlite:FILE", path)
	case sqlite.ResultCorrupt:
		return upstream.Errorf(upstream.Corrupt, "the database %s is damaged; restore it from a backup", path)
	case sqlite.ResultReadOnly, sqlite.ResultCantOpen, sqlite.ResultPerm, sqlite.ResultAuth:
		return upstream.Errorf(upstream.Unavailable, "can't write to the database %s; check its permissions and those of its directory", path)
	case sqlite.ResultInterrupt: // by no context: the store closes
		return errClosed
	case sqlite.ResultNoMem:
		return upstream.Errorf(upstream.Unavailable, "the database %s has run out of memory; nothing of this step was kept: try again", path)
	case sqlite.ResultIOErr:
		return upstream.Errorf(upstream.Unavailable, "the disk that holds %s fails to read or write (full or damaged); nothing of this step was kept: %w", path, err)
	}
	return err
}
