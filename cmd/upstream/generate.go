package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"upstream"
	"upstream/internal/store"
	"upstream/internal/synth"
)

type generateCmd struct {
	Records   int64  `default:"100000" help:"Number of claims."`
	Customer  int64  `placeholder:"ID" help:"The customer they belong to; needed unless they go to a file."`
	BatchSize int    `default:"1000" help:"Claims are kept in whole batches of this size when the command is stopped."`
	Seed      uint64 `default:"1" help:"The same seed and options give the same claims, on any engine."`
	Days      int    `default:"365" help:"Days of submissions."`
	AsOf      string `placeholder:"DATE" help:"The last of these days; later decisions are still pending. Today if not given."`
	Payers    int    `default:"10" help:"Number of payers."`
	Locations int    `default:"4" help:"Number of locations."`
	Drift     string `default:"planted" placeholder:"none|planted|FILE" help:"What changes: nothing, a sensible set, or what an NDJSON file says."`
	Truth     string `placeholder:"FILE" help:"Write what was planted to this file as NDJSON."`
	Format    string `default:"db" enum:"db,csv,835" help:"Into the database, or a file: csv, or 835 (decided claims only)."`
	Output    string `short:"o" placeholder:"FILE" help:"The file for --format csv and 835; - is standard output."`
	RandomIDs bool   `name:"random-ids" help:"Claim ids in random order, the worst case of a load."`
}

func (*generateCmd) Help() string {
	return `The claims follow published figures: payer and procedure mix, denial rates, decision times, fee schedules, holidays and the January bump. Stopped by Ctrl-C, the command keeps whole batches and says how many; run again with the same options it goes on where it was.

Examples:
  upstream generate-synthetic-data --records 100000 --customer 1
  upstream generate-synthetic-data --records 1000000 --format csv --output claims.csv --truth truth.ndjson`
}

func (c *generateCmd) Run(a *app) error {
	if c.BatchSize < 1 {
		return upstream.Errorf(upstream.Invalid, "--batch-size must be at least 1")
	}
	if c.Format != "db" && c.Output == "" {
		return upstream.Errorf(upstream.Invalid, "--format %s needs --output FILE", c.Format)
	}
	if c.Format == "db" && c.Customer == 0 {
		return upstream.Errorf(upstream.Invalid, "say for whom with --customer ID; `upstream customer create NAME` makes a customer, `upstream customer list` shows those there are")
	}
	options, err := c.options(a.today())
	if err != nil {
		return err
	}
	g, err := synth.New(options)
	if err != nil {
		return err
	}
	if c.Truth != "" {
		if err := a.writeTruth(c.Truth, options.Drifts); err != nil {
			return err
		}
	}
	start := a.now()
	if c.Format != "db" {
		return c.toFile(a, g, options.AsOf)
	}
	return a.withTenant(c.Customer, func(t *store.Tenant) error {
		u, added, err := a.generate(t, g, c.BatchSize)
		if err != nil {
			if errors.Is(err, context.Canceled) {
				a.notef("stopped: %s of %s claims are in whole batches in the database", thousands(u.Read), thousands(c.Records))
			}
			return err
		}
		if added == 0 || u.Inserted == 0 {
			a.printf("these %s claims are there already; another --seed makes others\n", thousands(u.Read))
			return nil
		}
		seconds := max(a.now().Sub(start).Seconds(), 1e-3)
		a.printf("%s claims from %s to %s in %.1f s: %s rows/s\n", thousands(added), u.DateMin, u.DateMax, seconds, thousands(int64(float64(added)/seconds)))
		return nil
	})
}

func (c *generateCmd) options(today upstream.Day) (synth.Options, error) {
	o := synth.Options{Records: c.Records, Seed: c.Seed, Days: c.Days, AsOf: today, Payers: c.Payers, Locations: c.Locations, RandomIDs: c.RandomIDs}
	if c.AsOf != "" {
		var err error
		if o.AsOf, err = upstream.ParseDay(c.AsOf); err != nil {
			return o, err
		}
	}
	switch c.Drift {
	case "none":
	case "planted":
		o.Drifts = synth.Planted(o)
	default:
		f, err := os.Open(c.Drift)
		if err != nil {
			return o, upstream.Errorf(upstream.NotFound, "--drift is none, planted or an NDJSON file; there is no readable file %s", c.Drift)
		}
		defer f.Close()
		if o.Drifts, err = synth.ReadDrifts(f); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (a *app) writeTruth(path string, drifts []synth.Drift) error {
	w, err := a.create(path)
	if err != nil {
		return err
	}
	return errors.Join(synth.WriteTruth(w, drifts), w.Close())
}

// generate loads a generator's claims as an upload known by their identity, so
// that a rerun goes on and never doubles. added is how many of its rows this
// call has loaded.
func (a *app) generate(t *store.Tenant, g *synth.Generator, batch int) (u upstream.Upload, added int64, err error) {
	sum := sha256.Sum256([]byte(g.Identity()))
	identity := hex.EncodeToString(sum[:])
	known, err := t.Upload(a, identity)
	if err != nil && upstream.ErrorCode(err) != upstream.NotFound {
		return known, 0, err
	}
	next := int64(0)
	p := a.progress("generate", g.Records())
	defer p.end()
	// Whole batches, in transactions large enough to be fast.
	rows := max(store.DefaultBatchRows/batch, 1) * batch
	u, err = t.Load(a, store.Source{
		Filename: "synthetic", SHA256: identity, FileDate: a.today(),
		Next: func(c *upstream.Claim) (*upstream.Reject, error) {
			if next == g.Records() {
				return nil, io.EOF
			}
			g.Claim(next, c)
			next++
			return nil, nil
		},
		Skip: func(n int64) error { next = n; return nil },
	}, store.LoadOptions{BatchRows: rows, Progress: p.update, Now: a.now()})
	return u, u.Read - known.Read, err
}

// claimWriter is what both file formats are.
type claimWriter interface {
	Write(*upstream.Claim) error
	Close() error
}

func (c *generateCmd) toFile(a *app, g *synth.Generator, asOf upstream.Day) (err error) {
	file, err := a.create(c.Output)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(file, 1<<20)
	var w claimWriter = synth.NewCSVWriter(buffered)
	if c.Format == "835" {
		w = synth.NewERAWriter(buffered, asOf)
	}
	p := a.progress("generate", g.Records())
	defer p.end()
	var states []upstream.Claim
	written, start := int64(0), a.now()
	for ; written < g.Records() && a.Err() == nil && err == nil; written++ {
		states = g.States(written, states[:0])
		for k := 0; k < len(states) && err == nil; k++ {
			err = w.Write(&states[k])
		}
		if written%int64(c.BatchSize) == 0 {
			p.update(written)
		}
	}
	err = errors.Join(err, w.Close(), buffered.Flush(), file.Close())
	if err != nil {
		return upstream.Errorf(upstream.Unavailable, "can't write %s: %w", c.Output, errors.Join(err))
	}
	a.notef("%s", summary(written, a.now().Sub(start), c.Output))
	return a.Err()
}

func summary(written int64, took time.Duration, output string) string {
	return fmt.Sprintf("%s claims written to %s in %.1f s: %s rows/s", thousands(written), output, took.Seconds(),
		thousands(int64(float64(written)/max(took.Seconds(), 1e-3))))
}
