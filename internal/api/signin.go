package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"upstream"
	"upstream/internal/auth"
	"upstream/internal/limit"
	"upstream/internal/store"
)

type credentials struct {
	Username string `json:"username" minLength:"1" maxLength:"64" example:"testuser" doc:"As the user was made; upper and lower case are the same."`
	Password string `json:"password" minLength:"1" maxLength:"1024" format:"password" example:"testpass123" doc:"The user's password."`
}

type credentialsInput struct {
	UserAgent string `header:"User-Agent" hidden:"true"`
	Body      credentials
}

type tokenPair struct {
	Access  string `json:"access" doc:"For Authorization: Bearer, 15 minutes long."`
	Refresh string `json:"refresh" doc:"For auth/token/refresh/, once, within 7 days."`
}

type tokenOutput struct{ Body tokenPair }

var errWrongPassword = &Problem{
	Status: http.StatusUnauthorized, Code: string(upstream.SignedOut), challenge: true,
	Detail: "there is no user with this name and password, or the user is disabled",
}

// guessRate bounds the guesses at one account from one network: a person who forgot
// a password has 20, and then one each 10 seconds. accountRate bounds those from
// everywhere together, so high that nobody locks somebody else out with ease.
var (
	guessRate   = limit.Rate{PerSecond: .1, Burst: 20}
	accountRate = limit.Rate{PerSecond: 1, Burst: 300}
)

// limitGuesses counts an attempt to sign in with a name. The name is kept as a hash:
// people type passwords there.
func (s *Server) limitGuesses(ctx context.Context, username string) error {
	if s.Rates.Login == (limit.Rate{}) {
		return nil
	}
	c := of(ctx)
	sum := sha256.Sum256([]byte(strings.ToLower(username)))
	account := "account " + hex.EncodeToString(sum[:tagBytes])
	for key, rate := range map[string]limit.Rate{account + " " + network(c.address): guessRate, account: accountRate} {
		d, err := s.Limiter.Take(ctx, key, rate, c.started)
		if err != nil {
			return err
		}
		if !d.Allowed {
			s.Metrics.AuthFailed("locked")
			return &Problem{
				Status: http.StatusTooManyRequests, Code: "too_many_requests", retryAfter: d.RetryAfter,
				Detail: "too many sign-ins with this name; try again after the seconds in Retry-After",
			}
		}
	}
	return nil
}

// authenticate returns the user of a name and password. It takes as long for a
// user that doesn't exist, and says the same. What is refused is audited here, what
// follows from a right password by who asked.
func (s *Server) authenticate(ctx context.Context, k credentials) (upstream.User, error) {
	c := of(ctx)
	if err := s.limitGuesses(ctx, k.Username); err != nil {
		return upstream.User{}, err
	}
	user, hash, err := s.Store.UserForLogin(ctx, k.Username)
	if err != nil {
		return user, err
	}
	ok, outdated, err := s.hasher.Verify(ctx, k.Password, hash)
	if err != nil {
		return user, err
	}
	if !ok || user.Disabled {
		s.Metrics.AuthFailed("credentials")
		s.audit.note(c.signIn(user, "auth.refused"))
		return user, errWrongPassword
	}
	if outdated {
		var renewed string
		if renewed, err = s.hasher.Hash(ctx, k.Password); err == nil {
			err = s.Store.RenewPasswordHash(ctx, user.ID, hash, renewed)
		}
	}
	return user, err
}

// actionSignedIn is the action of a sign-in, which is committed with its session.
const actionSignedIn = "auth.signed_in"

// signIn is what the audit says of an attempt. A name that nobody has is not kept:
// people type passwords there.
func (c *call) signIn(user upstream.User, action string) upstream.AuditEntry {
	e := upstream.AuditEntry{Customer: user.Customer, At: c.started, Actor: "anyone", Action: action, Address: c.address, Request: c.id, Count: 1}
	if user.ID != 0 {
		e.Actor, e.Target = "user:"+user.Username, itoa(user.ID)
	}
	return e
}

