package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"upstream"
	"upstream/internal/store"
)

// page is a page of any list.
type page struct {
	Count    int64
	Exact    bool
	Next     *string
	Previous *string
	Results  []map[string]any
}

// rowKey tells rows of a list apart.
func rowKey(r map[string]any) string {
	for _, name := range []string{"id", "row"} {
		if v, ok := r[name]; ok {
			return fmt.Sprintf("%.0f", v)
		}
	}
	return fmt.Sprint(r)
}

func keysOf(p page) (keys []string) {
	for _, r := range p.Results {
		keys = append(keys, rowKey(r))
	}
	return keys
}

// open gets a page by a path after Prefix, or a link of another page.
func (p *populated) open(link string) (out page, r *response) {
	p.Helper()
	r = p.direct(http.MethodGet, p.token, strings.TrimPrefix(link, Prefix), nil).want(http.StatusOK)
	r.decode(&out)
	return out, r
}

// walk follows next to the end, and previous back, and returns the keys of all rows.
func (p *populated) walk(path string, between func()) (forth []string) {
	p.Helper()
	var last page
	for link, n := path, 0; ; n++ {
		now, r := p.open(link)
		forth = append(forth, keysOf(now)...)
		if (n == 0) != (now.Previous == nil) {
			p.Errorf("%s: page %d has the previous page %v", path, n, now.Previous)
		}
		last = now
		if now.Next == nil {
			if r.header.Get("Link") != "" {
				p.Errorf("%s: the last page links to %s", path, r.header.Get("Link"))
			}
			break
		}
		if want := "<" + *now.Next + `>; rel="next"`; r.header.Get("Link") != want {
			p.Errorf("%s: Link %s, want %s", path, r.header.Get("Link"), want)
		}
		if n > 2000 {
			p.Fatalf("%s: no end", path)
		}
		link = *now.Next
		if between != nil {
			between()
		}
	}
	back := keysOf(last)
	for last.Previous != nil {
		last, _ = p.open(*last.Previous)
		back = append(keysOf(last), back...)
	}
	if between == nil && !slices.Equal(forth, back) {
		p.Errorf("%s: there %d rows %v, back %d %v", path, len(forth), clip(forth), len(back), clip(back))
	}
	seen := map[string]bool{}
	for _, k := range forth {
		if seen[k] {
			p.Errorf("%s: row %s twice", path, k)
		}
		seen[k] = true
	}
	return forth
}

func clip(keys []string) []string { return keys[:min(len(keys), 20)] }

// withQuery sets a parameter.
func withQuery(path, name, value string) string {
	before, query, _ := strings.Cut(path, "?")
	values, _ := url.ParseQuery(query)
	values.Set(name, value)
	return before + "?" + values.Encode()
}

