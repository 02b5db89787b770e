package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"upstream"
	"upstream/internal/drift"
	"upstream/internal/store"
	"upstream/internal/synth"
)

// generator makes a small practice with changes.
func generator(t *testing.T, drifts ...synth.Drift) *synth.Generator {
	t.Helper()
	o := practice(rand.New(rand.NewPCG(9, 9)), []int64{120})
	o.Drifts = drifts
	g, err := synth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var someDrifts = []synth.Drift{
	{Signal: upstream.DenialRate, Payer: "Aetna", Start: noon, Delta: .15},
	{Signal: upstream.DecisionTime, Payer: "Medicare", Start: noon, Delta: 1.5},
	{Signal: upstream.AllowedAmount, Payer: "Anthem", Start: noon, Delta: .05},
}

// stored loads claims into a database of their own.
func stored(t *testing.T, g *synth.Generator) *store.Tenant {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "claims.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c, err := s.CreateCustomer(t.Context(), "Practice", firstDay.Time())
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := s.Tenant(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	sum, next := sha256.Sum256([]byte(g.Identity())), int64(0)
	_, err = tenant.Load(t.Context(), store.Source{
		Filename: "claims", SHA256: hex.EncodeToString(sum[:]), FileDate: lastDay,
		Next: func(c *upstream.Claim) (*upstream.Reject, error) {
			if next == g.Records() {
				return nil, io.EOF
			}
			g.Claim(next, c)
			next++
			return nil, nil
		},
	}, store.LoadOptions{Now: lastDay.Time()})
	if err != nil {
		t.Fatal(err)
	}
	return tenant
}

func TestTheLedgerSumsUpAsTheStoreDoes(t *testing.T) {
	g := generator(t, someDrifts...)
	l, tenant := ledgerOf(g, lastDay), stored(t, g)
	want, err := tenant.Decisions(t.Context(), lastDay, store.FromRollups)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.decisions(); !reflect.DeepEqual(got, want) {
		t.Errorf("decisions differ: %s to %s with %d nodes; in the store %s to %s with %d", got.From, got.To, len(got.Nodes), want.From, want.To, len(want.Nodes))
	}
	for _, asOf := range []upstream.Day{firstRun, noon, lastDay} {
		w := drift.ThresholdWindow(asOf)
		want, err := tenant.SubmittedWindows(t.Context(), w.BaselineFirst, w.CurrentFirst, asOf, store.FromRollups)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.windows(asOf); !slices.Equal(got, want) {
			t.Errorf("the windows as of %s differ", asOf)
		}
	}
}

// One ledger of all claims must serve every day: what came later may not show.
func TestDetectionOnTheWholeLedgerKnowsNoMoreThanTheStoreDidThen(t *testing.T) {
	g := generator(t, someDrifts...)
	tenant := stored(t, g)
	whole := drift.New(drift.Data{Decisions: ledgerOf(g, lastDay).decisions()}, drift.Options{})
	for asOf := firstRun; asOf < lastDay; asOf += 63 {
		then, err := tenant.Decisions(t.Context(), asOf, store.FromClaims)
		if err != nil {
			t.Fatal(err)
		}
		want := drift.New(drift.Data{Decisions: then}, drift.Options{}).At(asOf, nil)
		if got := whole.At(asOf, nil); !reflect.DeepEqual(got.Events, want.Events) {
			t.Errorf("as of %s: %d events, %d with what was known then", asOf, len(got.Events), len(want.Events))
		}
	}
}

func TestFilesThatComeLateAndTwiceEndInTheSameDecisions(t *testing.T) {
	g := generator(t, someDrifts...)
	v, err := newInStore(t.Context(), g, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.advance(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	early, err := v.tenant.Decisions(t.Context(), noon, store.FromRollups)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.advance(t.Context(), lastDay); err != nil {
		t.Fatal(err)
	}
	all, err := v.tenant.Decisions(t.Context(), lastDay, store.FromRollups)
	if err != nil {
		t.Fatal(err)
	}
	want := ledgerOf(g, lastDay).decisions()
	settled := lastDay - 7*(latestWeeks+2) // nothing that early is still to come
	if a, b := decidedBy(all, settled), decidedBy(want, settled); a != b {
		t.Errorf("%v decided and denied through %s, want %v", a, settled, b)
	}
	if a, b := decidedBy(early, noon), decidedBy(want, noon); a[0] >= b[0] || a[0] < b[0]*9/10 {
		t.Errorf("%v decided by %s as known then, %v in truth: nothing, or too much, is late", a, noon, b)
	}
}

// decidedBy counts the decided and the denied through a day.
func decidedBy(d *upstream.Decisions, last upstream.Day) (n [2]int) {
	for _, node := range d.Nodes {
		for i := 0; i < len(node.Decided) && d.From+upstream.Day(i) <= last; i++ {
			n[0] += int(node.Decided[i])
			n[1] += int(node.Denied[i])
		}
	}
	return n
}

func day(k int) upstream.Day { return firstDay + upstream.Day(k) } // day 0 is a Monday

// handMade are few claims with everything in them.
func handMade() *ledger {
	l := &ledger{until: day(40)}
	paid := upstream.Claim{
		ClaimID: "1", Line: 1, Payer: "Aetna", CPT: "99213", Modifiers: "25", Units: 1, PlaceOfService: "11", Location: "North",
		SubmittedDate: day(0), ReceivedDate: day(1), FirstDecidedDate: day(8), DecidedDate: day(8), PaymentDate: day(9),
		Outcome: upstream.Paid, FirstOutcome: upstream.Paid, Billed: 200_00, Allowed: 100_00, Paid: 80_00, CARC: "CO-45 PR-3",
	}
	denied := paid
	denied.Outcome, denied.FirstOutcome, denied.Allowed, denied.CARC, denied.RARC = upstream.Denied, upstream.Denied, 0, "CO-197 PR-2", "M51 N1"
	denied.FirstDecidedDate, denied.DecidedDate, denied.RepaidDate = day(10), day(10), day(30)
	pending := paid
	pending.Outcome, pending.FirstOutcome, pending.FirstDecidedDate, pending.DecidedDate, pending.PaymentDate, pending.ReceivedDate = upstream.Pending, upstream.Pending, 0, 0, 0, 0
	pending.SubmittedDate = day(3)
	taken := paid // 100.00 for three units, taken back for good on day 4
	taken.Units, taken.FirstAllowed, taken.FirstPaymentDate, taken.Outcome, taken.Allowed = 3, 100_00, day(9), upstream.Reversed, 0
	taken.DecidedDate, taken.ReversedDate = day(9), day(9)
	restored := taken
	restored.ReversedDate, restored.RepaidDate = day(9), day(39)
	second := paid
	second.Filing = upstream.Secondary
	for _, c := range []upstream.Claim{paid, denied, pending, taken, restored, second} {
		l.add(&c)
	}
	return l
}

func TestWaitsOfEachClock(t *testing.T) {
	w := handMade().waits()
	if w.From != day(0) || w.To != day(40) || len(w.Payers) != 4 {
		t.Fatalf("waits from %s to %s of %d payers and clocks", w.From, w.To, len(w.Payers))
	}
	want := map[upstream.Clock]struct {
		started map[int]int32
		ended   []upstream.Wait
	}{
		upstream.DecisionClock: {map[int]int32{0: 4, 3: 1}, []upstream.Wait{{Start: 0, Lag: 8, Count: 3}, {Start: 0, Lag: 10, Count: 1, Denied: 1}}},
		upstream.PaymentClock:  {map[int]int32{8: 3}, []upstream.Wait{{Start: 8, Lag: 1, Count: 3}}},
		upstream.OverturnClock: {map[int]int32{10: 1}, []upstream.Wait{{Start: 10, Lag: 20, Count: 1}}},
		upstream.TakebackClock: {map[int]int32{8: 3}, []upstream.Wait{{Start: 8, Lag: 31, Count: 1}}},
	}
	for _, p := range w.Payers {
		started := map[int]int32{}
		for i, n := range p.Started {
			if n > 0 {
				started[i] = n
			}
		}
		if !reflect.DeepEqual(started, want[p.Clock].started) || !slices.Equal(p.Ended, want[p.Clock].ended) || !p.Undecided || p.Payer != "Aetna" {
			t.Errorf("%s: started %v, ended %v", p.Clock, started, p.Ended)
		}
	}
	if !slices.IsSortedFunc(w.Payers, func(a, b upstream.PayerWaits) int { return compareText(a.Clock, b.Clock) }) {
		t.Error("clocks are not sorted")
	}
}

func compareText[T ~string](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func TestAmountsArePerUnitAndWholeWeek(t *testing.T) {
	a := handMade().amounts(6)
	if a.First != day(-7) || a.Weeks != 6 { // day 40 is a Saturday: its week is not over
		t.Fatalf("%d weeks from %s", a.Weeks, a.First)
	}
	want := []upstream.AmountKey{{Payer: "Aetna", CPT: "99213", Modifiers: "25", Place: "11", Location: "North", Atoms: []upstream.Atom{
		{Cents: 33_33, Week: 2, Lines: 2}, {Cents: 100_00, Week: 2, Lines: 1},
	}}}
	if !reflect.DeepEqual(a.Keys, want) {
		t.Errorf("amounts %+v", a.Keys)
	}
}

func TestDenialsHaveTheirLeadingCodes(t *testing.T) {
	d := handMade().denials("Aetna", day(0), day(40))
	if len(d.Cells) != 1 || d.Cells[0].Day != day(10) || d.Cells[0].Count != 1 {
		t.Fatalf("cells %+v", d.Cells)
	}
	var got []string
	for dim, k := range d.Cells[0].Value {
		got = append(got, fmt.Sprint(upstream.Dimension(dim), "=", d.Values[dim][k]))
	}
	want := []string{"cpt_group=E/M office visits", "carc=197", "rarc=M51", "location=North", "cpt=99213", "modifier=25", "place_of_service=11"}
	if !slices.Equal(got, want) {
		t.Errorf("denial %q", got)
	}
	if d := handMade().denials("Cigna", day(0), day(40)); len(d.Cells) != 0 {
		t.Errorf("another payer has %d", len(d.Cells))
	}
}

func TestPlansKeepPayersApartAndTellWhatChangesAreWorth(t *testing.T) {
	l := ledgerOf(generator(t), lastDay)
	for customer := range 12 {
		truths := plan(customer+1, customer+13, rand.New(rand.NewPCG(1, uint64(customer))), l)
		payers := map[string]string{}
		for _, truth := range truths {
			if other, taken := payers[truth.Payer]; taken && other[:2] != truth.Scenario[:2] {
				t.Errorf("%s has %s and %s", truth.Payer, other, truth.Scenario)
			}
			payers[truth.Payer] = truth.Scenario
			if truth.Start < monitored || truth.Start > lastDay-70 || truth.PerWeek <= 0 {
				t.Errorf("%+v", truth)
			}
			if prices := truth.Signal != upstream.DecisionTime; prices == (truth.Dollars == 0) {
				t.Errorf("%s is worth %d", truth.Scenario, truth.Dollars)
			}
			if truth.Location != "" && !(truth.Effect > 0 && truth.Effect < truth.Delta) {
				t.Errorf("a change of %g at one location has the effect %g", truth.Delta, truth.Effect)
			}
		}
		if len(payers) != payerCount {
			t.Errorf("%d payers", len(payers))
		}
	}
}

// The further signals, too, must see what they see in the store.
func TestLedgerReadsAsTheStoreDoes(t *testing.T) {
	g := generator(t, someDrifts...)
	tenant, l := stored(t, g), ledgerOf(g, lastDay)
	waits, err := tenant.Waits(t.Context(), lastDay, store.FromRollups)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(waits, l.waits()); diff != "" {
		t.Errorf("waits (- store, + ledger):\n%.2000s", diff)
	}
	amounts, err := tenant.Amounts(t.Context(), lastDay, 60, store.FromRollups)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(amounts, l.amounts(60)); diff != "" {
		t.Errorf("amounts (- store, + ledger):\n%.2000s", diff)
	}
	payer := waits.Payers[0].Payer
	denials, err := tenant.Denials(t.Context(), payer, nil, monitored, lastDay, store.FromRollups)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(inWords(denials), inWords(l.denials(payer, monitored, lastDay))); diff != "" {
		t.Errorf("denials (- store, + ledger):\n%.2000s", diff)
	}
}

// inWords counts denials by what their numbers stand for.
func inWords(d *upstream.Denials) map[string]int32 {
	counts := map[string]int32{}
	for _, c := range d.Cells {
		words := c.Day.String()
		for dim, v := range c.Value {
			words += "|" + d.Values[dim][v]
		}
		counts[words] += c.Count
	}
	return counts
}
