package jobs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"upstream"
	"upstream/internal/store"
)

func TestAFileIsReceivedInPartsAndReadBackAsItWas(t *testing.T) {
	content := file(t, 25_000, 1)
	if len(content) < 2*partBytes {
		t.Fatalf("%d bytes are too few parts", len(content))
	}
	onBoth(t, func(w *world) {
		for name, r := range map[string]io.Reader{
			"whole":        bytes.NewReader(content),
			"in halves":    iotest.HalfReader(bytes.NewReader(content)),
			"EOF with it":  iotest.DataErrReader(bytes.NewReader(content)),
			"in odd bytes": iotest.HalfReader(iotest.DataErrReader(bytes.NewReader(content))),
		} {
			u, created, err := Receive(context.Background(), w.tenant, "a/b/claims.csv", r, options())
			if err != nil || u.ID != 1 || u.Filename != "claims.csv" || u.Status != upstream.UploadQueued || len(u.SHA256) != 64 {
				w.Fatalf("%s: %+v, %t, %v", name, u, created, err)
			}
			got, err := io.ReadAll(&body{ctx: context.Background(), t: w.tenant, upload: u.ID})
			if err != nil || !bytes.Equal(got, content) {
				w.Errorf("%s: %d bytes came back of %d, %v", name, len(got), len(content), err)
			}
		}
		w.nothingIsLeft(3, func() error { return nil }) // of those but the first
	})
}

// nothingIsLeft does something and checks that no body is left behind that a prune
// finds, and that there are no more uploads than before.
func (w *world) nothingIsLeft(uploads int64, do func() error) {
	w.Helper()
	if err := do(); err != nil {
		w.Error(err)
	}
	if n, err := w.store.PruneBodies(context.Background(), now.Add(time.Hour)); n != 0 || err != nil {
		w.Errorf("%d bodies are left behind, %v", n, err)
	}
	if u, err := w.tenant.UploadByID(context.Background(), uploads+1); upstream.ErrorCode(err) != upstream.NotFound {
		w.Errorf("an upload is left behind: %+v, %v", u, err)
	}
}

func TestSameBytesAreOneUpload(t *testing.T) {
	content := file(t, 100, 1)
	onBoth(t, func(w *world) {
		ctx := context.Background()
		first := w.receive(content)
		again := func(want bool) upstream.Upload {
			w.Helper()
			u, created, err := Receive(ctx, w.tenant, "renamed.csv", bytes.NewReader(content), options())
			if err != nil || created != want || u.ID != first.ID || u.Filename != first.Filename {
				w.Fatalf("sent again: %+v, %t, %v", u, created, err)
			}
			return u
		}
		again(false) // queued
		work, err := w.tenant.Work(ctx, store.UploadWork, first.ID)
		if err != nil {
			w.Fatal(err)
		}
		if err := w.store.Fail(ctx, work, "no luck", now); err != nil {
			w.Fatal(err)
		}
		if u := w.upload(first.ID); u.Status != upstream.UploadFailed || u.Error != "no luck" {
			w.Fatalf("failed: %+v", u)
		}
		if u := again(true); u.Status != upstream.UploadQueued || u.Error != "" { // it may be tried again
			w.Errorf("queued again: %+v", u)
		}
		w.jobs(Options{Work: true})
		w.loaded(first.ID)
		if u := again(false); u.Status != upstream.UploadSuccess || u.Inserted != 100 {
			w.Errorf("loaded: %+v", u)
		}
		w.nothingIsLeft(1, func() error { return nil })
	})
}

func TestSameBytesThatArriveAtOnceAreOneUpload(t *testing.T) {
	content := file(t, 5_000, 1)
	onBoth(t, func(w *world) {
		const senders = 4
		var all sync.WaitGroup
		var mu sync.Mutex
		made := 0
		for range senders {
			all.Go(func() {
				u, created, err := Receive(context.Background(), w.tenant, "claims.csv", bytes.NewReader(content), options())
				mu.Lock()
				defer mu.Unlock()
				if err != nil || u.ID != 1 {
					w.Errorf("%+v, %v", u, err)
				}
				if created {
					made++
				}
			})
		}
		all.Wait()
		if made != 1 {
			w.Errorf("%d of %d senders were told that they made the upload", made, senders)
		}
		w.nothingIsLeft(1, func() error { return nil })
	})
}

