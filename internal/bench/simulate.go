package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"upstream"
	"upstream/internal/synth"
)

// qualityBench collects results at places of their own, so that the order in
// which tasks end doesn't matter.
type qualityBench struct {
	QualityOptions
	budget float64 // of the streams

	truths [][]Truth // by customer
	told   [][]Told  // by dataset
	nulls  []nullCustomer
	cells  [][]onsets // by cell
	rises  [][][]delays
	slows  [][]trial
	fees   []trial

	thresholds [len(rises)]func() float64 // of the oracle
}

// The kinds of streams; each draws numbers of its own.
const (
	claimStream = iota
	planStream
	lateStream
	cellStream
	riseStream
	oracleStream
	slowStream
	feeStream
	costStream
)

// random is the source of one task.
func (b *qualityBench) random(kind, number int) *rand.Rand {
	return rand.New(rand.NewPCG(b.Seed, uint64(kind)<<32|uint64(number)))
}

func (b *qualityBench) prepare() error {
	share, err := groupBudget()
	if err != nil {
		return err
	}
	b.budget = streamBudget(share)
	for i, r := range rises {
		b.thresholds[i] = sync.OnceValue(func() float64 {
			return oracleThreshold(b.random(oracleStream, i), r, b.size.calibration)
		})
	}
	if b.ClaimsDir != "" {
		if err := os.MkdirAll(b.ClaimsDir, 0o755); err != nil {
			return upstream.Errorf(upstream.Unavailable, "can't write the claims to %s: %w", b.ClaimsDir, err)
		}
	}
	b.truths, b.told = make([][]Truth, b.Customers), make([][]Told, 3*b.Customers)
	b.nulls = make([]nullCustomer, b.Customers)
	return nil
}

// task simulates one customer.
type task func(context.Context) error

// tasks are all there are.
func (b *qualityBench) tasks() []task {
	var tasks []task
	for i := range b.nulls {
		tasks = append(tasks, func(ctx context.Context) error { return b.null(ctx, i) })
	}
	for i := range b.truths {
		tasks = append(tasks, func(ctx context.Context) error { return b.year(ctx, i+1) })
	}
	tasks = append(tasks, b.trials()...)
	for k, c := range grid() {
		b.cells = append(b.cells, make([]onsets, b.size.cell))
		for i := range b.cells[k] {
			tasks = append(tasks, func(ctx context.Context) (err error) {
				b.cells[k][i], err = nullStream(ctx, b.random(cellStream, k<<16|i), c, b.budget)
				return err
			})
		}
	}
	for k, rise := range rises {
		b.rises = append(b.rises, make([][]delays, b.size.rise))
		for i := range b.rises[k] {
			tasks = append(tasks, func(ctx context.Context) (err error) {
				b.rises[k][i], err = risen(ctx, b.random(riseStream, k<<16|i), rise, b.budget, b.thresholds[k]())
				return err
			})
		}
	}
	return tasks
}

// trials are the tasks of slow-downs and fee cuts.
func (b *qualityBench) trials() []task {
	var tasks []task
	for k, s := range slowDowns {
		b.slows = append(b.slows, make([]trial, b.size.slow))
		for i := range b.slows[k] {
			tasks = append(tasks, func(ctx context.Context) (err error) {
				b.slows[k][i], err = slowCustomer(ctx, b.random(slowStream, k<<16|i), s)
				return err
			})
		}
	}
	b.fees = make([]trial, b.size.fee)
	for i := range b.fees {
		tasks = append(tasks, func(ctx context.Context) (err error) {
			b.fees[i], err = feeCustomer(ctx, b.random(feeStream, i))
			return err
		})
	}
	return tasks
}

