package jobs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"

	"upstream"
	"upstream/internal/pgtest"
	"upstream/internal/store"
	"upstream/internal/synth"
)

// workerVariable makes this binary a worker on a database, for tests that kill one.
const workerVariable = "UPSTREAM_TEST_WORKER"

func TestMain(m *testing.M) {
	if url := os.Getenv(workerVariable); url != "" {
		os.Exit(workAsChild(url))
	}
	os.Exit(pgtest.MainWithoutLeaks(m))
}

// quick is a pace for tests in which jobs die.
var quick = pace{beat: 100 * time.Millisecond, silent: 3 * time.Second, sweep: 200 * time.Millisecond, retry: time.Millisecond}

func workAsChild(url string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := store.Open(ctx, url)
	if err == nil {
		var j *Jobs
		if j, err = Open(ctx, url, s, Options{Work: true, Workers: 2, pace: quick}); err == nil {
			err = j.Start(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	<-ctx.Done()
	return 0
}

// child starts a worker process.
func child(t *testing.T, url string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), workerVariable+"="+url)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// now is a Wednesday.
var now = time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

// world is a database with a customer.
type world struct {
	*testing.T
	url    string
	store  *store.Store
	tenant *store.Tenant
}

// onBoth runs a test in a world on each engine.
func onBoth(t *testing.T, f func(w *world)) {
	for _, e := range pgtest.Engines {
		t.Run(e.Name, func(t *testing.T) { f(newWorld(t, e.URL(t))) })
	}
}

func newWorld(t *testing.T, url string) *world {
	t.Helper()
	w := &world{T: t, url: url}
	ctx := context.Background()
	s, err := store.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w.store = s
	c, err := s.CreateCustomer(ctx, "A", now)
	if err != nil {
		t.Fatal(err)
	}
	if w.tenant, err = s.Tenant(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	return w
}

// jobs opens and starts the queue; it stops with the test.
func (w *world) jobs(o Options) *Jobs {
	w.Helper()
	if o.Now == nil {
		o.Now = clock
	}
	j, err := Open(context.Background(), w.url, w.store, o)
	if err != nil {
		w.Fatal(err)
	}
	if err := j.Start(context.Background()); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { w.stop(j) })
	return j
}

// stop stops the queue; again it does nothing.
func (w *world) stop(j *Jobs) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := j.Stop(ctx); err != nil {
		w.Error(err)
	}
}

// file is a CSV file of synthetic claims.
func file(t testing.TB, records int64, seed uint64) []byte {
	t.Helper()
	o := synth.Options{Records: records, Seed: seed, AsOf: upstream.DayOf(now) - 1}
	o.Drifts = synth.Planted(o)
	g, err := synth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := synth.NewCSVWriter(&b)
	var c upstream.Claim
	for i := range records {
		g.Claim(i, &c)
		if err := w.Write(&c); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func options() ReceiveOptions {
	return ReceiveOptions{FileDate: upstream.DayOf(now), Now: clock}
}

// receive takes in a file that is new.
func (w *world) receive(content []byte) upstream.Upload {
	w.Helper()
	u, created, err := Receive(context.Background(), w.tenant, "claims.csv", bytes.NewReader(content), options())
	if err != nil || !created || u.Status != upstream.UploadQueued {
		w.Fatalf("received: %+v, %t, %v", u, created, err)
	}
	return u
}

// until waits for something to become so.
func (w *world) until(what string, so func() bool) {
	w.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("in vain waited until %s", what)
		}
	}
}

func (w *world) upload(id int64) upstream.Upload {
	w.Helper()
	u, err := w.tenant.UploadByID(context.Background(), id)
	if err != nil {
		w.Fatal(err)
	}
	return u
}

func (w *world) run(id int64) upstream.ReportRun {
	w.Helper()
	r, err := w.tenant.ReportRun(context.Background(), id)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// loaded waits until an upload is done and its bytes are gone.
func (w *world) loaded(id int64) upstream.Upload {
	w.Helper()
	w.until("the upload has ended", func() bool { return w.done(store.UploadWork, id) })
	u := w.upload(id)
	if u.Status != upstream.UploadSuccess {
		w.Fatalf("upload %+v", u)
	}
	return u
}

// ended waits until a run has ended.
func (w *world) ended(id int64) upstream.ReportRun {
	w.Helper()
	w.until("the run has ended", func() bool { return w.run(id).Status != upstream.RunRunning })
	return w.run(id)
}

// done tells whether there is no work any more.
func (w *world) done(kind store.WorkKind, id int64) bool {
	w.Helper()
	_, err := w.tenant.Work(context.Background(), kind, id)
	if err != nil && upstream.ErrorCode(err) != upstream.NotFound {
		w.Fatal(err)
	}
	return err != nil
}

// claims counts the customer's claims, which the rollups must equal.
func (w *world) claims() int64 {
	w.Helper()
	check, err := w.tenant.VerifyRollup(context.Background())
	if err != nil || !check.OK() {
		w.Fatalf("rollup %+v, %v", check, err)
	}
	c, err := w.tenant.Customer(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	return c.Claims
}

// request asks for a run of our detector.
func (w *world) request(r store.RunRequest) upstream.ReportRun {
	w.Helper()
	if r.Detector == "" {
		r.Detector = "upstream"
	}
	run, created, err := w.tenant.RequestRun(context.Background(), r, now)
	if err != nil || !created || run.Status != upstream.RunRunning {
		w.Fatalf("requested: %+v, %t, %v", run, created, err)
	}
	return run
}

// audited checks the customer's audit log, which is whole, newest entry first.
func (w *world) audited(want ...string) {
	w.Helper()
	list, err := w.store.Audit(context.Background(), 1, store.AuditFilter{}, upstream.Page{})
	if err != nil {
		w.Fatal(err)
	}
	got := []string{}
	for _, e := range list.Items {
		got = append(got, e.Action+" by "+e.Actor+" of "+e.Target)
		if e.Count != 1 || !e.At.Equal(now) {
			w.Errorf("%+v", e)
		}
	}
	if !slices.Equal(got, want) {
		w.Errorf("audited %q, want %q", got, want)
	}
	if check, err := w.store.VerifyAudit(context.Background(), 1); err != nil || !check.OK() {
		w.Errorf("%+v, %v", check, err)
	}
}

// withoutNights keeps the detection of a day from coming in between.
func (w *world) withoutNights() {
	w.Helper()
	s := upstream.DefaultSettings()
	s.NightlyDetection, s.WeeklyReport = false, false
	if err := w.tenant.SaveSettings(context.Background(), s, now); err != nil {
		w.Fatal(err)
	}
}
