package drift

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"upstream"
)

// denialsBuilder collects denials by what they carry.
type denialsBuilder struct {
	d upstream.Denials
}

var changeDay = upstream.MakeDay(2025, 3, 3)

// add puts n denials on a day, counted from the change; what isn't given is "".
func (b *denialsBuilder) add(day, n int, values map[upstream.Dimension]string) {
	cell := upstream.DenialCell{Day: changeDay + upstream.Day(day), Count: int32(n)}
	for dimension := range upstream.Dimensions {
		names := &b.d.Values[dimension]
		at := slices.Index(*names, values[dimension])
		if at < 0 {
			at = len(*names)
			*names = append(*names, values[dimension])
		}
		cell.Value[dimension] = int32(at)
	}
	b.d.Cells = append(b.d.Cells, cell)
}

func (b *denialsBuilder) denials() *upstream.Denials {
	slices.SortStableFunc(b.d.Cells, func(a, c upstream.DenialCell) int { return int(a.Day - c.Day) })
	return &b.d
}

type values = map[upstream.Dimension]string

// incident has 1,000 claims in the 200 days before the change and 200 in the 20
// days since.
func incident(group *string) *upstream.DriftEvent {
	return &upstream.DriftEvent{
		Signal: upstream.DenialRate, Direction: upstream.Worse, Payer: new("Aetna"), CPTGroup: group,
		BaselineN: 1000, CurrentN: 200, BaselineFirst: changeDay - 200, BaselineLast: changeDay - 1,
		CurrentFirst: changeDay, CurrentLast: changeDay + 19, ChangeDate: changeDay,
	}
}

const (
	physical = "Physical physical"
	visits   = "E/M office visits"
)

// usual adds 100 denials before the change and 20 since: four codes at two
// clinics, in two procedures.
func usual() *denialsBuilder {
	b := &denialsBuilder{}
	for _, day := range []int{-150, -50, 10} {
		for _, code := range []string{"16", "197", "50", "29"} {
			for _, place := range []string{"North Clinic", "South Clinic"} {
				n := 6
				if day > 0 {
					n = 2
				}
				b.add(day, n, values{upstream.ByGroup: physical, upstream.ByCARC: code, upstream.ByLocation: place, upstream.ByCPT: "97110", upstream.ByModifiers: "GP"})
			}
		}
	}
	return b
}

func TestACauseIsNamedWithItsPlace(t *testing.T) {
	b := usual()
	b.add(5, 16, values{upstream.ByGroup: physical, upstream.ByCARC: "197", upstream.ByLocation: "South Clinic", upstream.ByCPT: "97110", upstream.ByModifiers: "GP"})
	b.add(5, 50, values{upstream.ByGroup: visits, upstream.ByCARC: "29", upstream.ByLocation: "North Clinic"}) // another node's
	b.add(40, 90, values{upstream.ByGroup: physical, upstream.ByCARC: "29", upstream.ByLocation: "North Clinic"})
	e := incident(new(physical))
	Explain(e, b.denials())
	if named(e, upstream.ByCARC) != "197" || named(e, upstream.ByLocation) != "South Clinic" || len(e.RootCauses) != 2 {
		t.Fatalf("root causes are %+v", e.RootCauses)
	}
	// 32 denials where 96/1000 × 200 = 19.2 were expected: 12.8 too many. At
	// South Clinic 197 has 18 where 2.4 were.
	if got := e.JointShare; got != 1 {
		t.Errorf("joint share %g", got)
	}
	if got := Cause(e); got != "CARC 197 at South Clinic explains 100 % of it" {
		t.Errorf("said as %q", got)
	}
	if e.Spread != "" {
		t.Errorf("spread over %q", e.Spread)
	}
}

func TestAChangeEverywhereIsSpread(t *testing.T) {
	b := usual()
	for _, code := range []string{"16", "197", "50", "29"} {
		b.add(5, 6, values{upstream.ByGroup: physical, upstream.ByCARC: code, upstream.ByLocation: "North Clinic"})
		b.add(5, 6, values{upstream.ByGroup: physical, upstream.ByCARC: code, upstream.ByLocation: "South Clinic"})
	}
	e := incident(new(physical))
	Explain(e, b.denials())
	if named(e, upstream.ByCARC) != "" || named(e, upstream.ByLocation) != "" {
		t.Errorf("root causes are %+v", e.RootCauses)
	}
	if want := "all 4 CARCs, none above 30 %; both locations, none above 50 %"; e.Spread != want {
		t.Errorf("spread over %q, want %q", e.Spread, want)
	}
}

