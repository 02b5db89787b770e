package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"upstream/internal/synth"

	"upstream"
)

const goodLine = `{"customer":1,"as_of":"2025-01-05","drift_type":"DENIAL_RATE","payer":"aetna","cpt_group":"X-ray"}`

func TestToldRoundTrips(t *testing.T) {
	told := []Told{alarm(noon), alarm(noon + 7), alarm(noon, func(a *Told) { a.Customer = 2 })}
	low, high := upstream.Money(1), upstream.Money(2)
	told[0].DollarsLow, told[0].DollarsHigh = &low, &high
	told[0].RootCauses = []upstream.RootCause{{Dimension: "carc", Value: "197"}}
	var file bytes.Buffer
	if err := WriteLines(&file, told); err != nil {
		t.Fatal(err)
	}
	got, err := ReadTold(&file, 2)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, told) {
		t.Errorf("read %+v\nwrote %+v", got, told)
	}
}

func TestWhatIsLeftOutIsFilledIn(t *testing.T) {
	for line, want := range map[string]Told{
		goodLine: {Customer: 1, Detector: OutsideName, DriftEvent: upstream.DriftEvent{Payer: new("Aetna"), CPTGroup: new("X-ray"), Level: upstream.GroupLevel}},
		`{"customer":3,"as_of":"2025-01-05","drift_type":"DENIAL_RATE","detector":"mine","payer":"BCBS"}`: {
			Customer: 3, Detector: "mine", DriftEvent: upstream.DriftEvent{Payer: new("Blue Cross Blue Shield"), Level: upstream.PayerLevel},
		},
		`{"customer":3,"as_of":"2025-01-05","drift_type":"DENIAL_RATE","payer":"*","cpt_group":"","more":1}`: {
			Customer: 3, Detector: OutsideName, DriftEvent: upstream.DriftEvent{Level: upstream.MarketLevel},
		},
	} {
		want.AsOf, want.Signal, want.Tier = upstream.MakeDay(2025, 1, 5), upstream.DenialRate, upstream.Alert
		got, err := ReadTold(strings.NewReader("\ufeff"+line+"\r\n\n"), 3)
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%s:\n%+v, %v", line, got, err)
		}
	}
}

func TestBadLinesAreNamed(t *testing.T) {
	line := func(old, with string) string { return strings.Replace(goodLine, old, with, 1) }
	for name, test := range map[string]struct {
		file string
		says []string
	}{
		"no JSON":          {goodLine + "\nnonsense", []string{"line 2: not a JSON object"}},
		"a list":           {"[]", []string{"line 1: not a JSON object"}},
		"two objects":      {goodLine + goodLine, []string{"line 1: more than one JSON object"}},
		"no customer":      {line(`"customer":1,`, ""), []string{"line 1: customer must be 1 to 9"}},
		"another customer": {line(`:1,`, ":10,"), []string{"customer must be 1 to 9"}},
		"a text for one":   {line(`:1,`, `:"1",`), []string{"customer is a string"}},
		"no date":          {line(`"as_of":"2025-01-05",`, ""), []string{"as_of must be a monitored day, 2024-09-30 to 2025-09-28"}},
		"too early":        {line("2025-01-05", "2024-09-29"), []string{"as_of must be a monitored day"}},
		"no such day":      {line("2025-01-05", "2025-02-30"), []string{"not a date"}},
		"no signal":        {line("DENIAL_RATE", "DENIALS"), []string{"drift_type must be DENIAL_RATE, DECISION_TIME"}},
		"no payer of ours": {line("aetna", "Acme"), []string{"payer is none of those in the claims: ", "Aetna"}},
		"no group of ours": {line("X-ray", "Xray"), []string{"cpt_group is none of those in the claims: ", "X-ray"}},
		"no tier":          {line(`{`, `{"tier":"page",`), []string{"tier must be alert, watch"}},
		"no level":         {line(`{`, `{"level":"site",`), []string{"level must be group, payer, market"}},
		"no direction":     {line(`{`, `{"direction":"up",`), []string{"direction must be worse, better"}},
		"a crossed interval": {line(`{`, `{"dollars_low_cents":2,"dollars_high_cents":1,`), []string{
			"dollars_low_cents is more than dollars_high_cents",
		}},
		"two lines":    {"x\n" + goodLine + "\n\ny", []string{"line 1: ", "line 4: "}},
		"a long line":  {goodLine + "\n" + strings.Repeat(" ", synth.MaxLine+1), []string{"line 2: longer than 1048576 bytes"}},
		"a whole book": {strings.Repeat("x\n", 50), []string{"line 20: ", "and perhaps more"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadTold(strings.NewReader(test.file), 9)
			if upstream.ErrorCode(err) != upstream.Invalid {
				t.Fatalf("error %v", err)
			}
			for _, s := range test.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q is not in %q", s, err)
				}
			}
			if strings.Contains(err.Error(), "line 21") {
				t.Errorf("too much is told: %v", err)
			}
		})
	}
}

func TestTruthIsOneObjectALine(t *testing.T) {
	var file bytes.Buffer
	truths := []Truth{change(), change(func(t *Truth) { t.CPTGroup = nil })}
	if err := WriteLines(&file, truths); err != nil {
		t.Fatal(err)
	}
	var back []Truth
	for line := range strings.Lines(file.String()) {
		var truth Truth
		if err := json.Unmarshal([]byte(line), &truth); err != nil {
			t.Fatal(err)
		}
		back = append(back, truth)
	}
	if !reflect.DeepEqual(back, truths) {
		t.Errorf("wrote %+v, read %+v", truths, back)
	}
}

func FuzzReadTold(f *testing.F) {
	f.Add([]byte(goodLine))
	f.Add([]byte(goodLine + "\n" + goodLine))
	f.Add([]byte("\ufeff\n{}"))
	f.Add([]byte(`{"customer":1,"as_of":null,"root_causes":[{}],"payer":null}`))
	f.Add([]byte(`{"customer":1e9}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		told, err := ReadTold(bytes.NewReader(file), 9)
		if err != nil {
			if upstream.ErrorCode(err) != upstream.Invalid {
				t.Errorf("error %v", err)
			}
			return
		}
		// What is taken can be scored, and written for the same again.
		score([]Truth{change()}, nil, told)
		var again bytes.Buffer
		if err := WriteLines(&again, told); err != nil {
			t.Fatal(err)
		}
		back, err := ReadTold(&again, 9)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := fmt.Sprintf("%+v", jsonOf(t, told)), fmt.Sprintf("%+v", jsonOf(t, back)); a != b {
			t.Errorf("%s\nread back as\n%s", a, b)
		}
	})
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
