package store

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"upstream"
)

// The readers once more, by the plain definition, from claims in memory.

func naiveWaits(claims []upstream.Claim, until upstream.Day) *upstream.Waits {
	type clock struct {
		payer string
		clock upstream.Clock
	}
	type wait struct{ start, end upstream.Day } // end 0: none
	waits, denied, undecided := map[clock][]wait{}, map[clock]map[wait]int32{}, map[string]bool{}
	from := upstream.Day(0)
	start := func(c *upstream.Claim, of upstream.Clock, start, end upstream.Day, denial bool) {
		if start > until || start <= until-waitDays {
			return
		}
		if end != 0 {
			end = max(end, start)
		}
		if end > until {
			end = 0
		}
		if from == 0 || start < from {
			from = start
		}
		k := clock{c.Payer, of}
		waits[k] = append(waits[k], wait{start, end})
		if denied[k] == nil {
			denied[k] = map[wait]int32{}
		}
		if denial && end != 0 {
			denied[k][wait{start, end}]++
		}
	}
	for i := range claims {
		c := &claims[i]
		if c.Filing != upstream.Primary {
			continue
		}
		submitted := c.SubmittedDate
		if c.FirstOutcome == upstream.Pending && submitted > until-waitDays {
			undecided[c.Payer] = true
		}
		if c.FirstOutcome != upstream.Reversed || max(c.FirstDecidedDate, submitted) > until {
			start(c, upstream.DecisionClock, submitted, c.FirstDecidedDate, c.IsDenial())
		}
		switch c.FirstOutcome {
		case upstream.Denied:
			start(c, upstream.OverturnClock, c.FirstDecidedDate, c.RepaidDate, false)
		case upstream.Paid, upstream.Adjusted:
			start(c, upstream.PaymentClock, c.FirstDecidedDate, c.FirstPaymentDate, false)
			end := upstream.Day(0)
			if restored := c.RepaidDate >= c.ReversedDate && c.RepaidDate <= c.ReversedDate+upstream.RestoreDays; c.ReversedDate != 0 && !restored {
				end = c.ReversedDate + upstream.RestoreDays
			}
			start(c, upstream.TakebackClock, c.FirstDecidedDate, end, false)
		}
	}
	out := &upstream.Waits{}
	if from == 0 {
		return out
	}
	out.From, out.To = from, until
	keys := slices.SortedFunc(maps.Keys(waits), func(a, b clock) int {
		return cmp.Or(strings.Compare(a.payer, b.payer), strings.Compare(string(a.clock), string(b.clock)))
	})
	for _, k := range keys {
		p := upstream.PayerWaits{Payer: k.payer, Clock: k.clock, Undecided: undecided[k.payer], Started: make([]int32, until-from+1)}
		ended := map[wait]int32{}
		for _, w := range waits[k] {
			p.Started[w.start-from]++
			if w.end != 0 {
				ended[w]++
			}
		}
		for w, n := range ended {
			p.Ended = append(p.Ended, upstream.Wait{Start: int32(w.start - from), Lag: int32(w.end - w.start), Count: n, Denied: denied[k][w]})
		}
		slices.SortFunc(p.Ended, func(a, b upstream.Wait) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Lag, b.Lag)) })
		out.Payers = append(out.Payers, p)
	}
	return out
}

func naiveAmounts(claims []upstream.Claim, until upstream.Day, weeks int) *upstream.Amounts {
	sunday := until
	for sunday.Weekday() != 0 {
		sunday--
	}
	out := &upstream.Amounts{First: sunday - upstream.Day(7*weeks) + 1, Weeks: weeks}
	type atom struct {
		cents upstream.Money
		week  int32
	}
	keys := map[[5]string]map[atom]int32{}
	for _, c := range claims {
		units := max(c.Units, -c.Units)
		if !c.IsDecided() || c.IsDenial() || c.FirstAllowed <= 0 || units == 0 || c.FirstDecidedDate < out.First || c.FirstDecidedDate > sunday {
			continue
		}
		k := [5]string{c.Payer, c.CPT, c.Modifiers, c.PlaceOfService, c.Location}
		if keys[k] == nil {
			keys[k] = map[atom]int32{}
		}
		cents := (2*int64(c.FirstAllowed) + int64(units)) / (2 * int64(units))
		keys[k][atom{upstream.Money(cents), int32(c.FirstDecidedDate-out.First) / 7}]++
	}
	for _, k := range slices.SortedFunc(maps.Keys(keys), func(a, b [5]string) int { return slices.Compare(a[:], b[:]) }) {
		key := upstream.AmountKey{Payer: k[0], CPT: k[1], Modifiers: k[2], Place: k[3], Location: k[4]}
		for a, n := range keys[k] {
			key.Atoms = append(key.Atoms, upstream.Atom{Cents: a.cents, Week: a.week, Lines: n})
		}
		slices.SortFunc(key.Atoms, func(a, b upstream.Atom) int {
			return cmp.Or(cmp.Compare(a.Cents, b.Cents), cmp.Compare(a.Week, b.Week))
		})
		out.Keys = append(out.Keys, key)
	}
	return out
}

// denial is a denial cell with its values spelled out.
type denial struct {
	day    upstream.Day
	values [upstream.Dimensions]string
}

func naiveDenials(claims []upstream.Claim, groups upstream.CPTGroups, payer string, first, last upstream.Day) map[denial]int32 {
	out := map[denial]int32{}
	for _, c := range claims {
		if !c.IsDenial() || c.Payer != payer || c.FirstDecidedDate < first || c.FirstDecidedDate > last {
			continue
		}
		lead := func(codes upstream.Codes) string {
			code := strings.Split(string(codes), " ")[0]
			return code[strings.Index(code, "-")+1:]
		}
		out[denial{c.FirstDecidedDate, [upstream.Dimensions]string{
			groups.Of(c.CPT), lead(c.FirstCARC), lead(c.FirstRARC), c.Location, c.CPT, c.Modifiers, c.PlaceOfService,
		}}]++
	}
	return out
}

// spelled returns denials in the form of naiveDenials.
func spelled(d *upstream.Denials) map[denial]int32 {
	out := map[denial]int32{}
	for _, c := range d.Cells {
		k := denial{day: c.Day}
		for i, v := range c.Value {
			k.values[i] = d.Values[i][v]
		}
		out[k] += c.Count
	}
	return out
}

func naiveDecisions(claims []upstream.Claim, groups upstream.CPTGroups, until upstream.Day) map[string][3]int64 {
	out := map[string][3]int64{} // payer, group, day → decided, denied, allowed
	for _, c := range claims {
		if !c.IsDecided() || c.FirstDecidedDate > until {
			continue
		}
		k := c.Payer + "|" + groups.Of(c.CPT) + "|" + c.FirstDecidedDate.String()
		s := out[k]
		s[0]++
		if c.IsDenial() {
			s[1]++
		} else {
			s[2] += int64(c.FirstAllowed)
		}
		out[k] = s
	}
	return out
}

func flat(d *upstream.Decisions) map[string][3]int64 {
	out := map[string][3]int64{}
	for _, n := range d.Nodes {
		for i := range n.Decided {
			if n.Decided[i] != 0 {
				out[n.Payer+"|"+n.CPTGroup+"|"+(d.From+upstream.Day(i)).String()] = [3]int64{int64(n.Decided[i]), int64(n.Denied[i]), n.Allowed[i]}
			}
		}
	}
	return out
}
