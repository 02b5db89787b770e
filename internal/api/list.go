package api

import (
	"context"
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"upstream"
)

// OfCustomer is the parameter of every route about a customer's data.
type OfCustomer struct {
	Customer int64 `query:"customer" minimum:"1" doc:"Whose data, for superusers; one's own customer if not given."`
}

// Paging are the parameters of every list.
type Paging struct {
	Page     int    `query:"page" minimum:"1" doc:"The page, from 1. Without it next is a cursor. Pages end at row 10,000; a cursor goes on from there."`
	PageSize int    `query:"page_size" minimum:"1" maximum:"500" default:"50" doc:"Rows on a page."`
	Cursor   string `query:"cursor" maxLength:"512" doc:"A place in the list, as next and previous hold it. It costs the same at any depth, and no row is skipped or repeated."`
	Fields   string `query:"fields" maxLength:"1000" doc:"Names of fields, separated by commas: rows hold just these."`

	url url.URL
}

// Resolve keeps the address, from which links to other pages are made.
func (p *Paging) Resolve(ctx huma.Context) []error {
	p.url = ctx.URL()
	if p.Cursor != "" && p.Page != 0 {
		return []error{&huma.ErrorDetail{Location: "query.cursor", Message: "must not be given with page: each says where to begin"}}
	}
	return nil
}

// list is a page of a list.
type list[T any] struct {
	Count    int64    `json:"count" doc:"Rows in the whole list; at least so many where exact is false."`
	Exact    bool     `json:"exact" doc:"Whether count is exact: the rows of rare combinations of filters are counted up to a bound."`
	Next     *string  `json:"next" doc:"The next page; null on the last one."`
	Previous *string  `json:"previous" doc:"The page before; null on the first one."`
	Results  []row[T] `json:"results"`
}

// listOutput is the answer of a list.
type listOutput[T any] struct {
	Link string `header:"Link" doc:"The next page, as RFC 8288 writes it."`
	Body list[T]
}

// row is a row of a list with the fields that were asked for.
type row[T any] struct {
	value  *T
	fields []reflect.StructField // all when it is nil
}

// MarshalJSON writes the fields.
func (r row[T]) MarshalJSON() ([]byte, error) {
	if r.fields == nil {
		return json.Marshal(r.value)
	}
	b := []byte{'{'}
	v := reflect.ValueOf(r.value).Elem()
	for i, f := range r.fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendQuote(b, jsonName(f))
		value, err := json.Marshal(v.FieldByIndex(f.Index).Interface())
		if err != nil {
			return nil, err
		}
		b = append(append(b, ':'), value...)
	}
	return append(b, '}'), nil
}

// Schema is that of T without required fields: `fields` may leave any out.
func (row[T]) Schema(registry huma.Registry) *huma.Schema {
	t := reflect.TypeFor[T]()
	of := registry.Schema(t, true, t.Name())
	if of.Ref == "" {
		return of
	}
	partial := *registry.SchemaFromRef(of.Ref)
	partial.Required, partial.Title = nil, of.Ref[strings.LastIndex(of.Ref, "/")+1:]
	partial.PrecomputeMessages()
	return &partial
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// chosenFields returns the fields that a request names; nil for all.
func chosenFields[T any](names string) (out []reflect.StructField, err error) {
	if names == "" {
		return nil, nil
	}
	fields := reflect.VisibleFields(reflect.TypeFor[T]())
	fields = slices.DeleteFunc(fields, func(f reflect.StructField) bool { return jsonName(f) == "" || jsonName(f) == "-" })
	var all, seen []string
	for _, f := range fields {
		all = append(all, jsonName(f))
	}
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		i := slices.Index(all, name)
		if i < 0 {
			return nil, invalids{{"query.fields", "there is no such field; there are " + strings.Join(all, ", ")}}
		}
		if slices.Contains(seen, name) {
			return nil, invalids{{"query.fields", "names a field twice"}}
		}
		out, seen = append(out, fields[i]), append(seen, name)
	}
	return out, nil
}

// asked is the page that a request asks for.
func (p *Paging) asked(ctx context.Context) (upstream.Page, error) {
	page := upstream.Page{Size: p.PageSize}
	if p.Page > 1 {
		if p.Page > upstream.MaxOffset || p.Page*p.PageSize > upstream.MaxOffset {
			return page, invalids{{"query.page", "pages by number end at row " + itoa(upstream.MaxOffset) + "; follow `next`, which holds a cursor from there on"}}
		}
		page.Offset = (p.Page - 1) * p.PageSize
	}
	if p.Cursor == "" {
		return page, nil
	}
	c := of(ctx)
	w, at, ok := c.server.decodeCursor(c.bound(p.url.Path, p.url.Query()), p.Cursor)
	if !ok {
		return page, invalids{{"query.cursor", "is none of this list; take `next` or `previous` as they are, and the same filters"}}
	}
	if w == back {
		page.Before = at
	} else {
		page.After = at
	}
	return page, nil
}

// output makes the answer of a list, whose rows are shown as view says.
func output[T, R any](ctx context.Context, p *Paging, page upstream.Page, found upstream.List[T], view func(*T) R) (*listOutput[R], error) {
	fields, err := chosenFields[R](p.Fields)
	if err != nil {
		return nil, err
	}
	out := &listOutput[R]{Body: list[R]{Count: found.Count.N, Exact: found.Count.Exact, Results: make([]row[R], len(found.Items))}}
	for i := range found.Items {
		shown := view(&found.Items[i])
		out.Body.Results[i] = row[R]{&shown, fields}
	}
	out.Body.Next, out.Body.Previous = p.links(ctx, page, found.Next, found.Previous)
	if out.Body.Next != nil {
		out.Link = "<" + *out.Body.Next + `>; rel="next"`
	}
	return out, nil
}

// links are the pages beside this one. Pages by number lead to pages by number, as
// long as there are such; others to a cursor, which skips and repeats nothing while
// rows come and go.
func (p *Paging) links(ctx context.Context, page upstream.Page, after, before upstream.Key) (next, previous *string) {
	c := of(ctx)
	cursor := func(w way, at upstream.Key) *string {
		return p.link(c.server, "cursor", c.server.encodeCursor(c.bound(p.url.Path, p.url.Query()), w, at))
	}
	byNumber := p.Page > 0
	number := page.Offset/page.Limit() + 1
	switch {
	case after.IsZero():
	case byNumber && (number+1)*page.Limit() <= upstream.MaxOffset:
		next = p.link(c.server, "page", strconv.Itoa(number+1))
	default:
		next = cursor(forth, after)
	}
	switch {
	case byNumber && number > 1:
		previous = p.link(c.server, "page", strconv.Itoa(number-1))
	case !byNumber && !before.IsZero():
		previous = cursor(back, before)
	}
	return next, previous
}

// link is the address of another page of the same list.
func (p *Paging) link(s *Server, name, value string) *string {
	query := p.url.Query()
	query.Del("page")
	query.Del("cursor")
	query.Set(name, value)
	text := s.PublicURL + p.url.Path + "?" + query.Encode()
	return &text
}

// found answers with a page of a list whose rows are shown as they are.
func found[T any](ctx context.Context, p *Paging, read func(upstream.Page) (upstream.List[T], error)) (*listOutput[T], error) {
	page, err := p.asked(ctx)
	if err != nil {
		return nil, err
	}
	list, err := read(page)
	if err != nil {
		return nil, err
	}
	return output(ctx, p, page, list, func(t *T) T { return *t })
}
