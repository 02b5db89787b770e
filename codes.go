package upstream

import "strings"

// Codes is a list of claim adjustment (CARC) or remark (RARC) codes in the
// order the payer gave them, separated by one space: "CO-197 PR-2", or "197"
// where the source has no group code. A string, so that claims compare with ==.
type Codes string

// notDenials are the CARCs that explain an unpaid line without denying it
// (X12 external code list 139): patient responsibility, contractual write-off,
// sequestration, the primary payer's payment, and capitation.
var notDenials = map[string]bool{
	"1": true, "2": true, "3": true, // deductible, coinsurance, copay
	"45":  true, // charge exceeds fee schedule
	"253": true, // sequestration
	"23":  true, // impact of prior payer
	"24":  true, // capitation
	"94":  true, // processed in excess of charges
	"131": true, // negotiated discount
	"237": true, // legislated penalty
	"144": true, // incentive adjustment
}

// HasDenial reports whether any code is of the denial class.
func (c Codes) HasDenial() bool {
	for c != "" {
		code, rest, _ := strings.Cut(string(c), " ")
		if _, number, ok := strings.Cut(code, "-"); ok {
			code = number
		}
		if code != "" && !notDenials[code] {
			return true
		}
		c = Codes(rest)
	}
	return false
}

// First returns the leading code, which the payer puts first because it
// matters most, or "".
func (c Codes) First() string {
	first, _, _ := strings.Cut(string(c), " ")
	return first
}

// ParseCodes reads codes as files write them, separated by spaces, commas,
// semicolons, pipes or slashes: "CO-197, PR2", "co 197" or "197".
// The error says what is wrong without the value.
func ParseCodes(s string) (Codes, error) {
	parts := strings.FieldsFunc(strings.ToUpper(s), func(r rune) bool {
		return r == ' ' || r == ',' || r == ';' || r == '|' || r == '/' || r == '\t'
	})
	var b strings.Builder
	group := ""
	for _, p := range parts {
		if isGroupCode(p) {
			group = p + "-"
			continue
		}
		number := p
		if len(p) > 2 && isGroupCode(p[:2]) {
			group, number = p[:2]+"-", strings.TrimPrefix(p[2:], "-")
		}
		// Every code has a digit: words like NONE are no codes.
		if len(number) > 5 || !isAlnum(number) || !strings.ContainsAny(number, "0123456789") {
			return "", Errorf(Invalid, "not a list of adjustment codes")
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(group)
		b.WriteString(number)
		group = ""
	}
	if group != "" {
		return "", Errorf(Invalid, "not a list of adjustment codes")
	}
	return Codes(b.String()), nil
}

// isGroupCode knows the X12 claim adjustment group codes.
func isGroupCode(s string) bool {
	return s == "CO" || s == "PR" || s == "OA" || s == "PI" || s == "CR"
}

func isAlnum(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
