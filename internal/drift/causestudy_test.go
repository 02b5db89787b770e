package drift

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"upstream"
)

// The mix of denial codes of the simulations behind the method.
var (
	studyCodes  = []string{"16", "197", "50", "29", "97", "18", "27", "22", "4", "11", "96", "204", "B7", "other"}
	studyShares = normalised([]float64{.22, .12, .09, .06, .08, .09, .08, .05, .05, .03, .05, .03, .02, .03}, 1)
)

const studyLocations = 8

// TestCausesAreNamedRight names, at the time of the alarm, the one CARC that all
// excess denials carry, and the one location of eight that they are at; in half
// of the incidents they are at all. A lucky run brings alarms forward, so at few
// claims the excess is then half chance, and the true code has less than half of
// it: it is told first even so, but as a minor cause.
func TestCausesAreNamedRight(t *testing.T) {
	for _, volume := range []float64{50, 150, 500} {
		for _, points := range []float64{.05, .10} {
			t.Run(label(volume, points), func(t *testing.T) {
				var v verdicts
				for r := range simulations(150) {
					v.judge(rand.New(rand.NewPCG(43, r)), volume, points)
				}
				n := float64(v.alarms) / 100
				t.Logf("%3d alarms: CARC told first right %.0f %%, as most of it right %.0f %%, wrong %.0f %%; location verdict right %.0f %%; joint share %.2f",
					v.alarms, float64(v.told)/n, float64(v.named)/n, float64(v.wrong)/n, float64(v.places)/n, v.joint/float64(max(v.both, 1)))
				// Targets are 98 and 94 %; of 150 alarms four points less may be chance.
				if float64(v.told) < 94*n || float64(v.places) < 89*n || float64(v.wrong) > n || v.alarms == 0 {
					t.Errorf("%+v", v)
				}
			})
		}
	}
}

// verdicts count incidents by what is said of their causes.
type verdicts struct {
	alarms, told, named, wrong, places int
	both                               int     // CARC and location named
	joint                              float64 // sum of their joint shares
}

func (v *verdicts) judge(rng *rand.Rand, volume, points float64) {
	in, ok := simulateIncident(rng, volume, points, .01)
	if !ok {
		return
	}
	v.alarms++
	code := draw(rng, normalised(studyShares, .3)) // rare codes have their incidents too
	place, location := -1, ""
	if rng.Float64() < .5 {
		place = rng.IntN(studyLocations)
		location = locationNames[place]
	}
	e, d := in.denials(rng, points, code, place)
	Explain(e, d)
	if i := slices.IndexFunc(e.RootCauses, func(c upstream.RootCause) bool { return c.Dimension == "carc" }); i >= 0 && e.RootCauses[i].Value == studyCodes[code] {
		v.told++
	}
	carc, where := named(e, upstream.ByCARC), named(e, upstream.ByLocation)
	switch carc {
	case studyCodes[code]:
		v.named++
	case "":
	default:
		v.wrong++
	}
	if where == location {
		v.places++
	}
	if carc != "" && where != "" {
		v.both++
		v.joint += e.JointShare
	}
}

// denials draws what denied the claims of an incident: before the change, and
// on that share of it since, codes and locations as ever; on the excess one
// code, and one location unless it is -1.
func (in *simulatedIncident) denials(rng *rand.Rand, points float64, code, place int) (*upstream.DriftEvent, *upstream.Denials) {
	const change, before = 170, .1
	d := &upstream.Denials{}
	d.Values[upstream.ByGroup], d.Values[upstream.ByCARC], d.Values[upstream.ByLocation] = []string{"Group"}, studyCodes, locationNames
	for _, dimension := range []upstream.Dimension{upstream.ByRARC, upstream.ByCPT, upstream.ByModifiers, upstream.ByPlace} {
		d.Values[dimension] = []string{""}
	}
	for day := in.frame.start; day < in.frame.end; day++ {
		for range int(in.counts.between(day, day+1).x) {
			cell := upstream.DenialCell{Day: studyDay(day), Count: 1}
			carc, location := draw(rng, studyShares), rng.IntN(studyLocations)
			if day >= change && rng.Float64() < points/(before+points) {
				carc = code
				if place >= 0 {
					location = place
				}
			}
			cell.Value[upstream.ByCARC], cell.Value[upstream.ByLocation] = int32(carc), int32(location)
			d.Cells = append(d.Cells, cell)
		}
	}
	cut := in.frame.end - in.scan.lag()
	baseline, current := in.frame.windows(in.counts, in.scan.lag())
	return &upstream.DriftEvent{
		Signal: upstream.DenialRate, Direction: upstream.Worse, Payer: new("Payer"), CPTGroup: new("Group"),
		BaselineN: int64(baseline.n), CurrentN: int64(current.n),
		BaselineFirst: studyDay(in.frame.start), BaselineLast: studyDay(cut) - 1,
		CurrentFirst: studyDay(cut), CurrentLast: studyDay(in.frame.end - 1),
	}, d
}

// studyDay is business day i of a calendar of weeks without holidays.
func studyDay(i int) upstream.Day { return simulationStart + upstream.Day(i/5*7+i%5) }

var locationNames = []string{"A", "B", "C", "D", "E", "F", "G", "H"}

// named is the value of a dimension that explains most of the excess.
func named(e *upstream.DriftEvent, d upstream.Dimension) string {
	for _, c := range e.RootCauses {
		if c.Dimension == d.String() && !c.Minor {
			return c.Value
		}
	}
	return ""
}

// normalised raises weights to a power and scales their sum to one.
func normalised(weights []float64, power float64) []float64 {
	out, sum := make([]float64, len(weights)), 0.0
	for i, w := range weights {
		out[i] = math.Pow(w, power)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

func draw(rng *rand.Rand, shares []float64) int {
	u := rng.Float64()
	for i, s := range shares {
		if u -= s; u < 0 {
			return i
		}
	}
	return len(shares) - 1
}
