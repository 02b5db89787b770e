package synth

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"upstream"
)

// MaxLine bounds one line of NDJSON, in bytes; maxProblems the problems that an
// error names.
const (
	MaxLine     = 1 << 20
	maxProblems = 20
)

// ReadLines reads NDJSON, one JSON object a line; empty lines are skipped. parse
// returns what a line holds and what is wrong with it. item and file name one
// object and all of them in the error, which has code Invalid and names every bad
// line, up to twenty.
func ReadLines[T any](r io.Reader, item, file string, parse func(text []byte) (T, []string)) ([]T, error) {
	var values []T
	var problems []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, MaxLine)
	number := 0
	for len(problems) < maxProblems && lines.Scan() {
		number++
		text := bytes.TrimSpace(lines.Bytes())
		if number == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		if len(text) == 0 {
			continue
		}
		v, wrong := parse(text)
		for _, what := range wrong {
			problems = append(problems, fmt.Sprintf("line %d: %s", number, what))
		}
		values = append(values, v)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		problems = append(problems, fmt.Sprintf("line %d: longer than %d bytes; write one %s a line", number+1, MaxLine, item))
	case err != nil:
		return nil, upstream.Errorf(upstream.Unavailable, "can't read %s: %w", file, err)
	}
	if len(problems) >= maxProblems {
		problems = append(problems[:maxProblems], "and perhaps more")
	}
	if len(problems) > 0 {
		return nil, upstream.Errorf(upstream.Invalid, "can't use %s: %s", file, strings.Join(problems, "; "))
	}
	return values, nil
}
