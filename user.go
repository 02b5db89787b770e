package upstream

import (
	"slices"
	"time"
)

// Role is what a user may do with the data of a customer.
type Role string

// The roles, each of which may do all that the one before it may.
const (
	Viewer  Role = "viewer"  // read
	Analyst Role = "analyst" // judge events, upload, run reports
	Admin   Role = "admin"   // manage users, keys and settings
	Owner   Role = "owner"   // manage admins
)

var roles = []Role{Viewer, Analyst, Admin, Owner}

// ParseRole reads the name of a role.
func ParseRole(s string) (Role, error) {
	if !slices.Contains(roles, Role(s)) {
		return "", Errorf(Invalid, "a role is viewer, analyst, admin or owner")
	}
	return Role(s), nil
}

// Allows reports whether the role may do what needs at least another one.
func (r Role) Allows(least Role) bool {
	have := slices.Index(roles, r)
	return have >= 0 && have >= slices.Index(roles, least)
}

// User is a person with a password. Usernames are unique in a database, whatever
// their case.
type User struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
	// Customer is the practice the user belongs to. A superuser may see all; it is
	// the one that is shown when the superuser names none, 0 for none.
	Customer  int64     `json:"customer"`
	Role      Role      `json:"role"`
	Superuser bool      `json:"superuser"`
	Disabled  bool      `json:"disabled"`
	CreatedAt time.Time `json:"created_at"`
}

// APIKey lets a program act for a customer. The key itself is shown once and
// stored as a hash.
type APIKey struct {
	ID       int64  `json:"id"`
	Customer int64  `json:"customer"`
	Name     string `json:"name"`
	Prefix   string `json:"prefix"` // the part of the key that may be shown
	Role     Role   `json:"role"`
	// Scopes are the resources the key is for, as "claims" or "uploads"; all when
	// it is empty.
	Scopes    []string   `json:"scopes"`
	CreatedBy string     `json:"created_by"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	RevokedAt *time.Time `json:"revoked_at"`
}

// Live reports whether the key opens anything at an instant: it is neither revoked
// nor expired.
func (k *APIKey) Live(now time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || now.Before(*k.ExpiresAt))
}

// SessionKind is how a session is carried.
type SessionKind string

// The kinds of sessions.
const (
	TokenSession   SessionKind = "token"   // a family of refresh tokens
	BrowserSession SessionKind = "browser" // a cookie
)

// Session is one sign-in of a user, until it ends or is revoked.
type Session struct {
	ID        int64       `json:"id"`
	User      int64       `json:"user"`
	Kind      SessionKind `json:"kind"`
	CreatedAt time.Time   `json:"created_at"`
	SeenAt    time.Time   `json:"seen_at"`    // to a minute or so
	ExpiresAt time.Time   `json:"expires_at"` // at the latest
	RevokedAt *time.Time  `json:"revoked_at"`
	Address   string      `json:"address"`
	Agent     string      `json:"agent"` // the User-Agent, shortened
	// Generation counts the refreshes of a family of tokens, from 1.
	Generation int64 `json:"-"`
}

// How long sessions live. That of tokens counts from the last refresh.
const (
	TokenSessionLife   = 7 * 24 * time.Hour
	BrowserSessionLife = 12 * time.Hour
	BrowserSessionIdle = 15 * time.Minute
)

// Live reports whether the session is signed in at an instant: it is not revoked,
// expired or, in a browser, idle for too long.
func (s *Session) Live(now time.Time) bool {
	idle := s.Kind == BrowserSession && !now.Before(s.SeenAt.Add(BrowserSessionIdle))
	return s.ID != 0 && s.RevokedAt == nil && now.Before(s.ExpiresAt) && !idle
}

// AuditEntry is one read of claims or one change: who did what, when, from where.
type AuditEntry struct {
	Customer int64     `json:"customer"` // 0 for what belongs to none
	ID       int64     `json:"id"`       // counts from 1 in a customer, without gaps
	At       time.Time `json:"at"`
	Actor    string    `json:"actor"`   // "user:ann", "key:ups_ab12cd34", "job:upload"
	Action   string    `json:"action"`  // an operation of the API, "get_claims"; "user.create" by a command, "upload.load" by a job
	Target   string    `json:"target"`  // what it was done to: an id; "" for a list
	Detail   string    `json:"detail"`  // the query of a read, the change of a change; may hold claim content
	Claims   []int64   `json:"claims"`  // ids of the claims that were shown
	Address  string    `json:"address"` // where the request came from
	Request  string    `json:"request"` // its id, as in the log
	Count    int64     `json:"count"`   // how many like requests within a second the entry stands for
	Hash     string    `json:"hash"`    // SHA-256 over the entry and the hash before it, in hex
}