func (s *Server) createToken(ctx context.Context, in *credentialsInput) (*tokenOutput, error) {
	user, err := s.authenticate(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	c := of(ctx)
	session, err := s.Store.CreateSession(store.WithAudit(ctx, c.signIn(user, actionSignedIn)), upstream.Session{
		User: user.ID, Kind: upstream.TokenSession, Address: c.address, Agent: shortAgent(in.UserAgent),
	}, "", c.started)
	if err != nil {
		return nil, err
	}
	return s.pair(ctx, user.ID, session.ID, firstGeneration)
}

// firstGeneration is that of a session's first refresh token.
const firstGeneration = 1

// pair signs the tokens of a session.
func (s *Server) pair(ctx context.Context, user, session, generation int64) (*tokenOutput, error) {
	c := of(ctx)
	k, err := s.keysOf(ctx, c.started, keysTrusted)
	if err != nil {
		return nil, err
	}
	sign := func(use auth.Use, life time.Duration, generation int64) (string, error) {
		return k.signer.Sign(auth.Token{Use: use, User: user, Session: session, Generation: generation, Issued: c.started, Expires: c.started.Add(life)})
	}
	access, err := sign(auth.Access, auth.AccessLife, 0)
	if err != nil {
		return nil, err
	}
	refresh, err := sign(auth.Refresh, auth.RefreshLife, generation)
	return &tokenOutput{tokenPair{access, refresh}}, err
}

type refreshInput struct {
	Body struct {
		Refresh string `json:"refresh" minLength:"1" maxLength:"4096"`
	}
}

func (s *Server) refreshToken(ctx context.Context, in *refreshInput) (*tokenOutput, error) {
	c := of(ctx)
	token, err := s.verify(ctx, in.Body.Refresh, auth.Refresh, c.started)
	if err != nil {
		s.Metrics.AuthFailed("token")
		return nil, err
	}
	user, err := s.Store.User(ctx, token.User)
	if err != nil {
		return nil, signedOut(err)
	}
	if user.Disabled {
		return nil, errSignedOut
	}
	next, err := s.Store.RotateSession(ctx, token.Session, token.Generation, c.started)
	if err != nil {
		if upstream.ErrorCode(err) == upstream.SignedOut {
			s.Metrics.AuthFailed("revoked")
			s.audit.note(c.signIn(user, "auth.refresh_refused"))
		}
		return nil, err
	}
	return s.pair(ctx, token.User, token.Session, next)
}

type verifyInput struct {
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"4096" doc:"An access or refresh token."`
	}
}

type verifyOutput struct{ Body struct{} }

// verifyToken answers 200 for a good token and 401 for any other.
func (s *Server) verifyToken(ctx context.Context, in *verifyInput) (*verifyOutput, error) {
	c := of(ctx)
	token, err := s.verify(ctx, in.Body.Token, auth.Access, c.started)
	if err != nil {
		if token, err = s.verify(ctx, in.Body.Token, auth.Refresh, c.started); err != nil {
			return nil, err
		}
	}
	session, err := s.Store.SessionByID(ctx, token.Session)
	if err != nil {
		return nil, signedOut(err)
	}
	if session.User != token.User || token.Use == auth.Refresh && token.Generation != session.Generation {
		return nil, errSignedOut
	}
	if _, err := s.bySession(ctx, session, token.Expires, store.Revisions{}, c.started); err != nil {
		return nil, err
	}
	return &verifyOutput{}, nil
}

type loginOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie" doc:"The session, for 12 hours at most, 15 minutes without a request."`
	Body      me
}

func (s *Server) logIn(ctx context.Context, in *credentialsInput) (*loginOutput, error) {
	user, err := s.authenticate(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	c := of(ctx)
	secret, hash := auth.NewSecret()
	_, err = s.Store.CreateSession(store.WithAudit(ctx, c.signIn(user, actionSignedIn)), upstream.Session{
		User: user.ID, Kind: upstream.BrowserSession, Address: c.address, Agent: shortAgent(in.UserAgent),
	}, hash, c.started)
	if err != nil {
		return nil, err
	}
	return &loginOutput{SetCookie: s.cookie(secret), Body: meOf(user)}, nil
}

// cookie is that of a browser session; an empty secret removes it. It is sent over
// TLS only, unless users are said to reach the server without.
func (s *Server) cookie(secret string) http.Cookie {
	k := http.Cookie{Name: cookieName, Value: secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: !strings.HasPrefix(s.PublicURL, "http:")}
	if secret == "" {
		k.MaxAge = -1
	}
	return k
}

type logoutOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

func (s *Server) logOut(ctx context.Context, _ *noInput) (*logoutOutput, error) {
	c := of(ctx)
	if c.who.session.ID == 0 {
		return nil, upstream.Errorf(upstream.Invalid, "an API key has no session; revoke it under api-keys/")
	}
	if err := s.Store.RevokeSession(ctx, c.who.user.ID, c.who.session.ID, c.started); err != nil {
		return nil, err
	}
	return &logoutOutput{s.cookie("")}, nil
}

// shortAgent is as much of a User-Agent as is kept.
func shortAgent(agent string) string {
	agent = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, agent)
	return agent[:min(len(agent), 200)]
}

// me is who is signed in.
type me struct {
	User      int64         `json:"user" doc:"0 for an API key."`
	Name      string        `json:"name"`
	Customer  int64         `json:"customer" doc:"One's own; 0 for none."`
	Role      upstream.Role `json:"role" enum:"viewer,analyst,admin,owner"`
	Superuser bool          `json:"superuser"`
	Scopes    []string      `json:"scopes" doc:"Of an API key; all when it is empty."`
}

func meOf(u upstream.User) me {
	return me{User: u.ID, Name: u.Username, Customer: u.Customer, Role: u.Role, Superuser: u.Superuser, Scopes: []string{}}
}

type meOutput struct{ Body me }

func (s *Server) getMe(ctx context.Context, _ *noInput) (*meOutput, error) {
	p := of(ctx).who
	m := meOf(p.user)
	if p.user.ID == 0 {
		m = me{Name: p.name(), Customer: p.customer, Role: p.role, Scopes: append([]string{}, p.scopes...)}
	}
	return &meOutput{m}, nil
}

type passwordInput struct {
	Body struct {
		Old string `json:"old_password" minLength:"1" maxLength:"1024" format:"password"`
		New string `json:"new_password" minLength:"1" maxLength:"1024" format:"password"`
	}
}

type noOutput struct{}

func (s *Server) changePassword(ctx context.Context, in *passwordInput) (*noOutput, error) {
	c := of(ctx)
	if c.who.user.ID == 0 {
		return nil, upstream.Errorf(upstream.Forbidden, "an API key has no password")
	}
	if _, err := s.authenticate(ctx, credentials{c.who.user.Username, in.Body.Old}); err != nil {
		if errors.Is(err, errWrongPassword) { // the token is good
			err = invalids{{"body.old_password", "is not your password"}}
		}
		return nil, err
	}
	hash, err := s.newPassword(ctx, c.who.user.Username, in.Body.New, "body.new_password")
	if err != nil {
		return nil, err
	}
	return &noOutput{}, s.Store.SetPassword(ctx, c.who.user.ID, hash, c.who.session.ID, c.started)
}

// newPassword checks and hashes a password that somebody chose.
func (s *Server) newPassword(ctx context.Context, username, password, location string) (hash string, err error) {
	if !s.WeakPasswords {
		if err := auth.CheckPassword(username, password); err != nil {
			return "", invalids{{location, err.Error()}}
		}
	}
	return s.hasher.Hash(ctx, password)
}

type sessionView struct {
	upstream.Session
	Current bool `json:"current" doc:"The one that asks."`
}

type sessionsOutput struct {
	Body struct {
		Count   int64         `json:"count"`
		Results []sessionView `json:"results"`
	}
}

func (s *Server) listSessions(ctx context.Context, _ *noInput) (*sessionsOutput, error) {
	who := of(ctx).who
	sessions, err := s.Store.Sessions(ctx, who.user.ID, of(ctx).started)
	if err != nil {
		return nil, err
	}
	out := &sessionsOutput{}
	out.Body.Count, out.Body.Results = int64(len(sessions)), make([]sessionView, len(sessions))
	for i, k := range sessions {
		out.Body.Results[i] = sessionView{k, k.ID == who.session.ID}
	}
	return out, nil
}

// IDInput is the parameter of a route about one thing.
type IDInput struct {
	ID int64 `path:"id" minimum:"1"`
}

func (s *Server) endSession(ctx context.Context, in *IDInput) (*noOutput, error) {
	c := of(ctx)
	return &noOutput{}, s.Store.RevokeSession(ctx, c.who.user.ID, in.ID, c.started)
}
