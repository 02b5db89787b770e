package ingest

import (
	"strings"
	"time"

	"upstream"
)

// The years a claim can be of; anything else is another column's number.
const (
	firstYear = 1990
	lastYear  = 2100
)

// parseDate reads a calendar date as exports write it: 2025-03-04, 2025/03/04,
// 20250304, 03/04/2025, 3/4/25 or Mar 4, 2025, each with or without a time of
// day behind it. The month always comes before the day. Two-digit years 00–69
// are of this century, 70–99 of the last.
func parseDate(b []byte) (upstream.Day, bool) {
	y, m, d, rest := civil(b)
	if y < firstYear || y > lastYear || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) || !isTime(rest) {
		return 0, false
	}
	return upstream.MakeDay(y, time.Month(m), d), true
}

// civil reads the numbers of a date; month 0 if the text has another form.
func civil(b []byte) (year, month, day int, rest []byte) {
	if len(b) > 0 && isLetter(b[0]) {
		return namedMonth(b)
	}
	first, n, rest := digits(b)
	if n == 8 {
		return first / 10000, first / 100 % 100, first % 100, rest
	}
	if len(rest) == 0 || rest[0] != '-' && rest[0] != '/' {
		return 0, 0, 0, nil
	}
	separator := rest[0]
	second, n2, rest := digits(rest[1:])
	if n2 == 0 || n2 > 2 || len(rest) == 0 || rest[0] != separator {
		return 0, 0, 0, nil
	}
	third, n3, rest := digits(rest[1:])
	switch {
	case n == 4 && (n3 == 1 || n3 == 2):
		return first, second, third, rest
	case (n == 1 || n == 2) && n3 == 4:
		return third, first, second, rest
	case (n == 1 || n == 2) && n3 == 2:
		if third += 1900; third < 1970 {
			third += 100
		}
		return third, first, second, rest
	}
	return 0, 0, 0, nil
}

var monthNames = [...]string{
	"january", "february", "march", "april", "may", "june", "july",
	"august", "september", "october", "november", "december",
}

// namedMonth reads "Mar 4, 2025" and "March 4 2025".
func namedMonth(b []byte) (year, month, day int, rest []byte) {
	n := 0
	for n < len(b) && isLetter(b[n]) {
		n++
	}
	word := strings.ToLower(string(b[:n]))
	for i, name := range monthNames {
		if n >= 3 && strings.HasPrefix(name, word) {
			month = i + 1
		}
	}
	day, n1, rest := digits(skip(skip(b[n:], '.'), ' '))
	year, n2, rest := digits(skip(skip(rest, ','), ' '))
	if n1 == 0 || n1 > 2 || n2 != 4 {
		return 0, 0, 0, nil
	}
	return year, month, day, rest
}

// digits reads the leading digits, at most eight.
func digits(b []byte) (value, n int, rest []byte) {
	for n < len(b) && n < 8 && b[n] >= '0' && b[n] <= '9' {
		value = value*10 + int(b[n]-'0')
		n++
	}
	return value, n, b[n:]
}

func skip(b []byte, c byte) []byte {
	for len(b) > 0 && b[0] == c {
		b = b[1:]
	}
	return b
}

// isTime reports whether what follows a date is nothing or a time of day, which
// is dropped: the date is the one the file shows, whatever its time zone.
func isTime(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if len(b) < 2 || b[0] != 'T' && b[0] != ' ' || b[1] < '0' || b[1] > '9' {
		return false
	}
	for _, c := range b[1:] {
		if (c < '0' || c > '9') && !strings.ContainsRune(":.+-Z APMapm", rune(c)) {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}
