package load

import (
	"strings"
	"testing"
	"time"
)

func TestExitCodes(t *testing.T) {
	fine := func(change ...func(*Snapshot)) *Snapshot {
		s := ran(t, Plan{Users: 1}, 11*time.Second, asked("/a", 1000, 11*time.Second, time.Microsecond))
		for _, c := range change {
			c(s)
		}
		return s
	}
	failed := func(s *Snapshot) { s.Total.Failures = 3 }
	broke := func(s *Snapshot) { s.Exceptions = []Exception{{Count: 2, Message: "index out of range"}} }
	ended := func(s *Snapshot) { s.Reason = "\"x\" can't sign in" }
	late := func(s *Snapshot) {
		l := newLatency(3)
		for range 1000 {
			l.add(6 * time.Millisecond)
		}
		s.Slip = l.summary()
	}
	lateOnce := func(s *Snapshot) { late(s); s.Slip.Count = 5 }
	busy := func(s *Snapshot) { s.GeneratorCPU = .95 }
	short := func(s *Snapshot) { s.SteadyTo = s.SteadyFrom.Add(100 * time.Millisecond) }
	met, missed, unjudged := Verdict{Outcome: Met}, Verdict{Outcome: Missed}, Verdict{Outcome: Unjudged}
	regression := Verdict{Outcome: Missed, What: "p95" + AgainstBaseline}
	usual := ExitOptions{OnError: 1}
	for name, c := range map[string]struct {
		s    *Snapshot
		v    []Verdict
		o    ExitOptions
		code int
		says string
	}{
		"nothing to say":               {fine(), nil, usual, 0, "Nothing failed"},
		"all met":                      {fine(), []Verdict{met}, usual, 0, "All targets were met"},
		"failures":                     {fine(failed), []Verdict{missed}, usual, 1, "3 of 1000 requests failed."},
		"exceptions":                   {fine(broke), nil, usual, 1, "Tasks broke off with an exception 2 times."},
		"both":                         {fine(broke, failed), nil, usual, 1, "3 of 1000 requests failed, and tasks broke off"},
		"failures before a limit":      {fine(failed, late), []Verdict{missed}, usual, 1, "failed"},
		"a code of the user's":         {fine(failed), nil, ExitOptions{OnError: 7}, 7, "failed"},
		"failures may pass":            {fine(failed, broke), []Verdict{met}, ExitOptions{}, 0, "met"},
		"a reason":                     {fine(ended), nil, usual, 1, "can't sign in"},
		"a reason never passes":        {fine(ended), nil, ExitOptions{}, 1, "can't sign in"},
		"a reason has the code too":    {fine(ended), nil, ExitOptions{OnError: 7}, 7, "can't sign in"},
		"slip":                         {fine(late), []Verdict{missed}, usual, 98, "6.00 ms late (at most 5.00 ms)"},
		"slip where targets are met":   {fine(late), []Verdict{met}, usual, 98, "late"},
		"slip of few requests":         {fine(lateOnce), []Verdict{met}, usual, 0, "met"},
		"processors":                   {fine(busy), nil, usual, 98, "95 %"},
		"processors of a short time":   {fine(busy, short), nil, usual, 0, "Nothing"},
		"missed":                       {fine(), []Verdict{met, missed}, usual, 99, "1 of 2 targets were missed"},
		"a regression":                 {fine(), []Verdict{met, regression}, usual, 99, "missed"},
		"unjudged of the guide":        {fine(), []Verdict{met, unjudged}, usual, 0, "1 of 2 targets were met; the others could not be judged"},
		"unjudged of the user":         {fine(), []Verdict{met, unjudged}, ExitOptions{OnError: 1, TargetsGiven: true}, 99, "1 of 2 targets could not be judged"},
		"a baseline can't be compared": {fine(), []Verdict{met, {Outcome: Unjudged, What: "p99" + AgainstBaseline}}, ExitOptions{OnError: 1, TargetsGiven: true}, 0, "1 of 2 targets were met"},
		"failures pass, a miss won't":  {fine(failed), []Verdict{missed}, ExitOptions{}, 99, "missed"},
	} {
		t.Run(name, func(t *testing.T) {
			code, why := ExitCode(c.s, c.v, c.o)
			if code != c.code || !strings.Contains(why, c.says) || !strings.HasSuffix(why, ".") {
				t.Errorf("%d: %s", code, why)
			}
		})
	}
}
