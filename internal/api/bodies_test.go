package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// goodBodies are good bodies of the operations that take JSON.
var goodBodies = map[string]string{
	"POST auth/token/":           `{"username":"viewerA","password":"correct horse battery"}`,
	"POST auth/token/refresh/":   `{"refresh":"x"}`,
	"POST auth/token/verify/":    `{"token":"x"}`,
	"POST auth/login/":           `{"username":"viewerA","password":"correct horse battery"}`,
	"POST auth/password/":        `{"old_password":"not it","new_password":"another horse battery"}`,
	"PATCH drift-events/{id}/":   `{"status":"acknowledged","owner":"ann","note":"called them"}`,
	"POST reports/trigger/":      `{"run_type":"custom","as_of":"2026-02-01"}`,
	"POST report-runs/trigger/":  `{"run_type":"custom","as_of":"2026-02-01"}`,
	"POST payer-mappings/":       `{"raw_name":"BCBS","payer":"Blue Cross"}`,
	"PATCH payer-mappings/{id}/": `{"payer":"Blue Cross"}`,
	"POST cpt-mappings/":         `{"code":"99214","cpt_group":"Visits"}`,
	"PATCH cpt-mappings/{id}/":   `{"cpt_group":"Visits"}`,
	"PATCH settings/":            `{"alert_budget":1,"detection_after_upload":true,"nightly_detection":true,"weekly_report":true,"weekly_report_day":"monday"}`,
	"POST users/":                `{"username":"newcomer","password":"another horse battery","role":"viewer","superuser":false}`,
	"PATCH users/{id}/":          `{"role":"viewer","disabled":false,"password":"another horse battery"}`,
	"POST api-keys/":             `{"name":"weekly","role":"viewer","scopes":["claims"],"expires_at":"2027-01-01T00:00:00Z"}`,
	"POST customers/":            `{"name":"Practice C"}`,
	"PATCH customers/{id}/":      `{"name":"Practice A"}`,
}

// takingJSON are the operations with a JSON body.
func (w *world) takingJSON() (ops []operation) {
	for _, op := range w.operations() {
		if op.RequestBody == nil || op.RequestBody.Value.Content["application/json"] == nil {
			continue
		}
		if _, known := goodBodies[op.method+" "+op.path]; !known {
			w.Errorf("%s %s has no body in the table", op.method, op.path)
		}
		ops = append(ops, op)
	}
	return ops
}

// tokenFor is that of somebody who may do an operation.
func (p *populated) tokenFor(op operation) string {
	for _, rt := range p.server.routes {
		if rt.method == op.method && rt.path == op.path && rt.who.superuser {
			return p.super
		}
	}
	return p.token
}

// submit sends a body to an operation as somebody who may.
func (p *populated) submit(op operation, body string, headers ...string) *response {
	p.Helper()
	token := p.tokenFor(op)
	if len(headers) == 0 {
		headers = []string{"Content-Type", "application/json"}
	}
	return p.direct(op.method, token, p.at(op), strings.NewReader(body), headers...)
}

