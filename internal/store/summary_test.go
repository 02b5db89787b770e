package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"upstream"
)

// naiveSummary is PayerSummary by the plain definition.
func naiveSummary(claims []upstream.Claim, first, last upstream.Day) []upstream.PayerSummary {
	payers := map[string]*upstream.PayerSummary{}
	lags, allowed := map[string][]int{}, map[string]upstream.Money{}
	for _, c := range claims {
		if c.SubmittedDate < first || c.SubmittedDate > last {
			continue
		}
		p := payers[c.Payer]
		if p == nil {
			p = &upstream.PayerSummary{Payer: c.Payer}
			payers[c.Payer] = p
		}
		p.TotalClaims++
		p.Allowed += c.Allowed
		p.Paid += c.Paid
		switch {
		case c.FirstDecidedDate == 0:
			p.PendingCount++
		case c.IsDenial():
			p.DeniedCount++
		case c.IsDecided():
			p.PaidCount++
			allowed[c.Payer] += c.Allowed
		default:
			p.OtherCount++
		}
		if c.IsDecided() {
			lags[c.Payer] = append(lags[c.Payer], int(c.FirstDecidedDate-c.SubmittedDate))
		}
	}
	out := []upstream.PayerSummary{}
	for _, payer := range slices.Sorted(maps.Keys(payers)) {
		p := payers[payer]
		if days := lags[payer]; len(days) > 0 {
			slices.Sort(days)
			p.MedianDaysToDecision = new(float64(days[(len(days)-1)/2]+days[len(days)/2]) / 2)
			p.DenialRate = new(float64(p.DeniedCount) / float64(p.DeniedCount+p.PaidCount))
		}
		if n := upstream.Money(p.PaidCount); n > 0 {
			p.AvgAllowed = new((2*allowed[payer] + n) / (2 * n))
		}
		out = append(out, *p)
	}
	return out
}

func naiveTrend(claims []upstream.Claim, payer string, unit upstream.PeriodUnit, first, last upstream.Day) (out []upstream.PeriodRate) {
	for day := first; day <= last; day++ {
		if n := len(out); n == 0 || out[n-1].Period != unit.First(day) {
			out = append(out, upstream.PeriodRate{Period: unit.First(day)})
		}
		p := &out[len(out)-1]
		for _, c := range claims {
			if c.IsDecided() && c.FirstDecidedDate == day && (payer == "" || c.Payer == payer) {
				p.Decided++
				if c.IsDenial() {
					p.Denied++
				}
			}
		}
	}
	for i := range out {
		if p := &out[i]; p.Decided > 0 {
			p.DenialRate = new(float64(p.Denied) / float64(p.Decided))
		}
	}
	return out
}

func TestSummariesAndTrendsAreThoseOfTheClaims(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		number := 0
		rapid.Check(t, func(r *rapid.T) {
			ctx := context.Background()
			number++
			tenant := customer(r, s, fmt.Sprint("customer ", number))
			for step := range rapid.IntRange(1, 5).Draw(r, "steps") {
				doSomething(r, tenant, step)
			}
			claims := allStored(r, tenant)
			first := upstream.Day(20_000 + rapid.IntRange(-20, 90).Draw(r, "first"))
			last := first + upstream.Day(rapid.IntRange(0, 120).Draw(r, "days"))
			summary, err := tenant.PayerSummary(ctx, first, last)
			if diff := cmp.Diff(naiveSummary(claims, first, last), summary); diff != "" || err != nil {
				r.Fatalf("%v, by definition -, read +\n%s", err, diff)
			}
			for _, payer := range append(somePayers, "") {
				for _, unit := range []upstream.PeriodUnit{upstream.Week, upstream.Month} {
					trend, err := tenant.DenialRateTrend(ctx, payer, unit, first, last)
					if diff := cmp.Diff(naiveTrend(claims, payer, unit, first, last), trend); diff != "" || err != nil {
						r.Fatalf("%q by %s: %v, by definition -, read +\n%s", payer, unit, err, diff)
					}
				}
			}
		})
	})
}

