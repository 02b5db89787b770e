package drift

import "upstream"

// Prompt-pay laws set a limit on the time to decide.
const (
	promptPayDays     = 30 // the usual limit for clean electronic claims
	promptPayLookback = 90 // calendar days looked at
)

// promptPay counts, by payer, the breaches of the limit in the 90 days up to a
// day: claims decided too late, and claims open too long on that day. limitDays
// is the state's limit in calendar days, 30 when it is no positive number.
// Payers without a breach are left out.
func promptPay(w *upstream.Waits, asOf upstream.Day, limitDays int) []upstream.PromptPay {
	if limitDays <= 0 {
		limitDays = promptPayDays
	}
	last := min(asOf, w.To)
	first := max(last-promptPayLookback+1, w.From)
	var out []upstream.PromptPay
	for i := range w.Payers {
		if p := &w.Payers[i]; p.Clock == upstream.DecisionClock {
			r := upstream.PromptPay{Payer: p.Payer, LimitDays: limitDays, FirstDay: first, LastDay: last}
			r.Decided, r.Late, r.Overdue = breaches(p, int64(first-w.From), int64(last-w.From), int64(limitDays))
			if r.Late > 0 || r.Overdue > 0 {
				out = append(out, r)
			}
		}
	}
	return out
}

// breaches counts in days after Waits.From, first and last inclusive.
func breaches(p *upstream.PayerWaits, first, last, limit int64) (decided, late, overdue int64) {
	if p.Undecided {
		overdue = openSince(p, 0, last-limit, last)
	}
	for _, w := range p.Ended {
		lag := int64(max(w.Lag, 0))
		if end := int64(w.Start) + lag; w.Count > 0 && w.Start >= 0 && end >= first && end <= last {
			decided += int64(w.Count)
			if lag > limit {
				late += int64(w.Count)
			}
		}
	}
	return decided, late, overdue
}
