package e2e

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// file writes a test file.
func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// noise makes bytes of no meaning, the same each time.
func noise(n int) []byte {
	random, b := rand.New(rand.NewPCG(3, 3)), make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

const header = "claim_id,payer,cpt,date_of_service,date submitted,date decided,claim status,billed,allowed,paid\n"

const goodRow = "A1,Aetna,99213,2026-04-01,2026-04-02,2026-04-10,PAID,100,80,64\n"

// Every mistake ends with one line that says what to do, and a non-zero code.
func TestMistakesGetOneLineThatHelps(t *testing.T) {
	url := engines[0].URL(t)
	must(t, url, "customer", "create", "A")
	must(t, url, "customer", "create", "Empty")
	must(t, url, "ingest", "--customer", "1", file(t, "good.csv", []byte(header+goodRow)))
	sparse := filepath.Join(t.TempDir(), "zeros.csv")
	f, err := os.Create(sparse)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(2 << 30); err != nil {
		t.Fatal(err)
	}
	f.Close()
	text := file(t, "text.db", bytes.Repeat([]byte("text "), 1000))
	ingest := func(path string) []string { return []string{"ingest", "--customer", "1", path} }
	tests := []struct {
		name string
		url  string
		args []string
		says []string
	}{
		{"no such customer", url, []string{"detect-drift", "--customer", "9"}, []string{"no customer 9", "upstream customer create"}},
		{"generate for no customer", url, []string{"generate-synthetic-data", "--customer", "9"}, []string{"upstream customer create"}},
		{"generate without customer", url, []string{"generate-synthetic-data"}, []string{"--customer"}},
		{"no such file", url, ingest("none.csv"), []string{"no file none.csv"}},
		{"a directory", url, ingest(t.TempDir()), []string{"no regular file"}},
		{"wrong URL", "mysql://x", []string{"migrate"}, []string{"sqlite:FILE", "--database"}},
		{"no such directory", "sqlite:/nonexistent/dir/x.db", []string{"migrate"}, []string{"directory", "does not exist"}},
		{"not a database", "sqlite:" + text, []string{"migrate"}, []string{"not an Upstream database"}},
		{"no PostgreSQL there", "postgres://a:secret@127.0.0.1:1/x", []string{"migrate"}, []string{"can't reach PostgreSQL"}},
		{"empty file", url, ingest(file(t, "e.csv", nil)), []string{"empty"}},
		{"a workbook", url, ingest(file(t, "x.csv", []byte("PK\x03\x04xl/workbook.xml"))), []string{"XLSX workbook", "save it as CSV"}},
		{"a ZIP archive", url, ingest(file(t, "z.csv", []byte("PK\x03\x04\x14\x00claims.csv"))), []string{"ZIP archive", "unpack it"}},
		{"a program", url, ingest(binary), []string{"binary file", "export the claims as CSV"}},
		{"noise", url, ingest(file(t, "n.csv", noise(50_000))), []string{"n.csv"}},
		{"a PDF", url, ingest(file(t, "p.csv", []byte("%PDF-1.7\n..."))), []string{"PDF"}},
		{"compressed", url, ingest(file(t, "g.csv", []byte("\x1f\x8b\x08\x00\x00"))), []string{"gzip"}},
		{"no known header", url, ingest(file(t, "h.csv", []byte("a,b,c\n1,2,3\n"))), []string{"payer"}},
		{"2 GB of zeros", url, ingest(sparse), []string{"zeros.csv"}},
		{"header only", url, ingest(file(t, "o.csv", []byte(header))), []string{"no usable row"}},
		{"only bad rows", url, ingest(file(t, "b.csv", []byte(header+"A1,,99213,x,y,z,MAYBE,1,1,1\n"))), []string{"no usable row"}},
		{"records 0", url, []string{"generate-synthetic-data", "--customer", "1", "--records", "0"}, []string{"records must be 1"}},
		{"records negative", url, []string{"generate-synthetic-data", "--customer", "1", "--records=-5"}, []string{"records must be 1"}},
		{"batch size 0", url, []string{"generate-synthetic-data", "--customer", "1", "--batch-size", "0"}, []string{"--batch-size"}},
		{"no drift file", url, []string{"generate-synthetic-data", "--customer", "1", "--drift", "nofile"}, []string{"NDJSON"}},
		{"bad drift file", url, []string{"generate-synthetic-data", "--customer", "1", "--drift", text}, []string{"line 1"}},
		{"as-of before the data", url, []string{"detect-drift", "--customer", "1", "--as-of", "2020-01-01"}, []string{"later --as-of"}},
		{"as-of no date", url, []string{"detect-drift", "--customer", "1", "--as-of", "yesterday"}, []string{"2026-03-31"}},
		{"no claims yet", url, []string{"detect-drift", "--customer", "2"}, []string{"no claims yet", "upstream ingest"}},
		{"budget 0", url, []string{"detect-drift", "--customer", "1", "--budget", "0"}, []string{"--budget"}},
		{"unwritable output", url, []string{"generate-synthetic-data", "--format", "csv", "--output", "/nonexistent/x.csv"}, []string{"can't write"}},
		{"no output", url, []string{"generate-synthetic-data", "--format", "csv"}, []string{"--output"}},
		{"no baseline", url, []string{"benchmark-drift", "--customer", "1", "--baseline", "none.json"}, []string{"--json"}},
		{"runs 0", url, []string{"benchmark-drift", "--customer", "1", "--runs", "0"}, []string{"--runs"}},
		{"same name", url, []string{"customer", "create", "A"}, []string{"upstream customer list"}},
		{"unknown command", url, []string{"detect"}, []string{"--help"}},
		{"unknown option", url, []string{"version", "--fast"}, []string{"--help"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			r := do(t, test.url, test.args...)
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("it takes %v to find the mistake", took)
			}
			lines := strings.Split(strings.TrimSuffix(r.stderr, "\n"), "\n")
			if r.code == 0 || len(lines) != 1 || !strings.HasPrefix(lines[0], "upstream: ") {
				t.Errorf("exit %d, want one line that begins with upstream:\n%s", r.code, r.stderr)
			}
			for _, want := range test.says {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("%q does not say %q", r.stderr, want)
				}
			}
			if strings.Contains(r.stderr, "secret") {
				t.Error("the password is printed")
			}
			if r.peakBytes == 0 || r.peakBytes > 150e6 {
				t.Errorf("peak memory %d MB", r.peakBytes/1e6)
			}
		})
	}
	if n := claims(t, url); n != 1 {
		t.Errorf("%d claims after all mistakes, want the 1 from before", n)
	}
}

