package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // to make a job look silent

	"upstream/internal/pgtest"
	"upstream/internal/redistest"
)

// smallCSV is a file of so many claims, which differ from those of other names.
func smallCSV(name string, claims int) string {
	var b strings.Builder
	b.WriteString("claim_id,payer,cpt_code,submitted_date,decided_date,status\n")
	for i := range claims {
		fmt.Fprintf(&b, "%s-%d,Aetna,99213,2026-03-%02d,2026-04-%02d,PAID\n", name, i, 1+i%28, 1+i%28)
	}
	return b.String()
}

func onBoth(t *testing.T, f func(t *testing.T, database string)) {
	for _, e := range engines {
		t.Run(e.Name, func(t *testing.T) { f(t, e.URL(t)) })
	}
}

// slowUpload sends the first half of a file; finish sends the rest and returns the
// answer.
func (p *process) slowUpload(csv string) (finish func() answer) {
	p.Helper()
	r, w := io.Pipe()
	type result struct {
		a   answer
		err error
	}
	got := make(chan result, 1)
	go func() {
		a, err := p.ask(http.MethodPost, p.address("uploads/"), "text/csv", r)
		r.CloseWithError(err)
		got <- result{a, err}
	}()
	half := len(csv) / 2
	_, _ = io.WriteString(w, csv[:half]) // what failed shows in the answer
	return func() answer {
		p.Helper()
		_, _ = io.WriteString(w, csv[half:])
		w.Close()
		end := <-got
		if end.err != nil {
			p.Fatalf("a request under way was cut off: %v", end.err)
		}
		return end.a
	}
}

func TestSIGTERMEndsWhatIsUnderWayProperly(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		password := ann(t, database)
		p := serve(t, database, "--drain", "700ms")
		p.signIn("ann", password)
		p.want(http.StatusOK, p.get("dashboard/"))
		p.want(http.StatusOK, p.get("/readyz"))
		finish := p.slowUpload(smallCSV("slow", 50_000))
		p.until("the upload is under way", func() bool { return p.metrics()["upstream_http_requests_in_flight"] > 0 })

		// Fifty at once around the signal, on connections old and new.
		var all sync.WaitGroup
		failures := make(chan string, 50)
		for i := range 50 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				a, err := p.ask(http.MethodGet, p.address("claims/"), "", nil)
				if err != nil || a.status != http.StatusOK {
					failures <- fmt.Sprintf("%d %s %v", a.status, a.body, err)
				}
			})
		}
		p.signal(syscall.SIGTERM)
		p.until("it is not ready any more", func() bool { return p.get("/readyz").status == http.StatusServiceUnavailable })
		p.want(http.StatusOK, p.get("/livez"))
		all.Wait()
		close(failures)
		for f := range failures {
			t.Error(f)
		}
		p.until("no new connection is taken", func() bool {
			c, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
			if err == nil {
				c.Close()
			}
			return err != nil
		})
		upload := field[int64](t, p.want(http.StatusAccepted, finish()).body, "id")
		if code := p.exit(); code != 0 || strings.Contains(p.log.String(), `"level":"ERROR"`) {
			t.Errorf("exit code %d", code)
		}

		again := serve(t, database)
		again.access = p.access // keys and sessions outlive the server
		again.loaded(upload)
		again.stop()
		if n := claims(t, database); n != 50_000 {
			t.Errorf("%d claims", n)
		}
		must(t, database, "audit", "verify")
	})
}

func TestASecondSignalEndsTheServerAtOnce(t *testing.T) {
	p := serve(t, engines[0].URL(t), "--drain", "1h")
	p.signal(syscall.SIGTERM)
	p.until("it drains", func() bool { return p.get("/readyz").status == http.StatusServiceUnavailable })
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != -1 {
		t.Errorf("exit code %d, want the end by a signal", code)
	}
}

