package limit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upstream"
)

func TestParseRates(t *testing.T) {
	all := Rates{Read: Rate{50, 100}, Write: Rate{10, 20}, Login: Rate{5, 10}}
	for s, want := range map[string]Rates{
		DefaultRates:    all,
		"off":           {},
		" off ":         {},
		"read=1/2":      {Read: Rate{1, 2}, Write: all.Write, Login: all.Login},
		"login=0.1/5":   {Read: all.Read, Write: all.Write, Login: Rate{0.1, 5}},
		" write=1e3/9 ": {Read: all.Read, Write: Rate{1000, 9}, Login: all.Login},
		"login=5/10, read=1000000/1000000": {
			Read: Rate{1e6, 1e6}, Write: all.Write, Login: all.Login,
		},
	} {
		got, err := ParseRates(s)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v\n%s", s, err, diff)
		}
	}
}

func TestWrongRatesAreRefusedWithTheirPlace(t *testing.T) {
	for s, want := range map[string]string{
		"":                                       `part 1, "": a limit is`,
		",":                                      `part 1, "": a limit is`,
		"read=1/2,":                              `part 2, "": a limit is`,
		"read":                                   `part 1, "read": write a number`,
		"read=":                                  `part 1, "read=": write a number`,
		"read=5":                                 `part 1, "read=5": write a number`,
		"read=1/2,export=1/2":                    `part 2, "export=1/2": a limit is`,
		"READ=1/2":                               `part 1, "READ=1/2": a limit is`,
		"off,read=1/2":                           `part 1, "off": a limit is`,
		"read=off":                               `part 1, "read=off": write a number`,
		"read=1/2,write=1/2,read=1/2":            `part 3, "read=1/2": this class is there twice`,
		"read=0/2":                               `part 1, "read=0/2": the number a second`,
		"read=-1/2":                              `the number a second`,
		"read=NaN/2":                             `the number a second`,
		"read=Inf/2":                             `the number a second`,
		"read=1e9/2":                             `the number a second`,
		"read=/2":                                `the number a second`,
		"read=1/":                                `the burst`,
		"read=1/0":                               `the burst`,
		"read=1/-1":                              `the burst`,
		"read=1/1.5":                             `the burst`,
		"read=1/2/3":                             `the burst`,
		"read=1/1000001":                         `the burst`,
		"write=1/2;" + strings.Repeat("x", 1000): `the burst`,
	} {
		got, err := ParseRates(s)
		if upstream.ErrorCode(err) != upstream.Invalid || !strings.Contains(err.Error(), want) || len(err.Error()) > 200 || got != (Rates{}) {
			t.Errorf("%q: %v, %v, want %q", s, got, err, want)
		}
	}
}

func FuzzParseRates(f *testing.F) {
	for _, s := range []string{DefaultRates, "off", "", "read=1/2", "login=0.001/1000000,read=1e6/1", "read=NaN/1", "read=0x1p3/1", "read=1/2,read=1/2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rates, err := ParseRates(s)
		if err != nil {
			if upstream.ErrorCode(err) != upstream.Invalid || !strings.Contains(err.Error(), "part ") {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if again, err := ParseRates(rates.String()); err != nil || again != rates {
			t.Errorf("%q is written as %q and read as %v, %v", s, rates, again, err)
		}
		for _, r := range []Rate{rates.Read, rates.Write, rates.Login} {
			now := start.UnixMicro()
			if !r.off() && (r.interval() < 1 || r.window() < r.interval() || now+3*r.window() >= 1<<53) {
				t.Errorf("%q: interval %d, window %d", s, r.interval(), r.window())
			}
		}
	})
}

func TestIntervals(t *testing.T) {
	for r, want := range map[Rate]int64{
		{50, 100}: 20_000, {1, 1}: 1_000_000, {3, 1}: 333_333, {1e6, 1}: 1, {1e9, 1}: 1, {0.001, 1}: 1_000_000_000,
	} {
		if got := r.interval(); got != want {
			t.Errorf("%s: %d µs, want %d", r, got, want)
		}
		if got := r.window(); got != want*int64(r.Burst) {
			t.Errorf("%s: a window of %d µs", r, got)
		}
	}
}
