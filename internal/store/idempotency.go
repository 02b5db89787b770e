package store

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"upstream"
)

const (
	// idempotencyLife is how long an answer is kept for a repeated request.
	idempotencyLife = 24 * time.Hour
	// idempotencyHold is how long a request without an answer keeps its key: whoever
	// worked on it is gone by then.
	idempotencyHold   = 10 * time.Minute
	maxIdempotencyKey = 255
)

// IdempotentRequest is a request that may be sent again with the same key and is
// then answered, not done, a second time. Keys are an actor's own in a customer.
type IdempotentRequest struct {
	Customer int64
	Actor    string
	Key      string
	BodyHash string    // of all that makes the request: method, path and body
	At       time.Time // when it came; it names the one that works on it
}

// SavedAnswer is the answer that a request was given.
type SavedAnswer struct {
	Status int
	Header map[string][]string
	Body   []byte
}

// BeginIdempotent returns the answer to a request that was answered before, or
// nil to the one caller that is to do it now and then calls FinishIdempotent, or
// ForgetIdempotent when it failed. A key that came with another request, or whose
// request is still worked on, is a Conflict.
func (s *Store) BeginIdempotent(ctx context.Context, q IdempotentRequest) (saved *SavedAnswer, err error) {
	if q.Key == "" || len(q.Key) > maxIdempotencyKey || !isText(q.Key) || !isText(q.Actor) || !isText(q.BodyHash) {
		return nil, upstream.Errorf(upstream.Invalid, "an idempotency key is 1 to %d bytes of text", maxIdempotencyKey)
	}
	err = s.writeQuietly(ctx, q.Customer, func(x tx) error {
		if _, err := x.exec("DELETE FROM idempotency WHERE customer_id = $1 AND actor = $2 AND request_key = $3 AND created_at <= $4",
			q.Customer, q.Actor, q.Key, q.At.Add(-idempotencyLife).UnixMicro()); err != nil {
			return err
		}
		var held time.Time
		bodyHash := ""
		err := x.query("SELECT body_hash, status, header, body, created_at FROM idempotency WHERE customer_id = $1 AND actor = $2 AND request_key = $3",
			[]any{q.Customer, q.Actor, q.Key}, func(r row) error {
				bodyHash, held = r.text(0), instant(r.int(4))
				if r.int(1) == 0 {
					return nil
				}
				saved = &SavedAnswer{Status: int(r.int(1)), Body: bytes.Clone(r.bytes(3))}
				return json.Unmarshal([]byte(r.text(2)), &saved.Header)
			})
		switch {
		case err != nil:
			return err
		case held.IsZero():
			return hold(x, &q)
		case bodyHash != q.BodyHash:
			return upstream.Errorf(upstream.Conflict, "this idempotency key was used for another request; send a new one with each request")
		case saved != nil:
			return nil
		case q.At.Sub(held) < idempotencyHold:
			return upstream.Errorf(upstream.Conflict, "the request with this idempotency key is still being worked on; try again later")
		}
		return hold(x, &q)
	})
	if err != nil {
		return nil, err
	}
	return saved, nil
}

func hold(x tx, q *IdempotentRequest) error {
	_, err := x.exec(`INSERT INTO idempotency (customer_id, actor, request_key, body_hash, status, header, body, created_at) VALUES ($1, $2, $3, $4, 0, '', $5, $6)
		ON CONFLICT (customer_id, actor, request_key) DO UPDATE SET created_at = excluded.created_at`,
		q.Customer, q.Actor, q.Key, q.BodyHash, []byte{}, q.At.UnixMicro())
	return err
}

// FinishIdempotent saves the answer to a request that was begun; it does nothing
// when another caller has taken the request over.
func (s *Store) FinishIdempotent(ctx context.Context, q IdempotentRequest, answer SavedAnswer) error {
	header, err := json.Marshal(answer.Header)
	if err != nil {
		return err
	}
	if answer.Status == 0 {
		return upstream.Errorf(upstream.Internal, "an answer needs a status")
	}
	if answer.Body == nil {
		answer.Body = []byte{}
	}
	return s.writeQuietly(ctx, q.Customer, func(x tx) error {
		_, err := x.exec("UPDATE idempotency SET status = $1, header = $2, body = $3 WHERE customer_id = $4 AND actor = $5 AND request_key = $6 AND created_at = $7 AND status = 0",
			answer.Status, string(header), answer.Body, q.Customer, q.Actor, q.Key, q.At.UnixMicro())
		return err
	})
}

// ForgetIdempotent frees the key of a request that was begun and failed, so that
// it may be tried again.
func (s *Store) ForgetIdempotent(ctx context.Context, q IdempotentRequest) error {
	return s.writeQuietly(ctx, q.Customer, func(x tx) error {
		_, err := x.exec("DELETE FROM idempotency WHERE customer_id = $1 AND actor = $2 AND request_key = $3 AND created_at = $4 AND status = 0",
			q.Customer, q.Actor, q.Key, q.At.UnixMicro())
		return err
	})
}

// PruneIdempotent deletes the answers that are older than a day, and returns how many.
func (s *Store) PruneIdempotent(ctx context.Context, now time.Time) (n int64, err error) {
	err = s.writeQuietly(ctx, 0, func(x tx) error {
		n, err = x.exec("DELETE FROM idempotency WHERE created_at <= $1", now.Add(-idempotencyLife).UnixMicro())
		return err
	})
	return n, err
}
