package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"upstream"
)

// Row is one row of the table that the method promises.
type Row struct {
	Figure string `json:"figure"`
	Usual  string `json:"usual_rule"`
	Ours   string `json:"upstream"`
	Target string `json:"target"`
	Met    bool   `json:"met"`
}

// The targets of the method (docs/method.md).
const (
	mostFalseAlarms = .3
	mostPer100      = .5
	mostPlacebo     = .10
	leastNet        = .65
	leastPrecision  = .90
	mostOverOracle  = 1.5
	mostDuplicates  = .2
	leastLevel      = .90
	leastCARC       = .98
	leastCoverage   = .85
	mostCoverage    = .97
	mostEvaluateMS  = 10
	mostReplayS     = 2
)

// noSignal is what the usual rule shows of anything but denials.
const noSignal = "doesn't look"

// table holds the figures against their targets.
func (q *Quality) table() []Row {
	u, o, sparing := q.Detectors[usualRule], q.Detectors[ours], q.Detectors[oursSparingly]
	low, high := extremes(q.Per100)
	usualLow, usualHigh := extremes(q.UsualPer100)
	rows := []Row{
		{"false alarms per customer-month", number(u.FalseAlarms), number(o.FalseAlarms), "≤ 0.3 (0.5 promised)", o.FalseAlarms <= mostFalseAlarms},
		{"false alarms per 100 node-months, volumes 5–500, ICC 0–.03", number(usualLow) + "–" + number(usualHigh), number(low) + "–" + number(high), "≤ 0.5 everywhere", high <= mostPer100},
		{"placebo recall", percent(u.PlaceboRecall), percent(o.PlaceboRecall), "≤ 10 %", o.PlaceboRecall <= mostPlacebo},
		{"net recall", percent(u.NetRecall), percent(o.NetRecall), "≥ 65 %", o.NetRecall >= leastNet},
		{"precision (B = 0.1)", percent(u.Precision), percent(sparing.Precision), "≥ 90 %", sparing.Precision >= leastPrecision},
		{"delay over the CUSUM that knows everything, worst cell", "–", number(o.DelayOverOracle), "≤ 1.5", o.DelayOverOracle <= mostOverOracle},
	}
	for _, s := range q.SlowDowns {
		rows = append(rows, Row{
			fmt.Sprintf("slow-down ×%g at %g a week, found within %d days", s.Factor, s.PerWeek, s.Within), noSignal,
			inTime(s.InTime, s.Streams, s.Found, s.MedianDelay), "all", s.InTime == s.Streams,
		})
	}
	return append(rows,
		Row{
			fmt.Sprintf("%g %% fee cut, %g lines a week, by the next weekly run", q.FeeCut.Percent, q.FeeCut.PerWeek), noSignal,
			inTime(q.FeeCut.NextRun, q.FeeCut.Streams, q.FeeCut.Found, q.FeeCut.MedianDelay), "all", q.FeeCut.NextRun == q.FeeCut.Streams,
		},
		Row{"duplicates an incident", number(u.Duplicates), number(o.Duplicates), "≤ 0.2", o.Duplicates <= mostDuplicates},
		Row{"right level", percent(u.RightLevel), percent(o.RightLevel), "≥ 90 % (aim 95)", o.RightLevel >= leastLevel},
		Row{"CARC named right", percent(u.CARCRight), percent(o.CARCRight), "≥ 98 %", o.CARCRight >= leastCARC},
		Row{"dollar interval holds the truth", percent(u.Coverage), percent(o.Coverage), "85–97 %", o.Coverage >= leastCoverage && o.Coverage <= mostCoverage},
		Row{"one evaluation of 1,200 nodes", "–", number(q.Cost.EvaluateMS) + " ms", "≤ 10 ms", q.Cost.EvaluateMS <= mostEvaluateMS},
		Row{
			"replay of a year, daily", "–", number(q.Cost.ReplayS) + " s, " + identical(q.Cost.BitIdentical), "≤ 2 s, bit-identical",
			q.Cost.ReplayS <= mostReplayS && q.Cost.BitIdentical,
		})
}

