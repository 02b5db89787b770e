package synth

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upstream"
)

func group(name string) *string { return &name }

var (
	start = upstream.MakeDay(2026, 1, 20)

	officeDenials = Drift{Signal: upstream.DenialRate, Payer: "Anthem", CPTGroup: group("E/M office visits"), Shape: Step, Start: start, Delta: .10}
	oneCARC       = Drift{Signal: upstream.DenialRate, Payer: "UnitedHealthcare", Location: "South Clinic", CARC: "197", Shape: Step, Start: start, Delta: .30}
	fewerDenials  = Drift{Signal: upstream.DenialRate, Payer: "Medicaid Managed Care", Shape: Step, Start: start, Delta: -.06}
	slowDown      = Drift{Signal: upstream.DecisionTime, Payer: "Aetna", Shape: Step, Start: start, Delta: 1.5}
	feeCut        = Drift{Signal: upstream.AllowedAmount, Payer: "Blue Cross Blue Shield", CPTGroup: group("E/M office visits"), Shape: Step, Start: start, Delta: .03}
	ramp          = Drift{Signal: upstream.DenialRate, Payer: "Humana Medicare Advantage", Shape: Ramp, Start: start, Delta: .20}
	spike         = Drift{Signal: upstream.DenialRate, Payer: "UHC Medicare Advantage", Shape: Spike, Start: start, Delta: .20}
	market        = Drift{Signal: upstream.DenialRate, Payer: EveryPayer, Shape: Step, Start: start, Delta: .05}
	payLater      = Drift{Signal: upstream.DecisionTime, Payer: "Aetna", Only: OnlyPaid, Shape: Step, Start: start, Delta: 2}
	stall         = Drift{Signal: upstream.DecisionTime, Payer: "Cigna", Shape: Spike, Start: start, Delta: 3}
	takebacks     = Drift{Signal: upstream.Takeback, Payer: "HCSC", Shape: Spike, Start: start, Delta: .04}
	fewerOverturn = Drift{Signal: upstream.Overturn, Payer: "Medicaid Managed Care", Shape: Step, Start: start, Delta: .4}
	newCARC       = Drift{Signal: upstream.DenialRate, Payer: "Medicare", CARC: "288", Shape: Step, Start: start, Delta: .10}
)

func withDrifts(records int64, drifts ...Drift) Options {
	o := yearOf(records)
	o.Drifts = drifts
	return o
}

// TestPlaceboTwin holds the claims with a drift against those with it off: only
// what the drift touches may differ, and only as it says.
func TestPlaceboTwin(t *testing.T) {
	for name, d := range map[string]Drift{
		"denials": officeDenials, "one CARC": oneCARC, "fewer denials": fewerDenials, "slow-down": slowDown,
		"fee cut": feeCut, "ramp": ramp, "spike": spike, "market": market, "payments slow down": payLater,
		"stall": stall, "takeback wave": takebacks, "fewer overturns": fewerOverturn, "new CARC": newCARC,
	} {
		t.Run(name, func(t *testing.T) {
			o := withDrifts(60_000, d)
			with := generator(t, o)
			o.Placebo = true
			without := generator(t, o)
			var a, b upstream.Claim
			changed := 0
			for i := range o.Records {
				with.Claim(i, &a)
				without.Claim(i, &b)
				if b.ClaimID = a.ClaimID; a == b {
					continue
				}
				changed++
				if !in(d, &a) {
					t.Fatalf("claim %d is of another node: %s", i, cmp.Diff(b, a))
				}
				if !touches(d, &a, &b) {
					t.Fatalf("claim %d is none that the drift concerns: %s", i, cmp.Diff(b, a))
				}
				if a.SubmittedDate != b.SubmittedDate || a.ReceivedDate != b.ReceivedDate || a.CPT != b.CPT || a.Billed != b.Billed || a.ServiceDate != b.ServiceDate {
					t.Fatalf("claim %d is another claim: %s", i, cmp.Diff(b, a))
				}
			}
			if changed < 20 {
				t.Errorf("%d claims changed, want more", changed)
			}
		})
	}
}

