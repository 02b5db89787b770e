package ingest

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"upstream"
)

func TestValueClasses(t *testing.T) {
	for text, want := range map[string]string{
		"": "empty", "12": "number", "$1,234.50": "number", "(5)": "number", "-5": "number", "+5": "number", "1.5": "number",
		"=1": "formula", "@x": "formula", "-x": "formula", "+1+1": "formula",
		"2026-13-40": "date", "3/4/25": "date", "Mar 4, 2025": "date", "99/99/9999": "date",
		"nan": "text", "Aetna": "text", "1-2": "text", "1/2/3/4": "text", "555-12-123456": "text",
	} {
		if got := valueClass([]byte(text)); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func TestCounts(t *testing.T) {
	for text, want := range map[string]int{"1": 1, "007": 7, "2.0": 2, "3.": 3, "-4": -4, "99999999": 99999999} {
		if got, ok := parseCount([]byte(text)); !ok || got != want {
			t.Errorf("%q is read as %d, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "-", ".0", "1.5", "1,000", "1 0", "x", "1e3", "999999999", "--1", "+1"} {
		if got, ok := parseCount([]byte(text)); ok {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func TestRoundedNumbers(t *testing.T) {
	for text, want := range map[string]bool{
		"1.23457E+11": true, "1E+10": true, "2.5e+12": true, "123E11": false, "E+11": false, "1.5E+": false,
		"AE+11": false, "CLAIM+11": false, "1+1": false, "+": false, "e+": false, "": false, "1E+1A": false,
	} {
		if got := isRounded([]byte(text)); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
}

func TestCodesNeedADigit(t *testing.T) {
	for text, want := range map[string]upstream.Codes{"197": "197", "CO-197 PR 2": "CO-197 PR-2", "b7": "B7", "N130,MA01": "N130 MA01"} {
		if got, flaw := readCodes(text); flaw != "" || got != want {
			t.Errorf("%q is read as %q, %q", text, got, flaw)
		}
	}
	for _, text := range []string{"NONE", "N/A", "CO-", "197 denied", "not covered", "16 and more"} {
		if got, flaw := readCodes(text); flaw == "" {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

func TestPlacesOfService(t *testing.T) {
	for text, want := range map[string]string{"11": "11", "2": "02", "02": "02", "11-Office": "11", "22: Hospital": "22"} {
		if got, flaw := readPlace(text); flaw != "" || got != want {
			t.Errorf("%q is read as %q, %q", text, got, flaw)
		}
	}
	for _, text := range []string{"0", "00", "111", "Office", "1A", "11.0"} {
		if got, flaw := readPlace(text); flaw == "" {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

func TestOutcomeWordsAreWrittenAsTheyAreCompared(t *testing.T) {
	for word := range outcomeWords {
		if words(strings.ToLower(word)) != word {
			t.Errorf("%q can never match", word)
		}
	}
	for o := upstream.Pending; o <= upstream.Reversed; o++ {
		if got, flaw := readOutcome(o.String()); flaw != "" || got != o {
			t.Errorf("%v is read as %v, %q", o, got, flaw)
		}
	}
}

func TestTrimDropsSpaceOfEveryKind(t *testing.T) {
	for _, text := range []string{"a", " a", "a ", "\ta\r\n", "\u00a0a\u2003", "  a  "} {
		if got := string(trim([]byte(text))); got != "a" {
			t.Errorf("%q is trimmed to %q", text, got)
		}
	}
	for _, text := range []string{"é", "aé", "éa", "a b"} {
		if got := string(trim([]byte(text))); got != text {
			t.Errorf("%q is trimmed to %q", text, got)
		}
	}
}

func TestMemoGivesWhatItsReaderGives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMemo(readModifiers)
		for _, text := range rapid.SliceOf(rapid.StringMatching(`([0-9]{1,2}[ ,]?){0,4}`)).Draw(t, "texts") {
			got, flaw := m.value([]byte(text))
			want, wantFlaw := readModifiers(text)
			if got != want || flaw != wantFlaw {
				t.Fatalf("%q: %q %q, want %q %q", text, got, flaw, want, wantFlaw)
			}
		}
	})
}

func TestMemoIsBoundedAndForgetsFlaws(t *testing.T) {
	m := newMemo(readText)
	for i := range 3 * memoSize {
		m.value(fmt.Append(nil, "name ", i))
		if m.value([]byte("a\x07")); len(m.known) > memoSize {
			t.Fatalf("it holds %d texts", len(m.known))
		}
	}
	if _, ok := m.known["a\x07"]; ok {
		t.Error("it remembers a text that can't be used")
	}
}

func TestMemoAllocatesNothingForWhatItKnows(t *testing.T) {
	m := newMemo(readPayer)
	text := []byte("United Health Care")
	m.value(text)
	if n := testing.AllocsPerRun(100, func() { m.value(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
