package synth

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upstream"
)

func TestTruthReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyOptions(t)
		for k := range o.Drifts {
			o.Drifts[k].ID = rapid.StringMatching(`[a-zA-Z0-9<&é -]{0,12}`).Draw(t, "id")
		}
		var file bytes.Buffer
		if err := WriteTruth(&file, o.Drifts); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(file.Bytes(), []byte("\n")); n != len(o.Drifts) {
			t.Fatalf("%d lines for %d drifts", n, len(o.Drifts))
		}
		got, err := ReadDrifts(&file)
		if err != nil {
			t.Fatal(err)
		}
		if len(got)+len(o.Drifts) > 0 && !cmp.Equal(got, o.Drifts) {
			t.Fatal(cmp.Diff(o.Drifts, got))
		}
	})
}

func TestReadDriftsSaysWhatIsWrongAndWhere(t *testing.T) {
	const good = `{"drift_type":"DENIAL_RATE","payer":"Aetna","start":"2026-03-04","delta":0.1}`
	for _, tc := range []struct {
		name, in string
		want     []string // nil: no error
	}{
		{"nothing", "", nil},
		{"empty lines and a byte order mark", "\ufeff\n\n" + good + "\r\n\n", nil},
		{"a byte order mark before a drift", "\ufeff" + good, nil},
		{"no JSON", good + "\nhello\n", []string{"line 2: not a JSON object"}},
		{"an array", "[" + good + "]", []string{"line 1: not a JSON object"}},
		{"two objects in a line", good + good, []string{"line 1: more than one"}},
		{"an unknown field", `{"payr":"Aetna"}`, []string{"line 1", "payr"}},
		{"no fields", "{}", []string{"line 1: drift_type", "line 1: payer is missing", "line 1: start is missing"}},
		{"a takeback wave", strings.Replace(good, "DENIAL_RATE", "TAKEBACK", 1), nil},
		{"a takeback that is no wave", strings.Replace(strings.Replace(good, "DENIAL_RATE", "TAKEBACK", 1), "}", `,"shape":"step"}`, 1), []string{"line 1: the shape of TAKEBACK"}},
		{"payments given back", strings.Replace(strings.Replace(good, "DENIAL_RATE", "TAKEBACK", 1), "0.1", "-0.1", 1), []string{"line 1: delta of TAKEBACK must be 0 to 0.9"}},
		{"no more overturns", strings.Replace(strings.Replace(good, "DENIAL_RATE", "OVERTURN", 1), "0.1", "0", 1), nil},
		{"as many overturns", strings.Replace(strings.Replace(good, "DENIAL_RATE", "OVERTURN", 1), "0.1", "1", 1), []string{"line 1: delta changes nothing"}},
		{"an unknown signal", strings.Replace(good, "DENIAL_RATE", "DENIALS", 1), []string{"line 1: drift_type must be"}},
		{"only an unknown decision", strings.Replace(good, "}", `,"only":"denied"}`, 1), []string{"line 1: only must be paid"}},
		{"only payments of another signal", strings.Replace(good, "}", `,"only":"paid"}`, 1), []string{"line 1: only goes with a DECISION_TIME"}},
		{"only payments, faster", `{"drift_type":"DECISION_TIME","payer":"Aetna","start":"2026-03-04","delta":0.5,"only":"paid"}`, []string{"line 1: only goes with a DECISION_TIME"}},
		{"no effect", strings.Replace(good, "0.1", "0", 1), []string{"line 1: delta changes nothing"}},
		{"too large an effect", strings.Replace(good, "0.1", "10", 1), []string{"line 1: delta of DENIAL_RATE must be -0.9 to 0.9"}},
		{"a bad date", strings.Replace(good, "2026-03-04", "4 March", 1), []string{"line 1", "is not a date"}},
		{"each bad line", "\n{}\n" + good + "\nx", []string{"line 2", "line 4"}},
		{"a CARC of no denial", strings.Replace(good, "}", `,"carc":"45"}`, 1), []string{"line 1: carc must be one code of the denial class"}},
		{"a CARC for fewer denials", strings.Replace(strings.Replace(good, "}", `,"carc":"197"}`, 1), "0.1", "-0.1", 1), []string{"line 1: carc goes only with"}},
		{"a long line", good + "\n" + strings.Repeat(" ", MaxLine+1), []string{"line 2: longer than"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := ReadDrifts(strings.NewReader(tc.in))
			if tc.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if upstream.ErrorCode(err) != upstream.Invalid {
				t.Fatalf("error %v, want code invalid", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q: %v", want, err)
				}
			}
		})
	}
	t.Run("many bad lines", func(t *testing.T) {
		_, err := ReadDrifts(strings.NewReader(strings.Repeat("x\n", 500)))
		if err == nil || strings.Count(err.Error(), "line ") != 20 || !strings.Contains(err.Error(), "more") {
			t.Errorf("error %v, want twenty lines and a word of more", err)
		}
	})
	t.Run("a reader that fails", func(t *testing.T) {
		cause := errors.New("gone")
		_, err := ReadDrifts(iotest.ErrReader(cause))
		if upstream.ErrorCode(err) != upstream.Unavailable || !errors.Is(err, cause) {
			t.Errorf("error %v, want unavailable and its cause", err)
		}
	})
}

func TestWriteTruthReportsAFullDisk(t *testing.T) {
	if err := WriteTruth(&failAfter{10}, []Drift{market}); !errors.Is(err, errFull) {
		t.Errorf("error %v, want the disk's", err)
	}
}

func FuzzReadDrifts(f *testing.F) {
	var file bytes.Buffer
	if err := WriteTruth(&file, []Drift{officeDenials, oneCARC, slowDown, feeCut, ramp, spike, market, payLater, takebacks, fewerOverturn, newCARC}); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add([]byte("\ufeff{}\n\n[1]\n{\"end\":null,\"delta\":1e400}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		drifts, err := ReadDrifts(bytes.NewReader(in))
		if err != nil {
			if c := upstream.ErrorCode(err); c != upstream.Invalid {
				t.Fatalf("code %s: %v", c, err)
			}
			return
		}
		var out bytes.Buffer
		if err := WriteTruth(&out, drifts); err != nil {
			t.Fatal(err)
		}
		again, err := ReadDrifts(&out)
		if err != nil || !cmp.Equal(drifts, again) {
			t.Fatalf("error %v, %s", err, cmp.Diff(drifts, again))
		}
		for _, d := range drifts {
			_ = d.Describe()
		}
		// Whatever can be read can be judged.
		o := withDrifts(10).withDefaults()
		for _, d := range drifts {
			_ = d.withDefaults().problemsIn(o)
		}
	})
}
