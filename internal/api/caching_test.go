package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"upstream"
	"upstream/internal/limit"
	"upstream/internal/telemetry"
)

// keptPaths are answers that are kept.
var keptPaths = []string{"dashboard/", "drift-events/", "drift-events/active/", "claims/?page_size=5", "claims/payer_summary/", "payer-summary/", "denial-rate-trend/", "reports/", "uploads/", "payer-mappings/", "cpt-mappings/", "payer-mappings/unmatched/", "cpt-mappings/unmatched/"}

// What has not changed is not sent again, with or without the slash and whatever
// the client calls the tag; what was wrong stays wrong.
func TestWhatAClientHasIsNotSentAgain(t *testing.T) {
	p := populate(t, worldOptions{})
	for _, path := range keptPaths {
		for _, accept := range []string{"", "gzip", "zstd"} {
			first := p.direct(http.MethodGet, p.token, path, nil, "Accept-Encoding", accept).want(http.StatusOK)
			etag := first.header.Get("ETag")
			if len(etag) < 20 || strings.HasPrefix(etag, "W/") || first.header.Get("Cache-Control") != "private, no-cache" {
				t.Errorf("%s: ETag %s, %v", path, etag, first.header)
			}
			for _, match := range []string{etag, "W/" + etag, `"x", ` + etag, "*", " " + etag + " "} {
				again := p.direct(http.MethodGet, p.token, path, nil, "Accept-Encoding", accept, "If-None-Match", match).want(http.StatusNotModified)
				if len(again.body) != 0 || again.header.Get("ETag") != etag || again.header.Get("Vary") == "" || again.header.Get("Cache-Control") != "private, no-cache" {
					t.Errorf("%s with If-None-Match %s: %v %s", path, match, again.header, again.body)
				}
			}
			for _, match := range []string{`"x"`, strings.Trim(etag, `"`), etag[:len(etag)-2] + `"`, `""`, ","} {
				p.direct(http.MethodGet, p.token, path, nil, "Accept-Encoding", accept, "If-None-Match", match).want(http.StatusOK)
			}
			if other := p.direct(http.MethodGet, p.b.tokens[upstream.Owner], path, nil, "Accept-Encoding", accept, "If-None-Match", etag); other.status != http.StatusOK {
				t.Errorf("%s: the tag of another customer: %d", path, other.status)
			}
		}
	}
	for path, status := range map[string]int{"claims/999999/": 404, "claims/?nope=1": 422, "claims/?page=0": 422, "drift-events/999999/": 404} {
		got := p.direct(http.MethodGet, p.token, path, nil, "If-None-Match", "*").want(status)
		if got.header.Get("ETag") != "" || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, got.header)
		}
	}
}

// Each commit gives the answers that it may change new tags.
func TestACommitChangesTheTags(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		p := &populated{world: w, token: w.a.tokens[upstream.Owner], ids: map[string]int64{}}
		tags := func() (all []string) {
			for _, path := range keptPaths {
				all = append(all, p.direct(http.MethodGet, p.token, path, nil).want(http.StatusOK).header.Get("ETag"))
			}
			return all
		}
		other := w.direct(http.MethodGet, w.b.tokens[upstream.Owner], "claims/", nil).header.Get("ETag")
		before := tags()
		for name, change := range map[string]func(){
			"claims": func() { p.loadMore(1) },
			"a payer mapping": func() {
				p.post(p.token, "payer-mappings/", map[string]string{"raw_name": "X", "payer": "Y"}).want(http.StatusCreated)
			},
			"a CPT mapping": func() {
				p.post(p.token, "cpt-mappings/", map[string]string{"code": "99999", "cpt_group": "Y"}).want(http.StatusCreated)
			},
			"a run":    func() { p.post(p.token, "reports/trigger/", map[string]string{}).want(http.StatusAccepted) },
			"settings": func() { p.send("PATCH", p.token, "settings/", map[string]any{"alert_budget": 2}).want(200) },
			"an upload": func() {
				p.ask("POST", p.token, "uploads/", strings.NewReader(goodCSV(1)), "Content-Type", "text/csv").want(202)
			},
		} {
			change()
			after := tags()
			for i, path := range keptPaths {
				if before[i] == after[i] {
					t.Errorf("%s leaves the tag of %s", name, path)
				}
			}
			before = after
		}
		if now := w.direct(http.MethodGet, w.b.tokens[upstream.Owner], "claims/", nil).header.Get("ETag"); now != other {
			t.Error("another customer's tags changed, too")
		}
	})
}

