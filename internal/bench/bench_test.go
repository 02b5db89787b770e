package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upstream"
)

var options = Options{Customer: 1, Claims: 100_000, From: "rollups", Detector: "upstream", Runs: 3}

// quick is work of a known length.
func quick(context.Context) (Work, error) {
	time.Sleep(2 * time.Millisecond)
	return Work{Events: 4, ClaimsInWindows: 50_000, Reads: 7}, nil
}

func TestRunMeasuresEachRunAndTheirMedian(t *testing.T) {
	calls := 0
	r, err := Run(t.Context(), options, func(ctx context.Context) (Work, error) {
		calls++
		return quick(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls != 4 || len(r.Runs) != 3 {
		t.Errorf("%d calls and %d runs, want one uncounted call and 3 runs", calls, len(r.Runs))
	}
	if !(r.MinRuntimeMS >= 2 && r.MinRuntimeMS <= r.MedianRuntimeMS && r.MedianRuntimeMS <= r.MaxRuntimeMS) {
		t.Errorf("min %v, median %v, max %v", r.MinRuntimeMS, r.MedianRuntimeMS, r.MaxRuntimeMS)
	}
	for _, f := range r.Runs {
		seconds := f.RuntimeMS / 1000
		if f.Events != 4 || f.DatabaseReads != 7 || !near(f.ClaimsPerSecond*seconds, 100_000) || !near(f.WindowClaimsPerSecond*seconds, 50_000) {
			t.Errorf("figures %+v", f)
		}
		if f.PeakHeapBytes <= 0 || f.PeakRSSBytes < 0 {
			t.Errorf("memory %+v", f)
		}
	}
	if r.Verdict != "Excellent" || r.Target.Dataset != "100K claims" || r.ClaimsInWindows != 50_000 {
		t.Errorf("report %+v", r)
	}
}

func near(a, b float64) bool { return a > b*.999 && a < b*1.001 }

func TestPeakMemorySeesWhatOneRunAllocates(t *testing.T) {
	const size = 64 << 20
	r, err := Run(t.Context(), Options{Runs: 1, Claims: 1}, func(context.Context) (Work, error) {
		b := make([]byte, size)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		time.Sleep(5 * time.Millisecond)
		return Work{Events: int(b[0])}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Runs[0].PeakHeapBytes < size {
		t.Errorf("peak heap %d, want at least %d", r.Runs[0].PeakHeapBytes, size)
	}
	if _, err := os.Stat("/proc/self/status"); err == nil && r.Runs[0].PeakRSSBytes < size {
		t.Errorf("peak process %d, want at least %d", r.Runs[0].PeakRSSBytes, size)
	}
}

func TestRunEndsWithTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	calls := 0
	_, err := Run(t.Context(), options, func(context.Context) (Work, error) {
		if calls++; calls == 2 {
			return Work{}, broken
		}
		return Work{}, nil
	})
	if !errors.Is(err, broken) || calls != 2 {
		t.Errorf("error %v after %d calls", err, calls)
	}
	for _, runs := range []int{0, -1, 10_001} {
		if _, err := Run(t.Context(), Options{Runs: runs}, quick); upstream.ErrorCode(err) != upstream.Invalid {
			t.Errorf("%d runs: %v, want invalid", runs, err)
		}
	}
}

func TestVerdictAndTargetsAreTheGuides(t *testing.T) {
	for rate, want := range map[float64]string{10_001: "Excellent", 10_000: "Good", 5_000: "Acceptable", 1_001: "Acceptable", 1_000: "Needs optimization", 0: "Needs optimization"} {
		if got := verdict(rate); got != want {
			t.Errorf("verdict of %v is %q, want %q", rate, got, want)
		}
	}
	for claims, want := range map[int64]Target{
		1: {"10K claims", 10_000, 50e6}, 10_000: {"10K claims", 10_000, 50e6}, 10_001: {"100K claims", 5_000, 200e6},
		500_000: {"500K claims", 2_000, 500e6}, 500_001: {"1M claims", 1_000, 1e9}, 10_000_000: {"1M claims", 1_000, 1e9},
	} {
		if got := targetFor(claims); got != want {
			t.Errorf("target of %d claims is %+v, want %+v", claims, got, want)
		}
	}
}

func TestCompareFailsOnlyBeyondTheLimit(t *testing.T) {
	base := Report{From: "rollups", Detector: "upstream", Claims: 10, MedianRuntimeMS: 100}
	tests := []struct {
		name   string
		change func(*Report)
		want   upstream.Code
	}{
		{"faster", func(r *Report) { r.MedianRuntimeMS = 50 }, ""},
		{"within the limit", func(r *Report) { r.MedianRuntimeMS = 110 }, ""},
		{"slower", func(r *Report) { r.MedianRuntimeMS = 111 }, upstream.Conflict},
		{"other data", func(r *Report) { r.Claims = 11 }, upstream.Invalid},
		{"other detector", func(r *Report) { r.Detector = "threshold" }, upstream.Invalid},
		{"other source", func(r *Report) { r.From = "claims" }, upstream.Invalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := base
			test.change(&r)
			if got := upstream.ErrorCode(r.Compare(base, .1)); got != test.want {
				t.Errorf("code %q, want %q", got, test.want)
			}
		})
	}
}

func TestReadReportTakesWhatIsWrittenAndNothingElse(t *testing.T) {
	want, err := Run(t.Context(), options, quick)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadReport(write("good.json", b))
	if err != nil || got.MedianRuntimeMS != want.MedianRuntimeMS || got.Target != want.Target || len(got.Runs) != 3 {
		t.Errorf("read %+v, %v", got, err)
	}
	for name, content := range map[string]string{"empty.json": "", "other.json": `{"a":1}`, "list.json": "[]"} {
		if _, err := ReadReport(write(name, []byte(content))); upstream.ErrorCode(err) != upstream.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	if _, err := ReadReport(filepath.Join(dir, "none.json")); upstream.ErrorCode(err) != upstream.NotFound {
		t.Errorf("missing file: %v, want not found", err)
	}
}

func TestParsePercent(t *testing.T) {
	for s, want := range map[string]float64{"10%": .1, "10": .1, " 0 %": 0, "2.5%": .025} {
		if got, err := ParsePercent(s); err != nil || !near(got+1, want+1) {
			t.Errorf("%q is %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "%", "ten", "-1%", "NaN", "1e9"} {
		if _, err := ParsePercent(s); upstream.ErrorCode(err) != upstream.Invalid {
			t.Errorf("%q: %v, want invalid", s, err)
		}
	}
}

func TestPrintTellsFiguresTargetVerdictAndBenchstatLines(t *testing.T) {
	r := Report{
		Customer: 1, Claims: 1_000_000, ClaimsInWindows: 900_000, From: "rollups", Detector: "upstream",
		Runs:            []RunFigures{{RuntimeMS: 8, PeakHeapBytes: 7e6, PeakRSSBytes: 28e6, Events: 7, DatabaseReads: 34, ClaimsPerSecond: 125e6, WindowClaimsPerSecond: 112.5e6}},
		MedianRuntimeMS: 8, MinRuntimeMS: 8, MaxRuntimeMS: 8, Verdict: "Excellent", Target: targetFor(1_000_000),
	}
	var out bytes.Buffer
	r.Print(&out)
	for _, want := range []string{
		"runtime min 8.00, median 8.00, max 8.00 ms", "target for 1M claims: more than 1000 claims/s, less than 1000 MB; measured 125000000 claims/s, 28 MB: met",
		"\nExcellent\n", "BenchmarkDrift/claims=1000000/from=rollups/detector=upstream 1 8000000 ns/op 28000000 peak-RSS-bytes\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
	r.Runs[0].PeakRSSBytes = 2e9
	out.Reset()
	r.Print(&out)
	if !strings.Contains(out.String(), "2000 MB: missed") {
		t.Errorf("a missed target is not told:\n%s", &out)
	}
}
