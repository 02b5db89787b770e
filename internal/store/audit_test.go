package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"upstream"
)

func entry(customer int64, actor, action, target string) upstream.AuditEntry {
	return upstream.AuditEntry{
		Customer: customer, At: now, Actor: actor, Action: action, Target: target, Detail: `{"payer":"Aetna"}`,
		Claims: []int64{7, 1 << 50}, Address: "192.0.2.1", Request: "r1", Count: 3,
	}
}

func appendEntries(t testing.TB, s *Store, entries ...upstream.AuditEntry) []upstream.AuditEntry {
	t.Helper()
	if err := s.AppendAudit(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	return entries
}

func audit(t testing.TB, s *Store, customer int64, f AuditFilter, page upstream.Page) []upstream.AuditEntry {
	t.Helper()
	out, err := s.Audit(t.Context(), customer, f, page)
	if err != nil {
		t.Fatal(err)
	}
	return out.Items
}

func verified(t testing.TB, s *Store, customer int64) AuditCheck {
	t.Helper()
	c, err := s.VerifyAudit(t.Context(), customer)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func intact(t testing.TB, s *Store, customer, entries int64) {
	t.Helper()
	if c := verified(t, s, customer); !c.OK() || c.Entries != entries {
		t.Errorf("the chain of customer %d is %+v, want %d intact entries", customer, c, entries)
	}
}

func TestAuditEntriesComeBackNewestFirstAndChained(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a, b := customer(t, s, "A"), customer(t, s, "B")
		made := appendEntries(t, s, entry(a.id, "user:ann", "claims.list", ""), entry(b.id, "user:bob", "claims.list", ""), entry(a.id, "user:ann", "claims.show", "7"), entry(0, "user:root", "customers.create", "1"))
		ids := []int64{}
		for _, e := range made {
			ids = append(ids, e.ID)
		}
		if !slices.Equal(ids, []int64{1, 1, 2, 1}) {
			t.Errorf("ids %v", ids)
		}
		if diff := cmp.Diff([]upstream.AuditEntry{made[2], made[0]}, audit(t, s, a.id, AuditFilter{}, upstream.Page{})); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(made[1:2], audit(t, s, b.id, AuditFilter{}, upstream.Page{})); diff != "" {
			t.Error(diff)
		}
		if made[2].Hash != made[2].Seal(made[0].Hash) || made[0].Hash != made[0].Seal("") {
			t.Error("the entries are not chained")
		}
		intact(t, s, a.id, 2)
		intact(t, s, b.id, 1)
		intact(t, s, 0, 1)
		intact(t, s, 99, 0)
		if c := verified(t, s, a.id); c.Head != made[2].Hash {
			t.Errorf("the head is %s, want %s", c.Head, made[2].Hash)
		}
	})
}

func TestAuditIsFilteredAndPaged(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		var entries []upstream.AuditEntry
		for i := range 10 {
			e := entry(a.id, fmt.Sprint("user:", i%2), fmt.Sprint("action", i%3), fmt.Sprint(i))
			e.At = now.Add(time.Duration(i) * time.Minute)
			entries = append(entries, e)
		}
		appendEntries(t, s, entries...)
		tests := []struct {
			name   string
			filter AuditFilter
			page   upstream.Page
			want   []int64
		}{
			{"all", AuditFilter{}, upstream.Page{}, []int64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
			{"first page", AuditFilter{}, upstream.Page{Size: 3}, []int64{10, 9, 8}},
			{"second page", AuditFilter{}, upstream.Page{Size: 3, After: upstream.Key{ID: 8}}, []int64{7, 6, 5}},
			{"after the last", AuditFilter{}, upstream.Page{After: upstream.Key{ID: 1}}, []int64{}},
			{"actor", AuditFilter{Actor: "user:1"}, upstream.Page{Size: 2, After: upstream.Key{ID: 9}}, []int64{8, 6}},
			{"action", AuditFilter{Action: "action0"}, upstream.Page{}, []int64{10, 7, 4, 1}},
			{"target", AuditFilter{Target: "4"}, upstream.Page{}, []int64{5}},
			{"from", AuditFilter{From: now.Add(8 * time.Minute)}, upstream.Page{}, []int64{10, 9}},
			{"to", AuditFilter{To: now.Add(2 * time.Minute)}, upstream.Page{}, []int64{2, 1}},
			{"everything", AuditFilter{"user:0", "action0", "6", now, now.Add(time.Hour)}, upstream.Page{}, []int64{7}},
			{"nobody", AuditFilter{Actor: "user:9"}, upstream.Page{}, []int64{}},
			{"NUL", AuditFilter{Actor: "a\x00"}, upstream.Page{}, []int64{}},
			{"no text", AuditFilter{Target: "\xff"}, upstream.Page{}, []int64{}},
		}
		for _, test := range tests {
			got := []int64{}
			for _, e := range audit(t, s, a.id, test.filter, test.page) {
				got = append(got, e.ID)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%s: %v, want %v", test.name, got, test.want)
			}
		}
	})
}

