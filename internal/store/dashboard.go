package store

import (
	"context"

	"upstream"
)

// trendMonths is how many months the dashboard shows, topPayers how many payers.
const trendMonths, topPayers = 12, 5

// Dashboard reads what a customer sees first, of one moment, with the incidents and
// runs of one detector.
func (t *Tenant) Dashboard(ctx context.Context, detector string, today upstream.Day) (*upstream.Dashboard, error) {
	first := upstream.Month.First(today)
	for range trendMonths - 1 {
		first = upstream.Month.First(first - 1)
	}
	trend, err := newTrend(upstream.Month, first, today)
	if err != nil {
		return nil, err
	}
	d := &upstream.Dashboard{DenialRateTrend: []upstream.MonthRate{}, TopDriftPayers: []upstream.DriftPayer{}}
	err = t.s.read(ctx, func(x tx) error {
		if err := t.dashboardTotals(x, detector, d); err != nil {
			return err
		}
		if err := t.dashboardAlerts(x, detector, d); err != nil {
			return err
		}
		return trend.read(t, x)
	})
	for _, p := range trend.rates() {
		d.DenialRateTrend = append(d.DenialRateTrend, upstream.MonthRate{
			Month: p.Period.Time().Format("2006-01"), DenialRate: p.DenialRate, Decided: p.Decided, Denied: p.Denied,
		})
	}
	return d, err
}

func (t *Tenant) dashboardTotals(x tx, detector string, d *upstream.Dashboard) error {
	return x.query(`SELECT claims, (SELECT COUNT(*) FROM upload WHERE customer_id = $1),
			(SELECT COALESCE(MAX(as_of), 0) FROM report_run WHERE customer_id = $1 AND detector = $2 AND status = $3)
		FROM customer WHERE id = $1`,
		[]any{t.id, detector, string(upstream.RunSuccess)}, func(r row) error {
			d.TotalClaims, d.TotalUploads, d.LastReportDate = r.int(0), r.int(1), upstream.Day(r.int(2))
			return nil
		})
}

// dashboardAlerts adds up the active alerts, the most severe first.
func (t *Tenant) dashboardAlerts(x tx, detector string, d *upstream.Dashboard) error {
	f := EventFilter{Detector: detector, Tier: upstream.Alert, Statuses: upstream.ActiveStatuses}
	where, args := f.where(t.id)
	seen := map[string]bool{}
	return x.query("SELECT "+eventColumns+" FROM drift_event WHERE customer_id = $1"+where+" ORDER BY severity_e9 DESC, id", args, func(r row) error {
		e, err := scanEvent(r)
		if err != nil {
			return err
		}
		d.ActiveDriftEvents++
		if e.Direction != upstream.Worse {
			return nil
		}
		d.DollarsAtRisk += e.DollarsPerMonth
		if e.Payer != nil && !seen[*e.Payer] && len(d.TopDriftPayers) < topPayers {
			seen[*e.Payer] = true
			d.TopDriftPayers = append(d.TopDriftPayers, upstream.DriftPayer{Payer: *e.Payer, Severity: e.Severity, DeltaValue: e.DeltaValue})
		}
		return nil
	})
}
