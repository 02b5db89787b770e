package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"upstream"
)

var claimOrders = []string{"-decided_date", "decided_date", "-submitted_date", "submitted_date", "-id", "id", "claim_id", "-claim_id"}

// manyClaims draws claims of different ids, their lines apart, that share days.
func manyClaims(r *rapid.T, prefix string) []upstream.Claim {
	claims := rapid.SliceOfN(claimStates(20_000), 0, 60).Draw(r, "claims")
	for i := range claims {
		c := &claims[i]
		c.ClaimID = fmt.Sprintf("%s%03d", prefix, rapid.IntRange(0, 150).Draw(r, "number"))
		c.SubmittedDate = 20_000 + (c.SubmittedDate-20_000)/8
		c.ServiceDate = rapid.SampledFrom([]upstream.Day{0, c.SubmittedDate, c.SubmittedDate - 3}).Draw(r, "service")
		if c.DecidedDate != 0 {
			c.DecidedDate = 20_010 + (c.DecidedDate-20_000)/8
			c.Decide()
		}
	}
	return claims
}

// claimFilters draws a filter, mostly of few conditions.
func claimFilters(r *rapid.T) (f ClaimFilter) {
	some := func(name string) bool { return rapid.IntRange(0, 3).Draw(r, name) == 0 }
	day := func(name string, first upstream.Day) upstream.Day {
		if !some(name) {
			return 0
		}
		return first + upstream.Day(rapid.IntRange(-1, 14).Draw(r, name+" day"))
	}
	if some("payer") {
		f.Payers = rapid.SliceOfN(rapid.SampledFrom(somePayers), 1, 3).Draw(r, "payers")
	}
	if some("outcome") {
		f.Outcomes = rapid.SliceOfN(rapid.SampledFrom([]upstream.Outcome{upstream.Pending, upstream.Paid, upstream.Denied, upstream.Adjusted, upstream.Reversed}), 1, 2).Draw(r, "outcomes")
	}
	if some("cpt") {
		f.CPT = rapid.SampledFrom([]string{"97110", "99213", "00000"}).Draw(r, "code")
	}
	if some("group") {
		f.CPTGroup = upstream.CPTGroup(rapid.SampledFrom([]string{"97110", "99213"}).Draw(r, "of code"))
	}
	if some("carc") {
		f.CARC = rapid.SampledFrom([]string{"197", "CO-197", "PR-197", "16", "CO-16", "45"}).Draw(r, "code")
	}
	if some("location") {
		f.Location = rapid.SampledFrom([]string{"North", "South", "West"}).Draw(r, "place")
	}
	f.DecidedFrom, f.DecidedTo = day("decided from", 20_010), day("decided to", 20_010)
	f.SubmittedFrom, f.SubmittedTo = day("submitted from", 20_000), day("submitted to", 20_000)
	f.ServiceFrom, f.ServiceTo = day("service from", 20_000), day("service to", 20_000)
	f.Order = rapid.SampledFrom(claimOrders).Draw(r, "order")
	if some("search") {
		f.Search = rapid.SampledFrom([]string{"own0", "own00", "own007", "own12", "OWN", "own\u00ff"}).Draw(r, "search")
		f.Order = rapid.SampledFrom([]string{"", "claim_id", "-claim_id"}).Draw(r, "order of a search")
	}
	return f
}

// naiveClaims is Claims by the plain definition.
func naiveClaims(claims []upstream.Claim, f ClaimFilter) []upstream.Claim {
	in := func(d, first, last upstream.Day) bool {
		return first == 0 && last == 0 || d != 0 && (first == 0 || d >= first) && (last == 0 || d <= last)
	}
	carc := func(c *upstream.Claim) bool {
		return slices.ContainsFunc(strings.Fields(string(c.CARC)), func(one string) bool {
			_, number, grouped := strings.Cut(one, "-")
			return one == f.CARC || grouped && number == f.CARC
		})
	}
	out := slices.DeleteFunc(slices.Clone(claims), func(c upstream.Claim) bool {
		return len(f.Payers) > 0 && !slices.Contains(f.Payers, c.Payer) ||
			len(f.Outcomes) > 0 && !slices.Contains(f.Outcomes, c.Outcome) ||
			f.CPT != "" && c.CPT != f.CPT || f.CPTGroup != "" && upstream.CPTGroup(c.CPT) != f.CPTGroup ||
			f.CARC != "" && !carc(&c) || f.Location != "" && c.Location != f.Location ||
			!in(c.DecidedDate, f.DecidedFrom, f.DecidedTo) || !in(c.SubmittedDate, f.SubmittedFrom, f.SubmittedTo) ||
			!in(c.ServiceDate, f.ServiceFrom, f.ServiceTo) || !strings.HasPrefix(c.ClaimID, f.Search)
	})
	order, err := f.order()
	if err != nil {
		panic(err)
	}
	slices.SortFunc(out, func(a, b upstream.Claim) int {
		by := 0
		switch order.column {
		case "decided_date":
			by = cmp.Compare(a.DecidedDate, b.DecidedDate)
		case "submitted_date":
			by = cmp.Compare(a.SubmittedDate, b.SubmittedDate)
		case "claim_id":
			by = cmp.Or(cmp.Compare(a.ClaimID, b.ClaimID), cmp.Compare(a.Line, b.Line))
		}
		if by = cmp.Or(by, cmp.Compare(a.ID, b.ID)); order.desc {
			return -by
		}
		return by
	})
	return out
}

