package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"upstream"
)

// form is a form with a file in it.
func form(name, file string, more ...string) string {
	body := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name + "\"\r\nContent-Type: text/csv\r\n\r\n" + file + "\r\n"
	for _, field := range more {
		body += "--b\r\nContent-Disposition: form-data; name=\"" + field + "\"\r\n\r\nx\r\n"
	}
	return body + "--b--\r\n"
}

const formType = "multipart/form-data; boundary=b"

func packed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text) // a buffer takes all
	_ = z.Close()
	return b.String()
}

// uploads is how many uploads, and parts of bodies, practice A has.
func (w *world) uploads() int64 {
	w.Helper()
	list, err := w.tenant(w.a).Uploads(context.Background(), upstream.Page{})
	if err != nil {
		w.Fatal(err)
	}
	return list.Count.N
}

func TestAFileIsTakenInEachForm(t *testing.T) {
	w := newWorld(t, worldOptions{})
	token := w.a.tokens[upstream.Analyst]
	for n, c := range []struct {
		name, query, body string
		headers           []string
		filename          string
	}{
		{"raw", "", goodCSV(0), []string{"Content-Type", "text/csv"}, "upload.csv"},
		{"raw with a name", "?filename=march.csv", goodCSV(1), []string{"Content-Type", "text/csv; charset=utf-8"}, "march.csv"},
		{"octets", "?filename=march.csv", goodCSV(2), []string{"Content-Type", "application/octet-stream"}, "march.csv"},
		{"gzip", "", packed(goodCSV(3)), []string{"Content-Type", "text/csv", "Content-Encoding", "gzip"}, "upload.csv"},
		{"a form", "", form("march.csv", goodCSV(4)), []string{"Content-Type", formType}, "march.csv"},
		{"a form in gzip", "", packed(form("march.csv", goodCSV(5))), []string{"Content-Type", formType, "Content-Encoding", "gzip"}, "march.csv"},
		{"a path", "", form("../../etc/march.csv", goodCSV(6)), []string{"Content-Type", formType}, "march.csv"},
		{"a Windows path", "", form(`C:\\claims\\march.csv`, goodCSV(7)), []string{"Content-Type", formType}, "march.csv"},
		{"quotes", "", form(`ma\"r'ch.csv`, goodCSV(8)), []string{"Content-Type", formType}, `ma"r'ch.csv`},
		{"unicode", "?filename=m%C3%A4rz%20%F0%9F%93%88.csv", goodCSV(9), []string{"Content-Type", "text/csv"}, "märz 📈.csv"},
		{"markup", "?filename=%3Cscript%3E.csv", goodCSV(10), []string{"Content-Type", "text/csv"}, "<script>.csv"},
		{"no name", "?filename=..", goodCSV(11), []string{"Content-Type", "text/csv"}, "upload.csv"},
		{"a slash", "?filename=/", goodCSV(12), []string{"Content-Type", "text/csv"}, "upload.csv"},
		{"a date", "?file_date=2026-02-28", goodCSV(13), []string{"Content-Type", "text/csv"}, "upload.csv"},
		{"direction marks", "?filename=%E2%80%AEvsc.exe", goodCSV(14), []string{"Content-Type", "text/csv"}, "vsc.exe"},
	} {
		r := w.ask(http.MethodPost, token, "uploads/"+c.query, strings.NewReader(c.body), c.headers...).want(http.StatusAccepted)
		var u upstream.Upload
		r.decode(&u)
		if u.Filename != c.filename || u.Status != upstream.UploadQueued || r.header.Get("Location") != fmt.Sprintf("%suploads/%d/", Prefix, u.ID) {
			t.Errorf("%s: %q %s", c.name, u.Filename, r.body)
		}
		if c.name == "a date" && u.FileDate.String() != "2026-02-28" {
			t.Errorf("the file's date is %s", u.FileDate)
		}
		// The same bytes again, in whatever form, are the same upload.
		var again upstream.Upload
		w.ask(http.MethodPost, token, "uploads/?filename=other.csv", strings.NewReader(goodCSV(n)), "Content-Type", "text/csv").want(http.StatusAccepted).decode(&again)
		if again.ID != u.ID || again.Filename != u.Filename {
			t.Errorf("%s: again it is %+v", c.name, again)
		}
	}
}