// endless is a stream of a beginning and then of the same bytes for ever.
type endless struct {
	head string
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.head)
	e.head = e.head[n:]
	for i := n; i < len(p); i++ {
		p[i] = 'x'
	}
	e.read += len(p)
	return len(p), nil
}

func TestWhatIsNoCSVIsRefusedAfterItsFirstPart(t *testing.T) {
	onBoth(t, func(w *world) {
		for head, want := range map[string]string{
			"PK\x03\x04":                      "ZIP archive",
			"%PDF-1.7":                        "PDF",
			"payer,cpt\n1,2\n":                "",
			"a header that is nothing at all": "",
		} {
			w.nothingIsLeft(0, func() error {
				r := &endless{head: head}
				_, _, err := Receive(context.Background(), w.tenant, "x", r, options())
				if upstream.ErrorCode(err) != upstream.Invalid || !strings.Contains(err.Error(), want) || r.read > 2*partBytes {
					w.Errorf("%q: %v after %d bytes", head, err, r.read)
				}
				return nil
			})
		}
		w.nothingIsLeft(0, func() error {
			_, _, err := Receive(context.Background(), w.tenant, "x", strings.NewReader(""), options())
			if upstream.ErrorCode(err) != upstream.Invalid || !strings.Contains(err.Error(), "empty") {
				w.Errorf("an empty file: %v", err)
			}
			return nil
		})
	})
}

const header = "payer,cpt,submitted_date,decided_date,outcome\n"

func TestNoMoreBytesAreTakenThanAllowed(t *testing.T) {
	content := file(t, 25_000, 1)
	onBoth(t, func(w *world) {
		o := options()
		o.MaxBytes = int64(len(content)) - 1
		w.nothingIsLeft(0, func() error {
			if _, _, err := Receive(context.Background(), w.tenant, "x", bytes.NewReader(content), o); !errors.Is(err, ErrTooLarge) || upstream.ErrorCode(err) != upstream.Invalid {
				w.Errorf("one byte too many: %v", err)
			}
			bomb := &endless{head: header}
			if _, _, err := Receive(context.Background(), w.tenant, "x", bomb, o); !errors.Is(err, ErrTooLarge) || bomb.read > len(content)+partBytes {
				w.Errorf("without end: %v after %d bytes", err, bomb.read)
			}
			return nil
		})
		o.MaxBytes++
		if _, created, err := Receive(context.Background(), w.tenant, "x", bytes.NewReader(content), o); err != nil || !created {
			w.Errorf("as many as allowed: %v", err)
		}
	})
}

