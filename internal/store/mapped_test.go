package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"upstream"
)

// spelt is a denied claim of a payer as a file spells it.
func spelt(id, payer string) upstream.Claim {
	c := decided(id, 20_000, 10, upstream.Denied)
	c.Payer = payer
	return c
}

// payersOf returns the stored payer of each claim.
func payersOf(t *testing.T, tenant *Tenant) map[string]string {
	t.Helper()
	out := map[string]string{}
	for key, c := range stored(t, tenant) {
		out[key.claimID] = c.Payer
	}
	return out
}

// groupsOf returns the decisions of each group.
func groupsOf(t *testing.T, tenant *Tenant) map[string]int32 {
	t.Helper()
	d, err := tenant.Decisions(context.Background(), 21_000, FromRollups)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int32{}
	for _, n := range d.Nodes {
		for _, k := range n.Decided {
			out[n.CPTGroup] += k
		}
	}
	return out
}

func TestPayerMappingsActOnLoadsAndOnTheClaimsThatAreThere(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant, other := customer(t, s, "A"), customer(t, s, "B")
		early := []upstream.Claim{spelt("1", "Lake Trust of Ohio"), spelt("2", "lake  trust"), spelt("3", "UHC"), spelt("4", "Aetna")}
		load(t, tenant, source("early", early...), 2)
		load(t, other, source("early", early...), 2)
		want := map[string]string{"1": "Lake Trust of Ohio", "2": "lake trust", "3": "UnitedHealthcare", "4": "Aetna"}
		if diff := cmp.Diff(want, payersOf(t, tenant)); diff != "" {
			t.Errorf("without mappings:\n%s", diff)
		}
		mapPayer(t, tenant, "Lake Trust", "Lake County Trust")
		ohio := mapPayer(t, tenant, "LAKE TRUST OF OHIO", "Lake Trust")
		mapPayer(t, tenant, "UHC", "United (Texas)")
		load(t, tenant, source("late", spelt("5", "Lake Trust of Ohio, Inc."), spelt("6", "uhc"), spelt("7", "United Healthcare")), 2)
		maps.Copy(want, map[string]string{"5": "Lake County Trust", "6": "United (Texas)", "7": "UnitedHealthcare"})
		if diff := cmp.Diff(want, payersOf(t, tenant)); diff != "" {
			t.Errorf("loaded under mappings:\n%s", diff)
		}
		apply(t, tenant, 2)
		want["1"], want["2"] = "Lake County Trust", "Lake County Trust"
		if diff := cmp.Diff(want, payersOf(t, tenant)); diff != "" {
			t.Errorf("applied:\n%s", diff)
		}
		apply(t, tenant, 0)
		d, err := tenant.Denials(ctx, "Lake County Trust", nil, 20_000, 20_100, FromRollups)
		if err != nil || len(d.Cells) != 1 || d.Cells[0].Count != 3 {
			t.Errorf("denials of the merged payer: %+v, %v", d, err)
		}
		// A mapping that is gone acts on later loads.
		if err := tenant.DeletePayerMapping(ctx, ohio.ID); err != nil {
			t.Fatal(err)
		}
		apply(t, tenant, 0)
		load(t, tenant, source("last", spelt("8", "Lake Trust of Ohio")), 0)
		if got := payersOf(t, tenant); got["1"] != "Lake County Trust" || got["8"] != "Lake Trust of Ohio" {
			t.Errorf("after the mapping was deleted: %v", got)
		}
		// A state of a claim that is there brings no other payer in.
		paid := decided("8", 20_000, 30, upstream.Paid)
		paid.Payer = "LAKE TRUST"
		load(t, tenant, source("correction", paid), 0)
		if got := payersOf(t, tenant)["8"]; got != "Lake County Trust" {
			t.Errorf("a corrected claim's payer is %s", got)
		}
		consistent(t, tenant)
		if got := payersOf(t, other); got["1"] != "Lake Trust of Ohio" {
			t.Errorf("another customer's payer is %s", got["1"])
		}
	})
}

