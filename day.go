package upstream

import (
	"fmt"
	"time"
)

// Day is a calendar date, counted in days since 1970-01-01. The zero Day means
// "no date": a pending claim has no DecidedDate.
type Day int32

// MakeDay returns the Day of a civil date; out-of-range months and days
// normalise as in time.Date.
func MakeDay(year int, month time.Month, day int) Day {
	return DayOf(time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
}

// DayOf returns the UTC calendar date of an instant.
func DayOf(t time.Time) Day {
	const perDay = 24 * 60 * 60
	seconds := t.Unix()
	day := seconds / perDay
	if seconds%perDay < 0 { // before 1970 division rounds the wrong way
		day--
	}
	return Day(day)
}

// ParseDay reads YYYY-MM-DD.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, Errorf(Invalid, "%q is not a date; write it as 2026-03-31", s)
	}
	return DayOf(t), nil
}

// IsZero reports whether there is no date.
func (d Day) IsZero() bool { return d == 0 }

// Time returns midnight UTC of the day.
func (d Day) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// String is YYYY-MM-DD, or "" for no date.
func (d Day) String() string {
	if d == 0 {
		return ""
	}
	return d.Time().Format(time.DateOnly)
}

// MarshalJSON writes "YYYY-MM-DD", or null for no date.
func (d Day) MarshalJSON() ([]byte, error) {
	if d == 0 {
		return []byte("null"), nil
	}
	return []byte(`"` + d.String() + `"`), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Day) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*d = 0
		return nil
	}
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("date %s is not a string", b)
	}
	var err error
	*d, err = ParseDay(string(b[1 : len(b)-1]))
	return err
}

// Weekday returns the day of the week.
func (d Day) Weekday() time.Weekday {
	// 1970-01-01 was a Thursday.
	w := (int64(d) + int64(time.Thursday)) % 7
	if w < 0 {
		w += 7
	}
	return time.Weekday(w)
}

// IsBusiness reports whether payers decide and pay on that day: not on
// weekends and not on United States federal holidays.
func (d Day) IsBusiness() bool {
	w := d.Weekday()
	return w != time.Saturday && w != time.Sunday && !isFederalHoliday(d)
}

// NextBusiness returns the day itself when it is a business day, else the next one.
func (d Day) NextBusiness() Day {
	for !d.IsBusiness() {
		d++
	}
	return d
}

// isFederalHoliday knows the eleven holidays of 5 U.S.C. 6103 as observed: a
// holiday on Saturday is kept on Friday, one on Sunday on Monday. d is a weekday.
func isFederalHoliday(d Day) bool {
	y, m, dom := d.Time().Date()
	w := d.Weekday()
	nth := (dom-1)/7 + 1 // which such weekday of the month
	switch m {
	case time.January:
		return observed(d, y, time.January, 1) || w == time.Monday && nth == 3
	case time.February:
		return w == time.Monday && nth == 3
	case time.May:
		return w == time.Monday && dom+7 > 31
	case time.June:
		return y >= 2021 && observed(d, y, time.June, 19)
	case time.July:
		return observed(d, y, time.July, 4)
	case time.September:
		return w == time.Monday && nth == 1
	case time.October:
		return w == time.Monday && nth == 2
	case time.November:
		return observed(d, y, time.November, 11) || w == time.Thursday && nth == 4
	case time.December:
		return observed(d, y, time.December, 25) || observed(d, y+1, time.January, 1)
	}
	return false
}

func observed(d Day, year int, month time.Month, dom int) bool {
	h := MakeDay(year, month, dom)
	switch h.Weekday() {
	case time.Saturday:
		h--
	case time.Sunday:
		h++
	}
	return d == h
}
