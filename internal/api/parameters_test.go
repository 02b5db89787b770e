package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"upstream"
	"upstream/internal/detection"
	"upstream/internal/store"
)

// direct asks the server in this process; the target is sent as it is.
func (w *world) direct(method, token, target string, body io.Reader, headers ...string) *response {
	w.Helper()
	u, err := url.ParseRequestURI(Prefix + target)
	if err != nil {
		w.Fatal(err)
	}
	r := httptest.NewRequest(method, "http://upstream.example/", body)
	r.URL, r.RequestURI = u, Prefix+target
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	got := httptest.NewRecorder()
	w.judge.ServeHTTP(got, r)
	return &response{w, method + " " + u.RequestURI(), got.Code, got.Header(), got.Body.Bytes()}
}

// populated is a world whose practice A has something under each path with an id.
type populated struct {
	*world
	token string // of the owner
	ids   map[string]int64
}

func populate(t testing.TB, o worldOptions) *populated {
	t.Helper()
	p := &populated{world: newWorld(t, o), ids: map[string]int64{}}
	p.token = p.a.tokens[upstream.Owner]
	ctx := context.Background()
	tenant := p.tenant(p.a)
	_, err := detection.Save(ctx, tenant, p.now, func() (detection.Finding, error) {
		f, err := detection.Detection{Detector: detection.Upstream, AsOf: upstream.DayOf(today), Today: upstream.DayOf(today), From: store.FromRollups}.Evaluate(ctx, tenant)
		f.Events = append(f.Events, madeUpEvents(20)...) // few claims prove little
		return f, err
	})
	if err != nil {
		t.Fatal(err)
	}
	p.post(p.token, "payer-mappings/", map[string]string{"raw_name": "AETNA", "payer": "Aetna Health"}).want(http.StatusCreated)
	p.post(p.token, "cpt-mappings/", map[string]string{"code": "99213", "cpt_group": "Visits"}).want(http.StatusCreated)
	p.post(p.token, "api-keys/", map[string]string{"name": "nightly", "role": "viewer"}).want(http.StatusCreated)
	for _, scope := range []string{"drift-events", "claims", "reports", "report-runs", "uploads", "payer-mappings", "cpt-mappings", "users", "customers", "api-keys"} {
		var list struct{ Results []struct{ ID int64 } }
		p.get(p.token, scope+"/").want(http.StatusOK).decode(&list)
		if len(list.Results) > 0 {
			p.ids[scope] = list.Results[0].ID
		}
	}
	return p
}

// madeUpEvents are drift events of which several share what lists are ordered by.
func madeUpEvents(n int) (events []upstream.DriftEvent) {
	for i := range n {
		change := upstream.DayOf(today) - upstream.Day(40+i)
		payer, group := fmt.Sprint("Payer ", i), "Visits"
		events = append(events, upstream.DriftEvent{
			Signal: upstream.DenialRate, Payer: &payer, CPTGroup: &group, Level: upstream.GroupLevel, Tier: upstream.Alert, Status: upstream.Open, Direction: upstream.Worse,
			ChangeDate: change, ChangeDateLow: change - 3, ChangeDateHigh: change + 3, KnownAt: change + 10, Severity: float64(i%3) / 4, DollarsPerMonth: upstream.Money(i%4) * 100_00,
			RootCauses: []upstream.RootCause{}, SampleClaimIDs: []string{"A1"},
		})
	}
	return events
}

func (w *world) tenant(p *practice) *store.Tenant {
	w.Helper()
	t, err := w.store.Tenant(context.Background(), p.id)
	if err != nil {
		w.Fatal(err)
	}
	return t
}

// openAPI is the document as others read it.
func (w *world) openAPI() *openapi3.T {
	w.Helper()
	d, err := openapi3.NewLoader().LoadFromData(w.server.document.json)
	if err != nil {
		w.Fatal(err)
	}
	return d
}

// operation is one of the document.
type operation struct {
	*openapi3.Operation
	method, path string // after Prefix
	scope        string
}

