package api

import (
	"context"
	"strings"

	"upstream"
	"upstream/internal/store"
)

// ClaimLine is a claim in a list.
type ClaimLine struct {
	ID            int64          `json:"id"`
	ClaimID       string         `json:"claim_id" doc:"The provider's claim number."`
	Line          int            `json:"line"`
	Payer         string         `json:"payer"`
	CPT           string         `json:"cpt"`
	CPTGroup      string         `json:"cpt_group"`
	Outcome       string         `json:"outcome" enum:"pending,paid,denied,adjusted,reversed"`
	ServiceDate   upstream.Day   `json:"service_date"`
	SubmittedDate upstream.Day   `json:"submitted_date"`
	DecidedDate   upstream.Day   `json:"decided_date" doc:"Null while pending."`
	Billed        upstream.Money `json:"billed_cents"`
	Allowed       upstream.Money `json:"allowed_cents"`
	Paid          upstream.Money `json:"paid_cents"`
	CARC          upstream.Codes `json:"carc" doc:"Adjustment reason codes, separated by spaces."`
}

// claimDetail is all that is known of a claim.
type claimDetail struct {
	ClaimLine
	Filing             string         `json:"filing" enum:"primary,secondary,tertiary"`
	Modifiers          string         `json:"modifiers"`
	Units              int            `json:"units"`
	PlaceOfService     string         `json:"place_of_service"`
	Location           string         `json:"location"`
	ReceivedDate       upstream.Day   `json:"received_date"`
	FirstDecidedDate   upstream.Day   `json:"first_decided_date"`
	PaymentDate        upstream.Day   `json:"payment_date"`
	FirstOutcome       string         `json:"first_outcome" enum:"pending,paid,denied,adjusted,reversed"`
	FirstAllowed       upstream.Money `json:"first_allowed_cents"`
	FirstCARC          upstream.Codes `json:"first_carc"`
	FirstRARC          upstream.Codes `json:"first_rarc"`
	FirstPaymentDate   upstream.Day   `json:"first_payment_date"`
	ReversedDate       upstream.Day   `json:"reversed_date"`
	RepaidDate         upstream.Day   `json:"repaid_date"`
	RARC               upstream.Codes `json:"rarc"`
	PayerControlNumber string         `json:"payer_control_number"`
	Upload             int64          `json:"upload" doc:"The upload that the current state came from."`
	Row                int64          `json:"row" doc:"The row of the upload."`
	IsDenial           bool           `json:"is_denial" doc:"Whether it counts as a denial: its first decision, as a primary claim, paid nothing and named a denial."`
}

var filings = [...]string{upstream.Primary: "primary", upstream.Secondary: "secondary", upstream.Tertiary: "tertiary"}

func lineOf(k *upstream.Claim, groups upstream.CPTGroups) ClaimLine {
	return ClaimLine{
		ID: k.ID, ClaimID: k.ClaimID, Line: k.Line, Payer: k.Payer, CPT: k.CPT, CPTGroup: groups.Of(k.CPT), Outcome: k.Outcome.String(),
		ServiceDate: k.ServiceDate, SubmittedDate: k.SubmittedDate, DecidedDate: k.DecidedDate,
		Billed: k.Billed, Allowed: k.Allowed, Paid: k.Paid, CARC: k.CARC,
	}
}

func detailOf(k *upstream.Claim, groups upstream.CPTGroups) claimDetail {
	return claimDetail{
		ClaimLine: lineOf(k, groups), Filing: filings[k.Filing], Modifiers: k.Modifiers, Units: k.Units, PlaceOfService: k.PlaceOfService,
		Location: k.Location, ReceivedDate: k.ReceivedDate, FirstDecidedDate: k.FirstDecidedDate, PaymentDate: k.PaymentDate,
		FirstOutcome: k.FirstOutcome.String(), FirstAllowed: k.FirstAllowed, FirstCARC: k.FirstCARC, FirstRARC: k.FirstRARC,
		FirstPaymentDate: k.FirstPaymentDate, ReversedDate: k.ReversedDate, RepaidDate: k.RepaidDate, RARC: k.RARC,
		PayerControlNumber: k.PayerControlNumber, Upload: k.Upload, Row: k.Row, IsDenial: k.IsDenial(),
	}
}

