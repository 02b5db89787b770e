package drift

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"upstream"
)

// vectors are results of an independent NumPy and SciPy implementation.
type vectors struct {
	Lags   []int     `json:"lags"`
	Shifts []float64 `json:"shifts"`

	ShiryaevRoberts []struct {
		Decided        []float64  `json:"decided"`
		Denied         []float64  `json:"denied"`
		ICC            float64    `json:"icc"`
		Prior          [2]float64 `json:"prior"`
		FirstDay       int        `json:"first_day"`
		HistoryDays    int        `json:"history_days"`
		MinHistoryDays int        `json:"min_history_days"`
		LnR            []float64  `json:"ln_r"`
		BestLag        []int      `json:"best_lag"`
	} `json:"shiryaev_roberts"`
	ICC []struct {
		Decided        [][]float64 `json:"decided"`
		Denied         [][]float64 `json:"denied"`
		BlockDays      int         `json:"block_days"`
		MinBlockClaims int         `json:"min_block_claims"`
		ICC            float64     `json:"icc"`
	} `json:"icc"`
	HalfSampleMode []struct {
		Values []float64 `json:"values"`
		Mode   float64   `json:"mode"`
	} `json:"half_sample_mode"`
	AalenJohansen []struct {
		Submitted []int   `json:"submitted_day"`
		Decided   []int   `json:"decided_day"` // -1: never
		Denied    []bool  `json:"denied"`
		AsOf      int     `json:"as_of"`
		Window    int     `json:"window_days"` // of submitted days, before as_of
		Horizon   int     `json:"horizon_days"`
		Share     float64 `json:"denied_share"`
	} `json:"aalen_johansen"`
	ThresholdRule []struct {
		Baseline [2]float64 `json:"baseline"` // decided, denied
		Current  [2]float64 `json:"current"`
		Flag     *bool      `json:"flag"` // null: too few claims
	} `json:"threshold_rule"`
}

// TestVectors also reads the file named by UPSTREAM_VECTORS, so that vectors
// made after this package can judge it.
func TestVectors(t *testing.T) {
	t.Run("shipped", func(t *testing.T) { checkVectors(t, "testdata/detection.json") })
	if name := os.Getenv("UPSTREAM_VECTORS"); name != "" {
		t.Run("given", func(t *testing.T) { checkVectors(t, name) })
	}
}

func checkVectors(t *testing.T, name string) {
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("the vectors can't be read: %v", err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("the vectors can't be parsed: %v", err)
	}
	if len(v.ShiryaevRoberts) == 0 || len(v.ICC) == 0 || len(v.AalenJohansen) == 0 || len(v.HalfSampleMode) == 0 || len(v.ThresholdRule) == 0 {
		t.Fatal("the file holds no vectors of shiryaev_roberts, icc, aalen_johansen, half_sample_mode or threshold_rule")
	}
	checkGrid(t, &v)
	checkShiryaevRoberts(t, &v)
	checkICC(t, &v)
	checkAalenJohansen(t, &v)
	checkHalfSampleMode(t, &v)
	checkThreshold(t, &v)
}

func checkGrid(t *testing.T, v *vectors) {
	for i, lag := range v.Lags {
		if len(v.Lags) != len(lags) || lag != lags[i] {
			t.Fatalf("lags are %v, the vectors have %v", lags, v.Lags)
		}
	}
	for i, shift := range v.Shifts {
		if len(v.Shifts) != len(shifts) || shift != shifts[i] {
			t.Fatalf("shifts are %v, the vectors have %v", shifts, v.Shifts)
		}
	}
}

