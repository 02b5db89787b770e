package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"runtime/pprof"
	"runtime/trace"

	"upstream"
	"upstream/internal/bench"
	"upstream/internal/detection"
	"upstream/internal/store"
)

type benchmarkCmd struct {
	Customer      int64   `placeholder:"ID" help:"The customer whose claims are used; not with --quality."`
	Runs          int     `default:"3" help:"Number of runs; the median counts."`
	From          string  `default:"rollups" enum:"rollups,claims" help:"Read the rollups, or count the raw claims."`
	Detector      string  `default:"upstream" enum:"upstream,threshold" help:"The detector to measure."`
	JSON          string  `name:"json" placeholder:"FILE" help:"Write the figures as JSON; - is standard output."`
	Baseline      string  `placeholder:"FILE" help:"Compare with the JSON of an earlier benchmark made on the same machine."`
	MaxRegression string  `default:"10%" help:"How much slower than the baseline the median may be."`
	Budget        float64 `default:"0.5" help:"False alarms a month that alerts may cost."`
	CPUProfile    string  `name:"cpuprofile" placeholder:"FILE" help:"Write a CPU profile of one further run that is not timed."`
	MemProfile    string  `name:"memprofile" placeholder:"FILE" help:"Write a heap profile after the runs."`
	Trace         string  `placeholder:"FILE" help:"Write an execution trace of one further run that is not timed."`

	qualityOptions `embed:"" group:"Quality"`
}

func (*benchmarkCmd) Help() string {
	return `Runs detection over the customer's stored claims and prints runtime, peak memory and throughput of each run. The verdict is that of the performance guide: Excellent above 10,000 claims/s, Good above 5,000, Acceptable above 1,000. The exit code is 1 when a run fails or the median regresses against the baseline.

With --quality it measures how well detection finds what it should instead, on simulated customers with known truth, and needs neither customer nor database: false alarms, recall on real and on switched-off changes, delay, level, cause and dollars, beside the usual rule and the targets. --quick is a small run against wide bounds; the exit code is 1 when one breaks. Any other detector can be scored: --claims gives it the data, --detector-output takes what it told.

Example:  upstream benchmark-drift --customer 1 --runs 5
          upstream benchmark-drift --quality --seed 1 --json quality.json`
}

// Validate is called by the parser.
func (c *benchmarkCmd) Validate() error {
	if c.Quality {
		return validateQuality(c)
	}
	if c.Customer == 0 {
		return errors.New("missing flags: --customer=ID, or --quality")
	}
	if c.qualityOptions != (qualityOptions{}) {
		return errors.New("--quick, --customers, --seed, --truth, --events, --detector-output and --claims go with --quality")
	}
	return nil
}

func (c *benchmarkCmd) Run(a *app) error {
	if c.Quality {
		return c.measureQuality(a)
	}
	limit, err := bench.ParsePercent(c.MaxRegression)
	if err != nil {
		return err
	}
	var baseline *bench.Report
	if c.Baseline != "" {
		if baseline, err = bench.ReadReport(c.Baseline); err != nil {
			return err
		}
	}
	return a.withDatabase(c.Customer, func(s *store.Store, t *store.Tenant) error {
		defer detection.CollectRarely(store.From(c.From))()
		customer, err := t.Customer(a)
		if err != nil {
			return err
		}
		d := detection.Detection{Detector: c.Detector, Today: a.today(), From: store.From(c.From), Budget: c.Budget}
		evaluate := func(ctx context.Context) (bench.Work, error) {
			before := s.Queries()
			f, err := d.Evaluate(ctx, t)
			return bench.Work{Events: len(f.Events), ClaimsInWindows: f.ClaimsInWindows, Reads: s.Queries() - before}, err
		}
		report, err := bench.Run(a, bench.Options{Customer: customer.ID, Claims: customer.Claims, From: c.From, Detector: c.Detector, Runs: c.Runs}, evaluate)
		if err != nil {
			return err
		}
		if report.Signals, err = c.bySignal(a, t, d); err != nil {
			return err
		}
		if err := c.profile(a, evaluate); err != nil {
			return err
		}
		return c.tell(a, report, baseline, limit)
	})
}

// bySignal measures detection with the denial rate alone, and with one more signal
// each.
func (c *benchmarkCmd) bySignal(a *app, t *store.Tenant, d detection.Detection) ([]bench.SignalFigures, error) {
	if c.Detector != detection.Upstream {
		return nil, nil
	}
	var out []bench.SignalFigures
	for _, part := range []struct {
		name    string
		without detection.Signals
	}{
		{"denial rate alone", detection.Signals{Timing: true, Amounts: true}},
		{"with decision times, overturns and takebacks", detection.Signals{Amounts: true}},
		{"with allowed amounts", detection.Signals{Timing: true}},
		{"with all", detection.Signals{}},
	} {
		d.Without = part.without
		ms, err := bench.Median(a, c.Runs, func(ctx context.Context) error {
			_, err := d.Evaluate(ctx, t)
			return err
		})
		if err != nil {
			return nil, err
		}
		out = append(out, bench.SignalFigures{Signals: part.name, MedianMS: ms})
	}
	return out, nil
}

func (c *benchmarkCmd) tell(a *app, report bench.Report, baseline *bench.Report, limit float64) error {
	if c.JSON != "-" {
		report.Print(a.stdout)
	}
	if c.JSON != "" {
		w, err := a.create(c.JSON)
		if err != nil {
			return err
		}
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		if err := errors.Join(enc.Encode(report), w.Close()); err != nil {
			return upstream.Errorf(upstream.Unavailable, "can't write %s: %w", c.JSON, err)
		}
	}
	if baseline == nil {
		return nil
	}
	return report.Compare(*baseline, limit)
}

// profile does further runs under the profilers, which would slow timed ones.
func (c *benchmarkCmd) profile(a *app, evaluate func(context.Context) (bench.Work, error)) error {
	measured := func(path string, start func(*os.File) error, stop func()) error {
		if path == "" {
			return nil
		}
		f, err := os.Create(path)
		if err != nil {
			return upstream.Errorf(upstream.Unavailable, "can't write %s: %w", path, errors.Unwrap(err))
		}
		if err := start(f); err != nil {
			return errors.Join(err, f.Close())
		}
		for range 20 { // one evaluation is a few milliseconds: too few samples
			if _, err = evaluate(a); err != nil {
				break
			}
		}
		stop()
		return errors.Join(err, f.Close())
	}
	return errors.Join(
		measured(c.CPUProfile, func(f *os.File) error { return pprof.StartCPUProfile(f) }, pprof.StopCPUProfile),
		measured(c.Trace, func(f *os.File) error { return trace.Start(f) }, trace.Stop),
		measured(c.MemProfile, func(f *os.File) error { return pprof.WriteHeapProfile(f) }, func() {}))
}
