package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"upstream"
	"upstream/internal/synth"
)

// QualityOptions determine what is simulated completely, but for the time it takes.
type QualityOptions struct {
	Customers int // with changes; each has a placebo twin, and there are as many null customers
	Seed      uint64
	Quick     bool // small practices and few streams, to be held against wide bounds

	Outside   []Told // what other detectors told, to be scored beside the own ones
	ClaimsDir string // "" or where each customer's claims are written as CSV

	Progress func(done, total int64) // customers
	Now      func() time.Time

	contestants []contestant // those of this program when nil; tests break one
	size        *sizes       // tests simulate less
}

// Customers unless said otherwise.
const (
	defaultCustomers = 40
	quickCustomers   = 8
	maxCustomers     = 2000
)

// sizes tell how much is simulated.
type sizes struct {
	weekly                []int64 // claims of a practice, to choose from; the first goes through the store
	cell, rise, slow, fee int     // customers of each kind of stream
	calibration           int     // business days of the oracle's null
	cost                  float64 // claims a week of the customer whose evaluation is timed
}

var (
	fullSize  = sizes{weekly: []int64{1500, 3000, 6000}, cell: 36, rise: 60, slow: 20, fee: 15, calibration: 400_000, cost: 9000}
	quickSize = sizes{weekly: []int64{1500, 3000}, cell: 2, rise: 4, slow: 3, fee: 3, calibration: 200_000, cost: 9000}
)

// Datasets is how many customers' claims there are: numbers 1 to Customers have
// changes, the next as many are their placebo twins, the last the null customers.
func (o QualityOptions) Datasets() int { return 3 * o.withDefaults().Customers }

func (o QualityOptions) withDefaults() QualityOptions {
	if o.Customers == 0 {
		o.Customers = defaultCustomers
		if o.Quick {
			o.Customers = quickCustomers
		}
	}
	if o.size == nil {
		o.size = &fullSize
		if o.Quick {
			o.size = &quickSize
		}
	}
	if o.contestants == nil {
		o.contestants = contestants()
	}
	return o
}

// Quality is what the bench measured.
type Quality struct {
	Seed      uint64             `json:"seed"`
	Customers int                `json:"customers"`
	Quick     bool               `json:"quick"`
	FirstRun  upstream.Day       `json:"first_run"`
	LastRun   upstream.Day       `json:"last_run"`
	Detectors map[string]Figures `json:"detectors"`
	// By decided claims a week and intraclass correlation, ours and the usual rule's.
	Per100      map[string]map[string]figure `json:"false_alarms_per_100_node_months"`
	UsualPer100 map[string]map[string]figure `json:"false_alarms_per_100_node_months_threshold"`
	Delays      []DelayCell                  `json:"delays"`
	SlowDowns   []SlowDownFigures            `json:"slow_downs"`
	FeeCut      FeeCutFigures                `json:"fee_cut"`
	Cost        Cost                         `json:"cost"`
	Table       []Row                        `json:"table"`
	Broken      []string                     `json:"broken_bounds,omitempty"` // of Quick

	Truths []Truth `json:"-"`
	Told   []Told  `json:"-"`
}

// Measure simulates the customers and streams, lets all detectors run and scores
// them. The same options give the same figures, Cost apart, on any number of
// processors.
func Measure(ctx context.Context, o QualityOptions) (*Quality, error) {
	o = o.withDefaults()
	if o.Customers < 1 || o.Customers > maxCustomers {
		return nil, upstream.Errorf(upstream.Invalid, "--customers must be 1 to %d", maxCustomers)
	}
	b := &qualityBench{QualityOptions: o}
	if err := b.prepare(); err != nil {
		return nil, err
	}
	if err := b.run(ctx, b.tasks()); err != nil {
		return nil, err
	}
	cost, err := measureCost(ctx, b.random(costStream, 0), b.size.cost, o.Now)
	if err != nil {
		return nil, err
	}
	return b.report(cost), nil
}

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

// tasks are all there are, customers of claims first, which take longest.
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

// report scores what was told.
func (b *qualityBench) report(cost Cost) *Quality {
	q := &Quality{
		Seed: b.Seed, Customers: b.Customers, Quick: b.Quick, FirstRun: firstRun, LastRun: lastDay,
		Detectors: map[string]Figures{}, Cost: cost,
	}
	for _, t := range b.truths {
		q.Truths = append(q.Truths, t...)
	}
	for _, n := range b.nulls {
		q.Truths = append(q.Truths, n.truths...)
	}
	for _, t := range b.told {
		q.Told = append(q.Told, t...)
	}
	for name, told := range b.byDetector(q.Told) {
		q.Detectors[name] = score(q.Truths, b.nulls, told)
	}
	q.addStreams(b)
	q.Table = q.table()
	if b.Quick {
		q.Broken = q.brokenBounds()
	}
	return q
}

// byDetector sorts what was told by detector; an outside one of a name that is
// taken is marked.
func (b *qualityBench) byDetector(told []Told) map[string][]Told {
	by := map[string][]Told{}
	for _, c := range b.contestants {
		by[c.name] = nil
	}
	for _, a := range told {
		by[a.Detector] = append(by[a.Detector], a)
	}
	for _, a := range b.Outside {
		if slices.ContainsFunc(b.contestants, func(c contestant) bool { return c.name == a.Detector }) {
			a.Detector += " (file)"
		}
		by[a.Detector] = append(by[a.Detector], a)
	}
	return by
}

// addStreams sums up the streams.
func (q *Quality) addStreams(b *qualityBench) {
	q.Per100, q.UsualPer100 = map[string]map[string]figure{}, map[string]map[string]figure{}
	months := streamNodes * monitoredDays / businessDaysPerMonth * float64(b.size.cell)
	for k, c := range grid() {
		usual, own := 0, 0
		for _, o := range b.cells[k] {
			usual += o.usual
			own += o.ours
		}
		volume, icc := fmt.Sprint(c.PerWeek), fmt.Sprint(c.ICC)
		if q.Per100[volume] == nil {
			q.Per100[volume], q.UsualPer100[volume] = map[string]figure{}, map[string]figure{}
		}
		q.Per100[volume][icc] = figure(100 * float64(own) / months)
		q.UsualPer100[volume][icc] = figure(100 * float64(usual) / months)
	}
	worst := none
	for k, rise := range rises {
		cell := delayCell(rise, slices.Concat(b.rises[k]...))
		if !math.IsNaN(float64(cell.Ratio)) && !(cell.Ratio <= worst) { // worst is NaN at first
			worst = cell.Ratio
		}
		q.Delays = append(q.Delays, cell)
	}
	own := q.Detectors[ours]
	own.DelayOverOracle = worst
	q.Detectors[ours] = own
	for k, s := range slowDowns {
		q.SlowDowns = append(q.SlowDowns, slowDownFigures(s, b.slows[k]))
	}
	q.FeeCut = feeCutFigures(b.fees)
}