// allStored reads a customer's claims with their numbers.
func allStored(t rapid.TB, tenant *Tenant) (out []upstream.Claim) {
	t.Helper()
	err := tenant.s.read(context.Background(), func(x tx) error {
		l, err := tenant.terms(x)
		if err != nil {
			return err
		}
		return x.query(selectClaimSQL, []any{tenant.id}, func(r row) error {
			var row claimRow
			row.scan(r)
			c, err := l.decode(x, &row)
			out = append(out, c)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func claims(t rapid.TB, tenant *Tenant, f ClaimFilter, p upstream.Page) upstream.List[upstream.Claim] {
	t.Helper()
	list, err := tenant.Claims(context.Background(), f, p)
	if err != nil {
		t.Fatalf("%+v, %+v: %v", f, p, err)
	}
	return list
}

// walkForward walks a list from a place to its end.
func walkForward(t rapid.TB, tenant *Tenant, f ClaimFilter, size int, between func()) (all []upstream.Claim) {
	t.Helper()
	page := upstream.Page{Size: size}
	for {
		list := claims(t, tenant, f, page)
		if len(list.Items) > size {
			t.Fatalf("%d claims on a page of %d", len(list.Items), size)
		}
		all = append(all, list.Items...)
		if list.Next.IsZero() {
			return all
		}
		page.After = list.Next
		between()
	}
}

// walkBackward walks a list from its last claim to its beginning.
func walkBackward(t rapid.TB, tenant *Tenant, f ClaimFilter, size int, before upstream.Key) (all []upstream.Claim) {
	t.Helper()
	for !before.IsZero() {
		list := claims(t, tenant, f, upstream.Page{Size: size, Before: before})
		all = append(slices.Clone(list.Items), all...)
		before = list.Previous
	}
	return all
}

// keyOf returns the place of a claim in a list.
func keyOf(t rapid.TB, f ClaimFilter, c *upstream.Claim) upstream.Key {
	t.Helper()
	order, err := f.order()
	if err != nil {
		t.Fatal(err)
	}
	switch order.column {
	case "decided_date":
		return upstream.Key{Value: int64(c.DecidedDate), ID: c.ID}
	case "submitted_date":
		return upstream.Key{Value: int64(c.SubmittedDate), ID: c.ID}
	}
	return upstream.Key{ID: c.ID}
}

func TestListsOfClaimsAreWhatTheirFiltersSay(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		number := 0
		rapid.Check(t, func(r *rapid.T) {
			number++
			s.look = looks{first: rapid.IntRange(1, 9).Draw(r, "first look"), page: rapid.IntRange(1, 40).Draw(r, "looks"), count: rapid.IntRange(1, 70).Draw(r, "counted")}
			tenant, other := customer(r, s, fmt.Sprint("customer ", number)), customer(r, s, fmt.Sprint("other ", number))
			load(r, tenant, source("one", manyClaims(r, "own")...), rapid.IntRange(5, 60).Draw(r, "batch"))
			load(r, other, source("one", manyClaims(r, "own")...), 0)
			stored := allStored(r, tenant)
			for range 4 {
				f := claimFilters(r)
				sameClaims(r, tenant, f, naiveClaims(stored, f))
			}
		})
	})
}

// sameClaims compares a list, walked in all ways, with what it should be.
func sameClaims(r *rapid.T, tenant *Tenant, f ClaimFilter, want []upstream.Claim) {
	size := rapid.IntRange(1, 30).Draw(r, "size")
	same := func(way string, want, got []upstream.Claim) {
		if diff := gocmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
			r.Fatalf("%+v %s, pages of %d, looks %+v (-want +got):\n%s", f, way, size, tenant.s.look, diff)
		}
	}
	same("forward", want, walkForward(r, tenant, f, size, func() {}))
	if len(want) > 0 {
		at := rapid.IntRange(0, len(want)-1).Draw(r, "before")
		same("backward", want[:at], walkBackward(r, tenant, f, size, keyOf(r, f, &want[at])))
		list := claims(r, tenant, f, upstream.Page{Size: size, After: keyOf(r, f, &want[at])})
		if rest := want[at+1:]; len(list.Items) > len(rest) || list.Next.IsZero() && len(list.Items) < len(rest) {
			r.Fatalf("%+v: %d claims after %d of %d", f, len(list.Items), at, len(want))
		} else {
			same("after a claim", rest[:len(list.Items)], list.Items)
		}
	}
	elsewhere := upstream.Key{Value: 20_000 + rapid.Int64Range(-5, 40).Draw(r, "elsewhere"), ID: rapid.Int64Range(1, 70).Draw(r, "elsewhere id")}
	if order, err := f.order(); err == nil && order.column != "claim_id" { // any place will do, one of another list even
		if order.column == "id" {
			elsewhere.Value = 0
		}
		rest := slices.DeleteFunc(slices.Clone(want), func(c upstream.Claim) bool {
			by := cmp.Or(cmp.Compare(keyOf(r, f, &c).Value, elsewhere.Value), cmp.Compare(c.ID, elsewhere.ID))
			return by == 0 || (by > 0) == order.desc
		})
		list := claims(r, tenant, f, upstream.Page{Size: size, After: elsewhere})
		same("after some place", rest[:min(len(list.Items), len(rest))], list.Items)
	}
	offset := rapid.IntRange(0, len(want)+3).Draw(r, "offset")
	list, err := tenant.Claims(context.Background(), f, upstream.Page{Size: size, Offset: offset})
	switch {
	case upstream.ErrorCode(err) == upstream.Invalid && offset > 0: // out of reach
	case err != nil:
		r.Fatal(err)
	default:
		rest := want[min(offset, len(want)):]
		if list.Next.IsZero() && len(list.Items) != len(rest) {
			r.Fatalf("%+v: the last page has %d of %d claims from %d on", f, len(list.Items), len(rest), offset)
		}
		same("beyond an offset", rest[:min(len(list.Items), len(rest))], list.Items)
		if n := int64(len(want)); list.Count.Exact && list.Count.N != n || list.Count.N > n {
			r.Fatalf("%+v: counted %+v of %d", f, list.Count, n)
		}
	}
}

func TestCountsThatRollupsKnowAreExact(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		s.look = looks{1, 1, 1}
		tenant := customer(t, s, "A")
		load(t, tenant, source("one", append(many(300), correctedClaims()...)...), 50)
		stored := allStored(t, tenant)
		group := upstream.CPTGroup("97110")
		for _, f := range []ClaimFilter{
			{},
			{Payers: []string{"Aetna"}},
			{Payers: []string{"nobody"}},
			{Payers: []string{"Aetna", "Cigna"}, Outcomes: []upstream.Outcome{upstream.Denied, upstream.Reversed}},
			{Outcomes: []upstream.Outcome{upstream.Paid}, DecidedFrom: 20_010, DecidedTo: 20_030},
			{CPTGroup: group, DecidedTo: 20_030},
			{CPTGroup: group, SubmittedFrom: 20_010},
			{Payers: []string{"Aetna"}, SubmittedFrom: 20_010, SubmittedTo: 20_011},
			{DecidedFrom: 20_005, DecidedTo: 20_004},
			{Outcomes: []upstream.Outcome{upstream.Pending}, DecidedFrom: 20_000},
		} {
			want := upstream.Count{N: int64(len(naiveClaims(stored, f))), Exact: true}
			if got := claims(t, tenant, f, upstream.Page{Size: 1}).Count; got != want {
				t.Errorf("%+v: %+v, want %+v", f, got, want)
			}
		}
	})
}

