package synth

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upstream"
)

func TestPlantedFitsItsOptions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyOptions(t)
		o.Drifts = Planted(o)
		if _, err := New(o); err != nil {
			t.Fatal(err)
		}
		payers, ids := map[string]bool{}, map[string]bool{}
		for _, d := range o.Drifts {
			if payers[d.Payer] || ids[d.ID] || d.ID == "" || d.Name == "" {
				t.Fatalf("drifts overlap, or have no name of their own: %s", d.Describe())
			}
			payers[d.Payer], ids[d.ID] = true, true
			if !d.Start.IsBusiness() {
				t.Fatalf("starts on %s, when nobody decides", d.Start)
			}
			if before, after := d.Start-o.first(), o.AsOf-d.Start; before < plantedBaseline || after < plantedShow {
				t.Fatalf("%d days before and %d after are too few", before, after)
			}
		}
	})
}

func TestPlantedYearTellsEveryKindOfStory(t *testing.T) {
	kinds := map[string]bool{}
	for _, d := range Planted(yearOf(1_000_000)) {
		kinds[string(d.Signal)] = true
		kinds[string(d.Shape)] = true
		switch {
		case d.CPTGroup == nil:
			kinds["payer wide"] = true
		case d.Location != "" && d.CARC != "":
			kinds["one CARC at one location"] = true
		default:
			kinds["group"] = true
		}
		if share := float64(d.Start-(asOf-364)) / 365; share < .2 || share > .85 {
			t.Errorf("%s: starts at %.2f of the year", d.Describe(), share)
		}
	}
	for _, want := range []string{"DENIAL_RATE", "DECISION_TIME", "ALLOWED_AMOUNT", "TAKEBACK", "step", "ramp", "spike", "payer wide", "group", "one CARC at one location"} {
		if !kinds[want] {
			t.Errorf("no drift of kind %q", want)
		}
	}
}

func TestPlantedAdaptsToTheVolume(t *testing.T) {
	before := -1
	for _, records := range []int64{500, 10_000, 50_000, 200_000, 10_000_000} {
		n := len(Planted(yearOf(records)))
		if n < before {
			t.Errorf("%d drifts in %d claims, %d in fewer", n, records, before)
		}
		before = n
	}
	if n := len(Planted(yearOf(500))); n != 0 {
		t.Errorf("%d drifts in 500 claims a year, where none can be found", n)
	}
	if before != len(recipes) {
		t.Errorf("%d drifts in 10 million claims, want all %d", before, len(recipes))
	}
	mildest := map[string]float64{}
	for _, d := range Planted(yearOf(10_000_000)) {
		mildest[d.Name] = d.Delta
	}
	for _, r := range recipes {
		if mildest[r.name] != r.deltas[0] {
			t.Errorf("%s has %g in a large year, want the mildest, %g", r.name, mildest[r.name], r.deltas[0])
		}
	}
}

func TestPlantedIgnoresTheOptionsDriftsAndBadOptions(t *testing.T) {
	o := yearOf(1_000_000)
	want := Planted(o)
	o.Drifts, o.Placebo = []Drift{{}}, true
	if diff := cmp.Diff(want, Planted(o)); diff != "" {
		t.Error(diff)
	}
	if got := Planted(Options{}); got != nil {
		t.Errorf("%d drifts for options that generate nothing", len(got))
	}
	short := yearOf(1_000_000)
	short.Days = 60
	if got := Planted(short); len(got) != 0 {
		t.Errorf("%d drifts in 60 days, too short for a baseline", len(got))
	}
}

func TestPlantedDenialsAreVisible(t *testing.T) {
	// The promise of Planted, kept by the claims themselves: each node's rate
	// moves by at least half of what was planted at it.
	o := yearOf(200_000)
	drifts := Planted(o)
	o.Drifts = drifts
	g := generator(t, o)
	type rate struct{ decided, denied [2]float64 }
	rates := make([]rate, len(drifts))
	for _, c := range all(g) {
		for k, d := range drifts {
			if d.Signal != upstream.DenialRate || !in(d, c) || !c.IsDecided() {
				continue
			}
			side := -1
			switch day := c.DecidedDate; {
			case day < d.Start:
				side = 0
			case d.Shape != Ramp || day >= d.Start+rampDays:
				side = 1
			}
			if side >= 0 {
				rates[k].decided[side]++
				if c.IsDenial() {
					rates[k].denied[side]++
				}
			}
		}
	}
	for k, d := range drifts {
		if d.Signal != upstream.DenialRate {
			continue
		}
		r := rates[k]
		if shift := r.denied[1]/r.decided[1] - r.denied[0]/r.decided[0]; shift < d.Delta/2 {
			t.Errorf("%s: the claims show %+.3f", d.Describe(), shift)
		}
	}
}

func TestDivergence(t *testing.T) {
	near(t, "of a rate from itself", divergence(.1, .1), 0, 1e-15)
	near(t, "of a half from a quarter", divergence(.5, .25), 0.14384103622589045, 1e-15)
}
