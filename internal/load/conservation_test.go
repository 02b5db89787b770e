package load

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

// counting is a server that counts what comes to it; a seventh of that it refuses.
type counting struct{ asked, refused atomic.Int64 }

func (c *counting) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if c.asked.Add(1)%7 == 0 {
		c.refused.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_, _ = w.Write([]byte("{}"))
}

// mixed are users that ask three endpoints, with a short wait or none.
func mixed() []*Class {
	ask := func(name string) Task { return Task{Name: name, Run: func(u *User) { u.Get("/" + name) }} }
	return []*Class{
		{Name: "Waiting", Wait: Between(0, 4*time.Millisecond), Tasks: []Task{ask("a"), ask("b"), {Name: "post", Run: func(u *User) { u.Post("/a", 1) }}}},
		{Name: "Flooding", Wait: Constant(time.Millisecond), Tasks: []Task{ask("c")}},
	}
}

// What a server was asked is in every place where it is told, however the run ends.
func TestNothingIsLostOrCountedTwice(t *testing.T) {
	schedule, err := ParseArrivals("poisson 700")
	if err != nil {
		t.Fatal(err)
	}
	for _, engine := range []Engine{Std, Fast} {
		for model, arrivals := range map[string]*Arrivals{"closed": nil, "open": &schedule} {
			for _, stopped := range []bool{false, true} {
				t.Run(string(engine)+"/"+model+"/stopped="+strconv.FormatBool(stopped), func(t *testing.T) {
					p := Plan{Users: 8, SpawnRate: 100, RunTime: 1200 * time.Millisecond, Classes: mixed(), Arrivals: arrivals, Seed: 3, Engine: engine, Timeout: 10 * time.Second, StopTimeout: 10 * time.Second}
					conserves(t, p, stopped)
				})
			}
		}
	}
}

func conserves(t *testing.T, p Plan, stopped bool) {
	defer goleak.VerifyNone(t)
	var server counting
	web := httptest.NewServer(&server)
	defer web.Close()
	p.Host = web.URL
	runner := NewRunner(t.Context(), slog.New(slog.DiscardHandler))
	prefix := filepath.Join(t.TempDir(), "run")
	files, err := NewCSVWriter(prefix, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := runner.Start(p); err != nil {
		t.Fatal(err)
	}
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	for over := false; !over; {
		select {
		case <-runner.Done():
			over = true
		case <-every.C:
			s := runner.Snapshot()
			if err := files.Tick(s); err != nil {
				t.Fatal(err)
			}
			if stopped && s.Total.Requests > 100 {
				runner.Stop()
			}
		}
	}
	s := runner.Snapshot()
	if err := files.Close(s); err != nil {
		t.Fatal(err)
	}
	if s.Total.Requests == 0 || s.State != Stopped {
		t.Fatalf("%s after %d requests", s.State, s.Total.Requests)
	}
	agree(t, runner, s, prefix, server.asked.Load(), server.refused.Load())
}

// agree holds all places where counts are told against those of the server.
func agree(t *testing.T, runner *Runner, s *Snapshot, prefix string, requests, failures int64) {
	t.Helper()
	says := func(where string, r, f int64) {
		if r != requests || f != failures {
			t.Errorf("%s: %d requests and %d failures; the server had %d and %d", where, r, f, requests, failures)
		}
	}
	says("the total", s.Total.Requests, s.Total.Failures)
	says("the histograms", s.Total.Response.Count, failures)
	says("the service times", s.Total.Service.Count, failures)
	var r, f, heat int64
	for i := range s.Endpoints {
		r, f = r+s.Endpoints[i].Requests, f+s.Endpoints[i].Failures
	}
	says("the endpoints", r, f)
	rows := runner.Rows(0)
	r, f = 0, 0
	for i := range rows {
		r, f = r+rows[i].Requests, f+rows[i].Failures
		for _, n := range rows[i].Heat {
			heat += n
		}
	}
	says("the rows", r, f)
	says("the heat map", heat, failures)
	f = 0
	for _, failure := range s.Failures {
		f += failure.Occurrences
	}
	says("the failures", requests, f)

	number := func(row map[string]string, column string) int64 {
		n, err := strconv.ParseInt(row[column], 10, 64)
		if err != nil {
			t.Errorf("%s: %v", column, err)
		}
		return n
	}
	r, f = 0, 0
	stats := tableOf(t, prefix+"_stats.csv")
	for _, row := range stats[:len(stats)-1] {
		r, f = r+number(row, "Request Count"), f+number(row, "Failure Count")
	}
	says("_stats.csv", r, f)
	says("its last row", number(stats[len(stats)-1], "Request Count"), number(stats[len(stats)-1], "Failure Count"))
	f = 0
	for _, row := range tableOf(t, prefix+"_failures.csv") {
		f += number(row, "Occurrences")
	}
	says("_failures.csv", requests, f)
	var b bytes.Buffer
	if err := WriteHistoryCSV(&b, rows, s); err != nil {
		t.Fatal(err)
	}
	downloaded := table(t, b.String())
	says("the downloaded history's last but one", number(downloaded[len(downloaded)-2], "Total Request Count"), number(downloaded[len(downloaded)-2], "Total Failure Count"))
	for name, history := range map[string][]map[string]string{"_stats_history.csv": tableOf(t, prefix+"_stats_history.csv"), "the downloaded history": downloaded} {
		last := history[len(history)-1]
		says(name+"'s last row", number(last, "Total Request Count"), number(last, "Total Failure Count"))
		before := int64(0)
		for _, row := range history {
			if row["Name"] != Aggregated {
				continue
			}
			if n := number(row, "Total Request Count"); n < before {
				t.Errorf("%s: %d requests after %d", name, n, before)
			} else {
				before = n
			}
		}
	}
	result := NewResult(s, nil, 0, "")
	says("--json", result.Total.Requests, result.Total.Failures)
}

// What is cut off when the run ends is counted as failed, in all places alike; the
// server may have seen it or not.
func TestWhatIsCutOffIsCountedOnce(t *testing.T) {
	for _, engine := range []Engine{Std, Fast} {
		t.Run(string(engine), func(t *testing.T) {
			defer goleak.VerifyNone(t)
			release := make(chan struct{})
			var here atomic.Int64
			web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				here.Add(1)
				<-release
			}))
			defer web.Close()
			defer close(release)
			runner := NewRunner(t.Context(), slog.New(slog.DiscardHandler))
			prefix := filepath.Join(t.TempDir(), "run")
			files, err := NewCSVWriter(prefix, false)
			if err != nil {
				t.Fatal(err)
			}
			p := Plan{Host: web.URL, Users: 5, SpawnRate: 1000, Classes: mixed()[:1], Engine: engine, Timeout: time.Minute, StopTimeout: 20 * time.Millisecond}
			if err := runner.Start(p); err != nil {
				t.Fatal(err)
			}
			for here.Load() < 5 {
				time.Sleep(time.Millisecond)
			}
			runner.Stop()
			s := runner.Snapshot()
			if err := files.Close(s); err != nil {
				t.Fatal(err)
			}
			agree(t, runner, s, prefix, 5, 5)
		})
	}
}

