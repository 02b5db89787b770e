package api

import (
	"context"

	"upstream"
	"upstream/internal/store"
)

type auditInput struct {
	OfCustomer
	Paging
	Actor  string  `query:"actor" maxLength:"100" doc:"Who, as user:ann, key:ups_ab12cd34 or job:upload."`
	Action string  `query:"action" maxLength:"100" doc:"What, as an operation of this document is named: get_claims."`
	Target string  `query:"target" maxLength:"100" doc:"To what: an id."`
	After  instant `query:"created_after" doc:"From this time on."`
	Before instant `query:"created_before" doc:"Before this time."`
}

func (s *Server) listAudit(ctx context.Context, in *auditInput) (*listOutput[upstream.AuditEntry], error) {
	var wrong invalids
	wrong.timesBetween(in.After, in.Before)
	if err := wrong.err(); err != nil {
		return nil, err
	}
	f := store.AuditFilter{Actor: in.Actor, Action: in.Action, Target: in.Target, From: in.After.Time, To: in.Before.Time}
	return found(ctx, &in.Paging, func(page upstream.Page) (upstream.List[upstream.AuditEntry], error) {
		return s.Store.Audit(ctx, of(ctx).customer, f, page)
	})
}