// touches reports whether a drift may have made claim a of claim b: by the days
// it concerns, and by what it may change.
func touches(d Drift, a, b *upstream.Claim) bool {
	d = d.withDefaults()
	within := func(day upstream.Day) bool { return day >= d.Start && (d.End == 0 || day <= d.End) }
	firstOf := func(c upstream.Claim) upstream.Claim {
		return upstream.Claim{
			FirstDecidedDate: c.FirstDecidedDate, FirstPaymentDate: c.FirstPaymentDate, FirstOutcome: c.FirstOutcome,
			FirstAllowed: c.FirstAllowed, FirstCARC: c.FirstCARC, FirstRARC: c.FirstRARC,
		}
	}
	first := firstOf(*a) != firstOf(*b)
	switch d.Signal {
	case upstream.DecisionTime:
		// Open or submitted from Start on, and decided no earlier than that.
		if d.Only == OnlyPaid && (a.IsDenial() || b.IsDenial()) {
			return false
		}
		return first && (a.FirstDecidedDate == 0 || a.FirstDecidedDate >= d.Start) && b.FirstDecidedDate >= d.Start
	case upstream.Takeback:
		back, paid := a.ReversedDate, b.FirstDecidedDate
		return !first && a.Outcome == upstream.Reversed && within(back) && paid < d.Start && paid >= d.Start-waveReach &&
			(b.ReversedDate == 0 || b.ReversedDate > back)
	case upstream.Overturn:
		return !first && a.IsDenial() && within(a.FirstDecidedDate)
	case upstream.AllowedAmount:
		return within(a.DecidedDate)
	default:
		// Medicare's floor apart, a changed claim is decided in the drift's days.
		return within(a.FirstDecidedDate) || within(b.FirstDecidedDate)
	}
}

func TestPlaceboIsTheUndriftedYear(t *testing.T) {
	o := withDrifts(3000, officeDenials, slowDown)
	o.Placebo = true
	a, b := generator(t, o), generator(t, yearOf(3000))
	var x, y upstream.Claim
	for i := range o.Records {
		a.Claim(i, &x)
		b.Claim(i, &y)
		if y.ClaimID = x.ClaimID; x != y {
			t.Fatalf("claim %d differs: %s", i, cmp.Diff(x, y))
		}
	}
}

// in reports whether a claim is of the drift's node.
func in(d Drift, c *upstream.Claim) bool {
	return (d.Payer == EveryPayer || c.Payer == d.Payer) && (d.Location == "" || c.Location == d.Location) &&
		(d.CPTGroup == nil || upstream.CPTGroup(c.CPT) == *d.CPTGroup)
}

// excess returns denial rate with minus without the drifts over the decisions
// of a span of days, and the number of decisions.
func excess(t *testing.T, d Drift, from, to upstream.Day) (shift, n float64) {
	t.Helper()
	o := withDrifts(300_000, d)
	with := generator(t, o)
	o.Placebo = true
	without := generator(t, o)
	for sign, g := range map[float64]*Generator{1: with, -1: without} {
		decided, denied := 0.0, 0.0
		for _, c := range all(g) {
			if in(d, c) && c.IsDecided() && c.FirstDecidedDate >= from && c.FirstDecidedDate <= to {
				decided++
				if c.IsDenial() {
					denied++
				}
			}
		}
		shift += sign * denied / decided
		n = decided
	}
	return shift, n
}

func TestPlantedDenialsShowInTheClaims(t *testing.T) {
	for _, tc := range []struct {
		name     string
		d        Drift
		from, to upstream.Day
		want     float64
	}{
		{"step, before", officeDenials, start - 60, start - 1, 0},
		{"step, after", officeDenials, start, asOf - 30, .10},
		{"one CARC at one location", oneCARC, start, asOf - 30, .30},
		{"improvement", fewerDenials, start, asOf - 30, -.06},
		{"market", market, start, asOf - 30, .05},
		{"a CARC of its own", newCARC, start, asOf - 30, .10},
		{"ramp, first half", ramp, start, start + rampDays/2 - 1, .05},
		{"ramp, second half", ramp, start + rampDays/2, start + rampDays - 1, .15},
		{"ramp, at its height", ramp, start + rampDays, asOf - 30, .20},
		{"spike, before", spike, start - 30, start - 1, 0},
		{"spike, within", spike, start, start + spikeDays - 1, .20},
		{"spike, after", spike, start + spikeDays, asOf - 30, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			shift, n := excess(t, tc.d, tc.from, tc.to)
			near(t, "shift of the denial rate", shift, tc.want, 4*math.Sqrt(math.Abs(tc.want)*(1-math.Abs(tc.want))/n)+.012*math.Abs(tc.want)/.1)
		})
	}
}

