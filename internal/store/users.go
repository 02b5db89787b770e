package store

import (
	"context"
	"regexp"
	"strings"
	"time"

	"upstream"
)

var usernameForm = regexp.MustCompile(`^[A-Za-z0-9._@-]{3,64}$`)

// CreateUser stores a user with the hash of a password and returns it with its
// id. A username that is taken in any case of letters is a Conflict; who is no
// superuser needs a customer that exists.
func (s *Store) CreateUser(ctx context.Context, u upstream.User, passwordHash string, now time.Time) (upstream.User, error) {
	if !usernameForm.MatchString(u.Username) {
		return u, upstream.Errorf(upstream.Invalid, "a username is 3 to 64 letters, digits, or any of . _ - @")
	}
	if passwordHash == "" {
		return u, upstream.Errorf(upstream.Invalid, "a user needs a password")
	}
	u.CreatedAt = instant(now.UnixMicro())
	err := s.write(ctx, 0, func(x tx) (err error) {
		if err := checkUser(x, &u); err != nil {
			return err
		}
		taken, err := one(x, "SELECT COUNT(*) FROM app_user WHERE login = $1", strings.ToLower(u.Username))
		if err != nil {
			return err
		}
		if taken > 0 {
			return upstream.Errorf(upstream.Conflict, "there is a user of that name already; choose another username")
		}
		if u.ID, err = nextID(x, "last_user"); err != nil {
			return err
		}
		nameAuditTarget(ctx, u.ID)
		_, err = x.exec(`INSERT INTO app_user (id, username, login, customer_id, role, superuser, disabled, password_hash, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			u.ID, u.Username, strings.ToLower(u.Username), u.Customer, string(u.Role), flag(u.Superuser), flag(u.Disabled), passwordHash, u.CreatedAt.UnixMicro())
		return err
	})
	return u, err
}

// checkUser checks what a user may be.
func checkUser(x tx, u *upstream.User) error {
	if _, err := upstream.ParseRole(string(u.Role)); err != nil {
		return err
	}
	if u.Customer == 0 {
		if u.Superuser {
			return nil
		}
		return upstream.Errorf(upstream.Invalid, "a user needs a customer; only a superuser may do without")
	}
	known, err := one(x, "SELECT COUNT(*) FROM customer WHERE id = $1", u.Customer)
	if err == nil && known == 0 {
		err = upstream.Errorf(upstream.Invalid, "there is no customer %d for the user; choose one that exists", u.Customer)
	}
	return err
}

// nextID advances a counter of ids. They are never given twice, so that what
// names a user or session that is gone opens nothing of a later one.
func nextID(x tx, counter string) (int64, error) {
	if _, err := x.exec("UPDATE access SET " + counter + " = " + counter + " + 1 WHERE id = 1"); err != nil {
		return 0, err
	}
	return one(x, "SELECT "+counter+" FROM access WHERE id = 1")
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

const userColumns = "id, username, customer_id, role, superuser, disabled, created_at"

func scanUser(r row) upstream.User {
	return upstream.User{
		ID: r.int(0), Username: r.text(1), Customer: r.int(2), Role: upstream.Role(r.text(3)),
		Superuser: r.int(4) == 1, Disabled: r.int(5) == 1, CreatedAt: instant(r.int(6)),
	}
}

// Users lists users by id, one page at a time: those of a customer, or all for
// customer 0.
func (s *Store) Users(ctx context.Context, customer int64, page upstream.Page) (list upstream.List[upstream.User], err error) {
	l := &listing{table: "app_user", columns: userColumns, id: "id", order: byID, everybody: customer == 0}
	if customer != 0 {
		l.args.add(customer)
	}
	err = s.read(ctx, func(x tx) error {
		list, err = readList(x, l, page, func(r row) (upstream.User, error) { return scanUser(r), nil })
		return err
	})
	return list, err
}

// CountUsers returns how many users there are, disabled ones included: of a
// customer, or all for customer 0.
func (s *Store) CountUsers(ctx context.Context, customer int64) (n int64, err error) {
	err = s.peek(ctx, "SELECT COUNT(*) FROM app_user WHERE customer_id = $1 OR $1 = 0", []any{customer}, func(r row) error {
		n = r.int(0)
		return nil
	})
	return n, err
}

// User returns a user, or NotFound.
func (s *Store) User(ctx context.Context, id int64) (u upstream.User, err error) {
	err = s.peek(ctx, userSQL, []any{id}, func(r row) error {
		u = scanUser(r)
		return nil
	})
	return u, orNoUser(u, err)
}

const userSQL = "SELECT " + userColumns + " FROM app_user WHERE id = $1"

func readUser(x tx, id int64) (u upstream.User, err error) {
	err = x.query(userSQL, []any{id}, func(r row) error {
		u = scanUser(r)
		return nil
	})
	return u, orNoUser(u, err)
}

func orNoUser(u upstream.User, err error) error {
	if err == nil && u.ID == 0 {
		err = upstream.Errorf(upstream.NotFound, "there is no such user; `upstream user list` shows those there are")
	}
	return err
}

// UserForLogin returns the user of a username, in any case of letters, and the
// hash of the password; zeros for one that nobody has, so that the caller takes
// the same time for both. A disabled user is returned too.
func (s *Store) UserForLogin(ctx context.Context, username string) (u upstream.User, passwordHash string, err error) {
	if !usernameForm.MatchString(username) {
		return u, "", nil
	}
	err = s.peek(ctx, "SELECT "+userColumns+", password_hash FROM app_user WHERE login = $1", []any{strings.ToLower(username)}, func(r row) error {
		u, passwordHash = scanUser(r), r.text(7)
		return nil
	})
	return u, passwordHash, err
}

// UserChange is what to change of a user; nil leaves it as it is.
type UserChange struct {
	Role      *upstream.Role
	Customer  *int64
	Superuser *bool
	Disabled  *bool
	// PasswordHash is that of a new password.
	PasswordHash *string
}

// ChangeUser changes a user and returns it as it is then. Disabling it, or a new
// password, ends its sessions. What would leave a customer without an enabled owner that it has, or
// the database without an enabled superuser, is a Conflict.
func (s *Store) ChangeUser(ctx context.Context, id int64, c UserChange, now time.Time) (u upstream.User, err error) {
	if c.PasswordHash != nil && *c.PasswordHash == "" {
		return u, upstream.Errorf(upstream.Invalid, "a user needs a password")
	}
	err = s.write(ctx, 0, func(x tx) error {
		before, err := readUser(x, id)
		if err != nil {
			return err
		}
		u = before
		set(&u.Role, c.Role)
		set(&u.Customer, c.Customer)
		set(&u.Superuser, c.Superuser)
		set(&u.Disabled, c.Disabled)
		if err := checkUser(x, &u); err != nil {
			return err
		}
		if err := keepsOne(x, before, u); err != nil {
			return err
		}
		_, err = x.exec("UPDATE app_user SET role = $1, customer_id = $2, superuser = $3, disabled = $4 WHERE id = $5",
			string(u.Role), u.Customer, flag(u.Superuser), flag(u.Disabled), id)
		if err == nil && c.PasswordHash != nil {
			_, err = x.exec("UPDATE app_user SET password_hash = $1 WHERE id = $2", *c.PasswordHash, id)
		}
		if err == nil && (u.Disabled || c.PasswordHash != nil) {
			err = endSessions(x, id, 0, now)
		}
		return err
	})
	return u, err
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}

// keepsOne refuses a change that takes the last enabled owner from a customer or
// the last enabled superuser from the database: nobody could undo it.
func keepsOne(x tx, before, after upstream.User) error {
	if before.Disabled {
		return nil
	}
	if before.Superuser && (after.Disabled || !after.Superuser) {
		others, err := one(x, "SELECT COUNT(*) FROM app_user WHERE superuser = 1 AND disabled = 0 AND id <> $1", before.ID)
		if err != nil {
			return err
		}
		if others == 0 {
			return upstream.Errorf(upstream.Conflict, "this is the last superuser; make another one first")
		}
	}
	leaves := after.Disabled || after.Role != upstream.Owner || after.Customer != before.Customer
	if before.Role != upstream.Owner || before.Customer == 0 || !leaves {
		return nil
	}
	others, err := one(x, "SELECT COUNT(*) FROM app_user WHERE customer_id = $1 AND role = $2 AND disabled = 0 AND id <> $3", before.Customer, string(upstream.Owner), before.ID)
	if err == nil && others == 0 {
		err = upstream.Errorf(upstream.Conflict, "this is the customer's last owner; make another one first")
	}
	return err
}

// SetPassword replaces the hash of a user's password and ends the user's sessions
// but the one with the id keep; 0 keeps none.
func (s *Store) SetPassword(ctx context.Context, id int64, passwordHash string, keep int64, now time.Time) error {
	if passwordHash == "" {
		return upstream.Errorf(upstream.Invalid, "a user needs a password")
	}
	return s.write(ctx, 0, func(x tx) error {
		n, err := x.exec("UPDATE app_user SET password_hash = $1 WHERE id = $2", passwordHash, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return orNoUser(upstream.User{}, nil)
		}
		return endSessions(x, id, keep, now)
	})
}

// RenewPasswordHash replaces the hash of a password that has not changed, from one
// that was made with older parameters; it does nothing when the hash is no longer
// the old one.
func (s *Store) RenewPasswordHash(ctx context.Context, id int64, from, to string) error {
	return s.writeQuietly(ctx, 0, func(x tx) error {
		_, err := x.exec("UPDATE app_user SET password_hash = $1 WHERE id = $2 AND password_hash = $3", to, id, from)
		return err
	})
}

// DeleteUser removes a user and its sessions, with the same guards as ChangeUser.
func (s *Store) DeleteUser(ctx context.Context, id int64) error {
	return s.write(ctx, 0, func(x tx) error {
		u, err := readUser(x, id)
		if err != nil {
			return err
		}
		if err := keepsOne(x, u, upstream.User{Disabled: true}); err != nil {
			return err
		}
		if _, err := x.exec("DELETE FROM session WHERE user_id = $1", id); err != nil {
			return err
		}
		_, err = x.exec("DELETE FROM app_user WHERE id = $1", id)
		return err
	})
}
