package store

import (
	"bytes"
	"context"
	"time"

	"upstream"
)

// SigningKey is a secret that tokens are signed with; its ID names it in them.
type SigningKey struct {
	ID        string
	Secret    []byte
	CreatedAt time.Time
}

// SigningKeys returns the keys, newest first: the first signs, all verify. When
// there is none yet, fresh makes it, in one of the servers alone.
func (s *Store) SigningKeys(ctx context.Context, fresh func() (id string, secret []byte), now time.Time) (keys []SigningKey, err error) {
	err = s.read(ctx, func(x tx) error {
		keys, err = signingKeys(x)
		return err
	})
	if err != nil || len(keys) > 0 {
		return keys, err
	}
	err = s.write(ctx, 0, func(x tx) error {
		// Another server may have been first.
		if keys, err = signingKeys(x); err != nil || len(keys) > 0 {
			return err
		}
		if err := addSigningKey(x, fresh, now); err != nil {
			return err
		}
		keys, err = signingKeys(x)
		return err
	})
	return keys, err
}

// RotateSigningKey adds a key, which signs from now on, and returns all, newest
// first. It drops those whose last token has expired: they were replaced longer
// ago than a token lives.
func (s *Store) RotateSigningKey(ctx context.Context, fresh func() (id string, secret []byte), now time.Time) (keys []SigningKey, err error) {
	err = s.write(ctx, 0, func(x tx) error {
		if err := addSigningKey(x, fresh, now); err != nil {
			return err
		}
		_, err := x.exec("DELETE FROM signing_key WHERE EXISTS (SELECT 1 FROM signing_key newer WHERE newer.created_at > signing_key.created_at AND newer.created_at < $1)",
			now.Add(-upstream.TokenSessionLife).UnixMicro())
		if err != nil {
			return err
		}
		keys, err = signingKeys(x)
		return err
	})
	return keys, err
}

func addSigningKey(x tx, fresh func() (id string, secret []byte), now time.Time) error {
	id, secret := fresh()
	if id == "" || !isText(id) || len(secret) < 32 {
		return upstream.Errorf(upstream.Internal, "a signing key needs a name and at least 32 bytes of secret")
	}
	_, err := x.exec("INSERT INTO signing_key (id, secret, created_at) VALUES ($1, $2, $3)", id, secret, now.UnixMicro())
	return err
}

func signingKeys(x tx) (keys []SigningKey, err error) {
	err = x.query("SELECT id, secret, created_at FROM signing_key ORDER BY created_at DESC, id DESC", nil, func(r row) error {
		keys = append(keys, SigningKey{r.text(0), bytes.Clone(r.bytes(1)), instant(r.int(2))})
		return nil
	})
	return keys, err
}