func TestAPlaceOutsideTheDaysOfAListHasNoClaimsOfItsOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		load(t, tenant, source("one", many(300)...), 0)
		stored := allStored(t, tenant)
		day := stored[150].SubmittedDate
		for _, test := range []struct {
			f     ClaimFilter
			after upstream.Key
		}{
			{ClaimFilter{Order: "submitted_date", SubmittedTo: day - 1}, upstream.Key{Value: int64(day), ID: 1}},
			{ClaimFilter{Order: "-submitted_date", SubmittedFrom: day + 1}, upstream.Key{Value: int64(day), ID: 1 << 30}},
		} {
			if got := claims(t, tenant, test.f, upstream.Page{Size: 10, After: test.after}); len(got.Items) != 0 {
				t.Errorf("%+v after %+v: %d claims", test.f, test.after, len(got.Items))
			}
		}
	})
}

func TestNoClaimIsSkippedOrRepeatedWhileOthersCome(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		s.look = looks{first: 20, page: 60, count: 50}
		for i, order := range claimOrders {
			for j, f := range []ClaimFilter{{Order: order}, {Order: order, CPT: "97110"}, {Order: order, Payers: []string{"Aetna", "Cigna"}}} {
				tenant := customer(t, s, fmt.Sprint(i, " ", j))
				load(t, tenant, source("one", many(300)...), 0)
				want, file := naiveClaims(allStored(t, tenant), f), 0
				known := map[int64]bool{}
				for i := range want {
					known[want[i].ID] = true
				}
				got := walkForward(t, tenant, f, 40, func() {
					file++
					more := []upstream.Claim{
						decided(fmt.Sprint("A", file), 20_000, upstream.Day(file), upstream.Paid), pending(fmt.Sprint("C5", file), 20_050),
						decided(fmt.Sprint("Z", file), 20_090, 40, upstream.Denied),
					}
					load(t, tenant, source(fmt.Sprint("more ", file), more...), 0)
				})
				met := map[int64]int{}
				for i := range got {
					met[got[i].ID]++
				}
				got = slices.DeleteFunc(got, func(c upstream.Claim) bool { return !known[c.ID] })
				if diff := gocmp.Diff(want, got); diff != "" || file == 0 {
					t.Errorf("%+v (-want +got):\n%s", f, diff)
				}
				for id, n := range met {
					if n > 1 {
						t.Errorf("%+v: claim %d came %d times", f, id, n)
					}
				}
			}
		}
	})
}

