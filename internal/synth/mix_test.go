package synth

import (
	"math"
	"strings"
	"testing"

	"upstream"
)

const imaging = "CT and MRI"

func withMix(records int64, shifts ...MixShift) Options {
	o := yearOf(records)
	o.MixShifts = shifts
	return o
}

func TestMixShiftTurnsClaimsOfItsPayerOnly(t *testing.T) {
	for _, tc := range []struct {
		name   string
		factor float64
	}{{"more", 3}, {"less", .25}, {"none", 0}} {
		t.Run(tc.name, func(t *testing.T) {
			m := MixShift{Payer: "AETNA HMO", CPTGroup: imaging, Start: start, Factor: tc.factor}
			with, without := generator(t, withMix(300_000, m)), generator(t, yearOf(300_000))
			var a, b upstream.Claim
			was, is, n, turned := 0., 0., 0., 0.
			for i := range with.Records() {
				with.Claim(i, &a)
				without.Claim(i, &b)
				if b.ClaimID = a.ClaimID; a.Payer != b.Payer || a.SubmittedDate != b.SubmittedDate || a.Location != b.Location || a.ReceivedDate != b.ReceivedDate {
					t.Fatalf("claim %d is another", i)
				}
				if a.Payer != "Aetna" || a.SubmittedDate < start {
					if a != b {
						t.Fatalf("claim %d has changed", i)
					}
					continue
				}
				n++
				before, after := upstream.CPTGroup(b.CPT) == imaging, upstream.CPTGroup(a.CPT) == imaging
				if before {
					was++
				}
				if after {
					is++
				}
				if a.CPT != b.CPT {
					turned++
					if before == after || after != (tc.factor > 1) {
						t.Fatalf("claim %d was turned from %s to %s", i, b.CPT, a.CPT)
					}
				}
			}
			near(t, "share over the share before", is/was, tc.factor, 4*math.Sqrt(tc.factor+.1)/math.Sqrt(was))
			near(t, "claims turned", turned, math.Abs(is-was), 0)
		})
	}
}

func TestMixShiftsBuildOnEachOther(t *testing.T) {
	// Twice all payers' imaging and then half of that, which is as before.
	first, second := asOf-200, asOf-100
	g := generator(t, withMix(
		400_000,
		MixShift{Payer: EveryPayer, CPTGroup: imaging, Start: second, Factor: .5},
		MixShift{Payer: EveryPayer, CPTGroup: imaging, Start: first, Factor: 2},
	))
	var n [3]float64
	counts := map[string]*[3]float64{}
	for _, c := range all(g) {
		k := 0
		if c.SubmittedDate >= first {
			k++
		}
		if c.SubmittedDate >= second {
			k++
		}
		group := upstream.CPTGroup(c.CPT)
		if counts[group] == nil {
			counts[group] = new([3]float64)
		}
		counts[group][k]++
		n[k]++
	}
	share := func(group string, k int) float64 { return counts[group][k] / n[k] }
	near(t, "imaging, twice", share(imaging, 1)/share(imaging, 0), 2, .06)
	near(t, "imaging, back", share(imaging, 2)/share(imaging, 0), 1, .05)
	others := (1 - 2*share(imaging, 0)) / (1 - share(imaging, 0))
	for _, group := range []string{"Physical therapy", "E/M office visits"} {
		within := 4 * math.Sqrt(1/counts[group][1]+1/counts[group][0])
		near(t, group+" gives its part", share(group, 1)/share(group, 0), others, within)
		near(t, group+" takes it back", share(group, 2)/share(group, 0), 1, within)
	}
}

func TestMixShiftKeepsTheRatesOfItsNodes(t *testing.T) {
	// What a mix shift must not look like: each group denies as before.
	m := MixShift{Payer: "Medicaid Managed Care", CPTGroup: "Physical therapy", Start: start, Factor: 3}
	rate := func(g *Generator) float64 {
		decided, denied := 0., 0.
		for _, c := range all(g) {
			if c.Payer == m.Payer && upstream.CPTGroup(c.CPT) == m.CPTGroup && c.SubmittedDate >= start && c.IsDecided() {
				decided++
				if c.IsDenial() {
					denied++
				}
			}
		}
		return denied / decided
	}
	near(t, "denial rate", rate(generator(t, withMix(400_000, m))), rate(generator(t, yearOf(400_000))), .02)
}

func TestMixShiftsAreChecked(t *testing.T) {
	for _, tc := range []struct {
		name string
		m    []MixShift
		want string
	}{
		{"no payer", []MixShift{{CPTGroup: imaging, Start: start, Factor: 2}}, "mix shift 1: the payer is none of the generated ones: Medicare, "},
		{"no group", []MixShift{{Payer: "*", CPTGroup: "Dental", Start: start, Factor: 2}}, "mix shift 1: cpt_group is none"},
		{"outside the data", []MixShift{{Payer: "*", CPTGroup: imaging, Start: asOf + 1, Factor: 2}}, "mix shift 1: start must lie in the data"},
		{"no change", []MixShift{{Payer: "*", CPTGroup: imaging, Start: start, Factor: 1}}, "mix shift 1: factor must be"},
		{"less than nothing", []MixShift{{Payer: "*", CPTGroup: imaging, Start: start, Factor: -1}}, "mix shift 1: factor must be"},
		{"no number", []MixShift{{Payer: "*", CPTGroup: imaging, Start: start, Factor: math.NaN()}}, "mix shift 1: factor must be"},
		{"more than all", []MixShift{{Payer: "Aetna", CPTGroup: "E/M office visits", Start: start, Factor: 2.5}}, "mix shifts make E/M office visits more than 90 % of the claims at Aetna"},
		{
			"more than all together",
			[]MixShift{{Payer: "*", CPTGroup: imaging, Start: start, Factor: 4}, {Payer: "Aetna", CPTGroup: imaging, Start: start, Factor: 8}},
			"mix shifts make CT and MRI more than 90 %",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := New(withMix(10, tc.m...)); upstream.ErrorCode(err) != upstream.Invalid || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want invalid and %q", err, tc.want)
			}
		})
	}
}
