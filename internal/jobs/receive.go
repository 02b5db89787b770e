package jobs

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path"
	"strings"
	"time"
	"unicode"

	"upstream"
	"upstream/internal/ingest"
	"upstream/internal/store"
)

// ErrTooLarge is the error of a file with more bytes than are taken. It is Invalid.
var ErrTooLarge = upstream.Errorf(upstream.Invalid, "the file is too large")

// ReceiveOptions bound and date a file that is received.
type ReceiveOptions struct {
	MaxBytes int64        // of the file as it is read; no bound when 0
	FileDate upstream.Day // orders two states of a claim decided on one day
	Now      func() time.Time
}

const (
	partBytes   = 1 << 20
	maxFilename = 200 // characters
)

// Receive takes in a file from a stream, in constant memory, and makes it an upload
// that is queued; EnqueueUpload has it loaded. Bytes that the customer has sent before
// are the upload that they were then: created is false, unless that one had failed or
// was cut off, and is queued again.
//
// What is no CSV of claims is Invalid as soon as its header has come; what is larger
// than MaxBytes is ErrTooLarge. An error leaves nothing behind.
func Receive(ctx context.Context, t *store.Tenant, filename string, r io.Reader, o ReceiveOptions) (u upstream.Upload, created bool, err error) {
	in := receiver{part: make([]byte, partBytes), sum: sha256.New(), o: o}
	first, err := in.next(ctx, r)
	if err != nil {
		return u, false, err
	}
	if _, err := ingest.NewCSV(bytes.NewReader(first), ingest.Options{FileHash: "not known yet"}); err != nil {
		return u, false, err
	}
	b, err := t.NewBody(ctx, o.Now())
	if err != nil {
		return u, false, err
	}
	defer func() {
		if err != nil { // or the prune does it
			undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
			defer cancel()
			_ = b.Drop(undo)
		}
	}()
	for part := first; len(part) > 0; {
		packed, err := in.pack(part)
		if err == nil {
			err = b.Add(ctx, packed, o.Now())
		}
		if err == nil {
			part, err = in.next(ctx, r)
		}
		if err != nil {
			return u, false, err
		}
	}
	return b.Upload(ctx, cleanName(filename), hex.EncodeToString(in.sum.Sum(nil)), o.FileDate, o.Now())
}

// receiver cuts a stream into parts and packs them, in the same few buffers.
type receiver struct {
	o     ReceiveOptions
	part  []byte
	total int64
	ended bool
	sum   interface {
		io.Writer
		Sum([]byte) []byte
	}
	packed bytes.Buffer
	packer *flate.Writer
}

// next reads the next part, which is valid until the one after; empty at the end.
func (in *receiver) next(ctx context.Context, r io.Reader) ([]byte, error) {
	n := 0
	for n < len(in.part) && !in.ended {
		m, err := r.Read(in.part[n:])
		n += m
		switch {
		case err == io.EOF: // an unexpected one is a file cut off
			in.ended = true
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, upstream.Errorf(upstream.Invalid, "the file did not arrive whole, send it again: %w", err)
		}
		if in.o.MaxBytes > 0 && in.total+int64(n) > in.o.MaxBytes {
			return nil, upstream.Errorf(upstream.Invalid, "%w: %d bytes at most are taken; send it in several files", ErrTooLarge, in.o.MaxBytes)
		}
	}
	in.total += int64(n)
	in.sum.Write(in.part[:n]) //nolint:errcheck // a hash never fails
	return in.part[:n], nil
}

// pack compresses a part; it is valid until the next one.
func (in *receiver) pack(part []byte) ([]byte, error) {
	in.packed.Reset()
	if in.packer == nil {
		packer, err := flate.NewWriter(&in.packed, flate.BestSpeed)
		if err != nil {
			return nil, err
		}
		in.packer = packer
	} else {
		in.packer.Reset(&in.packed)
	}
	_, err := in.packer.Write(part)
	err = errors.Join(err, in.packer.Close()) // it writes, too
	return in.packed.Bytes(), err
}

// cleanName is the name of a file without its directories and what can't be stored
// or shown.
func cleanName(name string) string {
	name = path.Base(strings.ReplaceAll(strings.ToValidUTF8(name, ""), "\\", "/"))
	name = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, name)
	if runes := []rune(name); len(runes) > maxFilename {
		name = string(runes[:maxFilename])
	}
	if name == "" || name == "." || name == ".." || name == "/" {
		return "upload.csv"
	}
	return name
}

// body reads the bytes of an upload again, part by part.
type body struct {
	ctx    context.Context
	t      *store.Tenant
	upload int64
	part   int64
	packed bytes.Reader
	bytes  io.ReadCloser
	open   bool // a part is being read
}

func (b *body) Read(p []byte) (int, error) {
	for {
		if !b.open {
			if err := b.next(); err != nil {
				return 0, err
			}
		}
		n, err := b.bytes.Read(p)
		if errors.Is(err, io.EOF) {
			b.open, err = false, nil
		}
		var damage flate.CorruptInputError
		if errors.As(err, &damage) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = upstream.Errorf(upstream.Corrupt, "the stored bytes of this upload are damaged; send the file again")
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// next opens the next part.
func (b *body) next() error {
	packed, err := b.t.UploadPart(b.ctx, b.upload, b.part)
	if err != nil {
		return err
	}
	if packed == nil {
		return io.EOF
	}
	b.part, b.open = b.part+1, true
	b.packed.Reset(packed)
	if b.bytes == nil {
		b.bytes = flate.NewReader(&b.packed)
		return nil
	}
	return b.bytes.(flate.Resetter).Reset(&b.packed, nil)
}