// listed is a world with several pages of everything.
func listed(t testing.TB, o worldOptions) *populated {
	t.Helper()
	o.claims = max(o.claims, 400)
	p := populate(t, o)
	ctx := context.Background()
	tenant := p.tenant(p.a)
	for i := range 12 {
		if _, _, err := tenant.RequestRun(ctx, store.RunRequest{Type: "custom", Detector: "upstream"}, today.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := tenant.CreatePayerMapping(ctx, upstream.PayerMapping{Raw: fmt.Sprintf("PAYER %d", i), Payer: "Payer"}); err != nil {
			t.Fatal(err)
		}
		if _, err := tenant.CreateCPTMapping(ctx, upstream.CPTMapping{Code: strconv.Itoa(20000 + i), CPTGroup: "Group"}); err != nil {
			t.Fatal(err)
		}
		if _, err := p.store.CreateUser(ctx, upstream.User{Username: fmt.Sprintf("user%d", i), Customer: p.a.id, Role: upstream.Viewer}, hashOnce(), today); err != nil {
			t.Fatal(err)
		}
		p.post(p.token, "api-keys/", map[string]string{"name": fmt.Sprint("key ", i), "role": "viewer"}).want(http.StatusCreated)
		p.ask(http.MethodPost, p.token, "uploads/", strings.NewReader(goodCSV(i)), "Content-Type", "text/csv").want(http.StatusAccepted)
	}
	p.ids["rejects"] = p.loadRejects(23)
	p.server.audit.flush(ctx) // nothing that is not asked for comes later
	return p
}

// goodCSV is a small file of claims, another one for each n.
func goodCSV(n int) string {
	return "claim_id,payer,cpt,service_date,submitted_date,decided_date,outcome,billed,allowed,paid\n" +
		fmt.Sprintf("N%06d,Aetna,99213,2026-01-05,2026-01-07,2026-01-20,PAID,120.00,80.00,64.00\n", n)
}

// loadRejects loads a file of which n rows can't be used.
func (p *populated) loadRejects(n int) int64 {
	p.Helper()
	row := 0
	loaded, err := p.tenant(p.a).Load(context.Background(), store.Source{Filename: "bad.csv", SHA256: fmt.Sprintf("%064d", n), FileDate: upstream.DayOf(today), Next: func(*upstream.Claim) (*upstream.Reject, error) {
		if row++; row > n {
			return nil, io.EOF
		}
		return &upstream.Reject{Row: int64(row * 3), Column: "paid", ValueClass: "text", Reason: "is not an amount"}, nil
	}}, store.LoadOptions{Now: today})
	if err != nil {
		p.Fatal(err)
	}
	return loaded.ID
}

// lists are all lists and their orders.
func (p *populated) lists() []string {
	paths := []string{
		"audit/", "uploads/", "reports/", "report-runs/", "users/", "api-keys/", "payer-mappings/", "cpt-mappings/", "customers/", "uploads/" + itoa(p.ids["rejects"]) + "/rejects/",
		"claims/?outcome=denied,paid&start_date=2025-06-01", "claims/?search=" + p.claimNumber()[:3], "reports/?status=running",
	}
	for _, op := range p.operations() {
		for _, ref := range op.Parameters {
			if op.method == http.MethodGet && ref.Value.Name == "ordering" {
				for _, order := range ref.Value.Schema.Value.Enum {
					if path := op.path + "?ordering=" + fmt.Sprint(order); !strings.HasSuffix(path, "claim_id") {
						paths = append(paths, path)
					}
				}
			}
		}
	}
	return paths
}

// claimNumber is that of some claim.
func (p *populated) claimNumber() string {
	p.Helper()
	some, _ := p.open("claims/?page_size=1")
	return fmt.Sprint(some.Results[0]["claim_id"])
}

func TestAListIsWalkedThereAndBack(t *testing.T) {
	for _, e := range engines {
		t.Run(e.Name, func(t *testing.T) {
			p := listed(t, worldOptions{url: e.URL(t)})
			for _, path := range p.lists() {
				// Reads are written down within a second; until then the log grows.
				if strings.HasPrefix(path, "audit/") {
					p.eventually("nothing waits to be written down", func() bool { return p.server.AuditWaiting() == 0 })
				}
				whole := p.walk(withQuery(path, "page_size", "500"), nil)
				first, _ := p.open(path)
				if len(whole) == 0 || first.Exact && first.Count != int64(len(whole)) || first.Count > int64(len(whole)) {
					t.Errorf("%s: count %d (exact: %t) of %d rows", path, first.Count, first.Exact, len(whole))
				}
				sizes := []string{"1", "7", "50"}
				switch {
				case len(whole) > 60:
					sizes = []string{"50"}
				case strings.Contains(path, "ordering"):
					sizes = []string{"7"}
				}
				for _, size := range sizes {
					for _, begin := range []string{withQuery(path, "page_size", size), withQuery(withQuery(path, "page_size", size), "page", "1")} {
						if got := p.walk(begin, nil); !slices.Equal(got, whole) {
							t.Errorf("%s: %d rows %v, want %d %v", begin, len(got), clip(got), len(whole), clip(whole))
						}
					}
				}
				slashless := strings.Replace(path, "/?", "?", 1)
				if slashless == path {
					slashless = strings.TrimSuffix(path, "/")
				}
				if got := p.walk(slashless, nil); !slices.Equal(got, whole) {
					t.Errorf("%s: %v, with its slash %v", slashless, clip(got), clip(whole))
				}
				p.beyond(path, len(whole))
				p.foreignCursors(path)
			}
		})
	}
}

// beyond asks for pages that there are not.
func (p *populated) beyond(path string, rows int) {
	p.Helper()
	first, _ := p.open(path)
	past, _ := p.open(withQuery(withQuery(path, "page", strconv.Itoa(rows+1)), "page_size", "1"))
	if len(past.Results) != 0 || past.Results == nil || past.Count != first.Count || past.Next != nil {
		p.Errorf("%s: past the end: %+v, count %d", path, past, first.Count)
	}
	r := p.direct(http.MethodGet, p.token, withQuery(withQuery(path, "page", "10001"), "page_size", "1"), nil)
	if problem := r.problem(http.StatusUnprocessableEntity, "invalid"); !hasLocation(problem, "query.page") || !strings.Contains(problem.Detail, "cursor") {
		p.Errorf("%s: %s", path, r.body)
	}
}

// foreignCursors uses the cursor of a list for another one, and changed.
func (p *populated) foreignCursors(path string) {
	p.Helper()
	first, _ := p.open(withQuery(path, "page_size", "1"))
	if first.Next == nil {
		return
	}
	link, err := url.Parse(*first.Next)
	if err != nil {
		p.Fatal(err)
	}
	cursor := link.Query().Get("cursor")
	if cursor == "" {
		p.Fatalf("%s leads to %s", path, *first.Next)
	}
	short := strings.TrimPrefix(link.Path, Prefix)
	wrong := map[string]string{
		"cut":       withQuery(path, "cursor", cursor[:len(cursor)-1]),
		"longer":    withQuery(path, "cursor", cursor+"A"),
		"changed":   withQuery(path, "cursor", flip(cursor, len(cursor)/2)),
		"the key":   withQuery(path, "cursor", flip(cursor, 3)),
		"padded":    withQuery(path, "cursor", cursor+"=="),
		"nonsense":  withQuery(path, "cursor", "x"),
		"and page":  withQuery(withQuery(path, "cursor", cursor), "page", "2"),
		"elsewhere": "drift-events/active/?cursor=" + cursor,
	}
	if short == "claims/" || short == "drift-events/" {
		wrong["another filter"] = withQuery(withQuery(path, "cursor", cursor), "payer", "Nobody")
		wrong["no filter"] = short + "?cursor=" + cursor + "&ordering=" + map[bool]string{true: "id", false: "-dollars"}[short == "claims/"]
		if strings.HasSuffix(path, "ordering=id") || strings.HasSuffix(path, "ordering=-dollars") {
			delete(wrong, "no filter")
		}
	}
	for name, target := range wrong {
		r := p.direct(http.MethodGet, p.token, target, nil)
		if problem := r.problem(http.StatusUnprocessableEntity, "invalid"); !hasLocation(problem, "query.cursor") {
			p.Errorf("%s, %s: %s", path, name, r.body)
		}
	}
	if short != "customers/" {
		p.direct(http.MethodGet, p.super, withQuery(withQuery(path, "cursor", cursor), "customer", itoa(p.a.id)), nil).want(http.StatusOK)
		if !strings.Contains(short, "rejects") {
			p.direct(http.MethodGet, p.super, withQuery(withQuery(path, "cursor", cursor), "customer", itoa(p.b.id)), nil).problem(http.StatusUnprocessableEntity, "invalid")
		}
	}
	r := p.direct(http.MethodGet, p.token, withQuery(withQuery(path, "cursor", cursor), "fields", "nope"), nil)
	if problem := r.problem(http.StatusUnprocessableEntity, "invalid"); !hasLocation(problem, "query.fields") {
		p.Errorf("%s: %s", path, r.body)
	}
}

func flip(text string, at int) string {
	b := []byte(text)
	if b[at] == 'A' {
		b[at] = 'B'
	} else {
		b[at] = 'A'
	}
	return string(b)
}

// Links keep what was asked: filters, size, fields and the customer.
func TestLinksKeepWhatWasAsked(t *testing.T) {
	p := listed(t, worldOptions{change: func(o *Options) { o.PublicURL = "https://upstream.example" }})
	r := p.direct(http.MethodGet, p.super, "claims/?outcome=paid,denied&start_date=2025-06-01&page_size=3&fields=id,payer&customer="+itoa(p.a.id), nil).want(http.StatusOK)
	var got page
	r.decode(&got)
	if got.Next == nil || !strings.HasPrefix(*got.Next, "https://upstream.example"+Prefix+"claims/?") {
		t.Fatalf("%s", r.body)
	}
	u, err := url.Parse(*got.Next)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"outcome": "paid,denied", "start_date": "2025-06-01", "page_size": "3", "fields": "id,payer", "customer": itoa(p.a.id)} {
		if u.Query().Get(name) != want {
			t.Errorf("%s is %q in %s", name, u.Query().Get(name), u)
		}
	}
	for _, row := range got.Results {
		if len(row) != 2 || row["id"] == nil || row["payer"] == nil {
			t.Errorf("a row holds %v", row)
		}
	}
}

