package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"upstream"
	"upstream/internal/drift"
	"upstream/internal/store"
	"upstream/internal/synth"
)

// How files come in at a practice (assumed): one a week, holding what was
// submitted, decided, reversed and repaid in it; some decisions come weeks late,
// and some files come twice.
const (
	lateShare   = .04 // of decisions, 1 to latestWeeks late
	latestWeeks = 6
	twiceEvery  = 5 // weeks
)

// inStore is the view of a database into which files are loaded week by week:
// each run knows what had been loaded by then, and no more.
type inStore struct {
	dir    string
	store  *store.Store
	tenant *store.Tenant
	files  [][]upstream.Claim // by week
	loaded int                // weeks
}

// newInStore makes a database in a directory of its own. Close removes both.
func newInStore(ctx context.Context, g *synth.Generator, r *rand.Rand) (*inStore, error) {
	dir, err := os.MkdirTemp("", "upstream-quality-")
	if err != nil {
		return nil, upstream.Errorf(upstream.Unavailable, "can't make a temporary directory for the claims: %w", err)
	}
	v := &inStore{dir: dir, files: weeklyFiles(g, r)}
	if err := v.open(ctx); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

func (v *inStore) open(ctx context.Context) (err error) {
	if v.store, err = store.Open(ctx, "sqlite:"+filepath.Join(v.dir, "claims.db")); err != nil {
		return err
	}
	customer, err := v.store.CreateCustomer(ctx, "Late", firstDay.Time())
	if err != nil {
		return err
	}
	v.tenant, err = v.store.Tenant(ctx, customer.ID)
	return err
}

// Close closes and removes the database.
func (v *inStore) Close() error {
	var err error
	if v.store != nil {
		err = v.store.Close()
	}
	return errors.Join(err, os.RemoveAll(v.dir))
}

// weeklyFiles are the states of all claims by the week in which they come in.
func weeklyFiles(g *synth.Generator, r *rand.Rand) [][]upstream.Claim {
	files := make([][]upstream.Claim, allWeeks)
	deliver := func(c upstream.Claim, on upstream.Day, late int) {
		if week := int(on-firstDay)/7 + late; week < allWeeks {
			files[week] = append(files[week], c)
		}
	}
	var c upstream.Claim
	var told []upstream.Claim
	for i := range g.Records() {
		g.Claim(i, &c)
		late := 0
		if r.Float64() < lateShare {
			late = 1 + r.IntN(latestWeeks)
		}
		deliver(pending(c), c.SubmittedDate, 0)
		told = g.States(i, told[:0])
		for _, s := range told {
			if s.DecidedDate == 0 {
				continue
			}
			s.Decide() // a file knows no other state
			deliver(s, s.DecidedDate, late)
			late = 0 // what follows comes in time
		}
	}
	return files
}

// pending is a claim as it was submitted.
func pending(c upstream.Claim) upstream.Claim {
	p := upstream.Claim{
		ClaimID: c.ClaimID, Line: c.Line, Payer: c.Payer, CPT: c.CPT, Modifiers: c.Modifiers, Units: c.Units,
		PlaceOfService: c.PlaceOfService, Location: c.Location, ServiceDate: c.ServiceDate, SubmittedDate: c.SubmittedDate,
		Billed: c.Billed, Outcome: upstream.Pending, FirstOutcome: upstream.Pending,
	}
	if c.ReceivedDate == c.SubmittedDate {
		p.ReceivedDate = c.ReceivedDate
	}
	return p
}

// advance loads the files of all weeks that are over by a day.
func (v *inStore) advance(ctx context.Context, asOf upstream.Day) error {
	for ; v.loaded < allWeeks && firstDay+upstream.Day(7*v.loaded)+6 <= asOf; v.loaded++ {
		times := 1
		if v.loaded%twiceEvery == 0 {
			times = 2
		}
		for copies := range times {
			if err := v.load(ctx, v.loaded, copies); err != nil {
				return err
			}
		}
		v.files[v.loaded] = nil
	}
	return nil
}

func (v *inStore) load(ctx context.Context, week, copies int) error {
	name := fmt.Sprintf("week-%02d-%d", week, copies)
	sum := sha256.Sum256([]byte(name))
	next, sunday := 0, firstDay+upstream.Day(7*week)+6
	_, err := v.tenant.Load(ctx, store.Source{
		Filename: name, SHA256: hex.EncodeToString(sum[:]), FileDate: sunday,
		Next: func(c *upstream.Claim) (*upstream.Reject, error) {
			if next == len(v.files[week]) {
				return nil, io.EOF
			}
			*c = v.files[week][next]
			next++
			return nil, nil
		},
	}, store.LoadOptions{Now: sunday.Time().Add(20 * time.Hour)})
	return err
}

func (v *inStore) windows(ctx context.Context, asOf upstream.Day) ([]upstream.NodeWindow, error) {
	w := drift.ThresholdWindow(asOf)
	return v.tenant.SubmittedWindows(ctx, w.BaselineFirst, w.CurrentFirst, asOf, store.FromRollups)
}

func (v *inStore) detect(ctx context.Context, asOf upstream.Day, budget float64, known []upstream.DriftEvent) (drift.Result, error) {
	var data drift.Data
	var err error
	if data.Decisions, err = v.tenant.Decisions(ctx, asOf, store.FromRollups); err != nil {
		return drift.Result{}, err
	}
	if data.Waits, err = v.tenant.Waits(ctx, asOf, store.FromRollups); err != nil {
		return drift.Result{}, err
	}
	if data.Amounts, err = v.tenant.Amounts(ctx, asOf, allWeeks, store.FromRollups); err != nil {
		return drift.Result{}, err
	}
	return drift.New(data, drift.Options{Budget: budget}).At(asOf, known), nil
}

func (v *inStore) denials(ctx context.Context, payer string, first, last upstream.Day) (*upstream.Denials, error) {
	return v.tenant.Denials(ctx, payer, nil, first, last, store.FromRollups)
}
