package load

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Console prints what Locust's users know from its terminal.
type Console struct {
	Out   io.Writer
	Width int // of lines, in characters; 0 is 80. A narrow one leaves out columns
}

func (c Console) width() int {
	if c.Width == 0 {
		return 80
	}
	return c.Width
}

// Table prints the figures of a run that goes on; rates are of the last ten seconds.
func (c Console) Table(s *Snapshot) { c.stats(s, true) }

// Final prints all that is to be said of a run that is over.
func (c Console) Final(s *Snapshot, verdicts []Verdict) {
	c.stats(s, false)
	c.percentiles(s)
	c.errors(s)
	c.targets(verdicts)
	for _, note := range Notes(s) {
		c.paragraph(note)
	}
}

func (c Console) stats(s *Snapshot, current bool) {
	t := textTable{columns: []column{
		{head: "Type", least: 4, left: true},
		{head: "Name", least: leastName, left: true, name: true},
		{head: "# reqs", least: 7},
		{head: "# fails", least: 12},
		{head: "|"},
		{head: "Avg", least: 6},
		{head: "Min", least: 6, drop: 2},
		{head: "Max", least: 6},
		{head: "Med", least: 6},
		{head: "|"},
		{head: "req/s", least: 8},
		{head: "failures/s", drop: 1},
	}}
	row := func(f *Figures) []string {
		rate, failing := f.RPS, f.FailuresPerSecond
		if current {
			rate, failing = f.CurrentRPS, f.CurrentFailures
		}
		share := 100 * float64(f.Failures) / float64(max(f.Requests, 1))
		r := &f.Response
		return []string{
			f.Method, f.Name, strconv.FormatInt(f.Requests, 10), fmt.Sprintf("%d(%.2f%%)", f.Failures, share), "|",
			ms(r.Mean), ms(r.Min), ms(r.Max), ms(r.Quantile(50)), "|", strconv.FormatFloat(rate, 'f', 2, 64), strconv.FormatFloat(failing, 'f', 2, 64),
		}
	}
	for i := range s.Endpoints {
		t.rows = append(t.rows, row(&s.Endpoints[i]))
	}
	t.total = row(&s.Total)
	t.write(c.Out, c.width())
}

// droppedQuantiles go first where lines are narrow, the last first of all.
var droppedQuantiles = []float64{99.99, 90, 75, 98, 80, 66}

func (c Console) percentiles(s *Snapshot) {
	if s.Total.Requests == 0 {
		return
	}
	fmt.Fprintln(c.Out, "Response time percentiles, in milliseconds")
	t := textTable{columns: []column{{head: "Type", least: 4, left: true}, {head: "Name", least: leastName, left: true, name: true}}}
	for _, q := range Quantiles {
		drop := 0
		for i, d := range droppedQuantiles {
			if d == q {
				drop = i + 1
			}
		}
		t.columns = append(t.columns, column{head: percentHead(q), least: 5, drop: drop})
	}
	t.columns = append(t.columns, column{head: "# reqs", least: 6})
	row := func(f *Figures) []string {
		cells := []string{f.Method, f.Name}
		for _, q := range Quantiles {
			cells = append(cells, ms(f.Response.Quantile(q)))
		}
		return append(cells, strconv.FormatInt(f.Requests, 10))
	}
	for i := range s.Endpoints {
		t.rows = append(t.rows, row(&s.Endpoints[i]))
	}
	t.total = row(&s.Total)
	t.write(c.Out, c.width())
}

func percentHead(q float64) string { return strconv.FormatFloat(q, 'f', -1, 64) + "%" }

func (c Console) errors(s *Snapshot) {
	if len(s.Failures) > 0 {
		fmt.Fprintln(c.Out, "Error report")
		t := textTable{columns: []column{{head: "# occurrences"}, {head: "Error", left: true}}}
		for _, f := range s.Failures {
			t.rows = append(t.rows, []string{strconv.FormatInt(f.Occurrences, 10), strings.TrimSpace(f.Method+" "+f.Name) + ": " + f.Error})
		}
		t.write(c.Out, c.width())
	}
	if len(s.Exceptions) > 0 {
		fmt.Fprintln(c.Out, "Exceptions of tasks")
		t := textTable{columns: []column{{head: "# occurrences"}, {head: "Exception", left: true}}}
		for _, e := range s.Exceptions {
			t.rows = append(t.rows, []string{strconv.FormatInt(e.Count, 10), e.Message})
		}
		t.write(c.Out, c.width())
	}
}

