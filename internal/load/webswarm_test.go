package load

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestFormsThatSayWhatCantBeAreAnsweredWithWhatIsWrong(t *testing.T) {
	o := open(t, PageOptions{})
	for name, c := range map[string]struct {
		form url.Values
		says string
	}{
		"no number":       {url.Values{"user_count": {"many"}}, `"many" users: give a whole number`},
		"half a user":     {url.Values{"user_count": {"1.5"}}, "give a whole number"},
		"nobody":          {url.Values{"user_count": {"0"}}, "0 users: give 1 to"},
		"too many":        {url.Values{"user_count": {"1000000"}}, "more take more machines"},
		"a rate of 0":     {url.Values{"spawn_rate": {"0"}}, "give more than 0 users a second"},
		"a rate of words": {url.Values{"spawn_rate": {"fast"}}, `a spawn rate of "fast"`},
		"no rate at all":  {url.Values{"spawn_rate": {"NaN"}}, "give more than 0 users a second"},
		"a time of words": {url.Values{"run_time": {"an hour"}}, `run time: "an hour" is no time`},
		"no address":      {url.Values{"host": {"localhost"}}, `host "localhost": give an address`},
		"an unknown one":  {url.Values{"user_classes": {"C"}}, `there is no user class "C"; there are A, B`},
		"no classes":      {url.Values{"user_classes": {""}}, "no user classes: name at least one"},
		"too long":        {url.Values{"host": {strings.Repeat("x", maxForm)}}, "the form can't be read"},
		"two mistakes":    {url.Values{"user_count": {"x"}, "run_time": {"y"}}, "whole number\nrun time"},
	} {
		if answer := o.swarm(c.form); answer.Success || !strings.Contains(answer.Message, c.says) {
			t.Errorf("%s: %+v", name, answer)
		}
		answer, body := o.ask("POST", "/swarm", c.form, http.Header{"Accept": {"text/html,*/*"}})
		if answer.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, `role="alert" id="wrong" class="wrong">`) {
			t.Errorf("%s without script: %d", name, answer.StatusCode)
		}
	}
	if state := o.runner.Snapshot().State; state != Ready {
		t.Errorf("a run began: %s", state)
	}
}

func TestThePageWorksWithoutScript(t *testing.T) {
	o := open(t, PageOptions{Judge: func(s *Snapshot) []Verdict { return Judge(s, []Target{{Method: "GET", Name: "/a", MaxP95: 1000}}) }})
	html := http.Header{"Accept": {"text/html"}}
	_, body := o.ask("POST", "/swarm", url.Values{"user_count": {`"><b>`}, "user_classes": {"", "B"}}, html)
	for _, part := range []string{`value="&#34;&gt;&lt;b&gt;"`, `value="A">`, `value="B" checked>`} {
		if !strings.Contains(body, part) {
			t.Errorf("what was sent is not in the form: no %s", part)
		}
	}
	back := func(path string, form url.Values) {
		t.Helper()
		if answer, _ := o.ask("POST", path, form, html); answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/" {
			t.Errorf("%s: %d to %q", path, answer.StatusCode, answer.Header.Get("Location"))
		}
	}
	back("/swarm", url.Values{"user_count": {"2"}, "spawn_rate": {"10"}, "run_time": {"90m"}, "user_classes": {"", "A", "B"}})
	eventually(t, func() bool { return o.runner.Snapshot().Rows > 1 })
	_, body = o.ask("GET", "/", nil, nil)
	for _, part := range []string{
		`<th scope="row">/a</th>`, `<th scope="row">Aggregated</th>`, "status 500", "p95 ≤ 1000 ms", `data-form="start" data-when="idle" aria-labelledby="start-title" hidden>`, "of 2",
	} {
		if !strings.Contains(body, part) {
			t.Errorf("no %s in\n%s", part, body)
		}
	}
	back("/stats/reset", url.Values{})
	back("/stop", url.Values{})
	if _, body = o.ask("GET", "/", nil, nil); !strings.Contains(body, "The run is over") || !strings.Contains(body, `name="run_time" value="1h30m"`) {
		t.Error("the form does not begin with the last plan")
	}
}

func TestTimesAreWrittenShort(t *testing.T) {
	for text, want := range map[string]string{"90m": "1h30m", "2h": "2h", "20": "20s", "1m30s": "1m30s", "10m": "10m", "1h0m1s": "1h0m1s", "1.5s": "1.5s", "0.1ms": "0s"} {
		d, err := ParseRunTime(text)
		if got := shortTime(d); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

func TestAReasonWhyARunEndedIsOnThePage(t *testing.T) {
	classes := doing(func(*User) {})
	classes[0].OnStart = func(*User) error { return errors.New("nobody may sign in") }
	o := open(t, PageOptions{Classes: classes})
	o.swarm(nil)
	<-o.runner.Done()
	if _, body := o.ask("GET", "/", nil, nil); !strings.Contains(body, "The run ended by itself: nobody may sign in") {
		t.Error("no reason")
	}
}

// Whatever a form says, it is refused or makes a plan that can be.
func FuzzForm(f *testing.F) {
	f.Add("user_count=10&spawn_rate=2.5&host=http%3A%2F%2Flocalhost&run_time=1h20m&user_classes=A&user_classes=")
	f.Add("user_count=-1&spawn_rate=Inf&run_time=%zz;")
	f.Add("user_classes=C&user_count=1e3&spawn_rate=0x1p-2")
	p := &Page{PageOptions: PageOptions{Classes: []*Class{{Name: "A"}, {Name: "B"}}}}
	p.Plan = quick("http://localhost", Std, p.Classes)
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(http.MethodPost, "/swarm", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		plan, err := p.read(r, p.Plan)
		if err == nil && plan.Check() == nil && (plan.Users < 1 || plan.SpawnRate <= 0 || plan.RunTime < 0 || len(plan.Classes) == 0) {
			t.Errorf("%q makes %+v", body, plan)
		}
		if plan.RunTime > 0 {
			if again, err := ParseRunTime(shortTime(plan.RunTime)); err == nil && (again-plan.RunTime).Abs() > time.Millisecond {
				t.Errorf("%v is written %s", plan.RunTime, shortTime(plan.RunTime))
			}
		}
	})
}