func TestAWrongBodyIsRefused(t *testing.T) {
	p := populate(t, worldOptions{})
	deep := func(n int) string { return `{"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}" }
	everywhere := []struct {
		name, body string
		statuses   []int
	}{
		{"not JSON", "not json", []int{400}},
		{"a form", "status=noise&note=x", []int{400}},
		{"XML", "<a/>", []int{400}},
		{"cut off", `{"status":"noi`, []int{400}},
		{"trailing", `{} {}`, []int{400}},
		{"trailing comma", `{"status":"noise",}`, []int{400}},
		{"comments", `{/* */}`, []int{400}},
		{"single quotes", `{'status':'noise'}`, []int{400}},
		{"NaN", `{"alert_budget":NaN}`, []int{400}},
		{"blank", " \n\t ", []int{400}},
		{"byte order mark", "\xef\xbb\xbf{}", []int{400}},
		{"UTF-16", "{\x00}\x00", []int{400}},
		{"invalid UTF-8", "{\"note\":\"\xff\xfe\"}", []int{400}},
		{"overlong UTF-8", "{\"note\":\"\xc0\xaf\"}", []int{400}},
		{"NUL byte", "{\"note\":\"\x00\"}", []int{400}},
		{"gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00", []int{400}},
		{"null", "null", []int{422}},
		{"an array", "[]", []int{422}},
		{"arrays", "[{}]", []int{422}},
		{"a string", `"x"`, []int{422}},
		{"a number", "1", []int{422}},
		{"true", "true", []int{422}},
		{"a huge number", "1" + strings.Repeat("0", 400), []int{400, 422}},
		{"a number of 100 kB", `{"x":` + strings.Repeat("9", 100<<10) + "}", []int{400, 422}},
		{"an exponent", `{"alert_budget":1e999999999}`, []int{400, 422}},
		{"nested", deep(20), []int{422}},
		{"nested deep", deep(100), []int{400}},
		{"nested very deep", deep(10_000), []int{400}},
		{"nested without end", strings.Repeat("[", 200<<10), []int{400}},
		{"nested objects", strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_000), []int{400}},
		{"unknown", `{"nope":1}`, []int{422}},
		{"prototype", `{"__proto__":{"role":"owner"}}`, []int{422}},
		{"unknown with a long name", `{"` + strings.Repeat("n", 100<<10) + `":1}`, []int{422}},
		{"10,000 members", `{` + manyMembers(10_000) + `}`, []int{422}},
		{"NUL in a name", `{"no\u0000te":"x"}`, []int{422}},
		{"too large", `{"note":"` + strings.Repeat("x", maxBody) + `"}`, []int{413}},
	}
	for _, op := range p.takingJSON() {
		for _, c := range everywhere {
			got := p.submit(op, c.body)
			if !slices.Contains(c.statuses, got.status) {
				t.Errorf("%s, %s: %d %.300s", got.request, c.name, got.status, got.body)
			}
			if len(got.body) > 64<<10 {
				t.Errorf("%s, %s: the problem has %d bytes", got.request, c.name, len(got.body))
			}
		}
		want := http.StatusBadRequest
		if !op.RequestBody.Value.Required {
			want = http.StatusAccepted
		}
		if got := p.submit(op, ""); got.status != want {
			t.Errorf("%s, empty: %d %s", got.request, got.status, got.body)
		}
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"m%d":%d`, i, i)
	}
	return b.String()
}

// Each field of each body, of each wrong type and beyond its bounds, is 422 and named.
func TestAWrongFieldIsNamed(t *testing.T) {
	p := populate(t, worldOptions{})
	values := []string{`null`, `1`, `-1`, `1.5`, `1e300`, `true`, `"x"`, `""`, `[]`, `{}`, `[1]`, `[null]`, `[[]]`, `{"a":1}`, `["x"]`, `"a\u0000b"`, `"\ud800"`, `"<script>"`, `"2026-02-30"`, `"0000-01-01"`, `"9999-12-31T00:00:00Z"`, `"10000-01-01"`, `"` + strings.Repeat("y", 5000) + `"`, `"` + strings.Repeat("é", 5000) + `"`}
	for _, op := range p.takingJSON() {
		good := map[string]json.RawMessage{}
		if err := json.Unmarshal([]byte(goodBodies[op.method+" "+op.path]), &good); err != nil {
			t.Fatal(err)
		}
		schema := op.RequestBody.Value.Content["application/json"].Schema.Value
		for name, ref := range schema.Properties {
			if _, has := good[name]; !has {
				t.Errorf("%s %s: the table has no %s", op.method, op.path, name)
			}
			for _, value := range values {
				body := maps.Clone(good)
				body[name] = json.RawMessage(value)
				encoded, err := json.Marshal(body)
				if err != nil {
					t.Fatal(err)
				}
				var decoded any
				if err := json.Unmarshal([]byte(value), &decoded); err != nil {
					t.Fatal(err)
				}
				got := p.submit(op, string(encoded))
				if got.status >= 500 || got.status == 413 {
					t.Errorf("%s with %s %.40s: %d %s", got.request, name, value, got.status, got.body)
				}
				if allowed := ref.Value.VisitJSON(decoded) == nil; allowed || decoded == nil && !slices.Contains(schema.Required, name) {
					continue // more is decided by what it means
				}
				problem := got.problem(http.StatusUnprocessableEntity, "invalid")
				if !slices.ContainsFunc(problem.Errors, func(d Detail) bool { return strings.HasPrefix(d.Location, "body."+name) }) {
					t.Errorf("%s with %s %.40s: nothing names it: %s", got.request, name, value, got.body)
				}
			}
			if slices.Contains(schema.Required, name) {
				body := maps.Clone(good)
				delete(body, name)
				encoded, _ := json.Marshal(body)
				if got := p.submit(op, string(encoded)); !strings.Contains(got.problem(http.StatusUnprocessableEntity, "invalid").Detail, name) {
					t.Errorf("%s without %s: %s", got.request, name, got.body)
				}
			}
			if upper := strings.ToUpper(name); upper != name {
				p.submit(op, strings.Replace(goodBodies[op.method+" "+op.path], `"`+name+`"`, `"`+upper+`"`, 1)).problem(http.StatusUnprocessableEntity, "invalid")
			}
			twice := strings.Replace(goodBodies[op.method+" "+op.path], "{", `{"`+name+`":`+string(good[name])+",", 1)
			if got := p.submit(op, twice); !hasLocation(got.problem(http.StatusUnprocessableEntity, "invalid"), "body."+name) {
				t.Errorf("%s twice: %s", name, got.body)
			}
			escaped := strings.Replace(goodBodies[op.method+" "+op.path], "{", fmt.Sprintf(`{"\u%04x%s":%s,`, name[0], name[1:], good[name]), 1)
			p.submit(op, escaped).problem(http.StatusUnprocessableEntity, "invalid")
		}
	}
}

func hasLocation(p Problem, location string) bool {
	return slices.ContainsFunc(p.Errors, func(d Detail) bool { return d.Location == location })
}

// A body is JSON in UTF-8 as it is, or 415; one that says nothing is taken for it.
func TestOnlyJSONIsTaken(t *testing.T) {
	p := populate(t, worldOptions{})
	cases := []struct {
		headers []string
		status  int // 0: it is taken
	}{
		{[]string{"Content-Type", ""}, 0},
		{[]string{"Content-Type", "application/json"}, 0},
		{[]string{"Content-Type", "Application/JSON; Charset=UTF-8"}, 0},
		{[]string{"Content-Type", `application/json; charset="utf-8"`}, 0},
		{[]string{"Content-Type", "application/json", "Content-Encoding", "identity"}, 0},
		{[]string{"Content-Type", "application/json; charset=latin1"}, 415},
		{[]string{"Content-Type", "application/json; charset=utf-16"}, 415},
		{[]string{"Content-Type", "text/plain"}, 415},
		{[]string{"Content-Type", "text/json"}, 415},
		{[]string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{[]string{"Content-Type", "multipart/form-data; boundary=x"}, 415},
		{[]string{"Content-Type", "application/merge-patch+json"}, 415},
		{[]string{"Content-Type", "application/foo+json"}, 415},
		{[]string{"Content-Type", "json"}, 415},
		{[]string{"Content-Type", "application/cbor"}, 415},
		{[]string{"Content-Type", "application/json, text/plain"}, 415},
		{[]string{"Content-Type", ";"}, 415},
		{[]string{"Content-Type", strings.Repeat("a/", 2000)}, 415},
		{[]string{"Content-Type", "application/json", "Content-Encoding", "gzip"}, 415},
		{[]string{"Content-Type", "application/json", "Content-Encoding", "br"}, 415},
		{[]string{"Content-Type", "application/json", "Content-Encoding", "gzip, gzip"}, 415},
	}
	for _, op := range p.takingJSON() {
		for _, c := range cases {
			got := p.submit(op, `{"nope":1}`, c.headers...)
			if c.status == 0 {
				got.problem(http.StatusUnprocessableEntity, "invalid")
				continue
			}
			if got.problem(c.status, "unsupported_media_type"); got.status != c.status {
				t.Errorf("%v", c.headers)
			}
		}
	}
}

// raw sends bytes over a connection of its own, and closes its side after them.
func (w *world) raw(request string) (*response, error) {
	w.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		w.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		w.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		w.Fatal(err)
	}
	got, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	return &response{w, "", got.StatusCode, got.Header, body}, err
}

// What a client says of a body that it never sends is not waited for, and half a
// body changes nothing.
func TestABodyThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	p := populate(t, worldOptions{})
	head := func(op operation, more string) string {
		token := p.tokenFor(op)
		return op.method + " " + Prefix + p.at(op) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + token + "\r\nContent-Type: application/json\r\n" + more + "\r\n"
	}
	tenant := p.tenant(p.a)
	before, err := p.store.Revisions(context.Background(), p.a.id)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range p.takingJSON() {
		body := goodBodies[op.method+" "+op.path]
		for name, c := range map[string]struct {
			request string
			status  int
		}{
			"1 GB announced":      {head(op, "Content-Length: 1073741824\r\n"), 413},
			"cut off":             {head(op, fmt.Sprintf("Content-Length: %d\r\n", len(body)+1)) + body, 400},
			"cut off at once":     {head(op, "Content-Length: 5\r\n"), 400},
			"cut in a chunk":      {head(op, "Transfer-Encoding: chunked\r\n") + fmt.Sprintf("%x\r\n%s", len(body)+10, body), 400},
			"without a last one":  {head(op, "Transfer-Encoding: chunked\r\n") + fmt.Sprintf("%x\r\n%s\r\n", len(body), body), 400},
			"a chunk of nonsense": {head(op, "Transfer-Encoding: chunked\r\n") + "zz\r\n" + body, 400},
			"chunks without end":  {head(op, "Transfer-Encoding: chunked\r\n") + strings.Repeat("1000\r\n"+strings.Repeat(" ", 0x1000)+"\r\n", maxBody/0x1000+1), 413},
			"an unknown encoding": {head(op, "Transfer-Encoding: gzip\r\n") + body, 501},
			"two lengths":         {head(op, "Content-Length: 2\r\nContent-Length: 3\r\n") + "{}", 400},
		} {
			got, err := p.raw(c.request)
			if err != nil {
				t.Errorf("%s %s, %s: %v", op.method, op.path, name, err)
				continue
			}
			if got.status != c.status {
				t.Errorf("%s %s, %s: %d %s", op.method, op.path, name, got.status, got.body)
			}
		}
	}
	after, err := p.store.Revisions(context.Background(), p.a.id)
	if err != nil || after != before {
		t.Errorf("revisions %v, before %v (%v)", after, before, err)
	}
	if _, err := tenant.PayerMapping(context.Background(), p.ids["payer-mappings"]); err != nil {
		t.Error(err)
	}
}

// A good body is taken, whatever stands around it: of all the wrong ones nothing
// stuck.
func TestAGoodBodyIsTaken(t *testing.T) {
	p := populate(t, worldOptions{})
	for _, op := range p.takingJSON() {
		got := p.submit(op, "\r\n\t "+goodBodies[op.method+" "+op.path]+" \n")
		known := op.Responses.Status(got.status)
		if got.status >= 500 || known == nil {
			t.Errorf("%s: %d %s", got.request, got.status, got.body)
		}
		if !strings.HasPrefix(op.path, "auth/") && p.ids[op.scope] != 0 && got.status >= 300 && got.status != http.StatusConflict {
			t.Errorf("%s: %d %s", got.request, got.status, got.body)
		}
	}
}

func FuzzCheckJSON(f *testing.F) {
	for _, body := range goodBodies {
		f.Add([]byte(body))
	}
	for _, text := range []string{`{"a":1,"a":2}`, `{"a":{"a":1},"b":[{"a":1},{"a":2}]}`, `["a\u0000"]`, `{"\u0061":1,"a":2}`, "1", `"x"`, "[[[]]]", "{}{}", "\xff", ""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if checkJSON(body) != nil {
			return
		}
		// What passed means the same to every reader: writing it again and reading
		// that gives as many members.
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			if !strings.Contains(err.Error(), "number") {
				t.Fatalf("%q passed: %v", body, err)
			}
			return
		}
		if again, err := json.Marshal(v); err != nil || checkJSON(again) != nil || strings.Contains(string(again), `\u0000`) {
			t.Fatalf("%q passed and became %q (%v)", body, again, err)
		}
	})
}
