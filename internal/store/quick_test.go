package store

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"
	"upstream"
)

func TestQuick(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, "sqlite:"+t.TempDir()+"/a.db")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.CreateCustomer(ctx, "X", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	tn, err := s.Tenant(ctx, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	t0 := time.Now()
	u, err := tn.Load(ctx, Source{Filename: "f", SHA256: "x", FileDate: 20000, Next: func(c *upstream.Claim) (*upstream.Reject, error) {
		if n == 300000 {
			return nil, io.EOF
		}
		n++
		sub := upstream.Day(20000 + n/1000)
		*c = upstream.Claim{ClaimID: fmt.Sprintf("C%07d", n), Line: 1, Payer: fmt.Sprint("P", n%7), CPT: []string{"99213", "97110", "70551"}[n%3], SubmittedDate: sub, DecidedDate: sub + upstream.Day(n%11), FirstDecidedDate: sub + upstream.Day(n%11), Outcome: upstream.Outcome(2 + n%2), FirstOutcome: upstream.Outcome(2 + n%2), Billed: 10000, Allowed: 5000, Paid: 4000}
		return nil, nil
	}}, LoadOptions{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(u.Tally, time.Since(t0))
	ck, err := tn.VerifyRollup(ctx)
	if err != nil || !ck.OK() {
		t.Fatal(err, ck)
	}
	t.Log(ck)
	a, err := tn.Decisions(ctx, 21000, FromRollups)
	if err != nil {
		t.Fatal(err)
	}
	b, err := tn.Decisions(ctx, 21000, FromClaims)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(len(a.Nodes), a.From, a.To, len(b.Nodes))
	ids, err := tn.SampleClaims(ctx, "P1", "", 20000, 20100, 5)
	t.Log(ids, err)
}