func (w *world) operations() (all []operation) {
	for path, item := range w.openAPI().Paths.Map() {
		for method, op := range item.Operations() {
			short := strings.TrimPrefix(path, Prefix)
			scope, _, _ := strings.Cut(short, "/")
			all = append(all, operation{op, method, short, scope})
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all
}

// at is the path of an operation with an id that is there, if any is.
func (p *populated) at(op operation) string {
	return strings.ReplaceAll(op.path, "{id}", strconv.FormatInt(max(p.ids[op.scope], 1), 10))
}

// injections are texts that mean something elsewhere.
var injections = []string{
	"' OR 1=1 --", `"; DROP TABLE claim; --`, "1; SELECT pg_sleep(10)", "<script>alert(1)</script>", "{{7*7}}", "${jndi:ldap://x}", "../../etc/passwd",
	"%s%n", "\\", "a\tb", "\u202e", "\U0001F4A9", "٣", "NULL", "nil", "undefined", "*", "_", "%", "()", "a,b,,", "0", "-1", "true", "[]", "{}",
}

// notText can be no value of any parameter, as it is written in a query.
var notText = []string{"", "%00", "a%00b", "%1F", "%7F", "%0A", "%FF", "%C3%28", "%ED%A0%80", "%zz", "%", "a%2", strings.Repeat("x", 2<<10), strings.Repeat("9", 2<<10), strings.Repeat("x", 8<<10), strings.Repeat("%41", 2<<10)}

var notNumbers = []string{
	"abc", "0x10", "1_000", "9223372036854775808", "-9223372036854775809", "1" + strings.Repeat("0", 40), "NaN", "nan", "Infinity", "-Inf", "inf", "1e400", "true", "null", "[]",
	"[1]", "1,2", "1 ", " 1", "+1", "--1", "1-", "٣", "½", "1;2", "' OR 1=1 --", "<b>", `"1"`, "1e", ".", "-",
}

var (
	notIntegers = []string{"1.5", "1.0", "1e3", "0.1", ".5"}
	notDates    = []string{
		"2026-02-29", "2026-02-30", "2026-04-31", "2026-13-01", "2026-00-10", "2026-01-00", "2026-1-1", "0000-01-01", "0001-01-01", "1969-12-31", "1970-01-01", "9999-12-31", "10000-01-01",
		"-2026-01-01", "20260101", "01/02/2026", "2026-01-01T00:00:00Z", "2026-01-01 ", "today", "yesterday", "46023", "1767225600", "NaN", "null", "' OR 1=1 --", "２０２６-01-01",
	}
	notTimes = []string{
		"2026-02-30T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-01-01T24:00:01Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:00+25:00", "0000-01-01T00:00:00Z",
		"0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "1767225600", "now", "NaN", "null", "' OR 1=1 --", "2026-01-01T00:00:00Zz",
	}
)

// wrongValues are values that a schema rules out.
func wrongValues(s *openapi3.Schema) (wrong []string) {
	switch {
	case s.Type.Is("array"):
		wrong = wrongValues(s.Items.Value)
		if s.MaxItems != nil {
			wrong = append(wrong, strings.TrimSuffix(strings.Repeat("a,", int(*s.MaxItems)+1), ","))
		}
		if len(s.Items.Value.Enum) > 0 {
			wrong = append(wrong, fmt.Sprint(s.Items.Value.Enum[0])+",", fmt.Sprint(s.Items.Value.Enum[0])+",nope")
		}
		return wrong
	case len(s.Enum) > 0:
		first := fmt.Sprint(s.Enum[0])
		wrong = append(slices.Clone(injections), "nope", first+" ", " "+first, first+first)
		if upper := strings.ToUpper(first); upper != first {
			wrong = append(wrong, upper)
		}
	case s.Type.Is("integer"), s.Type.Is("number"):
		wrong = slices.Clone(notNumbers)
		if s.Type.Is("integer") {
			wrong = append(wrong, notIntegers...)
		}
		if s.Min != nil {
			wrong = append(wrong, number(*s.Min-1), "-1000000")
		}
		if s.Max != nil {
			wrong = append(wrong, number(*s.Max+1), number(*s.Max*1e6))
		}
	case s.Format == "date":
		wrong = notDates
	case s.Format == "date-time":
		wrong = notTimes
	default:
		if s.MaxLength != nil {
			wrong = append(wrong, strings.Repeat("y", int(*s.MaxLength)+1), strings.Repeat("é", int(*s.MaxLength)+1))
		}
		if s.MinLength > 0 {
			wrong = append(wrong, strings.Repeat("y", int(s.MinLength)-1))
		}
	}
	return wrong
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// rightValues are values that a schema allows.
func rightValues(s *openapi3.Schema) (right []string) {
	switch {
	case s.Type.Is("array"):
		right = rightValues(s.Items.Value)
		return append(right, strings.Join(right[:min(len(right), 3)], ","))
	case len(s.Enum) > 0:
		for _, word := range s.Enum {
			right = append(right, fmt.Sprint(word))
		}
	case s.Type.Is("integer"), s.Type.Is("number"):
		right = []string{"1"}
		if s.Min != nil {
			right = append(right, number(*s.Min))
		}
		if s.Max != nil {
			right = append(right, number(*s.Max))
		}
		if s.Type.Is("number") {
			right = append(right, "0.5", "1e-3", "0.123456789012345678901234567890")
		}
	case s.Format == "date":
		right = []string{"2026-03-01", "2024-02-29", "1970-01-02", "2199-12-31"}
	case s.Format == "date-time":
		right = []string{"2026-03-01T00:00:00Z", "2026-03-01T00:00:00.123456789+05:30", "1970-01-01T00:00:00Z", "2199-12-31T23:59:59-12:00"}
	default:
		for _, text := range append([]string{"Aetna", "é"}, injections...) {
			n := uint64(len([]rune(text)))
			if !strings.ContainsFunc(text, isControl) && n >= s.MinLength && (s.MaxLength == nil || n <= *s.MaxLength) {
				right = append(right, text)
			}
		}
	}
	return right
}

// ownMeaning are parameters of which the schema tells not all.
var ownMeaning = map[string][]string{
	"customer": nil, "fields": nil, "cursor": nil,
	"page": {"1", "2"}, // no further than row 10,000
}

// Each parameter of each GET, wrong in each way that its schema knows, is 422 and
// named.
func TestAWrongParameterIsNamed(t *testing.T) {
	p := populate(t, worldOptions{})
	asked := 0
	check := func(op operation, name, query string) {
		asked++
		got := p.direct(http.MethodGet, p.token, p.at(op)+"?"+query, nil)
		problem := got.problem(http.StatusUnprocessableEntity, "invalid")
		for _, d := range problem.Errors {
			if d.Location == "query."+name || strings.HasPrefix(d.Location, "query."+name+"[") || d.Location == "query" && (len(query) > maxQuery || strings.Contains(query, "%")) {
				return
			}
		}
		t.Errorf("%s: nothing names %s: %s", got.request[:min(len(got.request), 300)], name, got.body)
	}
	for _, op := range p.operations() {
		if op.method != http.MethodGet {
			continue
		}
		for _, ref := range op.Parameters {
			if ref.Value.In != "query" {
				continue
			}
			name := ref.Value.Name
			for _, raw := range notText {
				check(op, name, name+"="+raw)
			}
			for _, value := range wrongValues(ref.Value.Schema.Value) {
				check(op, name, name+"="+url.QueryEscape(value))
			}
			check(op, name, name)
			check(op, name, name+"=1&"+name+"=1")
			check(op, name+"[]", name+"[]=1")
			check(op, strings.ToUpper(name), strings.ToUpper(name)+"=1")
		}
		for _, name := range []string{"nope", "format", "_", "id", "customer_id", "$where", "page%20", "a.b", "__proto__", "limit", "offset"} {
			unescaped, _ := url.QueryUnescape(name)
			check(op, printable(unescaped), name+"=1")
		}
		check(op, "", "=1")
		check(op, "?", "%20=1")
	}
	t.Log(asked, "requests")
}

// What a schema allows is answered.
func TestARightParameterIsTaken(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		token := w.a.tokens[upstream.Owner]
		for _, op := range w.operations() {
			if op.method != http.MethodGet || strings.Contains(op.path, "{id}") {
				continue
			}
			for _, ref := range op.Parameters {
				if ref.Value.In != "query" {
					continue
				}
				values, own := ownMeaning[ref.Value.Name]
				if !own {
					values = rightValues(ref.Value.Schema.Value)
				}
				for _, value := range values {
					query := ref.Value.Name + "=" + url.QueryEscape(value)
					if ref.Value.Name == "start_date" || ref.Value.Name == "end_date" {
						query = "start_date=" + value + "&end_date=" + value
					}
					w.direct(http.MethodGet, token, op.path+"?"+query, nil).want(http.StatusOK)
				}
			}
		}
		for query, status := range map[string]int{
			"customer=" + itoa(w.a.id): 200, "custome%72=" + itoa(w.a.id): 200, "customer=" + itoa(w.b.id): 404, "custome%72=" + itoa(w.b.id): 404, "customer=999": 404,
			"page=201&page_size=50": 422, "page=200&page_size=50": 200, "page=20&page_size=500": 200, "page=21&page_size=500": 422, "page=9223372036854775807": 422,
			"page=1&cursor=x": 422, "cursor=x": 422, "start_date=2026-02-02&end_date=2026-02-01": 422,
			"search=CLM&ordering=-id": 422, "search=CLM&ordering=claim_id": 200, "search=CLM": 200,
		} {
			w.direct(http.MethodGet, token, "claims/?"+query, nil).want(status)
		}
		for query, status := range map[string]int{
			"min_severity=0.5&max_severity=0.4": 422, "min_severity=0.5&max_severity=0.5": 200,
			"created_after=2026-01-02T00:00:00Z&created_before=2026-01-01T00:00:00Z": 422,
		} {
			w.direct(http.MethodGet, token, "drift-events/?"+query, nil).want(status)
		}
	})
}

// No id but that of something there is found, whatever it looks like.
func TestAWrongIDFindsNothing(t *testing.T) {
	p := populate(t, worldOptions{})
	ids := append(slices.Clone(notNumbers), notIntegers...)
	ids = append(append(ids, injections...), "0", "-1", "4611686018427387904", "9223372036854775807", "99999999", strings.Repeat("1", 2<<10), strings.Repeat("1", 8<<10), "\x00", "1\x00", "\xff", "é")
	for _, op := range p.operations() {
		if !strings.HasSuffix(op.path, "{id}/") || op.method == http.MethodPost {
			continue
		}
		for _, id := range ids {
			body := ""
			if op.method == http.MethodPatch {
				body = `{"status":"noise","payer":"x","cpt_group":"x","name":"x"}`
			}
			got := p.direct(op.method, p.tokenFor(op), strings.ReplaceAll(op.path, "{id}", url.PathEscape(id)), strings.NewReader(body), "Content-Type", "application/json")
			if got.status != http.StatusNotFound && got.status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %d %s", got.request, got.status, got.body)
			}
		}
	}
}