// Each field of each list can be asked for alone, and no other.
func TestFieldsAreThoseThatWereAskedFor(t *testing.T) {
	p := listed(t, worldOptions{})
	for _, path := range p.lists() {
		if strings.Contains(path, "ordering=") && !strings.HasSuffix(path, "=id") && !strings.HasSuffix(path, "=dollars") {
			continue // they have the same fields
		}
		whole, _ := p.open(withQuery(path, "page_size", "3"))
		once := true
		for name := range whole.Results[0] {
			some, _ := p.open(withQuery(withQuery(path, "page_size", "3"), "fields", name))
			for i, row := range some.Results {
				if len(row) != 1 || fmt.Sprint(row[name]) != fmt.Sprint(whole.Results[i][name]) {
					t.Errorf("%s: %s of row %d is %v, want %v", path, name, i, row, whole.Results[i][name])
				}
			}
			if !once {
				continue
			}
			once = false
			for _, wrong := range []string{name + "," + name, name + ",", "," + name, name + ",nope", strings.ToUpper(name), name + ".x", "-", "*", "Tally"} {
				r := p.direct(http.MethodGet, p.token, withQuery(path, "fields", wrong), nil)
				if problem := r.problem(http.StatusUnprocessableEntity, "invalid"); !hasLocation(problem, "query.fields") {
					t.Errorf("%s, fields=%s: %s", path, wrong, r.body)
				}
			}
		}
	}
}

