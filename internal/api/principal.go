package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"upstream"
	"upstream/internal/auth"
	"upstream/internal/store"
)

// principal is who asks, as of a revision of access.
type principal struct {
	actor     string // as the audit names it
	limited   string // as rate limits name it: each token, key and session by itself
	user      upstream.User
	customer  int64 // its own; 0 for a superuser without one
	role      upstream.Role
	superuser bool
	scopes    []string // of a key; all when it is empty
	session   upstream.Session
	expires   time.Time
	access    int64        // the revision
	seen      atomic.Int64 // seconds since 1970, of a browser session
	touched   atomic.Int64 // the same, as stored
}

// current reports whether what is known of who asks still holds.
func (p *principal) current(access int64, now time.Time) bool {
	if p == nil || p.access != access || !now.Before(p.expires) {
		return false
	}
	return p.session.Kind != upstream.BrowserSession || now.Unix()-p.seen.Load() < int64(upstream.BrowserSessionIdle/time.Second)
}

// touch notes that a browser session is in use; it is stored once a minute.
func (p *principal) touch(c *call) {
	if p.session.Kind != upstream.BrowserSession {
		return
	}
	now := c.started.Unix()
	p.seen.Store(now)
	if last := p.touched.Load(); now-last >= 60 && p.touched.CompareAndSwap(last, now) {
		ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
		defer cancel()
		if err := c.server.Store.TouchSession(ctx, p.session.ID, c.started); err != nil {
			c.log(ctx, "session not noted", err)
		}
	}
}

// name is the user's or the key's.
func (p *principal) name() string {
	_, name, _ := strings.Cut(p.actor, ":")
	return name
}

// may reports whether the role and the scopes reach for a route.
func (p *principal) may(rt *route) bool {
	if rt.who.superuser && !p.superuser {
		return false
	}
	return p.role.Allows(rt.who.role) && (len(p.scopes) == 0 || slices.Contains(p.scopes, rt.scope))
}

// credential is what a request shows of who asks.
type credential struct {
	text string
	kind credentialKind
}

type credentialKind int

const (
	bearerToken credentialKind = iota
	apiKey
	cookie
)

// cookieName is that of browser sessions.
const cookieName = "upstream_session"

// maxCredential bounds what is looked at.
const maxCredential = 4096

var errSignedOut = upstream.Errorf(upstream.SignedOut, "sign in first: send Authorization: Bearer with a token of "+Prefix+"auth/token/ or an API key")

// credentialOf returns the credential of a request.
func credentialOf(r *http.Request) (credential, error) {
	header := r.Header.Get("Authorization")
	if len(r.Header["Authorization"]) > 1 { // a proxy may have looked at the other one
		return credential{}, errSignedOut
	}
	if header == "" {
		if k, err := r.Cookie(cookieName); err == nil && k.Value != "" {
			return credential{k.Value, cookie}, nil
		}
		return credential{}, errSignedOut
	}
	scheme, text, _ := strings.Cut(header, " ")
	text = strings.TrimSpace(text)
	if !strings.EqualFold(scheme, "Bearer") || text == "" || len(text) > maxCredential {
		return credential{}, errSignedOut
	}
	if strings.HasPrefix(text, auth.KeyMark) {
		return credential{text, apiKey}, nil
	}
	return credential{text, bearerToken}, nil
}

// lookUp asks the database who a credential belongs to.
func (s *Server) lookUp(ctx context.Context, presented credential, now store.Revisions, at time.Time) (*principal, error) {
	switch presented.kind {
	case apiKey:
		return s.byKey(ctx, presented.text, now, at)
	case cookie:
		hash, ok := auth.SecretHash(presented.text)
		if !ok {
			return nil, errSignedOut
		}
		session, err := s.Store.SessionBySecret(ctx, hash)
		if err != nil {
			return nil, signedOut(err)
		}
		return s.bySession(ctx, session, session.ExpiresAt, now, at)
	}
	token, err := s.verify(ctx, presented.text, auth.Access, at)
	if err != nil {
		return nil, err
	}
	session, err := s.Store.SessionByID(ctx, token.Session)
	if err != nil {
		return nil, signedOut(err)
	}
	if session.User != token.User {
		return nil, errSignedOut
	}
	return s.bySession(ctx, session, token.Expires, now, at)
}

// signedOut turns "there is no such session" into 401.
func signedOut(err error) error {
	if upstream.ErrorCode(err) == upstream.NotFound {
		return errSignedOut
	}
	return err
}

func (s *Server) bySession(ctx context.Context, session upstream.Session, expires time.Time, now store.Revisions, at time.Time) (*principal, error) {
	if !session.Live(at) {
		return nil, upstream.Errorf(upstream.SignedOut, "the session has ended; sign in again")
	}
	user, err := s.Store.User(ctx, session.User)
	if err != nil {
		return nil, signedOut(err)
	}
	if user.Disabled {
		return nil, errSignedOut
	}
	p := &principal{
		actor: "user:" + user.Username, limited: "session " + itoa(session.ID), user: user, customer: user.Customer,
		role: user.Role, superuser: user.Superuser, session: session, expires: expires, access: now.Access,
	}
	if user.Superuser {
		p.role = upstream.Owner
	}
	p.seen.Store(at.Unix())
	p.touched.Store(session.SeenAt.Unix())
	return p, nil
}

func (s *Server) byKey(ctx context.Context, text string, now store.Revisions, at time.Time) (*principal, error) {
	hash, ok := auth.APIKeyHash(text)
	if !ok {
		return nil, errSignedOut
	}
	key, found, err := s.Store.APIKeyByHash(ctx, hash)
	if err != nil {
		return nil, err
	}
	expires := at.Add(24 * time.Hour)
	if key.ExpiresAt != nil {
		expires = *key.ExpiresAt
	}
	if !found || !key.Live(at) {
		return nil, errSignedOut
	}
	return &principal{
		actor: "key:" + key.Prefix, limited: "key " + key.Prefix, customer: key.Customer, role: key.Role, scopes: key.Scopes,
		expires: expires, access: now.Access,
	}, nil
}

// principals keeps who was seen lately, by credential.
type principals struct {
	mu sync.RWMutex
	by map[credential]*principal
}

// maxPrincipals bounds them; all are forgotten when it is reached, and looked up again.
const maxPrincipals = 20_000

func (k *principals) get(presented credential) *principal {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.by[presented]
}

func (k *principals) put(presented credential, p *principal) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.by == nil || len(k.by) >= maxPrincipals {
		k.by = map[credential]*principal{}
	}
	k.by[presented] = p
}
