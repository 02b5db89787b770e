package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"upstream"
	"upstream/internal/drift"
)

// headline tells an event in a line, to a reader on the as-of day: "Aetna,
// Physical therapy: denials 8 % → 17 % since 4 March (± 3 days), CARC 197 at
// South Clinic explains 81 % of it, $4,100 a month (90 %: 2,300–6,400), 212 claims".
func headline(e *upstream.DriftEvent, asOf upstream.Day) string {
	parts := []string{node(e) + ": " + change(e) + " since " + since(e, asOf)}
	if e.Level == upstream.MarketLevel {
		parts = append(parts, "the market or your own front end")
	}
	if e.Direction == upstream.Better {
		parts = append(parts, "an improvement")
	}
	parts = append(parts, cause(e), codes(e), dollars(e), evidenceClaims(e))
	told := parts[:0]
	for _, p := range parts {
		if p != "" {
			told = append(told, p)
		}
	}
	return strings.Join(told, ", ")
}

// marked is the headline after what a reader looks for first: "ALERT #3  ".
func marked(e *upstream.DriftEvent, asOf upstream.Day) string {
	mark := map[upstream.Tier]string{upstream.Alert: "ALERT", upstream.Watch: "watch"}[e.Tier]
	if e.ID != 0 { // a look back at what no run told has none
		mark += fmt.Sprintf(" #%d", e.ID)
	}
	return mark + "  " + headline(e, asOf)
}

// resolvedLine tells of an event that a run closed.
func resolvedLine(e *upstream.DriftEvent) string {
	why := map[string]string{
		upstream.ResolvedBack:   "it is back where it was",
		upstream.ResolvedFaded:  "nothing shows it any more",
		upstream.ResolvedMerged: "a wider event tells of it now",
		upstream.ResolvedPerson: "somebody said so",
	}[e.Resolution]
	return fmt.Sprintf("resolved #%d  %s: %s; %s", e.ID, node(e), change(e), why)
}

func node(e *upstream.DriftEvent) string {
	switch {
	case e.Payer == nil:
		return "All payers"
	case e.CPTGroup == nil:
		return *e.Payer
	}
	return *e.Payer + ", " + *e.CPTGroup
}

// change tells what changed from which value to which.
func change(e *upstream.DriftEvent) string {
	before, after := e.BaselineValue, e.CurrentValue
	switch e.Signal {
	case upstream.DecisionTime:
		what := "decisions take"
		if e.Clock == upstream.PaymentClock {
			what = "payments take"
		}
		return fmt.Sprintf("%s %s → %s days", what, tidy(before), tidy(after))
	case upstream.AllowedAmount:
		return fmt.Sprintf("allowed amounts %s → %s of the contract's rate", percent(before), percent(after))
	case upstream.Takeback:
		return fmt.Sprintf("payments taken back %s → %s", percent(before), percent(after))
	case upstream.Overturn:
		return "denials overturned " + percents(before, after)
	}
	return "denials " + percents(before, after)
}

// tidy writes a number of days, with a decimal where it has one.
func tidy(days float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", days), ".0")
}

// percents writes a change in whole percents where these tell it well enough.
func percents(before, after float64) string {
	if min(before, after) >= .05 && math.Abs(after-before) >= .02 {
		return fmt.Sprintf("%.0f %% → %.0f %%", 100*before, 100*after)
	}
	return percent(before) + " → " + percent(after)
}

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }

// since is the day of the change with its interval: the longer side of it, or where
// one side is much the longer both ends.
func since(e *upstream.DriftEvent, asOf upstream.Day) string {
	day := longDate(e.ChangeDate, asOf)
	before, after := e.ChangeDate-e.ChangeDateLow, e.ChangeDateHigh-e.ChangeDate
	switch off := max(before, after); {
	case e.ChangeDateLow == 0 || off <= 0:
		return day
	case off > 2*min(before, after)+7:
		return fmt.Sprintf("%s (between %s and %s)", day, longDate(e.ChangeDateLow, asOf), longDate(e.ChangeDateHigh, asOf))
	case off == 1:
		return day + " (± 1 day)"
	default:
		return fmt.Sprintf("%s (± %d days)", day, off)
	}
}