// What was committed before a request began is in its answer, whoever else asks and
// writes meanwhile.
func TestAnAnswerIsNeverFromBeforeACommit(t *testing.T) {
	for _, e := range engines {
		t.Run(e.Name, func(t *testing.T) {
			p := populate(t, worldOptions{url: e.URL(t)})
			event := "drift-events/" + itoa(p.ids["drift-events"]) + "/"
			var note, loaded atomic.Int64
			var writers, readers sync.WaitGroup
			done := make(chan struct{})
			count := func(path string) int64 {
				r := p.get(p.token, path)
				var got struct{ Count int64 }
				if r.status != http.StatusOK {
					t.Errorf("%s: %d %s", path, r.status, r.body)
					return 1 << 40
				}
				r.decode(&got)
				return got.Count
			}
			base := count("payer-mappings/")
			writers.Go(func() {
				for n := range int64(25) {
					r := p.send(http.MethodPatch, p.token, event, map[string]any{"note": itoa(n + 1)})
					if r.status != http.StatusOK || r.decoded()["note"] != itoa(n+1) {
						t.Errorf("judged: %d %s", r.status, r.body)
					}
					note.Store(n + 1)
				}
			})
			writers.Go(func() {
				for n := range int64(25) {
					if r := p.post(p.token, "payer-mappings/", map[string]string{"raw_name": fmt.Sprint("RAW ", n), "payer": "Y"}); r.status != http.StatusCreated {
						t.Errorf("mapped: %d %s", r.status, r.body)
					}
					loaded.Store(n + 1)
				}
			})
			for range 6 {
				readers.Go(func() {
					for {
						select {
						case <-done:
							return
						default:
						}
						least := note.Load()
						r := p.get(p.token, event)
						var got struct{ Note string }
						if r.status != http.StatusOK {
							t.Errorf("%d %s", r.status, r.body)
							return
						}
						r.decode(&got)
						var n int64
						_, _ = fmt.Sscan(got.Note, &n)
						if n < least {
							t.Errorf("the note is %d, %d was committed before", n, least)
						}
						few := loaded.Load()
						if n := count("payer-mappings/"); n < base+few {
							t.Errorf("%d mappings, %d were committed before", n, base+few)
						}
					}
				})
			}
			writers.Wait()
			close(done)
			readers.Wait()
		})
	}
}

// A body comes in the best encoding that the client takes, and in none when it is
// small.
func TestBodiesAreCompressedAsAskedFor(t *testing.T) {
	p := populate(t, worldOptions{})
	plain := p.direct(http.MethodGet, p.token, "claims/?page_size=20", nil).want(http.StatusOK)
	for accept, want := range map[string]string{
		"": "", "identity": "", "gzip": "gzip", "zstd": "zstd", "gzip, zstd": "zstd", "zstd, gzip": "zstd", "gzip;q=1, zstd;q=0.5": "gzip", "gzip;q=0": "", "gzip;q=0, zstd;q=0": "",
		"zstd;q=0, gzip;q=0.1": "gzip", "br": "", "br, gzip": "gzip", "deflate": "", "GZIP": "gzip", "gzip ; q = 0.3": "gzip", "gzip;q=x": "", "gzip;q=NaN": "", "gzip;q=-1": "", ",,;": "",
	} {
		for range 2 { // made, then kept
			got := p.direct(http.MethodGet, p.token, "claims/?page_size=20", nil, "Accept-Encoding", accept).want(http.StatusOK)
			body, err := decompress(got)
			if got.header.Get("Content-Encoding") != want || err != nil || !bytes.Equal(body, plain.body) {
				t.Errorf("Accept-Encoding %q: %s (%v)", accept, got.header.Get("Content-Encoding"), err)
			}
			if !strings.Contains(got.header.Get("Vary"), "Accept-Encoding") || !strings.Contains(got.header.Get("Vary"), "Authorization") {
				t.Errorf("Vary: %s", got.header.Get("Vary"))
			}
			if (want == "") != (got.header.Get("ETag") == plain.header.Get("ETag")) {
				t.Errorf("Accept-Encoding %q: two bodies have the tag %s", accept, got.header.Get("ETag"))
			}
		}
	}
	for _, path := range []string{"claims/?page_size=1", "settings/", "auth/me/", "claims/?page_size=1&fields=id", "claims/0/"} {
		got := p.direct(http.MethodGet, p.token, path, nil, "Accept-Encoding", "gzip, zstd")
		if len(got.body) <= compressAbove && got.header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %d bytes in %s", path, len(got.body), got.header.Get("Content-Encoding"))
		}
	}
}

