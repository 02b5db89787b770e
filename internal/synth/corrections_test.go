package synth

import (
	"bytes"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"upstream"
	"upstream/internal/ingest"
)

// years is long enough for almost all corrections to have come.
func years(records int64, drifts ...Drift) Options {
	o := withDrifts(records, drifts...)
	o.Days = 800
	return o
}

func median(days []int) float64 {
	slices.Sort(days)
	return float64(days[len(days)/2])
}

func TestDenialsAreOverturned(t *testing.T) {
	denied, overturned := 0., 0.
	var days []int
	for _, c := range all(generator(t, years(300_000))) {
		if c.IsDenial() && c.FirstDecidedDate < asOf-300 {
			denied++
			if c.RepaidDate != 0 {
				overturned++
				days = append(days, int(c.RepaidDate-c.FirstDecidedDate))
			}
		}
	}
	near(t, "share overturned", overturned/denied, overturnShare, 4*math.Sqrt(.25/denied))
	near(t, "median days to the overturn", median(days), overturnMedian, 2)
	near(t, "upper quartile over the median", float64(days[len(days)*3/4])/overturnMedian, math.Exp(.6745*overturnSigma), .06)
}

func TestPaymentsAreReversedAndMostlyRestored(t *testing.T) {
	paid, reversed, restored, sameDay := 0., 0., 0., 0.
	var days []int
	for _, c := range all(generator(t, years(300_000))) {
		if c.FirstOutcome != upstream.Paid || c.FirstDecidedDate >= asOf-400 {
			continue
		}
		paid++
		if c.ReversedDate == 0 {
			continue
		}
		reversed++
		days = append(days, int(c.ReversedDate-c.FirstDecidedDate))
		if c.RepaidDate != 0 {
			restored++
			if c.RepaidDate == c.ReversedDate {
				sameDay++
			}
		}
	}
	near(t, "share reversed", reversed/paid, reversalShare, 4*math.Sqrt(reversalShare/paid))
	near(t, "share restored", restored/reversed, restoredShare, 4*math.Sqrt(.25/reversed))
	near(t, "restored in the same remittance", sameDay/restored, .5, 4*math.Sqrt(.25/restored))
	near(t, "median days to the reversal", median(days), reversalMedian, 4)
}

// TestStatesEndInTheClaim: the last state is the claim, and each one before it
// what the claim was then.
func TestStatesEndInTheClaim(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyOptions(t)
		g, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		before := upstream.Claim{ClaimID: "before"}
		for range 100 {
			i := rapid.Int64Range(0, o.Records-1).Draw(t, "i")
			var c upstream.Claim
			g.Claim(i, &c)
			told := g.States(i, []upstream.Claim{before})
			if told[0] != before || len(told) < 2 || len(told) > 4 || told[len(told)-1] != c {
				t.Fatalf("claim %d has states %+v", i, told)
			}
			told = told[1:]
			for k := range told {
				for _, flaw := range flaws(&told[k], o.AsOf) {
					t.Errorf("claim %d, state %d: %s", i, k, flaw)
				}
				if k > 0 && (told[k].DecidedDate < told[k-1].DecidedDate || firstState(&told[k]) != firstState(&told[0])) {
					t.Errorf("claim %d, state %d: not a later one of the same claim", i, k)
				}
			}
			if first := told[0]; first.Outcome != first.FirstOutcome || first.DecidedDate != first.FirstDecidedDate || first.Allowed != first.FirstAllowed ||
				first.CARC != first.FirstCARC || first.RARC != first.FirstRARC || first.ReversedDate != 0 || first.RepaidDate != 0 {
				t.Errorf("claim %d begins with %+v", i, first)
			}
		}
	})
}

