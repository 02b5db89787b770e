package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Print writes the figures for a person, and a last block that benchstat reads.
func (r Report) Print(out io.Writer) {
	fmt.Fprintf(out, "detection by %s from %s: customer %d, %d claims, %d decided in the windows\n\n", r.Detector, r.From, r.Customer, r.Claims, r.ClaimsInWindows)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "run\truntime ms\tpeak heap MB\tpeak process MB\tclaims/s\twindow claims/s\tevents\treads\t")
	for i, f := range r.Runs {
		fmt.Fprintf(w, "%d\t%.2f\t%.1f\t%.1f\t%.0f\t%.0f\t%d\t%d\t\n", i+1, f.RuntimeMS, float64(f.PeakHeapBytes)/mega, float64(f.PeakRSSBytes)/mega,
			f.ClaimsPerSecond, f.WindowClaimsPerSecond, f.Events, f.DatabaseReads)
	}
	w.Flush()
	fmt.Fprintf(out, "\nruntime min %.2f, median %.2f, max %.2f ms\n", r.MinRuntimeMS, r.MedianRuntimeMS, r.MaxRuntimeMS)
	for _, s := range r.Signals {
		fmt.Fprintf(out, "  %-45s median %.2f ms\n", s.Signals, s.MedianMS)
	}
	rate, memory := float64(r.Claims)/(r.MedianRuntimeMS/1000), int64(0)
	for _, f := range r.Runs {
		memory = max(memory, f.PeakRSSBytes)
	}
	fmt.Fprintf(out, "target for %s: more than %.0f claims/s, less than %d MB; measured %.0f claims/s, %d MB: %s\n", r.Target.Dataset,
		r.Target.ClaimsPerSecond, r.Target.MemoryBytes/mega, rate, memory/mega, met(rate > r.Target.ClaimsPerSecond && memory < r.Target.MemoryBytes))
	fmt.Fprintf(out, "%s\n\n", r.Verdict)
	for _, f := range r.Runs {
		fmt.Fprintf(out, "BenchmarkDrift/claims=%d/from=%s/detector=%s 1 %.0f ns/op %d peak-RSS-bytes\n", r.Claims, r.From, r.Detector, f.RuntimeMS*1e6, f.PeakRSSBytes)
	}
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "missed"
}