// Every route, POST and PATCH too, refuses what it does not know, and semicolons.
func TestAnUnknownParameterIsRefusedEverywhere(t *testing.T) {
	p := populate(t, worldOptions{})
	for _, op := range p.operations() {
		for _, query := range []string{"nope=1", "a;b", "x=1;y=2", "page=1;page_size=2", ";", "%zz=1", strings.Repeat("x", maxQuery+1), "=", "nope"} {
			got := p.direct(op.method, p.tokenFor(op), p.at(op)+"?"+query, strings.NewReader("{}"), "Content-Type", "application/json")
			got.problem(http.StatusUnprocessableEntity, "invalid")
		}
	}
}

func TestAWrongPathIsNotFound(t *testing.T) {
	p := populate(t, worldOptions{})
	for _, path := range []string{
		"nope/", "claims//", "/claims/", "./claims/", "claims/./", "claims/../claims/", "claims/..", "claims/%2e%2e/claims/", "claims%2F", "claims/1%2F", "claims/1%2f", "claims/%2F1", "claims/1/2/",
		"CLAIMS/", "claims%00/", "claims\u00e9/", "cl%61ims%2f/", strings.Repeat("a", 8<<10), strings.Repeat("a/", 4<<10), "claims/1;x/y", "%ff", "claims.json", "openapi", "docs/../claims/", "docs/nope",
	} {
		p.direct(http.MethodGet, p.token, path, nil).problem(http.StatusNotFound, "not_found")
	}
	for _, path := range []string{"/", "/api", "/api/v1", "/api/v2/claims/", "/favicon.ico"} {
		r := httptest.NewRequest(http.MethodGet, "http://upstream.example"+path, nil)
		got := httptest.NewRecorder()
		p.judge.ServeHTTP(got, r)
		if got.Code != http.StatusNotFound || got.Header().Get("Content-Type") != problemJSON {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
}

// HEAD answers as GET does, without a body; methods that a path does not have are
// 405, which names those that it has.
func TestEveryPathHasItsMethods(t *testing.T) {
	p := populate(t, worldOptions{})
	has := map[string]map[string]bool{}
	for _, op := range p.operations() {
		if has[op.path] == nil {
			has[op.path] = map[string]bool{}
		}
		has[op.path][op.method] = true
		if op.method != http.MethodGet {
			continue
		}
		has[op.path][http.MethodHead] = true
		path := p.at(op)
		get, head := p.direct(http.MethodGet, p.token, path, nil, "X-Request-Id", "one"), p.direct(http.MethodHead, p.token, path, nil, "X-Request-Id", "one")
		if len(head.body) != 0 {
			t.Errorf("HEAD %s has a body: %s", path, head.body)
		}
		if head.status != get.status || !maps.EqualFunc(get.header, head.header, slices.Equal) {
			t.Errorf("HEAD %s: %d %v, GET %d %v", path, head.status, head.header, get.status, get.header)
		}
	}
	for path, methods := range has {
		// A word in the place of an id is taken for one where methods differ.
		if scope, _, _ := strings.Cut(path, "/"); has[scope+"/{id}/"] != nil && strings.Count(path, "/") == 2 {
			for method := range has[scope+"/{id}/"] {
				methods[method] = true
			}
		}
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "BREW"} {
			if methods[method] {
				continue
			}
			for _, path := range []string{path, strings.TrimSuffix(path, "/")} {
				got := p.direct(method, p.token, strings.ReplaceAll(path, "{id}", "1"), nil)
				if method != "HEAD" {
					got.problem(http.StatusMethodNotAllowed, "method_not_allowed")
				}
				want := slices.Sorted(maps.Keys(methods))
				have := strings.Split(got.header.Get("Allow"), ", ")
				slices.Sort(have)
				if got.status != http.StatusMethodNotAllowed || !slices.Equal(want, have) {
					t.Errorf("%s %s: %d, Allow %v, want %v", method, path, got.status, have, want)
				}
			}
		}
	}
}

// Whatever a client would like to get, it gets JSON.
func TestAnswersAreJSONWhateverIsAccepted(t *testing.T) {
	w := newWorld(t, worldOptions{})
	for _, accept := range []string{"", "*/*", "application/json", "json", "text/html", "application/xml", "application/cbor", "application/foo+json", "application/problem+json", ";", ",,,", "*/*;q=0", strings.Repeat("a", 4<<10)} {
		for _, path := range []string{"claims/?page_size=1", "settings/", "health/"} {
			got := w.direct(http.MethodGet, w.a.tokens[upstream.Owner], path, nil, "Accept", accept).want(http.StatusOK)
			if kind := got.header.Get("Content-Type"); kind != "application/json" || !bytes.HasPrefix(got.body, []byte("{")) {
				t.Errorf("%s with Accept %q: %s", path, accept, kind)
			}
		}
	}
}
