package load

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fleetOf has a runner of some classes, and the target that they ask.
func fleetOf(t *testing.T, classes ...*Class) (*RunnerFleet, *target) {
	t.Helper()
	s := newTarget(t)
	f := &RunnerFleet{
		Runner: NewRunner(context.Background(), slog.New(slog.DiscardHandler)),
		Plan:   Plan{Host: s.URL, Classes: classes, Engine: Fast, Timeout: 10 * time.Second, StopTimeout: 5 * time.Second},
	}
	f.Reset()
	t.Cleanup(f.Stop)
	return f, s
}

// Deltas that are taken while users work come to what the run's own statistics and the
// server come to.
func TestDeltasComeToTheWholeRun(t *testing.T) {
	f, s := fleetOf(t, readerAndWriter()...)
	for _, c := range f.Plan.Classes {
		c.Wait = nil
	}
	if err := f.Spawn(SpawnJob{Users: map[string]int{"Reader": 3, "Writer": 2}}); err != nil {
		t.Fatal(err)
	}
	var requests, failures, size, errors int64
	entries := map[string]int64{}
	take := func() {
		d := f.Delta().stats(nil)
		requests, failures, size = requests+d.StatsTotal.NumRequests, failures+d.StatsTotal.NumFailures, size+d.StatsTotal.ContentLength
		for _, e := range d.Stats {
			entries[e.Name] += e.NumRequests
		}
		for _, e := range d.Errors {
			errors += e.Occurrences
		}
	}
	for s.total.Load() < 5000 {
		take()
	}
	if diff := cmp.Diff(map[string]int{"Reader": 3, "Writer": 2}, f.Users()); diff != "" {
		t.Error(diff)
	}
	f.Stop()
	take()
	take() // finds nothing twice
	own := f.Runner.Snapshot()
	if n := s.total.Load(); requests != n || own.Total.Requests != n || entries["/read"]+entries["/write"] != n {
		t.Errorf("the server answered %d, the run counts %d, deltas %d, by name %v", n, own.Total.Requests, requests, entries)
	}
	if n := s.failed.Load(); failures != n || errors != n || own.Total.Failures != n || size != s.bytes.Load() || own.Total.Bytes != size {
		t.Errorf("the server failed %d times and sent %d bytes; deltas have %d and %d bytes, %d errors; the run %+v", n, s.bytes.Load(), failures, size, errors, own.Total)
	}
	if diff := cmp.Diff(map[string]int{"Reader": 0, "Writer": 0}, f.Users()); diff != "" {
		t.Error(diff)
	}
}

// A run that is over has its delta until the next one begins, which counts from nothing.
func TestANewRunCountsFromNothing(t *testing.T) {
	f, s := fleetOf(t, readerAndWriter()...)
	for range 2 {
		before := s.total.Load()
		if err := f.Spawn(SpawnJob{Users: map[string]int{"Reader": 2}}); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "requests", func() bool { return s.total.Load() > before+10 })
		f.Stop()
		if n := f.Delta().Total.NumRequests; n != s.total.Load()-before {
			t.Errorf("%d, want %d", n, s.total.Load()-before)
		}
		f.Reset()
	}
}