func (c Console) targets(verdicts []Verdict) {
	if len(verdicts) == 0 {
		return
	}
	fmt.Fprintln(c.Out, "Targets")
	t := textTable{columns: []column{
		{head: "Type", least: 4, left: true},
		{head: "Name", least: leastName, left: true, name: true},
		{head: "Target", left: true},
		{head: "Measured"},
		{head: "95 % interval", drop: 1},
		{head: "Outcome", left: true},
	}}
	for i := range verdicts {
		v := &verdicts[i]
		t.rows = append(t.rows, []string{v.Method, v.Name, v.Asks(), v.Is(), v.Interval(), string(v.Outcome)})
	}
	t.write(c.Out, c.width())
	c.reasons(verdicts)
	fmt.Fprintln(c.Out)
}

// reasons tells why the outcomes are what they are, once for what has one reason.
func (c Console) reasons(verdicts []Verdict) {
	type one struct{ endpoint, outcome, why string }
	var order []one
	what := map[one][]string{}
	for i := range verdicts {
		v := &verdicts[i]
		k := one{v.Method + " " + v.Name, string(v.Outcome), v.Why}
		if v.Why == "" || v.Outcome == Met && v.What != v.base() {
			continue // how like the baseline it is shows in the table
		}
		if what[k] == nil {
			order = append(order, k)
		}
		what[k] = append(what[k], v.What)
	}
	for _, k := range order {
		c.wrapped(fmt.Sprintf("%s, %s %s: %s.", k.endpoint, strings.Join(what[k], " and "), k.outcome, k.why))
	}
}

func (c Console) paragraph(text string) {
	c.wrapped(text)
	fmt.Fprintln(c.Out)
}

// wrapped breaks a text into lines between words.
func (c Console) wrapped(text string) {
	at := 0
	for _, word := range strings.Fields(oneLine(text)) {
		n := utf8.RuneCountInString(word)
		switch {
		case at == 0:
		case at+1+n > c.width():
			fmt.Fprintln(c.Out)
			at = 0
		default:
			fmt.Fprint(c.Out, " ")
			at++
		}
		fmt.Fprint(c.Out, word)
		at += n
	}
	fmt.Fprintln(c.Out)
}

// TaskRatio prints, for --show-task-ratio, how the tasks share the time of a number of
// users; 0 is as many as the weights add up to.
func TaskRatio(w io.Writer, classes []*Class, users int) {
	if users == 0 {
		for _, c := range classes {
			users += max(weight(c.Weight), c.FixedCount)
		}
	}
	shares := ratios(classes, Distribute(classes, users))
	part := func(title string, total bool) {
		fmt.Fprintf(w, "\n %s\n%s\n", title, strings.Repeat("-", 80))
		for _, c := range shares {
			fmt.Fprintf(w, " %-10s %s\n", fmt.Sprintf("%-6.1f", 100*c.Share), c.Name)
			for _, t := range c.Tasks {
				share := t.OfClass
				if total {
					share = t.OfAll
				}
				fmt.Fprintf(w, " %-10s   %s\n", fmt.Sprintf("  %-6.1f", 100*share), t.Name)
			}
		}
	}
	part("Task ratio per User class", false)
	part("Total task ratio", true)
}

// ListClasses prints the classes, with tasks and tags, for -l.
func ListClasses(w io.Writer, classes []*Class) {
	fmt.Fprintln(w, "Available Users:")
	for _, c := range classes {
		fmt.Fprintf(w, "    %s (weight %d): %s\n", c.Name, weight(c.Weight), c.About)
		for i := range c.Tasks {
			t := &c.Tasks[i]
			fmt.Fprintf(w, "        %d × %s: %s [%s]\n", weight(t.Weight), t.Name, strings.Join(t.Requests, ", "), strings.Join(t.Tags, " "))
		}
	}
}
