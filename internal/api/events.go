package api

import (
	"context"
	"strings"

	"upstream"
	"upstream/internal/detection"
	"upstream/internal/store"
)

type eventsInput struct {
	OfCustomer
	Paging
	FeedFilter
	Status []upstream.EventStatus `query:"status" enum:"open,acknowledged,resolved,noise" doc:"One or several."`
}

type activeEventsInput struct {
	OfCustomer
	Paging
	FeedFilter
}

// FeedFilter chooses drift events.
type FeedFilter struct {
	Payer         string          `query:"payer" maxLength:"200" doc:"The name of a payer."`
	CPTGroup      string          `query:"cpt_group" maxLength:"100" doc:"A procedure group."`
	DriftType     upstream.Signal `query:"drift_type" enum:"DENIAL_RATE,DECISION_TIME,ALLOWED_AMOUNT,TAKEBACK,OVERTURN" doc:"What changed."`
	Tier          upstream.Tier   `query:"tier" enum:"alert,watch" doc:"An alert is within the false-alarm budget; a watch is listed only."`
	MinSeverity   float64         `query:"min_severity" minimum:"0" maximum:"1" default:"0" doc:"The least severity."`
	MaxSeverity   float64         `query:"max_severity" minimum:"0" maximum:"1" default:"1" doc:"The greatest severity."`
	ReportRun     int64           `query:"report_run" minimum:"1" doc:"The run that told it last."`
	CreatedAfter  instant         `query:"created_after" doc:"From this time on."`
	CreatedBefore instant         `query:"created_before" doc:"Before this time."`
	Ordering      string          `query:"ordering" enum:"-created,created,-severity,severity,-dollars,dollars" default:"-created"`
}

// eventOrders are the store's names of the orders.
var eventOrders = strings.NewReplacer("created", "created_at", "dollars", "dollars_per_month")

func (f *FeedFilter) of(statuses []upstream.EventStatus) (store.EventFilter, error) {
	var wrong invalids
	wrong.timesBetween(f.CreatedAfter, f.CreatedBefore)
	if f.MaxSeverity < f.MinSeverity {
		wrong.add("query.max_severity", "must not be less than min_severity")
	}
	return store.EventFilter{
		Detector: detection.Upstream, Statuses: statuses, Tier: f.Tier, Signal: f.DriftType, Payer: f.Payer, CPTGroup: f.CPTGroup,
		MinSeverity: &f.MinSeverity, MaxSeverity: &f.MaxSeverity, ReportRun: f.ReportRun,
		CreatedAfter: f.CreatedAfter.Time, CreatedBefore: f.CreatedBefore.Time, Order: eventOrders.Replace(f.Ordering),
	}, wrong.err()
}

func (s *Server) listEvents(ctx context.Context, in *eventsInput) (*listOutput[upstream.DriftEvent], error) {
	f, err := in.of(in.Status)
	if err != nil {
		return nil, err
	}
	return s.events(ctx, &in.Paging, f)
}

func (s *Server) listActiveEvents(ctx context.Context, in *activeEventsInput) (*listOutput[upstream.DriftEvent], error) {
	f, err := in.of(upstream.ActiveStatuses)
	if err != nil {
		return nil, err
	}
	return s.events(ctx, &in.Paging, f)
}

func (s *Server) events(ctx context.Context, p *Paging, f store.EventFilter) (*listOutput[upstream.DriftEvent], error) {
	return found(ctx, p, func(page upstream.Page) (upstream.List[upstream.DriftEvent], error) {
		c := of(ctx)
		list, err := c.tenant.Events(ctx, f, page)
		if err == nil && (p.Fields == "" || strings.Contains(p.Fields, "sample_claim_ids")) {
			err = c.showingSamples(ctx, list.Items...)
		}
		return list, err
	})
}

// eventDetail is a drift event with what was done about it.
type eventDetail struct {
	upstream.DriftEvent
	History []store.EventChange `json:"history" doc:"What runs and people did with it, oldest first."`
}

