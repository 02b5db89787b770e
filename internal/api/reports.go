package api

import (
	"context"

	"upstream"
	"upstream/internal/detection"
	"upstream/internal/store"
)

type runsInput struct {
	OfCustomer
	Paging
	Status  upstream.RunStatus `query:"status" enum:"running,success,failed" doc:"How far runs are."`
	RunType string             `query:"run_type" enum:"weekly,monthly,custom" doc:"By schedule or on demand."`
}

func (s *Server) listRuns(ctx context.Context, in *runsInput) (*listOutput[upstream.ReportRun], error) {
	f := store.RunFilter{Status: in.Status, RunType: in.RunType}
	return found(ctx, &in.Paging, func(page upstream.Page) (upstream.List[upstream.ReportRun], error) {
		return of(ctx).tenant.Runs(ctx, f, page)
	})
}

type runOutput struct{ Body upstream.ReportRun }

func (s *Server) getRun(ctx context.Context, in *OfCustomerAndID) (*runOutput, error) {
	r, err := of(ctx).tenant.ReportRun(ctx, in.ID)
	if upstream.ErrorCode(err) == upstream.NotFound {
		err = upstream.Errorf(upstream.NotFound, "there is no such report run")
	}
	return &runOutput{r}, err
}

type triggerRunInput struct {
	OfCustomer
	Body *runRequest // none asks for what an empty one does
}

type runRequest struct {
	RunType string `json:"run_type,omitempty" enum:"weekly,monthly,custom" default:"custom" doc:"What the run is called; they all do the same."`
	AsOf    *day   `json:"as_of,omitempty" doc:"Uses only what was known on that day; the last day with a decision if not given."`
}

type triggeredRunOutput struct {
	Location string `header:"Location"`
	Body     upstream.ReportRun
}

func (s *Server) triggerRun(ctx context.Context, in *triggerRunInput) (*triggeredRunOutput, error) {
	c := of(ctx)
	asked := runRequest{RunType: "custom"}
	if in.Body != nil {
		asked = *in.Body
	}
	asOf := upstream.Day(0)
	if asked.AsOf != nil {
		asOf = asked.AsOf.Day
	}
	r, _, err := c.tenant.RequestRun(ctx, store.RunRequest{Type: asked.RunType, Detector: detection.Upstream, AsOf: asOf}, c.started)
	if err != nil {
		return nil, err
	}
	c.later(ctx, s.Jobs.EnqueueRun(ctx, c.customer, r.ID))
	return &triggeredRunOutput{Location: Prefix + "reports/" + itoa(r.ID) + "/", Body: r}, nil
}
