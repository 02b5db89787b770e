package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	csvHeader = "claim_id,payer,cpt,service_date,submitted_date,decided_date,outcome,billed,allowed,paid\n"
	goodRow   = "A1,Aetna,99213,2026-03-02,2026-03-03,2026-03-20,paid,150.00,100.00,80.00\n"
	badRow    = "A2,Aetna,99213,2026-03-02,2026-03-03,2026-03-20,who knows,150.00,100.00,80.00\n"
)

// samples are the reader's sample files and what their README says of them.
var samples = []struct {
	file                                string
	read, inserted, unchanged, rejected float64
}{
	{"pm-export.csv", 400, 400, 0, 0},
	{"reference-columns.csv", 193, 193, 0, 0}, // its lines without the header
	{"messy.csv", 31, 21, 1, 9},
	{"messy-1252.csv", 31, 21, 1, 9},
}

func TestSampleFilesGiveWhatTheirReadmeSaysAndNothingTheSecondTime(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for i, s := range samples {
			w.must("customer", "create", s.file)
			customer := string(rune('1' + i))
			first := w.jsonOf("ingest", "--customer", customer, "--json", sample(s.file))
			want := parsed{"read": s.read, "inserted": s.inserted, "updated": 0.0, "unchanged": s.unchanged, "rejected": s.rejected}
			if diff := cmp.Diff(want, counts(first)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", s.file, diff)
			}
			second := w.jsonOf("ingest", "--customer", customer, "--json", sample(s.file))
			want["inserted"], want["unchanged"] = 0.0, s.read-s.rejected
			if diff := cmp.Diff(want, counts(second)); diff != "" {
				t.Errorf("%s again (-want +got):\n%s", s.file, diff)
			}
			if diff := cmp.Diff(first["rejects"], second["rejects"]); diff != "" {
				t.Errorf("the rejects of %s change the second time:\n%s", s.file, diff)
			}
			checkRejects(t, first, int(s.rejected))
		}
		contains(t, w.must("rollup", "verify"), "customer 1: 400 claims", "customer 3: 21 claims", "customer 4: 21 claims")
	})
}

// counts are the figures of a JSON report, by name.
func counts(report parsed) parsed {
	out := parsed{}
	for _, k := range []string{"read", "inserted", "updated", "unchanged", "rejected"} {
		out[k] = report[k]
	}
	return out
}

func checkRejects(t *testing.T, report parsed, want int) {
	t.Helper()
	rejects, ok := report["rejects"].([]any)
	if !ok || len(rejects) != want {
		t.Fatalf("rejects %v, want %d of them, an empty list when there are none", report["rejects"], want)
	}
	last := 0.0
	for _, r := range rejects {
		reject := has(t, "a reject", r, "file", "row", "column", "value_class", "reason")
		if row, _ := reject["row"].(float64); row <= last {
			t.Errorf("row %v stands after row %v", row, last)
		} else {
			last = row
		}
		if reject["reason"] == "" || reject["value_class"] == "" {
			t.Errorf("no reason or class: %v", reject)
		}
	}
}

func TestBothEncodingsOfAFileRejectTheSameRowsAlike(t *testing.T) {
	w := inSQLite(t)
	var rejects [2]string
	for i, file := range []string{"messy.csv", "messy-1252.csv"} {
		w.must("customer", "create", file)
		text := w.must("ingest", "--customer", string(rune('1'+i)), sample(file))
		_, rejects[i], _ = strings.Cut(text, "\n")
	}
	if diff := cmp.Diff(rejects[0], rejects[1]); diff != "" {
		t.Error(diff)
	}
	contains(t, rejects[0], "row 21, column date_of_service: not a date", "row 29: 4 fields where the header has 13")
}

func TestIngestJSONHasTheNamesOfTheContract(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	report := w.jsonOf("ingest", "--customer", "1", "--json", sample("pm-export.csv"), sample("messy.csv"))
	has(t, "the report", report, "read", "inserted", "updated", "unchanged", "rejected", "rejects", "uploads")
	uploads, _ := report["uploads"].([]any)
	if len(uploads) != 2 || report["read"] != 431.0 {
		t.Fatalf("two files: %v", report)
	}
	for i, u := range uploads {
		upload := has(t, "an upload", u, "id", "filename", "sha256", "already_loaded", "read", "inserted", "updated", "unchanged", "rejected")
		if upload["id"] != float64(i+1) || upload["already_loaded"] != false {
			t.Errorf("upload %v", upload)
		}
	}
	again := w.jsonOf("ingest", "--customer", "1", "--json", sample("messy.csv"))
	if upload := again["uploads"].([]any)[0].(parsed); upload["already_loaded"] != true || upload["id"] != 2.0 {
		t.Errorf("the same bytes again are %v", upload)
	}
}

func TestSecondFileUpdatesWhatTheFirstLeftPending(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.must("customer", "create", "North")
		first := w.file("first.csv", csvHeader+"A1,Aetna,99213,2026-03-02,2026-03-03,,pending,150.00,,\n")
		w.must("ingest", "--customer", "1", first)
		second := w.file("second.csv", csvHeader+goodRow+strings.Replace(goodRow, "A1", "A3", 1))
		contains(t, w.must("ingest", "--customer", "1", second), "2 read, 1 inserted, 1 updated, 0 unchanged, 0 rejected")
		// The older state again changes nothing, and neither does the same in another file.
		third := w.file("third.csv", csvHeader+goodRow+"A1,Aetna,99213,2026-03-02,2026-03-03,,pending,150.00,,\n")
		contains(t, w.must("ingest", "--customer", "1", third), "2 read, 0 inserted, 0 updated, 2 unchanged, 0 rejected")
		contains(t, w.must("rollup", "verify"), "2 claims")
	})
}

