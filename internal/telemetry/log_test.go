package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOnlyASaneRequestIDIsTakenOver(t *testing.T) {
	made := regexp.MustCompile(`^[0-9a-f]{32}$`)
	for _, id := range []string{"a", "A-Z_0.9", "0af7651916cd43dd8448eb211c80319c", strings.Repeat("x", 64)} {
		if got := RequestIDOf(http.Header{RequestIDHeader: {id}}); got != id {
			t.Errorf("%q became %q", id, got)
		}
	}
	seen := map[string]bool{}
	for _, id := range []string{"", " ", "a b", "a\nb", "é", "<script>", "a/b", `"`, "a\x00", strings.Repeat("x", 65)} {
		got := RequestIDOf(http.Header{RequestIDHeader: {id}})
		if !made.MatchString(got) || seen[got] {
			t.Errorf("%q became %q", id, got)
		}
		seen[got] = true
	}
}

func FuzzRequestIDOf(f *testing.F) {
	for _, id := range []string{"", "a", "a\nb", "0af7651916cd43dd8448eb211c80319c", "é"} {
		f.Add(id)
	}
	sane := regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}\z`)
	f.Fuzz(func(t *testing.T, id string) {
		got := RequestIDOf(http.Header{RequestIDHeader: {id}})
		if !sane.MatchString(got) || sane.MatchString(id) && got != id {
			t.Errorf("%q became %q", id, got)
		}
	})
}

// line reads the only line of a JSON log, without its time.
func line(t *testing.T, b *bytes.Buffer) (out map[string]any) {
	t.Helper()
	if b.Len() == 0 {
		return nil
	}
	if err := json.Unmarshal(b.Bytes(), &out); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	delete(out, "time")
	return out
}

func TestTheLogIsForMachinesUnlessAPersonReadsIt(t *testing.T) {
	var b bytes.Buffer
	NewLogger(&b, false, slog.LevelInfo).With("job", "ingest").Info("done", "rows", 3)
	want := map[string]any{"level": "INFO", "msg": "done", "job": "ingest", "rows": 3.0}
	if diff := cmp.Diff(want, line(t, &b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.Reset()
	NewLogger(&b, true, slog.LevelInfo).Info("done", "rows", 3)
	if !strings.Contains(b.String(), "msg=done rows=3\n") {
		t.Errorf("on a terminal: %s", &b)
	}
}

func TestOnlySlowAndFailedRequestsAreWorthALine(t *testing.T) {
	for _, test := range []struct {
		name  string
		level slog.Level
		code  int
		took  time.Duration
		want  string
	}{
		{"fast", slog.LevelInfo, 200, time.Millisecond, ""},
		{"fast, debugging", slog.LevelDebug, 200, time.Millisecond, "DEBUG"},
		{"at a second", slog.LevelInfo, 200, time.Second, ""},
		{"slow", slog.LevelInfo, 200, time.Second + 1, "WARN"},
		{"the client's fault", slog.LevelInfo, 404, time.Millisecond, ""},
		{"ours", slog.LevelInfo, 500, time.Millisecond, "WARN"},
		{"unavailable", slog.LevelInfo, 503, time.Millisecond, "WARN"},
		{"ours, errors only", slog.LevelError, 500, time.Millisecond, ""},
	} {
		var b bytes.Buffer
		LogRequest(context.Background(), NewLogger(&b, false, test.level), "r1", http.MethodGet, "/api/v1/claims/{id}/", test.code, test.took, 12)
		got := line(t, &b)
		if test.want == "" {
			if got != nil {
				t.Errorf("%s: %v", test.name, got)
			}
			continue
		}
		want := map[string]any{
			"level": test.want, "msg": "request", "method": "GET", "route": "/api/v1/claims/{id}/", "code": float64(test.code),
			"ms": float64(test.took.Microseconds()) / 1e3, "bytes": 12.0, "request_id": "r1",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
