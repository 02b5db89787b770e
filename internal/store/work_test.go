package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"upstream"
)

// queued makes an upload of a few bytes that waits for a job.
func queued(t rapid.TB, tenant *Tenant, name string) (upstream.Upload, Work) {
	t.Helper()
	ctx := context.Background()
	b, err := tenant.NewBody(ctx, now)
	if err == nil {
		err = b.Add(ctx, []byte("bytes of "+name), now)
	}
	if err != nil {
		t.Fatal(err)
	}
	u, created, err := b.Upload(ctx, name, "sha of "+name, 20_000, now)
	if err != nil || !created {
		t.Fatalf("%+v, %t, %v", u, created, err)
	}
	w, err := tenant.Work(ctx, UploadWork, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return u, w
}

// asked makes a run that waits for a job.
func asked(t rapid.TB, tenant *Tenant) Work {
	t.Helper()
	run, created, err := tenant.RequestRun(context.Background(), RunRequest{Type: "custom", Detector: "upstream"}, now)
	if err != nil || !created {
		t.Fatalf("%+v, %t, %v", run, created, err)
	}
	w, err := tenant.Work(context.Background(), RunWork, run.ID)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWorkIsOneTurnsAndOneJobs(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		_, upload := queued(t, tenant, "f")
		for _, w := range []Work{upload, asked(t, tenant)} {
			claim := func(w Work, silentSince time.Time, want Claimed) {
				t.Helper()
				if got, err := s.Claim(ctx, w, now, silentSince); got != want || err != nil {
					t.Errorf("%s: claimed %v, want %v; %v", w.Kind, got, want, err)
				}
			}
			lost := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, ErrLost) || upstream.ErrorCode(err) != upstream.Conflict {
					t.Errorf("%s: %s: %v, want ErrLost", w.Kind, what, err)
				}
			}
			claim(w, now, Mine)
			claim(w, now, Busy)
			claim(w, now.Add(time.Second), Mine) // the other has given no sign since
			if err := s.Beat(ctx, w, now.Add(time.Minute)); err != nil {
				t.Errorf("beat: %v", err)
			}
			claim(w, now.Add(time.Second), Busy)
			if err := s.Release(ctx, w); err != nil {
				t.Errorf("release: %v", err)
			}
			claim(w, now, Mine)
			_, err := s.Requeue(ctx, w, now)
			lost("requeued from a job that lives", err)
			if err := s.Beat(ctx, w, now); err != nil { // it goes on
				t.Errorf("beat: %v", err)
			}
			next, err := s.Requeue(ctx, w, now.Add(time.Second))
			if err != nil || next.Turn != w.Turn+1 || next.Lost != 1 {
				t.Fatalf("requeued as %+v, %v", next, err)
			}
			_, err = s.Requeue(ctx, w, now.Add(time.Second))
			lost("requeued twice", err)
			lost("beat of an old turn", s.Beat(ctx, w, now))
			lost("release of an old turn", s.Release(ctx, w))
			lost("failure of an old turn", s.Fail(ctx, w, "no", now))
			claim(w, now.Add(time.Hour), Done)
			claim(next, now, Mine)
			if err := s.Fail(ctx, next, "so it is", now); err != nil {
				t.Errorf("fail: %v", err)
			}
			lost("failure after the end", s.Fail(ctx, next, "no", now))
			claim(next, now.Add(time.Hour), Done)
			if _, err := tenant.Work(ctx, w.Kind, w.ID); upstream.ErrorCode(err) != upstream.NotFound {
				t.Errorf("%s: work that has failed is there: %v", w.Kind, err)
			}
		}
		u, err := tenant.UploadByID(ctx, 1)
		if err != nil || u.Status != upstream.UploadFailed || u.Error != "so it is" {
			t.Errorf("upload %+v, %v", u, err)
		}
		r, err := tenant.ReportRun(ctx, 1)
		if err != nil || r.Status != upstream.RunFailed || r.Error != "so it is" || !r.FinishedAt.Equal(now) {
			t.Errorf("run %+v, %v", r, err)
		}
	})
}

func TestWaitingTellsQueuedFromSilent(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		a, b := customer(t, s, "A"), customer(t, s, "B")
		_, one := queued(t, a, "one")
		_, two := queued(t, b, "two")
		_, three := queued(t, b, "three")
		run := asked(t, b)
		load(t, a, source("without a job", decided("1", 20_000, 5, upstream.Paid)), 10)
		for _, w := range []Work{two, run} {
			if _, err := s.Claim(ctx, w, now, now); err != nil {
				t.Fatal(err)
			}
		}
		waiting := func(since time.Time, wantQueued, wantSilent []Work) {
			t.Helper()
			queued, silent, err := s.Waiting(ctx, since)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]Work{wantQueued, wantSilent}, [][]Work{queued, silent}); diff != "" {
				t.Error(diff)
			}
		}
		waiting(now, []Work{one, three}, nil)
		waiting(now.Add(time.Second), []Work{one, three}, []Work{two, run})
		if err := s.Beat(ctx, run, now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		waiting(now.Add(time.Second), []Work{one, three}, []Work{two})
	})
}

