package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"upstream"
	"upstream/internal/ingest"
	"upstream/internal/store"
)

// File is a CSV file to load, known by the hash of its bytes.
type File struct {
	Name   string
	SHA256 string       // in hex
	Date   upstream.Day // orders two states of a claim decided on one day
	Bytes  io.Reader
}

// LoadCSV loads a file into the customer's claims and tells which columns were found
// in it. It is Invalid when the bytes are no CSV, and Unavailable when they are not
// those of the hash.
func LoadCSV(ctx context.Context, t *store.Tenant, f File, o store.LoadOptions) (upstream.Upload, []ingest.Column, error) {
	r, err := ingest.NewCSV(&sameBytes{r: f.Bytes, sum: sha256.New(), want: f.SHA256}, ingest.Options{FileHash: f.SHA256})
	if err != nil {
		return upstream.Upload{}, nil, err
	}
	u, err := t.Load(ctx, store.Source{Filename: f.Name, SHA256: f.SHA256, FileDate: f.Date, Next: r.Next}, o)
	return u, r.Columns(), err
}

// sameBytes reads a file again and fails at its end when it is no longer the one
// that was hashed: an export still being written would be loaded under a hash
// that is not its own, and counted twice the next time.
type sameBytes struct {
	r    io.Reader
	sum  hash.Hash
	want string
}

func (r *sameBytes) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && hex.EncodeToString(r.sum.Sum(nil)) != r.want {
		return n, upstream.Errorf(upstream.Invalid, "the file changed while it was read; wait until it is written whole and load it again")
	}
	return n, err
}
