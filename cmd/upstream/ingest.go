package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"upstream"
	"upstream/internal/ingest"
	"upstream/internal/jobs"
	"upstream/internal/store"
)

type ingestCmd struct {
	Customer int64    `required:"" placeholder:"ID" help:"The customer the claims belong to."`
	JSON     bool     `name:"json" help:"Print the counts and rejects as JSON."`
	FileDate string   `placeholder:"DATE" help:"The date of the files, which decides between two states of a claim decided on one day; today if not given."`
	Files    []string `arg:"" name:"file" help:"CSV files with a header row."`
}

func (*ingestCmd) Help() string {
	return `Reads each file row by row, finds the columns by their names, and inserts or updates the claims. A row that can't be used is rejected with its row, column and reason, and the rest loads. A load that was cut off goes on where it was when the same file is loaded again.

The exit code is 0 when rows of every file could be used, also beside rejects, and 1 when a file held nothing usable.

Example:  upstream ingest --customer 1 claims-2026.csv`
}

// maxShownRejects bounds what one command prints; all are stored.
const maxShownRejects = upstream.MaxPageSize

// ingestReport is what --json prints.
type ingestReport struct {
	upstream.Tally
	Rejects []fileReject `json:"rejects"`
	Uploads []fileUpload `json:"uploads"`
}

type fileReject struct {
	File string `json:"file"`
	upstream.Reject
}

type fileUpload struct {
	ID       int64  `json:"id"`
	Filename string `json:"filename"`
	SHA256   string `json:"sha256"`
	// AlreadyLoaded tells that these bytes had been loaded before.
	AlreadyLoaded bool `json:"already_loaded"`
	upstream.Tally
}

func (c *ingestCmd) Run(a *app) error {
	fileDate := a.today()
	if c.FileDate != "" {
		var err error
		if fileDate, err = upstream.ParseDay(c.FileDate); err != nil {
			return err
		}
	}
	return a.withTenant(c.Customer, func(t *store.Tenant) error {
		report := ingestReport{Rejects: []fileReject{}, Uploads: []fileUpload{}}
		var failed error
		for _, path := range c.Files {
			err := c.one(a, t, path, fileDate, &report)
			if errors.Is(err, context.Canceled) {
				return err
			}
			failed = errors.Join(failed, err)
		}
		if c.JSON {
			return errors.Join(failed, a.printJSON(report))
		}
		return failed
	})
}

// one loads a file and adds what became of it to the report.
func (c *ingestCmd) one(a *app, t *store.Tenant, path string, fileDate upstream.Day, report *ingestReport) error {
	f, sum, err := openHashed(a, path)
	if err != nil {
		return err
	}
	defer f.Close()
	known, err := t.Upload(a, sum)
	done := err == nil && known.Status == upstream.UploadSuccess
	load := a
	if !done {
		target := "" // the id that the upload gets
		if known.ID != 0 {
			target = idText(known.ID)
		}
		load = a.audited(c.Customer, "upload.load", target, filepath.Base(path))
	}
	p := a.progress(filepath.Base(path), 0)
	u, columns, err := jobs.LoadCSV(load, t, jobs.File{Name: filepath.Base(path), SHA256: sum, Date: fileDate, Bytes: f},
		store.LoadOptions{Progress: p.update, Now: a.now()})
	p.end()
	if err != nil {
		if u.Read > 0 {
			a.notef("%s: %s rows are loaded and kept", path, thousands(u.Read))
		}
		return errors.Join(err)
	}
	if done { // these bytes change nothing now
		u.Tally = upstream.Tally{Read: u.Read, Unchanged: u.Read - u.Rejected, Rejected: u.Rejected}
	}
	rejects, err := t.Rejects(a, u.ID, upstream.Page{Size: maxShownRejects})
	if err != nil {
		return err
	}
	report.Add(u.Tally)
	report.Uploads = append(report.Uploads, fileUpload{ID: u.ID, Filename: u.Filename, SHA256: u.SHA256, AlreadyLoaded: done, Tally: u.Tally})
	for _, r := range rejects.Items {
		report.Rejects = append(report.Rejects, fileReject{u.Filename, r})
	}
	if !c.JSON {
		c.tell(a, u, rejects.Items, done)
	}
	if u.Updated > 0 && !slices.ContainsFunc(columns, func(c ingest.Column) bool { return c.Field == "line" }) {
		a.notef("%s has no column for the line of a claim: rows of one claim number were taken for one claim", path)
	}
	if u.Read == u.Rejected {
		return upstream.Errorf(upstream.Invalid, "%s holds no usable row: %d read, %d rejected; see the reasons above and correct the file", path, u.Read, u.Rejected)
	}
	return nil
}

func (*ingestCmd) tell(a *app, u upstream.Upload, rejects []upstream.Reject, done bool) {
	again := ""
	if done {
		again = " (loaded before)"
	}
	a.printf("%s: %s read, %s inserted, %s updated, %s unchanged, %s rejected%s\n", u.Filename,
		thousands(u.Read), thousands(u.Inserted), thousands(u.Updated), thousands(u.Unchanged), thousands(u.Rejected), again)
	for i, r := range rejects {
		if i == 20 {
			a.printf("  … and %s more; --json lists them\n", thousands(u.Rejected-20))
			break
		}
		where := ""
		if r.Column != "" {
			where = ", column " + r.Column
		}
		a.printf("  row %d%s: %s (%s)\n", r.Row, where, r.Reason, r.ValueClass)
	}
}

// openHashed opens a CSV file at its start, with the SHA-256 of its bytes.
func openHashed(ctx context.Context, path string) (*os.File, string, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, "", upstream.Errorf(upstream.NotFound, "there is no file %s; check the path", path)
		}
		return nil, "", upstream.Errorf(upstream.Unavailable, "can't read %s: %w", path, errors.Unwrap(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = upstream.Errorf(upstream.Invalid, "%s is no regular file; save the data to a file first, it is read twice", path)
	}
	if err == nil { // what is no CSV is told before gigabytes of it are read
		err = checkCSV(f, path)
	}
	sum := sha256.New()
	if err == nil {
		_, err = io.Copy(sum, contextReader{ctx, f})
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, "", err
	}
	return f, hex.EncodeToString(sum.Sum(nil)), nil
}

// checkCSV reads the header of a file and goes back to its start.
func checkCSV(f *os.File, path string) error {
	if _, err := ingest.NewCSV(f, ingest.Options{FileHash: "not known yet"}); err != nil {
		return upstream.Errorf(upstream.ErrorCode(err), "%s: %w", path, err)
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// contextReader ends a long read with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
