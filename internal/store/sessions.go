package store

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"upstream"
)

const (
	// touchEvery is how exact SeenAt is: a session in use is written once in it.
	touchEvery = time.Minute
	// deadSessions is how long a session that has ended stays in the database.
	deadSessions = 30 * 24 * time.Hour
	// What is kept of an address and of a User-Agent, in bytes.
	maxAddress, maxAgent = 100, 200
)

// CreateSession signs a user in and returns the session with its id and times.
// secretHash is the hash of a browser's cookie, "" for a family of refresh tokens,
// whose first generation is 1. A user that is gone or disabled is SignedOut.
func (s *Store) CreateSession(ctx context.Context, n upstream.Session, secretHash string, now time.Time) (upstream.Session, error) {
	life := upstream.TokenSessionLife
	if n.Kind == upstream.BrowserSession {
		life = upstream.BrowserSessionLife
	}
	if (n.Kind == upstream.BrowserSession) != (secretHash != "") || n.Kind != upstream.BrowserSession && n.Kind != upstream.TokenSession {
		return n, upstream.Errorf(upstream.Internal, "a browser's session has a secret, and one of tokens has none")
	}
	n.CreatedAt, n.SeenAt, n.ExpiresAt, n.RevokedAt = instant(now.UnixMicro()), instant(now.UnixMicro()), instant(now.Add(life).UnixMicro()), nil
	n.Generation = 1
	n.Address, n.Agent = shortened(n.Address, maxAddress), shortened(n.Agent, maxAgent)
	err := s.writeAudited(ctx, 0, func(x tx) error {
		enabled, err := one(x, "SELECT COUNT(*) FROM app_user WHERE id = $1 AND disabled = 0", n.User)
		if err != nil {
			return err
		}
		if enabled == 0 {
			return upstream.Errorf(upstream.SignedOut, "this account can't sign in; ask an admin")
		}
		if n.ID, err = nextID(x, "last_session"); err != nil {
			return err
		}
		nameAuditTarget(ctx, n.ID)
		_, err = x.exec(`INSERT INTO session (id, user_id, kind, secret_hash, generation, created_at, seen_at, expires_at, revoked_at, address, agent)
			VALUES ($1, $2, $3, $4, 1, $5, $6, $7, 0, $8, $9)`,
			n.ID, n.User, string(n.Kind), secretHash, n.CreatedAt.UnixMicro(), n.SeenAt.UnixMicro(), n.ExpiresAt.UnixMicro(), n.Address, n.Agent)
		return err
	})
	return n, err
}