// TestRowsMergeToTheClaim reads a practice's file as its reader does, in its
// order and backwards, and merges what it says of each claim.
func TestRowsMergeToTheClaim(t *testing.T) {
	g := generator(t, years(8000, takebacks))
	var file bytes.Buffer
	w := NewCSVWriter(&file)
	for _, c := range states(g) {
		if err := w.Write(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := ingest.NewCSV(&file, ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var rows []upstream.Claim
	for {
		var c upstream.Claim
		reject, err := r.Next(&c)
		if err == io.EOF {
			break
		}
		if err != nil || reject != nil {
			t.Fatalf("error %v, reject %+v", err, reject)
		}
		rows = append(rows, c)
	}
	if len(rows) < 8200 {
		t.Fatalf("%d rows of 8000 claims, want many states", len(rows))
	}
	// The root's Merge says what a reader can know of first decisions.
	unread := cmpopts.IgnoreFields(upstream.Claim{}, "Row", "FirstAllowed", "FirstCARC", "FirstRARC", "FirstPaymentDate", "ReversedDate", "RepaidDate")
	for _, backwards := range []bool{false, true} {
		merged := map[string]upstream.Claim{}
		for k := range rows {
			c := rows[k]
			if backwards {
				c = rows[len(rows)-1-k]
			}
			if known, ok := merged[c.ClaimID]; ok {
				c, _ = upstream.Merge(known, c, 0, 0)
			}
			merged[c.ClaimID] = c
		}
		for i, want := range all(g) {
			if diff := cmp.Diff(*want, merged[want.ClaimID], unread); diff != "" {
				t.Fatalf("claim %d, backwards %t: %s", i, backwards, diff)
			}
		}
	}
}

func TestTakebackWave(t *testing.T) {
	o := years(300_000, takebacks)
	with := generator(t, o)
	o.Placebo = true
	without := generator(t, o)
	var a, b upstream.Claim
	paid, taken := 0., 0.
	weeks := [4]float64{}
	for i := range o.Records {
		with.Claim(i, &a)
		without.Claim(i, &b)
		if !in(takebacks, &a) || a.FirstOutcome != upstream.Paid || a.FirstDecidedDate < start-waveReach || a.FirstDecidedDate >= start {
			continue
		}
		paid++
		if a.ReversedDate != b.ReversedDate {
			taken++
			if a.RepaidDate != 0 {
				t.Fatalf("claim %d was taken back and paid again", i)
			}
			weeks[(a.ReversedDate-start)/7]++
		}
	}
	near(t, "share taken back", taken/paid, takebacks.Delta, 4*math.Sqrt(takebacks.Delta/paid))
	for k, n := range weeks {
		near(t, "share of the wave in week "+string('1'+rune(k)), n/taken, .25, 4*math.Sqrt(.19/taken))
	}
}

func TestAWaveKeepsToItsDays(t *testing.T) {
	// Even where few remittance days, or one, fall into them.
	for days := range upstream.Day(8) {
		short := takebacks
		short.Start, short.End = start, start+1+days
		seen := 0
		o := withDrifts(60_000, short)
		with := generator(t, o)
		o.Placebo = true
		without := generator(t, o)
		var a, b upstream.Claim
		for i := range o.Records {
			with.Claim(i, &a)
			if a.Outcome != upstream.Reversed || !in(short, &a) {
				continue
			}
			if without.Claim(i, &b); a.ReversedDate != b.ReversedDate {
				seen++
				if a.ReversedDate < short.Start || a.ReversedDate > short.End {
					t.Fatalf("taken back %s, outside %s to %s", a.ReversedDate, short.Start, short.End)
				}
			}
		}
		if seen < 10 {
			t.Errorf("%d takebacks in a wave of %d days", seen, days+2)
		}
	}
}

func TestOverturnsFall(t *testing.T) {
	var denied, overturned [2]float64
	d := fewerOverturn
	d.Start = asOf - 500
	for _, c := range all(generator(t, years(300_000, d))) {
		if !in(d, c) || !c.IsDenial() || c.FirstDecidedDate >= asOf-250 {
			continue
		}
		k := 0
		if c.FirstDecidedDate >= d.Start {
			k = 1
		}
		denied[k]++
		if c.RepaidDate != 0 {
			overturned[k]++
		}
	}
	near(t, "share overturned before", overturned[0]/denied[0], overturnShare, 4*math.Sqrt(.25/denied[0]))
	near(t, "share overturned since", overturned[1]/denied[1], overturnShare*d.Delta, 4*math.Sqrt(.15/denied[1]))
}
