package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"upstream"
)

// pages walks a list of one of the small tables to its end and back again, and
// by offsets, and returns its rows and count.
func pages[T any](t *testing.T, size int, read func(upstream.Page) (upstream.List[T], error)) (all []T, count int64) {
	t.Helper()
	get := func(p upstream.Page) upstream.List[T] {
		p.Size = size
		list, err := read(p)
		if err != nil {
			t.Fatal(err)
		}
		if list.Items == nil || len(list.Items) > size || !list.Count.Exact {
			t.Fatalf("%+v: %+v", p, list)
		}
		count = list.Count.N
		return list
	}
	list := get(upstream.Page{})
	if !list.Previous.IsZero() {
		t.Errorf("there is a page before the first one")
	}
	all = list.Items[:len(list.Items):len(list.Items)]
	for !list.Next.IsZero() {
		list = get(upstream.Page{After: list.Next})
		all = append(all, list.Items...)
	}
	back := slices.Clone(list.Items)
	for !list.Previous.IsZero() {
		list = get(upstream.Page{Before: list.Previous})
		back = append(slices.Clone(list.Items), back...)
	}
	if diff := cmp.Diff(all, back); diff != "" {
		t.Errorf("forward -, backward +\n%s", diff)
	}
	numbered := []T{}
	for offset := 0; offset <= len(all); offset += size {
		numbered = append(numbered, get(upstream.Page{Offset: offset}).Items...)
	}
	if diff := cmp.Diff(all, numbered); diff != "" {
		t.Errorf("by key -, by number +\n%s", diff)
	}
	return all, count
}

func TestEventsAreFilteredAndOrdered(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant, other := customer(t, s, "A"), customer(t, s, "B")
		with := func(payer string, severity float64, dollars upstream.Money, change func(*upstream.DriftEvent)) upstream.DriftEvent {
			e := event(payer, 20_100)
			e.Severity, e.DollarsPerMonth = severity, dollars
			change(&e)
			return e
		}
		none := func(*upstream.DriftEvent) {}
		detect(t, other, 20_112, telling(event("Aetna", 20_100)))
		detect(t, tenant, 20_112, telling(
			with("Aetna", .2, 500, none),
			with("Cigna", .1, 500, func(e *upstream.DriftEvent) { e.Tier = upstream.Watch }),
			with("Humana", .2, 100, func(e *upstream.DriftEvent) { e.Signal = upstream.Takeback }),
			with("Aetna", .05, -20, func(e *upstream.DriftEvent) { e.CPTGroup, e.Level = nil, upstream.PayerLevel })))
		detect(t, tenant, 20_119, telling(with("UHC", .1234567894, 300, none)))
		judge(t, tenant, 3, Verdict{Status: upstream.Noise})
		first, second := aRun(20_112).StartedAt, aRun(20_119).StartedAt
		if !second.After(first) {
			t.Fatal("both runs began at once")
		}
		for _, test := range []struct {
			f    EventFilter
			want []int64
		}{
			{EventFilter{}, []int64{1, 2, 3, 4, 5}},
			{EventFilter{Order: "-created_at"}, []int64{5, 4, 3, 2, 1}},
			{EventFilter{Order: "severity"}, []int64{4, 2, 5, 1, 3}},
			{EventFilter{Order: "-severity"}, []int64{3, 1, 5, 2, 4}},
			{EventFilter{Order: "dollars_per_month"}, []int64{4, 3, 5, 1, 2}},
			{EventFilter{Order: "-dollars_per_month"}, []int64{2, 1, 5, 3, 4}},
			{EventFilter{Detector: "upstream", Tier: upstream.Alert, Order: "-severity"}, []int64{3, 1, 5, 4}},
			{EventFilter{Detector: "threshold"}, nil},
			{EventFilter{Statuses: []upstream.EventStatus{upstream.Noise, upstream.Resolved}}, []int64{3}},
			{EventFilter{Payer: "Cigna", Statuses: []upstream.EventStatus{upstream.Open}}, []int64{2}},
			{EventFilter{Signal: upstream.Takeback}, []int64{3}},
			{EventFilter{CPTGroup: "Physical therapy", Payer: "Aetna"}, []int64{1}},
			{EventFilter{MinSeverity: new(.1), MaxSeverity: new(.2), Order: "severity"}, []int64{2, 5, 1, 3}},
			{EventFilter{MinSeverity: new(.1234567894), MaxSeverity: new(.15)}, []int64{5}},
			{EventFilter{ReportRun: 2}, []int64{5}},
			{EventFilter{CreatedAfter: second}, []int64{5}},
			{EventFilter{CreatedBefore: second}, []int64{1, 2, 3, 4}},
			{EventFilter{CreatedAfter: first, CreatedBefore: second.Add(time.Microsecond), Order: "-created_at"}, []int64{5, 4, 3, 2, 1}},
		} {
			for _, size := range []int{1, 2, 50} {
				events, count := pages(t, size, func(p upstream.Page) (upstream.List[upstream.DriftEvent], error) {
					return tenant.Events(ctx, test.f, p)
				})
				ids := []int64{}
				for _, e := range events {
					ids = append(ids, e.ID)
				}
				if diff := cmp.Diff(append([]int64{}, test.want...), ids); diff != "" || count != int64(len(test.want)) {
					t.Errorf("%+v, pages of %d: counted %d\n%s", test.f, size, count, diff)
				}
			}
		}
		if _, err := tenant.Events(ctx, EventFilter{Order: "payer"}, upstream.Page{}); upstream.ErrorCode(err) != upstream.Invalid || !strings.Contains(err.Error(), "severity") {
			t.Errorf("an order there is not: %v", err)
		}
	})
}

func TestRunsAreListedNewestFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant, other := customer(t, s, "A"), customer(t, s, "B")
		var saved []upstream.ReportRun
		for i := range 5 {
			run := aRun(upstream.Day(20_100 + 7*i))
			run.RunType, run.Detector = []string{"weekly", "custom"}[i%2], fmt.Sprint("detector ", i)
			run.Summary = upstream.RunSummary{Windows: i, Parameters: map[string]any{}}
			if i == 3 {
				run.Status, run.Error = upstream.RunFailed, "no claims"
			}
			if err := tenant.SaveRun(ctx, &run, nil, 0); err != nil {
				t.Fatal(err)
			}
			saved = append([]upstream.ReportRun{run}, saved...)
		}
		for name, f := range map[string]RunFilter{"all": {}, "failed": {Status: upstream.RunFailed}, "weekly": {RunType: "weekly"}, "one": {Detector: "detector 1"}, "none": {Detector: "x"}} {
			got, count := pages(t, 2, func(p upstream.Page) (upstream.List[upstream.ReportRun], error) { return tenant.Runs(ctx, f, p) })
			want := []upstream.ReportRun{}
			for _, run := range saved {
				if (f.Status == "" || run.Status == f.Status) && (f.RunType == "" || run.RunType == f.RunType) && (f.Detector == "" || run.Detector == f.Detector) {
					want = append(want, run)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" || count != int64(len(want)) {
				t.Errorf("%s: counted %d\n%s", name, count, diff)
			}
		}
		run, err := tenant.ReportRun(ctx, 2)
		if diff := cmp.Diff(saved[3], run); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
		if _, err := other.ReportRun(ctx, 2); upstream.ErrorCode(err) != upstream.NotFound {
			t.Errorf("another customer's run: %v", err)
		}
	})
}

func TestUploadsAndTheirRejectsAreListed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant, other := customer(t, s, "A"), customer(t, s, "B")
		var want []upstream.Upload
		for i := range 5 {
			want = append([]upstream.Upload{load(t, tenant, source(fmt.Sprint("file ", i), many(i+1)...), 0)}, want...)
		}
		rows := int64(0)
		bad := source("bad")
		bad.Next = func(*upstream.Claim) (*upstream.Reject, error) {
			if rows++; rows > 7 {
				return nil, io.EOF
			}
			return &upstream.Reject{Column: "paid", ValueClass: "text", Reason: fmt.Sprint("reason ", rows)}, nil
		}
		want = append([]upstream.Upload{load(t, tenant, bad, 3)}, want...)
		got, count := pages(t, 2, func(p upstream.Page) (upstream.List[upstream.Upload], error) { return tenant.Uploads(ctx, p) })
		if diff := cmp.Diff(want, got); diff != "" || count != 6 {
			t.Errorf("counted %d\n%s", count, diff)
		}
		rejects, count := pages(t, 3, func(p upstream.Page) (upstream.List[upstream.Reject], error) {
			return tenant.Rejects(ctx, want[0].ID, p)
		})
		if count != 7 || len(rejects) != 7 || rejects[4] != (upstream.Reject{Row: 5, Column: "paid", ValueClass: "text", Reason: "reason 5"}) {
			t.Errorf("%d rejects: %+v", count, rejects)
		}
		one, err := tenant.UploadByID(ctx, want[0].ID)
		if diff := cmp.Diff(want[0], one); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
		if _, err := other.UploadByID(ctx, 1); upstream.ErrorCode(err) != upstream.NotFound {
			t.Errorf("another customer's upload: %v", err)
		}
		if list, err := other.Rejects(ctx, want[0].ID, upstream.Page{}); upstream.ErrorCode(err) != upstream.NotFound {
			t.Errorf("another customer's rejects: %+v, %v", list, err)
		}
	})
}

// A dictionary that readers share knows what is committed, all of it, and nothing
// of what was rolled back.
func TestReadersShareOnlyCommittedTerms(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		load(t, tenant, source("one", many(50)...), 0)
		payer := func(name string) int64 {
			t.Helper()
			var id int64
			err := s.read(ctx, func(x tx) error {
				l, err := tenant.terms(x)
				if err == nil {
					id = l.ids[kindPayer][name]
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		shared := func() *terms { return s.dictionaries.get(tenant.id).terms }
		if payer("Aetna") == 0 || payer("Cigna") != 0 {
			t.Errorf("Aetna %d, Cigna %d", payer("Aetna"), payer("Cigna"))
		}
		failed := errors.New("no")
		err := s.write(ctx, tenant.id, func(x tx) error {
			if _, err := newTerms(tenant.id).id(x, kindPayer, "Cigna"); err != nil {
				return err
			}
			return failed
		})
		if !errors.Is(err, failed) || payer("Cigna") != 0 {
			t.Errorf("%v; a payer that was rolled back is %d", err, payer("Cigna"))
		}
		before := shared()
		load(t, tenant, source("two", decided("N1", 20_000, 5, upstream.Paid)), 0)
		if payer("Aetna") == 0 || shared() != before {
			t.Error("a load without new terms made the dictionary be read again")
		}
		c := decided("N2", 20_000, 5, upstream.Paid)
		c.Payer = "Humana"
		load(t, tenant, source("three", c), 0)
		if id := payer("Humana"); id != 2 || before.ids[kindPayer]["Humana"] != 0 {
			t.Errorf("a new payer is %d, and %d in the dictionary of before", id, before.ids[kindPayer]["Humana"])
		}
		if payer("Humana"); customer(t, s, "B").id != tenant.id+1 || s.dictionaries.get(tenant.id+1).terms != nil {
			t.Error("another customer has a dictionary")
		}
	})
}
