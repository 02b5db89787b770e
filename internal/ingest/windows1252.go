package ingest

import "unicode/utf8"

// windows1252 holds the characters of the bytes 0x80 to 0x9F; all others are
// those of Latin-1. The five bytes the code page leaves open stand for the
// control characters of their number, as in the WHATWG Encoding Standard, and
// no stored text may hold those.
var windows1252 = [32]rune{
	'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8D, 'Ž', 0x8F,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9D, 'ž', 'Ÿ',
}

// appendWindows1252 appends text in Windows-1252 to dst as UTF-8.
func appendWindows1252(dst, text []byte) []byte {
	for _, b := range text {
		r := rune(b)
		if b >= 0x80 && b < 0xA0 {
			r = windows1252[b-0x80]
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}
