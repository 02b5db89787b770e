package store

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"upstream"
)

// postgresError says what to do about what PostgreSQL reports; other errors pass,
// unless the connection they came over is dead, of which they are then told.
func postgresError(err error, dead bool) error {
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
		return serverError(server)
	}
	// What a connection says as it breaks has many types; ours have a code.
	if dead && upstream.ErrorCode(err) == upstream.Internal {
		return upstream.Errorf(upstream.Unavailable, "the connection to PostgreSQL broke; try again: what was not acknowledged may not have been kept")
	}
	return err
}

// serverError tells by the class of its SQLSTATE what became of a statement.
func serverError(e *pgconn.PgError) error {
	switch e.Code {
	case "57014": // nobody cancels ours but the limit
		return upstream.Errorf(upstream.Unavailable, "PostgreSQL ended a statement that took too long; ask for less, or set another statement_timeout in the database's URL")
	case "42501": // privileges
		return upstream.Errorf(upstream.Unavailable, "the PostgreSQL user may not do this (%s); grant it the database's schema", e.Message)
	case "25006": // after a failover
		return upstream.Errorf(upstream.Unavailable, "this PostgreSQL only reads (%s); connect to the primary server", e.Message)
	}
	switch e.Code[:2] {
	case "53": // insufficient resources: disk full, out of memory, too many connections
		return upstream.Errorf(upstream.Unavailable, "PostgreSQL has run out of room (%s); nothing of this step was kept: make room and run the command again", e.Message)
	case "57", "08": // shutdown, connection lost
		return upstream.Errorf(upstream.Unavailable, "PostgreSQL has closed the connection (%s); try again", e.Message)
	case "58": // the disk
		return upstream.Errorf(upstream.Unavailable, "PostgreSQL can't read or write its files (%s); see its log", e.Message)
	case "XX":
		if e.Code != "XX000" { // a fault of its own
			return upstream.Errorf(upstream.Corrupt, "PostgreSQL finds its files damaged (SQLSTATE %s); restore the database from a backup", e.Code)
		}
	}
	// Never the row that failed: DETAIL holds claim content.
	return fmt.Errorf("PostgreSQL: %s (SQLSTATE %s)", e.Message, e.Code)
}
