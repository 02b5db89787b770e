package load

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheExampleFileHoldsTheGuidesTable(t *testing.T) {
	f, err := os.Open("../../loadtest/targets.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := ReadTargets(f, Requests(Classes(Accounts{})))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(GuideTargets(), got); diff != "" {
		t.Errorf("(-built in +file):\n%s", diff)
	}
}

func TestTargetsHaveEveryLimit(t *testing.T) {
	share := .01
	got, err := ReadTargets(strings.NewReader(`[{"method":"POST","name":"/x","min_rps":1.5,"max_p50_ms":2,"max_p95_ms":3,"max_p99_ms":4e1,"max_failure_share":0.01}]`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Target{{Method: "POST", Name: "/x", MinRPS: 1.5, MaxP50: 2, MaxP95: 3, MaxP99: 40, MaxFailureShare: &share}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTargetsThatAreWrongAreRefusedWithTheirLine(t *testing.T) {
	known := []string{"GET /a", "GET /b"}
	for name, c := range map[string]struct {
		text string
		says []string
	}{
		"nothing":          {"", []string{"line 1", "a file of targets is a list"}},
		"no list":          {`{"targets":[]}`, []string{"line 1", "a file of targets is a list"}},
		"an empty list":    {"[]", []string{"no target"}},
		"not JSON":         {"[\n\n{\"method\" \"GET\"}]", []string{"line 3", "not JSON"}},
		"cut short":        {"[\n{\"method\": \"GET\",", []string{"line 2", "ends too early"}},
		"cut after a list": {`[{"method":"GET","name":"/a","min_rps":1}`, []string{"ends too early"}},
		"more after it":    {`[{"method":"GET","name":"/a","min_rps":1}] []`, []string{"nothing may follow"}},
		"a number in it":   {"[7]", []string{"7 instead of a target"}},
		"a list in it":     {"[[]]", []string{"[ instead of a target"}},
		"nested":           {`[{"method":["GET"]}]`, []string{"method is a text or a number"}},
		"unknown field":    {"[{\"method\":\"GET\",\n\"name\":\"/a\",\n\"max_p95\":5}]", []string{"line 3", `no "max_p95"`, "max_p95_ms"}},
		"wrong type":       {`[{"method":"GET","name":"/a","min_rps":"many"}]`, []string{`min_rps is "many"`, "above 0"}},
		"null":             {`[{"method":null,"name":"/a","min_rps":1}]`, []string{"method is null"}},
		"a bool":           {`[{"method":"GET","name":true,"min_rps":1}]`, []string{"name is true"}},
		"negative":         {`[{"method":"GET","name":"/a","max_p99_ms":-1}]`, []string{"max_p99_ms is -1"}},
		"zero":             {`[{"method":"GET","name":"/a","max_p50_ms":0}]`, []string{"max_p50_ms is 0", "leave it out"}},
		"too great":        {`[{"method":"GET","name":"/a","max_p50_ms":1e999}]`, []string{"max_p50_ms is 1e999"}},
		"greater than any": {`[{"method":"GET","name":"/a","min_rps":1e10}]`, []string{"min_rps is 1e10", "at most 1e9"}},
		"share above 1":    {`[{"method":"GET","name":"/a","max_failure_share":2}]`, []string{"from 0 to 1"}},
		"no limit":         {`[{"method":"GET","name":"/a"}]`, []string{"GET /a has no limit"}},
		"no name":          {`[{"method":"GET","min_rps":1}]`, []string{"needs method and name"}},
		"field twice":      {`[{"method":"GET","name":"/a","min_rps":1,"min_rps":2}]`, []string{"min_rps is there twice"}},
		"endpoint twice":   {"[{\"method\":\"GET\",\"name\":\"/a\",\"min_rps\":1},\n{\"method\":\"GET\",\"name\":\"/a\",\"max_p95_ms\":1}]", []string{"line 2", "has targets on line 1"}},
		"unknown endpoint": {`[{"method":"GET","name":"/c","min_rps":1}]`, []string{"no user class asks GET /c", "GET /a, GET /b"}},
		"all at once":      {`[{"method":"GET","name":"/c","min_rps":-1},{"method":"GET","name":"/d","rps":1}]`, []string{"GET /c", "min_rps is -1", `no "rps"`, "GET /d"}},
		"too long":         {strings.Repeat(" ", maxTargets+1), []string{"at most"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadTargets(strings.NewReader(c.text), known)
			if err == nil {
				t.Fatalf("taken as %+v", got)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q says nothing of %q", err, part)
				}
			}
		})
	}
}

func FuzzReadTargets(f *testing.F) {
	for _, seed := range []string{
		"", "[]", "[{}]", `[{"method":"GET","name":"/a","min_rps":1}]`, `[{"method":"GET","name":"/a","max_failure_share":0.5}]`,
		`[{"method":"GET","name":"/a","max_p50_ms":1e308}]`, `[{"a":[{}]}]`, "[1,2", "{", `[{"method":"\ud800"}]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		targets, err := ReadTargets(strings.NewReader(text), nil)
		if err != nil {
			if targets != nil {
				t.Error("targets beside an error")
			}
			return
		}
		seen := []string{}
		for _, target := range targets {
			if slices.Contains(seen, target.Method+"\x00"+target.Name) || target.Method == "" || target.Name == "" || len(target.limits()) == 0 {
				t.Errorf("taken: %+v", target)
			}
			seen = append(seen, target.Method+"\x00"+target.Name)
			for _, l := range target.limits() {
				if l.value < 0 || l.what == failures && l.value > 1 {
					t.Errorf("a limit of %v", l)
				}
			}
		}
	})
}