func TestWhatIsNoFileOfClaimsLeavesNothingBehind(t *testing.T) {
	w := newWorld(t, worldOptions{change: func(o *Options) { o.MaxUpload = 1 << 20 }})
	before := w.uploads()
	csv := []string{"Content-Type", "text/csv"}
	inForm := []string{"Content-Type", formType}
	for _, c := range []struct {
		name, body string
		headers    []string
		status     int
	}{
		{"nothing", "", csv, 422},
		{"a blank", " \r\n", csv, 422},
		{"a workbook", "PK\x03\x04" + strings.Repeat("\x00", 100), csv, 422},
		{"a PDF", "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", csv, 422},
		{"zip bytes in a form", form("a.xlsx", "PK\x03\x04\x14\x00"), inForm, 422},
		{"JSON", `{"claims":[]}`, csv, 422},
		{"other columns", "a,b,c\n1,2,3\n", csv, 422},
		{"NULs", strings.Repeat("\x00", 1000), csv, 422},
		{"no type", goodCSV(0), []string{"Content-Type", ""}, 415},
		{"JSON by its type", goodCSV(0), []string{"Content-Type", "application/json"}, 415},
		{"a workbook by its type", goodCSV(0), []string{"Content-Type", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}, 415},
		{"a form without a boundary", form("a", goodCSV(0)), []string{"Content-Type", "multipart/form-data"}, 415},
		{"another encoding", goodCSV(0), []string{"Content-Type", "text/csv", "Content-Encoding", "br"}, 415},
		{"no gzip", goodCSV(0), []string{"Content-Type", "text/csv", "Content-Encoding", "gzip"}, 422},
		{"half of a gzip", packed(goodCSV(0))[:60], []string{"Content-Type", "text/csv", "Content-Encoding", "gzip"}, 400},
		{"an empty form", "--b--\r\n", inForm, 422},
		{"no file", "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n--b--\r\n", inForm, 422},
		{"an empty file", form("a.csv", ""), inForm, 422},
		{"a field too many", form("a.csv", goodCSV(0), "file_date"), inForm, 422},
		{"two files", form("a.csv", goodCSV(0), "file"), inForm, 422},
		{"half a form", form("a.csv", goodCSV(0))[:200], inForm, 400},
		{"another boundary", form("a.csv", goodCSV(0)), []string{"Content-Type", "multipart/form-data; boundary=c"}, 422},
		{"too large", goodCSV(0) + strings.Repeat("x", 2<<20), csv, 413},
		{"a bomb", packed(goodCSV(0) + strings.Repeat("0", 64<<20)), []string{"Content-Type", "text/csv", "Content-Encoding", "gzip"}, 413},
		{"a bomb in a form", packed(form("a.csv", goodCSV(0)+strings.Repeat("0", 64<<20))), []string{"Content-Type", formType, "Content-Encoding", "gzip"}, 413},
	} {
		got := w.ask(http.MethodPost, w.a.tokens[upstream.Analyst], "uploads/", strings.NewReader(c.body), c.headers...)
		if got.status != c.status {
			t.Errorf("%s: %d, want %d: %.300s", c.name, got.status, c.status, got.body)
		}
		got.problem(got.status, map[int]string{400: "bad_request", 413: "too_large", 415: "unsupported_media_type", 422: "invalid"}[got.status])
	}
	if after := w.uploads(); after != before {
		t.Errorf("%d uploads, before %d", after, before)
	}
}

// Ten gigabytes in ten megabytes are given up at the limit, in constant memory.
func TestABombIsGivenUpInConstantMemory(t *testing.T) {
	w := newWorld(t, worldOptions{change: func(o *Options) { o.MaxUpload = 32 << 20 }})
	read, write := io.Pipe()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		z, _ := gzip.NewWriterLevel(write, gzip.BestSpeed)
		_, err := io.WriteString(z, goodCSV(0))
		zeros := bytes.Repeat([]byte{'0'}, 1<<20)
		for n := 0; n < 10<<10 && err == nil; n++ {
			_, err = z.Write(zeros)
		}
		_ = write.CloseWithError(err)
	}()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	got := w.ask(http.MethodPost, w.a.tokens[upstream.Analyst], "uploads/", read, "Content-Type", "text/csv", "Content-Encoding", "gzip")
	_ = read.Close()
	<-sent
	runtime.ReadMemStats(&after)
	got.problem(http.StatusRequestEntityTooLarge, "too_large")
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 64<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
}

