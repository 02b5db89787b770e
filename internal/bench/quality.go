package bench

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"upstream"
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
	quickCustomers   = 6
	maxCustomers     = 2000
)

// sizes tell how much is simulated.
type sizes struct {
	weekly                []int64 // claims of a practice, to choose from; the first goes through the store
	cell, rise, slow, fee int     // customers of each kind of stream
	calibration           int     // business days of the oracle's null
	cost                  float64 // claims a week of the customer whose evaluation is timed; 0: none
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
	if o.size.cost == 0 {
		return b.report(Cost{}), nil
	}
	cost, err := measureCost(ctx, b.random(costStream, 0), b.size.cost, o.Now)
	if err != nil {
		return nil, err
	}
	return b.report(cost), nil
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