func TestGroupsActWithTheNextLoadOrWhenTheyAreApplied(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant, other := customer(t, s, "A"), customer(t, s, "B")
		therapy, visit := spelt("1", "Aetna"), spelt("2", "Aetna")
		visit.CPT = "99213"
		load(t, tenant, source("early", therapy, visit), 0)
		load(t, other, source("early", therapy, visit), 0)
		expect := func(when string, want map[string]int32) {
			t.Helper()
			if diff := cmp.Diff(want, groupsOf(t, tenant)); diff != "" {
				t.Errorf("%s:\n%s", when, diff)
			}
			consistent(t, tenant)
		}
		m := mapCode(t, tenant, "97110", "Our therapy")
		mapCode(t, tenant, "99213", "E/M office visits") // as it is already
		expect("before they act", map[string]int32{"Physical therapy": 1, "E/M office visits": 1})
		late := spelt("3", "Aetna")
		load(t, tenant, source("late", late), 0)
		expect("with a load", map[string]int32{"Our therapy": 2, "E/M office visits": 1})
		d, err := tenant.Denials(ctx, "Aetna", []string{"Our therapy"}, 20_000, 20_100, FromRollups)
		if err != nil || !slices.Equal(d.Values[upstream.ByGroup], []string{"Our therapy"}) || d.Cells[0].Count != 2 {
			t.Errorf("denials %+v, %v", d, err)
		}
		e := upstream.DriftEvent{Signal: upstream.DenialRate, Payer: new("Aetna"), CPTGroup: new("Our therapy"), CurrentFirst: 20_000, CurrentLast: 20_100}
		if claims, err := tenant.EventClaims(ctx, &e, upstream.Page{}); err != nil || len(claims) != 2 {
			t.Errorf("%d claims of the group, %v", len(claims), err)
		}
		m.CPTGroup = "E/M office visits"
		if _, err := tenant.ChangeCPTMapping(ctx, m); err != nil {
			t.Fatal(err)
		}
		apply(t, tenant, 2)
		expect("changed", map[string]int32{"E/M office visits": 3})
		if err := tenant.DeleteCPTMapping(ctx, m.ID); err != nil {
			t.Fatal(err)
		}
		apply(t, tenant, 2)
		apply(t, tenant, 0)
		expect("deleted", map[string]int32{"Physical therapy": 2, "E/M office visits": 1})
		if err := tenant.RebuildRollup(ctx); err != nil {
			t.Fatal(err)
		}
		expect("made again", map[string]int32{"Physical therapy": 2, "E/M office visits": 1})
		if got := groupsOf(t, other); got["Physical therapy"] != 1 {
			t.Errorf("another customer's groups are %v", got)
		}
	})
}

// A load keeps dictionaries from one transaction to the next; mappings may change
// in between.
func TestMappingsThatChangeDuringALoad(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		var claims []upstream.Claim
		for i := range 6 {
			claims = append(claims, spelt(fmt.Sprint(i), "Lake Trust"))
		}
		_, err := tenant.Load(ctx, source("one", claims...), LoadOptions{BatchRows: 2, Now: now, Progress: func(rows int64) {
			if rows == 2 {
				mapCode(t, tenant, "97110", "Ours")
				mapPayer(t, tenant, "Lake Trust", "Ohio Trust")
				apply(t, tenant, 4) // two claims, by group and by payer
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		consistent(t, tenant)
		if got := groupsOf(t, tenant); got["Ours"] != 6 {
			t.Errorf("groups %v", got)
		}
		apply(t, tenant, 0)
	})
}

func TestUnmatchedNamesAreListedWithTheirClaims(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		expect := func(payers []upstream.UnmatchedPayer, codes []upstream.UnmatchedCode) {
			t.Helper()
			gotPayers, err := tenant.UnmatchedPayers(ctx)
			if diff := cmp.Diff(payers, gotPayers); diff != "" || err != nil {
				t.Errorf("payers: %v\n%s", err, diff)
			}
			gotCodes, err := tenant.UnmatchedCodes(ctx)
			if diff := cmp.Diff(codes, gotCodes); diff != "" || err != nil {
				t.Errorf("codes: %v\n%s", err, diff)
			}
		}
		expect([]upstream.UnmatchedPayer{}, []upstream.UnmatchedCode{})
		claims := []upstream.Claim{spelt("1", "Lake"), spelt("2", "Acme"), spelt("3", "Acme"), spelt("4", "UHC"), spelt("5", "Brook"), spelt("6", "Aetna")}
		claims[0].CPT, claims[1].CPT, claims[2].CPT = "99999", "0042T", "0042T"
		open := pending("7", 20_000)
		open.CPT = "0001F"
		paid := decided("8", 20_000, 5, upstream.Paid)
		paid.CPT = "99999"
		again := paid
		again.ClaimID = "9"
		load(t, tenant, source("one", append(claims, open, paid, again)...), 2)
		expect([]upstream.UnmatchedPayer{{Payer: "Acme", Claims: 2}, {Payer: "Brook", Claims: 1}, {Payer: "Lake", Claims: 1}},
			[]upstream.UnmatchedCode{{Code: "99999", Claims: 3}, {Code: "0042T", Claims: 2}, {Code: "0001F"}})
		mapPayer(t, tenant, "Acme", "Acme Trust")
		mapPayer(t, tenant, "Brook", "Brook")
		mapCode(t, tenant, "99999", upstream.OtherGroup)
		mapCode(t, tenant, "0001F", "Measures")
		apply(t, tenant, 3)
		expect([]upstream.UnmatchedPayer{{Payer: "Lake", Claims: 1}}, []upstream.UnmatchedCode{{Code: "0042T", Claims: 2}})
		if _, err := tenant.DeleteClaims(ctx, []string{"1"}); err != nil {
			t.Fatal(err)
		}
		expect([]upstream.UnmatchedPayer{}, []upstream.UnmatchedCode{{Code: "0042T", Claims: 2}})
	})
}

