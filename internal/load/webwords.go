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
	"ms":      ms,
	"rate":    rate,
	"percent": percentage,
	"size":    func(f Figures) string { return grouped(f.Bytes / max(f.Requests, 1)) },
	"clock":   func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"instant": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"length":  func(d time.Duration) string { return shortTime(d.Round(time.Second)) },
	"names":   func(classes []*Class) string { return strings.Join(classNames(classes), ", ") },
	"bounds":  bounds,
	"notes":   Notes,
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

// rate writes how often a second something happens.
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
		return plain(percent, 2) + " %"
	case percent < 10:
		return plain(percent, 1) + " %"
	}
	return plain(percent, 0) + " %"
}

// bounds are HeatBounds as the script reads them.
func bounds() string {
	var texts []string
	for _, f := range HeatBounds {
		texts = append(texts, plain(f, 1))
	}
	return strings.Join(texts, " ")
}