func TestACutBodyLeavesNothingBehind(t *testing.T) {
	content := file(t, 25_000, 1)
	onBoth(t, func(w *world) {
		for _, cut := range []int{100, partBytes, partBytes + 100, len(content)} {
			for _, cause := range []error{io.ErrUnexpectedEOF, errors.New("connection reset")} {
				w.nothingIsLeft(0, func() error {
					r := io.MultiReader(bytes.NewReader(content[:cut]), iotest.ErrReader(cause))
					_, _, err := Receive(context.Background(), w.tenant, "x", r, options())
					if upstream.ErrorCode(err) != upstream.Invalid || !errors.Is(err, cause) {
						w.Errorf("cut after %d bytes by %v: %v", cut, cause, err)
					}
					return nil
				})
			}
		}
		w.nothingIsLeft(0, func() error {
			ctx, cancel := context.WithCancel(context.Background())
			r := io.MultiReader(bytes.NewReader(content[:partBytes+1]), readerFunc(func([]byte) (int, error) {
				cancel()
				return 0, io.ErrUnexpectedEOF
			}))
			if _, _, err := Receive(ctx, w.tenant, "x", r, options()); !errors.Is(err, context.Canceled) {
				w.Errorf("gone away: %v", err)
			}
			return nil
		})
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestOnlyTheBytesOfDeadReceiversArePruned(t *testing.T) {
	onBoth(t, func(w *world) {
		ctx := context.Background()
		queued := w.receive(file(t, 100, 1))
		receive := func(at time.Time) *store.Body {
			b, err := w.tenant.NewBody(ctx, at)
			if err == nil {
				err = b.Add(ctx, []byte("part"), at)
			}
			if err != nil {
				w.Fatal(err)
			}
			return b
		}
		dead, alive := receive(now.Add(-2*receiverSilence)), receive(now.Add(-receiverSilence/2))
		j, err := Open(ctx, w.url, w.store, Options{Now: clock})
		if err != nil {
			w.Fatal(err)
		}
		w.Cleanup(func() { w.stop(j) })
		if err := j.sweep(ctx); err != nil {
			w.Fatal(err)
		}
		if err := dead.Add(ctx, []byte("part"), now); !errors.Is(err, store.ErrLost) {
			w.Errorf("a receiver that woke up goes on: %v", err)
		}
		if _, _, err := dead.Upload(ctx, "x", "of the dead", 0, now); err == nil {
			w.Error("a body that was pruned became an upload")
		}
		if err := alive.Add(ctx, []byte("part"), now); err != nil {
			w.Errorf("one that is alive: %v", err)
		}
		if part, err := w.tenant.UploadPart(ctx, queued.ID, 0); err != nil || part == nil {
			w.Errorf("an upload that is queued: %v", err)
		}
	})
}

func TestDamagedBytesOfAnUploadAreSeen(t *testing.T) {
	onBoth(t, func(w *world) {
		ctx := context.Background()
		b, err := w.tenant.NewBody(ctx, now)
		if err == nil {
			err = b.Add(ctx, []byte{0xff, 0xff, 0xff}, now)
		}
		if err != nil {
			w.Fatal(err)
		}
		u, _, err := b.Upload(ctx, "x", "of what it was", 0, now)
		if err != nil {
			w.Fatal(err)
		}
		if _, err := io.ReadAll(&body{ctx: ctx, t: w.tenant, upload: u.ID}); upstream.ErrorCode(err) != upstream.Corrupt {
			w.Errorf("damaged: %v", err)
		}
	})
}

func TestNamesOfFilesAreMadeFitToShow(t *testing.T) {
	for name, want := range map[string]string{
		"claims.csv":               "claims.csv",
		`C:\Documents\July.csv`:    "July.csv",
		"../../etc/passwd":         "passwd",
		"a\x00b\r\nc\x1b[31m.csv":  "abc[31m.csv",
		"\xff\xfeä.csv":            "ä.csv",
		"":                         "upload.csv",
		"/":                        "upload.csv",
		strings.Repeat("ü", 1_000): strings.Repeat("ü", maxFilename),
	} {
		if got := cleanName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestAFileThatIsNoLongerTheOneThatWasHashedIsRefused(t *testing.T) {
	onBoth(t, func(w *world) {
		row := "Aetna,99213,2026-04-01,2026-04-10,PAID\n"
		f := File{Name: "x", SHA256: strings.Repeat("0", 64), Bytes: strings.NewReader(header + row)}
		if _, _, err := LoadCSV(context.Background(), w.tenant, f, store.LoadOptions{Now: now}); upstream.ErrorCode(err) != upstream.Unavailable || !strings.Contains(err.Error(), "changed while it was read") {
			w.Errorf("other bytes: %v", err)
		}
		f = File{Name: "y", SHA256: "d8f8ae2c", Bytes: strings.NewReader("%PDF")}
		if _, _, err := LoadCSV(context.Background(), w.tenant, f, store.LoadOptions{Now: now}); upstream.ErrorCode(err) != upstream.Invalid {
			w.Errorf("no CSV: %v", err)
		}
	})
}
