package load

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ms writes milliseconds for a person: 0.42, 12.3, 1234.
func ms(x float64) string {
	switch {
	case x == 0:
		return "0"
	case x < 10:
		return strconv.FormatFloat(x, 'f', 2, 64)
	case x < 100:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
}

// plain writes a number with up to so many decimals, and no more than it has.
func plain(x float64, decimals int) string {
	scale := math.Pow10(decimals)
	return strconv.FormatFloat(math.Round(x*scale)/scale, 'f', -1, 64)
}

// figure writes what a verdict is about, with its unit.
func figure(what string, x float64) string {
	switch what {
	case rps:
		return plain(x, 1) + "/s"
	case failures:
		return plain(100*x, 2) + " %"
	}
	return ms(x) + " ms"
}

// Asks says what a target asks, as "p95 ≤ 50 ms".
func (v *Verdict) Asks() string {
	sign := " ≤ "
	if v.least() {
		sign = " ≥ "
	}
	text := v.base() + sign + figure(v.base(), v.Limit)
	if _, quantile := quantiles[v.base()]; quantile {
		text = v.base() + sign + plain(v.Limit, 2) + " ms" // as the user gave it
	}
	if v.base() != v.What {
		text += " (baseline)"
	}
	return text
}

// Is says what was measured; "" where nothing was.
func (v *Verdict) Is() string {
	if v.Measured == 0 && v.Outcome == Unjudged {
		return ""
	}
	return figure(v.base(), v.Measured)
}

// Interval says between what the truth lies; "" for a plain count.
func (v *Verdict) Interval() string {
	if v.Low >= v.High {
		return ""
	}
	return figure(v.base(), v.Low) + " – " + figure(v.base(), v.High)
}

// oneLine makes a text fit for one line of a terminal, which it can't control.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// shorten leaves out the middle of what is too wide: names differ at both ends.
func shorten(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	tail := width / 2
	return string(runes[:width-1-tail]) + "…" + string(runes[len(runes)-tail:])
}

// column is one of a textTable.
type column struct {
	head  string
	least int  // its width, so that a table that is printed again does not jump
	left  bool // aligned, as text is
	name  bool // shortened to what width is left
	drop  int  // where width lacks, columns of the highest go first; 0 never goes
}

// textTable is a table as Locust prints them.
type textTable struct {
	columns []column
	rows    [][]string
	total   []string // below a line; nil for none
}

// leastName is how narrow a shortened column gets before others are dropped.
const leastName = 20

func (t *textTable) write(w io.Writer, width int) {
	rows := t.rows
	if t.total != nil {
		rows = append(rows[:len(rows):len(rows)], t.total)
	}
	widths := t.widths(rows)
	shown := t.fit(widths, width)
	line := func(cells func(i int) string, between string) {
		var parts []string
		for _, i := range shown {
			parts = append(parts, pad(cells(i), widths[i], t.columns[i].left))
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(parts, between), " "))
	}
	rule := func() { line(func(i int) string { return strings.Repeat("-", widths[i]) }, "|") }
	line(func(i int) string { return t.columns[i].head }, " ")
	rule()
	for n, row := range rows {
		if t.total != nil && n == len(rows)-1 {
			rule()
		}
		line(func(i int) string { return shorten(oneLine(row[i]), widths[i]) }, " ")
	}
	fmt.Fprintln(w)
}

func (t *textTable) widths(rows [][]string) []int {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = max(c.least, utf8.RuneCountInString(c.head))
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	return widths
}

// fit chooses columns for a width, and shortens that of names.
func (t *textTable) fit(widths []int, width int) (shown []int) {
	name, sum := -1, -1
	for i, c := range t.columns {
		shown = append(shown, i)
		sum += widths[i] + 1
		if c.name {
			name = i
		}
	}
	spare := 0 // what the name can give
	if name >= 0 {
		spare = max(0, widths[name]-leastName)
	}
	for sum-spare > width {
		last := 0
		for at, i := range shown {
			if t.columns[i].drop > t.columns[shown[last]].drop {
				last = at
			}
		}
		if t.columns[shown[last]].drop == 0 {
			break
		}
		sum -= widths[shown[last]] + 1
		shown = append(shown[:last:last], shown[last+1:]...)
	}
	if name >= 0 {
		widths[name] -= min(spare, max(0, sum-width))
	}
	return shown
}

func pad(text string, width int, left bool) string {
	gap := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
	if left {
		return text + gap
	}
	return gap + text
}
