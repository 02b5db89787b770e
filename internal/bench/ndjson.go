package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"upstream"
	"upstream/internal/synth"
)

// WriteLines writes values as NDJSON, one JSON object a line: truths, or what
// was told.
func WriteLines[T any](w io.Writer, values []T) error {
	buffered := bufio.NewWriter(w)
	enc := json.NewEncoder(buffered)
	enc.SetEscapeHTML(false)
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			return upstream.Errorf(upstream.Unavailable, "can't write the lines: %w", err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return upstream.Errorf(upstream.Unavailable, "can't write the lines: %w", err)
	}
	return nil
}

// OutsideName is what a detector is called whose lines don't name it.
const OutsideName = "outside"

// ReadTold reads what an outside detector told, one JSON object a line, as
// WriteLines writes it. Of each are needed the customer's number, as_of: the
// weekly run that told it first, and drift_type; payer and cpt_group, of which
// null or none means all. Used where there are any: tier (alert unless said),
// level (that of the scope), direction, change_date, dollars_low_cents and
// dollars_high_cents, root_causes. Other fields don't matter, empty lines are
// skipped. customers is how many there are.
//
// Its error has code Invalid and names every bad line, up to twenty.
func ReadTold(r io.Reader, customers int) ([]Told, error) {
	told, err := synth.ReadLines(r, "event", "this detector's output", func(text []byte) (Told, []string) { return parseTold(text, customers) })
	byDay(told)
	return told, err
}

func parseTold(text []byte, customers int) (Told, []string) {
	var a Told
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&a); err != nil {
		return a, []string{"not a JSON object with the fields of an event: " + withoutValues(err)}
	}
	if _, err := dec.Token(); err != io.EOF {
		return a, []string{"more than one JSON object; write one a line"}
	}
	a.fill()
	return a, a.problems(customers)
}

// withoutValues tells what is wrong with JSON by field and kind.
func withoutValues(err error) string {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Sprintf("%s is a %s", kind.Field, kind.Value)
	}
	return err.Error()
}

// fill sets what may be left out.
func (a *Told) fill() {
	if a.Detector == "" {
		a.Detector = OutsideName
	}
	if a.Tier == "" {
		a.Tier = upstream.Alert
	}
	a.Payer, a.CPTGroup = orNil(a.Payer), orNil(a.CPTGroup)
	if a.Payer != nil {
		a.Payer = new(firstOf(upstream.PayerName(*a.Payer)))
	}
	if a.Level == "" {
		switch {
		case a.CPTGroup != nil:
			a.Level = upstream.GroupLevel
		case a.Payer != nil:
			a.Level = upstream.PayerLevel
		default:
			a.Level = upstream.MarketLevel
		}
	}
}

func firstOf[A, B any](a A, _ B) A { return a }

// orNil takes an empty name, or that of all payers, for none.
func orNil(s *string) *string {
	if s != nil && (*s == "" || *s == synth.EveryPayer) {
		return nil
	}
	return s
}

// problems lists what is wrong with an event.
func (a *Told) problems(customers int) []string {
	var p []string
	if a.Customer < 1 || a.Customer > customers {
		p = append(p, fmt.Sprintf("customer must be 1 to %d", customers))
	}
	if a.AsOf < firstRun-6 || a.AsOf > lastDay {
		p = append(p, fmt.Sprintf("as_of must be a monitored day, %s to %s", firstRun-6, lastDay))
	}
	oneOf(&p, "drift_type", a.Signal, upstream.DenialRate, upstream.DecisionTime, upstream.AllowedAmount, upstream.Takeback, upstream.Overturn)
	oneOf(&p, "tier", a.Tier, upstream.Alert, upstream.Watch)
	oneOf(&p, "level", a.Level, upstream.GroupLevel, upstream.PayerLevel, upstream.MarketLevel)
	oneOf(&p, "direction", a.Direction, "", upstream.Worse, upstream.Better)
	payers, groups := inTheClaims()
	if a.Payer != nil && !slices.Contains(payers, *a.Payer) {
		p = append(p, "payer is none of those in the claims: "+strings.Join(payers, ", "))
	}
	if a.CPTGroup != nil && !slices.Contains(groups, *a.CPTGroup) {
		p = append(p, "cpt_group is none of those in the claims: "+strings.Join(groups, ", "))
	}
	if low, high := a.DollarsLow, a.DollarsHigh; low != nil && high != nil && *low > *high {
		p = append(p, "dollars_low_cents is more than dollars_high_cents")
	}
	return p
}

func oneOf[T ~string](problems *[]string, field string, value T, allowed ...T) {
	if slices.Contains(allowed, value) {
		return
	}
	var names []string
	for _, a := range allowed {
		if a != "" {
			names = append(names, string(a))
		}
	}
	*problems = append(*problems, fmt.Sprintf("%s must be %s", field, strings.Join(names, ", ")))
}

// inTheClaims are the payers and procedure groups of all simulated customers.
var inTheClaims = sync.OnceValues(func() (payers, groups []string) {
	o := practice(rand.New(rand.NewPCG(1, 1)), []int64{250}) // the rarest group is one of 200
	g, err := synth.New(o)
	if err != nil {
		panic(err) // the options are constants
	}
	l := ledgerOf(g, lastDay)
	return slices.Sorted(slices.Values(l.names[byPayer].text)), slices.Sorted(slices.Values(l.names[upstream.ByGroup].text))
})