// inTime tells how many were found in time, and how the others fared.
func inTime(n, streams, found int, median figure) string {
	return fmt.Sprintf("%d of %d (%d in the end, median %s)", n, streams, found, days(median))
}

func identical(ok bool) string {
	if ok {
		return "bit-identical"
	}
	return "not identical"
}

// extremes are the least and the largest figure of a grid.
func extremes(grid map[string]map[string]figure) (low, high figure) {
	low, high = figure(math.Inf(1)), figure(math.Inf(-1))
	for _, row := range grid {
		for _, v := range row {
			low, high = min(low, v), max(high, v)
		}
	}
	return low, high
}

func number(f figure) string {
	v := float64(f)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case math.Abs(v) >= 100:
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func percent(f figure) string {
	if math.IsNaN(float64(f)) {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(f))
}

// Print writes everything for a person.
func (q *Quality) Print(out io.Writer) {
	fmt.Fprintf(out, "detection quality: %d customers with changes, their placebo twins and %d null customers; weekly runs %s to %s; seed %d\n\n",
		q.Customers, q.Customers, q.FirstRun, q.LastRun, q.Seed)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tusual rule\tupstream\ttarget\t")
	for _, r := range q.Table {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Figure, r.Usual, r.Ours, r.Target, met(r.Met))
	}
	w.Flush()
	fmt.Fprintln(out, "\nRecall, delay and the like are of changes of the denial rate for the worse; net recall is recall less placebo recall.")
	q.printDetectors(out)
	q.printScenarios(out)
	q.printStreams(out)
	for _, b := range q.Broken {
		fmt.Fprintf(out, "out of bounds: %s\n", b)
	}
}

// names are the detectors in the order they are told: this program's first.
func (q *Quality) names() []string {
	var order []string
	for _, c := range contestants() {
		if _, ok := q.Detectors[c.name]; ok {
			order = append(order, c.name)
		}
	}
	var others []string
	for name := range q.Detectors {
		if !slices.Contains(order, name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	return append(order, others...)
}

func (q *Quality) printDetectors(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\ndetector\tfalse/month\tin drift\tin placebo\trecall\tplacebo\tnet\tprecision\tdelay\tduplicates\tright level\tCARC\tlocation\tdollars\tinterval\tdate error\t")
	for _, name := range q.names() {
		f := q.Detectors[name]
		cells := []string{
			name, number(f.FalseAlarms), number(f.FalseAlarmsInDrift), number(f.FalseAlarmsInPlacebo),
			percent(f.Recall), percent(f.PlaceboRecall), percent(f.NetRecall), percent(f.Precision), days(f.MedianDelay), number(f.Duplicates),
			percent(f.RightLevel), percent(f.CARCRight), percent(f.LocationRight), percent(f.DollarsCaught), percent(f.Coverage), days(f.ChangeDateError),
		}
		fmt.Fprintln(w, strings.Join(cells, "\t")+"\t")
	}
	w.Flush()
}

func days(f figure) string {
	if math.IsNaN(float64(f)) {
		return "–"
	}
	return fmt.Sprintf("%.4g d", float64(f))
}

// printScenarios sets the usual rule beside ours, kind by kind.
func (q *Quality) printScenarios(out io.Writer) {
	usual, own := q.Detectors[usualRule], q.Detectors[ours]
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nplanted\tn\tusual rule: found\tat the twin\tdelay\tupstream: found\tat the twin\tdelay\tduplicates\tright level\t")
	for i, s := range own.Scenarios {
		u := usual.Scenarios[i]
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", s.Scenario, s.Planted, percent(u.Recall), percent(u.PlaceboRecall), days(u.MedianDelay),
			percent(s.Recall), percent(s.PlaceboRecall), days(s.MedianDelay), number(s.Duplicates), percent(s.RightLevel))
	}
	fmt.Fprintln(w, "\nnull customers\tn\tusual rule: false alarms a month\tupstream\t")
	for i, c := range own.Calm {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t\n", c.Scenario, c.Customers, number(usual.Calm[i].FalseAlarms), number(c.FalseAlarms))
	}
	w.Flush()
}

func (q *Quality) printStreams(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "\nfalse alarms per 100 node-months\t")
	for _, v := range gridVolumes {
		fmt.Fprintf(w, "%g a week\t", v)
	}
	fmt.Fprintln(w)
	for _, side := range []struct {
		name string
		grid map[string]map[string]figure
	}{{"usual rule", q.UsualPer100}, {"upstream", q.Per100}} {
		for _, icc := range gridICCs {
			fmt.Fprintf(w, "%s, ICC %g\t", side.name, icc)
			for _, v := range gridVolumes {
				fmt.Fprintf(w, "%s\t", number(side.grid[fmt.Sprint(v)][fmt.Sprint(icc)]))
			}
			fmt.Fprintln(w)
		}
	}
	w.Flush()
	fmt.Fprintln(out)
	for _, d := range q.Delays {
		fmt.Fprintf(out, "+%g points at %g a week: found %s of %d streams in half a year, median delay %s; the oracle's %s; ratio %s\n",
			100*d.Points, d.PerWeek, percent(d.Found), d.Streams, days(d.Ours), days(d.Oracle), number(d.Ratio))
	}
	for _, s := range q.SlowDowns {
		fmt.Fprintf(out, "slow-down ×%g at %g a week: found %d of %d, %d within %d days, median %s; %d false alarms at %d payers that stayed\n",
			s.Factor, s.PerWeek, s.Found, s.Streams, s.InTime, s.Within, days(s.MedianDelay), s.FalseAlarms, s.NullStreams)
	}
	f := q.FeeCut
	fmt.Fprintf(out, "%g %% fee cut at %g lines a week: found %d of %d, %d by the next weekly run, median %s; %d false alarms at %d payers that stayed\n",
		f.Percent, f.PerWeek, f.Found, f.Streams, f.NextRun, days(f.MedianDelay), f.FalseAlarms, f.NullStreams)
	fmt.Fprintf(out, "one evaluation of %d nodes %s ms, a year of daily runs %s s\n", q.Cost.Nodes, number(q.Cost.EvaluateMS), number(q.Cost.ReplayS))
}

