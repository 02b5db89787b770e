package api

import (
	"context"

	"upstream"
	"upstream/internal/detection"
)

type dashboardInput struct{ OfCustomer }

type dashboardOutput struct{ Body upstream.Dashboard }

func (s *Server) getDashboard(ctx context.Context, _ *dashboardInput) (*dashboardOutput, error) {
	c := of(ctx)
	d, err := c.tenant.Dashboard(ctx, detection.Upstream, upstream.DayOf(c.started))
	if err != nil {
		return nil, err
	}
	return &dashboardOutput{*d}, nil
}

// summaryDays is the period of a payer summary when none is given.
const summaryDays = 90

type payerSummaryInput struct {
	OfCustomer
	StartDate day    `query:"start_date" doc:"The first day of submissions; 90 days before the last one if not given."`
	EndDate   day    `query:"end_date" doc:"The last day of submissions; today if not given."`
	Payer     string `query:"payer" maxLength:"200" doc:"One payer; all if not given."`
}

type payerSummaryOutput struct {
	Body struct {
		StartDate upstream.Day            `json:"start_date"`
		EndDate   upstream.Day            `json:"end_date"`
		Count     int64                   `json:"count"`
		Results   []upstream.PayerSummary `json:"results" doc:"Payers, the one with most claims first."`
	}
}

func (s *Server) getPayerSummary(ctx context.Context, in *payerSummaryInput) (*payerSummaryOutput, error) {
	c := of(ctx)
	first, last, err := period(c, in.StartDate, in.EndDate, summaryDays)
	if err != nil {
		return nil, err
	}
	payers, err := c.tenant.PayerSummary(ctx, first, last)
	if err != nil {
		return nil, err
	}
	out := &payerSummaryOutput{}
	out.Body.StartDate, out.Body.EndDate, out.Body.Results = first, last, []upstream.PayerSummary{}
	for _, p := range payers {
		if in.Payer == "" || p.Payer == in.Payer {
			out.Body.Results = append(out.Body.Results, p)
		}
	}
	out.Body.Count = int64(len(out.Body.Results))
	return out, nil
}

// period completes a range of days that ends today unless it says otherwise.
func period(c *call, from, to day, days upstream.Day) (first, last upstream.Day, err error) {
	if last = to.Day; last == 0 {
		last = upstream.DayOf(c.started)
	}
	if first = from.Day; first == 0 {
		first = last - days + 1
	}
	var wrong invalids
	wrong.between("start_date", day{first}, "end_date", day{last})
	return first, last, wrong.err()
}

// trendDays is what a trend shows when no days are given: a year.
const trendDays = 365

type denialRateTrendInput struct {
	OfCustomer
	Payer     string              `query:"payer" maxLength:"200" doc:"One payer; all together if not given."`
	Interval  upstream.PeriodUnit `query:"interval" enum:"week,month" default:"month" doc:"What a period is."`
	StartDate day                 `query:"start_date" doc:"The first day of decisions; a year before the last one if not given."`
	EndDate   day                 `query:"end_date" doc:"The last day of decisions; today if not given."`
}

type denialRateTrendOutput struct {
	Body struct {
		Interval upstream.PeriodUnit   `json:"interval" enum:"week,month"`
		Count    int64                 `json:"count"`
		Results  []upstream.PeriodRate `json:"results" doc:"Periods in order, without gaps."`
	}
}

// maxTrendDays bounds a trend: ten years.
const maxTrendDays = 3660

func (s *Server) getDenialRateTrend(ctx context.Context, in *denialRateTrendInput) (*denialRateTrendOutput, error) {
	c := of(ctx)
	first, last, err := period(c, in.StartDate, in.EndDate, trendDays)
	if err != nil {
		return nil, err
	}
	if last-first > maxTrendDays {
		return nil, invalids{{"query.start_date", "must be within ten years of the end"}}
	}
	out := &denialRateTrendOutput{}
	out.Body.Interval = in.Interval
	out.Body.Results, err = c.tenant.DenialRateTrend(ctx, in.Payer, in.Interval, first, last)
	out.Body.Count = int64(len(out.Body.Results))
	return out, err
}
