package api

import (
	"context"

	"upstream"
	"upstream/internal/store"
)

type usersInput struct {
	OfCustomer
	Paging
}

// listUsers lists the users of a customer; those without a customer, who are
// superusers, have their place in `upstream user list`.
func (s *Server) listUsers(ctx context.Context, in *usersInput) (*listOutput[upstream.User], error) {
	return found(ctx, &in.Paging, func(page upstream.Page) (upstream.List[upstream.User], error) {
		return s.Store.Users(ctx, of(ctx).customer, page)
	})
}

type userOutput struct{ Body upstream.User }

// OfCustomerAndID are the parameters of a route about one thing of a customer.
type OfCustomerAndID struct {
	OfCustomer
	ID int64 `path:"id" minimum:"1"`
}

var errNoUser = upstream.Errorf(upstream.NotFound, "there is no such user, or it is none of yours")

// user returns a user of the customer in question; others do not exist.
func (s *Server) user(ctx context.Context, id int64) (upstream.User, error) {
	u, err := s.Store.User(ctx, id)
	if err == nil && u.Customer != of(ctx).customer {
		err = errNoUser
	}
	if upstream.ErrorCode(err) == upstream.NotFound {
		err = errNoUser
	}
	return u, err
}

func (s *Server) getUser(ctx context.Context, in *OfCustomerAndID) (*userOutput, error) {
	u, err := s.user(ctx, in.ID)
	return &userOutput{u}, err
}

type createUserInput struct {
	OfCustomer
	Body struct {
		Username  string        `json:"username" minLength:"3" maxLength:"64" example:"ann" doc:"Letters, digits and . _ - @, unique whatever the case."`
		Password  string        `json:"password" minLength:"1" maxLength:"1024" format:"password"`
		Role      upstream.Role `json:"role" enum:"viewer,analyst,admin,owner" example:"analyst"`
		Superuser bool          `json:"superuser,omitempty" doc:"Sees all customers; only superusers make such."`
	}
}

type createdUserOutput struct {
	Location string `header:"Location"`
	Body     upstream.User
}

func (s *Server) createUser(ctx context.Context, in *createUserInput) (*createdUserOutput, error) {
	c := of(ctx)
	if err := c.mayGive(in.Body.Role, in.Body.Superuser); err != nil {
		return nil, err
	}
	if err := c.maySetPasswords(); err != nil {
		return nil, err
	}
	hash, err := s.newPassword(ctx, in.Body.Username, in.Body.Password, "body.password")
	if err != nil {
		return nil, err
	}
	auditChange(ctx, map[string]any{"username": in.Body.Username, "role": in.Body.Role, "superuser": in.Body.Superuser})
	u, err := s.Store.CreateUser(ctx, upstream.User{
		Username: in.Body.Username, Customer: c.customer, Role: in.Body.Role, Superuser: in.Body.Superuser,
	}, hash, c.started)
	return &createdUserOutput{Location: Prefix + "users/" + itoa(u.ID) + "/", Body: u}, err
}

// mayGive reports whether who asks may give a role, or manage somebody who has it:
// admins manage analysts and viewers, owners all.
func (c *call) mayGive(r upstream.Role, superuser bool) error {
	if superuser && !c.who.superuser {
		return upstream.Errorf(upstream.Forbidden, "only superusers manage superusers")
	}
	if r.Allows(upstream.Admin) && !c.who.role.Allows(upstream.Owner) {
		return upstream.Errorf(upstream.Forbidden, "only owners manage admins and owners")
	}
	return nil
}

// maySetPasswords refuses keys with scopes: somebody could sign in with the password,
// and reach further than the key.
func (c *call) maySetPasswords() error {
	if len(c.who.scopes) > 0 {
		return upstream.Errorf(upstream.Forbidden, "a key with scopes sets no passwords")
	}
	return nil
}

type changeUserInput struct {
	OfCustomerAndID
	Body struct {
		Role     *upstream.Role `json:"role,omitempty" enum:"viewer,analyst,admin,owner"`
		Disabled *bool          `json:"disabled,omitempty" doc:"A disabled user is signed out at once."`
		Password *string        `json:"password,omitempty" minLength:"1" maxLength:"1024" format:"password" doc:"Ends the user's sessions."`
	}
}

func (s *Server) changeUser(ctx context.Context, in *changeUserInput) (*userOutput, error) {
	c := of(ctx)
	u, err := s.managed(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Body.Role != nil {
		if err := c.mayGive(*in.Body.Role, false); err != nil {
			return nil, err
		}
	}
	change := store.UserChange{Role: in.Body.Role, Disabled: in.Body.Disabled}
	if in.Body.Password != nil {
		if err := c.maySetPasswords(); err != nil {
			return nil, err
		}
		hash, err := s.newPassword(ctx, u.Username, *in.Body.Password, "body.password")
		if err != nil {
			return nil, err
		}
		change.PasswordHash = &hash
	}
	if change == (store.UserChange{}) {
		return nil, invalids{{"body", "must change something: role, disabled or password"}}
	}
	auditChange(ctx, map[string]any{"role": in.Body.Role, "disabled": in.Body.Disabled, "password": in.Body.Password != nil})
	u, err = s.Store.ChangeUser(ctx, u.ID, change, c.started)
	return &userOutput{u}, err
}

// managed returns a user whom who asks may manage.
func (s *Server) managed(ctx context.Context, id int64) (upstream.User, error) {
	u, err := s.user(ctx, id)
	if err != nil {
		return u, err
	}
	return u, of(ctx).mayGive(u.Role, u.Superuser)
}

func (s *Server) deleteUser(ctx context.Context, in *OfCustomerAndID) (*noOutput, error) {
	u, err := s.managed(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &noOutput{}, s.Store.DeleteUser(ctx, u.ID)
}