// longDate writes a day as 4 March, with its year when that isn't the reader's.
func longDate(d, asOf upstream.Day) string {
	if t := d.Time(); t.Year() != asOf.Time().Year() {
		return t.Format("2 January 2006")
	}
	return d.Time().Format("2 January")
}

// cause tells what explains the change; where nothing does, that is told apart.
func cause(e *upstream.DriftEvent) string {
	if told := drift.Cause(e); !strings.HasPrefix(told, "spread over ") {
		return told
	}
	return ""
}

// codesTold is how many of the rates that changed a headline names.
const codesTold = 2

// codes tells the rates that changed: "99214: 131.20 → 127.26 (−3.0 %), 212 lines,
// $835". One rate is one, whatever the modifiers and places it is paid for.
func codes(e *upstream.DriftEvent) string {
	var rates []upstream.CodeChange
	for _, c := range e.Codes {
		i := slices.IndexFunc(rates, func(r upstream.CodeChange) bool { return r.CPT == c.CPT && r.Before == c.Before && r.After == c.After })
		if i < 0 {
			rates = append(rates, c)
			continue
		}
		rates[i].Lines += c.Lines
		rates[i].Short += c.Short
	}
	slices.SortStableFunc(rates, func(a, b upstream.CodeChange) int { return cmp.Compare(b.Short, a.Short) })
	var told []string
	for i, c := range rates {
		if i == codesTold {
			told = append(told, fmt.Sprintf("and %d more", len(rates)-codesTold))
			break
		}
		change := ""
		if c.Before != 0 {
			change = " (" + signed(float64(c.After-c.Before)/float64(c.Before)) + ")"
		}
		told = append(told, fmt.Sprintf("%s: %s → %s%s, %s, %s", c.CPT, c.Before.Plain(), c.After.Plain(), change, count(c.Lines, "line"), c.Short.Dollars()))
	}
	return strings.Join(told, "; ")
}

// signed writes a change in percent with a true minus.
func signed(v float64) string {
	if v < 0 {
		return "−" + percent(-v)
	}
	return "+" + percent(v)
}

// dollars tells what the change costs a month, with its interval where there is one.
func dollars(e *upstream.DriftEvent) string {
	amount, sign := e.DollarsPerMonth, upstream.Money(1)
	if e.Direction == upstream.Better && amount < 0 {
		amount, sign = -amount, -1
	}
	if amount == 0 && e.DollarsLow == nil {
		return ""
	}
	if e.Signal == upstream.DecisionTime {
		return amount.Dollars() + " held back"
	}
	told := amount.Dollars() + " a month"
	if e.Direction == upstream.Better {
		told += " gained"
	}
	if e.DollarsLow == nil || e.DollarsHigh == nil {
		return told
	}
	low, high := sign**e.DollarsLow, sign**e.DollarsHigh
	if low > high {
		low, high = high, low
	}
	return fmt.Sprintf("%s (90 %%: %s–%s)", told, bare(low), bare(high))
}

// bare writes whole dollars without their sign.
func bare(m upstream.Money) string {
	return strings.Replace(strings.Replace(m.Dollars(), "$", "", 1), "-", "−", 1)
}

func evidenceClaims(e *upstream.DriftEvent) string {
	if e.EvidenceClaims == 0 || e.Direction == upstream.Better {
		return ""
	}
	return count(e.EvidenceClaims, "claim")
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(n) + " " + what + "s"
}

// promptPayLine tells a payer's breaches of the state's limit.
func promptPayLine(p upstream.PromptPay) string {
	return fmt.Sprintf("prompt pay: %s decided %s of %s after the limit of %d days from %s to %s; %s overdue",
		p.Payer, thousands(p.Late), count(p.Decided, "claim"), p.LimitDays, p.FirstDay, p.LastDay, thousands(p.Overdue))
}