func TestSummariesAndTrendsOfNoDays(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		if _, err := tenant.PayerSummary(ctx, 2, 1); upstream.ErrorCode(err) != upstream.Invalid {
			t.Errorf("days the wrong way round: %v", err)
		}
		for name, read := range map[string]func() ([]upstream.PeriodRate, error){
			"the wrong way round": func() ([]upstream.PeriodRate, error) { return tenant.DenialRateTrend(ctx, "", upstream.Week, 2, 1) },
			"by day":              func() ([]upstream.PeriodRate, error) { return tenant.DenialRateTrend(ctx, "", "day", 1, 2) },
			"of a century": func() ([]upstream.PeriodRate, error) {
				return tenant.DenialRateTrend(ctx, "", upstream.Month, 1, 36_500)
			},
		} {
			if _, err := read(); upstream.ErrorCode(err) != upstream.Invalid {
				t.Errorf("a trend %s: %v", name, err)
			}
		}
		if got, err := tenant.PayerSummary(ctx, 1, 2); err != nil || got == nil || len(got) != 0 {
			t.Errorf("the summary of no claims: %v, %v", got, err)
		}
	})
}

func TestDashboardShowsWhatIsThere(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		tenant := customer(t, s, "A")
		today := upstream.MakeDay(2026, 3, 31) // a month before has no such day
		got, err := tenant.Dashboard(ctx, "upstream", today)
		if err != nil || got.TotalClaims != 0 || len(got.DenialRateTrend) != 12 || got.DenialRateTrend[0].Month != "2025-04" ||
			got.DenialRateTrend[11].Month != "2026-03" || got.DenialRateTrend[11].DenialRate != nil || got.TopDriftPayers == nil {
			t.Errorf("of nothing: %+v, %v", got, err)
		}
		day := upstream.MakeDay(2026, 2, 3)
		load(t, tenant, source("one", decided("1", day, 1, upstream.Denied), decided("2", day, 2, upstream.Paid), pending("3", day)), 0)
		load(t, tenant, source("two", decided("4", day-300, 2, upstream.Paid)), 0)
		alert := func(payer string, severity float64, dollars upstream.Money) upstream.DriftEvent {
			e := event(payer, day)
			e.Severity, e.DollarsPerMonth, e.DeltaValue = severity, dollars, severity*2
			return e
		}
		better, watch, cigna := alert("Better", .9, -70), alert("Watched", .8, 7_000), alert("Cigna", .1, 50)
		better.Direction, watch.Tier, cigna.CPTGroup = upstream.Better, upstream.Watch, new("another")
		detect(t, tenant, day+12, telling(better, watch, cigna, alert("Aetna", .2, 1000), alert("Cigna", .3, 200), alert("Gone", .5, 9000),
			alert("C", .04, 1), alert("D", .03, 1), alert("E", .02, 1), alert("F", .01, 1)))
		judge(t, tenant, 6, Verdict{Status: upstream.Resolved})
		judge(t, tenant, 4, Verdict{Status: upstream.Acknowledged})
		other := aRun(day + 20)
		other.Detector = "threshold"
		if err := tenant.SaveRun(ctx, &other, []upstream.DriftEvent{alert("Other", 1, 1)}, 0); err != nil {
			t.Fatal(err)
		}
		got, err = tenant.Dashboard(ctx, "upstream", today)
		if err != nil {
			t.Fatal(err)
		}
		rate := got.DenialRateTrend
		got.DenialRateTrend = nil
		want := &upstream.Dashboard{
			TotalClaims: 4, TotalUploads: 2, ActiveDriftEvents: 8, DollarsAtRisk: 1254, LastReportDate: day + 12,
			TopDriftPayers: []upstream.DriftPayer{
				{Payer: "Cigna", Severity: .3, DeltaValue: .6},
				{Payer: "Aetna", Severity: .2, DeltaValue: .4},
				{Payer: "C", Severity: .04, DeltaValue: .08},
				{Payer: "D", Severity: .03, DeltaValue: .06},
				{Payer: "E", Severity: .02, DeltaValue: .04},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if february := rate[10]; february.Month != "2026-02" || february.Decided != 2 || february.Denied != 1 || *february.DenialRate != .5 {
			t.Errorf("February %+v", february)
		}
	})
}
