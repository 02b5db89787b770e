package upstream_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
	"upstream"
)

func TestPayerMappingsAreHeldToOneForm(t *testing.T) {
	for _, test := range []struct {
		name, raw, payer string
		key, stored      string // "" where the mapping is refused
	}{
		{"as it is", "UHC", "United", "UHC", "United"},
		{"space in between", "  acme\tof  ohio, inc. ", " Acme  Trust\n", "ACME OF OHIO", "Acme Trust"},
		{"other letters", "Ärzte-Kasse", "Ärztekasse", "ÄRZTE KASSE", "Ärztekasse"},
		{"the longest", strings.Repeat("é", 200), strings.Repeat("é", 200), strings.Repeat("É", 200), strings.Repeat("é", 200)},
		{"no spelling", " ", "Acme", "", ""},
		{"no payer", "Acme", "", "", ""},
		{"nothing to know it by", "...", "Acme", "", ""},
		{"a payer without a letter", "Acme", "--", "", ""},
		{"too long a spelling", strings.Repeat("x", 201), "Acme", "", ""},
		{"too long a payer", "Acme", strings.Repeat("x", 201), "", ""},
		{"a NUL", "Acme", "Ac\x00me", "", ""},
		{"a control character", "Ac\x07me", "Acme", "", ""},
		{"a formula", "Acme", "=cmd|' /C calc'!A0", "", ""},
		{"no UTF-8", "Acme", "Acm\xff", "", ""},
	} {
		m := upstream.PayerMapping{Raw: test.raw, Payer: test.payer}
		err := m.Normalize()
		if test.stored == "" {
			if upstream.ErrorCode(err) != upstream.Invalid {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if err != nil || m.Key != test.key || m.Payer != test.stored {
			t.Errorf("%s: %+v, %v", test.name, m, err)
		}
	}
}

func TestCPTMappingsAreHeldToOneForm(t *testing.T) {
	for _, test := range []struct {
		code, group string
		ok          bool
	}{
		{"99213", "Visits", true},
		{" j1100 ", " Our  drugs ", true},
		{"97110", strings.Repeat("é", 100), true},
		{"9921", "Visits", false},
		{"", "Visits", false},
		{"99213", "", false},
		{"99213", " ", false},
		{"99213", strings.Repeat("x", 101), false},
		{"99213", "a\x00b", false},
		{"99213", "+1", false},
	} {
		m := upstream.CPTMapping{Code: test.code, CPTGroup: test.group}
		err := m.Normalize()
		if test.ok != (err == nil) || err != nil && upstream.ErrorCode(err) != upstream.Invalid {
			t.Errorf("%q, %q: %v", test.code, test.group, err)
		}
		if test.ok && (m.Code != strings.ToUpper(strings.TrimSpace(test.code)) || m.CPTGroup != strings.Join(strings.Fields(test.group), " ")) {
			t.Errorf("%q, %q became %+v", test.code, test.group, m)
		}
	}
}

func TestOwnMappingsComeBeforeTheTable(t *testing.T) {
	own := upstream.PayerNames{
		"UHC": "United (Texas)", "AETNA HMO": "Aetna HMO", "LAKE TRUST OF OHIO": "Lake Trust", "LAKE TRUST": "Lake County Trust", "CIGNA": "CIGNA",
	}
	for raw, want := range map[string]string{
		"uhc, inc.":          "United (Texas)",
		"United Healthcare":  "UnitedHealthcare",
		"Aetna HMO":          "Aetna HMO", // a payer of its own, which the table would take for Aetna
		"Aetna PPO":          "Aetna",
		"Lake Trust of Ohio": "Lake County Trust",
		"Cigna PPO":          "CIGNA", // what the table says is mapped again
		" Nobody  knows ":    "Nobody knows",
		"":                   "",
	} {
		if got := own.Name(raw); got != want {
			t.Errorf("%q is %q, want %q", raw, got, want)
		}
	}
	var none upstream.PayerNames
	if got := none.Name("UHC"); got != "UnitedHealthcare" {
		t.Errorf("without mappings UHC is %q", got)
	}
	for payer, want := range map[string]bool{"United (Texas)": true, "Lake Trust": true, "Aetna": true, "aetna ppo": true, "Nobody": false} {
		if own.Knows(payer) != want {
			t.Errorf("%s is known: %t", payer, !want)
		}
	}
	groups := upstream.CPTGroups{"99213": "Our visits"}
	if got := groups.Of("99213") + ", " + groups.Of("97110") + ", " + upstream.CPTGroups(nil).Of("99213"); got != "Our visits, Physical therapy, E/M office visits" {
		t.Error(got)
	}
}

// Whatever the mappings are, following them ends, and its end is an end.
func TestResolvingEndsAndStays(t *testing.T) {
	if _, ok := (upstream.PayerNames{"A": "B", "B": "C", "C": "a"}).Resolve("A"); ok {
		t.Error("a circle has an end")
	}
	names := rapid.SampledFrom([]string{"A", "a", "B", "C", "C, Inc.", "D", "E"})
	rapid.Check(t, func(r *rapid.T) {
		own := upstream.PayerNames{}
		for range rapid.IntRange(0, 6).Draw(r, "mappings") {
			own[upstream.PayerKey(names.Draw(r, "raw"))] = names.Draw(r, "payer")
		}
		end, ok := own.Resolve(names.Draw(r, "name"))
		if !ok {
			return
		}
		if again, ok := own.Resolve(end); !ok || again != end {
			r.Fatalf("%v: %q leads on to %q", own, end, again)
		}
		if next, mapped := own[upstream.PayerKey(end)]; mapped && next != end {
			r.Fatalf("%v: %q is mapped to %q", own, end, next)
		}
	})
}
