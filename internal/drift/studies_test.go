package drift

import (
	"fmt"
	"os"
	"strconv"
)

// simulations are the random streams of one cell of a study: n of them, or as
// many as UPSTREAM_SIMULATIONS says; UPSTREAM_SEED picks others.
func simulations(n int) func(yield func(stream uint64) bool) {
	if v, err := strconv.Atoi(os.Getenv("UPSTREAM_SIMULATIONS")); err == nil && v > 0 {
		n = v
	}
	seed, _ := strconv.ParseUint(os.Getenv("UPSTREAM_SEED"), 10, 32)
	return func(yield func(uint64) bool) {
		for r := range uint64(n) {
			if !yield(seed<<32 + r) {
				return
			}
		}
	}
}

// label names a cell of a study.
func label(volume, points float64) string {
	return fmt.Sprintf("%g claims a week +%g points", volume, 100*points)
}
