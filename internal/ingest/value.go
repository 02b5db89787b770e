package ingest

import (
	"bytes"
	"strings"
	"unicode"

	"upstream"
)

// The classes of what stood where a value was expected: all that a reject
// tells about it.
const (
	classEmpty   = "empty"
	classText    = "text"
	classNumber  = "number"
	classDate    = "date"
	classFormula = "formula"
	classTooLong = "too long"
	classNUL     = "nul"
	classCount   = "field count"
	classQuote   = "quote"
)

// valueClass classes a trimmed value.
func valueClass(b []byte) string {
	if len(b) == 0 {
		return classEmpty
	}
	if len(b) <= 40 {
		if _, err := upstream.ParseMoney(string(b)); err == nil {
			return classNumber
		}
	}
	if isFormula(b) {
		return classFormula
	}
	if hasDateForm(b) {
		return classDate
	}
	return classText
}

// isFormula reports whether a spreadsheet would run the text (OWASP, CSV
// injection). It must not be stored: somebody will export it again.
func isFormula(b []byte) bool {
	return len(b) > 0 && (b[0] == '=' || b[0] == '+' || b[0] == '-' || b[0] == '@')
}

// hasDateForm reports whether the text is a date, or numbers set like one.
func hasDateForm(b []byte) bool {
	if _, ok := parseDate(b); ok {
		return true
	}
	separators := 0
	for _, c := range b {
		switch {
		case c == '-' || c == '/':
			separators++
		case c < '0' || c > '9':
			return false
		}
	}
	return separators == 2 && len(b) <= 10
}

// trim drops white space around a value.
func trim(b []byte) []byte {
	if n := len(b); n == 0 || isPlain(b[0]) && isPlain(b[n-1]) {
		return b
	}
	return bytes.TrimSpace(b)
}

func isPlain(c byte) bool { return c > ' ' && c < 0x7F }

// memoSize and the limits of fieldTable bound what the memos of a reader hold,
// whatever the file: 2048 texts of 200 bytes and their canonical forms.
const memoSize = 2048

// memo remembers what the texts of a column were read as. Columns repeat few
// values, so almost no row costs a conversion or an allocation. A full memo
// starts anew.
type memo[T any] struct {
	known map[string]T
	read  func(string) (value T, flaw string) // flaw says why a text can't be used
}

func newMemo[T any](read func(string) (T, string)) memo[T] {
	return memo[T]{map[string]T{}, read}
}

func (m *memo[T]) value(text []byte) (T, string) {
	if v, ok := m.known[string(text)]; ok {
		return v, ""
	}
	v, flaw := m.read(string(text))
	if flaw == "" {
		if len(m.known) >= memoSize {
			clear(m.known)
		}
		m.known[string(text)] = v
	}
	return v, flaw
}

const flawControl = "it holds control characters; type the text anew"

// readPayer reads a payer as the file spells it; store.Load knows its one name.
func readPayer(text string) (string, string) {
	if upstream.PayerKey(text) == "" {
		return "", "no payer: it has neither letters nor digits"
	}
	return readText(text)
}

// readText reads a text that is stored in one line.
func readText(text string) (string, string) {
	text = strings.Join(strings.Fields(text), " ")
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "", flawControl
	}
	return text, ""
}

func readCPT(text string) (string, string) {
	code := strings.ToUpper(text)
	if !upstream.IsProcedureCode(code) {
		return "", "not a CPT or HCPCS code; write five characters, as 99213 or J1100"
	}
	return code, ""
}

// readModifiers reads at most four modifiers, as many as a service line has
// (CMS-1500 box 24D, X12 SV101-3 to -6).
func readModifiers(text string) (string, string) {
	list := strings.FieldsFunc(strings.ToUpper(text), func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(",;:/|-", r)
	})
	for _, m := range list {
		if len(m) != 2 || !isCode(m) {
			return "", "not a list of modifiers; write two characters each, as 25 59"
		}
	}
	if len(list) > 4 {
		return "", "more than four modifiers"
	}
	return strings.Join(list, " "), ""
}

