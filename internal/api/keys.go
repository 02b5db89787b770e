package api

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"upstream"
	"upstream/internal/auth"
)

// keys are the secrets of the database, as they were when they were read.
type keys struct {
	signer *auth.Signer
	secret []byte    // of page cursors and ETags, one for a database
	macs   sync.Pool // under that secret
	read   time.Time
}

// Another server or command may replace the signing key. A token that is not known
// has the keys read again, but no flood of such tokens more often than keysDoubted;
// and before one is signed they are read when they are older than keysTrusted.
const keysDoubted, keysTrusted = 5 * time.Second, time.Minute

// loadKeys reads the keys of the database, or makes the first one.
func (s *Server) loadKeys(ctx context.Context, now time.Time) (*keys, error) {
	stored, err := s.Store.SigningKeys(ctx, newKey, now)
	if err != nil {
		return nil, err
	}
	ring := make([]auth.Key, len(stored))
	for i, k := range stored {
		ring[i] = auth.Key{ID: k.ID, Secret: k.Secret, CreatedAt: k.CreatedAt}
	}
	k := &keys{read: now}
	// The oldest: cursors and tags outlive a new key for as long as they can.
	k.secret = append([]byte("answers "), ring[len(ring)-1].Secret...)
	k.macs.New = func() any { return &mac{hash: hmac.New(sha256.New, k.secret)} }
	if k.signer, err = auth.NewSigner(ring); err != nil {
		return nil, err
	}
	s.keys.Store(k)
	return k, nil
}

// keysOf returns keys that were read at most so long ago.
func (s *Server) keysOf(ctx context.Context, now time.Time, age time.Duration) (*keys, error) {
	if k := s.keys.Load(); now.Sub(k.read) < age {
		return k, nil
	}
	return s.loadKeys(ctx, now)
}

// verify reads a token of one of the uses.
func (s *Server) verify(ctx context.Context, raw string, use auth.Use, now time.Time) (auth.Token, error) {
	k := s.keys.Load()
	token, err := k.signer.Verify(raw, use, now)
	if upstream.ErrorCode(err) != upstream.SignedOut {
		return token, err
	}
	newer, loading := s.keysOf(ctx, now, keysDoubted)
	if loading != nil {
		return token, loading
	}
	if newer == k {
		return token, err
	}
	return newer.signer.Verify(raw, use, now)
}

func newKey() (id string, secret []byte) {
	secret = make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return rand.Text()[:8], secret
}
