package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// progress shows how far long work is: a bar on a terminal, a line every five
// seconds elsewhere. total is 0 when it is not known.
type progress struct {
	out      io.Writer
	what     string
	unit     string // what is counted, in the plural
	total    int64
	terminal bool
	now      func() time.Time
	start    time.Time
	last     time.Time
}

func (a *app) progress(what string, total int64) *progress {
	now := a.now()
	return &progress{out: a.stderr, what: what, unit: "rows", total: total, terminal: a.terminal(), now: a.now, start: now, last: now}
}

// update tells that done of total are committed.
func (p *progress) update(done int64) {
	now := p.now()
	every := 5 * time.Second
	if p.terminal {
		every = 100 * time.Millisecond
	}
	if now.Sub(p.last) < every && done != p.total {
		return
	}
	p.last = now
	if !p.terminal && done == p.total && now.Sub(p.start) < every {
		return // it was short: say nothing
	}
	line := p.line(done, now)
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(p.out, line)
}

func (p *progress) line(done int64, now time.Time) string {
	seconds := max(now.Sub(p.start).Seconds(), 1e-3)
	rate := float64(done) / seconds
	if p.total <= 0 {
		return fmt.Sprintf("%s: %s %s, %s/s", p.what, thousands(done), p.unit, p.rate(rate))
	}
	const width = 24
	share := float64(done) / float64(p.total)
	left := "—"
	if rate > 0 {
		left = (time.Duration(float64(p.total-done)/rate) * time.Second).Round(time.Second).String()
	}
	full := int(share * width)
	return fmt.Sprintf("%s: [%s%s] %3.0f %%  %s of %s  %s/s  %s left", p.what,
		strings.Repeat("#", full), strings.Repeat(".", width-full), share*100, thousands(done), thousands(p.total), p.rate(rate), left)
}

// rate tells a speed; a slow one with its tenths.
func (p *progress) rate(perSecond float64) string {
	if perSecond < 10 {
		return fmt.Sprintf("%.1f %s", perSecond, p.unit)
	}
	return thousands(int64(perSecond)) + " " + p.unit
}

// end leaves the terminal line clean.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// row writes one line of a table.
func row(w *tabwriter.Writer, cells ...any) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(w, "\t")
		}
		fmt.Fprint(w, c)
	}
	fmt.Fprintln(w)
}
