package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"time"

	"upstream"
)

// Body is the bytes of a file while it is received, in the database for any server
// to load. Until Upload makes an upload of it, nobody sees it.
type Body struct {
	t     *Tenant
	id    int64
	parts int64
}

// NewBody begins to receive a file.
func (t *Tenant) NewBody(ctx context.Context, now time.Time) (*Body, error) {
	b := &Body{t: t, id: bodyID()}
	err := t.s.writeQuietly(ctx, t.id, func(x tx) error {
		_, err := x.exec("INSERT INTO upload_body (customer_id, id, seen_at) VALUES ($1, $2, $3)", t.id, b.id, now.UnixMicro())
		return err
	})
	return b, err
}

// bodyID is random: were the id of a pruned body used again, a receiver that went
// on after a long pause would add to the bytes of another.
func bodyID() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return int64(binary.BigEndian.Uint64(b[:])>>2) + 1
}

// Add appends a part, of a mebibyte or so. What its bytes mean is the caller's. It
// is ErrLost when the body was pruned, as that of a receiver that fell asleep.
func (b *Body) Add(ctx context.Context, part []byte, now time.Time) error {
	err := b.t.s.writeQuietly(ctx, b.t.id, func(x tx) error {
		if err := changed(x.exec("UPDATE upload_body SET seen_at = $1 WHERE customer_id = $2 AND id = $3", now.UnixMicro(), b.t.id, b.id)); err != nil {
			return err
		}
		_, err := x.exec("INSERT INTO upload_part (customer_id, body_id, part, bytes) VALUES ($1, $2, $3, $4)", b.t.id, b.id, b.parts, part)
		return err
	})
	if err == nil {
		b.parts++
	}
	return err
}

// Drop removes the body.
func (b *Body) Drop(ctx context.Context) error {
	return b.t.s.writeQuietly(ctx, b.t.id, func(x tx) error { return dropBody(x, b.t.id, b.id) })
}

// Upload makes the body that of an upload which is queued, and created. When the
// customer has an upload of these bytes already, which is loaded or to be loaded,
// it is returned instead and the body goes; one that failed or was cut off is
// queued again, to go on where it was.
func (b *Body) Upload(ctx context.Context, filename, sha256 string, fileDate upstream.Day, now time.Time) (u upstream.Upload, created bool, err error) {
	err = b.t.s.write(ctx, b.t.id, func(x tx) error {
		u, created = upstream.Upload{}, false
		body := int64(0)
		err := x.query("SELECT "+uploadColumns+", body FROM upload WHERE customer_id = $1 AND sha256 = $2", []any{b.t.id, sha256}, func(r row) error {
			u, _ = scanUpload(r)
			body = r.int(15)
			return nil
		})
		if err != nil {
			return err
		}
		if u.Status == upstream.UploadSuccess || body != 0 {
			nameAuditTarget(ctx, u.ID)
			return dropBody(x, b.t.id, b.id)
		}
		created = true
		if u.ID == 0 {
			u.ID, err = b.t.insertUpload(x, filename, sha256, upstream.UploadQueued, fileDate, now)
		}
		if err == nil {
			err = changed(x.exec("UPDATE upload SET status = $1, error = '', body = $2, turn = turn + 1, lost = 0, seen_at = 0 WHERE customer_id = $3 AND id = $4 AND EXISTS (SELECT 1 FROM upload_body WHERE customer_id = $3 AND id = $2)",
				string(upstream.UploadQueued), b.id, b.t.id, u.ID))
		}
		if err != nil {
			return err
		}
		nameAuditTarget(ctx, u.ID)
		return x.query("SELECT "+uploadColumns+" FROM upload WHERE customer_id = $1 AND id = $2", []any{b.t.id, u.ID}, func(r row) error {
			u, _ = scanUpload(r)
			return nil
		})
	})
	return u, created, err
}

// UploadPart returns a part of an upload's body, counted from 0; nil after the last.
// It is NotFound when the bytes are not kept any more.
func (t *Tenant) UploadPart(ctx context.Context, upload, part int64) (bytes []byte, err error) {
	err = t.s.read(ctx, func(x tx) error {
		body, err := one(x, "SELECT body FROM upload WHERE customer_id = $1 AND id = $2", t.id, upload)
		if err != nil {
			return err
		}
		if body == 0 {
			return upstream.Errorf(upstream.NotFound, "the bytes of upload %d are not kept any more; send the file again", upload)
		}
		return x.query("SELECT bytes FROM upload_part WHERE customer_id = $1 AND body_id = $2 AND part = $3", []any{t.id, body, part}, func(r row) error {
			bytes = append([]byte{}, r.bytes(0)...)
			return nil
		})
	})
	return bytes, err
}

// PruneBodies removes the bodies of no upload to which nothing was added since an
// instant: their receivers are dead. It returns how many there were.
func (s *Store) PruneBodies(ctx context.Context, since time.Time) (pruned int, err error) {
	type key struct{ customer, id int64 }
	var old []key
	err = s.read(ctx, func(x tx) error {
		return x.query(`SELECT b.customer_id, b.id FROM upload_body b
			WHERE b.seen_at < $1 AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.customer_id = b.customer_id AND u.body = b.id AND u.body <> 0)`,
			[]any{since.UnixMicro()}, func(r row) error {
				old = append(old, key{r.int(0), r.int(1)})
				return nil
			})
	})
	for i := 0; i < len(old) && err == nil; i++ {
		k := old[i]
		err = s.writeQuietly(ctx, k.customer, func(x tx) error {
			taken, err := one(x, "SELECT COUNT(*) FROM upload WHERE customer_id = $1 AND body = $2", k.customer, k.id)
			if err != nil || taken > 0 {
				return err
			}
			pruned++
			return dropBody(x, k.customer, k.id)
		})
	}
	return pruned, err
}

// dropBodyOf removes the bytes of an upload, of the turn of a work.
func dropBodyOf(x tx, w Work) error {
	body, err := one(x, "SELECT body FROM upload"+workTables[UploadWork].where(1), w.Customer, w.ID, w.Turn)
	if err != nil {
		return err
	}
	if body == 0 {
		return changed(0, nil)
	}
	if _, err := x.exec("UPDATE upload SET body = 0, seen_at = 0 WHERE customer_id = $1 AND id = $2", w.Customer, w.ID); err != nil {
		return err
	}
	return dropBody(x, w.Customer, body)
}

func dropBody(x tx, customer, body int64) error {
	for _, sql := range []string{
		"DELETE FROM upload_part WHERE customer_id = $1 AND body_id = $2",
		"DELETE FROM upload_body WHERE customer_id = $1 AND id = $2",
	} {
		if _, err := x.exec(sql, customer, body); err != nil {
			return err
		}
	}
	return nil
}