// run does all tasks on all processors. After the first error, or when the
// context ends, no further one is begun.
func (b *qualityBench) run(ctx context.Context, tasks []task) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Customers cost twenty times what streams do: mixed, the share that is done
	// tells how much time is left.
	rand.New(rand.NewPCG(0, 0)).Shuffle(len(tasks), func(i, j int) { tasks[i], tasks[j] = tasks[j], tasks[i] })
	var (
		workers sync.WaitGroup
		lock    sync.Mutex
		next    int
		done    int64
	)
	for range min(runtime.GOMAXPROCS(0), len(tasks)) {
		workers.Go(func() {
			for {
				lock.Lock()
				k := next
				next++
				lock.Unlock()
				if k >= len(tasks) || ctx.Err() != nil {
					return
				}
				if err := tasks[k](ctx); err != nil {
					cancel(err)
					return
				}
				lock.Lock()
				done++
				if b.Progress != nil {
					b.Progress(done, int64(len(tasks)))
				}
				lock.Unlock()
			}
		})
	}
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return nil
}

// year simulates a customer with changes and its placebo twin. The twin comes
// first: its volumes tell what can be planted.
func (b *qualityBench) year(ctx context.Context, customer int) error {
	placebo := customer + b.Customers
	o := practice(b.random(claimStream, customer), b.size.weekly)
	twin, g, err := ledgerFrom(o)
	if err != nil {
		return err
	}
	truths := plan(customer, placebo, b.random(planStream, customer), twin)
	if b.told[placebo-1], err = b.weekly(ctx, placebo, twin, g); err != nil {
		return err
	}
	for _, t := range truths {
		o.Drifts = append(o.Drifts, t.Drift)
	}
	drifted, g, err := ledgerFrom(o)
	if err != nil {
		return err
	}
	b.truths[customer-1] = truths
	b.told[customer-1], err = b.weekly(ctx, customer, drifted, g)
	return err
}

func ledgerFrom(o synth.Options) (*ledger, *synth.Generator, error) {
	g, err := synth.New(o)
	if err != nil {
		return nil, nil, err
	}
	return ledgerOf(g, lastDay), g, nil
}

// weekly replays the weekly runs of a customer.
func (b *qualityBench) weekly(ctx context.Context, customer int, l *ledger, g *synth.Generator) ([]Told, error) {
	if err := b.writeClaims(customer, g); err != nil {
		return nil, err
	}
	return replay(ctx, customer, newInMemory(l), runs(), b.contestants)
}

// null simulates a customer at which no payer changes by itself.
func (b *qualityBench) null(ctx context.Context, i int) (err error) {
	kind := calms[i%len(calms)]
	customer := 2*b.Customers + i + 1
	weekly := b.size.weekly
	if kind.throughStore {
		weekly = weekly[:1]
	}
	o := practice(b.random(claimStream, customer), weekly)
	n := nullCustomer{customer: customer, scenario: kind.name}
	if kind.plant != nil {
		kind.plant(&o)
	}
	if kind.truths != nil {
		n.truths = kind.truths(customer)
		for _, t := range n.truths {
			o.Drifts = append(o.Drifts, t.Drift)
		}
	}
	b.nulls[i] = n
	if !kind.throughStore {
		l, g, err := ledgerFrom(o)
		if err == nil {
			b.told[customer-1], err = b.weekly(ctx, customer, l, g)
		}
		return err
	}
	g, err := synth.New(o)
	if err != nil {
		return err
	}
	if err := b.writeClaims(customer, g); err != nil {
		return err
	}
	v, err := newInStore(ctx, g, b.random(lateStream, customer))
	if err != nil {
		return err
	}
	b.told[customer-1], err = replay(ctx, customer, v, runs(), b.contestants)
	return errors.Join(err, v.Close())
}

// writeClaims writes a customer's claims for detectors outside. The file says
// nothing of what was planted, nor of which customer is a placebo.
func (b *qualityBench) writeClaims(customer int, g *synth.Generator) error {
	if b.ClaimsDir == "" {
		return nil
	}
	path := filepath.Join(b.ClaimsDir, fmt.Sprintf("customer-%04d.csv", customer))
	f, err := os.Create(path)
	if err != nil {
		return upstream.Errorf(upstream.Unavailable, "can't write %s: %w", path, errors.Unwrap(err))
	}
	w := synth.NewCSVWriter(f)
	var c upstream.Claim
	for i := range g.Records() {
		g.Claim(i, &c)
		if err = w.Write(&c); err != nil {
			break
		}
	}
	return errors.Join(err, w.Close(), f.Close())
}
