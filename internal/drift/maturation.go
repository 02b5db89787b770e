package drift

import "upstream"

// olderWeeks are the last weeks, from which young ones borrow what they have not
// reached: so many that some are mature.
const olderWeeks = 9

// lifetimes count the claims of a cohort by their age in days when they were
// decided, or when they were seen last, still open.
type lifetimes struct {
	denied, paid, open [upstream.MatureDays + 1]int64
	later              int64 // at higher ages
}

// decided adds claims decided at an age.
func (l *lifetimes) decided(age int, count, denied int64) {
	if age > upstream.MatureDays {
		l.later += count
		return
	}
	l.denied[age] += denied
	l.paid[age] += count - denied
}

// undecided adds claims that were still open at an age.
func (l *lifetimes) undecided(age int, count int64) {
	if age > upstream.MatureDays {
		l.later += count
		return
	}
	l.open[age] += count
}

func (l *lifetimes) add(o *lifetimes) {
	for age := range l.open {
		l.denied[age] += o.denied[age]
		l.paid[age] += o.paid[age]
		l.open[age] += o.open[age]
	}
	l.later += o.later
}

// ended counts the claims decided by the age of MatureDays.
func (l *lifetimes) ended() (n int64) {
	for age := range l.open {
		n += l.denied[age] + l.paid[age]
	}
	return n
}

// atRisk counts the claims that were still open at the beginning of each age.
func (l *lifetimes) atRisk() (risk [upstream.MatureDays + 1]int64) {
	n := l.later
	for age := upstream.MatureDays; age >= 0; age-- {
		n += l.denied[age] + l.paid[age] + l.open[age]
		risk[age] = n
	}
	return risk
}

// aalenJohansen estimates which share of a cohort is denied, and which is
// decided at all, by the age of MatureDays (Aalen, Johansen 1978). A claim too
// young to tell counts at the ages that it has reached. At ages that none has,
// the cohort is taken to go on as older ones did, so that denials which come
// sooner or later than payments don't bend the rate of a young one.
func aalenJohansen(l, older *lifetimes) (denied, decided float64) {
	own, others := l.atRisk(), older.atRisk()
	waiting := 1.0
	for age := range own {
		from, risk := l, own[age]
		if risk <= 0 {
			from, risk = older, others[age]
		}
		if risk <= 0 {
			break
		}
		denying := float64(from.denied[age]) / float64(risk)
		deciding := float64(from.denied[age]+from.paid[age]) / float64(risk)
		denied += waiting * denying
		decided += waiting * deciding
		waiting *= 1 - deciding
	}
	return denied, decided
}

// deniedShare is the share of denials among the decisions, 0 without any.
func deniedShare(l, older *lifetimes) float64 {
	denied, decided := aalenJohansen(l, older)
	if decided <= 0 {
		return 0
	}
	return min(denied/decided, 1)
}

// Mature are the denial rates of a payer by week of receipt, from the week of
// from, the first day of the waits (on DecisionClock), through that of asOf, as
// far as was known at the end of asOf. Where a claim isn't known before it is
// decided, the rate of an immature week is that of its fast decisions.
func Mature(w *upstream.PayerWaits, from, asOf upstream.Day) []upstream.WeekRate {
	asOf = min(asOf, from+upstream.Day(len(w.Started))-1)
	if asOf < from {
		return nil
	}
	monday := mondayOf(from)
	weeks := make([]lifetimes, (asOf-monday)/7+1)
	decided := make([]int64, asOf-from+1) // by the day they started
	for _, e := range w.Ended {
		lag := max(e.Lag, 0)
		if day := from + upstream.Day(e.Start); e.Start >= 0 && day+upstream.Day(lag) <= asOf {
			weeks[(day-monday)/7].decided(int(lag), int64(e.Count), int64(e.Denied))
			decided[e.Start] += int64(e.Count)
		}
	}
	submitted := make([]int64, len(weeks))
	for i, n := range decided {
		day := from + upstream.Day(i)
		week := (day - monday) / 7
		open := max(int64(w.Started[i])-n, 0)
		if !w.Undecided {
			open = 0
		}
		weeks[week].undecided(int(asOf-day), open)
		submitted[week] += n + open
	}
	var older lifetimes
	for i := max(len(weeks)-olderWeeks, 0); i < len(weeks); i++ {
		older.add(&weeks[i])
	}
	rates := make([]upstream.WeekRate, len(weeks))
	for i := range weeks {
		r, ended := &rates[i], weeks[i].ended()
		r.Week, r.Submitted = monday+upstream.Day(7*i), submitted[i]
		r.Immature = r.Week+6+upstream.MatureDays > asOf
		if ended > 0 {
			r.DecidedShare = float64(ended) / float64(r.Submitted)
			r.DenialRate = deniedShare(&weeks[i], &older)
		}
	}
	return rates
}

// mondayOf is the Monday on or before a day.
func mondayOf(d upstream.Day) upstream.Day { return d - upstream.Day((int(d.Weekday())+6)%7) }
