package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mattn/go-isatty"
	"upstream"
	"upstream/internal/auth"
	"upstream/internal/store"
)

type userCmd struct {
	Create  userCreateCmd  `cmd:"" help:"Make a user, who signs in with a password."`
	Passwd  userPasswdCmd  `cmd:"" help:"Give a user another password."`
	List    userListCmd    `cmd:"" help:"List users."`
	Disable userDisableCmd `cmd:"" help:"Keep a user from signing in, and end its sessions."`
	Enable  userEnableCmd  `cmd:"" help:"Let a disabled user sign in again."`
}

// passwordOptions are the ways in which a password is given: never as an argument,
// which other users of the machine can see.
type passwordOptions struct {
	PasswordFile string `placeholder:"FILE" help:"Read the password from the first line of a file, - for standard input. Without it you are asked."`
	Generate     bool   `help:"Make a password and print it."`
}

// read returns the password for a user.
func (o *passwordOptions) read(a *app, username string) (string, error) {
	if o.Generate {
		if o.PasswordFile != "" {
			return "", upstream.Errorf(upstream.Invalid, "--generate and --password-file can't both be given")
		}
		secret, _ := auth.NewSecret()
		return secret[:generatedSize], nil
	}
	in := a.stdin
	switch o.PasswordFile {
	case "-":
	case "":
		if f, isFile := in.(*os.File); isFile && isatty.IsTerminal(f.Fd()) {
			a.notef("type the password of %s and press Enter; it will be seen, --generate makes one instead", username)
		}
	default:
		f, err := os.Open(o.PasswordFile)
		if err != nil {
			return "", upstream.Errorf(upstream.NotFound, "can't read %s: %w", o.PasswordFile, errors.Unwrap(err))
		}
		defer f.Close()
		in = f
	}
	password, err := firstLine(in)
	if err != nil {
		return "", upstream.Errorf(upstream.Unavailable, "can't read the password: %w", err)
	}
	if password == "" {
		return "", upstream.Errorf(upstream.Invalid, "there is no password; type one, name a file with --password-file, or have one made with --generate")
	}
	return password, auth.CheckPassword(username, password)
}

// generatedSize is the length of passwords that are made: 119 random bits.
const generatedSize = 20

// firstLine reads a line, of at most what is longer than any password.
func firstLine(in io.Reader) (string, error) {
	if in == nil {
		return "", nil
	}
	line, err := bufio.NewReader(io.LimitReader(in, 64<<10)).ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return strings.TrimRight(line, "\r\n"), err
}

// tell prints a password that was made.
func (o *passwordOptions) tell(a *app, password string) {
	if o.Generate {
		a.printf("password: %s\n", password)
	}
}

// withStore opens the database.
func (a *app) withStore(f func(*store.Store) error) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	return errors.Join(f(s), s.Close())
}

// audited returns an app whose next change of the database is audited as ours.
func (a *app) audited(customer int64, action, target, detail string) *app {
	out := *a
	out.Context = store.WithAudit(a, upstream.AuditEntry{Customer: customer, At: a.now(), Actor: "cli", Action: action, Target: target, Detail: detail})
	return &out
}

// userNamed returns the user of a name.
func userNamed(a *app, s *store.Store, name string) (upstream.User, error) {
	u, _, err := s.UserForLogin(a, name)
	if err == nil && u.ID == 0 {
		err = upstream.Errorf(upstream.NotFound, "there is no user of that name; `upstream user list` shows those there are")
	}
	return u, err
}

type userCreateCmd struct {
	Name      string `arg:"" help:"The username: 3 to 64 letters, digits, or any of . _ - @."`
	Role      string `required:"" enum:"viewer,analyst,admin,owner" placeholder:"ROLE" help:"What the user may do: viewer, analyst, admin or owner."`
	Customer  int64  `placeholder:"ID" help:"The customer the user belongs to; only a superuser may do without."`
	Superuser bool   `help:"Let the user see and manage all customers."`
	JSON      bool   `name:"json" help:"Print the user as JSON."`
	passwordOptions
}

func (*userCreateCmd) Help() string {
	return `A viewer reads; an analyst also judges events, uploads and runs reports; an admin also manages users, keys and settings; an owner also manages admins.

Example:  upstream user create ann --role owner --customer 1 --generate`
}