// mappingsOf draws mappings, and holds what is mapped at the moment and which
// groups are in force.
type mappingsOf struct {
	tenant  *Tenant
	wanted  upstream.CPTGroups
	inForce upstream.CPTGroups
}

var (
	someSpellings = []string{"Aetna", "AETNA HMO", "Cigna", "Cigna PPO", "Lake Trust", "lake trust of ohio", "nobody"}
	someNames     = []string{"Aetna", "Aetna HMO", "Cigna", "Medicare", "Lake Trust", "Ohio", "nobody"}
	someCodes     = []string{"97110", "97140", "99213", "70551", "99999"}
	someOwn       = []string{"Ours", "Physical therapy", "X-ray", upstream.OtherGroup}
)

// change makes, changes or deletes one mapping; some are refused.
func (m *mappingsOf) change(r *rapid.T) {
	ctx := context.Background()
	var err error
	switch rapid.IntRange(0, 4).Draw(r, "mapping") {
	case 0, 1:
		p := upstream.PayerMapping{Raw: rapid.SampledFrom(someSpellings).Draw(r, "raw"), Payer: rapid.SampledFrom(someNames).Draw(r, "name")}
		if old, failed := m.tenant.PayerMappingOf(ctx, p.Raw); failed == nil {
			p.ID = old.ID
			_, err = m.tenant.ChangePayerMapping(ctx, p)
		} else {
			_, err = m.tenant.CreatePayerMapping(ctx, p)
		}
		if upstream.ErrorCode(err) == upstream.Invalid { // round in a circle
			return
		}
	case 2, 3:
		c := upstream.CPTMapping{Code: rapid.SampledFrom(someCodes).Draw(r, "code"), CPTGroup: rapid.SampledFrom(someOwn).Draw(r, "group")}
		if old, failed := m.tenant.CPTMappingOf(ctx, c.Code); failed == nil {
			c.ID = old.ID
			_, err = m.tenant.ChangeCPTMapping(ctx, c)
		} else {
			_, err = m.tenant.CreateCPTMapping(ctx, c)
		}
		m.wanted[c.Code] = c.CPTGroup
	default:
		all, failed := m.tenant.PayerMappings(ctx, upstream.Page{})
		for _, p := range all.Items {
			failed = errors.Join(failed, m.tenant.DeletePayerMapping(ctx, p.ID))
		}
		for code := range m.wanted {
			c, none := m.tenant.CPTMappingOf(ctx, code)
			failed = errors.Join(failed, none, m.tenant.DeleteCPTMapping(ctx, c.ID))
		}
		clear(m.wanted)
		err = failed
	}
	if err != nil {
		r.Fatal(err)
	}
}

