package load

import (
	"encoding/json"
	"html/template"
	"slices"
)

// event is what the page's script draws from: an event of the live page, or the data
// within a report. A reader cuts its rows at From and appends Rows, so that an event that
// comes twice does no harm.
type event struct {
	From  int                      `json:"from"` // the number of the first of Rows
	Rows  []json.RawMessage        `json:"rows"`
	State State                    `json:"state,omitempty"`
	Users int                      `json:"users,omitempty"` // that are wanted
	Rate  float64                  `json:"rate,omitempty"`  // of spawning
	Parts map[string]template.HTML `json:"parts,omitempty"` // parts of the page that have changed, by id
}

// MarshalJSON writes a row as charts take it: [end in Unix seconds, users, requests a
// second, failures a second, p50, p95, p99, heat]. Times are milliseconds, null without
// requests, and so are rates in a row that is too short for one; heat is band, count,
// band, count, without those of none.
func (r *Row) MarshalJSON() ([]byte, error) {
	rates, times, heat := []any{nil, nil}, []any{nil, nil, nil}, []int64{}
	if r.Whole() {
		rates = []any{round(r.RPS()), round(perSecond(r.Failures, r.Span))}
	}
	if r.Requests > 0 {
		times = []any{round(r.P50), round(r.P95), round(r.P99)}
	}
	for band, n := range r.Heat {
		if n > 0 {
			heat = append(heat, int64(band), n)
		}
	}
	return json.Marshal(slices.Concat([]any{unix(r.At), r.Users}, rates, times, []any{heat}))
}

// round keeps three digits after the point, as many as a chart can show.
func round(f float64) float64 { return float64(int64(f*1000+.5)) / 1000 }

func encodeRows(rows []Row) (all []json.RawMessage) {
	for i := range rows {
		b, err := rows[i].MarshalJSON()
		if err != nil {
			panic(err) // numbers and nil
		}
		all = append(all, b)
	}
	return all
}

// downsample joins rows that follow each other, so that there are at most some.
func downsample(rows []Row, most int) (fewer []Row) {
	each := (len(rows) + most - 1) / most
	for group := range slices.Chunk(rows, max(each, 1)) {
		joined := group[0]
		for i := range group[1:] {
			joined = joined.with(&group[i+1])
		}
		fewer = append(fewer, joined)
	}
	return fewer
}

// classRatio is which share of all users a class has, and what they do.
type classRatio struct {
	Name  string
	Users int
	Share float64 // from 0 to 1
	Tasks []taskRatio
}

type taskRatio struct {
	Name           string
	OfClass, OfAll float64 // from 0 to 1
}

func ratios(classes []*Class, users map[string]int) (all []classRatio) {
	total := 0
	for _, n := range users {
		total += n
	}
	for _, c := range classes {
		r := classRatio{Name: c.Name, Users: users[c.Name], Share: float64(users[c.Name]) / float64(max(total, 1))}
		weights := 0
		for _, t := range c.Tasks {
			weights += weight(t.Weight)
		}
		for _, t := range c.Tasks {
			share := float64(weight(t.Weight)) / float64(weights)
			r.Tasks = append(r.Tasks, taskRatio{t.Name, share, share * r.Share})
		}
		all = append(all, r)
	}
	return all
}