type eventOutput struct{ Body eventDetail }

func (s *Server) getEvent(ctx context.Context, in *OfCustomerAndID) (*eventOutput, error) {
	t := of(ctx).tenant
	e, err := s.event(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := of(ctx).showingSamples(ctx, e); err != nil {
		return nil, err
	}
	history, err := t.EventHistory(ctx, in.ID)
	return &eventOutput{eventDetail{e, history}}, err
}

var errNoEvent = upstream.Errorf(upstream.NotFound, "there is no such drift event")

func (s *Server) event(ctx context.Context, id int64) (upstream.DriftEvent, error) {
	e, err := of(ctx).tenant.Event(ctx, id)
	if upstream.ErrorCode(err) == upstream.NotFound {
		err = errNoEvent
	}
	return e, err
}

type judgeEventInput struct {
	OfCustomerAndID
	Body struct {
		Status *upstream.EventStatus `json:"status,omitempty" enum:"open,acknowledged,resolved,noise" doc:"acknowledged: somebody is at it. resolved: over; what it came to is normal now. noise: a false alarm; its node needs more evidence from now on. open: again."`
		Owner  *string               `json:"owner,omitempty" maxLength:"200" doc:"Who takes care of it."`
		Note   *string               `json:"note,omitempty" maxLength:"4000" doc:"What to remember; replaces the note that is there."`
	}
}

func (s *Server) judgeEvent(ctx context.Context, in *judgeEventInput) (*eventOutput, error) {
	c := of(ctx)
	v := store.Verdict{Owner: in.Body.Owner, Note: in.Body.Note, Who: c.who.name()}
	if in.Body.Status != nil {
		v.Status = *in.Body.Status
	}
	if in.Body.Status == nil && in.Body.Owner == nil && in.Body.Note == nil {
		return nil, invalids{{"body", "must change something: status, owner or note"}}
	}
	if _, err := c.tenant.Judge(ctx, in.ID, v, c.started); err != nil {
		if upstream.ErrorCode(err) == upstream.NotFound {
			err = errNoEvent
		}
		return nil, err
	}
	return s.getEvent(ctx, &in.OfCustomerAndID)
}

type eventClaimsInput struct {
	OfCustomerAndID
	PageSize int   `query:"page_size" minimum:"1" maximum:"500" default:"50" doc:"Rows on a page."`
	After    int64 `query:"after" minimum:"1" doc:"The id of the last claim of the page before."`
}

type eventClaimsOutput struct {
	Body struct {
		Count   int64       `json:"count" doc:"How many claims proved the event when it was told last."`
		Results []ClaimLine `json:"results"`
	}
}

func (s *Server) listEventClaims(ctx context.Context, in *eventClaimsInput) (*eventClaimsOutput, error) {
	c := of(ctx)
	e, err := s.event(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	claims, err := c.tenant.EventClaims(ctx, &e, upstream.Page{Size: in.PageSize, After: upstream.Key{ID: in.After}})
	if err != nil {
		return nil, err
	}
	groups, err := c.tenant.CPTGroups(ctx)
	if err != nil {
		return nil, err
	}
	out := &eventClaimsOutput{}
	out.Body.Count, out.Body.Results = e.EvidenceClaims, make([]ClaimLine, len(claims))
	for i := range claims {
		out.Body.Results[i] = lineOf(&claims[i], groups)
	}
	c.showing(claims)
	return out, nil
}

// showingSamples notes the claims whose numbers events show.
func (c *call) showingSamples(ctx context.Context, events ...upstream.DriftEvent) error {
	var numbers []string
	for i := range events {
		numbers = append(numbers, events[i].SampleClaimIDs...)
	}
	ids, err := c.tenant.LinesOf(ctx, numbers)
	c.shown = append(c.shown, ids...)
	return err
}

// showing notes the claims that an answer shows.
func (c *call) showing(claims []upstream.Claim) {
	for i := range claims {
		c.shown = append(c.shown, claims[i].ID)
	}
}