func TestCustomersShareNothing(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	w.must("customer", "create", "South")
	for _, customer := range []string{"1", "2"} {
		contains(t, w.must("ingest", "--customer", customer, sample("pm-export.csv")), "400 inserted")
	}
	contains(t, w.must("rollup", "verify"), "customer 1: 400 claims", "customer 2: 400 claims")
}

func TestOneBadFileLeavesTheOthersLoaded(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	bad := w.file("scan.pdf", "%PDF-1.7\n")
	r := w.run("ingest", "--customer", "1", bad, sample("pm-export.csv"), "--json")
	if r.code != exitFailed {
		t.Errorf("exit code %d", r.code)
	}
	contains(t, w.line(r.stderr), "scan.pdf", "PDF", "export the claims as CSV")
	if report := parse(t, r.stdout); report["inserted"] != 400.0 {
		t.Errorf("the good file came to %v", report)
	}
}

func TestFileExitsWithOneOnlyWhenNothingOfItIsUsable(t *testing.T) {
	tests := []struct {
		name, text string
		code       int
		says       []string
	}{
		{"some rejects", csvHeader + goodRow + badRow, exitOK, nil},
		{"only rejects", csvHeader + badRow, exitFailed, []string{"no usable row", "correct the file"}},
		{"only a header", csvHeader, exitFailed, []string{"no usable row"}},
		{"nothing", "", exitFailed, []string{"the file is empty", "export the claims again"}},
		{"only white space", " \n\r\n", exitFailed, []string{"the file is empty"}},
		{"no known header", "a,b,c\n1,2,3\n", exitFailed, []string{"no column is known to hold payer", "Rename a column"}},
		{"no header", goodRow + goodRow, exitFailed, []string{"no header row"}},
		{"no such format", "PK\x03\x04", exitFailed, []string{"ZIP archive", "unpack it"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := inSQLite(t)
			w.must("customer", "create", "North")
			path := w.file("claims.csv", test.text)
			if test.code == exitOK {
				w.must("ingest", "--customer", "1", path)
				return
			}
			line := w.fails(test.code, "ingest", "--customer", "1", path)
			contains(t, line, append(test.says, "claims.csv")...)
			for _, value := range []string{"Aetna", "99213", "who knows", "2026-03-02"} {
				if strings.Contains(line, value) {
					t.Errorf("the error tells the value %q: %s", value, line)
				}
			}
			contains(t, w.must("rollup", "verify"), "0 claims")
		})
	}
}

func TestRejectsOfAFileWithNothingUsableAreStillTold(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	r := w.run("ingest", "--customer", "1", "--json", w.file("bad.csv", csvHeader+badRow+badRow))
	if r.code != exitFailed {
		t.Errorf("exit code %d", r.code)
	}
	checkRejects(t, parse(t, r.stdout), 2)
}

func TestManyRejectsAreCutForAPersonAndListedInJSON(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	path := w.file("bad.csv", csvHeader+goodRow+strings.Repeat(badRow, 50))
	text := w.must("ingest", "--customer", "1", path)
	if rows := strings.Count(text, "\n  row "); rows != 20 {
		t.Errorf("%d rejects are printed, want 20", rows)
	}
	contains(t, text, "… and 30 more; --json lists them")
	checkRejects(t, w.jsonOf("ingest", "--customer", "1", "--json", path), 50)
}

func TestNoOutputHoldsAClaimsContent(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	secret := "SECRET-77"
	rows := ""
	for column, field := range strings.Split(strings.TrimSpace(goodRow), ",") {
		fields := strings.Split(strings.TrimSpace(goodRow), ",")
		fields[column] = secret + strings.Repeat(field, 10)
		rows += strings.Join(fields, ",") + "\n"
	}
	path := w.file("claims.csv", csvHeader+rows+`A9,"`+secret+"\n")
	for _, args := range [][]string{{"ingest", "--customer", "1", path}, {"ingest", "--customer", "1", "--json", path}} {
		r := w.run(args...)
		if strings.Contains(r.stdout+r.stderr, secret) {
			t.Errorf("%q tells the value:\n%s%s", args, r.stdout, r.stderr)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	contains(t, w.fails(exitFailed, "ingest", "--customer", "1", filepath.Join(w.dir, "gone.csv")), "there is no file", "gone.csv", "check the path")
	contains(t, w.fails(exitFailed, "ingest", "--customer", "1", w.dir), "no regular file")
	contains(t, w.fails(exitFailed, "ingest", "--customer", "1", "--file-date", "yesterday", sample("messy.csv")), "is not a date", "2026-03-31")
	contains(t, w.fails(exitFailed, "ingest", "--customer", "2", sample("messy.csv")), "there is no customer 2", "upstream customer create")
}

func TestBytesAndNotTheNameMakeAFileTheSame(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	b, err := os.ReadFile(sample("reference-columns.csv"))
	if err != nil {
		t.Fatal(err)
	}
	w.must("ingest", "--customer", "1", sample("reference-columns.csv"))
	copied := w.file("renamed.csv", string(b))
	contains(t, w.must("ingest", "--customer", "1", copied), "0 inserted", "(loaded before)")
	// One byte more is another file, whose claims are named after it.
	longer := w.file("longer.csv", string(bytes.TrimRight(b, "\n"))+"\n\n")
	contains(t, w.must("ingest", "--customer", "1", longer), " inserted")
}

func TestPasswordOfADatabaseIsNotPrinted(t *testing.T) {
	if got := databaseName("postgres://u:secret@h/db?password=secret"); got != "PostgreSQL" {
		t.Error(got)
	}
	if got := databaseName("sqlite:x.db"); got != "sqlite:x.db" {
		t.Error(got)
	}
}
