package api

import (
	"context"

	"upstream"
)

type mappingsInput struct {
	OfCustomer
	Paging
}

func (s *Server) listPayerMappings(ctx context.Context, in *mappingsInput) (*listOutput[upstream.PayerMapping], error) {
	return found(ctx, &in.Paging, func(page upstream.Page) (upstream.List[upstream.PayerMapping], error) {
		return of(ctx).tenant.PayerMappings(ctx, page)
	})
}

type payerMappingOutput struct{ Body upstream.PayerMapping }

type payerMappingBody struct {
	Raw   string `json:"raw_name" minLength:"1" maxLength:"200" example:"BCBS OF MICH" doc:"As files write it; case and punctuation don't matter."`
	Payer string `json:"payer" minLength:"1" maxLength:"200" example:"Blue Cross Blue Shield of Michigan" doc:"The payer that is meant."`
}

type createPayerMappingInput struct {
	OfCustomer
	Body payerMappingBody
}

type createdPayerMappingOutput struct {
	Location string `header:"Location"`
	Body     upstream.PayerMapping
}

func (s *Server) getPayerMapping(ctx context.Context, in *OfCustomerAndID) (*payerMappingOutput, error) {
	m, err := of(ctx).tenant.PayerMapping(ctx, in.ID)
	return &payerMappingOutput{m}, err
}

func (s *Server) createPayerMapping(ctx context.Context, in *createPayerMappingInput) (*createdPayerMappingOutput, error) {
	m, err := of(ctx).tenant.CreatePayerMapping(ctx, upstream.PayerMapping{Raw: in.Body.Raw, Payer: in.Body.Payer})
	if err == nil {
		s.applyMappings(ctx)
	}
	return &createdPayerMappingOutput{Location: Prefix + "payer-mappings/" + itoa(m.ID) + "/", Body: m}, err
}

// applyMappings brings the claims that are there in line, in the background.
func (s *Server) applyMappings(ctx context.Context) {
	c := of(ctx)
	c.later(ctx, s.Jobs.EnqueueRemap(ctx, c.customer))
}

type changePayerMappingInput struct {
	OfCustomerAndID
	Body struct {
		Payer string `json:"payer" minLength:"1" maxLength:"200"`
	}
}

func (s *Server) changePayerMapping(ctx context.Context, in *changePayerMappingInput) (*payerMappingOutput, error) {
	t := of(ctx).tenant
	m, err := t.PayerMapping(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	m.Payer = in.Body.Payer
	if m, err = t.ChangePayerMapping(ctx, m); err == nil {
		s.applyMappings(ctx)
	}
	return &payerMappingOutput{m}, err
}

func (s *Server) deletePayerMapping(ctx context.Context, in *OfCustomerAndID) (*noOutput, error) {
	return &noOutput{}, of(ctx).tenant.DeletePayerMapping(ctx, in.ID)
}

type unmatchedInput struct{ OfCustomer }

type unmatchedPayersOutput struct {
	Body struct {
		Count   int64                     `json:"count"`
		Results []upstream.UnmatchedPayer `json:"results" doc:"The one with most claims first."`
	}
}

func (s *Server) listUnmatchedPayers(ctx context.Context, _ *unmatchedInput) (*unmatchedPayersOutput, error) {
	found, err := of(ctx).tenant.UnmatchedPayers(ctx)
	out := &unmatchedPayersOutput{}
	out.Body.Count, out.Body.Results = int64(len(found)), append([]upstream.UnmatchedPayer{}, found...)
	return out, err
}

func (s *Server) listCPTMappings(ctx context.Context, in *mappingsInput) (*listOutput[upstream.CPTMapping], error) {
	return found(ctx, &in.Paging, func(page upstream.Page) (upstream.List[upstream.CPTMapping], error) {
		return of(ctx).tenant.CPTMappings(ctx, page)
	})
}

type cptMappingOutput struct{ Body upstream.CPTMapping }

type createCPTMappingInput struct {
	OfCustomer
	Body struct {
		Code     string `json:"code" minLength:"5" maxLength:"5" example:"97110" doc:"A CPT or HCPCS code."`
		CPTGroup string `json:"cpt_group" minLength:"1" maxLength:"100" example:"Physical therapy"`
	}
}

type createdCPTMappingOutput struct {
	Location string `header:"Location"`
	Body     upstream.CPTMapping
}

func (s *Server) getCPTMapping(ctx context.Context, in *OfCustomerAndID) (*cptMappingOutput, error) {
	m, err := of(ctx).tenant.CPTMapping(ctx, in.ID)
	return &cptMappingOutput{m}, err
}

func (s *Server) createCPTMapping(ctx context.Context, in *createCPTMappingInput) (*createdCPTMappingOutput, error) {
	m, err := of(ctx).tenant.CreateCPTMapping(ctx, upstream.CPTMapping{Code: in.Body.Code, CPTGroup: in.Body.CPTGroup})
	if err == nil {
		s.applyMappings(ctx)
	}
	return &createdCPTMappingOutput{Location: Prefix + "cpt-mappings/" + itoa(m.ID) + "/", Body: m}, err
}

type changeCPTMappingInput struct {
	OfCustomerAndID
	Body struct {
		CPTGroup string `json:"cpt_group" minLength:"1" maxLength:"100"`
	}
}

func (s *Server) changeCPTMapping(ctx context.Context, in *changeCPTMappingInput) (*cptMappingOutput, error) {
	t := of(ctx).tenant
	m, err := t.CPTMapping(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	m.CPTGroup = in.Body.CPTGroup
	if m, err = t.ChangeCPTMapping(ctx, m); err == nil {
		s.applyMappings(ctx)
	}
	return &cptMappingOutput{m}, err
}

func (s *Server) deleteCPTMapping(ctx context.Context, in *OfCustomerAndID) (*noOutput, error) {
	err := of(ctx).tenant.DeleteCPTMapping(ctx, in.ID)
	if err == nil {
		s.applyMappings(ctx)
	}
	return &noOutput{}, err
}

type unmatchedCodesOutput struct {
	Body struct {
		Count   int64                    `json:"count"`
		Results []upstream.UnmatchedCode `json:"results" doc:"The one with most claims first."`
	}
}

func (s *Server) listUnmatchedCodes(ctx context.Context, _ *unmatchedInput) (*unmatchedCodesOutput, error) {
	found, err := of(ctx).tenant.UnmatchedCodes(ctx)
	out := &unmatchedCodesOutput{}
	out.Body.Count, out.Body.Results = int64(len(found)), append([]upstream.UnmatchedCode{}, found...)
	return out, err
}
