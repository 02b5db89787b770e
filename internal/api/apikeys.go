package api

import (
	"context"
	"slices"
	"time"

	"upstream"
	"upstream/internal/auth"
)

type apiKeysInput struct {
	OfCustomer
	Paging
}

func (s *Server) listAPIKeys(ctx context.Context, in *apiKeysInput) (*listOutput[upstream.APIKey], error) {
	return found(ctx, &in.Paging, func(page upstream.Page) (upstream.List[upstream.APIKey], error) {
		return s.Store.APIKeys(ctx, of(ctx).customer, page)
	})
}

type createAPIKeyInput struct {
	OfCustomer
	Body struct {
		Name      string        `json:"name" minLength:"1" maxLength:"100" doc:"What the key is for."`
		Role      upstream.Role `json:"role" enum:"viewer,analyst,admin" doc:"At most one's own."`
		Scopes    []string      `json:"scopes,omitempty" minItems:"1" maxItems:"20" doc:"The resources the key is for, as claims or uploads; all if not given."`
		ExpiresAt *time.Time    `json:"expires_at,omitempty"`
	}
}

// newAPIKey is a key with its secret, which nobody can read again.
type newAPIKey struct {
	upstream.APIKey
	Key string `json:"key" doc:"For Authorization: Bearer. It is shown this once."`
}

type createdAPIKeyOutput struct {
	Location string `header:"Location"`
	Body     newAPIKey
}

func (s *Server) createAPIKey(ctx context.Context, in *createAPIKeyInput) (*createdAPIKeyOutput, error) {
	c := of(ctx)
	if !c.who.role.Allows(in.Body.Role) {
		return nil, upstream.Errorf(upstream.Forbidden, "a key may have at most your own role")
	}
	if len(c.who.scopes) > 0 {
		return nil, upstream.Errorf(upstream.Forbidden, "a key with scopes makes no keys")
	}
	var wrong invalids
	for _, scope := range in.Body.Scopes {
		if !slices.ContainsFunc(s.routes, func(rt *route) bool { return rt.scope == scope }) {
			wrong.add("body.scopes", "there is no resource of that name; the first part of a path is one, as claims")
		}
	}
	if in.Body.ExpiresAt != nil && !in.Body.ExpiresAt.After(c.started) {
		wrong.add("body.expires_at", "must be later than now")
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	key, prefix, hash := auth.NewAPIKey()
	auditChange(ctx, map[string]any{"name": in.Body.Name, "prefix": prefix, "role": in.Body.Role, "scopes": in.Body.Scopes, "expires_at": in.Body.ExpiresAt})
	made, err := s.Store.CreateAPIKey(ctx, upstream.APIKey{
		Customer: c.customer, Name: in.Body.Name, Prefix: prefix, Role: in.Body.Role, Scopes: append([]string{}, in.Body.Scopes...),
		CreatedBy: c.who.actor, ExpiresAt: in.Body.ExpiresAt,
	}, hash, c.started)
	if err != nil {
		return nil, err
	}
	return &createdAPIKeyOutput{Location: Prefix + "api-keys/" + itoa(made.ID) + "/", Body: newAPIKey{made, key}}, nil
}

type apiKeyOutput struct{ Body upstream.APIKey }

func (s *Server) revokeAPIKey(ctx context.Context, in *OfCustomerAndID) (*apiKeyOutput, error) {
	c := of(ctx)
	k, err := s.Store.RevokeAPIKey(ctx, c.customer, in.ID, c.started)
	if upstream.ErrorCode(err) == upstream.NotFound {
		err = upstream.Errorf(upstream.NotFound, "there is no such API key")
	}
	return &apiKeyOutput{k}, err
}
