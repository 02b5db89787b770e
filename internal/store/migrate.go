package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"strings"

	"upstream"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

type migration struct {
	version  int64
	name     string
	text     string
	checksum string
}

// migrations returns all migrations in order: the file's position is its version.
func migrations() ([]migration, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	out := make([]migration, len(names))
	for i, name := range names { // Glob sorts
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		out[i] = migration{int64(i + 1), strings.TrimPrefix(name, "migrations/"), string(text), hex.EncodeToString(sum[:])}
	}
	return out, nil
}

// migrate brings the schema up to date in one transaction, under a lock. It only
// goes forward and refuses a schema it does not know: one made by a newer
// binary, or a migration that was changed after it had run.
func (s *Store) migrate(ctx context.Context) error {
	all, err := migrations()
	if err != nil {
		return err
	}
	return s.migrateTo(ctx, all)
}

func (s *Store) migrateTo(ctx context.Context, all []migration) error {
	return s.db.migrate(ctx, func(t tx) error {
		if err := t.script("CREATE TABLE IF NOT EXISTS schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)"); err != nil {
			return err
		}
		done := int64(0)
		err := t.query("SELECT version, name, checksum FROM schema_migration ORDER BY version", nil, func(r row) error {
			done = r.int(0)
			return checkMigration(all, done, r.text(1), r.text(2))
		})
		if err != nil {
			return err
		}
		for _, m := range all[done:] {
			if err := t.script(dialect(m.text, s.db.name())); err != nil {
				return upstream.Errorf(upstream.Internal, "migration %s failed: %w", m.name, err)
			}
			if _, err := t.exec("INSERT INTO schema_migration (version, name, checksum) VALUES ($1, $2, $3)", m.version, m.name, m.checksum); err != nil {
				return err
			}
		}
		return nil
	})
}

// Exclusively runs f while no other process migrates the database or is in its own f.
// Nobody writes to an embedded database meanwhile, f included.
func (s *Store) Exclusively(ctx context.Context, f func() error) error {
	return s.db.migrate(ctx, func(tx) error { return f() })
}

func checkMigration(all []migration, version int64, name, checksum string) error {
	if version < 1 || version > int64(len(all)) {
		return upstream.Errorf(upstream.Conflict, "the database was made by a newer upstream (migration %s); run that version or a later one", name)
	}
	if m := all[version-1]; m.checksum != checksum {
		return upstream.Errorf(upstream.Conflict, "the database's migration %s is not the one of this upstream; run the version that made the database", name)
	}
	return nil
}

// SchemaVersion returns the number of the newest migration the database has had.
func (s *Store) SchemaVersion(ctx context.Context) (v int64, err error) {
	err = s.read(ctx, func(t tx) error {
		v, err = one(t, "SELECT MAX(version) FROM schema_migration")
		return err
	})
	return v, err
}

// dialect keeps the lines of an engine and names its types.
func dialect(text, engine string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		trimmed := strings.TrimRight(line, "\n")
		statement, only, marked := strings.Cut(trimmed, " -- ")
		if marked && (only == "sqlite" || only == "postgres") {
			if only != engine {
				continue
			}
			line = statement + "\n"
		}
		if engine == "postgres" {
			line = strings.ReplaceAll(line, " BLOB ", " BYTEA ")
		}
		b.WriteString(line)
	}
	return b.String()
}