type claimsInput struct {
	OfCustomer
	Paging
	Payer         string   `query:"payer" maxLength:"200" doc:"A payer's name."`
	Outcome       []string `query:"outcome" enum:"pending,paid,denied,adjusted,reversed" doc:"One or several."`
	CPT           string   `query:"cpt" maxLength:"5" doc:"A procedure code."`
	CPTGroup      string   `query:"cpt_group" maxLength:"100" doc:"A procedure group."`
	CARC          string   `query:"carc" maxLength:"10" doc:"An adjustment reason code, as 197 or CO-197, anywhere among a claim's."`
	Location      string   `query:"location" maxLength:"200" doc:"A practice site."`
	DecidedFrom   day      `query:"start_date" doc:"The first day of decisions."`
	DecidedTo     day      `query:"end_date" doc:"The last day of decisions."`
	SubmittedFrom day      `query:"submitted_start" doc:"The first day of submissions."`
	SubmittedTo   day      `query:"submitted_end" doc:"The last day of submissions."`
	ServiceFrom   day      `query:"service_start" doc:"The first day of service."`
	ServiceTo     day      `query:"service_end" doc:"The last day of service."`
	Search        string   `query:"search" minLength:"3" maxLength:"80" doc:"How a claim number begins."`
	Ordering      string   `query:"ordering" enum:"-decided_date,decided_date,-submitted_date,submitted_date,-id,id,claim_id,-claim_id" doc:"-decided_date if not given, -submitted_date where only submissions are bounded. What a search finds is ordered by claim_id or -claim_id."`
}

// outcomes are the words of outcomes.
var outcomes = map[string]upstream.Outcome{}

func init() {
	for o := upstream.Pending; o <= upstream.Reversed; o++ {
		outcomes[o.String()] = o
	}
}

func (in *claimsInput) filter() (store.ClaimFilter, error) {
	var wrong invalids
	wrong.between("start_date", in.DecidedFrom, "end_date", in.DecidedTo)
	wrong.between("submitted_start", in.SubmittedFrom, "submitted_end", in.SubmittedTo)
	wrong.between("service_start", in.ServiceFrom, "service_end", in.ServiceTo)
	f := store.ClaimFilter{
		CPT: in.CPT, CPTGroup: in.CPTGroup, CARC: in.CARC, Location: in.Location,
		DecidedFrom: in.DecidedFrom.Day, DecidedTo: in.DecidedTo.Day, SubmittedFrom: in.SubmittedFrom.Day, SubmittedTo: in.SubmittedTo.Day,
		ServiceFrom: in.ServiceFrom.Day, ServiceTo: in.ServiceTo.Day, Search: in.Search, Order: in.Ordering,
	}
	if in.Search != "" && in.Ordering != "" && !strings.HasSuffix(in.Ordering, "claim_id") {
		wrong.add("query.ordering", "must be claim_id or -claim_id for what a search finds")
	}
	if in.Payer != "" {
		f.Payers = []string{in.Payer}
	}
	for _, o := range in.Outcome {
		f.Outcomes = append(f.Outcomes, outcomes[o])
	}
	return f, wrong.err()
}

func (s *Server) listClaims(ctx context.Context, in *claimsInput) (*listOutput[ClaimLine], error) {
	c := of(ctx)
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	page, err := in.asked(ctx)
	if err != nil {
		return nil, err
	}
	found, err := c.tenant.Claims(ctx, f, page)
	if err != nil {
		return nil, err
	}
	groups, err := c.tenant.CPTGroups(ctx)
	if err != nil {
		return nil, err
	}
	c.showing(found.Items)
	return output(ctx, &in.Paging, page, found, func(k *upstream.Claim) ClaimLine { return lineOf(k, groups) })
}

type claimOutput struct{ Body claimDetail }

func (s *Server) getClaim(ctx context.Context, in *OfCustomerAndID) (*claimOutput, error) {
	c := of(ctx)
	k, err := c.tenant.Claim(ctx, in.ID)
	if upstream.ErrorCode(err) == upstream.NotFound {
		err = upstream.Errorf(upstream.NotFound, "there is no such claim")
	}
	if err != nil {
		return nil, err
	}
	groups, err := c.tenant.CPTGroups(ctx)
	if err != nil {
		return nil, err
	}
	c.showing([]upstream.Claim{k})
	return &claimOutput{detailOf(&k, groups)}, nil
}
