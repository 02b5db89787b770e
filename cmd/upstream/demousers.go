package main

import (
	"slices"

	"upstream"
	"upstream/internal/auth"
	"upstream/internal/store"
)

// demoUser is an account whose password everybody knows.
type demoUser struct {
	name, password string
	role           upstream.Role
	superuser      bool
}

// demoUsers are those of the guide.
var demoUsers = []demoUser{
	{"testuser", "testpass123", upstream.Analyst, false},
	{"admin", "admin123", upstream.Owner, true},
}

// makeDemoUsers makes the users of the demo customer. Nothing else makes users with
// passwords as weak as these. Users of these names that are there stay as they are.
func makeDemoUsers(a *app, s *store.Store, customer int64) error {
	hasher := auth.NewHasher()
	for _, d := range demoUsers {
		known, _, err := s.UserForLogin(a, d.name)
		if err != nil {
			return err
		}
		if known.ID != 0 {
			continue
		}
		hash, err := hasher.Hash(a, d.password)
		if err != nil {
			return err
		}
		u := upstream.User{Username: d.name, Customer: customer, Role: d.role, Superuser: d.superuser}
		if _, err := s.CreateUser(a, u, hash, a.now()); err != nil && upstream.ErrorCode(err) != upstream.Conflict {
			return err
		}
	}
	return nil
}

// refuseOthersUsers keeps passwords that everybody knows out of a database that
// somebody else signs in to.
func refuseOthersUsers(a *app, s *store.Store) error {
	users, err := everyPage(func(p upstream.Page) (upstream.List[upstream.User], error) { return s.Users(a, 0, p) })
	if err != nil {
		return err
	}
	for _, u := range users {
		if !slices.ContainsFunc(demoUsers, func(d demoUser) bool { return d.name == u.Username }) {
			return upstream.Errorf(upstream.Forbidden, "this database has users of its own, and the demo makes some whose passwords everybody knows; give the demo one for itself: upstream demo --database sqlite:demo.db")
		}
	}
	return nil
}

// openDemoUsers returns the users who can sign in with a password that everybody knows.
func openDemoUsers(a *app, s *store.Store) (open []demoUser, err error) {
	hasher := auth.NewHasher()
	for _, d := range demoUsers {
		known, hash, err := s.UserForLogin(a, d.name)
		if err != nil {
			return nil, err
		}
		if known.ID == 0 || known.Disabled {
			continue
		}
		ok, _, err := hasher.Verify(a, d.password, hash)
		if err != nil {
			return nil, err
		}
		if ok {
			open = append(open, d)
		}
	}
	return open, nil
}

// refuseDemoUsers keeps a database of the demo from being served to a network as
// long as everybody knows its passwords.
// A proxy in front of loopback is a network too.
func refuseDemoUsers(a *app, s *store.Store, listen string, proxied bool) error {
	if loopback(listen) && !proxied {
		return nil
	}
	open, err := openDemoUsers(a, s)
	if err != nil || len(open) == 0 {
		return err
	}
	return upstream.Errorf(upstream.Forbidden, "everybody knows the password of the demo's user %s: change it with `upstream user passwd %[1]s`, or serve this machine alone with --listen localhost:8000", open[0].name)
}
