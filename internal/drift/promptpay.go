package drift

import "upstream"

// PromptPayDays is the limit that most states set for deciding a clean electronic
// claim.
const PromptPayDays = 30

// promptPayWindow is how many days are looked at.
const promptPayWindow = 90

// promptPay counts breaches of the limit in the last days. They are certain: no
// statistic is needed to tell of them. Payers without one are left out.
func promptPay(w *upstream.Waits, asOf upstream.Day, limit int) []upstream.PromptPay {
	if w == nil {
		return nil
	}
	last := min(int(asOf-w.From), int(w.To-w.From))
	first := max(last-promptPayWindow+1, 0)
	var out []upstream.PromptPay
	for i := range w.Payers {
		p := &w.Payers[i]
		if p.Clock != upstream.DecisionClock || last < 0 || last >= len(p.Started) {
			continue
		}
		b := upstream.PromptPay{Payer: p.Payer, LimitDays: limit, FirstDay: w.From + upstream.Day(first), LastDay: w.From + upstream.Day(last)}
		for day := 0; day < last-limit; day++ {
			b.Overdue += int64(p.Started[day])
		}
		for _, e := range p.Ended {
			day := int(e.Start) + int(e.Lag)
			if e.Lag < 0 || day > last {
				continue
			}
			if int(e.Start) < last-limit {
				b.Overdue -= int64(e.Count)
			}
			if day >= first {
				b.Decided += int64(e.Count)
				if int(e.Lag) > limit {
					b.Late += int64(e.Count)
				}
			}
		}
		if !p.Undecided {
			b.Overdue = 0 // a claim not yet decided isn't known
		}
		if b.Late > 0 || b.Overdue > 0 {
			out = append(out, b)
		}
	}
	return out
}