func TestPlantedShiftShowsAgainstTheTimeBefore(t *testing.T) {
	// What a user sees: the rate after minus the rate before, January left out.
	var decided, denied [2]float64
	for _, c := range all(generator(t, withDrifts(300_000, officeDenials))) {
		k := -1
		switch d := c.FirstDecidedDate; {
		case d >= start-120 && d < upstream.MakeDay(2026, 1, 1):
			k = 0
		case d >= start+januaryDays && d < asOf-30:
			k = 1
		}
		if k >= 0 && in(officeDenials, c) && c.IsDecided() {
			decided[k]++
			if c.IsDenial() {
				denied[k]++
			}
		}
	}
	near(t, "after minus before", denied[1]/decided[1]-denied[0]/decided[0], .10, .02)
}

func TestAddedDenialsBearTheDriftsCARC(t *testing.T) {
	o := withDrifts(200_000, oneCARC)
	with := generator(t, o)
	o.Placebo = true
	without := generator(t, o)
	var a, b upstream.Claim
	added := 0
	for i := range o.Records {
		with.Claim(i, &a)
		without.Claim(i, &b)
		if a.IsDenial() && !b.IsDenial() {
			added++
			if a.FirstCARC != "CO-197" {
				t.Fatalf("claim %d denied for %s", i, a.FirstCARC)
			}
		}
		if b.IsDenial() && a.FirstCARC != b.FirstCARC {
			t.Fatalf("claim %d was denied anyhow, for another reason", i)
		}
	}
	if added < 100 {
		t.Errorf("%d denials added", added)
	}
}

func TestANewCARCIsNewToTheClaims(t *testing.T) {
	first, n := upstream.Day(0), 0
	for _, c := range all(generator(t, withDrifts(100_000, newCARC))) {
		if c.FirstCARC == "CO-288" {
			n++
			if first == 0 || c.FirstDecidedDate < first {
				first = c.FirstDecidedDate
			}
			if !in(newCARC, c) || !c.IsDenial() {
				t.Fatalf("CO-288 at another node: %+v", *c)
			}
		}
	}
	if n < 200 || first < start {
		t.Errorf("%d denials with the new CARC, the first on %s", n, first)
	}
}

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

