package drift

import (
	"fmt"
	"math"
	"strings"

	"upstream"
)

// spreadOver tells over which values of a dimension the excess is spread: "5 of
// 14 CARCs, none above 30 %", "all 4 locations, none above 40 %". Only what
// readers ask for first is told; nothing of a dimension with one value.
func spreadOver(dimension upstream.Dimension, parts []part) []string {
	words := map[upstream.Dimension]string{
		upstream.ByCARC: "CARCs", upstream.ByLocation: "locations", upstream.ByGroup: "procedure groups",
	}[dimension]
	all, risen, top := 0, 0, 0.0
	for _, p := range parts {
		if p.name == "" {
			continue
		}
		all++
		if p.share > 0 {
			risen++
			top = max(top, p.share)
		}
	}
	if words == "" || all < 2 || risen == 0 {
		return nil
	}
	phrase := fmt.Sprintf("%d of %d %s", risen, all, words)
	switch {
	case risen == all && all == 2:
		phrase = "both " + words
	case risen == all:
		phrase = fmt.Sprintf("all %d %s", all, words)
	}
	if ceiling := 10 * math.Ceil(10*top); ceiling < 100 {
		phrase += fmt.Sprintf(", none above %.0f %%", ceiling)
	}
	return []string{phrase}
}

// Cause says in words what explains an event that Explain has filled, as part of
// a sentence about it: "CARC 197 at South Clinic explains 81 % of it", "spread
// over all 4 locations, none above 40 %"; "" where nothing is known.
func Cause(e *upstream.DriftEvent) string {
	var causes []upstream.RootCause
	var code *upstream.RootCause // new, and minor
	for i, c := range e.RootCauses {
		switch {
		case !c.Minor:
			causes = append(causes, c)
		case c.New && code == nil:
			code = &e.RootCauses[i]
		}
	}
	switch {
	case len(causes) > 0 && e.JointShare > mostOfExcess:
		return fmt.Sprintf("%s explains %s of it", together(causes), wholePercent(e.JointShare))
	case len(causes) > 0: // each on denials of its own
		var each []string
		for _, c := range causes {
			each = append(each, fmt.Sprintf("%s explains %s of it", alone(c), wholePercent(c.ShareOfExcess)))
		}
		return strings.Join(each, ", ")
	case code != nil:
		return fmt.Sprintf("%s explains %s of it", alone(*code), wholePercent(code.ShareOfExcess))
	case e.Spread != "":
		return "spread over " + e.Spread
	}
	return ""
}

func wholePercent(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }

// phrases are how values are told, alone and after another, in the order in
// which they are joined: "CARC 197 with RARC N54 on CPT 97110 at South Clinic".
var phrases = [...]struct {
	dimension    upstream.Dimension
	noun, linked string
}{
	{upstream.ByCARC, "CARC ", "with CARC "},
	{upstream.ByRARC, "RARC ", "with RARC "},
	{upstream.ByCPT, "CPT ", "on CPT "},
	{upstream.ByModifiers, "modifier ", "with modifier "},
	{upstream.ByGroup, "", "in "},
	{upstream.ByLocation, "", "at "},
	{upstream.ByPlace, "place of service ", "in place of service "},
}

func together(causes []upstream.RootCause) string {
	var out []string
	for _, p := range phrases {
		for _, c := range causes {
			switch {
			case c.Dimension != p.dimension.String():
			case len(out) == 0:
				out = append(out, alone(c))
			default:
				out = append(out, p.linked+c.Value)
			}
		}
	}
	return strings.Join(out, " ")
}

func alone(c upstream.RootCause) string {
	mark := ""
	if c.New {
		mark = " (new)"
	}
	for _, p := range phrases {
		if c.Dimension == p.dimension.String() {
			return p.noun + c.Value + mark
		}
	}
	return c.Value + mark
}
