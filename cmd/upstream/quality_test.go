package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestQualityThatCannotBeMeasuredSaysWhy(t *testing.T) {
	w := inSQLite(t)
	bad := w.file("bad.ndjson", "{\"customer\":1}\nnonsense\n")
	for _, test := range []struct {
		name string
		code int
		args []string
		says []string
	}{
		{"neither", exitUsage, nil, []string{"missing flags: --customer=ID, or --quality"}},
		{"both", exitUsage, []string{"--quality", "--customer", "1"}, []string{"leave them out with --quality"}},
		{"a profile of it", exitUsage, []string{"--quality", "--cpuprofile", "x"}, []string{"leave them out with --quality"}},
		{"its options without it", exitUsage, []string{"--customer", "1", "--quick"}, []string{"go with --quality"}},
		{"too many", exitFailed, []string{"--quality", "--customers", "2001"}, []string{"--customers must be 1 to 2000"}},
		{"no output of a detector", exitFailed, []string{"--quality", "--detector-output", filepath.Join(w.dir, "none")}, []string{"can't read the detector's output"}},
		{"a bad output", exitFailed, []string{"--quality", "--detector-output", bad}, []string{"line 1: as_of must be", "line 2: not a JSON object"}},
		{"an unwritable file", exitFailed, []string{"--quality", "--truth", filepath.Join(w.dir, "no", "x")}, []string{"can't write"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := w.run(append([]string{"benchmark-drift"}, test.args...)...)
			if r.code != test.code {
				t.Errorf("exit code %d, want %d", r.code, test.code)
			}
			contains(t, r.stderr, test.says...)
			if strings.Contains(r.stdout, "false alarms per") {
				t.Errorf("measured all the same:\n%s", r.stdout)
			}
		})
	}
}
