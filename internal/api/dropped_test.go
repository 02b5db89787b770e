package api

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// While the database is away reads are kept in memory, up to a bound; what comes
// after it is counted, as somebody has to know.
func TestReadsThatCannotBeKeptAreCounted(t *testing.T) {
	dropped := 0
	a := newAuditor(nil, nil, nil, func() { dropped++ })
	c := &call{route: &route{op: &huma.Operation{OperationID: "get_claims"}}}
	a.size = keepWaiting // full, in bytes
	for i := range 3 {
		r := httptest.NewRequest(http.MethodGet, "/?page="+strconv.Itoa(i), nil)
		a.read(c, r, &answer{})
		a.read(c, r, &answer{}) // the same again is the same entry, if there is one
	}
	if len(a.order) != 0 || dropped != 6 || a.lost != 6 {
		t.Errorf("%d wait, %d are counted as dropped, %d will be logged", len(a.order), dropped, a.lost)
	}
}