func checkShiryaevRoberts(t *testing.T, v *vectors) {
	for i, c := range v.ShiryaevRoberts {
		if len(c.LnR) == 0 || len(c.LnR) != len(c.BestLag) || len(c.LnR) != len(c.Decided)-c.FirstDay {
			t.Errorf("shiryaev_roberts %d is malformed", i)
			continue
		}
		s := weigh(make([]tally, len(c.Decided)+1), cumulate(c.Decided, c.Denied), c.ICC, 0, len(c.Decided))
		for j, want := range c.LnR {
			end := c.FirstDay + j + 1
			f := frame{max(0, end-c.HistoryDays), end, c.MinHistoryDays}
			got := shiryaevRoberts(s, f, beta{c.Prior[0], c.Prior[1]}, 0)
			if !close9(got.lnR, want) {
				t.Errorf("shiryaev_roberts %d day %d: ln R %.15g, want %.15g", i, end-1, got.lnR, want)
			}
			if got.lag() != c.BestLag[j] {
				t.Errorf("shiryaev_roberts %d day %d: best lag %d, want %d", i, end-1, got.lag(), c.BestLag[j])
			}
		}
	}
}

func checkICC(t *testing.T, v *vectors) {
	for i, c := range v.ICC {
		if len(c.Decided) == 0 || len(c.Decided) != len(c.Denied) || c.BlockDays != blockDays || c.MinBlockClaims != minBlockClaims {
			t.Errorf("icc %d is malformed, or of other blocks than ours", i)
			continue
		}
		var m moments
		for k := range c.Decided {
			s := cumulate(c.Decided[k], c.Denied[k])
			for block := range len(c.Decided[k]) / blockDays {
				m = m.plus(blockMoments(s, block))
			}
		}
		if got := m.icc(); !close9(got, c.ICC) {
			t.Errorf("icc %d: %.15g, want %.15g", i, got, c.ICC)
		}
	}
}

func checkHalfSampleMode(t *testing.T, v *vectors) {
	for i, c := range v.HalfSampleMode {
		if got := halfSampleMode(c.Values); !close9(got, c.Mode) {
			t.Errorf("half_sample_mode %d: %.15g, want %.15g", i, got, c.Mode)
		}
	}
}

func checkAalenJohansen(t *testing.T, v *vectors) {
	for i, c := range v.AalenJohansen {
		if len(c.Submitted) == 0 || len(c.Submitted) != len(c.Decided) || len(c.Submitted) != len(c.Denied) || c.Horizon != upstream.MatureDays {
			t.Errorf("aalen_johansen %d is malformed, or of another horizon than ours", i)
			continue
		}
		var l lifetimes
		for k, day := range c.Submitted {
			switch {
			case day < c.AsOf-c.Window || day >= c.AsOf:
			case c.Decided[k] < 0 || c.Decided[k] > c.AsOf:
				l.undecided(c.AsOf-day, 1)
			case c.Denied[k]:
				l.decided(c.Decided[k]-day, 1, 1)
			default:
				l.decided(c.Decided[k]-day, 1, 0)
			}
		}
		if got := deniedShare(&l, &lifetimes{}); !close9(got, c.Share) {
			t.Errorf("aalen_johansen %d: %.15g denied, want %.15g", i, got, c.Share)
		}
	}
}

func checkThreshold(t *testing.T, v *vectors) {
	for i, c := range v.ThresholdRule {
		flagged, considered := overThreshold(tally{c.Baseline[0], c.Baseline[1]}, tally{c.Current[0], c.Current[1]})
		if considered != (c.Flag != nil) || c.Flag != nil && flagged != *c.Flag {
			t.Errorf("threshold_rule %d: flagged %t, considered %t", i, flagged, considered)
		}
	}
}

// cumulate sums up daily counts.
func cumulate(n, x []float64) series {
	sum := make([]tally, len(n)+1)
	for i := range n {
		sum[i+1] = tally{sum[i].n + n[i], sum[i].x + x[i]}
	}
	return series{0, sum}
}

// close9 is equality within 1e-9 relative.
func close9(got, want float64) bool {
	return math.Abs(got-want) <= 1e-9*math.Abs(want)
}
