package synth

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"upstream"
)

// Shape is how a planted change sets in.
type Shape string

// The shapes.
const (
	Step  Shape = "step"  // all at once
	Ramp  Shape = "ramp"  // linearly over six weeks
	Spike Shape = "spike" // all at once, and over by End, four weeks unless said
)

const (
	rampDays  = 42
	spikeDays = 28
)

// OnlyPaid as a Drift's Only leaves denials their time.
const OnlyPaid = "paid"

// EveryPayer as a Drift's payer means all of them at once: the market, or the
// practice's own front end.
const EveryPayer = "*"

// Drift is one planted change: a line of the truth file, and of the file that
// says what to plant.
type Drift struct {
	ID       string          `json:"id,omitempty"`
	Name     string          `json:"name,omitempty"`
	Signal   upstream.Signal `json:"drift_type"`
	Payer    string          `json:"payer"`
	CPTGroup *string         `json:"cpt_group"`          // nil: all of the payer's
	Location string          `json:"location,omitempty"` // "": all
	CARC     string          `json:"carc,omitempty"`     // of the added denials; "": as before
	Shape    Shape           `json:"shape"`              // step when empty
	// Only narrows DECISION_TIME to payments with OnlyPaid; "" is every decision.
	Only string `json:"only,omitempty"`
	// Start and End are the first and last day of the effect; no End: it lasts.
	// They are days of decision for DENIAL_RATE and ALLOWED_AMOUNT, of the denial
	// for OVERTURN, of the reversal for TAKEBACK. DECISION_TIME acts on the days
	// themselves: what a claim that is open in them still has to wait goes slower,
	// from Start on or from its receipt, with the effect that day has on a ramp.
	Start upstream.Day `json:"start"`
	End   upstream.Day `json:"end"`
	// Delta is, by signal:
	//   DENIAL_RATE     what is added to the probability (0.10 is ten points);
	//   DECISION_TIME   the factor on the time to a decision (1.5);
	//   ALLOWED_AMOUNT  the fraction cut (0.03);
	//   TAKEBACK        the share of the payments decided in the 120 days before
	//                   Start that is taken back for good, beside those reversed
	//                   anyhow (0.04): a wave, spread evenly over Start to End,
	//                   four weeks unless said. Its shape is spike;
	//   OVERTURN        the factor on the share of denials overturned (0.4).
	Delta float64 `json:"delta"`
}

func (d Drift) withDefaults() Drift {
	if d.Payer != EveryPayer {
		d.Payer, _ = upstream.PayerName(d.Payer)
	}
	switch {
	case d.Signal == upstream.Takeback && d.Shape == "":
		d.Shape = Spike
	case d.Shape == "":
		d.Shape = Step
	}
	if d.Shape == Spike && d.End == 0 && d.Start != 0 {
		d.End = d.Start + spikeDays - 1
	}
	return d
}

// bounds of Delta by signal.
var deltaBounds = map[upstream.Signal][2]float64{
	upstream.DenialRate:    {-.9, .9},
	upstream.DecisionTime:  {.25, 10},
	upstream.AllowedAmount: {-.5, .9},
	upstream.Takeback:      {0, .9},
	upstream.Overturn:      {0, 2},
}

// problems lists what is wrong with d whatever it is planted in.
func (d Drift) problems() []string {
	var p []string
	bounds, known := deltaBounds[d.Signal]
	switch {
	case !known:
		p = append(p, "drift_type must be DENIAL_RATE, DECISION_TIME, ALLOWED_AMOUNT, TAKEBACK or OVERTURN")
	case !(d.Delta >= bounds[0] && d.Delta <= bounds[1]): // so that NaN fails
		p = append(p, fmt.Sprintf("delta of %s must be %g to %g", d.Signal, bounds[0], bounds[1]))
	case d.effect() == 0:
		p = append(p, "delta changes nothing")
	}
	if d.Payer == "" {
		p = append(p, `payer is missing; name one, or write "*" for all`)
	}
	if d.Shape != "" && d.Shape != Step && d.Shape != Ramp && d.Shape != Spike {
		p = append(p, "shape must be step, ramp or spike")
	}
	if d.Signal == upstream.Takeback && d.Shape != "" && d.Shape != Spike {
		p = append(p, "the shape of TAKEBACK is spike: a wave of takebacks")
	}
	switch {
	case d.Only != "" && d.Only != OnlyPaid:
		p = append(p, "only must be paid")
	case d.Only == OnlyPaid && (d.Signal != upstream.DecisionTime || !(d.Delta > 1)):
		p = append(p, "only goes with a DECISION_TIME that is slower")
	}
	if d.Start == 0 {
		p = append(p, "start is missing; write it as 2026-03-31")
	}
	if d.End != 0 && d.End < d.Start {
		p = append(p, "end is before start")
	}
	if d.CARC != "" {
		codes, err := upstream.ParseCodes(d.CARC)
		if err != nil || strings.Contains(string(codes), " ") || !codes.HasDenial() {
			p = append(p, "carc must be one code of the denial class, as 197 or CO-197")
		}
		if d.Signal != upstream.DenialRate || d.Delta < 0 {
			p = append(p, "carc goes only with denials that are added")
		}
	}
	return p
}

