package load

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestTheConsolePrintsWhatLocustsUsersKnow(t *testing.T) {
	s, verdicts := sampleRun(t)
	for name, width := range map[string]int{"console80.txt": 0, "console120.txt": 120} {
		var b bytes.Buffer
		c := Console{&b, width}
		c.Table(s)
		c.Final(s, verdicts)
		golden(t, name, b.Bytes())
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(line) - 1; n > c.width() {
				t.Errorf("%s: a line of %d: %s", name, n, line)
			}
		}
	}
}

func TestBothTablesSayWhatTheySay(t *testing.T) {
	s, _ := sampleRun(t)
	s.Total.CurrentRPS, s.Total.RPS = 11, 22
	var live, final bytes.Buffer
	Console{&live, 120}.Table(s)
	Console{&final, 120}.Final(s, nil)
	if !strings.Contains(live.String(), " 11.00 ") || strings.Contains(live.String(), " 22.00 ") {
		t.Errorf("the rate of the last ten seconds is not in\n%s", live.String())
	}
	if !strings.Contains(final.String(), " 22.00 ") || strings.Contains(final.String(), "Targets\n") {
		t.Errorf("the rate of the run is not in\n%s", final.String())
	}
}

func TestNotes(t *testing.T) {
	open, err := ParseArrivals("poisson 500")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change  func(*Snapshot)
		says    []string
		saysNot []string
	}{
		"closed":     {func(*Snapshot) {}, []string{"closed model", "--arrival-rate", "steady window, with all users there: 10s from 08:00:01 to 08:00:11", "took 12 %"}, []string{"429", "never made"}},
		"open":       {func(s *Snapshot) { s.Plan.Arrivals = &open }, []string{"Response times count from"}, []string{"closed model"}},
		"throttled":  {func(s *Snapshot) { s.Total.Throttled = 7 }, []string{"7 answers were 429", "`upstream serve --rate-limit off`"}, nil},
		"unsent":     {func(s *Snapshot) { s.Unsent = 9 }, []string{"9 arrivals were due and never made", "--users"}, nil},
		"reason":     {func(s *Snapshot) { s.Reason = "nobody is there" }, []string{"ended by itself: nobody is there."}, nil},
		"no steady":  {func(s *Snapshot) { s.SteadyFrom = time.Time{} }, []string{"no steady window"}, nil},
		"nothing":    {func(s *Snapshot) { s.Total.Requests = 0 }, []string{"Nothing was asked"}, []string{"p95"}},
		"overloaded": {func(s *Snapshot) { s.GeneratorCPU = .99 }, []string{"the limit", "99 %"}, nil},
	} {
		s := ran(t, Plan{Users: 3}, 11*time.Second, asked("/a", 100, 11*time.Second, time.Millisecond))
		s.GeneratorCPU = .12
		c.change(s)
		text := strings.Join(Notes(s), "\n")
		for _, part := range c.says {
			if !strings.Contains(text, part) {
				t.Errorf("%s: nothing of %q in\n%s", name, part, text)
			}
		}
		for _, part := range c.saysNot {
			if strings.Contains(text, part) {
				t.Errorf("%s: %q in\n%s", name, part, text)
			}
		}
	}
}

func TestATerminalIsNotControlledByNames(t *testing.T) {
	samples := failing(asked("/\x1b[2Ja", 2, 11*time.Second, time.Millisecond), 1, "a\r\x1b[31mred\nline")
	s := ran(t, Plan{}, 11*time.Second, samples)
	s.Exceptions = []Exception{{Count: 1, Message: "b\x1b]0;title\a"}}
	var b bytes.Buffer
	Console{&b, 120}.Final(s, Judge(s, []Target{{Method: "GET", Name: "/\x1b[2Ja", MaxP50: 1}}))
	if strings.ContainsAny(b.String(), "\x1b\r\a") {
		t.Errorf("%q", b.String())
	}
}

func TestTablesFitTheirWidth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringN(0, 200, -1)
		var s Snapshot
		for range rapid.IntRange(0, 4).Draw(t, "endpoints") {
			s.Endpoints = append(s.Endpoints, Figures{Method: "GET", Name: name.Draw(t, "name"), Requests: rapid.Int64Range(0, 999_999).Draw(t, "requests")})
		}
		s.Total = Figures{Name: Aggregated}
		width := rapid.IntRange(80, 120).Draw(t, "width")
		var b bytes.Buffer
		Console{&b, width}.Table(&s)
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("a line of %d, not %d: %q", n, width, line)
			}
		}
	})
}

func TestNamesAreShortenedInTheMiddle(t *testing.T) {
	for width, want := range map[int]string{30: "/api/v1/denial-rate-trend/", 26: "/api/v1/denial-rate-trend/", 20: "/api/v1/de…te-trend/", 5: "/a…d/"} {
		got := shorten("/api/v1/denial-rate-trend/", width)
		if width == 20 {
			want = "/api/v1/d…ate-trend/"
		}
		if got != want {
			t.Errorf("%d: %s, not %s", width, got, want)
		}
	}
}

func TestTimesAreShownBelowAMillisecond(t *testing.T) {
	for x, want := range map[float64]string{0: "0", .001: "0.00", .42: "0.42", 9.994: "9.99", 12.34: "12.3", 99.94: "99.9", 1234.5: "1234"} {
		if got := ms(x); got != want {
			t.Errorf("%v: %s", x, got)
		}
	}
}

func TestTaskRatiosAndClassesAreListed(t *testing.T) {
	var b bytes.Buffer
	ListClasses(&b, Classes(Accounts{}))
	TaskRatio(&b, Classes(Accounts{}), 0)
	TaskRatio(&b, Classes(Accounts{})[:1], 7)
	golden(t, "classes.txt", b.Bytes())
}
