package load

import (
	"math"
	"strconv"
)

// ms writes milliseconds for a person: 0.42, 12.3, 1234.
func ms(x float64) string {
	switch {
	case x == 0:
		return "0"
	case x < 10:
		return strconv.FormatFloat(x, 'f', 2, 64)
	case x < 100:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
}

// plain writes a number with up to so many decimals, and no more than it has.
func plain(x float64, decimals int) string {
	scale := math.Pow10(decimals)
	return strconv.FormatFloat(math.Round(x*scale)/scale, 'f', -1, 64)
}

// figure writes what a verdict is about, with its unit.
func figure(what string, x float64) string {
	switch what {
	case rps:
		return plain(x, 1) + "/s"
	case failures:
		return plain(100*x, 2) + " %"
	}
	return ms(x) + " ms"
}