// fallSilent makes the jobs that a killed server was at look as they do a minute
// later. On SQLite the queue, which may be lost, is lost, too.
func fallSilent(t *testing.T, database string) {
	t.Helper()
	const age = "UPDATE upload SET seen_at = seen_at - 120000000 WHERE seen_at > 0"
	ctx := context.Background()
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		db, err := sql.Open("sqlite", path)
		if err == nil {
			_, err = db.ExecContext(ctx, age)
			db.Close()
		}
		for _, suffix := range []string{"", "-wal", "-shm"} {
			os.Remove(path + "-jobs" + suffix)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	c, err := pgx.Connect(ctx, database)
	if err == nil {
		_, err = c.Exec(ctx, age+"; UPDATE river_job SET attempted_at = attempted_at - interval '2 minutes' WHERE state = 'running'")
		c.Close(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAKilledServerLosesNothingThatWasAcknowledged(t *testing.T) {
	const rows = 60_000
	file, err := os.ReadFile(generatedCSV(t, rows, "3"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		kill func(p *process, upload int64) bool
	}{
		{"right after the acknowledgement", func(*process, int64) bool { return true }},
		{"amid the load", func(p *process, upload int64) bool {
			a := p.want(http.StatusOK, p.get("claims/?page_size=1"))
			return field[int64](p, a.body, "count") > 0
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, database string) {
				password := ann(t, database)
				p := serve(t, database)
				p.signIn("ann", password)
				upload := p.upload(string(file))
				p.until("the time to kill has come", func() bool { return test.kill(p, upload) })
				p.kill()
				if n := claims(t, database); n == rows {
					t.Error("the kill came too late: nothing was tested")
				}
				fallSilent(t, database)
				again := serve(t, database)
				again.access = p.access
				again.loaded(upload)
				a := again.want(http.StatusOK, again.get(fmt.Sprintf("uploads/%d/", upload)))
				read, inserted := field[int64](t, a.body, "read"), field[int64](t, a.body, "inserted")
				if inserted != rows || read < rows {
					t.Errorf("%d read, %d inserted of %d claims", read, inserted, rows)
				}
				again.stop()
				if n := claims(t, database); n != rows {
					t.Errorf("%d claims, want %d", n, rows)
				}
				must(t, database, "audit", "verify")
			})
		})
	}
}

func TestServersAndAWorkerShareADatabase(t *testing.T) {
	database := pgtest.URL(t)
	password := ann(t, database)
	a, b := serve(t, database, "--workers", "1"), serve(t, database, "--workers", "1")
	w := start(t, database, "worker", "--workers", "1", "--admin", "127.0.0.1:0")
	w.admin = "http://" + w.says(w.log, working)[1]
	w.want(http.StatusOK, w.get(w.admin+"/readyz"))
	all := []*process{a, b, w}

	a.signIn("ann", password)
	b.access = a.access
	b.want(http.StatusOK, b.get("auth/me/"))
	k := a.cookie("ann", password)
	if status := b.withCookie(http.MethodGet, "auth/me/", k); status != http.StatusOK {
		t.Errorf("a session of one server at the other: %d", status)
	}
	if status := b.withCookie(http.MethodPost, "auth/logout/", k); status >= 300 {
		t.Errorf("sign out: %d", status)
	}
	if status := a.withCookie(http.MethodGet, "auth/me/", k); status != http.StatusUnauthorized {
		t.Errorf("a session that was ended at the other server: %d", status)
	}

	const uploads, rows = 9, 3000
	var ids []int64
	for i := range uploads {
		ids = append(ids, all[i%2].upload(smallCSV(fmt.Sprintf("u%d", i), rows)))
	}
	for i, id := range ids {
		all[(i+1)%2].loaded(id)
	}
	// What a server has answered is not stale at the other.
	if n := field[int64](t, a.want(http.StatusOK, a.get("claims/?page_size=1")).body, "count"); n != uploads*rows {
		t.Errorf("%d claims, want %d", n, uploads*rows)
	}
	loads := func() (n float64) {
		for _, p := range all {
			n += p.metrics()[`upstream_job_duration_seconds_count{kind="upload"}`]
		}
		return n
	}
	a.until("all loads are counted", func() bool { return loads() >= uploads })
	if n := loads(); n != uploads {
		t.Errorf("%v loads of %d uploads", n, uploads)
	}
	inserted := 0.0
	for _, p := range all {
		inserted += p.metrics()[`upstream_ingest_rows_total{result="inserted"}`]
	}
	if inserted != uploads*rows {
		t.Errorf("metrics count %v rows, want %d", inserted, uploads*rows)
	}
	for _, p := range all {
		p.stop()
	}
	if n := claims(t, database); n != uploads*rows {
		t.Errorf("%d claims, want %d", n, uploads*rows)
	}
}

func TestWhilePostgreSQLIsAwayTheServerSaysSoAndGoesOn(t *testing.T) {
	database := pgtest.Private(t)
	password := ann(t, database.URL)
	p := serve(t, database.URL)
	p.signIn("ann", password)
	p.want(http.StatusOK, p.get("dashboard/"))

	database.Kill()
	for _, path := range []string{"dashboard/", "claims/", "auth/me/", "users/"} {
		a := p.want(http.StatusServiceUnavailable, p.get(path))
		if a.header.Get("Retry-After") == "" || a.header.Get("Content-Type") != "application/problem+json" || field[string](t, a.body, "code") != "unavailable" {
			t.Errorf("%s: %v %s", path, a.header, a.body)
		}
		if strings.Contains(a.body, portOf(t, database.URL)) {
			t.Errorf("%s tells where the database is: %s", path, a.body)
		}
	}
	p.until("health is unhealthy", func() bool {
		a := p.get("health/")
		return a.status == http.StatusServiceUnavailable && field[string](t, a.body, "status") == "unhealthy"
	})
	p.want(http.StatusServiceUnavailable, p.get("/readyz"))
	p.want(http.StatusOK, p.get("/livez"))
	p.metrics() // they are told nevertheless
	logged := regexp.MustCompile(`"level":"WARN","msg":"request","request_id":"[0-9a-f]{32}","method":"GET","route":"/api/v1/dashboard/","code":503,`)
	if !logged.MatchString(p.log.String()) {
		t.Error("the failed request is not logged")
	}

	database.Start(t)
	p.until("it answers again by itself", func() bool { return p.get("dashboard/").status == http.StatusOK })
	p.until("it is ready", func() bool {
		return p.get("/readyz").status == http.StatusOK && p.get("health/").status == http.StatusOK
	})
	p.loaded(p.upload(smallCSV("after", 10))) // jobs go on, too
	p.stop()
	must(t, database.URL, "audit", "verify")
}

func TestWithoutItsRedisAServerGoesOn(t *testing.T) {
	database, shared := engines[0].URL(t), redistest.New(t)
	password := ann(t, database)
	p := serve(t, database, "--redis", shared.URL(), "--rate-limit", "read=1000/1000")
	p.signIn("ann", password)
	p.want(http.StatusOK, p.get("dashboard/"))
	health := func(status, cache string) func() bool {
		return func() bool {
			a := p.want(http.StatusOK, p.get("health/")).body
			return field[string](t, a, "status") == status && field[map[string]string](t, a, "checks")["cache"] == cache
		}
	}
	p.until("all is well", health("healthy", "healthy"))

	shared.Stop()
	for range 20 {
		p.want(http.StatusOK, p.get("claims/"))
	}
	p.until("health is degraded", health("degraded", "degraded"))
	p.want(http.StatusOK, p.get("/readyz"))
	if up, told := p.metrics()["upstream_redis_up"]; up != 0 || !told {
		t.Errorf("upstream_redis_up %v", up)
	}

	shared.Start()
	p.until("health is well again", health("healthy", "healthy"))
	if up := p.metrics()["upstream_redis_up"]; up != 1 {
		t.Errorf("upstream_redis_up %v", up)
	}
	p.want(http.StatusOK, p.get("claims/"))
	p.stop()
	for _, said := range []string{"Redis is lost", "Redis is back"} {
		if n := strings.Count(p.log.String(), said); n != 1 {
			t.Errorf("the log says %d times: %s", n, said)
		}
	}
}

func TestARateLimitHoldsAcrossServers(t *testing.T) {
	database, shared := pgtest.URL(t), redistest.URL(t)
	password := ann(t, database)
	limited := []string{"--redis", shared, "--rate-limit", "read=0.01/6"}
	a, b := serve(t, database, limited...), serve(t, database, limited...)
	a.signIn("ann", password)
	b.access = a.access
	for i := range 6 {
		p := []*process{a, b}[i%2]
		p.want(http.StatusOK, p.get("auth/me/"))
	}
	for _, p := range []*process{a, b} {
		if got := p.want(http.StatusTooManyRequests, p.get("auth/me/")); got.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	p := a
	if n := p.metrics()[`upstream_rate_limited_total{class="read"}`]; n != 1 {
		t.Errorf("%v are counted as limited", n)
	}
}

func TestAdminShowsWhatOperatorsNeedAndThePublicAddressNothingOfIt(t *testing.T) {
	database := engines[0].URL(t)
	password := ann(t, database)
	p := serve(t, database, "--slow-query", "1ns")
	p.signIn("ann", password)
	p.loaded(p.upload(smallCSV("x", 100)))
	for _, path := range []string{"claims/", "claims/1", "claims/1/", "uploads/1/", "nowhere/12345", "users/?page=1"} {
		p.get(path)
	}
	const ran = `upstream_job_duration_seconds_count{kind="upload"}`
	p.until("the job is counted", func() bool { return p.metrics()[ran] == 1 }) // a moment after its row tells
	m := p.metrics()
	for _, want := range []string{
		`upstream_http_request_duration_seconds_count{code="200",method="GET",route="/api/v1/claims/"}`,
		`upstream_http_request_duration_seconds_count{code="200",method="GET",route="/api/v1/uploads/{id}/"}`,
		`upstream_http_request_duration_seconds_count{code="404",method="other",route="unmatched"}`,
		`upstream_ingest_rows_total{result="inserted"}`, `upstream_jobs_waiting{kind="all"}`,
		`upstream_cache_size_bytes{cache="answers"}`, `upstream_audit_dropped_total`, `upstream_db_queries_total`, `upstream_db_slow_queries_total`,
	} {
		if _, told := m[want]; !told {
			t.Errorf("%s is missing", want)
		}
	}
	if n := m[`upstream_ingest_rows_total{result="inserted"}`]; n != 100 {
		t.Errorf("%v rows inserted", n)
	}
	digits := regexp.MustCompile(`route="[^"]*/[0-9]+/?[^"]*"`)
	for name := range m {
		if strings.HasPrefix(name, "upstream_http") && (digits.MatchString(name) || strings.Contains(name, "nowhere")) {
			t.Errorf("a path became a label: %s", name)
		}
	}
	documented(t, m, must(t, database, "serve", "--help"))
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile?seconds=1", "/debug/slow", "/livez", "/readyz"} {
		p.want(http.StatusOK, p.get(p.admin+path))
		if !strings.HasSuffix(path, "z") {
			p.want(http.StatusNotFound, p.get(path))
		}
	}
	p.want(http.StatusNotFound, p.get("/metrics"))
	p.until("detection is counted", func() bool { return p.metrics()["upstream_detection_duration_seconds_count"] == 1 })
	p.stop()
}

func TestWhatKeepsAServerFromStartingIsSaidInALine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	fresh := engines[0].URL(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	port := taken.Addr().String()
	quiet := []string{"--listen", "127.0.0.1:0", "--admin", "off"}
	for _, test := range []struct {
		name, database string
		args           []string
		says           string
	}{
		{"the port is taken", fresh, []string{"serve", "--listen", port}, "can't listen on " + port + ": bind: address already in use"},
		{"the admin port is taken", fresh, []string{"serve", "--listen", "127.0.0.1:0", "--admin", port}, "choose another --admin"},
		{"the worker's admin port is taken", fresh, []string{"worker", "--admin", port}, "choose another --admin"},
		{"the demo's port is taken", "sqlite:" + file + ".none", []string{"demo", "--listen", port}, "choose another --listen"},
		{"the demo listens to others", fresh, []string{"demo", "--listen", ":0"}, "for this machine only"},
		{"the demo shows others its profiles", fresh, []string{"demo", "--admin", "0.0.0.0:0"}, "for this machine only"},
		{"no address", fresh, []string{"serve", "--listen", "8000"}, "--listen must be HOST:PORT"},
		{"another database", "mysql://x", append([]string{"serve"}, quiet...), "the database must be sqlite:FILE or postgres://"},
		{"no database there", "postgres://upstream@127.0.0.1:1/x", append([]string{"serve"}, quiet...), "can't reach PostgreSQL at 127.0.0.1"},
		{"no directory", "sqlite:" + file + "/x.db", append([]string{"serve"}, quiet...), "x.db"},
		{"another Redis", fresh, append([]string{"serve", "--redis", "http://:hunter2@x"}, quiet...), "the address of Redis can't be read"},
		{"a bad rate", fresh, append([]string{"serve", "--rate-limit", "read=fast"}, quiet...), "rate"},
		{"a bad proxy", fresh, append([]string{"serve", "--trusted-proxy", "proxy"}, quiet...), "--trusted-proxy must be like 10.0.0.0/8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := do(t, test.database, test.args...)
			if r.code != 1 || !strings.HasPrefix(r.stderr, "upstream: ") || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, test.says) || strings.Contains(r.stderr, "hunter2") {
				t.Errorf("exit %d, want 1 and %q:\n%s%s", r.code, test.says, r.stdout, r.stderr)
			}
		})
	}
	if _, err := os.Stat(file + ".none"); err == nil {
		t.Error("the demo made claims before it saw that its port was taken")
	}
}

func TestAFreshServerTellsHowToMakeAUser(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		p := serve(t, database)
		p.says(p.log, regexp.MustCompile("nobody can sign in yet.*upstream user create"))
		p.stop()
		ann(t, database)
		p = serve(t, database)
		if p.stop(); strings.Contains(p.log.String(), "nobody can sign in") {
			t.Error("it says so when somebody can")
		}
	})
}

func TestTheDemoServesThisMachineAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		p := start(t, database, "demo", "--records", "4000", "--listen", "localhost:0")
		p.url = p.says(p.out, regexp.MustCompile(`answers at (http://localhost:[0-9]+)/api/v1/`))[1]
		p.says(p.out, regexp.MustCompile(`admin +password admin123 +superuser\nFor this machine only`))
		for _, address := range []string{"127.0.0.1:", "[::1]:"} {
			if a, err := p.ask(http.MethodGet, "http://"+address+portOf(t, p.url)+"/livez", "", nil); err != nil || a.status != http.StatusOK {
				t.Errorf("%s: %v %v", address, a, err)
			}
		}
		for _, user := range [][2]string{{"testuser", "testpass123"}, {"admin", "admin123"}} {
			p.access = ""
			p.signIn(user[0], user[1])
			if n := field[int64](t, p.want(http.StatusOK, p.get("dashboard/")).body, "total_claims"); n != 4000 {
				t.Errorf("%s sees %d claims", user[0], n)
			}
		}
		me := p.get("auth/me/").body
		if !field[bool](t, me, "superuser") || field[int64](t, me, "customer") != 1 {
			t.Errorf("admin is %s", me)
		}
		p.signal(os.Interrupt)
		if code := p.exit(); code != 0 {
			t.Errorf("exit code %d after Ctrl-C", code)
		}

		r := do(t, database, "serve", "--listen", ":0", "--admin", "off")
		if r.code != 1 || !strings.Contains(r.stderr, "everybody knows the password of the demo's user") {
			t.Errorf("its users are served to a network: %d %s", r.code, r.stderr)
		}
		must(t, database, "user", "disable", "testuser")
		must(t, database, "user", "passwd", "admin", "--generate")
		q := serve(t, database, "--listen", ":0")
		q.stop()
		// What somebody made of these users stays.
		again := start(t, database, "demo", "--records", "4000", "--listen", "localhost:0")
		again.says(again.out, regexp.MustCompile(`testuser +with another password.*\n +admin +with another password than the demo's, or disabled`))
		again.stop()
	})
}

// documented fails unless docs/operations.md names each metric and each option.
func documented(t *testing.T, metrics map[string]float64, help string) {
	t.Helper()
	b, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for sample := range metrics {
		name, _, _ := strings.Cut(sample, "{")
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
		short := strings.TrimPrefix(name, "upstream_db_pool") // written so after the first
		if strings.HasPrefix(name, "upstream_") && !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, "`"+short+"`") {
			t.Errorf("docs/operations.md does not name the metric %s", name)
		}
	}
	for _, found := range regexp.MustCompile(`(?m)^ +(?:-h, )?(--[a-z-]+)`).FindAllStringSubmatch(help, -1) {
		if option := found[1]; option != "--help" && !strings.Contains(text, option) {
			t.Errorf("docs/operations.md does not tell of %s", option)
		}
	}
}