// A clinic with most of the claims has most of any excess, and explains none.
func TestSizeIsNoCause(t *testing.T) {
	b := &denialsBuilder{}
	for _, day := range []int{-100, 10} {
		n := 1
		if day > 0 {
			n = 2 // twice the rate, on a fifth of the claims: 40 % of the baseline's denials
		}
		b.add(day, 40*n, values{upstream.ByGroup: physical, upstream.ByCARC: "16", upstream.ByLocation: "Main"})
		b.add(day, 40*n, values{upstream.ByGroup: physical, upstream.ByCARC: "50", upstream.ByLocation: "Main"})
		b.add(day, 10*n, values{upstream.ByGroup: physical, upstream.ByCARC: "50", upstream.ByLocation: "Branch"})
		b.add(day, 10*n, values{upstream.ByGroup: physical, upstream.ByCARC: "16", upstream.ByLocation: "Branch"})
	}
	e := incident(new(physical))
	Explain(e, b.denials())
	if named(e, upstream.ByLocation) != "" {
		t.Errorf("root causes are %+v", e.RootCauses)
	}
	if !strings.Contains(e.Spread, "both locations") {
		t.Errorf("spread over %q", e.Spread)
	}
}

func TestACodeNeverSeenIsNew(t *testing.T) {
	add := func(b *denialsBuilder, n int) {
		b.add(5, n, values{upstream.ByGroup: physical, upstream.ByCARC: "252", upstream.ByLocation: "North Clinic", upstream.ByCPT: "97110", upstream.ByModifiers: "GP"})
		for _, code := range []string{"16", "197", "50", "29"} {
			b.add(5, 4, values{upstream.ByGroup: physical, upstream.ByCARC: code, upstream.ByLocation: "South Clinic", upstream.ByCPT: "97110", upstream.ByModifiers: "GP"})
		}
	}
	find := func(e *upstream.DriftEvent) *upstream.RootCause {
		for i := range e.RootCauses {
			if e.RootCauses[i].Value == "252" {
				return &e.RootCauses[i]
			}
		}
		return nil
	}
	for _, c := range []struct {
		name       string
		n, before  int // denials with the code since, and the day of one before; 0 for none
		told       bool
		new, minor bool
		words      string
	}{
		{name: "most of it", n: 60, told: true, new: true, words: "CARC 252 (new) at North Clinic explains"},
		{name: "some of it", n: 6, told: true, new: true, minor: true, words: "CARC 252 (new) explains"},
		{name: "twice, as by mistake", n: 2},
		{name: "seen within the year", n: 60, before: -300, told: true},
		{name: "seen longer ago", n: 60, before: -366, told: true, new: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := usual()
			add(b, c.n)
			if c.before != 0 {
				b.add(c.before, 1, values{upstream.ByGroup: physical, upstream.ByCARC: "252"})
			}
			e := incident(new(physical))
			Explain(e, b.denials())
			got := find(e)
			if (got != nil) != c.told {
				t.Fatalf("root causes are %+v", e.RootCauses)
			}
			if got != nil && (got.New != c.new || got.Minor != c.minor) {
				t.Errorf("told as %+v", *got)
			}
			if words := Cause(e); !strings.Contains(words, c.words) {
				t.Errorf("said as %q, want %q", words, c.words)
			}
		})
	}
}

func TestAPayersGroupsAreRanked(t *testing.T) {
	b := usual()
	for i, group := range []string{visits, "Lab panels", "X-ray", "Drugs"} {
		b.add(-100, 10, values{upstream.ByGroup: group, upstream.ByCARC: "16", upstream.ByLocation: "North Clinic"})
		b.add(10, 22-6*i, values{upstream.ByGroup: group, upstream.ByCARC: "16", upstream.ByLocation: "North Clinic"})
	}
	e := incident(nil)
	Explain(e, b.denials())
	var groups []string
	for _, c := range e.RootCauses {
		if c.Dimension == "cpt_group" {
			groups = append(groups, c.Value)
			if !c.Minor {
				t.Errorf("%+v isn't minor", c)
			}
		}
	}
	if want := []string{visits, "Lab panels", "X-ray"}; !slices.Equal(groups, want) {
		t.Errorf("groups are %q, want %q", groups, want)
	}
	one := incident(new(physical))
	Explain(one, b.denials())
	for _, c := range one.RootCauses {
		if c.Dimension == "cpt_group" {
			t.Errorf("a group is explained by %+v", c)
		}
	}
}

