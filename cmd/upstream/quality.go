package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"

	"upstream"
	"upstream/internal/bench"
)

// qualityOptions are the options of benchmark-drift --quality.
type qualityOptions struct {
	Quality        bool   `help:"Measure how well detection works, on simulated customers."`
	Quick          bool   `help:"A small run, within a minute; fails when a figure is far off."`
	Customers      int    `placeholder:"N" help:"Customers with planted changes; each has a twin without them, and there are as many more with none. 40 if not given, 6 with --quick."`
	Seed           uint64 `placeholder:"S" help:"Another seed simulates others; 0 if not given."`
	Truth          string `placeholder:"FILE" help:"Write what was planted, as NDJSON."`
	Events         string `placeholder:"FILE" help:"Write what each detector told, as NDJSON."`
	DetectorOutput string `placeholder:"FILE" help:"Score the events of any other detector too: NDJSON as --events writes it, with the customer's number in each line."`
	Claims         string `placeholder:"DIR" help:"Write each customer's claims there as CSV, for other detectors."`
}

// validateQuality refuses options of the speed benchmark, which would do nothing.
func validateQuality(c *benchmarkCmd) error {
	if c.Customer != 0 || c.Baseline != "" || c.CPUProfile != "" || c.MemProfile != "" || c.Trace != "" {
		return errors.New("--customer, --baseline and the profiles measure speed; leave them out with --quality")
	}
	return nil
}

func (c *benchmarkCmd) measureQuality(a *app) error {
	q := &c.qualityOptions
	p := a.progress("quality", 0)
	p.unit = "customers"
	defer p.end()
	o := bench.QualityOptions{
		Customers: q.Customers, Seed: q.Seed, Quick: q.Quick, ClaimsDir: q.Claims, Now: a.now,
		Progress: func(done, total int64) {
			p.total = total
			p.update(done)
		},
	}
	if err := q.readOutside(&o); err != nil {
		return err
	}
	// Made before the work, so that a path that can't be written costs no ten minutes.
	outputs, err := a.createAll(c.JSON, q.Truth, q.Events)
	if err != nil {
		return err
	}
	report, err := bench.Measure(a, o)
	p.end()
	if err == nil {
		err = errors.Join(writeReport(outputs[0], report), writeLines(outputs[1], report.Truths), writeLines(outputs[2], report.Told))
	}
	for _, w := range outputs {
		if w != nil {
			err = errors.Join(err, w.Close())
		}
	}
	if err != nil {
		return err
	}
	if c.JSON != "-" {
		report.Print(a.stdout)
	}
	return report.Err()
}

// readOutside reads what another detector told.
func (q *qualityOptions) readOutside(o *bench.QualityOptions) error {
	if q.DetectorOutput == "" {
		return nil
	}
	f, err := os.Open(q.DetectorOutput)
	if err != nil {
		return upstream.Errorf(upstream.NotFound, "can't read the detector's output %s; it is a file of NDJSON as --events writes it", q.DetectorOutput)
	}
	defer f.Close()
	o.Outside, err = bench.ReadTold(f, o.Datasets())
	return err
}

// createAll makes output files; nil where there is no path.
func (a *app) createAll(paths ...string) ([]io.WriteCloser, error) {
	files := make([]io.WriteCloser, len(paths))
	for i, path := range paths {
		if path == "" {
			continue
		}
		var err error
		if files[i], err = a.create(path); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func writeReport(w io.Writer, report *bench.Quality) error {
	if w == nil {
		return nil
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(report); err != nil {
		return upstream.Errorf(upstream.Unavailable, "can't write the figures: %w", err)
	}
	return nil
}

func writeLines[T any](w io.Writer, lines []T) error {
	if w == nil {
		return nil
	}
	return bench.WriteLines(w, lines)
}