// Rows that come between two pages move no row from one to the other.
func TestRowsThatComeMeanwhileSkipAndRepeatNothing(t *testing.T) {
	for _, e := range engines {
		t.Run(e.Name, func(t *testing.T) {
			p := listed(t, worldOptions{url: e.URL(t)})
			n := 100
			more := func() {
				n++
				p.ask(http.MethodPost, p.token, "uploads/", strings.NewReader(goodCSV(n)), "Content-Type", "text/csv").want(http.StatusAccepted)
				p.post(p.token, "payer-mappings/", map[string]string{"raw_name": fmt.Sprint("NEW ", n), "payer": "New"}).want(http.StatusCreated)
				p.post(p.token, "reports/trigger/", map[string]string{}).want(http.StatusAccepted)
				p.loadMore(n)
			}
			for _, path := range []string{"uploads/", "audit/", "payer-mappings/", "reports/", "claims/", "claims/?ordering=decided_date", "claims/?ordering=-id", "claims/?ordering=submitted_date", "claims/?outcome=paid"} {
				before := p.walk(withQuery(path, "page_size", "500"), nil)
				during := p.walk(withQuery(path, "page_size", strconv.Itoa(len(before)/4+1)), more)
				there := map[string]bool{}
				for _, k := range during {
					there[k] = true
				}
				for _, k := range before {
					if !there[k] {
						t.Errorf("%s: row %s was skipped", path, k)
					}
				}
			}
		})
	}
}

// loadMore loads a claim of each outcome.
func (p *populated) loadMore(n int) {
	p.Helper()
	var claims []upstream.Claim
	for o := upstream.Pending; o <= upstream.Reversed; o++ {
		c := upstream.Claim{ClaimID: fmt.Sprintf("MORE%d-%d", n, o), Line: 1, Payer: "Aetna", CPT: "99213", Outcome: o, ServiceDate: upstream.DayOf(today) - 60, SubmittedDate: upstream.DayOf(today) - 50, Billed: 100_00}
		if o != upstream.Pending {
			c.DecidedDate = upstream.DayOf(today) - 20
		}
		claims = append(claims, c)
	}
	_, err := p.tenant(p.a).Load(context.Background(), store.Source{Filename: "more.csv", SHA256: fmt.Sprintf("m%063d", n), FileDate: upstream.DayOf(today), Next: func(c *upstream.Claim) (*upstream.Reject, error) {
		if len(claims) == 0 {
			return nil, io.EOF
		}
		*c, claims = claims[0], claims[1:]
		return nil, nil
	}}, store.LoadOptions{Now: today})
	if err != nil {
		p.Fatal(err)
	}
}
