package upstream

import "testing"

func TestCPTRangesAreSortedAndApart(t *testing.T) {
	for i, r := range cptRanges {
		if len(r.first) != 5 || len(r.last) != 5 || r.first > r.last || r.group == "" {
			t.Errorf("range %+v", r)
		}
		if i > 0 && cptRanges[i-1].last >= r.first {
			t.Errorf("%+v begins before %+v ends", r, cptRanges[i-1])
		}
	}
}