// A file that breaks off on its way is not there.
func TestAFileThatBreaksOffLeavesNothingBehind(t *testing.T) {
	w := newWorld(t, worldOptions{})
	before := w.uploads()
	head := "POST " + Prefix + "uploads/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + w.a.tokens[upstream.Analyst] + "\r\n"
	big := goodCSV(0) + strings.Repeat(strings.SplitN(goodCSV(1), "\n", 2)[1], 40_000)
	whole := form("a.csv", big)
	for name, request := range map[string]string{
		"raw":     head + fmt.Sprintf("Content-Type: text/csv\r\nContent-Length: %d\r\n\r\n", len(big)+1) + big,
		"a form":  head + fmt.Sprintf("Content-Type: %s\r\nContent-Length: %d\r\n\r\n", formType, len(whole)) + whole[:len(whole)-10],
		"chunked": head + "Content-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(big), big),
		"at once": head + "Content-Type: text/csv\r\nContent-Length: 100\r\n\r\n",
	} {
		got, err := w.raw(request)
		if err != nil || got.status != http.StatusBadRequest {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	if after := w.uploads(); after != before {
		t.Errorf("%d uploads, before %d", after, before)
	}
}

// An upload is loaded in the background; the resource says how far it is, what was
// rejected where and why, without what stood there; a detection follows.
func TestAnUploadIsLoadedAndDetectionFollows(t *testing.T) {
	onWorking(t, func(t *testing.T, w *world) {
		token := w.a.tokens[upstream.Analyst]
		file := goodCSV(1) + "N2,Aetna,99213,2026-01-05,2026-01-07,2026-01-20,PAID,SECRET-AMOUNT,80.00,64.00\n" + "N3,Aetna,99213,SECRET-DATE,2026-01-07,2026-01-20,PAID,1.00,80.00,64.00\n"
		var u upstream.Upload
		w.ask(http.MethodPost, token, "uploads/?filename=march.csv", strings.NewReader(file), "Content-Type", "text/csv").want(http.StatusAccepted).decode(&u)
		w.eventually("the upload is loaded", func() bool {
			w.get(token, "uploads/"+itoa(u.ID)+"/").want(http.StatusOK).decode(&u)
			return u.Status == upstream.UploadSuccess || u.Status == upstream.UploadFailed
		})
		if u.Status != upstream.UploadSuccess || u.Read != 3 || u.Inserted != 1 || u.Rejected != 2 || u.DateMin.String() != "2026-01-07" {
			t.Errorf("%+v", u)
		}
		r := w.get(token, "uploads/"+itoa(u.ID)+"/rejects/").want(http.StatusOK)
		var rejects struct {
			Count   int
			Results []upstream.Reject
		}
		r.decode(&rejects)
		if rejects.Count != 2 || rejects.Results[0].Row != 2 || rejects.Results[0].Column == "" || rejects.Results[1].Row != 3 || strings.Contains(string(r.body), "SECRET") {
			t.Errorf("%s", r.body)
		}
		if log := w.log.String(); strings.Contains(log, "SECRET") {
			t.Errorf("the log tells claim content: %s", log)
		}
		// Sent again it is what it was; nothing is left to do.
		var again upstream.Upload
		w.ask(http.MethodPost, token, "uploads/", strings.NewReader(file), "Content-Type", "text/csv").want(http.StatusOK).decode(&again)
		if again.ID != u.ID || again.Status != upstream.UploadSuccess {
			t.Errorf("%+v", again)
		}
		w.eventually("a detection follows", func() bool {
			var runs struct{ Results []upstream.ReportRun }
			w.get(token, "reports/").want(http.StatusOK).decode(&runs)
			return len(runs.Results) > 0 && runs.Results[0].Status == upstream.RunSuccess
		})
	})
}

func onWorking(t *testing.T, f func(t *testing.T, w *world)) {
	for _, e := range engines {
		t.Run(e.Name, func(t *testing.T) { f(t, newWorld(t, worldOptions{url: e.URL(t), work: true})) })
	}
}

// eventually waits for what happens in the background.
func (w *world) eventually(what string, is func() bool) {
	w.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("not within a minute: %s\n%s", what, w.log.String())
		}
	}
}
