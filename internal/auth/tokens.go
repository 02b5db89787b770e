package auth

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"upstream"
)

// How long tokens live.
const (
	AccessLife  = 15 * time.Minute
	RefreshLife = 7 * 24 * time.Hour
)

const (
	issuer   = "upstream"
	audience = "upstream-api"

	// maxToken bounds what is parsed; ours have some 350 bytes.
	maxToken = 4 << 10
	// leeway is how far the clocks of our servers may differ. It is granted where
	// one of them made the token a moment ago, never to its end.
	leeway = 30 * time.Second
	// minSecret is that of RFC 7518, section 3.2, in bytes.
	minSecret = 32
)

// Use is what a token is for. One is never taken for the other.
type Use string

// The uses of a token.
const (
	Access  Use = "access"
	Refresh Use = "refresh"
)

// Token is what a signed token says. Times are to the second.
type Token struct {
	Use     Use
	User    int64
	Session int64 // the sign-in it descends from
	// Generation counts the refreshes of the session. Only the newest refresh token
	// is good: an older one that comes back was stolen, or its heir was.
	Generation int64
	Issued     time.Time
	Expires    time.Time
}

// Key is a secret that tokens are signed with, of at least 32 bytes.
type Key struct {
	ID        string
	Secret    []byte
	CreatedAt time.Time
}

// Signer signs tokens with the newest key of a ring and knows those of each, so
// that a key can be replaced while tokens of the one before it live. The algorithm
// is HS256, whatever a token says.
type Signer struct {
	newest Key
	ring   map[string][]byte
	parser *jwt.Parser
}

// NewSigner makes a Signer of a ring of keys with different ids.
func NewSigner(keys []Key) (*Signer, error) {
	if len(keys) == 0 {
		return nil, upstream.Errorf(upstream.Invalid, "tokens need a key to sign with: add one to the ring")
	}
	ring := make(map[string][]byte, len(keys))
	for _, k := range keys {
		switch {
		case k.ID == "":
			return nil, upstream.Errorf(upstream.Invalid, "a signing key has no id: give it one")
		case len(k.Secret) < minSecret:
			return nil, upstream.Errorf(upstream.Invalid, "signing key %q is too short: it needs %d random bytes", k.ID, minSecret)
		case ring[k.ID] != nil:
			return nil, upstream.Errorf(upstream.Invalid, "signing key %q is there twice: give each its own id", k.ID)
		}
		ring[k.ID] = slices.Clone(k.Secret)
	}
	newest := slices.MaxFunc(keys, func(a, b Key) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return &Signer{newest: Key{ID: newest.ID, Secret: ring[newest.ID]}, ring: ring, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithStrictDecoding(),
		jwt.WithoutClaimsValidation(), // Verify checks them: leeway isn't for all
	)}, nil
}

// claims is the payload. Pointers tell what is missing from what is zero.
type claims struct {
	jwt.RegisteredClaims
	Use        Use    `json:"use"`
	Session    int64  `json:"sid"`
	Generation *int64 `json:"gen"`
}

// Sign writes a token as JWT, of about 350 bytes.
func (s *Signer) Sign(t Token) (string, error) {
	if t.Use != Access && t.Use != Refresh || t.User <= 0 || t.Session <= 0 || t.Generation < 0 || !t.Expires.After(t.Issued) {
		return "", upstream.Errorf(upstream.Internal, "a token without use, user, session or life can't be signed")
	}
	issued := jwt.NewNumericDate(t.Issued)
	unsigned := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: strconv.FormatInt(t.User, 10),
			IssuedAt: issued, NotBefore: issued, ExpiresAt: jwt.NewNumericDate(t.Expires),
			ID: hex.EncodeToString(random(16)),
		},
		Use: t.Use, Session: t.Session, Generation: &t.Generation,
	})
	unsigned.Header["kid"] = s.newest.ID
	signed, err := unsigned.SignedString(s.newest.Secret)
	if err != nil {
		return "", upstream.Errorf(upstream.Internal, "a token could not be signed: %w", err)
	}
	return signed, nil
}

// Verify reads a token that is to be used as said. Every failure is SignedOut, and
// but for a token that was good until it expired, the text doesn't tell which check
// it failed: who forges tokens learns nothing from us.
func (s *Signer) Verify(raw string, use Use, now time.Time) (Token, error) {
	if len(raw) > maxToken || !compact(raw) {
		return Token{}, notOurs()
	}
	var c claims
	if _, err := s.parser.ParseWithClaims(raw, &c, s.secret); err != nil {
		return Token{}, notOurs()
	}
	user, ok := c.complete()
	if !ok || c.Use != use || c.NotBefore.After(now.Add(leeway)) || c.IssuedAt.After(now.Add(leeway)) {
		return Token{}, notOurs()
	}
	if !c.ExpiresAt.After(now) {
		return Token{}, upstream.Errorf(upstream.SignedOut, "the token has expired: refresh it or sign in again")
	}
	return Token{
		Use: c.Use, User: user, Session: c.Session, Generation: *c.Generation,
		Issued: c.IssuedAt.UTC(), Expires: c.ExpiresAt.UTC(),
	}, nil
}

// complete tells whether every claim is there, as Sign writes it, and returns the
// user.
func (c *claims) complete() (user int64, ok bool) {
	user, err := strconv.ParseInt(c.Subject, 10, 64)
	return user, err == nil && user > 0 && c.Session > 0 && c.Generation != nil && *c.Generation >= 0 &&
		c.Issuer == issuer && slices.Equal(c.Audience, jwt.ClaimStrings{audience}) && c.ID != "" &&
		c.IssuedAt != nil && c.NotBefore != nil && c.ExpiresAt != nil
}

// secret finds the key that a token names.
func (s *Signer) secret(t *jwt.Token) (any, error) {
	id, _ := t.Header["kid"].(string)
	if secret := s.ring[id]; secret != nil {
		return secret, nil
	}
	return nil, jwt.ErrTokenUnverifiable
}

// compact tells whether all characters are those of base64url and its dots. Go's
// base64 skips line ends, with which one token would have many spellings.
func compact(raw string) bool {
	for i := range len(raw) {
		if c := raw[i]; !alphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func notOurs() error {
	return upstream.Errorf(upstream.SignedOut, "the token is not valid: sign in again")
}