func TestClaimsThatCannotBeListedSo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		tenant := customer(t, s, "A")
		load(t, tenant, source("one", many(300)...), 0)
		s.look = looks{first: 10, page: 20, count: 20}
		for _, test := range []struct {
			f    ClaimFilter
			p    upstream.Page
			says string
		}{
			{ClaimFilter{Order: "billed"}, upstream.Page{}, "decided_date, submitted_date, id, claim_id"},
			{ClaimFilter{Order: "--id"}, upstream.Page{}, "decided_date"},
			{ClaimFilter{Search: "C0"}, upstream.Page{}, "at least 3 characters"},
			{ClaimFilter{Search: "C0\x000"}, upstream.Page{}, "characters"},
			{ClaimFilter{Search: "C00", Order: "-decided_date"}, upstream.Page{}, "claim_id"},
			{ClaimFilter{}, upstream.Page{Offset: upstream.MaxOffset + 1}, "cursor"},
			{ClaimFilter{}, upstream.Page{Offset: -1}, "cursor"},
			{ClaimFilter{}, upstream.Page{Offset: 5, After: upstream.Key{ID: 5}}, "not from both"},
			{ClaimFilter{CPT: "97110"}, upstream.Page{Offset: 90}, "cursor"},
		} {
			_, err := tenant.Claims(context.Background(), test.f, test.p)
			if upstream.ErrorCode(err) != upstream.Invalid || !strings.Contains(fmt.Sprint(err), test.says) {
				t.Errorf("%+v, %+v: %v, want %q", test.f, test.p, err, test.says)
			}
		}
		for _, id := range []int64{0, -1, 301, 1 << claimBits, storedID(tenant.id, 1), 1<<62 + 1} {
			if _, err := tenant.Claim(context.Background(), id); upstream.ErrorCode(err) != upstream.NotFound {
				t.Errorf("claim %d: %v", id, err)
			}
		}
		for _, c := range allStored(t, tenant)[:20] {
			got, err := tenant.Claim(context.Background(), c.ID)
			if diff := gocmp.Diff(c, got); diff != "" || err != nil {
				t.Errorf("claim %d: %v\n%s", c.ID, err, diff)
			}
		}
		if _, err := customer(t, s, "B").Claim(context.Background(), 1); upstream.ErrorCode(err) != upstream.NotFound {
			t.Errorf("another customer's claim: %v", err)
		}
	})
}