func TestPlantedFeeCutMovesTheAtom(t *testing.T) {
	mode := func(g *Generator, from, to upstream.Day) (rate upstream.Money, share float64) {
		counts, n := map[upstream.Money]float64{}, 0.0
		for _, c := range all(g) {
			if in(feeCut, c) && c.CPT == "99214" && c.FirstOutcome == upstream.Paid && c.FirstDecidedDate >= from && c.FirstDecidedDate <= to {
				counts[c.FirstAllowed]++
				n++
			}
		}
		for r, k := range counts {
			if k > counts[rate] {
				rate = r
			}
		}
		return rate, counts[rate] / n
	}
	g := generator(t, withDrifts(300_000, feeCut))
	before, _ := mode(g, start-90, start-1)
	after, share := mode(g, start, asOf)
	near(t, "rate after over before", float64(after)/float64(before), .97, .0001)
	near(t, "share at the new rate", share, contractShare, .04)
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

func TestDriftsOfOneNodeAdd(t *testing.T) {
	shift := 0.0
	second := officeDenials
	second.CPTGroup, second.Delta = nil, .05
	o := withDrifts(300_000, officeDenials, second)
	for sign, placebo := range map[float64]bool{1: false, -1: true} {
		o.Placebo = placebo
		decided, denied := 0.0, 0.0
		for _, c := range all(generator(t, o)) {
			if in(officeDenials, c) && c.IsDecided() && c.FirstDecidedDate >= start && c.FirstDecidedDate < asOf-30 {
				decided++
				if c.IsDenial() {
					denied++
				}
			}
		}
		shift += sign * denied / decided
	}
	near(t, "shift of two drifts", shift, .15, .015)
}

func TestDescribe(t *testing.T) {
	end := start + 6
	for _, tc := range []struct {
		d    Drift
		want string
	}{
		{
			Drift{Signal: upstream.DenialRate, Payer: "AETNA HMO", CPTGroup: group("Physical therapy"), Location: "South Clinic", CARC: "197", Start: start, Delta: .1},
			"Aetna, Physical therapy: denials +10 points from 2026-01-20, CARC 197 at South Clinic",
		},
		{market, "All payers: denials +5 points from 2026-01-20"},
		{fewerDenials, "Medicaid Managed Care: denials -6 points from 2026-01-20"},
		{slowDown, "Aetna: decisions take 1.5 times as long from 2026-01-20"},
		{feeCut, "Blue Cross Blue Shield, E/M office visits: allowed amounts -3 % from 2026-01-20"},
		{payLater, "Aetna: payments take 2 times as long from 2026-01-20"},
		{takebacks, "HCSC: 4 % of the last 120 days' payments taken back from 2026-01-20 to 2026-02-16"},
		{fewerOverturn, "Medicaid Managed Care: denials overturned 0.4 times as often from 2026-01-20"},
		{ramp, "Humana Medicare Advantage: denials +20 points from 2026-01-20, rising over six weeks"},
		{spike, "UHC Medicare Advantage: denials +20 points from 2026-01-20 to 2026-02-16"},
		{Drift{Signal: upstream.AllowedAmount, Payer: "Cigna", Start: start, End: end, Delta: -.025}, "Cigna: allowed amounts +2.5 % from 2026-01-20 to 2026-01-26"},
	} {
		if got := tc.d.Describe(); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}

func TestCarcOfFindsItsGroupCode(t *testing.T) {
	for in, want := range map[string]upstream.Codes{"": "", "197": "CO-197", "27": "PR-27", "b7": "CO-B7", "OA-16": "OA-16", "999": "CO-999"} {
		if got := carcOf(in); got != want {
			t.Errorf("carcOf(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTruthReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyOptions(t)
		for k := range o.Drifts {
			o.Drifts[k].ID = rapid.StringMatching(`[a-zA-Z0-9<&é -]{0,12}`).Draw(t, "id")
		}
		var file bytes.Buffer
		if err := WriteTruth(&file, o.Drifts); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(file.Bytes(), []byte("\n")); n != len(o.Drifts) {
			t.Fatalf("%d lines for %d drifts", n, len(o.Drifts))
		}
		got, err := ReadDrifts(&file)
		if err != nil {
			t.Fatal(err)
		}
		if len(got)+len(o.Drifts) > 0 && !cmp.Equal(got, o.Drifts) {
			t.Fatal(cmp.Diff(o.Drifts, got))
		}
	})
}

func TestReadDriftsSaysWhatIsWrongAndWhere(t *testing.T) {
	const good = `{"drift_type":"DENIAL_RATE","payer":"Aetna","start":"2026-03-04","delta":0.1}`
	for _, tc := range []struct {
		name, in string
		want     []string // nil: no error
	}{
		{"nothing", "", nil},
		{"empty lines and a byte order mark", "\ufeff\n\n" + good + "\r\n\n", nil},
		{"a byte order mark before a drift", "\ufeff" + good, nil},
		{"no JSON", good + "\nhello\n", []string{"line 2: not a JSON object"}},
		{"an array", "[" + good + "]", []string{"line 1: not a JSON object"}},
		{"two objects in a line", good + good, []string{"line 1: more than one"}},
		{"an unknown field", `{"payr":"Aetna"}`, []string{"line 1", "payr"}},
		{"no fields", "{}", []string{"line 1: drift_type", "line 1: payer is missing", "line 1: start is missing"}},
		{"a takeback wave", strings.Replace(good, "DENIAL_RATE", "TAKEBACK", 1), nil},
		{"a takeback that is no wave", strings.Replace(strings.Replace(good, "DENIAL_RATE", "TAKEBACK", 1), "}", `,"shape":"step"}`, 1), []string{"line 1: the shape of TAKEBACK"}},
		{"payments given back", strings.Replace(strings.Replace(good, "DENIAL_RATE", "TAKEBACK", 1), "0.1", "-0.1", 1), []string{"line 1: delta of TAKEBACK must be 0 to 0.9"}},
		{"no more overturns", strings.Replace(strings.Replace(good, "DENIAL_RATE", "OVERTURN", 1), "0.1", "0", 1), nil},
		{"as many overturns", strings.Replace(strings.Replace(good, "DENIAL_RATE", "OVERTURN", 1), "0.1", "1", 1), []string{"line 1: delta changes nothing"}},
		{"an unknown signal", strings.Replace(good, "DENIAL_RATE", "DENIALS", 1), []string{"line 1: drift_type must be"}},
		{"only an unknown decision", strings.Replace(good, "}", `,"only":"denied"}`, 1), []string{"line 1: only must be paid"}},
		{"only payments of another signal", strings.Replace(good, "}", `,"only":"paid"}`, 1), []string{"line 1: only goes with a DECISION_TIME"}},
		{"only payments, faster", `{"drift_type":"DECISION_TIME","payer":"Aetna","start":"2026-03-04","delta":0.5,"only":"paid"}`, []string{"line 1: only goes with a DECISION_TIME"}},
		{"no effect", strings.Replace(good, "0.1", "0", 1), []string{"line 1: delta changes nothing"}},
		{"too large an effect", strings.Replace(good, "0.1", "10", 1), []string{"line 1: delta of DENIAL_RATE must be -0.9 to 0.9"}},
		{"a bad date", strings.Replace(good, "2026-03-04", "4 March", 1), []string{"line 1", "is not a date"}},
		{"each bad line", "\n{}\n" + good + "\nx", []string{"line 2", "line 4"}},
		{"a CARC of no denial", strings.Replace(good, "}", `,"carc":"45"}`, 1), []string{"line 1: carc must be one code of the denial class"}},
		{"a CARC for fewer denials", strings.Replace(strings.Replace(good, "}", `,"carc":"197"}`, 1), "0.1", "-0.1", 1), []string{"line 1: carc goes only with"}},
		{"a long line", good + "\n" + strings.Repeat(" ", maxDriftLine+1), []string{"line 2: longer than"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := ReadDrifts(strings.NewReader(tc.in))
			if tc.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if upstream.ErrorCode(err) != upstream.Invalid {
				t.Fatalf("error %v, want code invalid", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q: %v", want, err)
				}
			}
		})
	}
	t.Run("many bad lines", func(t *testing.T) {
		_, err := ReadDrifts(strings.NewReader(strings.Repeat("x\n", 500)))
		if err == nil || strings.Count(err.Error(), "line ") != 20 || !strings.Contains(err.Error(), "more") {
			t.Errorf("error %v, want twenty lines and a word of more", err)
		}
	})
	t.Run("a reader that fails", func(t *testing.T) {
		cause := errors.New("gone")
		_, err := ReadDrifts(iotest.ErrReader(cause))
		if upstream.ErrorCode(err) != upstream.Unavailable || !errors.Is(err, cause) {
			t.Errorf("error %v, want unavailable and its cause", err)
		}
	})
}

func TestWriteTruthReportsAFullDisk(t *testing.T) {
	if err := WriteTruth(&failAfter{10}, []Drift{market}); !errors.Is(err, errFull) {
		t.Errorf("error %v, want the disk's", err)
	}
}

func FuzzReadDrifts(f *testing.F) {
	var file bytes.Buffer
	if err := WriteTruth(&file, []Drift{officeDenials, oneCARC, slowDown, feeCut, ramp, spike, market, payLater, takebacks, fewerOverturn, newCARC}); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add([]byte("\ufeff{}\n\n[1]\n{\"end\":null,\"delta\":1e400}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		drifts, err := ReadDrifts(bytes.NewReader(in))
		if err != nil {
			if c := upstream.ErrorCode(err); c != upstream.Invalid {
				t.Fatalf("code %s: %v", c, err)
			}
			return
		}
		var out bytes.Buffer
		if err := WriteTruth(&out, drifts); err != nil {
			t.Fatal(err)
		}
		again, err := ReadDrifts(&out)
		if err != nil || !cmp.Equal(drifts, again) {
			t.Fatalf("error %v, %s", err, cmp.Diff(drifts, again))
		}
		for _, d := range drifts {
			_ = d.Describe()
		}
		// Whatever can be read can be judged.
		o := withDrifts(10).withDefaults()
		for _, d := range drifts {
			_ = d.withDefaults().problemsIn(o)
		}
	})
}