// shortened returns a text that both engines store, of at most so many bytes.
func shortened(s string, most int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= most {
		return s
	}
	for !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

const sessionColumns = "id, user_id, kind, created_at, seen_at, expires_at, revoked_at, address, agent, generation"

func scanSession(r row) upstream.Session {
	return upstream.Session{
		ID: r.int(0), User: r.int(1), Kind: upstream.SessionKind(r.text(2)), CreatedAt: instant(r.int(3)), SeenAt: instant(r.int(4)),
		ExpiresAt: instant(r.int(5)), RevokedAt: everNever(r.int(6)), Address: r.text(7), Agent: r.text(8), Generation: r.int(9),
	}
}

// SessionByID returns a session, also one that is no longer Live; the zero
// Session when there is none.
func (s *Store) SessionByID(ctx context.Context, id int64) (upstream.Session, error) {
	return s.session(ctx, "id = $1", id)
}

// SessionBySecret is SessionByID by the hash of a browser's cookie.
func (s *Store) SessionBySecret(ctx context.Context, secretHash string) (upstream.Session, error) {
	if !isText(secretHash) {
		return upstream.Session{}, nil
	}
	return s.session(ctx, "secret_hash = $1 AND secret_hash <> ''", secretHash)
}

func (s *Store) session(ctx context.Context, where string, arg any) (n upstream.Session, err error) {
	err = s.peek(ctx, "SELECT "+sessionColumns+" FROM session WHERE "+where, []any{arg}, func(r row) error {
		n = scanSession(r)
		return nil
	})
	return n, err
}

// RotateSession exchanges a generation of refresh tokens for the next one, and
// lets the session live on. A generation that is not the current one was used
// before: somebody has stolen it, or was stolen from, so the session is revoked.
// That, and a session that is not Live, is SignedOut.
func (s *Store) RotateSession(ctx context.Context, id, generation int64, now time.Time) (next int64, err error) {
	signedOut := upstream.Errorf(upstream.SignedOut, "the session has ended; sign in again")
	reused := false
	err = s.writeQuietly(ctx, 0, func(x tx) error {
		var n upstream.Session
		err := x.query("SELECT "+sessionColumns+" FROM session WHERE id = $1 AND kind = $2", []any{id, string(upstream.TokenSession)}, func(r row) error {
			n = scanSession(r)
			return nil
		})
		if err != nil {
			return err
		}
		if !n.Live(now) {
			return signedOut
		}
		if reused = generation != n.Generation; reused {
			if err := endSession(x, id, now); err != nil {
				return err
			}
			return advance(x, 0)
		}
		next = n.Generation + 1
		_, err = x.exec("UPDATE session SET generation = $1, seen_at = $2, expires_at = $3 WHERE id = $4",
			next, now.UnixMicro(), now.Add(upstream.TokenSessionLife).UnixMicro(), id)
		return err
	})
	if err == nil && reused {
		err = upstream.Errorf(upstream.SignedOut, "this refresh token was used before, so its session was ended; sign in again")
	}
	return next, err
}

// TouchSession notes that a session is in use, at most once a minute. One that is
// no longer Live stays as it is.
func (s *Store) TouchSession(ctx context.Context, id int64, now time.Time) error {
	n, err := s.SessionByID(ctx, id)
	if err != nil || !n.Live(now) || now.Sub(n.SeenAt) < touchEvery {
		return err
	}
	return s.writeQuietly(ctx, 0, func(x tx) error {
		_, err := x.exec("UPDATE session SET seen_at = $1 WHERE id = $2 AND revoked_at = 0 AND seen_at < $1", now.UnixMicro(), id)
		return err
	})
}

// Sessions lists a user's sessions that are Live, oldest first.
func (s *Store) Sessions(ctx context.Context, user int64, now time.Time) ([]upstream.Session, error) {
	out := []upstream.Session{}
	err := s.read(ctx, func(x tx) error {
		return x.query("SELECT "+sessionColumns+" FROM session WHERE user_id = $1 AND revoked_at = 0 ORDER BY id", []any{user}, func(r row) error {
			if n := scanSession(r); n.Live(now) {
				out = append(out, n)
			}
			return nil
		})
	})
	return out, err
}

// RevokeSession ends a session of a user; one that has ended stays as it is.
func (s *Store) RevokeSession(ctx context.Context, user, id int64, now time.Time) error {
	return s.write(ctx, 0, func(x tx) error {
		known, err := one(x, "SELECT COUNT(*) FROM session WHERE id = $1 AND user_id = $2", id, user)
		if err != nil {
			return err
		}
		if known == 0 {
			return upstream.Errorf(upstream.NotFound, "there is no such session; it may have ended long ago")
		}
		return endSession(x, id, now)
	})
}

func endSession(x tx, id int64, now time.Time) error {
	_, err := x.exec("UPDATE session SET revoked_at = $1 WHERE id = $2 AND revoked_at = 0", now.UnixMicro(), id)
	return err
}

func endSessions(x tx, user, except int64, now time.Time) error {
	_, err := x.exec("UPDATE session SET revoked_at = $1 WHERE user_id = $2 AND id <> $3 AND revoked_at = 0", now.UnixMicro(), user, except)
	return err
}

// PruneSessions deletes sessions that ended a month ago and returns how many.
func (s *Store) PruneSessions(ctx context.Context, now time.Time) (n int64, err error) {
	err = s.writeQuietly(ctx, 0, func(x tx) error {
		n, err = x.exec("DELETE FROM session WHERE expires_at < $1 OR revoked_at <> 0 AND revoked_at < $1", now.Add(-deadSessions).UnixMicro())
		return err
	})
	return n, err
}
