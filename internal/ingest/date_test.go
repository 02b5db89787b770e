package ingest

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"upstream"
)

func TestDatesAsExportsWriteThem(t *testing.T) {
	march4 := upstream.MakeDay(2025, 3, 4)
	for _, text := range []string{
		"2025-03-04", "2025/03/04", "2025-3-4", "03/04/2025", "3/4/2025", "03-04-2025", "3/4/25", "03/04/25", "20250304",
		"2025-03-04T00:00:00", "2025-03-04T23:59:59.999Z", "2025-03-04 00:00:00", "2025-03-04T10:00:00-05:00",
		"3/4/2025 12:00:00 AM", "3/4/25 0:00", "20250304T0930", "Mar 4, 2025", "March 4, 2025", "MAR 04 2025", "Mar. 4, 2025", "mar 4,2025",
	} {
		if d, ok := parseDate([]byte(text)); !ok || d != march4 {
			t.Errorf("%q is read as %v, %t", text, d, ok)
		}
	}
	for text, want := range map[string]upstream.Day{
		"1/1/69": upstream.MakeDay(2069, 1, 1), "1/1/00": upstream.MakeDay(2000, 1, 1), "12/31/99": upstream.MakeDay(1999, 12, 31),
		"1990-01-01": upstream.MakeDay(1990, 1, 1), "2100-12-31": upstream.MakeDay(2100, 12, 31),
		"2024-02-29": upstream.MakeDay(2024, 2, 29), "2000-02-29": upstream.MakeDay(2000, 2, 29), "Sept 9, 2025": upstream.MakeDay(2025, 9, 9),
	} {
		if d, ok := parseDate([]byte(text)); !ok || d != want {
			t.Errorf("%q is read as %v, %t; want %v", text, d, ok, want)
		}
	}
}

func TestWhatIsNoDate(t *testing.T) {
	for _, text := range []string{
		"", " ", "2026-13-40", "2025-02-29", "2100-02-29", "2025-04-31", "2025-00-10", "2025-10-00", "13/01/2025", "31/12/2025",
		"1989-12-31", "2101-01-01", "1/1/70", "1/1/89", "2025-03", "2025", "45720", "202503041", "2025-03/04", "3/4/025", "3/4/5",
		"03.04.2025", "Foo 4, 2025", "Ma 4, 2025", "Marchy 4, 2025", "Mar 4, 25", "Mar 400, 2025", "4 Mar 2025", "2025-03-04x",
		"2025-03-04T", "2025-03-04 noon", "2025-03-04 1 hour", "2025-03-04;", "-2025-03-04", "=2025-03-04", "2025-03-004", "0000-00-00", "N/A",
	} {
		if d, ok := parseDate([]byte(text)); ok {
			t.Errorf("%q is read as %v", text, d)
		}
	}
}

func TestEveryDayIsReadBackFromEveryForm(t *testing.T) {
	forms := []string{
		"2006-01-02", "2006/01/02", "20060102", "01/02/2006", "1/2/2006", "Jan 2, 2006", "January 2, 2006",
		"2006-01-02T15:04:05", "2006-01-02 15:04:05", "1/2/2006 3:04:05 PM",
	}
	first, last := int32(upstream.MakeDay(firstYear, 1, 1)), int32(upstream.MakeDay(lastYear, 12, 31))
	rapid.Check(t, func(t *rapid.T) {
		day := upstream.Day(rapid.Int32Range(first, last).Draw(t, "day"))
		form := rapid.SampledFrom(forms).Draw(t, "form")
		text := day.Time().Format(form)
		if got, ok := parseDate([]byte(text)); !ok || got != day {
			t.Fatalf("%q is read as %v, %t", text, got, ok)
		}
	})
	for day := upstream.MakeDay(1970, 1, 1); day <= upstream.MakeDay(2069, 12, 31); day++ {
		text := day.Time().Format("1/2/06")
		got, ok := parseDate([]byte(text))
		if want := day.Time().Year() >= firstYear; ok != want || ok && got != day {
			t.Fatalf("%q is read as %v, %t", text, got, ok)
		}
	}
}

func TestDaysInAMonthAreThoseOfTheCalendar(t *testing.T) {
	for year := firstYear; year <= lastYear; year++ {
		for month := 1; month <= 12; month++ {
			if want := time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day(); daysIn(year, month) != want {
				t.Errorf("%d-%02d has %d days, want %d", year, month, daysIn(year, month), want)
			}
		}
	}
}

func FuzzDate(f *testing.F) {
	for _, text := range []string{"2025-03-04", "3/4/25", "20250304", "Mar 4, 2025", "2025-03-04T00:00:00", "", "9999-99-99"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, ok := parseDate(text)
		if !ok {
			return
		}
		if y := d.Time().Year(); y < firstYear || y > lastYear {
			t.Errorf("%q is read as %v", text, d)
		}
		if again, ok := parseDate([]byte(d.String())); !ok || again != d {
			t.Errorf("%v is not read back", d)
		}
	})
}

func BenchmarkDate(b *testing.B) {
	for _, text := range []string{"2025-03-04", "3/4/25", "Mar 4, 2025"} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parseDate([]byte(text))
			}
		})
	}
}