func TestNoTextKeepsARequestOutOfTheAudit(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		long := strings.Repeat("é", 100_000)
		e := entry(0, "user:a\x00b", "x\xffy", long)
		e.Detail, e.Address, e.Request, e.Claims, e.Count = long, long, long, nil, 0
		made := appendEntries(t, s, e)
		got := audit(t, s, 0, AuditFilter{}, upstream.Page{})
		if diff := cmp.Diff(made, got); diff != "" {
			t.Error(diff)
		}
		g := got[0]
		if g.Actor != "user:a\uFFFDb" || g.Action != "x\uFFFDy" || len(g.Target) != maxAuditText || len(g.Detail) != maxAuditDetail || !utf8.ValidString(g.Detail) || g.Count != 1 || g.Claims == nil {
			t.Errorf("stored as %.300s", fmt.Sprint(g))
		}
		intact(t, s, 0, 1)
	})
}

func TestAppendsOfManyLeaveOneUnbrokenChain(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a, b := customer(t, s, "A"), customer(t, s, "B")
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 5 {
					// Reads, changes of the customer and changes of access, at the same time.
					batch := []upstream.AuditEntry{entry(a.id, "user:a", "read", ""), entry(b.id, "user:b", "read", ""), entry(a.id, "user:a", "read", "")}
					if err := s.AppendAudit(t.Context(), batch); err != nil {
						t.Error(err)
					}
					ctx := WithAudit(t.Context(), entry(a.id, "user:a", "settings.save", ""))
					if err := a.SaveSettings(ctx, upstream.DefaultSettings(), now); err != nil {
						t.Error(err)
					}
					ctx = WithAudit(t.Context(), entry(a.id, "user:a", "users.create", ""))
					if _, err := s.CreateUser(ctx, upstream.User{Username: fmt.Sprintf("user-%d-%d", i, j), Customer: a.id, Role: upstream.Viewer}, "h", now); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		intact(t, s, a.id, 8*5*4)
		intact(t, s, b.id, 8*5)
	})
}

func TestAChangeAndItsAuditEntryCommitTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		ctx := WithAudit(t.Context(), entry(a.id, "user:root", "users.create", ""))
		_, err := s.CreateUser(ctx, upstream.User{Username: "no", Customer: a.id, Role: upstream.Viewer}, "h", now)
		is(t, "a user that can't be", err, upstream.Invalid)
		failed := errors.New("failed")
		if err := s.write(ctx, a.id, func(tx) error { return failed }); !errors.Is(err, failed) {
			t.Error(err)
		}
		if intact(t, s, a.id, 0); audited(ctx) {
			t.Error("a failed change was audited")
		}
		u, err := s.CreateUser(ctx, upstream.User{Username: "ann", Customer: a.id, Role: upstream.Viewer}, "h", now)
		if err != nil || !audited(ctx) {
			t.Fatalf("%v, audited %t", err, audited(ctx))
		}
		// A second change of the same request adds no second entry.
		if err := s.SetPassword(ctx, u.ID, "x", 0, now); err != nil {
			t.Error(err)
		}
		got := audit(t, s, a.id, AuditFilter{}, upstream.Page{})
		if len(got) != 1 || got[0].Target != fmt.Sprint(u.ID) || got[0].Action != "users.create" {
			t.Errorf("%+v", got)
		}
		intact(t, s, a.id, 1)
		if err := s.TouchSession(t.Context(), 1, now); err != nil || audited(t.Context()) {
			t.Errorf("a context without an entry is audited, %v", err)
		}
	})
}

func TestALoadOfManyTransactionsIsAuditedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		ctx := WithAudit(t.Context(), entry(a.id, "user:ann", "uploads.create", ""))
		u, err := a.Load(ctx, source("one", many(50)...), LoadOptions{BatchRows: 5, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if got := audit(t, s, a.id, AuditFilter{}, upstream.Page{}); len(got) != 1 || got[0].Target != fmt.Sprint(u.ID) {
			t.Errorf("%+v", got)
		}
		run := upstream.ReportRun{Detector: "d", AsOf: 20_000, StartedAt: now, FinishedAt: now}
		if err := a.SaveRun(WithAudit(t.Context(), entry(a.id, "user:ann", "reports.trigger", "")), &run, nil, 0); err != nil {
			t.Fatal(err)
		}
		if got := audit(t, s, a.id, AuditFilter{Action: "reports.trigger"}, upstream.Page{}); len(got) != 1 || got[0].Target != fmt.Sprint(run.ID) {
			t.Errorf("%+v", got)
		}
		intact(t, s, a.id, 2)
	})
}

// audited reports whether the entry that WithAudit gave the context is stored.
func audited(ctx context.Context) bool {
	c := auditOf(ctx)
	return c != nil && c.taken.Load()
}

func TestAnEntryThatCantBeStoredUndoesItsChange(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		appendEntries(t, s, entry(a.id, "x", "y", ""))
		tamper(t, s, "UPDATE audit_head SET entries = 0 WHERE customer_id = 1") // id 1 is taken
		ctx := WithAudit(t.Context(), entry(a.id, "user:root", "users.create", "given"))
		if _, err := s.CreateUser(ctx, upstream.User{Username: "ann", Customer: a.id, Role: upstream.Viewer}, "h", now); err == nil {
			t.Error("the change was made without its entry")
		}
		if n, err := s.CountUsers(t.Context(), 0); err != nil || n != 0 || audited(ctx) {
			t.Errorf("%d users, audited %t, %v", n, audited(ctx), err)
		}
		e := []upstream.AuditEntry{entry(a.id, "x", "y", "")}
		if err := s.AppendAudit(t.Context(), e); err == nil || e[0].ID != 0 || e[0].Hash != "" {
			t.Errorf("an entry that was not stored has id %d and hash %q, %v", e[0].ID, e[0].Hash, err)
		}
		tamper(t, s, "UPDATE audit_head SET entries = 1 WHERE customer_id = 1")
		if _, err := s.CreateUser(ctx, upstream.User{Username: "ann", Customer: a.id, Role: upstream.Viewer}, "h", now); err != nil {
			t.Error(err)
		}
		if got := audit(t, s, a.id, AuditFilter{}, upstream.Page{Size: 1}); got[0].Target != "given" {
			t.Errorf("%+v", got)
		}
	})
}

