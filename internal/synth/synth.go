// Package synth makes synthetic claims: seeded, in the distributions that
// public sources give, with planted drift and its truth. Claim i of a Generator
// depends on the options and i alone, so claims may be made in any order, from
// any row on, by any number of goroutines, and are the same each time.
package synth

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"upstream"
)

// Options determine the claims of a Generator completely.
type Options struct {
	Records   int64 // claims to make, exactly
	Seed      uint64
	Days      int          // submission days, the last of them AsOf; 365 when 0
	AsOf      upstream.Day // what happens later has not happened yet
	Payers    int          // 10 when 0
	Locations int          // sites of the practice; 4 when 0
	Drifts    []Drift      // planted changes; none when empty
	Placebo   bool         // the same random numbers, with the drifts off
	RandomIDs bool         // claim ids in random order instead of ascending
	MixShifts []MixShift   // changes of what the practice does; no drift, so a placebo has them too
	NoSeason  bool         // without the rise of denials in January
	// ShockSD is the standard deviation, in logits of the denial rate, of what
	// the claims decided by a payer on one day have in common; 0.10 when 0.
	ShockSD float64
}

// The bounds of Options. They keep the tables of a Generator below 20 MB.
const (
	maxRecords   = 1_000_000_000_000
	maxDays      = 7320
	maxLocations = 200
	maxDrifts    = 10_000
	maxMixShifts = 40
	maxShockSD   = 2
)

var (
	earliestAsOf = upstream.MakeDay(2001, time.January, 1)
	latestAsOf   = upstream.MakeDay(2100, time.January, 1)
)

func (o Options) withDefaults() Options {
	if o.Days == 0 {
		o.Days = 365
	}
	if o.Payers == 0 {
		o.Payers = 10
	}
	if o.Locations == 0 {
		o.Locations = 4
	}
	if o.ShockSD == 0 {
		o.ShockSD = payerDayShockSD
	}
	drifts := make([]Drift, len(o.Drifts))
	for k, d := range o.Drifts {
		drifts[k] = d.withDefaults()
	}
	o.Drifts = drifts
	shifts := make([]MixShift, len(o.MixShifts))
	for k, m := range o.MixShifts {
		shifts[k] = m.withDefaults()
	}
	o.MixShifts = shifts
	return o
}

// first returns the first submission day.
func (o Options) first() upstream.Day { return o.AsOf - upstream.Day(o.Days) + 1 }

// problems lists everything wrong with the figures of o, defaults filled in.
func (o Options) problems() []string {
	var p []string
	outside := func(what string, v, low, high int64) {
		if v < low || v > high {
			p = append(p, fmt.Sprintf("%s must be %d to %d", what, low, high))
		}
	}
	outside("records", o.Records, 1, maxRecords)
	outside("days", int64(o.Days), 1, maxDays)
	outside("payers", int64(o.Payers), 1, maxPayers)
	outside("locations", int64(o.Locations), 1, maxLocations)
	outside("the number of drifts", int64(len(o.Drifts)), 0, maxDrifts)
	outside("the number of mix shifts", int64(len(o.MixShifts)), 0, maxMixShifts)
	if !(o.ShockSD >= 0 && o.ShockSD <= maxShockSD) { // so that NaN fails
		p = append(p, fmt.Sprintf("the payer-day shock must be 0 to %d", maxShockSD))
	}
	if o.AsOf < earliestAsOf || o.AsOf > latestAsOf {
		p = append(p, fmt.Sprintf("the as-of date must be %s to %s", earliestAsOf, latestAsOf))
	}
	return p
}

// New prepares a generator. Its error has code Invalid and names every problem
// of the options at once.
func New(o Options) (*Generator, error) {
	o = o.withDefaults()
	problems := o.problems()
	if len(problems) == 0 {
		for k, d := range o.Drifts {
			for _, p := range d.problemsIn(o) {
				problems = append(problems, fmt.Sprintf("drift %d: %s", k+1, p))
			}
		}
		problems = append(problems, mixProblems(o)...)
	}
	if len(problems) > 0 {
		return nil, upstream.Errorf(upstream.Invalid, "can't generate these claims: %s", strings.Join(problems, "; "))
	}
	return newGenerator(o), nil
}

// Records returns the number of claims, Options.Records.
func (g *Generator) Records() int64 { return g.options.Records }

// Identity returns the canonical text of everything that determines the claims.
// Equal identities mean equal claims.
func (g *Generator) Identity() string {
	o := g.options
	drifts := make([]Drift, len(o.Drifts))
	for k, d := range o.Drifts {
		d.ID, d.Name = "", "" // they change no claim
		drifts[k] = d
	}
	planted, err := json.Marshal(drifts)
	if err != nil {
		panic(err) // validated drifts hold no value that JSON lacks
	}
	mix, err := json.Marshal(o.MixShifts)
	if err != nil {
		panic(err) // nor do validated shifts
	}
	return fmt.Sprintf("synthetic claims %d: records=%d seed=%d days=%d as-of=%s payers=%d locations=%d random-ids=%t no-season=%t shock=%g mix=%s placebo=%t drifts=%s",
		tablesVersion, o.Records, o.Seed, o.Days, o.AsOf, o.Payers, o.Locations, o.RandomIDs, o.NoSeason, o.ShockSD, mix, o.Placebo, planted)
}

// tablesVersion advances with any change that makes other claims from the same
// options; the golden hash in testdata tells.
const tablesVersion = 2

// Claim ids.
const (
	// base32 is Crockford's alphabet: no letters that read as digits.
	base32       = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	firstLetters = "ABCDFGHJKMNPQRSTVWXYZ" // not E: a spreadsheet reads 12E34 as a number
	prefixLength = 6
	randomLength = 13 // base 32 digits of 64 bits
)

// idPrefix hashes an identity to six characters, so that the ids of different
// options do not meet in one customer.
func idPrefix(identity string) string {
	sum := sha256.Sum256([]byte(identity))
	h := binary.BigEndian.Uint64(sum[:])
	b := []byte{firstLetters[h%uint64(len(firstLetters))]}
	for h /= uint64(len(firstLetters)); len(b) < prefixLength; h /= 32 {
		b = append(b, base32[h%32])
	}
	return string(b)
}

// idDigits is the width of the running number: the same for all claims, so that
// ids ascend as text too.
func idDigits(records int64) int { return max(len(strconv.FormatInt(records-1, 10)), 6) }

// appendID appends the id of claim i.
func (g *Generator) appendID(b []byte, i int64) []byte {
	if g.options.RandomIDs {
		// A bijection of i: random to the eye and to an index, never twice.
		z := mix(uint64(i) + g.key)
		b = append(b, firstLetters[z>>60])
		return appendBase32(b, z, randomLength-1)
	}
	b = append(b, g.prefix...)
	at := len(b)
	for range g.digits {
		b = append(b, '0')
	}
	for k := len(b) - 1; i > 0 && k >= at; k-- {
		b[k] = byte('0' + i%10)
		i /= 10
	}
	return b
}

// appendBase32 appends the low 5·n bits of z.
func appendBase32(b []byte, z uint64, n int) []byte {
	for k := n - 1; k >= 0; k-- {
		b = append(b, base32[z>>(5*k)&31])
	}
	return b
}