func isCode(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// readPlace reads a CMS place-of-service code, with or without the leading zero
// that spreadsheets drop and the name that some exports append: "11 - Office".
func readPlace(text string) (string, string) {
	code, n, rest := digits([]byte(text))
	if n < 1 || n > 2 || code == 0 || len(rest) > 0 && rest[0] != ' ' && rest[0] != '-' && rest[0] != ':' {
		return "", "not a place-of-service code; write two digits, as 11"
	}
	return string([]byte{byte('0' + code/10), byte('0' + code%10)}), ""
}

// readCodes reads CARC or RARC codes. Every code of the two lists has a digit
// (X12 external code lists 139 and 411), so a word like "none" is not one and
// can't make a denial of a paid line.
func readCodes(text string) (upstream.Codes, string) {
	const flaw = "not a list of adjustment or remark codes; write codes only, as CO-197 or N130"
	codes, err := upstream.ParseCodes(text)
	if err != nil {
		return "", flaw
	}
	for code := range strings.FieldsSeq(string(codes)) {
		if !strings.ContainsAny(code, "0123456789") {
			return "", flaw
		}
	}
	return codes, ""
}

var outcomeWords = map[string]upstream.Outcome{
	"PAID": upstream.Paid, "APPROVED": upstream.Paid, "ACCEPTED": upstream.Paid,
	"PAID IN FULL": upstream.Paid, "FULLY PAID": upstream.Paid,
	"DENIED": upstream.Denied, "REJECTED": upstream.Denied, "DECLINED": upstream.Denied,
	"DENIAL": upstream.Denied, "FULLY DENIED": upstream.Denied,
	"PENDING": upstream.Pending, "OPEN": upstream.Pending, "SUBMITTED": upstream.Pending,
	"PENDED": upstream.Pending, "IN PROCESS": upstream.Pending, "IN PROGRESS": upstream.Pending,
	"ADJUSTED": upstream.Adjusted, "PARTIALLY PAID": upstream.Adjusted, "PARTIAL PAYMENT": upstream.Adjusted,
	"REVERSED": upstream.Reversed, "REVERSAL": upstream.Reversed, "TAKEBACK": upstream.Reversed,
	"TAKE BACK": upstream.Reversed, "RECOUPED": upstream.Reversed, "RECOUPMENT": upstream.Reversed,
}

func readOutcome(text string) (upstream.Outcome, string) {
	if o, ok := outcomeWords[words(text)]; ok {
		return o, ""
	}
	return 0, "unknown outcome; write paid, denied, pending, adjusted or reversed"
}

var filingWords = map[string]upstream.Filing{
	"PRIMARY": upstream.Primary, "PRI": upstream.Primary, "P": upstream.Primary, "1": upstream.Primary,
	"SECONDARY": upstream.Secondary, "SEC": upstream.Secondary, "S": upstream.Secondary, "2": upstream.Secondary,
	"TERTIARY": upstream.Tertiary, "TER": upstream.Tertiary, "T": upstream.Tertiary, "3": upstream.Tertiary,
}

func readFiling(text string) (upstream.Filing, string) {
	if f, ok := filingWords[words(text)]; ok {
		return f, ""
	}
	return 0, "unknown filing; write primary, secondary or tertiary"
}

// words brings a phrase to upper case with single spaces.
func words(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToUpper(text), func(r rune) bool {
		return unicode.IsSpace(r) || r == '-' || r == '_'
	}), " ")
}

// parseCount reads a whole number, with or without zero decimals.
func parseCount(b []byte) (int, bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	n, size, rest := digits(b)
	if size == 0 || len(rest) > 0 && (rest[0] != '.' || len(bytes.Trim(rest[1:], "0")) > 0) {
		return 0, false
	}
	if negative {
		n = -n
	}
	return n, true
}

// isRounded reports whether a spreadsheet has turned a long number into one like
// 1.23457E+11. Different claim numbers become equal that way.
func isRounded(b []byte) bool {
	mantissa, exponent, found := bytes.Cut(b, []byte("+"))
	n := len(mantissa) - 1
	return found && n > 0 && mantissa[n]|0x20 == 'e' && len(exponent) > 0 &&
		len(bytes.Trim(mantissa[:n], "0123456789.")) == 0 && len(bytes.Trim(exponent, "0123456789")) == 0
}
