package drift

import (
	"testing"
)

// A year to replay after half a year of history.
const benchDays = coldStartDays + businessDaysPerYear

// BenchmarkEvaluate320Nodes is one evaluation from decisions to events, of 8
// payers and 312 groups.
func BenchmarkEvaluate320Nodes(b *testing.B) { benchEvaluate(b, 8, 39, 3000) }

// BenchmarkEvaluate1200Nodes is the same of 40 payers and 1,160 groups.
func BenchmarkEvaluate1200Nodes(b *testing.B) { benchEvaluate(b, 40, 29, 9000) }

func benchEvaluate(b *testing.B, payers, groups int, total float64) {
	d := practice(7, payers, groups, benchDays, total).decisions()
	b.ResetTimer()
	for b.Loop() {
		New(d, Options{}).At(d.To)
	}
}

// BenchmarkEvaluateAgain1200Nodes is the evaluation of another day with the sums at hand.
func BenchmarkEvaluateAgain1200Nodes(b *testing.B) {
	d := practice(7, 40, 29, benchDays, 9000).decisions()
	det := New(d, Options{})
	det.At(d.To)
	b.ResetTimer()
	for b.Loop() {
		det.At(d.To)
	}
}

// BenchmarkReplayYear1200Nodes evaluates every business day of a year.
func BenchmarkReplayYear1200Nodes(b *testing.B) {
	d := practice(7, 40, 29, benchDays, 9000).decisions()
	b.ResetTimer()
	for b.Loop() {
		det := New(d, Options{})
		for _, day := range det.days[coldStartDays:] {
			det.At(day)
		}
	}
}

func BenchmarkShiryaevRoberts(b *testing.B) {
	d := practice(7, 1, 1, benchDays, 150).decisions()
	det := New(d, Options{})
	e, f := det.era(benchDays), frameAt(benchDays)
	s, prior := det.current(e)[0], det.prior(0, f)
	b.ResetTimer()
	for b.Loop() {
		shiryaevRoberts(s, f, prior, priorClaims)
	}
}
