package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxWatchers bounds how many pages are open at once.
const maxWatchers = 200

// feed makes the events of the live page: one a second for all who watch, none while
// nobody does.
type feed struct {
	view func() *view
	quit chan struct{}
	done chan struct{}
	once sync.Once

	mu       sync.Mutex
	epoch    int64             // which rows these are: those of another run, or joined ones, are other rows
	first    time.Time         // the end of the first row, which is another's when rows were joined; zero without rows
	rows     []json.RawMessage // of the run, from its beginning
	parts    map[string]template.HTML
	now      event // without rows and parts
	watchers map[chan []byte]struct{}
}

func newFeed(view func() *view) *feed {
	f := &feed{view: view, quit: make(chan struct{}), done: make(chan struct{}), watchers: map[chan []byte]struct{}{}}
	go f.loop()
	return f
}

func (f *feed) loop() {
	defer close(f.done)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-second.C:
			f.tick()
		case <-f.quit:
			return
		}
	}
}

func (f *feed) close() {
	f.once.Do(func() { close(f.quit) })
	<-f.done
}

// tick tells all watchers what is new. One that is too slow to take it is sent away: it
// comes back and says what it has.
func (f *feed) tick() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.watchers) == 0 {
		return
	}
	f.tell(f.message(f.update()))
}

func (f *feed) tell(message []byte) {
	for w := range f.watchers {
		select {
		case w <- message:
		default:
			delete(f.watchers, w)
			close(w)
		}
	}
}

// update takes a view, and returns what of it is new.
func (f *feed) update() event {
	v := f.view()
	first := time.Time{}
	if len(v.Charted) > 0 {
		first = v.Charted[0].At
	}
	if f.epoch == 0 || len(v.Charted) < len(f.rows) || len(f.rows) > 0 && !first.Equal(f.first) {
		f.epoch, f.rows = time.Now().UnixNano(), nil
	}
	f.first = first
	e := event{From: len(f.rows), Rows: encodeRows(v.Charted[len(f.rows):]), State: v.State, Users: v.Plan.Users, Rate: v.Plan.SpawnRate, Parts: v.parts()}
	f.rows = append(f.rows, e.Rows...)
	whole := e.Parts
	e.Parts = map[string]template.HTML{}
	for id, text := range whole {
		if f.parts[id] != text {
			e.Parts[id] = text
		}
	}
	f.parts = whole
	f.now = event{State: e.State, Users: e.Users, Rate: e.Rate}
	return e
}

// message is an event as it is sent. Its id says which rows its reader has then.
func (f *feed) message(e event) []byte {
	if e.Rows == nil {
		e.Rows = []json.RawMessage{}
	}
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // texts and numbers
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "id: %d-%d\ndata: %s\n\n", f.epoch, e.From+len(e.Rows), data)
	return b.Bytes()
}

// watch begins a stream with the rows that its reader does not have, and all parts.
func (f *feed) watch(lastID string) (first []byte, events chan []byte, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.watchers) >= maxWatchers {
		return nil, nil, fmt.Errorf("%d pages are open already: close some", maxWatchers)
	}
	f.tell(f.message(f.update())) // or those who watch already would miss it
	e := f.now
	e.From = f.has(lastID)
	e.Rows, e.Parts = f.rows[e.From:], f.parts
	events = make(chan []byte, 4)
	f.watchers[events] = struct{}{}
	return f.message(e), events, nil
}

// has returns how many rows a reader has, by the id of the last event that it got.
func (f *feed) has(id string) int {
	epoch, row, _ := strings.Cut(id, "-")
	n, err := strconv.Atoi(row)
	if err != nil || epoch != strconv.FormatInt(f.epoch, 10) || n < 0 || n > len(f.rows) {
		return 0
	}
	return n
}

func (f *feed) leave(events chan []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watchers, events)
}

// sendWithin is how long a reader may take for an event.
const sendWithin = 10 * time.Second

// events streams to one reader.
func (p *Page) events(w http.ResponseWriter, r *http.Request) {
	message, events, err := p.feed.watch(r.Header.Get("Last-Event-ID"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer p.feed.leave(events)
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	for {
		// A server without deadlines has none to move.
		_ = out.SetWriteDeadline(time.Now().Add(sendWithin))
		if _, err := w.Write(message); err != nil || out.Flush() != nil {
			return
		}
		var open bool
		select {
		case message, open = <-events:
			if !open {
				return
			}
		case <-r.Context().Done():
			return
		case <-p.feed.quit:
			return
		}
	}
}