// A file with bad rows loads its good ones, says which are bad, and exits 0.
func TestDamagedFilesLoadWhatTheyHold(t *testing.T) {
	tests := []struct {
		name     string
		content  []byte
		pad      int // megabytes of x behind the content
		rejected int
	}{
		{"cut in the middle of a row", []byte(header + goodRow + "A2,Aetna,992"), 0, 1},
		{"a line of 100 MB", []byte(header + goodRow + "A2,"), 100, 1},
		{"NUL bytes", []byte(header + goodRow + "A2,Ae\x00tna,99213,2026-04-01,2026-04-02,2026-04-10,PAID,100,80,64\n"), 0, 1},
		{"formulas", []byte(header + goodRow + "=1+1,Aetna,99213,2026-04-01,2026-04-02,2026-04-10,PAID,100,80,64\nA3,@SUM(A1),99213,2026-04-01,2026-04-02,2026-04-10,PAID,100,80,64\n"), 0, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			url := engines[0].URL(t)
			must(t, url, "customer", "create", "A")
			path := file(t, "claims.csv", test.content)
			appendPadding(t, path, test.pad)
			for round, inserted := range []int{1, 0} {
				r := do(t, url, "ingest", "--customer", "1", "--json", path)
				if r.code != 0 || r.peakBytes == 0 || r.peakBytes > 150e6 {
					t.Fatalf("exit %d, %d MB\n%s", r.code, r.peakBytes/1e6, r.stderr)
				}
				var got struct {
					Read, Inserted, Updated, Unchanged, Rejected int
					Rejects                                      []struct {
						Row    int
						Reason string
					}
				}
				if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
					t.Fatal(err)
				}
				if got.Read != 1+test.rejected || got.Inserted != inserted || got.Unchanged != 1-inserted || got.Rejected != test.rejected || len(got.Rejects) != test.rejected {
					t.Errorf("round %d: %+v", round+1, got)
				}
				for _, reject := range got.Rejects {
					if reject.Row < 2 || reject.Reason == "" || strings.Contains(r.stdout, "SUM") {
						t.Errorf("reject %+v", reject)
					}
				}
			}
			if n := claims(t, url); n != 1 {
				t.Errorf("%d claims, want 1", n)
			}
		})
	}
}

// appendPadding writes in pieces: a child's peak memory counts what its parent
// held when it was started.
func appendPadding(t *testing.T, path string, megabytes int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	piece := bytes.Repeat([]byte("x"), 1<<20)
	for range megabytes {
		if _, err := f.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
}
