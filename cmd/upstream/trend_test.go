package main

import (
	"encoding/json"
	"testing"
)

func TestTrendShowsWeeksAndHatchesYoungOnes(t *testing.T) {
	w := inSQLite(t)
	w.year(60_000)
	contains(t, w.must("trend", "--customer", "1", "--weeks", "20"), "Aetna\n", "WEEK OF", "█", "░")
	var trends []payerTrend
	if err := json.Unmarshal([]byte(w.must("trend", "--customer", "1", "--payer", "aetna", "--json")), &trends); err != nil {
		t.Fatal(err)
	}
	if len(trends) != 1 || trends[0].Payer != "Aetna" || len(trends[0].Weeks) != 26 {
		t.Fatalf("%+v", trends)
	}
	if last := trends[0].Weeks[25]; !last.Immature || last.Submitted == 0 {
		t.Errorf("the last week is %+v", last)
	}
	if first := trends[0].Weeks[0]; first.Immature || first.DecidedShare < .9 || first.DenialRate > .5 {
		t.Errorf("the first week is %+v", first)
	}
}

func TestTrendRefusesWhatIsNotThere(t *testing.T) {
	w := inSQLite(t)
	w.year(5_000)
	contains(t, w.fails(exitFailed, "trend", "--customer", "1", "--payer", "Nobody"), "leave --payer out")
	contains(t, w.fails(exitFailed, "trend", "--customer", "1", "--as-of", "2001-01-01"), "later --as-of")
	contains(t, w.fails(exitFailed, "trend", "--customer", "1", "--as-of", "soon"), "is not a date")
	contains(t, w.fails(exitFailed, "trend", "--customer", "1", "--weeks", "0"), "--weeks")
}
