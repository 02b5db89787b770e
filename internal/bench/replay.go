package bench

import (
	"context"

	"upstream"
	"upstream/internal/drift"
)

// Told is an event on the day a weekly run first told it: a line of the events
// file. What an outside detector must fill in is said at ReadTold.
type Told struct {
	Customer int          `json:"customer"`
	Detector string       `json:"detector,omitempty"`
	AsOf     upstream.Day `json:"as_of"`
	upstream.DriftEvent
}

// view is what a customer's data say, asked as of one day after another.
type view interface {
	// advance brings in what has arrived by the end of a day.
	advance(ctx context.Context, asOf upstream.Day) error
	windows(ctx context.Context, asOf upstream.Day) ([]upstream.NodeWindow, error)
	detect(ctx context.Context, asOf upstream.Day, budget float64, known []upstream.DriftEvent) (drift.Result, error)
	denials(ctx context.Context, payer string, first, last upstream.Day) (*upstream.Denials, error)
}

// inMemory is the view of a ledger of all claims. Its data hold dated facts
// only, so one detector serves all days.
type inMemory struct {
	*ledger
	data      drift.Data
	detectors map[float64]*drift.Detector // by budget
	asOf      upstream.Day                // of cached
	cached    []upstream.NodeWindow
}

func newInMemory(l *ledger) *inMemory {
	return &inMemory{ledger: l, data: l.data(), detectors: map[float64]*drift.Detector{}}
}

func (*inMemory) advance(context.Context, upstream.Day) error { return nil }

func (m *inMemory) windows(_ context.Context, asOf upstream.Day) ([]upstream.NodeWindow, error) {
	if m.asOf != asOf {
		m.asOf, m.cached = asOf, m.ledger.windows(asOf)
	}
	return m.cached, nil
}

func (m *inMemory) detect(_ context.Context, asOf upstream.Day, budget float64, known []upstream.DriftEvent) (drift.Result, error) {
	det := m.detectors[budget]
	if det == nil {
		det = drift.New(m.data, drift.Options{Budget: budget})
		m.detectors[budget] = det
	}
	return det.At(asOf, known), nil
}

func (m *inMemory) denials(_ context.Context, payer string, first, last upstream.Day) (*upstream.Denials, error) {
	return m.ledger.denials(payer, first, last), nil
}

// replay lets detectors run as of the end of each day and returns what they
// told, detector by detector.
func replay(ctx context.Context, customer int, v view, days []upstream.Day, contestants []contestant) ([]Told, error) {
	running := make([]detector, len(contestants))
	told := make([][]Told, len(contestants))
	for i := range contestants {
		running[i] = contestants[i].start()
	}
	for _, asOf := range days {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := v.advance(ctx, asOf); err != nil {
			return nil, err
		}
		for i, d := range running {
			events, err := d.run(ctx, asOf, v)
			if err != nil {
				return nil, err
			}
			for _, e := range events {
				told[i] = append(told[i], Told{customer, contestants[i].name, asOf, e})
			}
		}
	}
	var all []Told
	for _, t := range told {
		all = append(all, t...)
	}
	return all, nil
}
