package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// clock is a time that tests move.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newProgress(total int64, terminal bool) (*progress, *clock, *bytes.Buffer) {
	out, c := &bytes.Buffer{}, &clock{time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)}
	return &progress{out: out, what: "generate", unit: "rows", total: total, terminal: terminal, now: c.now, start: c.t, last: c.t}, c, out
}

func TestProgressIsALineEveryFiveSecondsOffATerminal(t *testing.T) {
	p, c, out := newProgress(1_000_000, false)
	for i := range int64(200) { // 20 s
		c.t = c.t.Add(100 * time.Millisecond)
		p.update((i + 1) * 5000)
	}
	p.end()
	if lines := strings.Count(out.String(), "\n"); lines != 4 {
		t.Errorf("%d lines in 20 s:\n%s", lines, out)
	}
	contains(t, out.String(), "25 %  250,000 of 1,000,000  50,000 rows/s  15s left", "100 %  1,000,000 of 1,000,000  50,000 rows/s  0s left")
	if strings.ContainsAny(out.String(), "\r\x1b") {
		t.Errorf("terminal codes off a terminal: %q", out)
	}
}

func TestShortWorkSaysNothingOffATerminal(t *testing.T) {
	p, c, out := newProgress(1000, false)
	c.t = c.t.Add(time.Second)
	p.update(1000)
	p.end()
	if out.Len() > 0 {
		t.Errorf("printed %q", out)
	}
}

func TestProgressIsABarOnATerminalAndLeavesItClean(t *testing.T) {
	p, c, out := newProgress(1000, true)
	for range 10 {
		c.t = c.t.Add(50 * time.Millisecond)
		p.update(500)
	}
	p.update(1000) // the end is always shown
	p.end()
	if shown := strings.Count(out.String(), "["+strings.Repeat("#", 12)+strings.Repeat(".", 12)+"]"); shown != 5 {
		t.Errorf("%d updates in half a second:\n%q", shown, out)
	}
	contains(t, out.String(), "["+strings.Repeat("#", 24)+"] 100 %")
	if !strings.HasSuffix(out.String(), "\r\x1b[K") || strings.Contains(out.String(), "\n") {
		t.Errorf("the line is not left clean: %q", out)
	}
}

func TestProgressWithoutATotalTellsRowsAndRate(t *testing.T) {
	p, c, out := newProgress(0, false)
	c.t = c.t.Add(10 * time.Second)
	p.update(1_234_567)
	if got := out.String(); got != "generate: 1,234,567 rows, 123,456 rows/s\n" {
		t.Errorf("printed %q", got)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 12345: "12,345", 1234567: "1,234,567", -1: "-1", -999: "-999", -1000: "-1,000", -123456: "-123,456",
		1<<63 - 1: "9,223,372,036,854,775,807",
	} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}

func TestProgressNamesWhatItCountsAndTellsSlowRates(t *testing.T) {
	p, c, out := newProgress(40, false)
	p.unit = "customers"
	c.t = c.t.Add(10 * time.Second)
	p.update(8)
	contains(t, out.String(), "8 of 40  0.8 customers/s  40s left")
}
