package load

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stream is a reader of /events.
type stream struct {
	*testing.T
	lines *bufio.Scanner
	leave context.CancelFunc
}

// follow begins to read events, after the one of an id.
func (o *opened) follow(lastID string) *stream {
	o.Helper()
	ctx, cancel := context.WithCancel(o.Context())
	o.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url+"/events", nil)
	if err != nil {
		o.Fatal(err)
	}
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	client := &http.Client{}
	o.Cleanup(client.CloseIdleConnections)
	answer, err := client.Do(r)
	if err != nil {
		o.Fatal(err)
	}
	o.Cleanup(func() { _ = answer.Body.Close() })
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" || answer.StatusCode != http.StatusOK {
		o.Fatalf("%d %s", answer.StatusCode, kind)
	}
	s := &stream{o.T, bufio.NewScanner(answer.Body), cancel}
	s.lines.Buffer(nil, 64<<20)
	return s
}

// heard is an event as a browser gets it.
type heard struct {
	id string
	event
}

// next returns the next event; ok is false at the end of the stream.
func (s *stream) next() (h heard, ok bool) {
	s.Helper()
	for s.lines.Scan() {
		switch name, value, _ := strings.Cut(s.lines.Text(), ": "); name {
		case "id":
			h.id = value
		case "data":
			if err := json.Unmarshal([]byte(value), &h.event); err != nil {
				s.Fatal(err)
			}
		case "":
			return h, true
		}
	}
	return h, false
}

func (s *stream) must() heard {
	s.Helper()
	h, ok := s.next()
	if !ok {
		s.Fatal("the stream has ended")
	}
	return h
}

// take cuts and appends rows, as the page does.
func take(rows []json.RawMessage, e event) []json.RawMessage {
	return append(rows[:min(len(rows), e.From)], e.Rows...)
}

func texts(rows []json.RawMessage) (all []string) {
	for _, r := range rows {
		all = append(all, string(r))
	}
	return all
}

func TestEventsTellEachRowOnceAndAfterALostConnectionThoseThatWereMissed(t *testing.T) {
	o := open(t, PageOptions{})
	o.swarm(url.Values{"user_count": {"2"}})
	s := o.follow("")
	first := s.must()
	if first.From != 0 || !strings.Contains(string(first.Parts["statistics-table"]), "Aggregated") || first.Users != 2 || len(first.Parts) != 12 {
		t.Errorf("the first event: %+v", first)
	}
	rows := take(nil, first.event)
	var last heard
	for len(rows) < 2 {
		last = s.must()
		if last.From != len(rows) {
			t.Fatalf("rows from %d after %d", last.From, len(rows))
		}
		rows = take(rows, last.event)
	}
	s.leave()
	eventually(t, func() bool { return o.runner.Snapshot().Rows > len(rows) })
	again := o.follow(last.id).must()
	if again.From != len(rows) || len(again.Rows) == 0 || again.Parts["now"] == "" {
		t.Errorf("after row %d comes %d, with %d rows", len(rows), again.From, len(again.Rows))
	}
	rows = take(rows, again.event)
	o.runner.Stop()
	rows = take(rows, o.follow(again.id).must().event)
	var want []string
	for _, r := range o.runner.Rows(0) {
		want = append(want, string(encodeRows([]Row{r})[0]))
	}
	if got := texts(rows); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("rows\n%v\nnot\n%v", got, want)
	}
}

func TestAnIdOfOtherRowsBringsAllRows(t *testing.T) {
	o := open(t, PageOptions{})
	o.swarm(url.Values{"user_count": {"1"}})
	eventually(t, func() bool { return o.runner.Snapshot().Rows > 1 })
	first := o.follow("").must()
	epoch, _, _ := strings.Cut(first.id, "-")
	for _, id := range []string{"", "x", "-1", "7-1", epoch, epoch + "--1", epoch + "-999999", epoch + "-1x"} {
		if e := o.follow(id).must(); e.From != 0 || len(e.Rows) < 2 {
			t.Errorf("%q: %d rows from %d", id, len(e.Rows), e.From)
		}
	}
	o.runner.Stop()
	o.swarm(nil) // another run
	if e := o.follow(first.id).must(); e.From != 0 || len(e.Rows) > 1 {
		t.Errorf("of another run: %d rows from %d", len(e.Rows), e.From)
	}
}

func TestEventsOfTwoWatchersAreTheSame(t *testing.T) {
	o := open(t, PageOptions{})
	o.swarm(url.Values{"user_count": {"1"}})
	a, b := o.follow(""), o.follow("")
	ids := map[string]event{}
	for range 5 {
		h := a.must()
		ids[h.id] = h.event
	}
	same := 0
	for range 5 {
		h := b.must()
		if e, ok := ids[h.id]; ok && len(h.Parts) < 12 && e.From == h.From {
			same++
		}
	}
	if same < 2 {
		t.Errorf("%d events are the same", same)
	}
}

// scripted is a feed of views that a test makes.
func scripted(t *testing.T, now *view) *feed {
	t.Helper()
	f := newFeed(func() *view { return now })
	t.Cleanup(f.close)
	return f
}

func decode(t *testing.T, message []byte) (h heard) {
	t.Helper()
	id, data, _ := strings.Cut(string(message), "\n")
	h.id = strings.TrimPrefix(id, "id: ")
	if err := json.Unmarshal([]byte(strings.TrimPrefix(data, "data: ")), &h.event); err != nil {
		t.Fatal(err)
	}
	return h
}

