package store

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"upstream"
)

// Source is a file, or what stands for one, to load.
type Source struct {
	Filename string
	SHA256   string       // of its bytes, in hex: what the upload is known by
	FileDate upstream.Day // orders two states of a claim decided on one day
	// Next fills in the next row, or returns why the row is rejected; io.EOF
	// ends the file, any other error ends the load. Rows count from 1.
	Next func(*upstream.Claim) (*upstream.Reject, error)
	// Skip, where it is cheaper than Next, passes over the first n rows.
	Skip func(n int64) error
}

// DefaultBatchRows is the size of a bulk transaction: larger ones are hardly
// faster and hold more memory.
const DefaultBatchRows = 10_000

// LoadOptions tunes a load.
type LoadOptions struct {
	// BatchRows is the size of a transaction; DefaultBatchRows when zero. Large ones are
	// fast, small ones let other writers in sooner.
	BatchRows int
	// Progress is told after each transaction how many rows of the source have
	// their fate committed.
	Progress func(rows int64)
	Now      time.Time
	// Job is for a load by a job, beside requests that write: no batch is larger than
	// BatchRows, and an upload that ends with an error is left as it is, as the job
	// decides whether there is another attempt.
	Job bool
}

// batch is what one transaction applies.
type batch struct {
	claims  []upstream.Claim
	rejects []upstream.Reject
	last    int64 // the last row of the source in it
}

// Load applies a source to the customer's claims exactly once. Each batch
// commits with a checkpoint, so that a load that was cut off goes on where it
// was, by loading the same bytes again; a source that is done already is not
// read. Payers are named by the customer's mappings and then by upstream.PayerName,
// codes grouped by the customer's own groups. The returned upload holds what is committed, also beside an error, and
// counts a claim that stays as it was as unchanged.
func (t *Tenant) Load(ctx context.Context, src Source, o LoadOptions) (upstream.Upload, error) {
	if o.BatchRows <= 0 {
		o.BatchRows = DefaultBatchRows
	}
	l := &loader{t: t, src: src, o: o, terms: newTerms(t.id), fileDates: map[int64]upstream.Day{}, deltas: &deltas{}, analyzeAt: firstAnalysis}
	if err := l.begin(ctx); err != nil {
		return upstream.Upload{}, err
	}
	if l.upload.Status == upstream.UploadSuccess {
		return l.upload, nil
	}
	_, err := t.regroup(ctx)
	if err == nil {
		err = l.run(ctx)
	}
	if finish := l.finish(err); err == nil {
		err = finish
	}
	return l.upload, err
}

type loader struct {
	t          *Tenant
	src        Source
	o          LoadOptions
	upload     upstream.Upload
	checkpoint int64
	terms      *terms
	fileDates  map[int64]upstream.Day // by upload
	segments   int
	analyzeAt  int64      // how many inserted claims are enough to renew statistics
	rows       []claimRow // reused, as is deltas
	deltas     *deltas
}

const uploadColumns = "id, filename, sha256, status, file_date, rows_read, inserted, updated, unchanged, rejected, date_min, date_max, error, created_at, checkpoint"

func scanUpload(r row) (u upstream.Upload, checkpoint int64) {
	u = upstream.Upload{
		ID: r.int(0), Filename: r.text(1), SHA256: r.text(2), Status: upstream.UploadStatus(r.text(3)), FileDate: upstream.Day(r.int(4)),
		Tally:   upstream.Tally{Read: r.int(5), Inserted: r.int(6), Updated: r.int(7), Unchanged: r.int(8), Rejected: r.int(9)},
		DateMin: upstream.Day(r.int(10)), DateMax: upstream.Day(r.int(11)), Error: r.text(12), CreatedAt: instant(r.int(13)),
	}
	return u, r.int(14)
}

// begin finds the upload of these bytes, or makes it.
func (l *loader) begin(ctx context.Context) error {
	return l.t.s.write(ctx, l.t.id, func(t tx) error {
		find := func() error {
			return t.query("SELECT "+uploadColumns+" FROM upload WHERE customer_id = $1 AND sha256 = $2", []any{l.t.id, l.src.SHA256}, func(r row) error {
				l.upload, l.checkpoint = scanUpload(r)
				return nil
			})
		}
		if err := find(); err != nil || l.upload.ID != 0 {
			return err
		}
		if _, err := l.t.insertUpload(t, l.src.Filename, l.src.SHA256, upstream.UploadRunning, l.src.FileDate, l.o.Now); err != nil {
			return err
		}
		err := find()
		nameAuditTarget(ctx, l.upload.ID)
		return err
	})
}

