package store

import (
	"context"

	"upstream"
)

// Uploads lists uploads, the newest first.
func (t *Tenant) Uploads(ctx context.Context, page upstream.Page) (list upstream.List[upstream.Upload], err error) {
	l := &listing{table: "upload", columns: uploadColumns, id: "id", order: ordering{"id", true}, args: params{t.id}}
	err = t.s.read(ctx, func(x tx) error {
		list, err = readList(x, l, page, func(r row) (upstream.Upload, error) {
			u, _ := scanUpload(r)
			return u, nil
		})
		return err
	})
	return list, err
}

// Upload returns the upload of these bytes, or NotFound.
func (t *Tenant) Upload(ctx context.Context, sha256 string) (u upstream.Upload, err error) {
	err = t.s.read(ctx, func(x tx) error {
		u, err = t.upload(x, "sha256", sha256, "this file has not been loaded")
		return err
	})
	return u, err
}

// UploadByID returns an upload, or NotFound.
func (t *Tenant) UploadByID(ctx context.Context, id int64) (u upstream.Upload, err error) {
	err = t.s.read(ctx, func(x tx) error {
		u, err = t.upload(x, "id", id, noUpload)
		return err
	})
	return u, err
}

const noUpload = "there is no such upload"

func (t *Tenant) upload(x tx, column string, value any, otherwise string) (u upstream.Upload, err error) {
	err = x.query("SELECT "+uploadColumns+" FROM upload WHERE customer_id = $1 AND "+column+" = $2", []any{t.id, value}, func(r row) error {
		u, _ = scanUpload(r)
		return nil
	})
	if err == nil && u.ID == 0 {
		err = upstream.Errorf(upstream.NotFound, "%s", otherwise)
	}
	return u, err
}

// Rejects lists the rejected rows of an upload in the order of the file, or is
// NotFound without the upload; the ID of a place is the number of a row.
func (t *Tenant) Rejects(ctx context.Context, upload int64, page upstream.Page) (list upstream.List[upstream.Reject], err error) {
	l := &listing{
		table: "upload_reject", columns: "row_number, column_name, value_class, reason", id: "row_number", order: ordering{column: "row_number"},
		where: " AND upload_id = $2", args: params{t.id, upload}, count: "SELECT rejected FROM upload WHERE customer_id = $1 AND id = $2",
	}
	err = t.s.read(ctx, func(x tx) error {
		if _, err := t.upload(x, "id", upload, noUpload); err != nil {
			return err
		}
		list, err = readList(x, l, page, func(r row) (upstream.Reject, error) {
			return upstream.Reject{Row: r.int(0), Column: r.text(1), ValueClass: r.text(2), Reason: r.text(3)}, nil
		})
		return err
	})
	return list, err
}