// problemsIn lists what is wrong with d as a change in the claims of o.
func (d Drift) problemsIn(o Options) []string {
	p := d.problems()
	if d.Payer != "" && d.Payer != EveryPayer && payerIndex(d.Payer, o.Payers) < 0 {
		p = append(p, "the payer is none of the generated ones: "+strings.Join(payerNames(o.Payers), ", "))
	}
	if d.CPTGroup != nil && groupIndex(*d.CPTGroup) < 0 {
		p = append(p, "cpt_group is none of the generated procedure groups")
	}
	if names := locationsOf(o.Locations); d.Location != "" && !slices.Contains(names, d.Location) {
		p = append(p, "the location is none of the generated ones: "+strings.Join(names, ", "))
	}
	if d.Start != 0 && (d.Start < o.first() || d.Start > o.AsOf) {
		p = append(p, fmt.Sprintf("start must lie in the data, %s to %s", o.first(), o.AsOf))
	}
	return p
}

func payerIndex(name string, payers int) int { return slices.Index(payerNames(payers), name) }

func payerNames(payers int) []string {
	names := make([]string, payers)
	for k := range names {
		names[k] = factsOf(k).name
	}
	return names
}

func groupIndex(name string) int {
	return slices.IndexFunc(procedureTable, func(g []procedureFacts) bool {
		return upstream.CPTGroup(g[0].code) == name
	})
}

// effect returns what the change adds at full strength, in units of 1/scale.
func (d Drift) effect() int64 {
	delta := d.Delta
	if d.Signal == upstream.DecisionTime || d.Signal == upstream.Overturn {
		delta--
	}
	return int64(math.Round(delta * scale))
}

// Describe tells the change in a line for a person.
func (d Drift) Describe() string {
	d = d.withDefaults()
	var b strings.Builder
	if d.Payer == EveryPayer {
		b.WriteString("All payers")
	} else {
		b.WriteString(d.Payer)
	}
	if d.CPTGroup != nil {
		b.WriteString(", " + *d.CPTGroup)
	}
	switch d.Signal {
	case upstream.DenialRate:
		fmt.Fprintf(&b, ": denials %+.4g points", d.Delta*100)
	case upstream.DecisionTime:
		what := "decisions"
		if d.Only == OnlyPaid {
			what = "payments"
		}
		fmt.Fprintf(&b, ": %s take %.4g times as long", what, d.Delta)
	case upstream.Takeback:
		fmt.Fprintf(&b, ": %.4g %% of the last %d days' payments taken back", d.Delta*100, waveReach)
	case upstream.Overturn:
		fmt.Fprintf(&b, ": denials overturned %.4g times as often", d.Delta)
	default:
		fmt.Fprintf(&b, ": allowed amounts %+.4g %%", -d.Delta*100)
	}
	fmt.Fprintf(&b, " from %s", d.Start)
	if d.End != 0 {
		fmt.Fprintf(&b, " to %s", d.End)
	}
	if d.Shape == Ramp {
		b.WriteString(", rising over six weeks")
	}
	if d.CARC != "" {
		b.WriteString(", CARC " + d.CARC)
	}
	if d.Location != "" {
		b.WriteString(" at " + d.Location)
	}
	return b.String()
}
