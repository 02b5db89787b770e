package upstream

// MaxPageSize bounds what one call may list.
const MaxPageSize = 500

// Page asks for one page of a list ordered by id: those after the id After, so
// that a deep page costs what the first one does. The zero Page is the first.
type Page struct {
	Size  int
	After int64
}

// Limit returns the size within its bounds; 50 when unset.
func (p Page) Limit() int {
	switch {
	case p.Size <= 0:
		return 50
	case p.Size > MaxPageSize:
		return MaxPageSize
	}
	return p.Size
}
