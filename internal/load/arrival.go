package load

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Schedule says when the arrivals of an open model are due, counted from its start.
// Next returns the next one; more is false when there are none any more. It is a pure
// sequence: no clock moves it, so nothing that a server does delays what is due.
type Schedule interface {
	Next() (due time.Duration, more bool)
}

// Arrivals is a schedule in words, as --arrival-rate takes it.
type Arrivals struct {
	Poisson bool
	Stages  []Stage // at least one
}

// Stage is a part of a schedule whose rate goes from that of the stage before, in a
// straight line, to its own. The first stage is flat.
type Stage struct {
	Rate float64       // arrivals a second
	Over time.Duration // 0 in the last stage: to the end of the run
}

// instant is the length of a stage that is a jump.
const instant = time.Nanosecond

// ParseArrivals reads 500, "poisson 500", or stages: "100 for 30s, 500 over 1m, 500
// for 2m". For keeps a rate; over moves to it.
func ParseArrivals(text string) (a Arrivals, err error) {
	rest := strings.TrimSpace(text)
	if after, ok := strings.CutPrefix(rest, "poisson"); ok {
		a.Poisson, rest = true, strings.TrimLeft(after, " :")
	}
	for i, part := range strings.Split(rest, ",") {
		if a.Stages, err = appendStage(a.Stages, strings.Fields(part)); err != nil {
			return Arrivals{}, fmt.Errorf("arrival rate %q, stage %d: %w; examples: 500, poisson 500, 100 for 30s, 500 over 1m, 500 for 2m", text, i+1, err)
		}
	}
	return a, nil
}

func appendStage(stages []Stage, words []string) ([]Stage, error) {
	if len(stages) > 0 && stages[len(stages)-1].Over == 0 {
		return nil, fmt.Errorf("the stage before has no length")
	}
	if len(words) != 1 && len(words) != 3 {
		return nil, fmt.Errorf("a stage is a rate, for or over, and a time")
	}
	rate, err := strconv.ParseFloat(words[0], 64)
	if err != nil || !(rate >= 0 && rate <= 1e7) || rate == 0 && len(words) == 1 {
		return nil, fmt.Errorf("%q is no rate from above 0 to 10,000,000 a second", words[0])
	}
	if len(words) == 1 {
		return append(stages, jump(stages, rate, 0)...), nil
	}
	over, err := ParseRunTime(words[2])
	switch {
	case err != nil:
		return nil, err
	case words[1] == "for":
		return append(stages, jump(stages, rate, over)...), nil
	case words[1] == "over" && len(stages) > 0:
		return append(stages, Stage{rate, over}), nil
	case words[1] == "over": // from nothing
		return append(stages, Stage{0, instant}, Stage{rate, over}), nil
	}
	return nil, fmt.Errorf("%q is neither for nor over", words[1])
}

// jump keeps a rate for some time, after a stage of no length that goes to it.
func jump(stages []Stage, rate float64, over time.Duration) []Stage {
	if n := len(stages); n == 0 || stages[n-1].Rate == rate {
		return []Stage{{rate, over}}
	}
	return []Stage{{rate, instant}, {rate, over}}
}

// MaxRate returns the highest rate of all stages, in arrivals a second.
func (a Arrivals) MaxRate() (rate float64) {
	for _, s := range a.Stages {
		rate = max(rate, s.Rate)
	}
	return rate
}

// Lasts returns how long the schedule lasts, 0 for as long as the run.
func (a Arrivals) Lasts() (d time.Duration) {
	if a.Stages[len(a.Stages)-1].Over == 0 {
		return 0
	}
	for _, s := range a.Stages {
		d += s.Over
	}
	return d
}

func (a Arrivals) String() string {
	var parts []string
	for i, s := range a.Stages {
		switch rate := strconv.FormatFloat(s.Rate, 'f', -1, 64); {
		case s.Over == 0:
			parts = append(parts, rate)
		case s.Over == instant: // a jump, which the next stage shows
		case i > 0 && a.Stages[i-1].Rate != s.Rate:
			parts = append(parts, rate+" over "+s.Over.String())
		default:
			parts = append(parts, rate+" for "+s.Over.String())
		}
	}
	text := strings.Join(parts, ", ")
	if a.Poisson {
		return "poisson " + text
	}
	return text
}

// Schedule returns the arrivals' sequence; seed matters to a Poisson process only.
//
// With a rate that is linear in time the expected number of arrivals up to t is a
// quadratic in each stage. The n-th arrival is due where it reaches n: evenly spaced
// numbers for constant rates, sums of exponentials for a Poisson process, of which
// this is the inversion (Çinlar, Introduction to Stochastic Processes, 1975, 4.7).
func (a Arrivals) Schedule(seed uint64) Schedule {
	s := &stages{all: a.Stages, rate: a.Stages[0].Rate}
	if a.Poisson {
		s.random = rand.New(rand.NewPCG(seed, 0x6172726976616c73)) // "arrivals"
	}
	return s
}

type stages struct {
	all    []Stage
	random *rand.Rand
	rate   float64 // when the present stage begins
	began  time.Duration
	passed float64 // expected arrivals before the present stage
	number float64 // of the arrival that came last
	begun  bool
}

func (s *stages) Next() (time.Duration, bool) {
	number := s.number + 1
	if s.random != nil {
		number = s.number + s.random.ExpFloat64()
	} else if !s.begun && s.rate > 0 {
		number = 0 // the first is due at once
	}
	s.begun = true
	for len(s.all) > 0 {
		stage := s.all[0]
		over := stage.Over.Seconds()
		if stage.Over == 0 {
			s.number = number
			return s.began + seconds((number-s.passed)/stage.Rate), true
		}
		if within := (s.rate + stage.Rate) / 2 * over; number <= s.passed+within {
			t := solve(s.rate, (stage.Rate-s.rate)/over, number-s.passed)
			s.number = number
			return s.began + seconds(min(t, over)), true
		} else {
			s.passed += within
		}
		s.began, s.rate, s.all = s.began+stage.Over, stage.Rate, s.all[1:]
	}
	return 0, false
}

// solve returns the t > 0 at which rate·t + slope·t²/2 = n, in a form that loses
// nothing where slope is near 0.
func solve(rate, slope, n float64) float64 {
	root := math.Sqrt(max(0, rate*rate+2*slope*n))
	if rate+root == 0 {
		return 0
	}
	return 2 * n / (rate + root)
}

// seconds is a time of so many seconds, at most 30 years: what is rarer never comes.
func seconds(s float64) time.Duration {
	return time.Duration(math.Round(min(s, 30*365*86400) * float64(time.Second)))
}

// ParseRunTime reads a time as Locust does: 20 (seconds), 20s, 3m, 1h20m.
func ParseRunTime(text string) (time.Duration, error) {
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		text = strconv.FormatUint(n, 10) + "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no time; examples: 20, 20s, 3m, 1h20m", text)
	}
	return d, nil
}
