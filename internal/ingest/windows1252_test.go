package ingest

import (
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestWindows1252DecodesEveryByte(t *testing.T) {
	open := map[int]bool{0x81: true, 0x8D: true, 0x8F: true, 0x90: true, 0x9D: true}
	seen := map[rune]bool{}
	for b := range 256 {
		text := appendWindows1252(nil, []byte{byte(b)})
		r, size := utf8.DecodeRune(text)
		if size != len(text) || r == utf8.RuneError || seen[r] {
			t.Errorf("byte %#x becomes %q", b, text)
		}
		seen[r] = true
		if b >= 0x80 && b < 0xA0 && unicode.IsControl(r) != open[b] {
			t.Errorf("byte %#x becomes %q; only the five open places are control characters", b, r)
		}
		if (b < 0x80 || b >= 0xA0) && r != rune(b) {
			t.Errorf("byte %#x becomes %q, not the character of Latin-1", b, r)
		}
	}
}

func TestWindows1252DecodesText(t *testing.T) {
	for in, want := range map[string]string{
		"Caf\xe9": "Café", "\x80 5": "€ 5", "\x93quoted\x94": "“quoted”", "O\x92Brien": "O’Brien", "plain": "plain", "": "",
	} {
		if got := string(appendWindows1252([]byte("x"), []byte(in))); got != "x"+want {
			t.Errorf("%q becomes %q, want %q", in, got, "x"+want)
		}
	}
}