func decompress(r *response) ([]byte, error) {
	switch r.header.Get("Content-Encoding") {
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(r.body))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	case "zstd":
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		return z.DecodeAll(r.body, nil)
	}
	return r.body, nil
}

// Two servers on one database that share what they keep answer alike, and a commit
// by one is seen by the other at once.
func TestTwoServersAnswerAlike(t *testing.T) {
	shared := limit.NewMemoryCache(16<<20, func() time.Time { return today })
	p := populate(t, worldOptions{change: func(o *Options) { o.Shared = shared }})
	o := p.server.Options
	o.Metrics = telemetry.NewMetrics("second")
	second, err := New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	first := p.judge.next
	at := func(s http.Handler, method, path, body string) *response {
		p.judge.next = s
		defer func() { p.judge.next = first }()
		return p.direct(method, p.token, path, strings.NewReader(body), "Content-Type", "application/json").want(http.StatusOK)
	}
	for round := range 3 {
		for i, path := range keptPaths {
			servers := []http.Handler{first, second}
			if (i+round)%2 == 1 {
				slices.Reverse(servers)
			}
			a, b := at(servers[0], http.MethodGet, path, ""), at(servers[1], http.MethodGet, path, "")
			if !bytes.Equal(a.body, b.body) || a.header.Get("ETag") != b.header.Get("ETag") || a.header.Get("Link") != b.header.Get("Link") {
				t.Errorf("%s: %s %s\n%s %s", path, a.header.Get("ETag"), a.body, b.header.Get("ETag"), b.body)
			}
		}
		event := "drift-events/" + itoa(p.ids["drift-events"]) + "/"
		at(second, http.MethodPatch, event, fmt.Sprintf(`{"note":"round %d"}`, round))
		if got := at(first, http.MethodGet, event, "").decoded()["note"]; got != fmt.Sprint("round ", round) {
			t.Errorf("the first server says %v", got)
		}
	}
}

// Periods that end today move with the day, without a commit.
func TestADayLaterThePeriodsHaveMoved(t *testing.T) {
	w := newWorld(t, worldOptions{})
	token := func() string { return w.signIn("viewerA").Access }
	last := func() any {
		return w.direct(http.MethodGet, token(), "payer-summary/", nil).want(http.StatusOK).decoded()["end_date"]
	}
	if got := last(); got != "2026-03-04" {
		t.Error(got)
	}
	w.wait(upstream.DayOf(today).Time().Add(24*time.Hour - time.Nanosecond).Sub(w.now()))
	if got := last(); got != "2026-03-04" {
		t.Errorf("before midnight: %v", got)
	}
	w.wait(time.Nanosecond)
	if got := last(); got != "2026-03-05" {
		t.Errorf("at midnight: %v", got)
	}
}

// A hundred that want the same answer at once wait for one making.
func TestManyWaitForOneMaking(t *testing.T) {
	w := newWorld(t, worldOptions{change: func(o *Options) { o.CountQueries = true }})
	token := w.a.tokens[upstream.Viewer]
	w.direct(http.MethodGet, token, "claims/1/", nil) // who asks is known from here on
	made := make([]int64, 100)
	var asking sync.WaitGroup
	for i := range made {
		asking.Go(func() {
			r := w.get(token, "claims/payer_summary/?start_date=2025-06-01")
			if r.status != http.StatusOK {
				t.Errorf("%d %s", r.status, r.body)
			}
			_, _ = fmt.Sscan(r.header.Get("X-Query-Count"), &made[i])
		})
	}
	asking.Wait()
	slices.Sort(made)
	// Each reads the revisions at most; one of them, the answer.
	if makers := len(made) - len(slices.DeleteFunc(slices.Clone(made), func(n int64) bool { return n > 1 })); makers != 1 {
		t.Errorf("%d made the answer: statements %v", makers, made)
	}
}

// A problem that several waited for names each one's request.
func TestAProblemNamesItsOwnRequest(t *testing.T) {
	w := newWorld(t, worldOptions{})
	var asking sync.WaitGroup
	for i := range 50 {
		asking.Go(func() {
			id := []string{"e", "status", "invalid", "claim", "4"}[i%5] + fmt.Sprint(i)[:i%2]
			r := w.get(w.a.tokens[upstream.Viewer], "claims/?page=0", "X-Request-Id", id)
			if p := r.problem(http.StatusUnprocessableEntity, "invalid"); p.RequestID != id || !hasLocation(p, "query.page") {
				t.Errorf("%s: %s", id, r.body)
			}
		})
	}
	asking.Wait()
}
