package drift

import "testing"

// A year to replay after half a year of history.
const benchDays = coldStartDays + businessDaysPerYear

// BenchmarkNew1200Nodes sums up the decisions of 40 payers and 1,160 groups.
func BenchmarkNew1200Nodes(b *testing.B) {
	d := practice(7, 40, 29, benchDays, 9000).decisions()
	for b.Loop() {
		New(Data{Decisions: d}, Options{})
	}
}

// BenchmarkEvaluate320Nodes is the first evaluation of 8 payers and 312 groups,
// which makes all the estimates it needs.
func BenchmarkEvaluate320Nodes(b *testing.B) { benchEvaluate(b, 8, 39, 3000) }

// BenchmarkEvaluate1200Nodes is the same of 40 payers and 1,160 groups.
func BenchmarkEvaluate1200Nodes(b *testing.B) { benchEvaluate(b, 40, 29, 9000) }

func benchEvaluate(b *testing.B, payers, groups int, total float64) {
	d := practice(7, payers, groups, benchDays, total).decisions()
	for b.Loop() {
		b.StopTimer()
		det := New(Data{Decisions: d}, Options{})
		b.StartTimer()
		det.At(d.To, nil)
	}
}

// BenchmarkEvaluateAgain1200Nodes is the evaluation of another day with the estimates at hand.
func BenchmarkEvaluateAgain1200Nodes(b *testing.B) {
	d := practice(7, 40, 29, benchDays, 9000).decisions()
	det := New(Data{Decisions: d}, Options{})
	det.At(d.To, nil)
	for b.Loop() {
		det.At(d.To, nil)
	}
}

// BenchmarkReplayYear1200Nodes evaluates every business day of a year.
func BenchmarkReplayYear1200Nodes(b *testing.B) {
	d := practice(7, 40, 29, benchDays, 9000).decisions()
	for b.Loop() {
		det := New(Data{Decisions: d}, Options{})
		for _, day := range det.days[coldStartDays:] {
			det.At(day, nil)
		}
	}
}

func BenchmarkShiryaevRoberts(b *testing.B) {
	d := practice(7, 1, 1, benchDays, 150).decisions()
	det := New(Data{Decisions: d}, Options{})
	e, f := det.era(benchDays), frameAt(benchDays)
	s, prior := det.current(e)[0], det.prior(0, f)
	for b.Loop() {
		shiryaevRoberts(s, f, prior, priorClaims)
	}
}
