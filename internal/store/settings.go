package store

import (
	"context"
	"encoding/json"
	"time"

	"upstream"
)

// Settings returns what the customer has chosen; what it has not is the default.
func (t *Tenant) Settings(ctx context.Context) (upstream.Settings, error) {
	out := upstream.DefaultSettings()
	err := t.s.read(ctx, func(x tx) error {
		return x.query("SELECT body FROM settings WHERE customer_id = $1", []any{t.id}, func(r row) error {
			return json.Unmarshal([]byte(r.text(0)), &out)
		})
	})
	return out, err
}

// SaveSettings replaces the customer's settings; those that do not Validate are
// Invalid.
func (t *Tenant) SaveSettings(ctx context.Context, settings upstream.Settings, now time.Time) error {
	if err := upstream.AsError(settings.Validate()); err != nil {
		return err
	}
	body, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	return t.s.write(ctx, t.id, func(x tx) error {
		_, err := x.exec(`INSERT INTO settings (customer_id, body, changed_at) VALUES ($1, $2, $3)
			ON CONFLICT (customer_id) DO UPDATE SET body = excluded.body, changed_at = excluded.changed_at`, t.id, string(body), now.UnixMicro())
		return err
	})
}
