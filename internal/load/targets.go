package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Target is what is asked of one endpoint in the steady window.
type Target struct {
	Method, Name           string
	MinRPS                 float64  // requests a second; 0 for no target
	MaxP50, MaxP95, MaxP99 float64  // response times in milliseconds; 0 for no target
	MaxFailureShare        *float64 // from 0 to 1; nil for no target
}

// GuideTargets returns the table of the performance guide.
func GuideTargets() []Target {
	return []Target{
		{Method: "GET", Name: api + "health/", MinRPS: 1000, MaxP95: 50},
		{Method: "GET", Name: api + "dashboard/", MinRPS: 500, MaxP95: 200},
		{Method: "GET", Name: api + "drift-events/", MinRPS: 300, MaxP95: 500},
		{Method: "GET", Name: api + "claims/", MinRPS: 200, MaxP95: 1000},
	}
}

// maxTargets is the size of a file of targets, in bytes, beyond which it is none.
const maxTargets = 1 << 20

// ReadTargets reads a list of targets in JSON, each with method, name and at least one
// limit:
//
//	[{"method": "GET", "name": "/api/v1/health/", "min_rps": 1000, "max_p95_ms": 50}]
//
// Limits are min_rps, max_p50_ms, max_p95_ms, max_p99_ms and max_failure_share, from 0
// to 1. Known are the endpoints there can be, as Requests returns them; without any,
// all may be. An error tells the line.
func ReadTargets(r io.Reader, known []string) ([]Target, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxTargets+1))
	if err != nil {
		return nil, fmt.Errorf("targets can't be read: %w", err)
	}
	if len(text) > maxTargets {
		return nil, fmt.Errorf("a file of targets has at most %d bytes", maxTargets)
	}
	f := &targetsFile{text: text, dec: json.NewDecoder(bytes.NewReader(text)), known: known}
	f.dec.UseNumber()
	targets, err := f.list()
	if err := errors.Join(append(f.wrong, err)...); err != nil {
		return nil, err
	}
	return targets, nil
}

// targetsFile reads by tokens: a decoder into structs would tell no line, and takes
// the last of two fields of one name without a word.
type targetsFile struct {
	text  []byte
	dec   *json.Decoder
	known []string
	wrong []error // what is wrong with targets; reading went on
}

func (f *targetsFile) list() (targets []Target, err error) {
	const shape = `a file of targets is a list like [{"method": "GET", "name": "/api/v1/health/", "min_rps": 1000, "max_p95_ms": 50}]`
	token, err := f.dec.Token()
	if err != nil || token != json.Delim('[') {
		return nil, f.at(shape)
	}
	var lines []int
	for f.dec.More() {
		target, line, err := f.target()
		if err != nil {
			return nil, err
		}
		f.check(&target, line, targets, lines)
		targets, lines = append(targets, target), append(lines, line)
	}
	if _, err := f.dec.Token(); err != nil {
		return nil, f.syntax(err)
	}
	if _, err := f.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, f.at("nothing may follow the list")
	}
	if len(targets) == 0 {
		return nil, f.at("no target: " + shape)
	}
	return targets, nil
}

// target reads one, and tells the line it begins on.
func (f *targetsFile) target() (t Target, line int, err error) {
	token, err := f.dec.Token()
	if err != nil {
		return t, 0, f.syntax(err)
	}
	if line = f.line(); token != json.Delim('{') {
		return t, 0, f.at(fmt.Sprintf("%s instead of a target, which begins with {", show(token)))
	}
	var seen []string
	for f.dec.More() {
		key, err := f.dec.Token()
		if err != nil {
			return t, 0, f.syntax(err)
		}
		value, err := f.dec.Token()
		if err != nil {
			return t, 0, f.syntax(err)
		}
		name, _ := key.(string) // a decoder has strings only for keys
		if _, nested := value.(json.Delim); nested {
			return t, 0, f.at(name + " is a text or a number")
		}
		if slices.Contains(seen, name) {
			f.wrong = append(f.wrong, f.at(name+" is there twice in one target"))
		}
		seen = append(seen, name)
		if problem := t.set(name, value); problem != "" {
			f.wrong = append(f.wrong, f.at(problem))
		}
	}
	if _, err := f.dec.Token(); err != nil {
		return t, 0, f.syntax(err)
	}
	return t, line, nil
}

// set takes over a field; "" or what is wrong with it.
func (t *Target) set(name string, value json.Token) string {
	limits := map[string]*float64{"min_rps": &t.MinRPS, "max_p50_ms": &t.MaxP50, "max_p95_ms": &t.MaxP95, "max_p99_ms": &t.MaxP99}
	switch name {
	case "method", "name":
		text, ok := value.(string)
		if !ok || text == "" {
			return fmt.Sprintf("%s is %s: give a text", name, show(value))
		}
		if name == "method" {
			t.Method = text
		} else {
			t.Name = text
		}
	case "max_failure_share":
		share, ok := positive(value)
		if !ok || share > 1 {
			return fmt.Sprintf("max_failure_share is %s: give a number from 0 to 1", show(value))
		}
		t.MaxFailureShare = &share
	default:
		limit, ok := limits[name]
		if !ok {
			return fmt.Sprintf("there is no %q: a target has method, name, min_rps, max_p50_ms, max_p95_ms, max_p99_ms and max_failure_share", name)
		}
		if *limit, ok = positive(value); !ok || *limit == 0 {
			return fmt.Sprintf("%s is %s: give a number above 0 and at most 1e9, or leave it out", name, show(value))
		}
	}
	return ""
}

// maxLimit is far beyond any rate and time there is.
const maxLimit = 1e9

func positive(value json.Token) (float64, bool) {
	number, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	x, err := number.Float64()
	return x, err == nil && x >= 0 && x <= maxLimit
}

func show(value json.Token) string {
	switch value := value.(type) {
	case string:
		return strconv.Quote(value)
	case nil:
		return "null"
	}
	return fmt.Sprint(value)
}

// check tells what is wrong with a target as a whole, beside those before it.
func (f *targetsFile) check(t *Target, line int, before []Target, lines []int) {
	add := func(format string, args ...any) {
		f.wrong = append(f.wrong, fmt.Errorf("targets, line %d: %s", line, fmt.Sprintf(format, args...)))
	}
	if t.Method == "" || t.Name == "" {
		add(`a target needs method and name, like "GET" and "/api/v1/health/"`)
		return
	}
	endpoint := t.Method + " " + t.Name
	if len(t.limits()) == 0 {
		add("%s has no limit: give min_rps, max_p50_ms, max_p95_ms, max_p99_ms or max_failure_share", endpoint)
	}
	for i := range before {
		if before[i].Method == t.Method && before[i].Name == t.Name {
			add("%s has targets on line %d already: put them together", endpoint, lines[i])
			break
		}
	}
	if len(f.known) > 0 && !slices.Contains(f.known, endpoint) {
		add("no user class asks %s; they ask %s", endpoint, strings.Join(f.known, ", "))
	}
}

func (f *targetsFile) line() int {
	return 1 + bytes.Count(f.text[:f.dec.InputOffset()], []byte{'\n'})
}

func (f *targetsFile) at(what string) error {
	return fmt.Errorf("targets, line %d: %s", f.line(), what)
}

func (f *targetsFile) syntax(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("targets, line %d: the file ends too early; is a bracket missing?", 1+bytes.Count(f.text, []byte{'\n'}))
	}
	return f.at("this is not JSON: " + err.Error())
}