// apply applies the mappings and checks that nothing is left to do.
func (m *mappingsOf) apply(r *rapid.T) {
	ctx := context.Background()
	if _, err := m.tenant.applyMappings(ctx, rapid.IntRange(1, 20).Draw(r, "batch")); err != nil {
		r.Fatal(err)
	}
	m.inForce = maps.Clone(m.wanted)
	own := upstream.PayerNames{}
	all, err := m.tenant.PayerMappings(ctx, upstream.Page{})
	for _, p := range all.Items {
		own[p.Key] = p.Payer
	}
	for _, c := range stored(r, m.tenant) {
		if name, _ := own.Resolve(c.Payer); name != c.Payer {
			r.Fatalf("a claim of %s has been left; it is %s by %v", c.Payer, name, own)
		}
	}
	if n, again := m.tenant.ApplyMappings(ctx); n != 0 || err != nil || again != nil {
		r.Fatalf("applied twice: %d changed, %v, %v", n, err, again)
	}
}

func TestRollupsEqualClaimsWhateverIsMapped(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		number := 0
		rapid.Check(t, func(r *rapid.T) {
			number++
			m := &mappingsOf{tenant: customer(r, s, fmt.Sprint("customer ", number)), wanted: upstream.CPTGroups{}}
			for step := range rapid.IntRange(1, 10).Draw(r, "steps") {
				switch rapid.IntRange(0, 5).Draw(r, "step") {
				case 0, 1:
					m.change(r)
				case 2:
					m.apply(r)
				case 3: // folds and deletes, now and then a load
					doSomething(r, m.tenant, 100+step)
					m.settle(r)
				default:
					claims := rapid.SliceOfN(claimStates(20_000), 0, 40).Draw(r, "claims")
					for i := range claims {
						claims[i].Payer = rapid.SampledFrom(someSpellings).Draw(r, "payer")
					}
					load(r, m.tenant, source(fmt.Sprint("file ", step), claims...), rapid.IntRange(1, 30).Draw(r, "rows"))
					m.inForce = maps.Clone(m.wanted)
				}
				consistent(r, m.tenant)
			}
			if len(m.inForce) == 0 {
				m.inForce = nil
			}
			sameFromRollupsAndClaims(r, m.tenant, m.inForce)
		})
	})
}

// settle loads an empty file, which puts groups into force as every load does.
func (m *mappingsOf) settle(r *rapid.T) {
	load(r, m.tenant, source(fmt.Sprint("nothing ", rapid.Int64().Draw(r, "name"))), 0)
	m.inForce = maps.Clone(m.wanted)
}

// cutOff fails at the end of the transaction that is the last it is told of: all
// that was written in it is undone, as when the process is killed.
type cutOff struct {
	engine
	left int
}

var errKilled = errors.New("killed")

func (e *cutOff) write(ctx context.Context, customer int64, f func(tx) error) error {
	return e.engine.write(ctx, customer, func(t tx) error {
		if err := f(t); err != nil {
			return err
		}
		if e.left--; e.left == 0 {
			return errKilled
		}
		return nil
	})
}

func TestMappingsThatWereCutOffEndTheSame(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		var want map[claimKey]upstream.Claim
		kills := 0
		for at := 0; at == 0 || kills == at-1; at++ { // 0: not cut off
			tenant := customer(t, s, fmt.Sprint("customer ", at))
			var claims []upstream.Claim
			for i, c := range many(60) {
				c.Payer = someSpellings[i%len(someSpellings)]
				claims = append(claims, c)
			}
			load(t, tenant, source("one", append(claims, correctedClaims()...)...), 0)
			mapPayer(t, tenant, "Lake Trust", "Ohio Trust")
			mapPayer(t, tenant, "lake trust of ohio", "Lake Trust")
			mapPayer(t, tenant, "nobody", "Cigna")
			mapCode(t, tenant, "97110", "Ours")
			killed := &Tenant{&Store{db: &cutOff{s.db, at}}, tenant.id}
			if _, err := killed.applyMappings(ctx, 5); errors.Is(err, errKilled) {
				kills++
			} else if err != nil {
				t.Fatal(err)
			}
			consistent(t, tenant)
			if _, err := tenant.applyMappings(ctx, 5); err != nil {
				t.Fatal(err)
			}
			consistent(t, tenant)
			got := stored(t, tenant)
			if at == 0 {
				want = got
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(claimKey{})); diff != "" {
				t.Fatalf("cut off in transaction %d:\n%s", at, diff)
			}
			if n := groupsOf(t, tenant)["Physical therapy"]; n != 0 {
				t.Errorf("cut off in transaction %d: %d decisions are in the old group", at, n)
			}
			apply(t, tenant, 0)
		}
		if kills < 5 {
			t.Errorf("it was cut off %d times; the batches are too large", kills)
		}
	})
}