// brokenBounds holds the quick run, whose figures are rough, against bounds so
// wide that only a broken detector is outside. No figure at all is outside too.
func (q *Quality) brokenBounds() []string {
	o := q.Detectors[ours]
	_, high := extremes(q.Per100)
	var broken []string
	most := func(what string, f figure, limit float64) {
		if !(float64(f) <= limit) {
			broken = append(broken, fmt.Sprintf("%s is %s, more than %g", what, number(f), limit))
		}
	}
	least := func(what string, f figure, limit float64) {
		if !(float64(f) >= limit) {
			broken = append(broken, fmt.Sprintf("%s is %s, less than %g", what, number(f), limit))
		}
	}
	most("false alarms per customer-month", o.FalseAlarms, 1.5)
	most("false alarms per customer-month of the placebo twins", o.FalseAlarmsInPlacebo, 1.5)
	most("false alarms per 100 node-months in the worst cell", high, 3)
	most("placebo recall", o.PlaceboRecall, .25)
	least("net recall", o.NetRecall, .40)
	least("precision", o.Precision, .40)
	most("duplicates an incident", o.Duplicates, 1)
	least("right level", o.RightLevel, .60)
	most("change date error in days", o.ChangeDateError, 21)
	for _, d := range q.Delays {
		if d.Points >= .10 && d.PerWeek >= 150 {
			most(fmt.Sprintf("delay over the oracle's of +%g points at %g a week", 100*d.Points, d.PerWeek), d.Ratio, 3)
		}
	}
	if !q.Cost.BitIdentical {
		broken = append(broken, "two replays of one year differ")
	}
	return broken
}

// Err is what a quick run fails with when bounds broke.
func (q *Quality) Err() error {
	if len(q.Broken) == 0 {
		return nil
	}
	return upstream.Errorf(upstream.Conflict, "the detector is broken: %s", strings.Join(q.Broken, "; "))
}
