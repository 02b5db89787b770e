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
		"fee cut": feeCut, "ramp": ramp, "spike": spike, "market": market,
	} {
		t.Run(name, func(t *testing.T) {
			o := withDrifts(60_000, d)
			with := generator(t, o)
			o.Placebo = true
			without := generator(t, o)
			end := d.withDefaults().End
			var a, b upstream.Claim
			changed := 0
			for i := range o.Records {
				with.Claim(i, &a)
				without.Claim(i, &b)
				if b.ClaimID = a.ClaimID; a == b {
					continue
				}
				changed++
				if d.Payer != EveryPayer && a.Payer != d.Payer || d.Location != "" && a.Location != d.Location ||
					d.CPTGroup != nil && upstream.CPTGroup(a.CPT) != *d.CPTGroup {
					t.Fatalf("claim %d is of another node: %s", i, cmp.Diff(b, a))
				}
				switch d.Signal {
				case upstream.DecisionTime:
					if a.SubmittedDate < start {
						t.Fatalf("claim %d was submitted before: %s", i, cmp.Diff(b, a))
					}
				default:
					// Medicare's floor apart, a changed claim is decided in the drift's days.
					if decided := min(a.DecidedDate, b.DecidedDate); max(a.DecidedDate, b.DecidedDate) < start || end != 0 && decided > end {
						t.Fatalf("claim %d was decided outside the drift: %s", i, cmp.Diff(b, a))
					}
				}
				if a.SubmittedDate != b.SubmittedDate || a.CPT != b.CPT || a.Billed != b.Billed || a.ServiceDate != b.ServiceDate {
					t.Fatalf("claim %d is another claim: %s", i, cmp.Diff(b, a))
				}
			}
			if changed < 20 {
				t.Errorf("%d claims changed, want more", changed)
			}
		})
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
			if in(d, c) && c.IsDecided() && c.DecidedDate >= from && c.DecidedDate <= to {
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
		switch d := c.DecidedDate; {
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
			if a.CARC != "CO-197" {
				t.Fatalf("claim %d denied for %s", i, a.CARC)
			}
		}
		if b.IsDenial() && a.CARC != b.CARC {
			t.Fatalf("claim %d was denied anyhow, for another reason", i)
		}
	}
	if added < 100 {
		t.Errorf("%d denials added", added)
	}
}

func TestPlantedSlowDownShowsInTheLags(t *testing.T) {
	mean := func(o Options) float64 {
		days, n := 0.0, 0.0
		for _, c := range all(generator(t, o)) {
			if in(slowDown, c) && c.SubmittedDate >= start && c.SubmittedDate < asOf-90 && c.DecidedDate != 0 {
				days += float64(c.DecidedDate - c.ReceivedDate)
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

func TestPlantedFeeCutMovesTheAtom(t *testing.T) {
	mode := func(g *Generator, from, to upstream.Day) (rate upstream.Money, share float64) {
		counts, n := map[upstream.Money]float64{}, 0.0
		for _, c := range all(g) {
			if in(feeCut, c) && c.CPT == "99214" && c.Outcome == upstream.Paid && c.DecidedDate >= from && c.DecidedDate <= to {
				counts[c.Allowed]++
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
			if in(officeDenials, c) && c.IsDecided() && c.DecidedDate >= start && c.DecidedDate < asOf-30 {
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
		{"a takeback", strings.Replace(good, "DENIAL_RATE", "TAKEBACK", 1), []string{"line 1: drift_type must be"}},
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
	if err := WriteTruth(&file, []Drift{officeDenials, oneCARC, slowDown, feeCut, ramp, spike, market}); err != nil {
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
