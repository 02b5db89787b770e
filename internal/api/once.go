package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"regexp"

	"upstream/internal/store"
)

// idempotencyKey is the form of an Idempotency-Key, as draft-ietf-httpapi-idempotency-key-header-07
// leaves to the server; quotes around it are allowed.
var idempotencyKey = regexp.MustCompile(`^"?([A-Za-z0-9._:-]{1,100})"?$`)

// once answers a POST with an Idempotency-Key: it is done at most once in 24
// hours, and a repetition gets the answer of the first.
func (s *Server) once(ctx context.Context, c *call, r *http.Request) *answer {
	if c.route.has(secret) {
		return c.failed(ctx, invalids{{"header.Idempotency-Key", "is not taken here: the answer may hold a secret, which is kept nowhere"}})
	}
	form := idempotencyKey.FindStringSubmatch(r.Header.Get("Idempotency-Key"))
	if form == nil {
		return c.failed(ctx, invalids{{"header.Idempotency-Key", "must be 1 to 100 letters, digits and . _ : -"}})
	}
	body, err := io.ReadAll(r.Body) // it is here, see readBody
	if err != nil {
		return c.failed(ctx, bodyProblem(err))
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	sum := sha256.Sum256(append([]byte(r.URL.Path+"?"+r.URL.RawQuery+"\n"), body...))
	q := store.IdempotentRequest{Customer: c.customer, Actor: c.actor(), Key: form[1], BodyHash: hex.EncodeToString(sum[:]), At: c.started}
	saved, err := s.Store.BeginIdempotent(ctx, q)
	if err != nil {
		return c.failed(ctx, err)
	}
	if saved != nil {
		return &answer{status: saved.Status, header: http.Header(saved.Header).Clone(), body: saved.Body}
	}
	// The change may be made when nobody waits any more; its answer must be found again.
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), makeTimeout)
	defer cancel()
	var a *answer
	defer func() {
		if a == nil { // a panic goes on, without holding the key
			_ = s.Store.ForgetIdempotent(done, q)
		}
	}()
	a = s.make(ctx, c, r)
	if a.status >= http.StatusInternalServerError || a.status == http.StatusTooManyRequests {
		err = s.Store.ForgetIdempotent(done, q)
	} else {
		err = s.Store.FinishIdempotent(done, q, store.SavedAnswer{Status: a.status, Header: a.header, Body: a.body})
	}
	if err != nil {
		c.log(ctx, "idempotency", err)
	}
	return a
}
