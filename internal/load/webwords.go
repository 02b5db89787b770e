package load

import (
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// words write figures for a person.
var words = template.FuncMap{
	"count":   grouped,
	"ms":      millis,
	"rate":    rate,
	"percent": percentage,
	"bytes": func(n int64, of int64) string {
		if of == 0 {
			return "0"
		}
		return grouped(int64(math.Round(float64(n) / float64(of))))
	},
	"clock":   func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"instant": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"length":  func(d time.Duration) string { return shortTime(d.Round(time.Second)) },
	"names":   func(classes []*Class) string { return strings.Join(classNames(classes), ", ") },
	"bounds":  func() string { return joined(HeatBounds) },
	"target":  func(v Verdict) string { return targetSays(&v) },
	"got":     func(v Verdict) string { return quantity(v.base(), v.Measured) },
	"within":  interval,
}

// grouped writes a whole number with commas.
func grouped(n int64) string {
	if n < 0 {
		return "-" + grouped(-n)
	}
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// millis writes milliseconds with as many digits as tell something.
func millis(ms float64) string {
	switch {
	case ms == 0:
		return "0"
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 2, 64)
	case ms < 100:
		return strconv.FormatFloat(ms, 'f', 1, 64)
	}
	return grouped(int64(math.Round(ms)))
}

func rate(perSecond float64) string {
	if perSecond < 100 {
		return strconv.FormatFloat(perSecond, 'f', 1, 64)
	}
	return grouped(int64(math.Round(perSecond)))
}

// percentage writes a share from 0 to 1 in percent. Something is never nothing.
func percentage(f float64) string {
	percent := f * 100
	switch {
	case percent > 0 && percent < .01:
		return "below 0.01 %"
	case percent < 1:
		return trimmed(percent, 2) + " %"
	case percent < 10:
		return trimmed(percent, 1) + " %"
	}
	return trimmed(percent, 0) + " %"
}

// trimmed writes a number without zeros behind the point.
func trimmed(f float64, digits int) string {
	text := strconv.FormatFloat(f, 'f', digits, 64)
	if !strings.Contains(text, ".") {
		return text
	}
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

func joined(all []float64) string {
	var texts []string
	for _, f := range all {
		texts = append(texts, strconv.FormatFloat(f, 'f', -1, 64))
	}
	return strings.Join(texts, " ")
}

// targetSays is a target in words.
func targetSays(v *Verdict) string {
	what, against := v.base(), strings.TrimPrefix(v.What, v.base())
	if v.least() {
		return "at least " + quantity(what, v.Limit) + against
	}
	return what + " at most " + quantity(what, v.Limit) + against
}

// quantity is a measured value with its unit.
func quantity(what string, f float64) string {
	switch what {
	case "rps":
		return plainly(f, rate) + " requests/s"
	case "failures":
		return trimmed(f*100, 2) + " %"
	}
	return plainly(f, millis) + " ms"
}

// plainly leaves a whole number whole, as limits are.
func plainly(f float64, write func(float64) string) string {
	if f == math.Trunc(f) {
		return grouped(int64(f))
	}
	return write(f)
}

// interval is the confidence interval of what was measured; "" where there is none.
func interval(v Verdict) string {
	if v.Low == v.High {
		return ""
	}
	return quantity(v.base(), v.Low) + " to " + quantity(v.base(), v.High)
}
