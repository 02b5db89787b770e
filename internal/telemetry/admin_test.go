package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"upstream"
)

func TestTheAdminPageServesWhatAnOperatorAsksFor(t *testing.T) {
	fine := []Check{{Name: "database", OK: true}, {Name: "migrations", OK: true}}
	bad := []Check{{Name: "database", Detail: "can't reach PostgreSQL"}, {Name: "migrations", OK: true}}
	for _, test := range []struct {
		method, path string
		checks       []Check
		status       int
		has          string
	}{
		{"GET", "/livez", bad, 200, "ok\n"},
		{"GET", "/readyz", fine, 200, `{"ready":true,"checks":[{"name":"database","ok":true},{"name":"migrations","ok":true}]}`},
		{"GET", "/readyz", bad, 503, `{"ready":false,"checks":[{"name":"database","ok":false,"detail":"can't reach PostgreSQL"},`},
		{"GET", "/readyz", nil, 200, `{"ready":true}`},
		{"GET", "/metrics", fine, 200, "# HELP upstream_build_info"},
		{"GET", "/debug/slow", fine, 200, "[]"},
		{"GET", "/debug/pprof/", fine, 200, "goroutine"},
		{"GET", "/debug/pprof/goroutine?debug=1", fine, 200, "goroutine profile"},
		{"GET", "/debug/pprof/cmdline", fine, 200, ""},
		{"GET", "/debug/pprof/symbol", fine, 200, "num_symbols"},
		{"GET", "/", fine, 404, ""},
		{"POST", "/livez", fine, 405, ""},
	} {
		r := httptest.NewRecorder()
		Admin(NewMetrics("v1"), func(context.Context) []Check { return test.checks }).ServeHTTP(r, httptest.NewRequest(test.method, test.path, nil))
		if r.Code != test.status || !strings.Contains(r.Body.String(), test.has) {
			t.Errorf("%s %s: %d %.300s, want %d %s", test.method, test.path, r.Code, r.Body, test.status, test.has)
		}
	}
}

func TestThePublicReadinessTellsNoDetail(t *testing.T) {
	r := httptest.NewRecorder()
	Ready(func(ctx context.Context) []Check {
		if _, limited := ctx.Deadline(); !limited {
			t.Error("a check may wait for ever")
		}
		return []Check{{Name: "database", Detail: "at 10.0.0.1"}}
	}, false).ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if r.Code != http.StatusServiceUnavailable || r.Body.String() != "{\"ready\":false}\n" {
		t.Errorf("%d %s", r.Code, r.Body)
	}
}

func TestTheLastSlowQueriesAreShownNewestFirst(t *testing.T) {
	m := NewMetrics("v1")
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	shown := func() (out []slowEntry) {
		t.Helper()
		r := httptest.NewRecorder()
		Admin(m, nil).ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/debug/slow", nil))
		if err := json.Unmarshal(r.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for i := range 3 {
		m.SlowQuery(upstream.SlowQuery{SQL: fmt.Sprint(i), Took: 1500 * time.Microsecond, Rows: int64(i), Plan: "SCAN claim"}, at)
	}
	want := []slowEntry{{at, 1.5, 2, "2", "SCAN claim"}, {at, 1.5, 1, "1", "SCAN claim"}, {at, 1.5, 0, "0", "SCAN claim"}}
	if diff := cmp.Diff(want, shown()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i := 3; i < 250; i++ {
		m.SlowQuery(upstream.SlowQuery{SQL: fmt.Sprint(i)}, at)
	}
	got := shown()
	if len(got) != slowKept {
		t.Fatalf("%d are kept, want %d", len(got), slowKept)
	}
	for i, e := range got {
		if e.SQL != fmt.Sprint(249-i) {
			t.Fatalf("number %d is %s", i, e.SQL)
		}
	}
}
