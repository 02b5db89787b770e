package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scrape returns the lines of the metrics that begin with a prefix, in their order.
func scrape(t testing.TB, m *Metrics, prefixes ...string) (lines []string) {
	t.Helper()
	r := httptest.NewRecorder()
	Admin(m, nil).ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if r.Code != http.StatusOK {
		t.Fatalf("status %d: %s", r.Code, r.Body)
	}
	for line := range strings.Lines(r.Body.String()) {
		for _, p := range prefixes {
			if strings.HasPrefix(line, p) {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}

func scraped(t *testing.T, m *Metrics, want []string, prefixes ...string) {
	t.Helper()
	if diff := cmp.Diff(want, scrape(t, m, prefixes...)); diff != "" {
		t.Errorf("scraped (-want +got):\n%s", diff)
	}
}

// used is a Metrics in which everything has been counted once.
func used() *Metrics {
	m := NewMetrics("v1")
	r := m.Route("/api/v1/claims/{id}/", http.MethodGet)
	r.Begin()
	r.End(http.StatusOK, time.Millisecond, 100)
	c := m.Cache("answers", func() int64 { return 7 })
	c.Hit()
	c.Miss()
	m.AuthFailed("token")
	m.RateLimited("read")
	m.JobEnded("ingest", time.Second, time.Second, true)
	m.Ingested(upstream.Tally{Inserted: 1})
	m.Detected(time.Millisecond, []upstream.DriftEvent{{Signal: upstream.DenialRate}})
	m.AuditDropped()
	m.SlowQuery(upstream.SlowQuery{}, time.Time{})
	m.Watch(Sources{
		Pool: func() upstream.PoolStats {
			return upstream.PoolStats{Open: 4, Busy: 3, Max: 8, Waiting: 2, Waits: 9, Waited: time.Second}
		},
		Queries: func() int64 { return 11 }, AuditQueue: func() int { return 5 },
		Redis: func(context.Context) bool { return true },
		Jobs: func(context.Context) ([]upstream.QueueStats, error) {
			return []upstream.QueueStats{{Kind: "ingest", Waiting: 3, Running: 1, OldestWait: time.Minute}}, nil
		},
	})
	return m
}

func TestTheMetricsAreNamedAsPrometheusAsks(t *testing.T) {
	problems, err := testutil.GatherAndLint(used().registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestRequestsAreMeasuredByRoutePatternMethodAndStatus(t *testing.T) {
	m := NewMetrics("v1")
	claims, odd := m.Route("/api/v1/claims/{id}/", http.MethodGet), m.Route("unmatched", "BREW")
	for _, took := range []time.Duration{400 * time.Microsecond, 500 * time.Microsecond, 150 * time.Millisecond} {
		claims.Begin()
		claims.End(http.StatusOK, took, 1000)
	}
	claims.Begin()
	claims.End(http.StatusNotFound, time.Minute, -1)
	odd.Begin()
	odd.End(999, time.Millisecond, 10)
	odd.Begin() // still being answered
	const name = "upstream_http_request_duration_seconds_"
	scraped(t, m, []string{
		name + `bucket{code="200",method="GET",route="/api/v1/claims/{id}/",le="0.0005"} 2`,
		name + `bucket{code="200",method="GET",route="/api/v1/claims/{id}/",le="0.1"} 2`,
		name + `bucket{code="200",method="GET",route="/api/v1/claims/{id}/",le="0.2"} 3`,
		name + `bucket{code="404",method="GET",route="/api/v1/claims/{id}/",le="10"} 0`,
		name + `bucket{code="404",method="GET",route="/api/v1/claims/{id}/",le="+Inf"} 1`,
		name + `count{code="500",method="other",route="unmatched"} 1`,
	},
		name+`bucket{code="200",method="GET",route="/api/v1/claims/{id}/",le="0.0005"}`,
		name+`bucket{code="200",method="GET",route="/api/v1/claims/{id}/",le="0.1"}`,
		name+`bucket{code="200",method="GET",route="/api/v1/claims/{id}/",le="0.2"}`,
		name+`bucket{code="404",method="GET",route="/api/v1/claims/{id}/",le="10"}`,
		name+`bucket{code="404",method="GET",route="/api/v1/claims/{id}/",le="+Inf"}`,
		name+`count{code="500"`,
	)
	scraped(t, m, []string{
		`upstream_http_requests_in_flight 1`,
		`upstream_http_response_bytes_total{method="GET",route="/api/v1/claims/{id}/"} 3000`,
		`upstream_http_response_bytes_total{method="other",route="unmatched"} 10`,
	}, "upstream_http_requests_in_flight", "upstream_http_response_bytes_total")
}

func TestCountersCountWhatTheySay(t *testing.T) {
	m := used()
	m.Ingested(upstream.Tally{Inserted: 4, Updated: 3, Unchanged: 2, Rejected: 1})
	scraped(t, m, []string{
		`upstream_build_info{goversion="` + runtime.Version() + `",version="v1"} 1`,
		`upstream_cache_requests_total{cache="answers",result="hit"} 1`,
		`upstream_cache_requests_total{cache="answers",result="miss"} 1`,
		`upstream_cache_size_bytes{cache="answers"} 7`,
	}, "upstream_build_info", "upstream_cache")
	scraped(t, m, []string{
		`upstream_ingest_rows_total{result="inserted"} 5`,
		`upstream_ingest_rows_total{result="other"} 0`,
		`upstream_ingest_rows_total{result="rejected"} 1`,
		`upstream_ingest_rows_total{result="unchanged"} 2`,
		`upstream_ingest_rows_total{result="updated"} 3`,
	}, "upstream_ingest")
	scraped(t, m, []string{
		`upstream_auth_failures_total{reason="token"} 1`,
		`upstream_detection_duration_seconds_count 1`,
		`upstream_detection_events_total{drift_type="DENIAL_RATE"} 1`,
		`upstream_job_duration_seconds_sum{kind="ingest"} 1`,
		`upstream_job_failures_total{kind="ingest"} 1`,
		`upstream_job_wait_seconds_sum{kind="ingest"} 1`,
		`upstream_rate_limited_total{class="read"} 1`,
	}, `upstream_auth_failures_total{reason="token"`, "upstream_detection_duration_seconds_count", `upstream_detection_events_total{drift_type="DENIAL`,
		"upstream_job_duration_seconds_sum", "upstream_job_failures", "upstream_job_wait_seconds_sum", `upstream_rate_limited_total{class="read"`)
	for _, of := range []string{"go_goroutines", "process_cpu_seconds_total"} {
		if len(scrape(t, m, of)) != 1 {
			t.Errorf("%s is missing", of)
		}
	}
}

func TestSourcesAreReadAtEachScrape(t *testing.T) {
	scraped(t, used(), []string{
		`upstream_audit_dropped_total 1`,
		`upstream_audit_queue_entries 5`,
		`upstream_db_pool_busy_connections 3`,
		`upstream_db_pool_connections 4`,
		`upstream_db_pool_max_connections 8`,
		`upstream_db_pool_wait_seconds_total 1`,
		`upstream_db_pool_waiting 2`,
		`upstream_db_pool_waits_total 9`,
		`upstream_db_queries_total 11`,
		`upstream_db_slow_queries_total 1`,
		`upstream_jobs_oldest_wait_seconds{kind="ingest"} 60`,
		`upstream_jobs_running{kind="ingest"} 1`,
		`upstream_jobs_waiting{kind="ingest"} 3`,
		`upstream_redis_up 1`,
	}, "upstream_db", "upstream_jobs", "upstream_redis", "upstream_audit")
}

// A queue that can't be read has no depth, which an alert tells from 0; all
// else is told.
func TestAQueueThatCantBeReadIsNotToldAsEmpty(t *testing.T) {
	m := NewMetrics("v1")
	var ctx context.Context
	m.Watch(Sources{
		Redis: func(context.Context) bool { return false },
		Jobs: func(c context.Context) ([]upstream.QueueStats, error) {
			ctx = c
			return nil, errors.New("no database")
		},
	})
	scraped(t, m, []string{"upstream_redis_up 0"}, "upstream_jobs", "upstream_redis", "upstream_db_pool")
	scraped(t, m, []string{"upstream_scrape_failures_total 2"}, "upstream_scrape_failures")
	if _, limited := ctx.Deadline(); !limited {
		t.Error("a scrape may wait for ever")
	}
}

func TestNothingThatIsTypedBecomesALabel(t *testing.T) {
	m := NewMetrics("v1")
	before := len(scrape(t, m, "upstream_"))
	for i := range 1000 {
		typed := fmt.Sprintf("typed%d", i)
		m.AuthFailed(typed)
		m.RateLimited(typed)
		m.Detected(0, []upstream.DriftEvent{{Signal: upstream.Signal(typed)}})
	}
	if after := len(scrape(t, m, "upstream_")); after != before {
		t.Errorf("%d series became %d", before, after)
	}
	scraped(t, m, []string{`upstream_auth_failures_total{reason="other"} 1000`}, `upstream_auth_failures_total{reason="other"`)
	for i := range 1000 {
		m.JobEnded(fmt.Sprintf("typed%d", i), 0, 0, false)
		m.Route("unmatched", fmt.Sprintf("TYPED%d", i)).End(200, 0, 0)
	}
	if n := len(scrape(t, m, "upstream_job_failures_total")); n != maxValues+1 {
		t.Errorf("%d kinds of jobs, want %d", n, maxValues+1)
	}
	if n := len(scrape(t, m, "upstream_http_request_duration_seconds_count")); n != 1 {
		t.Errorf("%d methods", n)
	}
}

func TestManyMayCountAtOnce(t *testing.T) {
	m := NewMetrics("v1")
	r := m.Route("/", http.MethodGet)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 500 {
				r.Begin()
				r.End(200+i%3, time.Duration(i)*time.Microsecond, 1)
				m.JobEnded(fmt.Sprint(i%100), 0, 0, true)
				m.SlowQuery(upstream.SlowQuery{}, time.Time{})
			}
			scrape(t, m, "upstream_")
		})
	}
	wg.Wait()
	scraped(t, m, []string{"upstream_http_requests_in_flight 0", `upstream_http_response_bytes_total{method="GET",route="/"} 4000`},
		"upstream_http_requests_in_flight", "upstream_http_response_bytes_total")
}

func TestARequestIsCountedWithoutAllocating(t *testing.T) {
	m := NewMetrics("v1")
	r, c := m.Route("/", http.MethodGet), m.Cache("answers", func() int64 { return 0 })
	r.End(200, 0, 0)
	allocated := testing.AllocsPerRun(1000, func() {
		r.Begin()
		c.Hit()
		r.End(200, time.Millisecond, 100)
	})
	if allocated != 0 {
		t.Errorf("%v allocations a request", allocated)
	}
}

func BenchmarkRequest(b *testing.B) {
	m := NewMetrics("v1")
	r, c := m.Route("/", http.MethodGet), m.Cache("answers", func() int64 { return 0 })
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			r.Begin()
			c.Hit()
			r.End(200, time.Millisecond, 100)
		}
	})
}