func TestAnUploadThatIsLoadedStaysSoWhateverBecomesOfItsJob(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		u, w := queued(t, tenant, "f")
		src := source("f", decided("1", 20_000, 5, upstream.Paid))
		if got, err := tenant.Load(ctx, src, LoadOptions{Now: now, Job: true}); err != nil || got.ID != u.ID || got.Status != upstream.UploadSuccess {
			t.Fatalf("%+v, %v", got, err)
		}
		if c, err := s.Claim(ctx, w, now, now); c != Mine || err != nil { // what follows a load is to be done
			t.Errorf("claimed: %v, %v", c, err)
		}
		success := func() {
			t.Helper()
			if got, err := tenant.UploadByID(ctx, u.ID); err != nil || got.Status != upstream.UploadSuccess {
				t.Errorf("%+v, %v", got, err)
			}
		}
		success()
		if err := s.Release(ctx, w); err != nil {
			t.Error(err)
		}
		success()
		if part, err := tenant.UploadPart(ctx, u.ID, 0); string(part) != "bytes of f" || err != nil {
			t.Errorf("its bytes are %q, %v", part, err)
		}
		if part, err := tenant.UploadPart(ctx, u.ID, 1); part != nil || err != nil {
			t.Errorf("after the last part: %q, %v", part, err)
		}
		if err := s.FinishUpload(ctx, w); err != nil {
			t.Error(err)
		}
		if err := s.FinishUpload(ctx, w); !errors.Is(err, ErrLost) {
			t.Errorf("finished twice: %v", err)
		}
		success()
		if _, err := tenant.UploadPart(ctx, u.ID, 0); upstream.ErrorCode(err) != upstream.NotFound {
			t.Errorf("its bytes are still there: %v", err)
		}
	})
}

func TestALoadOfAJobLeavesItToTheJobHowItEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		u, w := queued(t, tenant, "f")
		if _, err := s.Claim(ctx, w, now, now); err != nil {
			t.Fatal(err)
		}
		broken := upstream.Errorf(upstream.Unavailable, "the disk is gone")
		src := source("f", decided("1", 20_000, 5, upstream.Paid), decided("2", 20_000, 5, upstream.Paid))
		next := src.Next
		n := 0
		src.Next = func(c *upstream.Claim) (*upstream.Reject, error) {
			if n++; n == 2 {
				return nil, broken
			}
			return next(c)
		}
		got, err := tenant.Load(ctx, src, LoadOptions{BatchRows: 1, Now: now, Job: true})
		if !errors.Is(err, broken) || got.Status != upstream.UploadRunning || got.Read != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := tenant.UploadByID(ctx, u.ID); err != nil || got.Status != upstream.UploadRunning || got.Error != "" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestACutOffUploadOfACommandIsTakenOverWithItsBytes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		stopped, stop := context.WithCancel(ctx)
		src := source("f", decided("1", 20_000, 5, upstream.Paid), decided("2", 20_000, 5, upstream.Paid))
		cut, err := tenant.Load(stopped, src, LoadOptions{BatchRows: 1, Now: now, Progress: func(int64) { stop() }})
		if err == nil || cut.Status != upstream.UploadRunning {
			t.Fatalf("%+v, %v", cut, err)
		}
		if _, err := tenant.Work(ctx, UploadWork, cut.ID); upstream.ErrorCode(err) != upstream.NotFound {
			t.Errorf("it is work without bytes: %v", err)
		}
		u, _ := queued(t, tenant, "f")
		if u.ID != cut.ID || u.Status != upstream.UploadQueued || u.Read != cut.Read || u.Read == 0 {
			t.Errorf("taken over: %+v", u)
		}
	})
}

