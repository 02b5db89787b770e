package store

import (
	"io"
	"testing"

	"upstream"
	"upstream/internal/synth"
)

// generated is a source of n claims of a year.
func generated(b testing.TB, n int64) Source {
	b.Helper()
	g, err := synth.New(synth.Options{Records: n, Seed: 1, AsOf: upstream.MakeDay(2026, 6, 30)})
	if err != nil {
		b.Fatal(err)
	}
	i := int64(0)
	return Source{
		Filename: "synthetic", SHA256: "synthetic", FileDate: 20_000,
		Next: func(c *upstream.Claim) (*upstream.Reject, error) {
			if i == n {
				return nil, io.EOF
			}
			g.Claim(i, c)
			i++
			return nil, nil
		},
	}
}

func BenchmarkLoad(b *testing.B) {
	const n = 300_000
	for _, e := range engines {
		b.Run(e.name, func(b *testing.B) {
			for b.Loop() {
				s := open(b, e.url(b))
				load(b, customer(b, s, "A"), generated(b, n), 0)
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
