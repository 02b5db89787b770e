package synth

import (
	"math"
	"testing"

	"upstream"
)

func TestPlantedSlowDownShowsInTheLags(t *testing.T) {
	mean := func(o Options) float64 {
		days, n := 0.0, 0.0
		for _, c := range all(generator(t, o)) {
			if in(slowDown, c) && c.SubmittedDate >= start && c.SubmittedDate < asOf-90 && c.FirstDecidedDate != 0 {
				days += float64(c.FirstDecidedDate - c.ReceivedDate)
				n++
			}
		}
		return days / n
	}
	o := withDrifts(300_000, slowDown)
	with := mean(o)
	o.Placebo = true
	without := mean(o)
	// The wait for a remittance day, about two days, does not stretch.
	near(t, "ratio of mean lags", (with-2)/(without-2), 1.5, .05)
}

func TestSlowDownMeetsClaimsThatAreOpen(t *testing.T) {
	// A claim open at the start goes slower from there on, whenever it was received.
	o := withDrifts(300_000, slowDown)
	with := generator(t, o)
	o.Placebo = true
	without := generator(t, o)
	var a, b upstream.Claim
	left, now, n := 0., 0., 0.
	for i := range o.Records {
		with.Claim(i, &a)
		without.Claim(i, &b)
		if in(slowDown, &a) && b.ReceivedDate < start && b.FirstDecidedDate >= start+4 {
			left += float64(b.FirstDecidedDate - start)
			now += float64(a.FirstDecidedDate - start)
			n++
		}
	}
	if n < 300 {
		t.Fatalf("%.0f claims open at the start", n)
	}
	near(t, "ratio of what was left to wait", (now/n-2)/(left/n-2), slowDown.Delta, .1)
}

func TestOnlyPaymentsSlowDown(t *testing.T) {
	o := withDrifts(300_000, payLater)
	with := generator(t, o)
	o.Placebo = true
	without := generator(t, o)
	var a, b upstream.Claim
	var later, n, denied float64
	for i := range o.Records {
		with.Claim(i, &a)
		without.Claim(i, &b)
		if !in(payLater, &a) || b.FirstDecidedDate < start+14 || b.FirstDecidedDate > asOf-90 {
			continue
		}
		if b.IsDenial() {
			denied++
			if firstState(&a) != firstState(&b) {
				t.Fatalf("claim %d was denied at another time", i)
			}
			continue
		}
		later += float64(a.FirstDecidedDate-a.ReceivedDate) / float64(b.FirstDecidedDate-b.ReceivedDate)
		n++
	}
	if denied < 50 || later/n < 1.5 {
		t.Errorf("%.0f denials at their time, payments take %.2f times as long", denied, later/n)
	}
}

func TestDelay(t *testing.T) {
	double := effect{first: 10, last: math.MaxInt32, location: -1, full: scale}
	while := effect{first: 10, last: 17, location: -1, full: scale}
	for _, tc := range []struct {
		name     string
		e        effect
		received int32
		ready    int64 // days
		want     int64
	}{
		{"done before", double, 2, 9, 9},
		{"done as it starts", double, 2, 10, 10},
		{"open at the start", double, 2, 14, 18},
		{"received later", double, 20, 25, 30},
		{"done within the effect", while, 2, 13, 16},
		{"done after the effect", while, 2, 20, 24}, // six of its ten days were left when the eight days ended
		{"received after the end", while, 18, 25, 25},
		{"twice as fast", effect{first: 10, last: math.MaxInt32, location: -1, full: -scale / 2}, 2, 20, 15},
		{"twice as fast, for a while", effect{first: 10, last: 11, location: -1, full: -scale / 2}, 2, 20, 18},
		{"elsewhere", effect{first: 10, last: 99, location: 3, full: scale}, 2, 20, 20},
	} {
		l := line{received: tc.received}
		if got := tc.e.delay(tc.ready*lagUnit, &l); got != tc.want*lagUnit {
			t.Errorf("%s: done on day %g, want %d", tc.name, float64(got)/lagUnit, tc.want)
		}
	}
}

func TestEffectOnDays(t *testing.T) {
	step := effect{first: 10, last: 20, location: -1, full: 420}
	slope := effect{first: 10, last: 100, ramp: true, location: -1, full: 420}
	local := effect{first: 10, last: 20, location: 2, full: 420}
	for _, tc := range []struct {
		name     string
		e        effect
		day      int32
		location int
		want     int64
	}{
		{"before", step, 9, 0, 0},
		{"first day", step, 10, 0, 420},
		{"last day", step, 20, 3, 420},
		{"over", step, 21, 0, 0},
		{"ramp's first day", slope, 10, 0, 10},
		{"ramp's middle", slope, 30, 0, 210},
		{"ramp's end", slope, 51, 0, 420},
		{"ramp's height", slope, 90, 0, 420},
		{"elsewhere", local, 15, 1, 0},
		{"there", local, 15, 2, 420},
	} {
		if got := tc.e.on(tc.day, tc.location); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}
