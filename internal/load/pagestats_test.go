package load

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestARowIsWrittenAsChartsTakeIt(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_500)
	for want, row := range map[string]Row{
		`[1700000000.5,7,50,1.5,1.25,20,300,[3,90,17,10]]`: {At: at, Span: 2 * time.Second, Users: 7, Requests: 100, Failures: 3, P50: 1.25, P95: 20, P99: 300, Heat: Heat{3: 90, 17: 10}},
		`[1700000000.5,0,0,0,null,null,null,[]]`:           {At: at, Span: time.Second},
		`[1700000000.5,0,null,null,1,1,1,[4,5]]`:           {At: at, Span: time.Millisecond, Requests: 5, P50: 1, P95: 1, P99: 1, Heat: Heat{4: 5}},
	} {
		if got := string(encodeRows([]Row{row})[0]); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

func TestFewerRowsCountTheSameAndLoseNoPeak(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 50).Draw(t, "most")
		rows := minute(rapid.IntRange(0, 300).Draw(t, "rows"))
		var want, got Row
		for i := range rows {
			rows[i].Requests = rapid.Int64Range(0, 1000).Draw(t, "requests")
			rows[i].P99 = rapid.Float64Range(0, 1000).Draw(t, "p99")
			rows[i].Heat[rapid.IntRange(0, 17).Draw(t, "band")] = rows[i].Requests
			want = want.with(&rows[i])
		}
		before := slices.Clone(rows)
		fewer := downsample(rows, most)
		for i := range fewer {
			got = got.with(&fewer[i])
		}
		want.Mean, got.Mean = 0, 0 // of floats in another order
		if diff := cmp.Diff(want, got); diff != "" || len(fewer) > most {
			t.Fatalf("%d rows; %s", len(fewer), diff)
		}
		if diff := cmp.Diff(before, rows); diff != "" {
			t.Fatalf("the rows themselves have changed: %s", diff)
		}
	})
}

func TestSharesOfTasksAddUp(t *testing.T) {
	classes := Classes(Accounts{})
	all := ratios(classes, Distribute(classes, 100))
	sum := 0.0
	for _, c := range all {
		own := 0.0
		for _, task := range c.Tasks {
			own += task.OfClass
			sum += task.OfAll
		}
		if own < .999 || own > 1.001 {
			t.Errorf("%s: %v", c.Name, own)
		}
	}
	if sum < .999 || sum > 1.001 {
		t.Errorf("%v of all", sum)
	}
	if none := ratios(classes, nil); none[0].Share != 0 || none[0].Tasks[0].OfClass == 0 {
		t.Errorf("without users: %+v", none[0])
	}
}

func TestFiguresAreWrittenForAPerson(t *testing.T) {
	for want, got := range map[string]string{
		"0": grouped(0), "999": grouped(999), "1,000": grouped(1000), "-1,234,567": grouped(-1_234_567),
		"0.0": rate(0), "99.9": rate(99.94), "12,346": rate(12345.6),
		"0 %": percentage(0), "below 0.01 %": percentage(.00001), "0.05 %": percentage(.0005), "2.5 %": percentage(.025), "100 %": percentage(1),
		"0.1 0.2 0.5 1 2 5 10 20 50 100 200 500 1000 2000 5000 10000 60000": bounds(),
		"to 0.1 ms": bandLabel(0), "above 60000 ms": bandLabel(17),
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestTheTablesSayWhatTheChartsShow(t *testing.T) {
	s, verdicts := sampleRun(t)
	rows := minute(100)
	rows[41].Requests, rows[41].P99, rows[41].Heat = 5000, 700, Heat{10: 4000, 17: 1}
	rows[99].Span, rows[99].Requests = time.Millisecond, 4000 // four million a second, for a moment
	v := newView(s, rows, verdicts)
	parts := v.parts()
	for id, texts := range map[string][]string{
		"rps-says":      {"at most 5,000 in the second to 08:00:42 UTC"},
		"times-says":    {"the slowest second ended at 08:00:42 UTC with a p99 of 700 ms"},
		"seconds-table": {">08:01:40<", ">700<"},
		"heat-table":    {"above 60000 ms", "to 200 ms", ">4,000<"},
		"targets-table": {`<span class="badge met">met</span>`, `<span class="badge unjudged">unjudged</span>`, "p95 ≤ 50 ms"},
		"latency-table": {"Response", "Service"},
		"ratio-table":   {"What the 50 users of the plan do", "drift_feed"},
	} {
		for _, text := range texts {
			if !strings.Contains(string(parts[id]), text) {
				t.Errorf("no %q in %s:\n%s", text, id, parts[id])
			}
		}
	}
}

func TestBeforeARunThePartsSayThatThereIsNothing(t *testing.T) {
	parts := newView(NewRunner(t.Context(), quiet()).Snapshot(), nil, nil).parts()
	for id, text := range map[string]string{
		"now": "Ready for a run.", "rps-says": "No second has passed yet.", "times-says": "No request has been answered yet.", "seconds-table": "No second has passed yet.",
		"heat-table": "No request has been answered yet.", "failures-table": "No request has failed.", "exceptions-table": "No task has failed", "targets-table": "There are no targets.",
	} {
		if !strings.Contains(string(parts[id]), text) {
			t.Errorf("%s: %s", id, parts[id])
		}
	}
}