// Two dimensions that say the same are told once, in the order of precedence.
func TestWhatIsImpliedIsNotSaid(t *testing.T) {
	carc := func(code, remark, cpt, modifier string) values {
		return values{upstream.ByGroup: physical, upstream.ByCARC: code, upstream.ByRARC: remark, upstream.ByCPT: cpt, upstream.ByModifiers: modifier, upstream.ByPlace: "11"}
	}
	background := func() *denialsBuilder {
		b := &denialsBuilder{}
		for _, day := range []int{-150, 10} {
			n := 5
			if day > 0 {
				n = 1
			}
			for _, code := range []string{"16", "50", "29"} {
				b.add(day, 3*n, carc(code, "M15", "97140", "GP"))
				b.add(day, 3*n, carc(code, "M15", "97110", "GP"))
				b.add(day, n, carc(code, "", "97530", "59"))
			}
		}
		return b
	}
	for _, c := range []struct {
		name   string
		excess values
		want   []string // dimensions that are named
	}{
		{"a remark on the same denials as its code", carc("197", "N54", "97140", "XU"), []string{"carc", "cpt"}},
		{"a modifier that the procedure always has", carc("16", "M15", "97110", "GP"), []string{"carc", "cpt"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := background()
			b.add(5, 60, c.excess)
			e := incident(new(physical))
			Explain(e, b.denials())
			var got []string
			for _, r := range e.RootCauses {
				if !r.Minor {
					got = append(got, r.Dimension)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("named %q, want %q: %+v", got, c.want, e.RootCauses)
			}
		})
	}
}

func TestAnImprovementIsExplainedByWhatFell(t *testing.T) {
	b := &denialsBuilder{}
	for _, code := range []string{"16", "197", "50", "29"} {
		b.add(-100, 50, values{upstream.ByCARC: code, upstream.ByGroup: physical})
		if code != "197" {
			b.add(10, 10, values{upstream.ByCARC: code, upstream.ByGroup: physical})
		}
	}
	e := incident(new(physical))
	e.Direction = upstream.Better
	Explain(e, b.denials())
	if got := Cause(e); got != "CARC 197 explains 100 % of it" {
		t.Errorf("said as %q: %+v", got, e.RootCauses)
	}
}

func TestNothingToExplain(t *testing.T) {
	full := usual()
	full.add(5, 16, values{upstream.ByGroup: physical, upstream.ByCARC: "197"})
	for name, change := range map[string]func(e *upstream.DriftEvent, d *upstream.Denials){
		"no denials":            func(_ *upstream.DriftEvent, d *upstream.Denials) { *d = upstream.Denials{} },
		"none before":           func(e *upstream.DriftEvent, _ *upstream.Denials) { e.BaselineN = 0 },
		"none since":            func(e *upstream.DriftEvent, _ *upstream.Denials) { e.CurrentN = 0 },
		"fewer than expected":   func(e *upstream.DriftEvent, _ *upstream.Denials) { e.CurrentN = 5000 },
		"a group without cells": func(e *upstream.DriftEvent, _ *upstream.Denials) { e.CPTGroup = new("Drugs") },
		"windows without cells": func(e *upstream.DriftEvent, _ *upstream.Denials) {
			e.CurrentFirst, e.CurrentLast = changeDay+1000, changeDay+1001
		},
	} {
		e, d := incident(new(physical)), *full.denials()
		change(e, &d)
		Explain(e, &d)
		if e.RootCauses == nil || len(e.RootCauses) != 0 || e.JointShare != 0 || Cause(e) != "" {
			t.Errorf("%s: %+v, %g, %q", name, e.RootCauses, e.JointShare, e.Spread)
		}
	}
	e := &upstream.DriftEvent{Signal: upstream.Takeback, Spread: "kept"}
	if Explain(e, full.denials()); e.Spread != "kept" {
		t.Error("an event that isn't about denials was explained")
	}
}

func TestCausesOfAnyDenialsAreSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &denialsBuilder{}
		for range rapid.IntRange(0, 30).Draw(t, "cells") {
			of := func(label string) string {
				return rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, label)
			}
			b.add(rapid.IntRange(-400, 25).Draw(t, "day"), rapid.IntRange(0, 60).Draw(t, "count"), values{
				upstream.ByGroup: of("group"), upstream.ByCARC: of("carc"), upstream.ByLocation: of("location"), upstream.ByCPT: of("cpt"), upstream.ByRARC: of("rarc"),
			})
		}
		e := incident(rapid.SampledFrom([]*string{nil, new("a"), new("z")}).Draw(t, "of"))
		e.BaselineN, e.CurrentN = rapid.Int64Range(0, 3000).Draw(t, "before"), rapid.Int64Range(0, 500).Draw(t, "now")
		e.Direction = rapid.SampledFrom([]upstream.Direction{upstream.Worse, upstream.Better}).Draw(t, "direction")
		d := b.denials()
		Explain(e, d)
		for i, c := range e.RootCauses {
			if math.IsNaN(c.G) || !(c.ShareOfExcess > 0 && c.ShareOfExcess <= 1) || c.Value == "" {
				t.Errorf("%+v", c)
			}
			if !c.Minor && c.ShareOfExcess <= .5 || i > 0 && c.ShareOfExcess > e.RootCauses[i-1].ShareOfExcess {
				t.Errorf("%d is %+v of %+v", i, c, e.RootCauses)
			}
		}
		if !(e.JointShare >= 0 && e.JointShare <= 1) || strings.Contains(Cause(e), "NaN") {
			t.Errorf("joint share %g, %q", e.JointShare, Cause(e))
		}
		again := *e
		Explain(&again, d)
		if Cause(&again) != Cause(e) || !slices.Equal(again.RootCauses, e.RootCauses) {
			t.Error("explained otherwise a second time")
		}
	})
}

