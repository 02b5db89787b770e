package upstream_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed tells what each package may import of this module and of others,
// beside the standard library. A package that is not listed fails the test.
var allowed = map[string][]string{
	"upstream":                    {},
	"upstream/internal/ingest":    {"upstream"},
	"upstream/internal/synth":     {"upstream"},
	"upstream/internal/drift":     {"upstream"},
	"upstream/internal/auth":      {"upstream", "github.com/golang-jwt/jwt/v5", "golang.org/x/crypto/argon2"},
	"upstream/internal/limit":     {"upstream", "github.com/redis/go-redis/v9"},
	"upstream/internal/telemetry": {"upstream", "github.com/prometheus/client_golang"},
	"upstream/internal/store":     {"upstream", "zombiezen.com/go/sqlite", "modernc.org/libc", "github.com/jackc/pgx/v5"},
	"upstream/internal/detection": {"upstream", "upstream/internal/drift", "upstream/internal/store"},
	"upstream/internal/jobs": {
		"upstream", "upstream/internal/detection", "upstream/internal/ingest", "upstream/internal/store",
		"github.com/riverqueue/river", "modernc.org/sqlite", "github.com/jackc/pgx/v5",
	},
	"upstream/internal/api": {
		"upstream", "upstream/internal/auth", "upstream/internal/jobs", "upstream/internal/limit", "upstream/internal/store", "upstream/internal/telemetry",
		"upstream/internal/detection", "github.com/danielgtaylor/huma/v2", "github.com/klauspost/compress", "golang.org/x/sync/singleflight",
	},
	"upstream/internal/bench": {"upstream", "upstream/internal/drift", "upstream/internal/synth", "upstream/internal/store"},
	"upstream/internal/load": {
		"github.com/HdrHistogram/hdrhistogram-go", "github.com/valyala/fasthttp", "github.com/vmihailenco/msgpack/v5", "github.com/prometheus/client_golang",
	},
	"upstream/internal/pgtest":    {"github.com/jackc/pgx/v5", "go.uber.org/goleak"},
	"upstream/internal/redistest": {"upstream/internal/pgtest"},
	"upstream/cmd/upstream":       {"upstream", "upstream/internal/", "github.com/alecthomas/kong", "github.com/mattn/go-isatty", "golang.org/x/sys/unix"},
	"upstream/e2e":                {},
}

func TestWhoMayImportWhom(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; seen++ {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		rules, listed := allowed[p.ImportPath]
		if !listed {
			t.Errorf("%s is not in the list of who may import whom: add it, by the architecture", p.ImportPath)
		}
		for _, path := range p.Imports {
			if !mayImport(rules, path) {
				t.Errorf("%s imports %s", p.ImportPath, path)
			}
		}
	}
	if seen != len(allowed) {
		t.Errorf("%d packages, %d in the list", seen, len(allowed))
	}
}

func mayImport(rules []string, path string) bool {
	first, _, _ := strings.Cut(path, "/")
	if first != "upstream" && !strings.Contains(first, ".") { // the standard library
		return true
	}
	return slices.ContainsFunc(rules, func(rule string) bool {
		return path == rule || strings.HasPrefix(path, rule) && (strings.HasSuffix(rule, "/") || rule != "upstream" && path[len(rule)] == '/')
	})
}

func TestMayImportTellsThemApart(t *testing.T) {
	rules := []string{"upstream", "upstream/internal/drift", "zombiezen.com/go/sqlite"}
	for path, want := range map[string]bool{
		"encoding/json": true, "upstream": true, "upstream/internal/drift": true, "zombiezen.com/go/sqlite/sqlitex": true,
		"upstream/internal/store": false, "upstream/internal/drifter": false, "github.com/x/y": false,
	} {
		if got := mayImport(rules, path); got != want {
			t.Errorf("%s: %t, want %t", path, got, want)
		}
	}
	if mayImport(nil, "upstream/cmd/upstream") || mayImport(nil, "upstream") {
		t.Error("an empty list allows something of ours")
	}
}
