package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"upstream"
	"upstream/internal/jobs"
	"upstream/internal/store"
)

func TestAWorkerLoadsWhatIsQueuedAndStopsWhenItIsTold(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.must("customer", "create", "North")
		ctx := context.Background()
		s, err := store.Open(ctx, w.database)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		tenant, err := s.Tenant(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		u, _, err := jobs.Receive(ctx, tenant, "messy.csv", strings.NewReader(w.read(sample("messy.csv"))), jobs.ReceiveOptions{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		running, stop := context.WithCancel(ctx)
		defer stop()
		ended := make(chan result)
		go func() {
			ended <- w.runWith(running, []string{"UPSTREAM_DATABASE=" + w.database}, "worker", "--workers", "1")
		}()
		for deadline := time.Now().Add(time.Minute); u.Status != upstream.UploadSuccess && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if u, err = tenant.UploadByID(ctx, u.ID); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		r := <-ended
		if u.Status != upstream.UploadSuccess || u.Inserted == 0 {
			t.Errorf("the upload is %+v", u)
		}
		if r.code != exitOK || r.stdout != "" {
			t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		contains(t, r.stderr, `"msg":"working"`, `"msg":"stopping"`)
	})
}

func TestAWorkerWithoutItsDatabaseSaysSo(t *testing.T) {
	w := inSQLite(t)
	w.database = "sqlite:" + w.dir + "/nowhere/x.db"
	contains(t, w.fails(exitFailed, "worker"), "does not exist")
}