func TestARequestedRunIsShownAsRunningAndSavedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		detect(t, tenant, 20_100, telling(event("Aetna", 20_000)))
		w := asked(t, tenant)
		shown, err := tenant.ReportRun(ctx, w.ID)
		if err != nil || w.ID != 2 || shown.Status != upstream.RunRunning || !shown.FinishedAt.IsZero() || !shown.StartedAt.Equal(now) {
			t.Fatalf("%+v, %v", shown, err)
		}
		// It is no basis of others while it isn't saved, and they may overtake it.
		_, before, err := tenant.Incidents(ctx, "upstream", 20_107)
		if err != nil {
			t.Fatal(err)
		}
		overtaking := aRun(20_107)
		if err := tenant.SaveRun(ctx, &overtaking, nil, before); err != nil || overtaking.ID != 3 {
			t.Fatalf("run %d, %v", overtaking.ID, err)
		}
		run := aRun(20_114)
		run.ID = w.ID
		if err := tenant.SaveRun(ctx, &run, nil, before); upstream.ErrorCode(err) != upstream.Conflict {
			t.Errorf("overtaken: %v", err)
		}
		_, basis, err := tenant.Incidents(ctx, "upstream", 20_114)
		if err != nil || basis == before {
			t.Fatalf("basis %d, %v", basis, err)
		}
		if err := tenant.SaveRun(ctx, &run, []upstream.DriftEvent{event("Cigna", 20_100)}, basis); err != nil || run.ID != 2 {
			t.Fatalf("run %d, %v", run.ID, err)
		}
		if got, err := tenant.ReportRun(ctx, 2); err != nil || got.Status != upstream.RunSuccess || got.EventCount != 1 || got.AsOf != 20_114 {
			t.Errorf("%+v, %v", got, err)
		}
		if last, err := tenant.LastRun(ctx, "upstream"); err != nil || last.ID != 2 {
			t.Errorf("the last is %d, %v", last.ID, err)
		}
		// Another evaluation of it, from the same basis or a newer one, is lost.
		_, basis, err = tenant.Incidents(ctx, "upstream", 20_114)
		if err != nil {
			t.Fatal(err)
		}
		if err := tenant.SaveRun(ctx, &run, nil, basis); !errors.Is(err, ErrLost) {
			t.Errorf("saved twice: %v", err)
		}
		if _, err := tenant.ReportRun(ctx, 99); upstream.ErrorCode(err) != upstream.NotFound {
			t.Errorf("run 99: %v", err)
		}
	})
}

func TestARequestWithAKeyIsMadeOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		a, b := customer(t, s, "A"), customer(t, s, "B")
		r := RunRequest{Type: "weekly", Detector: "upstream", Key: "week 2026-03-02"}
		for n, want := range []bool{true, false} {
			if run, created, err := a.RequestRun(ctx, r, now); err != nil || created != want || run.ID != 1 || run.RunType != "weekly" {
				t.Errorf("request %d: %+v, %t, %v", n, run, created, err)
			}
		}
		if _, created, err := b.RequestRun(ctx, r, now); err != nil || !created {
			t.Errorf("another customer's: %t, %v", created, err)
		}
		r.Key = ""
		for range 2 {
			if _, created, err := a.RequestRun(ctx, r, now); err != nil || !created {
				t.Errorf("without a key: %t, %v", created, err)
			}
		}
		r.Type = "hourly"
		if _, _, err := a.RequestRun(ctx, r, now); upstream.ErrorCode(err) != upstream.Invalid {
			t.Errorf("hourly: %v", err)
		}
	})
}

// Whatever jobs, sweeps and people do in any order, work has one owner, and a turn
// that is over never comes back.
func TestWorkHasOneOwner(t *testing.T) {
	s := open(t, engines[0].URL(t))
	tenant := customer(t, s, "A")
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		w := asked(t, tenant)
		at, turn, owned, ended := now, w.Turn, int64(0), false // owned: the turn whose job has it
		var seen time.Time
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			at = at.Add(time.Second)
			mine := Work{RunWork, tenant.id, w.ID, rapid.Int64Range(1, turn).Draw(t, "turn"), 0}
			current := mine.Turn == turn && !ended
			switch rapid.SampledFrom([]string{"claim", "beat", "release", "requeue", "fail"}).Draw(t, "step") {
			case "claim":
				want := Done
				if current {
					want = Mine
					if owned == turn && !seen.Before(at.Add(-3*time.Second)) {
						want = Busy
					}
				}
				got, err := s.Claim(ctx, mine, at, at.Add(-3*time.Second))
				if got != want || err != nil {
					t.Fatalf("claim: %v, want %v, %v", got, want, err)
				}
				if got == Mine {
					owned, seen = turn, at
				}
			case "beat":
				if err := s.Beat(ctx, mine, at); (err == nil) != current {
					t.Fatalf("beat: %v, current %t", err, current)
				}
				if current {
					owned, seen = turn, at
				}
			case "release":
				if err := s.Release(ctx, mine); (err == nil) != current {
					t.Fatalf("release: %v, current %t", err, current)
				}
				if current {
					owned = 0
				}
			case "requeue":
				next, err := s.Requeue(ctx, mine, at.Add(-3*time.Second))
				current = current && (owned != turn || seen.Before(at.Add(-3*time.Second)))
				if (err == nil) != current {
					t.Fatalf("requeue: %v, current and silent %t", err, current)
				}
				if current {
					turn, owned = next.Turn, 0
				}
			case "fail":
				if turn < 3 {
					continue
				}
				if err := s.Fail(ctx, mine, "x", at); (err == nil) != current {
					t.Fatalf("fail: %v, current %t", err, current)
				}
				ended = ended || current
			}
		}
	})
}