func minute(n int) (rows []Row) {
	for i := range n {
		rows = append(rows, Row{At: began.Add(time.Duration(i+1) * time.Second), Span: time.Second, Users: i, Requests: 1})
	}
	return rows
}

func TestRowsThatWereJoinedAreToldAnew(t *testing.T) {
	s, verdicts := sampleRun(t)
	now := newView(s, minute(60), verdicts)
	f := scripted(t, now)
	first, events, err := f.watch("")
	if err != nil {
		t.Fatal(err)
	}
	id := decode(t, first).id
	*now = *newView(s, minute(30), verdicts)
	f.tick()
	if e := decode(t, <-events); e.From != 0 || len(e.Rows) != 30 {
		t.Errorf("%d rows from %d", len(e.Rows), e.From)
	}
	again, _, err := f.watch(id)
	if err != nil {
		t.Fatal(err)
	}
	if e := decode(t, again); e.From != 0 || len(e.Rows) != 30 {
		t.Errorf("with the id of before: %d rows from %d", len(e.Rows), e.From)
	}
}

func TestRowsThatWereJoinedWhileNobodyWatchedAreToldAnew(t *testing.T) {
	s, verdicts := sampleRun(t)
	now := newView(s, minute(10), verdicts)
	f := scripted(t, now)
	first, events, err := f.watch("")
	if err != nil {
		t.Fatal(err)
	}
	f.leave(events)
	joined := downsample(minute(60), 30) // more than the feed has, and none of them among its own
	*now = *newView(s, joined, verdicts)
	again, _, err := f.watch(decode(t, first).id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(texts(encodeRows(joined)), texts(decode(t, again).Rows)); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyPartsThatHaveChangedAreSent(t *testing.T) {
	s, verdicts := sampleRun(t)
	now := newView(s, nil, verdicts)
	f := scripted(t, now)
	_, events, err := f.watch("")
	if err != nil {
		t.Fatal(err)
	}
	changed := *s
	changed.Failures = append([]Failure{{Name: "<new>", Error: "broken"}}, s.Failures...)
	*now = *newView(&changed, nil, verdicts)
	f.tick()
	e := decode(t, <-events)
	if len(e.Parts) != 1 || !strings.Contains(string(e.Parts["failures-table"]), "&lt;new&gt;") {
		t.Errorf("%v", e.Parts)
	}
}

func TestAWatcherThatIsTooSlowIsSentAwayAndOthersGoOn(t *testing.T) {
	s, verdicts := sampleRun(t)
	f := scripted(t, newView(s, nil, verdicts))
	_, slow, err := f.watch("")
	if err != nil {
		t.Fatal(err)
	}
	for range cap(slow) + 1 {
		f.tick()
	}
	got := 0
	for range slow { // closed
		got++
	}
	if got != cap(slow) {
		t.Errorf("%d events", got)
	}
	_, quick, err := f.watch("")
	if err != nil {
		t.Fatal(err)
	}
	if f.tick(); len(quick) != 1 {
		t.Error("the other got nothing")
	}
	f.leave(slow) // it goes only now
}

func TestWatchersAreBounded(t *testing.T) {
	o := open(t, PageOptions{})
	o.page.feed.mu.Lock()
	for range maxWatchers {
		o.page.feed.watchers[make(chan []byte)] = struct{}{}
	}
	o.page.feed.mu.Unlock()
	if answer, body := o.ask("GET", "/events", nil, nil); answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "pages are open already") {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}

func TestNothingIsMadeWhileNobodyWatches(t *testing.T) {
	calls := 0
	s, verdicts := sampleRun(t)
	f := newFeed(func() *view { calls++; return newView(s, nil, verdicts) })
	f.tick()
	f.close()
	f.close()
	if calls != 0 {
		t.Errorf("%d views", calls)
	}
}

func TestStreamsEndWithThePage(t *testing.T) {
	o := open(t, PageOptions{})
	s := o.follow("")
	s.must()
	o.page.Close()
	for {
		if _, ok := s.next(); !ok {
			break
		}
	}
	if err := s.lines.Err(); err != nil && err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
}

func TestAPartThatFailsIsToldAndEndsNothing(t *testing.T) {
	v := newView(&Snapshot{Endpoints: []Figures{{Name: "x", Response: Latency{Count: 1}}}}, nil, nil) // no quantiles for a request
	parts := v.parts()
	if !strings.Contains(string(parts["statistics-table"]), "This can&#39;t be shown") || strings.Contains(string(parts["failures-table"]), "This can") {
		t.Errorf("%s", parts["statistics-table"])
	}
}

// Whatever a browser says that it has, it gets rows from a number that there is.
func FuzzLastEventID(f *testing.F) {
	f.Add("5-3")
	f.Add("5--1")
	f.Add("5-99999999999999999999")
	f.Add("-")
	fed := &feed{epoch: 5, rows: make([]json.RawMessage, 10), parts: map[string]template.HTML{}}
	f.Fuzz(func(t *testing.T, id string) {
		n := fed.has(id)
		if n < 0 || n > len(fed.rows) || n > 0 && !strings.HasPrefix(id, "5-") {
			t.Errorf("%q: %d", id, n)
		}
	})
}