// Rows and endpoints add up to the total whatever comes when.
func TestRowsAddUpToTheTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stats := newStats()
		shards := []*shard{{stats: stats}, {stats: stats}}
		now := time.Duration(0)
		sent, failed := int64(0), int64(0)
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			now += time.Duration(rapid.Int64Range(1, 1e9).Draw(t, "passes"))
			for range rapid.IntRange(0, 40).Draw(t, "samples") {
				m := sample{method: "GET", name: strconv.Itoa(rapid.IntRange(0, 150).Draw(t, "name")), ended: now, response: time.Duration(rapid.Int64Range(-1, 1e12).Draw(t, "response"))}
				if rapid.Bool().Draw(t, "fails") {
					m.failure = strconv.Itoa(rapid.IntRange(0, 900).Draw(t, "reason"))
					failed++
				}
				sent++
				shards[sent%2].record(&m)
			}
			if rapid.Bool().Draw(t, "row") {
				shards[0].flush()
				stats.row(began, now, 1)
			}
		}
		for _, s := range shards {
			s.flush()
		}
		stats.row(began, now, 0)
		var rows, entries counts
		for _, r := range stats.rows {
			rows.requests, rows.failures = rows.requests+r.Requests, rows.failures+r.Failures
		}
		all := stats.all()
		for _, e := range all[:len(all)-1] {
			entries.requests, entries.failures = entries.requests+e.whole.requests, entries.failures+e.whole.failures
		}
		var reasons int64
		for _, o := range stats.failures {
			reasons += o.n
		}
		want := counts{requests: sent, failures: failed}
		if stats.total.whole.counts != want || rows != want || entries != want || reasons != failed {
			t.Errorf("%+v in the total, %+v in rows, %+v of endpoints, %d reasons; %+v were sent", stats.total.whole.counts, rows, entries, reasons, want)
		}
		if len(all) > maxEndpoints+2 {
			t.Errorf("%d endpoints", len(all))
		}
	})
}