func TestUsersBecomeMoreAndFewer(t *testing.T) {
	f, _ := fleetOf(t, readerAndWriter()...)
	for _, want := range []map[string]int{{"Reader": 1, "Writer": 0}, {"Reader": 3, "Writer": 4}, {"Reader": 0, "Writer": 5}, {"Reader": 2, "Writer": 0}} {
		if err := f.Spawn(SpawnJob{Users: want}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, f.Users()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestARunThatEndsByItselfTellsWhyOnce(t *testing.T) {
	classes := readerAndWriter()
	classes[0].OnStart = func(*User) error { return errors.New("the password is wrong") }
	f, _ := fleetOf(t, classes...)
	job := SpawnJob{Users: map[string]int{"Reader": 1}}
	for range 2 {
		if err := f.Spawn(job); err != nil {
			t.Fatal(err)
		}
		<-f.Runner.Done()
		text := "the run ends at this worker: the password is wrong"
		if diff := cmp.Diff([]DeltaException{{text, text}}, f.Delta().Exceptions); diff != "" {
			t.Error(diff)
		}
		if more := f.Delta().Exceptions; more != nil {
			t.Errorf("told again: %v", more)
		}
		if err := f.Spawn(job); err == nil || !strings.Contains(err.Error(), "the run has ended") {
			t.Errorf("%v: users would be spawned every second, to no avail", err)
		}
		f.Reset()
	}
}

// Panics of a task have the same traceback for a master, whoever had them where.
func TestPanicsOfATaskAreOneToAMaster(t *testing.T) {
	f, _ := fleetOf(t, &Class{Name: "Clumsy", Wait: Constant(time.Millisecond), Tasks: []Task{{Run: func(u *User) { panic("broken") }}}})
	if err := f.Spawn(SpawnJob{Users: map[string]int{"Clumsy": 3}}); err != nil {
		t.Fatal(err)
	}
	var raised []DeltaException
	waitFor(t, "ten exceptions", func() bool {
		raised = append(raised, f.Delta().Exceptions...)
		return len(raised) >= 10
	})
	seen := map[DeltaException]int{}
	for _, e := range raised {
		seen[e]++
	}
	if len(seen) != 1 || raised[0].Message != "broken" || !strings.Contains(raised[0].Traceback, "locustfleet_test.go") {
		t.Errorf("%d exceptions differ: %v", len(seen), seen)
	}
}

func TestAMastersTagsChooseTasks(t *testing.T) {
	var asked [2]atomic.Int64
	class := &Class{Name: "Reader", Wait: Constant(time.Millisecond)}
	for i, tag := range []string{"quick", "slow"} {
		class.Tasks = append(class.Tasks, Task{Tags: []string{tag}, Run: func(*User) { asked[i].Add(1) }})
	}
	f, _ := fleetOf(t, class)
	users := map[string]int{"Reader": 1}
	if err := f.Spawn(SpawnJob{Users: users, Tags: []string{"none such"}}); err == nil || !strings.Contains(err.Error(), "tags") {
		t.Errorf("%v", err)
	}
	if err := f.Spawn(SpawnJob{Users: users, ExcludeTags: []string{"slow"}}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "tasks", func() bool { return asked[0].Load() > 20 })
	if asked[1].Load() > 0 {
		t.Error("a task was done whose tag is excluded")
	}
}

func TestAHostOfNobodyIsAnError(t *testing.T) {
	f, _ := fleetOf(t, readerAndWriter()...)
	f.Plan.Host = ""
	if err := f.Spawn(SpawnJob{Users: map[string]int{"Reader": 1}}); err == nil || !strings.Contains(err.Error(), "host") {
		t.Errorf("%v", err)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	if err := f.Spawn(SpawnJob{Users: map[string]int{"Reader": 1}, Host: other.URL, StopTimeout: time.Second}); err != nil {
		t.Errorf("the master's host: %v", err)
	}
	if p := f.Runner.Snapshot().Plan; p.Host != other.URL || p.StopTimeout != time.Second {
		t.Errorf("%+v", p)
	}
	f.Stop()
}

func TestADeltaIsBounded(t *testing.T) {
	d := NewDelta(time.Unix(9, 0))
	for i := range maxReasons + 100 {
		d.Record("GET", "/", time.Unix(10, 0), 0, 0, fmt.Sprint("reason ", i))
		d.Raise("m", "t")
	}
	s := d.stats(nil)
	var n int64
	texts := map[string]bool{}
	for e := range maps.Values(s.Errors) {
		n += e.Occurrences
		texts[e.Error] = true
	}
	if len(s.Errors) != maxReasons+1 || n != maxReasons+100 || !texts[otherNames] {
		t.Errorf("%d errors with %d occurrences", len(s.Errors), n)
	}
	if len(d.Exceptions) != maxReasons || d.More != 100 {
		t.Errorf("%d exceptions and %d more", len(d.Exceptions), d.More)
	}
}

func TestUsageIsOfThisProcess(t *testing.T) {
	f, s := fleetOf(t, readerAndWriter()...)
	cpu, memory := f.Usage()
	if cpu != 0 || memory < 1<<20 || memory > 1<<32 {
		t.Errorf("without a run: %v %%, %d bytes", cpu, memory)
	}
	for _, c := range f.Plan.Classes {
		c.Wait = nil
	}
	if err := f.Spawn(SpawnJob{Users: map[string]int{"Reader": 2}}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a share of the processors", func() bool { cpu, _ = f.Usage(); return cpu > 0 })
	if cpu > 101 || s.total.Load() == 0 {
		t.Errorf("%v %%", cpu)
	}
	if !slices.Equal(f.Classes(), []string{"Reader", "Writer"}) {
		t.Errorf("%v", f.Classes())
	}
}

// What telling a master costs a request.
func BenchmarkDeltaRecord(b *testing.B) {
	d, at := NewDelta(time.Now()), time.Now()
	b.ReportAllocs()
	for i := range b.N {
		d.Record("GET", "/api/v1/health/", at.Add(time.Duration(i)*10*time.Microsecond), time.Duration(i%50)*time.Millisecond, 100, "")
	}
}
