package upstream

import "time"

// Customer is the tenant: a practice or a group of practices. Nothing crosses customers.
type Customer struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	Claims    int64     `json:"claims"` // claims stored now
	// DataVersion advances with every committed change of the customer's claims;
	// answers and caches are keyed by it.
	DataVersion int64 `json:"data_version"`
}