func TestCausesInWords(t *testing.T) {
	carc := upstream.RootCause{Dimension: "carc", Value: "197", ShareOfExcess: .86}
	for _, c := range []struct {
		name string
		e    upstream.DriftEvent
		want string
	}{
		{"nothing known", upstream.DriftEvent{}, ""},
		{"spread", upstream.DriftEvent{Spread: "all 4 locations"}, "spread over all 4 locations"},
		{"a minor one is not said", upstream.DriftEvent{RootCauses: []upstream.RootCause{{Dimension: "cpt_group", Value: physical, ShareOfExcess: .3, Minor: true}}, Spread: "all 4 locations"}, "spread over all 4 locations"},
		{"one", upstream.DriftEvent{RootCauses: []upstream.RootCause{carc}, JointShare: .86}, "CARC 197 explains 86 % of it"},
		{"several", upstream.DriftEvent{RootCauses: []upstream.RootCause{
			{Dimension: "location", Value: "South Clinic", ShareOfExcess: .9},
			carc,
			{Dimension: "cpt", Value: "97110", ShareOfExcess: .8},
			{Dimension: "rarc", Value: "N54", ShareOfExcess: .7},
			{Dimension: "modifier", Value: "59", ShareOfExcess: .6},
			{Dimension: "cpt_group", Value: physical, ShareOfExcess: .6},
			{Dimension: "place_of_service", Value: "22", ShareOfExcess: .55},
		}, JointShare: .81}, "CARC 197 with RARC N54 on CPT 97110 with modifier 59 in Physical physical at South Clinic in place of service 22 explains 81 % of it"},
		{"only a place", upstream.DriftEvent{RootCauses: []upstream.RootCause{{Dimension: "location", Value: "South Clinic", ShareOfExcess: .9}}, JointShare: .9}, "South Clinic explains 90 % of it"},
		{"each of its own", upstream.DriftEvent{RootCauses: []upstream.RootCause{carc, {Dimension: "location", Value: "South Clinic", ShareOfExcess: .6}}, JointShare: .4}, "CARC 197 explains 86 % of it, South Clinic explains 60 % of it"},
	} {
		if got := Cause(&c.e); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