// tamper changes the database behind the store's back.
func tamper(t testing.TB, s *Store, statements ...string) {
	t.Helper()
	err := s.db.write(context.Background(), 0, func(x tx) error {
		for _, sql := range statements {
			if err := x.script(sql); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheDatabaseRefusesToChangeTheAudit(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		appendEntries(t, s, entry(0, "user:ann", "claims.list", ""), entry(0, "user:ann", "claims.list", ""))
		statements := []string{
			"UPDATE audit_entry SET actor = 'user:bob' WHERE id = 1",
			"DELETE FROM audit_entry WHERE id = 2",
			"DELETE FROM audit_entry",
		}
		if s.Engine() == "postgres" {
			statements = append(statements, "TRUNCATE audit_entry")
		}
		for _, sql := range statements {
			err := s.db.write(t.Context(), 0, func(x tx) error { return x.script(sql) })
			if err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", sql, err)
			}
		}
		intact(t, s, 0, 2)
	})
}

func TestTamperingWithTheAuditIsFound(t *testing.T) {
	unlock := map[string][]string{
		"sqlite":   {"DROP TRIGGER audit_entry_unchanged", "DROP TRIGGER audit_entry_undeleted"},
		"postgres": {"DROP TRIGGER audit_entry_unchanged ON audit_entry", "DROP TRIGGER audit_entry_kept ON audit_entry"},
	}
	tests := []struct {
		name   string
		sql    []string
		bad    int64
		reason string
	}{
		{"changed actor", []string{"UPDATE audit_entry SET actor = 'user:x' WHERE customer_id = 1 AND id = 3"}, 3, "not as it was written"},
		{"changed time", []string{"UPDATE audit_entry SET made_at = made_at + 1 WHERE customer_id = 1 AND id = 3"}, 3, "not as it was written"},
		{"changed claims", []string{"UPDATE audit_entry SET claims = '[7]' WHERE customer_id = 1 AND id = 3"}, 3, "not as it was written"},
		{"damaged claims", []string{"UPDATE audit_entry SET claims = '[7' WHERE customer_id = 1 AND id = 3"}, 3, "not as it was written"},
		{"changed count", []string{"UPDATE audit_entry SET repeats = 1 WHERE customer_id = 1 AND id = 3"}, 3, "not as it was written"},
		{"text moved to the next field", []string{"UPDATE audit_entry SET actor = actor || action, action = '' WHERE customer_id = 1 AND id = 1"}, 1, "not as it was written"},
		{"changed hash", []string{"UPDATE audit_entry SET hash = 'x' WHERE customer_id = 1 AND id = 1"}, 1, "not as it was written"},
		{"changed last hash", []string{"UPDATE audit_entry SET hash = 'x' WHERE customer_id = 1 AND id = 6"}, 6, "not as it was written"},
		{"missing first", []string{"DELETE FROM audit_entry WHERE customer_id = 1 AND id = 1"}, 1, "missing"},
		{"missing in the middle", []string{"DELETE FROM audit_entry WHERE customer_id = 1 AND id = 4"}, 4, "missing"},
		{
			"missing, and the gap closed",
			[]string{"DELETE FROM audit_entry WHERE customer_id = 1 AND id = 4", "UPDATE audit_entry SET id = 4 WHERE customer_id = 1 AND id = 5", "UPDATE audit_entry SET id = 5 WHERE customer_id = 1 AND id = 6"},
			4, "not where it was",
		},
		{
			"reordered",
			[]string{"UPDATE audit_entry SET id = 99 WHERE customer_id = 1 AND id = 2", "UPDATE audit_entry SET id = 2 WHERE customer_id = 1 AND id = 3", "UPDATE audit_entry SET id = 3 WHERE customer_id = 1 AND id = 99"},
			2, "not where it was",
		},
		{"cut off in the middle", []string{"DELETE FROM audit_entry WHERE customer_id = 1 AND id > 3"}, 4, "missing, and all after it"},
		{"all gone", []string{"DELETE FROM audit_entry WHERE customer_id = 1"}, 1, "missing, and all after it"},
		{"cut off, with its end", []string{"DELETE FROM audit_entry WHERE customer_id = 1 AND id > 3", "UPDATE audit_head SET entries = 3 WHERE customer_id = 1"}, 3, "not the one that was added last"},
		{"moved to another customer", []string{"UPDATE audit_entry SET customer_id = 2 WHERE customer_id = 1 AND id = 6"}, 6, "missing"},
		{"added by hand", []string{"INSERT INTO audit_entry SELECT customer_id, 7, made_at, actor, action, target, detail, claims, address, request, repeats, hash FROM audit_entry WHERE customer_id = 1 AND id = 6"}, 7, "not as it was written"},
		{"end removed", []string{"DELETE FROM audit_head WHERE customer_id = 1"}, 1, "not added by the program"},
	}
	for _, e := range engines {
		t.Run(e.Name, func(t *testing.T) {
			for _, test := range tests {
				t.Run(test.name, func(t *testing.T) {
					s := open(t, e.URL(t))
					for i := range 6 {
						appendEntries(t, s, entry(1, fmt.Sprint("user:", i), "claims.list", ""))
					}
					appendEntries(t, s, entry(3, "user:c", "claims.list", ""))
					intact(t, s, 1, 6)
					tamper(t, s, append(slices.Clone(unlock[e.Name]), test.sql...)...)
					c := verified(t, s, 1)
					if c.OK() || c.FirstBad != test.bad || !strings.Contains(c.Reason, test.reason) {
						t.Errorf("found %+v, want entry %d %q", c, test.bad, test.reason)
					}
					intact(t, s, 3, 1)
				})
			}
		})
	}
}

func TestAnEntryTellsWhatItIsSaidToChange(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		a := customer(t, s, "A")
		DescribeAudit(t.Context(), "no entry to tell it in")
		ctx := WithAudit(t.Context(), entry(a.id, "user:ann", "users.create", "before"))
		DescribeAudit(ctx, "a viewer")
		if _, err := s.CreateUser(ctx, upstream.User{Username: "bob", Customer: a.id, Role: upstream.Viewer}, "hash", now); err != nil {
			t.Fatal(err)
		}
		list, err := s.Audit(t.Context(), a.id, AuditFilter{}, upstream.Page{})
		if err != nil || len(list.Items) != 1 || list.Items[0].Detail != "a viewer" {
			t.Errorf("%+v, %v", list.Items, err)
		}
	})
}
