package store

import (
	"io"
	"syscall"
	"testing"
	"time"

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
		b.Run(e.Name, func(b *testing.B) {
			for b.Loop() {
				s := open(b, e.URL(b))
				load(b, customer(b, s, "A"), generated(b, n), 0)
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkDeltas(b *testing.B) {
	const n = 100_000
	s := open(b, engines[0].URL(b))
	tenant := customer(b, s, "A")
	load(b, tenant, generated(b, n), 0)
	var rows []claimRow
	l := newTerms(tenant.id)
	err := s.read(b.Context(), func(x tx) error {
		if err := l.load(x); err != nil {
			return err
		}
		return x.query(selectClaimSQL, []any{tenant.id}, func(r row) error {
			var c claimRow
			c.scan(r)
			rows = append(rows, c)
			return nil
		})
	})
	if err != nil {
		b.Fatal(err)
	}
	for i, k := range kinds {
		b.Run(k.name, func(b *testing.B) {
			d := &deltas{}
			cells, bytes := 0, 0
			for b.Loop() {
				d.reset()
				for j := range 10_000 {
					f, _ := l.facts(nil, &rows[j])
					d[i].add(k, &f, 1)
				}
				c := d[i].cells()
				cells, bytes = len(c), len(k.encode(c))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10000, "ns/claim")
			b.ReportMetric(float64(cells), "cells")
			b.ReportMetric(float64(bytes), "bytes")
		})
	}
}

func BenchmarkReaders(b *testing.B) {
	s := open(b, engines[0].URL(b))
	tenant := customer(b, s, "A")
	load(b, tenant, generated(b, 1_000_000), 0)
	until := upstream.MakeDay(2026, 6, 30)
	for name, read := range map[string]func() error{
		"decisions": func() error { _, err := tenant.Decisions(b.Context(), until, FromRollups); return err },
		"waits":     func() error { _, err := tenant.Waits(b.Context(), until, FromRollups); return err },
		"amounts":   func() error { _, err := tenant.Amounts(b.Context(), until, 39, FromRollups); return err },
		"denials": func() error {
			_, err := tenant.Denials(b.Context(), "Medicare", nil, until-364, until, FromRollups)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			used := processTime()
			least := time.Hour
			for b.Loop() {
				began := time.Now()
				if err := read(); err != nil {
					b.Fatal(err)
				}
				least = min(least, time.Since(began))
			}
			b.ReportMetric(float64((processTime()-used).Microseconds())/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(least.Microseconds()), "least-µs")
		})
	}
}

// processTime is the processor time this process has used: unlike the time on the
// clock it says something on a busy machine too.
func processTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
