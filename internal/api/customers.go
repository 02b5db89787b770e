package api

import (
	"context"

	"upstream"
)

type customersInput struct{ Paging }

func (s *Server) listCustomers(ctx context.Context, in *customersInput) (*listOutput[upstream.Customer], error) {
	return found(ctx, &in.Paging, func(page upstream.Page) (upstream.List[upstream.Customer], error) {
		if of(ctx).who.superuser {
			return s.Store.CustomersPage(ctx, page)
		}
		own, err := s.customer(ctx, of(ctx).who.customer)
		if page.Offset > 0 {
			return upstream.List[upstream.Customer]{Count: upstream.Count{N: 1, Exact: true}}, err
		}
		return upstream.List[upstream.Customer]{Items: []upstream.Customer{own}, Count: upstream.Count{N: 1, Exact: true}}, err
	})
}

// customer returns a customer that who asks may see; others do not exist.
func (s *Server) customer(ctx context.Context, id int64) (upstream.Customer, error) {
	who := of(ctx).who
	if id != who.customer && !who.superuser {
		return upstream.Customer{}, errNoCustomer
	}
	t, err := s.Store.Tenant(ctx, id)
	if upstream.ErrorCode(err) == upstream.NotFound {
		return upstream.Customer{}, errNoCustomer
	}
	if err != nil {
		return upstream.Customer{}, err
	}
	return t.Customer(ctx)
}

type customerOutput struct{ Body upstream.Customer }

func (s *Server) getCustomer(ctx context.Context, in *IDInput) (*customerOutput, error) {
	k, err := s.customer(ctx, in.ID)
	return &customerOutput{k}, err
}

type customerName struct {
	Name string `json:"name" minLength:"1" maxLength:"200" example:"Northside Orthopedics" doc:"Unique."`
}

type createCustomerInput struct{ Body customerName }

type createdCustomerOutput struct {
	Location string `header:"Location"`
	Body     upstream.Customer
}

func (s *Server) createCustomer(ctx context.Context, in *createCustomerInput) (*createdCustomerOutput, error) {
	k, err := s.Store.CreateCustomer(ctx, in.Body.Name, of(ctx).started)
	return &createdCustomerOutput{Location: Prefix + "customers/" + itoa(k.ID) + "/", Body: k}, err
}

type changeCustomerInput struct {
	IDInput
	Body customerName
}

func (s *Server) changeCustomer(ctx context.Context, in *changeCustomerInput) (*customerOutput, error) {
	if _, err := s.customer(ctx, in.ID); err != nil {
		return nil, err
	}
	k, err := s.Store.RenameCustomer(ctx, in.ID, in.Body.Name)
	return &customerOutput{k}, err
}