func (c *userCreateCmd) Run(a *app) error {
	password, err := c.read(a, c.Name)
	if err != nil {
		return err
	}
	hash, err := auth.NewHasher().Hash(a, password)
	if err != nil {
		return err
	}
	return a.withStore(func(s *store.Store) error {
		u := upstream.User{Username: c.Name, Role: upstream.Role(c.Role), Customer: c.Customer, Superuser: c.Superuser}
		u, err := s.CreateUser(a.audited(c.Customer, "user.create", "", c.Name), u, hash, a.now())
		if err != nil {
			return err
		}
		if c.JSON {
			return a.printJSON(createdUser{u, c.generated(password)})
		}
		a.printf("user %d: %s\n", u.ID, u.Username)
		c.tell(a, password)
		return nil
	})
}

// createdUser is a user with the password that was made for it, if one was.
type createdUser struct {
	upstream.User
	Password string `json:"password,omitempty"`
}

func (o *passwordOptions) generated(password string) string {
	if o.Generate {
		return password
	}
	return ""
}

type userPasswdCmd struct {
	Name string `arg:"" help:"The username."`
	passwordOptions
}

func (*userPasswdCmd) Help() string {
	return "Ends all sessions of the user.\n\nExample:  upstream user passwd ann --password-file secret.txt"
}

func (c *userPasswdCmd) Run(a *app) error {
	return a.withStore(func(s *store.Store) error {
		u, err := userNamed(a, s, c.Name)
		if err != nil {
			return err
		}
		password, err := c.read(a, u.Username)
		if err != nil {
			return err
		}
		hash, err := auth.NewHasher().Hash(a, password)
		if err != nil {
			return err
		}
		if err := s.SetPassword(a.audited(u.Customer, "user.password", idText(u.ID), u.Username), u.ID, hash, 0, a.now()); err != nil {
			return err
		}
		a.printf("user %d: %s has a new password\n", u.ID, u.Username)
		c.tell(a, password)
		return nil
	})
}

type userListCmd struct {
	Customer int64 `placeholder:"ID" help:"Only users of this customer."`
	JSON     bool  `name:"json" help:"Print the users as JSON."`
}

func (*userListCmd) Help() string {
	return "Lists the users of all customers, or of one.\n\nExample:  upstream user list --customer 1"
}

func (c *userListCmd) Run(a *app) error {
	var users []upstream.User
	err := a.withStore(func(s *store.Store) (err error) {
		users, err = everyPage(func(p upstream.Page) (upstream.List[upstream.User], error) { return s.Users(a, c.Customer, p) })
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(users)
	}
	if len(users) == 0 {
		a.notef("there is no user yet; `upstream user create NAME --role owner --customer ID` makes one")
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	row(w, "id", "username", "customer", "role", "superuser", "state", "created")
	for _, u := range users {
		state := "enabled"
		if u.Disabled {
			state = "disabled"
		}
		row(w, u.ID, u.Username, orDash(u.Customer), u.Role, yesNo(u.Superuser), state, u.CreatedAt.Format(time.DateOnly))
	}
	return nil
}

func orDash(id int64) any {
	if id == 0 {
		return "-"
	}
	return id
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

type userDisableCmd struct {
	Name string `arg:"" help:"The username."`
}

func (*userDisableCmd) Help() string {
	return "The last owner of a customer and the last superuser can't be disabled.\n\nExample:  upstream user disable ann"
}

func (c *userDisableCmd) Run(a *app) error { return disable(a, c.Name, true) }

type userEnableCmd struct {
	Name string `arg:"" help:"The username."`
}

func (*userEnableCmd) Help() string {
	return "The password is the one the user had.\n\nExample:  upstream user enable ann"
}

func (c *userEnableCmd) Run(a *app) error { return disable(a, c.Name, false) }

func disable(a *app, name string, disabled bool) error {
	action, state := "user.enable", "enabled"
	if disabled {
		action, state = "user.disable", "disabled"
	}
	return a.withStore(func(s *store.Store) error {
		u, err := userNamed(a, s, name)
		if err != nil {
			return err
		}
		u, err = s.ChangeUser(a.audited(u.Customer, action, idText(u.ID), u.Username), u.ID, store.UserChange{Disabled: &disabled}, a.now())
		if err != nil {
			return err
		}
		a.printf("user %d: %s is %s\n", u.ID, u.Username, state)
		return nil
	})
}
