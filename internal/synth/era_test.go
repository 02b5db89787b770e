package synth

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"upstream"
)

func eraOf(t *testing.T, g *Generator, limit int) string {
	t.Helper()
	var file bytes.Buffer
	w := NewERAWriter(&file, asOf)
	w.limit = limit
	for _, c := range states(g) {
		if err := w.Write(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.String()
}

func Test835HoldsEveryDecidedClaimAndBalances(t *testing.T) {
	o := yearOf(20_000)
	o.Drifts = Planted(yearOf(1_000_000))
	g := generator(t, o)
	type key struct{ id, date, status string }
	got := map[key]remitted{}
	seen := map[string]bool{}
	interest := false
	for _, s := range parse835(t, eraOf(t, g, defaultERAMemory)) {
		if key := s.payer + s.date; seen[key] {
			t.Fatalf("two remittances of one payer on %s", s.date)
		} else {
			seen[key] = true
		}
		interest = interest || s.plb < s.forwarded
		for _, c := range s.claims {
			k := key{c.id, s.date, "processed"}
			if c.status == reversal {
				k.status = "reversed"
			}
			if _, twice := got[k]; twice {
				t.Fatalf("claim %s twice", c.id)
			}
			c.received += "/" + s.payer
			got[k] = c
		}
	}
	if !interest {
		t.Error("no remittance owes interest")
	}
	plain := func(d upstream.Day) string { return strings.ReplaceAll(d.String(), "-", "") }
	decided, reversals := 0, 0
	var payment upstream.Claim
	for i, c := range states(g) {
		k := key{c.ClaimID, plain(c.PaymentDate), "processed"}
		if c.Outcome == upstream.Reversed {
			k.status = "reversed"
		}
		r, found := got[k]
		if found == (c.Outcome == upstream.Pending) {
			t.Fatalf("claim %d is %s, found %t", i, c.Outcome, found)
		}
		if !found {
			continue
		}
		decided++
		stated, sign := *c, upstream.Money(1)
		if c.Outcome == upstream.Reversed {
			stated, sign = payment, -1
			stated.Allowed = 0 // not stated
			reversals++
		}
		payment = *c
		want := remitted{
			id: c.ClaimID, control: c.PayerControlNumber, cpt: c.CPT, modifiers: c.Modifiers, location: c.Location,
			service: plain(c.ServiceDate), received: plain(c.ReceivedDate) + "/" + c.Payer,
			billed: sign * stated.Billed, paid: sign * stated.Paid, allowed: stated.Allowed, units: c.Units, status: r.status, filing: r.filing,
			carc: strings.Fields(string(stated.CARC)), rarc: strings.Fields(string(stated.RARC)),
		}
		if diff := cmp.Diff(want, r, cmp.AllowUnexported(remitted{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("claim %d: %s", i, diff)
		}
		if r.status != processed && r.status != reversal && (r.status != deniedNarrow || c.Outcome != upstream.Denied) {
			t.Fatalf("claim %d has status %s", i, r.status)
		}
	}
	if decided != len(got) || reversals < 50 {
		t.Errorf("%d decisions in the file, want %d, many reversals among them: %d", len(got), decided, reversals)
	}
}

func Test835CarriesWhatItCannotTakeBackAtOnce(t *testing.T) {
	day := asOf - 60
	paid := upstream.Claim{
		ClaimID: "A1", Line: 1, Payer: "Cigna", CPT: "99213", Units: 1, PlaceOfService: "11", ServiceDate: day - 9, SubmittedDate: day - 8, ReceivedDate: day - 8,
		PaymentDate: day, DecidedDate: day, FirstDecidedDate: day, Outcome: upstream.Paid, Billed: 1000, Allowed: 800, Paid: 700, CARC: "CO-45 PR-3",
	}
	back := paid
	back.Outcome, back.DecidedDate, back.PaymentDate = upstream.Reversed, day+7, day+7
	other := func(id string, on upstream.Day, amount upstream.Money) *upstream.Claim {
		c := paid
		c.ClaimID, c.PaymentDate, c.DecidedDate, c.FirstDecidedDate = id, on, on, on
		c.Billed, c.Allowed, c.Paid, c.CARC = amount, amount, amount, ""
		return &c
	}
	var file bytes.Buffer
	w := NewERAWriter(&file, asOf)
	for _, c := range []*upstream.Claim{&paid, &back, other("A2", day+7, 200), other("A3", day+9, 100), other("A4", day+11, 1000)} {
		if err := w.Write(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	type money struct{ Paid, Forwarded upstream.Money }
	var got []money
	for _, s := range parse835(t, file.String()) {
		got = append(got, money{s.bpr, s.forwarded})
	}
	want := []money{{700, 0}, {0, -500}, {0, 500 - 400}, {600, 400}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func Test835InBoundedMemorySplitsRemittances(t *testing.T) {
	g := generator(t, yearOf(20_000))
	whole, split := parse835(t, eraOf(t, g, defaultERAMemory)), parse835(t, eraOf(t, g, 20_000))
	if len(split) <= len(whole) {
		t.Errorf("%d transactions in little memory, %d in enough", len(split), len(whole))
	}
	count := func(sets []transaction) (n int, paid upstream.Money) {
		for _, s := range sets {
			n += len(s.claims)
			paid += s.bpr
		}
		return n, paid
	}
	n, paid := count(whole)
	if m, same := count(split); m != n || same != paid {
		t.Errorf("%d claims and %v when split, want %d and %v", m, same, n, paid)
	}
}

func Test835KeepsNoMoreThanItsLimit(t *testing.T) {
	g := generator(t, yearOf(50_000))
	w := NewERAWriter(io.Discard, asOf)
	w.limit = 100_000
	for _, c := range states(g) {
		if err := w.Write(c); err != nil {
			t.Fatal(err)
		}
		held := 0
		for _, r := range w.open {
			held += len(r.body)
		}
		if held != w.held || held > w.limit {
			t.Fatalf("keeps %d bytes back, counts %d, limit %d", held, w.held, w.limit)
		}
	}
}

func Test835SplitsLargeRemittances(t *testing.T) {
	c := upstream.Claim{
		ClaimID: "A1", Payer: "Cigna", CPT: "99213", Units: 1, PlaceOfService: "11", ServiceDate: asOf - 9, SubmittedDate: asOf - 8,
		ReceivedDate: asOf - 8, PaymentDate: asOf, DecidedDate: asOf, Outcome: upstream.Paid, Billed: 1000, Allowed: 1000, Paid: 1000,
	}
	var file bytes.Buffer
	w := NewERAWriter(&file, asOf)
	for range maxRemittanceClaims + 1 {
		if err := w.Write(&c); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(parse835(t, file.String())); n != 2 {
		t.Errorf("%d transactions, want 2", n)
	}
}

func Test835RefusesWhatItCannotBalance(t *testing.T) {
	paid := upstream.Claim{Payer: "Cigna", CPT: "99213", Outcome: upstream.Paid, PaymentDate: asOf, Billed: 1000, Allowed: 800, Paid: 800, CARC: "CO-45"}
	for _, tc := range []struct {
		name   string
		change func(*upstream.Claim)
	}{
		{"unexplained write-off", func(c *upstream.Claim) { c.CARC = "" }},
		{"unexplained patient share", func(c *upstream.Claim) { c.Paid = 700 }},
		{"denial without a reason", func(c *upstream.Claim) { c.Outcome, c.CARC, c.Allowed, c.Paid = upstream.Denied, "", 0, 0 }},
		{"paid over allowed", func(c *upstream.Claim) { c.CARC, c.Paid = "CO-45 PR-2", 900 }},
		{"no payment date", func(c *upstream.Claim) { c.PaymentDate = 0 }},
		{"a takeback of what was not paid", func(c *upstream.Claim) { c.Outcome = upstream.Reversed }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var file bytes.Buffer
			w := NewERAWriter(&file, asOf)
			c := paid
			c.PaymentDate++ // a remittance of its own, which must not come out empty
			tc.change(&c)
			if err := w.Write(&c); upstream.ErrorCode(err) != upstream.Invalid {
				t.Errorf("error %v, want code invalid", err)
			}
			// The file goes on without it.
			if err := w.Write(&paid); err != nil {
				t.Error(err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			if sets := parse835(t, file.String()); len(sets) != 1 || len(sets[0].claims) != 1 {
				t.Errorf("%d transactions, want one with the good claim", len(sets))
			}
		})
	}
}

func Test835OfNothingIsAnEmptyInterchange(t *testing.T) {
	var file bytes.Buffer
	w := NewERAWriter(&file, asOf)
	if err := w.Write(&upstream.Claim{Outcome: upstream.Pending}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if sets := parse835(t, file.String()); len(sets) != 0 {
		t.Errorf("%d transactions", len(sets))
	}
}

func TestInterestIsOwedAfterThirtyDays(t *testing.T) {
	for _, tc := range []struct {
		days upstream.Day
		paid upstream.Money
		want upstream.Money
	}{{30, 100_000, 0}, {31, 100_000, 32}, {60, 100_000, 986}, {90, 0, 0}, {5, 100_000, 0}} {
		c := upstream.Claim{ReceivedDate: asOf - tc.days, PaymentDate: asOf, Paid: tc.paid}
		if got := interest(&c); got != tc.want {
			t.Errorf("interest on %v after %d days is %v, want %v", tc.paid, tc.days, got, tc.want)
		}
	}
}

func TestSegmentsWriteElements(t *testing.T) {
	for _, tc := range []struct {
		name  string
		build func(*segments)
		want  string
	}{
		{"no elements at the end", func(s *segments) { s.start("N1").text("PR").text("").text("").end() }, "N1*PR~\n"},
		{"no separators in text", func(s *segments) { s.start("N1").text("a*b~c:d^e\nf").end() }, "N1*abcdef~\n"},
		{"amounts without zeros at the end", func(s *segments) { s.start("X").money(100).money(150).money(-105).money(0).end() }, "X*1*1.5*-1.05*0~\n"},
		{"components", func(s *segments) { s.start("SVC").text("HC").component("99213").component("25").end() }, "SVC*HC:99213:25~\n"},
		{"dates", func(s *segments) { s.start("DTM").text("050").date(&dayCache{}, asOf).end() }, "DTM*050*20260630~\n"},
	} {
		var s segments
		tc.build(&s)
		if string(s.b) != tc.want || s.count != 1 {
			t.Errorf("%s: %q, want %q", tc.name, s.b, tc.want)
		}
	}
}

func BenchmarkERAWriter(b *testing.B) {
	g := generator(b, yearOf(1_000_000))
	var claims []upstream.Claim
	for i := range int64(100_000) {
		claims = g.States(i*10, claims)
	}
	w := NewERAWriter(io.Discard, asOf)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := w.Write(&claims[i%len(claims)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "claims/s")
}
