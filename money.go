package upstream

import (
	"strconv"
	"strings"
)

// Money is an amount in integer US cents. Rates of pay never pass through a
// float on their way into or out of a claim.
type Money int64

// ParseMoney reads an amount as practice-management exports write it: 1234.5,
// $1,234.50, (100.00) for a negative, -100. More than two decimals are rejected
// unless the rest are zeros, so nothing is rounded silently.
func ParseMoney(s string) (Money, error) {
	bad := func() (Money, error) { return 0, Errorf(Invalid, "not an amount of money") }
	s = strings.TrimSpace(s)
	negative := false
	if len(s) > 1 && s[0] == '(' && s[len(s)-1] == ')' {
		negative, s = true, strings.TrimSpace(s[1:len(s)-1])
	}
	for range 2 { // "-$5" and "$-5"
		switch {
		case strings.HasPrefix(s, "$"):
			s = strings.TrimSpace(s[1:])
		case strings.HasPrefix(s, "-") && !negative:
			negative, s = true, s[1:]
		case strings.HasPrefix(s, "+"):
			s = s[1:]
		}
	}
	var cents, digits int64
	decimals := -1
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			digits++
			if decimals >= 2 {
				if c != '0' {
					return bad()
				}
				continue
			}
			if cents > (1<<62)/10 {
				return bad()
			}
			cents = cents*10 + int64(c-'0')
			if decimals >= 0 {
				decimals++
			}
		case c == ',' && decimals < 0 && digits > 0:
		case c == '.' && decimals < 0:
			decimals = 0
		default:
			return bad()
		}
	}
	if digits == 0 {
		return bad()
	}
	for n := max(decimals, 0); n < 2; n++ {
		cents *= 10
	}
	if cents > 1e15 { // ten trillion dollars: a column mix-up, not a claim
		return bad()
	}
	if negative {
		cents = -cents
	}
	return Money(cents), nil
}

// Dollars writes the amount rounded to whole dollars with separators: $4,100.
func (m Money) Dollars() string {
	sign, v := "", int64(m)
	if v < 0 {
		sign, v = "-", -v
	}
	return sign + "$" + group((v+50)/100)
}

// String writes the amount with cents and separators: -$1,234.50.
func (m Money) String() string {
	sign, v := "", int64(m)
	if v < 0 {
		sign, v = "-", -v
	}
	cents := strconv.FormatInt(v%100+100, 10)[1:]
	return sign + "$" + group(v/100) + "." + cents
}

// Plain writes the amount as a bare decimal for files: -1234.50.
func (m Money) Plain() string { return string(m.AppendPlain(nil)) }

// AppendPlain appends what Plain returns to b.
func (m Money) AppendPlain(b []byte) []byte {
	v := int64(m)
	if v < 0 {
		b, v = append(b, '-'), -v
	}
	b = strconv.AppendInt(b, v/100, 10)
	return append(b, '.', byte('0'+v/10%10), byte('0'+v%10))
}

func group(v int64) string {
	s := strconv.FormatInt(v, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
