package drift

import (
	"reflect"
	"testing"

	"upstream"
)

func TestPromptPayCountsBreaches(t *testing.T) {
	started := func(days map[int]int32) []int32 {
		out := make([]int32, 200)
		for day, n := range days {
			out[day] = n
		}
		return out
	}
	w := &upstream.Waits{From: simStart, To: simDay(199), Payers: []upstream.PayerWaits{
		{Payer: "Aetna", Clock: upstream.DecisionClock, Undecided: true, Started: started(map[int]int32{5: 9, 100: 10, 169: 2, 168: 3, 190: 4}), Ended: []upstream.Wait{
			{Start: 5, Lag: 40, Count: 8},   // before the 90 days
			{Start: 100, Lag: 30, Count: 5}, // in time
			{Start: 100, Lag: 31, Count: 4}, // late
			{Start: 100, Lag: 120, Count: 1},
		}},
		{Payer: "Aetna", Clock: upstream.PaymentClock, Started: started(map[int]int32{100: 5}), Ended: []upstream.Wait{{Start: 100, Lag: 60, Count: 5}}},
		{Payer: "Cigna", Clock: upstream.DecisionClock, Started: started(map[int]int32{100: 5}), Ended: []upstream.Wait{{Start: 100, Lag: 60, Count: 3}}},
		{Payer: "Humana", Clock: upstream.DecisionClock, Undecided: true, Started: started(map[int]int32{190: 5}), Ended: []upstream.Wait{{Start: 190, Lag: -2, Count: 5}}},
	}}
	got := promptPay(w, simDay(250), 0)
	want := []upstream.PromptPay{
		// Overdue: one of day 5, one of day 100 whose decision is later, three of day 168.
		{Payer: "Aetna", LimitDays: 30, FirstDay: simDay(110), LastDay: simDay(199), Decided: 9, Late: 4, Overdue: 5},
		{Payer: "Cigna", LimitDays: 30, FirstDay: simDay(110), LastDay: simDay(199), Decided: 3, Late: 3},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
	if got := promptPay(w, simDay(199), 61); len(got) != 1 || got[0].Overdue != 2 || got[0].Late != 0 {
		t.Errorf("a limit of 61 days: %+v", got)
	}
	if got := promptPay(w, simDay(-10), 30); len(got) != 0 {
		t.Errorf("before the data: %+v", got)
	}
}