func (t *Tenant) insertUpload(x tx, filename, sha256 string, status upstream.UploadStatus, fileDate upstream.Day, now time.Time) (int64, error) {
	id, err := one(x, "SELECT COALESCE(MAX(id), 0) + 1 FROM upload WHERE customer_id = $1", t.id)
	if err != nil {
		return 0, err
	}
	_, err = x.exec("INSERT INTO upload (customer_id, id, sha256, filename, status, file_date, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		t.id, id, sha256, filename, string(status), int64(fileDate), now.UnixMicro())
	return id, err
}

// run reads the source in one goroutine and writes in another.
func (l *loader) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	batches, free := make(chan batch), make(chan batch, 2)
	var read error
	done := l.checkpoint // it moves on while the reader runs
	go func() {
		defer close(batches)
		read = l.read(ctx, done, batches, free)
	}()
	var err error
	for b := range batches {
		if err = l.apply(ctx, b); err != nil {
			break
		}
		select {
		case free <- batch{claims: b.claims[:0], rejects: b.rejects[:0]}:
		default:
		}
		if l.o.Progress != nil {
			l.o.Progress(l.checkpoint)
		}
	}
	cancel()
	for range batches { // until the reader has ended
	}
	if err == nil {
		err = read
	}
	return err
}

// read fills batches from the row after done to the end.
func (l *loader) read(ctx context.Context, done int64, batches chan<- batch, free <-chan batch) error {
	row := int64(0)
	if done > 0 && l.src.Skip != nil {
		if err := l.src.Skip(done); err != nil {
			return err
		}
		row = done
	}
	var spare upstream.Claim
	for ended := false; !ended; {
		var b batch
		select {
		case b = <-free:
		default:
			b.claims = make([]upstream.Claim, 0, l.o.BatchRows)
		}
		limit, sorted := l.o.BatchRows, true
		for len(b.claims)+len(b.rejects) < limit {
			reject, err := l.src.Next(&spare)
			if errors.Is(err, io.EOF) {
				ended = true
				break
			}
			if err != nil {
				return err
			}
			if row++; row <= done {
				continue
			}
			b.last = row
			if reject != nil {
				reject.Row = row
				b.rejects = append(b.rejects, *reject)
				continue
			}
			spare.Upload, spare.Row = l.upload.ID, row
			if n := len(b.claims); sorted && n > 0 && compareKeys(b.claims[n-1], spare) > 0 {
				if sorted = false; !l.o.Job {
					limit = randomBatches * l.o.BatchRows
				}
			}
			b.claims = append(b.claims, spare)
		}
		if b.last == 0 {
			return nil
		}
		// In key order the key index is written page by page; equal keys keep
		// the order of the file.
		if !sorted {
			slices.SortFunc(b.claims, compareKeys)
		}
		select {
		case batches <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// randomBatches is how much larger a batch becomes when its claim ids come in no
// order: each batch then touches most pages of the key index, however many rows
// it has.
const randomBatches = 5

func compareKeys(a, b upstream.Claim) int {
	return cmp.Or(cmp.Compare(a.ClaimID, b.ClaimID), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Row, b.Row))
}

// apply commits one batch: claims, rejects, rollup deltas, checkpoint and data
// version together or not at all.
func (l *loader) apply(ctx context.Context, b batch) error {
	tally := upstream.Tally{Read: int64(len(b.claims) + len(b.rejects)), Rejected: int64(len(b.rejects))}
	err := l.t.s.write(ctx, l.t.id, func(t tx) error {
		moved, err := t.exec("UPDATE upload SET checkpoint = $1 WHERE customer_id = $2 AND id = $3 AND checkpoint = $4 AND status <> $5",
			b.last, l.t.id, l.upload.ID, l.checkpoint, string(upstream.UploadSuccess))
		if err != nil {
			return err
		}
		if moved == 0 {
			return upstream.Errorf(upstream.Conflict, "another process is loading the same file; wait until it has finished")
		}
		l.deltas.reset()
		l.terms.forgetGroups()
		w := &writer{t: t, tenant: l.t, terms: l.terms, rows: l.rows, deltas: l.deltas, fileDate: l.fileDate}
		if err := w.put(b.claims, &tally); err != nil {
			return err
		}
		l.rows = w.rows
		if err := l.saveRejects(t, b.rejects); err != nil {
			return err
		}
		if err := w.commit(tally.Inserted); err != nil {
			return err
		}
		low, high := dateRange(b.claims)
		_, err = t.exec(`UPDATE upload SET rows_read = rows_read + $1, inserted = inserted + $2, updated = updated + $3,
			unchanged = unchanged + $4, rejected = rejected + $5,
			date_min = CASE WHEN date_min = 0 OR ($6 <> 0 AND $6 < date_min) THEN $6 ELSE date_min END,
			date_max = CASE WHEN $7 > date_max THEN $7 ELSE date_max END
			WHERE customer_id = $8 AND id = $9`,
			tally.Read, tally.Inserted, tally.Updated, tally.Unchanged, tally.Rejected, int64(low), int64(high), l.t.id, l.upload.ID)
		return err
	})
	if err != nil {
		l.terms = newTerms(l.t.id) // terms made in the failed transaction are gone
		return err
	}
	l.checkpoint = b.last
	l.upload.Add(tally)
	if l.upload.Inserted >= l.analyzeAt {
		l.analyzeAt = 2 * l.upload.Inserted
		if err := l.t.s.db.analyze(ctx); err != nil {
			return err
		}
	}
	if l.segments++; l.segments%foldAfter == 0 {
		return l.t.Fold(ctx)
	}
	return nil
}

// firstAnalysis is how many claims a load inserts before the database is told that
// the table has grown; each time they have doubled it is told again.
const firstAnalysis = 10_000

func dateRange(claims []upstream.Claim) (low, high upstream.Day) {
	for i := range claims {
		d := claims[i].SubmittedDate
		if low == 0 || d < low {
			low = d
		}
		high = max(high, d)
	}
	return low, high
}

func (l *loader) saveRejects(t tx, rejects []upstream.Reject) error {
	if len(rejects) == 0 {
		return nil
	}
	return t.execMany("INSERT INTO upload_reject (customer_id, upload_id, row_number, column_name, value_class, reason) VALUES ($1, $2, $3, $4, $5, $6)",
		len(rejects), func(i int, p []any) {
			r := rejects[i]
			p[0], p[1], p[2], p[3], p[4], p[5] = l.t.id, l.upload.ID, r.Row, r.Column, r.ValueClass, r.Reason
		})
}

// fileDate returns the date of an earlier upload's file.
func (l *loader) fileDate(t tx, upload int64) (upstream.Day, error) {
	if d, ok := l.fileDates[upload]; ok {
		return d, nil
	}
	d, err := one(t, "SELECT file_date FROM upload WHERE customer_id = $1 AND id = $2", l.t.id, upload)
	l.fileDates[upload] = upstream.Day(d)
	return upstream.Day(d), err
}

// finish records how the load ended. It runs even when the caller's context has
// ended, so that a cut-off load is marked as one.
func (l *loader) finish(cause error) error {
	ctx, cancel := context.WithTimeout(context.Background(), busyTimeout)
	defer cancel()
	status, text := upstream.UploadSuccess, ""
	switch {
	case upstream.ErrorCode(cause) == upstream.Conflict: // the upload is another process's
		return nil
	case cause != nil && l.o.Job:
		return nil
	case errors.Is(cause, context.Canceled):
		status = upstream.UploadRunning
	case cause != nil:
		status, text = upstream.UploadFailed, cause.Error()
	}
	err := l.t.s.write(ctx, l.t.id, func(t tx) error {
		// Another process may have gone on from here, even to the end.
		_, err := t.exec("UPDATE upload SET status = $1, error = $2 WHERE customer_id = $3 AND id = $4 AND checkpoint = $5 AND status <> $6",
			string(status), text, l.t.id, l.upload.ID, l.checkpoint, string(upstream.UploadSuccess))
		if err != nil {
			return err
		}
		return t.query("SELECT "+uploadColumns+" FROM upload WHERE customer_id = $1 AND id = $2", []any{l.t.id, l.upload.ID}, func(r row) error {
			l.upload, _ = scanUpload(r)
			return nil
		})
	})
	if err != nil || cause != nil {
		return err
	}
	return l.t.Fold(ctx)
}
